//! Listings of up to four nodes, parted by bytes that no UTF-8 text has.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use miroir_merge::{DocumentsSpec, SortKey, merge_documents, strip_internal};

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (offset, limit, text) = input;
    let spec = DocumentsSpec {
        offset: usize::from(offset),
        limit: usize::from(limit),
        sort: ["a.b:asc", "_geoPoint(48.8, 2.3):desc"].into_iter().filter_map(SortKey::parse).collect(),
        strip: vec!["a.b".to_owned()],
    };
    let answers: Vec<Bytes> = text.split(|byte| *byte == 0xff).take(4).map(Bytes::copy_from_slice).collect();
    let _ = merge_documents(&answers, &spec);
    for answer in &answers {
        let _ = strip_internal(answer);
    }
});
