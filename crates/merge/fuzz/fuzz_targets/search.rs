//! Answers of up to four nodes, parted by bytes that no UTF-8 text has. They must be merged or refused, and JSON must
//! make JSON.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use miroir_merge::{FacetSpec, MergeError, Paging, SearchSpec, merge_search};

fuzz_target!(|input: (u8, u8, u8, &[u8])| {
    let (flags, offset, limit, text) = input;
    let (offset, limit) = (usize::from(offset), usize::from(limit));
    let flag = |bit: u8| flags >> bit & 1 == 1;
    let spec = SearchSpec {
        paging: if flag(0) { Paging::Window { offset, limit } } else { Paging::Page { page: offset, hits_per_page: limit } },
        show_ranking_score_details: flag(1),
        displayed: flag(2).then(|| vec!["a".to_owned(), "b.c".to_owned()]),
        strip: if flag(3) { vec!["a".to_owned(), "b.c".to_owned()] } else { Vec::new() },
        strip_formatted: if flag(3) { vec!["b.c".to_owned()] } else { Vec::new() },
        facets: flag(4).then(|| FacetSpec { max_values: 3, ..FacetSpec::default() }),
        distinct: flag(5).then(|| "b.c".to_owned()),
        semantic_ratio: flag(6).then_some(0.5),
        pinned: flag(7),
        ..SearchSpec::default()
    };
    let answers: Vec<Bytes> = text.split(|byte| *byte == 0xff).take(4).map(Bytes::copy_from_slice).collect();
    let is_json = |text: &[u8]| serde_json::from_slice::<serde_json::Value>(text).is_ok();
    match merge_search(&answers, &spec) {
        Ok(merged) => assert!(is_json(&merged) || !answers.iter().all(|answer| is_json(answer))),
        Err(MergeError::Malformed { node, offset, .. }) => assert!(offset <= answers[node].len()),
        Err(_) => {}
    }
});
