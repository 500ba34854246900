//! Listings, and single documents.
#![no_main]

use libfuzzer_sys::fuzz_target;
use miroir_merge::{DocumentsSpec, SortKey, merge_documents, strip_internal};
use miroir_merge_fuzz::{answers, check};

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (offset, limit, text) = input;
    let spec = DocumentsSpec {
        offset: usize::from(offset),
        limit: usize::from(limit),
        sort: ["a.b:asc", "_geoPoint(48.8, 2.3):desc"].into_iter().filter_map(SortKey::parse).collect(),
        strip: vec!["a.b".to_owned()],
    };
    let answers = answers(text);
    check(&answers, merge_documents(&answers, &spec));
    for answer in &answers {
        let _ = strip_internal(answer);
    }
});
