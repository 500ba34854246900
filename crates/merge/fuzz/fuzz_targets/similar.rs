//! A search for similar documents.
#![no_main]

use libfuzzer_sys::fuzz_target;
use miroir_merge::{SimilarSpec, merge_similar};
use miroir_merge_fuzz::{answers, check};

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (flags, limit, text) = input;
    let spec = SimilarSpec {
        limit: usize::from(limit),
        max_total_hits: 10,
        threshold: (flags & 1 == 1).then_some(0.5),
        ..SimilarSpec::default()
    };
    let answers = answers(text);
    check(&answers, merge_similar(&answers, &spec));
});
