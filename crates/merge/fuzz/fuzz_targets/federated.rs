//! Several searches whose hits are one list.
#![no_main]

use libfuzzer_sys::fuzz_target;
use miroir_merge::{
    FacetSpec, FederatedQuery, FederatedSpec, MergedFacets, Paging, SearchSpec, merge_federated,
};
use miroir_merge_fuzz::{answers, check};

fuzz_target!(|input: (u8, u8, u8, &[u8])| {
    let (flags, offset, limit, text) = input;
    let (offset, limit) = (usize::from(offset), usize::from(limit));
    let flag = |bit: u8| flags >> bit & 1 == 1;
    let query = |index: &str, distinct: bool| FederatedQuery {
        index: index.to_owned(),
        search: SearchSpec {
            max_total_hits: flag(1).then_some(3),
            show_ranking_score_details: flag(1),
            displayed: flag(2).then(|| vec!["a".to_owned(), "b.c".to_owned()]),
            strip: if flag(3) { vec!["a".to_owned()] } else { Vec::new() },
            distinct: distinct.then(|| "a".to_owned()),
            semantic_ratio: flag(4).then_some(0.5),
            ..SearchSpec::default()
        },
    };
    let facets = || FacetSpec { max_values: 3, ..FacetSpec::default() };
    let spec = FederatedSpec {
        paging: if flag(0) {
            Paging::Window { offset, limit }
        } else {
            Paging::Page { page: offset, hits_per_page: limit }
        },
        queries: vec![query("i", flag(5)), query("j", false), query("i", false)],
        distinct: flag(6).then(|| "b.c".to_owned()),
        facets: [("i".to_owned(), facets()), ("j".to_owned(), facets())].into(),
        merge_facets: flag(7).then_some(MergedFacets { max_values: Some(2) }),
        ..FederatedSpec::default()
    };
    let answers = answers(text);
    check(&answers, merge_federated(&answers, &spec));
});
