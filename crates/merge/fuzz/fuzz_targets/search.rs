//! One search.
#![no_main]

use libfuzzer_sys::fuzz_target;
use miroir_merge::{FacetSpec, Paging, SearchSpec, merge_hybrid, merge_search, merge_surveyed};
use miroir_merge_fuzz::{answers, check};

fuzz_target!(|input: (u8, u8, u8, &[u8])| {
    let (flags, offset, limit, text) = input;
    let (offset, limit) = (usize::from(offset), usize::from(limit));
    let flag = |bit: u8| flags >> bit & 1 == 1;
    let spec = SearchSpec {
        paging: if flag(0) {
            Paging::Window { offset, limit }
        } else {
            Paging::Page { page: offset, hits_per_page: limit }
        },
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
    let answers = answers(text);
    check(&answers, merge_search(&answers, &spec));
    if let [first, second @ ..] = &answers[..] {
        let first = std::slice::from_ref(first);
        // Errors may be about answers of either kind.
        let _ = merge_surveyed(first, second, &spec);
        let _ = merge_hybrid(first, second, &spec);
    }
});
