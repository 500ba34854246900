//! Whatever a node answers, the merge gives an answer or an error.

use std::collections::BTreeMap;

use bytes::Bytes;
use miroir_merge::{
    Alone, DocumentsSpec, FacetSpec, FederatedQuery, FederatedSpec, MergeError, MergedFacets, Paging,
    SearchSpec, SimilarSpec, SortKey, groups_overlap, is_in_doubt, merge_documents, merge_federated,
    merge_hybrid, merge_search, merge_similar, merge_surveyed, merge_ungrouped, page_in_doubt,
    strip_internal,
};
use proptest::prelude::*;

use crate::model;

fn specs() -> impl Strategy<Value = SearchSpec> {
    let paging = prop_oneof![
        (0..9usize, 0..9usize).prop_map(|(offset, limit)| Paging::Window { offset, limit }),
        (any::<usize>(), any::<usize>())
            .prop_map(|(page, hits_per_page)| Paging::Page { page, hits_per_page }),
    ];
    (paging, any::<[bool; 7]>()).prop_map(|(paging, [a, b, c, d, e, f, g])| SearchSpec {
        paging,
        show_ranking_score: a,
        show_ranking_score_details: b,
        displayed: c.then(|| vec!["note".to_owned(), "a.b".to_owned()]),
        strip: if d { vec!["sort".to_owned(), "a.b".to_owned()] } else { Vec::new() },
        strip_formatted: if d { vec!["note".to_owned()] } else { Vec::new() },
        facets: e.then(|| FacetSpec { max_values: 3, ..FacetSpec::default() }),
        distinct: f.then(|| "a.b".to_owned()),
        semantic_ratio: g.then_some(0.5),
        pinned: a && b,
        ..SearchSpec::default()
    })
}

/// Bytes that stand in answers.
fn jsonish() -> impl Strategy<Value = Vec<u8>> {
    let words = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "{\"hits\":[",
        "{\"results\":[",
        "],\"estimatedTotalHits\":1}",
        "\"total\":1",
        "\"_rankingScoreDetails\":{",
        "\"words\":{\"order\":0,\"score\":1.0}",
        "\"_miroir\":{\"n\":\"!\"}",
        "\"_formatted\":{",
        "\"facetDistribution\":{\"a\":{",
        "\"facetStats\":{\"a\":{\"min\":1,\"max\":2}}",
        "\"a\":",
        "\"b\":",
        "1",
        "-1.5e9",
        "null",
        "true",
        " ",
        "\u{e9}",
        "\\u00e9",
        "\\ud800",
        "\"pin\":{\"order\":0,\"position\":1}",
        "\"vectorSort\":{\"order\":0,\"similarity\":0.5}",
        "\"x:asc\":{\"order\":1,\"value\":\"\\u0041\"}",
        "_matchesPosition",
        "\"_federation\":{\"queriesPosition\":0,\"weightedRankingScore\":0.5}",
        "\"weightedScoreValues\":[{\"weightedScore\":0.5},{\"sort\":{\"asc\":true,\"value\":1}}]",
        "\"_rankingScore\":0.9",
        "\"facetsByIndex\":{\"i\":{\"distribution\":{\"a\":{",
        "\"semanticHitCount\":1",
    ];
    let piece = prop_oneof![
        8 => proptest::sample::select(words.to_vec()).prop_map(|word| word.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..4),
    ];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(text).is_ok()
}

/// What the merges say about these answers; only their not panicking counts, that an error
/// names one of them, and that JSON makes JSON.
fn check(answers: &[Bytes], spec: &SearchSpec) {
    let listing = DocumentsSpec {
        limit: 5,
        sort: vec![SortKey::parse("a.b:asc").unwrap(), SortKey::parse("_geoPoint(1,2):asc").unwrap()],
        strip: spec.strip.clone(),
        ..DocumentsSpec::default()
    };
    let federated = FederatedSpec {
        paging: spec.paging,
        queries: vec![FederatedQuery { index: "i".to_owned(), search: spec.clone() }],
        distinct: spec.distinct.clone().filter(|_| spec.pinned),
        merge_facets: spec.facets.as_ref().map(|_| MergedFacets { max_values: Some(2) }),
        ..FederatedSpec::default()
    };
    let similar =
        SimilarSpec { limit: 5, threshold: spec.semantic_ratio.map(f64::from), ..SimilarSpec::default() };
    let (first, rest) = answers.split_at(answers.len().min(1));
    for _ in [merge_surveyed(first, rest, spec), merge_hybrid(first, rest, spec)] {}
    let _ = groups_overlap(answers, spec);
    let _ = page_in_doubt(answers, spec, spec.max_total_hits);
    let _ = merge_ungrouped(first, rest, rest, spec);
    let alone = Alone { answers: rest.to_vec(), by_words: first.to_vec(), limit: 2, grouped: false };
    let _ = is_in_doubt(&alone, 0, &federated);
    let surveyed = BTreeMap::from([("i".to_owned(), vec![rest.to_vec()])]);
    let _ = merge_federated(first, &FederatedSpec { alone: vec![alone], surveyed, ..federated.clone() });
    let results = [
        merge_search(answers, spec),
        merge_documents(answers, &listing),
        merge_federated(answers, &federated),
        merge_similar(answers, &similar),
    ];
    for result in results {
        if let Err(MergeError::Malformed { node, offset, .. }) = result {
            assert!(node < answers.len() && offset <= answers[node].len());
        }
    }
    for answer in answers {
        let _ = strip_internal(answer);
    }
    if let (true, Ok(merged)) = (answers.iter().all(|answer| is_json(answer)), merge_search(answers, spec)) {
        assert!(is_json(&merged), "{}", String::from_utf8_lossy(&merged));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn bytes_never_panic(answers in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..4), spec in specs()) {
        check(&answers.into_iter().map(Bytes::from).collect::<Vec<_>>(), &spec);
    }

    #[test]
    fn pieces_of_json_never_panic(answers in proptest::collection::vec(jsonish(), 1..4), spec in specs()) {
        check(&answers.into_iter().map(Bytes::from).collect::<Vec<_>>(), &spec);
    }

    #[test]
    fn damaged_answers_never_panic(
        documents in model::documents(),
        search in model::search(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in proptest::option::of(any::<prop::sample::Index>()),
        spec in specs(),
    ) {
        let documents: Vec<_> = documents.iter().collect();
        let (left, right) = documents.split_at(documents.len() / 2);
        let mut damaged = search.node_answer(left, 20).to_vec();
        for (place, byte) in damage {
            let place = place.index(damaged.len());
            damaged[place] = byte;
        }
        if let Some(cut) = cut {
            damaged.truncate(cut.index(damaged.len()));
        }
        let answers = [search.node_answer(right, 20), damaged.into()];
        check(&answers, &spec);
        if cut.is_some() {
            prop_assert!(merge_search(&answers, &spec).is_err());
        }
    }
}
