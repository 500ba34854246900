//! What counts values: a search in the values of a facet, and the facets of a search in every order.
#![no_main]

use libfuzzer_sys::fuzz_target;
use miroir_merge::{
    FacetOrder, FacetSearchSpec, FacetSpec, FacetSurvey, Paging, SearchSpec, facets_in_doubt,
    merge_facet_search, merge_search, merge_surveyed_facet_search,
};
use miroir_merge_fuzz::{answers, check};

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (flags, max_values, text) = input;
    let flag = |bit: u8| flags >> bit & 1 == 1;
    let order = if flag(0) { FacetOrder::Count } else { FacetOrder::Name };
    let max_values = usize::from(max_values);
    let answers = answers(text);
    let values = FacetSearchSpec {
        facet_query: flag(1).then(|| "d\"\u{e9}".to_owned()),
        max_values,
        order,
        ..FacetSearchSpec::default()
    };
    check(&answers, merge_facet_search(&answers, &values));
    let survey =
        FacetSurvey { facet: "b".to_owned(), distinct: "a".to_owned(), looked_for: flag(5).then_some(2) };
    if let [first, surveyed @ ..] = &answers[..] {
        // Errors may be about answers of either kind.
        let _ = merge_surveyed_facet_search(std::slice::from_ref(first), surveyed, &survey, &values);
    }
    let search = SearchSpec {
        paging: if flag(2) {
            Paging::Page { page: 1, hits_per_page: 2 }
        } else {
            Paging::Window { offset: 0, limit: 2 }
        },
        facets: Some(FacetSpec { max_values, order, order_by: vec![("b".to_owned(), FacetOrder::Count)] }),
        strip_facets: if flag(3) { vec!["c".to_owned()] } else { Vec::new() },
        distinct: flag(4).then(|| "a".to_owned()),
        ..SearchSpec::default()
    };
    let _ = facets_in_doubt(&answers, &search, 9);
    check(&answers, merge_search(&answers, &search));
});
