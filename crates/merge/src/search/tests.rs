use super::*;
use crate::{FacetOrder, FacetSpec};

/// A hit as a node sends it: rules by name with what they say.
fn hit(id: u32, sequence: &str, rules: &[(&str, &str)]) -> String {
    let rules: Vec<String> = rules
        .iter()
        .enumerate()
        .map(|(order, (name, says))| format!(r#""{name}":{{"order":{order},{says}}}"#))
        .collect();
    format!(
        r#"{{"id":{id},"_miroir":{{"n":"{sequence}"}},"_rankingScore":0.5,"_rankingScoreDetails":{{{}}}}}"#,
        rules.join(",")
    )
}

fn answer(hits: &[String], total: usize) -> Bytes {
    with_members(hits, &format!(r#""limit":20,"offset":0,"estimatedTotalHits":{total}"#))
}

fn with_members(hits: &[String], members: &str) -> Bytes {
    format!(r#"{{"hits":[{}],"query":"star","processingTimeMs":3,{members}}}"#, hits.join(",")).into()
}

fn merged(answers: &[Bytes], spec: &SearchSpec) -> String {
    String::from_utf8(merge_search(answers, spec).unwrap()).unwrap()
}

/// The ids of a merged answer, in order.
fn ids(answers: &[Bytes], spec: &SearchSpec) -> Vec<u64> {
    let answer: serde_json::Value = serde_json::from_str(&merged(answers, spec)).unwrap();
    answer["hits"].as_array().unwrap().iter().map(|hit| hit["id"].as_u64().unwrap()).collect()
}

fn window(offset: usize, limit: usize) -> SearchSpec {
    SearchSpec { paging: Paging::Window { offset, limit }, ..SearchSpec::default() }
}

const ONE: (&str, &str) = ("words", r#""score":1.0"#);
const HALF: (&str, &str) = ("words", r#""score":0.5"#);

#[test]
fn an_answer_reads_as_meilisearch_prints_it() {
    let answers = [answer(&[hit(1, "!", &[ONE])], 1), answer(&[hit(2, ",", &[ONE])], 41)];
    let spec = SearchSpec { processing_time_ms: 7, request_uid: Some("u\"id".to_owned()), ..window(0, 20) };
    assert_eq!(
        merged(&answers, &spec),
        r#"{"hits":[{"id":1},{"id":2}],"query":"star","processingTimeMs":7,"limit":20,"offset":0,"estimatedTotalHits":42,"requestUid":"u\"id"}"#
    );
}

#[test]
fn pages_have_exhaustive_totals() {
    let members = r#""hitsPerPage":4,"page":1,"totalPages":2,"totalHits":3"#;
    let a = with_members(&[hit(1, "!", &[ONE]), hit(3, ":", &[ONE]), hit(5, ";!", &[ONE])], members);
    let b = with_members(&[hit(2, ",", &[ONE]), hit(4, ";", &[ONE])], members);
    let spec = SearchSpec { paging: Paging::Page { page: 2, hits_per_page: 2 }, ..SearchSpec::default() };
    assert_eq!(
        merged(&[a, b], &spec),
        r#"{"hits":[{"id":3},{"id":4}],"query":"star","processingTimeMs":0,"hitsPerPage":2,"page":2,"totalPages":3,"totalHits":6}"#
    );
}

#[test]
fn totals_and_offsets_are_clamped_in_legacy_searches() {
    let answers = [answer(&[], 900), answer(&[], 900)];
    let mut spec = SearchSpec { max_total_hits: Some(1000), ..window(2000, 5) };
    assert!(merged(&answers, &spec).contains(r#""limit":5,"offset":2000,"estimatedTotalHits":1800"#));
    spec.legacy_search = true;
    assert!(merged(&answers, &spec).contains(r#""limit":5,"offset":1000,"estimatedTotalHits":1000"#));
}

#[test]
fn rules_come_before_the_order_of_insertion() {
    let year = |value: &'static str| ("year:desc", value);
    let a = answer(
        &[hit(1, ";", &[ONE, year(r#""value":2000.0"#)]), hit(2, "!", &[ONE, year(r#""value":null"#)])],
        2,
    );
    let b = answer(
        &[
            hit(3, ":", &[ONE, year(r#""value":2000.0"#)]),
            hit(4, "!", &[ONE, year(r#""value":"a""#)]),
            hit(5, "!", &[HALF, year(r#""value":3000.0"#)]),
        ],
        3,
    );
    assert_eq!(ids(&[a, b], &window(0, 20)), [3, 1, 4, 2, 5]);
}

#[test]
fn without_details_the_order_of_insertion_decides() {
    let plain = |id: u32, sequence: &str| format!(r#"{{"id":{id},"_miroir":{{"n":"{sequence}"}}}}"#);
    let a = answer(&[plain(1, "!"), plain(3, ":"), r#"{"id":5}"#.to_owned()], 3);
    let b = answer(&[plain(2, ","), plain(4, ";")], 2);
    assert_eq!(ids(&[a, b], &window(0, 20)), [1, 2, 3, 4, 5]);
}

#[test]
fn pages_of_one_search_fit_together() {
    let nodes: Vec<Bytes> = (0..3)
        .map(|node| answer(&(0..9).map(|place| hit(node * 10 + place, "!", &[ONE])).collect::<Vec<_>>(), 9))
        .collect();
    let all = ids(&nodes, &window(0, 27));
    let pages: Vec<u64> = (0..9).flat_map(|page| ids(&nodes, &window(page * 3, 3))).collect();
    assert_eq!((all.len(), pages), (27, all));
}

#[test]
fn hybrid_hits_are_weighed_and_counted() {
    let vector = |id, similarity| hit(id, "!", &[("vectorSort", similarity)]);
    let members = r#""estimatedTotalHits":2,"semanticHitCount":1"#;
    let a = with_members(&[vector(1, r#""similarity":0.75"#), hit(2, "!", &[ONE])], members);
    let b = with_members(&[hit(3, "!", &[HALF]), vector(4, r#""similarity":0.1"#)], members);
    let spec = SearchSpec { semantic_ratio: Some(0.5), ..window(0, 3) };
    assert_eq!(ids(&[a.clone(), b.clone()], &spec), [1, 2, 3]);
    assert!(merged(&[a.clone(), b.clone()], &spec).ends_with(r#""semanticHitCount":1}"#));
    // Weighted: 0.675, 0.05 (by its `_rankingScore` of 0.5), 0.05, 0.09.
    let spec = SearchSpec { semantic_ratio: Some(0.9), ..window(0, 4) };
    assert_eq!(ids(&[a.clone(), b], &spec), [1, 2, 3, 4]);
    assert!(merged(&[a], &window(0, 1)).ends_with(r#""semanticHitCount":1}"#));
}

#[test]
fn pinned_documents_take_their_places() {
    let pin = |id, place: &'static str| hit(id, "!", &[("pin", place)]);
    let a = answer(&[hit(1, "!", &[ONE]), hit(3, "!", &[HALF]), pin(9, r#""position":2"#)], 3);
    let b = answer(&[pin(8, r#""position":0"#), hit(2, ",", &[ONE]), hit(4, ",", &[HALF])], 3);
    let c = answer(&[pin(7, r#""position":50"#)], 1);
    let spec = |offset, limit| SearchSpec { pinned: true, ..window(offset, limit) };
    let answers = [a, b, c];
    assert_eq!(ids(&answers, &spec(0, 20)), [8, 1, 9, 2, 3, 4, 7]);
    assert_eq!(ids(&answers, &spec(2, 2)), [9, 2]);
}

#[test]
fn distinct_holds_over_all_nodes() {
    let item = |id: u32, value: &str, sequence: &str| {
        format!(r#"{{"id":{id},"c":{value},"_miroir":{{"n":"{sequence}"}}}}"#)
    };
    let a = answer(&[item(1, "\"Red\"", "!"), item(3, "\"blue\"", ":")], 2);
    let b = answer(&[item(2, "\"red\"", ","), item(4, "null", ";")], 2);
    let spec = |limit| SearchSpec {
        distinct: Some("c".to_owned()),
        strip: vec!["c".to_owned()],
        ..window(0, limit)
    };
    let text = merged(&[a.clone(), b.clone()], &spec(20));
    assert!(text.starts_with(r#"{"hits":[{"id":1},{"id":3},{"id":4}],"#), "{text}");
    assert!(text.contains(r#""estimatedTotalHits":3"#), "{text}");
    // Duplicates after the page count too.
    assert!(merged(&[a, b], &spec(1)).contains(r#""estimatedTotalHits":3"#));
}

#[test]
fn facets_are_merged_and_cut() {
    let facets = |genre: &str, stats: &str| {
        with_members(
            &[],
            &format!(
                r#""estimatedTotalHits":5,"facetDistribution":{{"genre":{{{genre}}},"_miroir.s":{{"!":1}}}},"facetStats":{{{stats}}}"#
            ),
        )
    };
    let a = facets(r#""Drama":3,"War":1"#, r#""year":{"min":1.0,"max":2.0}"#);
    let b =
        facets(r#""Comedy":1,"drama":2"#, r#""year":{"min":0.5,"max":1.0},"_miroir.s":{"min":1,"max":1}"#);
    let spec = SearchSpec {
        facets: Some(FacetSpec { max_values: 2, order: FacetOrder::Count, order_by: Vec::new() }),
        ..window(0, 0)
    };
    let text = merged(&[a.clone(), b.clone()], &spec);
    assert!(
        text.ends_with(r#""facetDistribution":{"genre":{"Drama":5,"War":1}},"facetStats":{"year":{"min":0.5,"max":2.0}}}"#),
        "{text}"
    );
    assert!(!merged(&[a, b], &window(0, 0)).contains("facet"));
}

#[test]
fn nothing_asked_is_nothing_given() {
    let answers = [answer(&[hit(1, "!", &[ONE])], 10), answer(&[], 5)];
    assert!(merged(&answers, &window(0, 0)).starts_with(r#"{"hits":[],"query":"star""#));
    assert!(merged(&answers, &window(7, 3)).starts_with(r#"{"hits":[],"query":"star""#));
    assert!(merged(&answers, &window(0, 0)).contains(r#""estimatedTotalHits":15"#));
}

#[test]
fn extra_members_and_vectors_follow() {
    let a = with_members(&[], r#""queryVector":[0.5,1],"estimatedTotalHits":1,"degraded":true"#);
    let spec = SearchSpec { extra: vec![("metadata".to_owned(), r#"{"a":1}"#.to_owned())], ..window(0, 0) };
    assert_eq!(
        merged(&[a], &spec),
        r#"{"hits":[],"query":"star","queryVector":[0.5,1],"processingTimeMs":0,"limit":0,"offset":0,"estimatedTotalHits":1,"metadata":{"a":1},"degraded":true}"#
    );
}

#[test]
fn members_may_come_in_any_order() {
    let a =
        Bytes::from_static(br#" { "estimatedTotalHits" : 1 , "hits" : [ {"id" : 1} ] , "query" : "x" } "#);
    assert!(merged(&[a], &window(0, 20)).starts_with(r#"{"hits":[{"id" : 1}],"query":"x","#));
}

#[test]
fn a_malformed_answer_is_named() {
    let good = answer(&[hit(1, "!", &[ONE])], 1);
    let cases: &[&str] = &[
        "",
        "null",
        "{}",
        r#"{"message":"Index `x` not found.","code":"index_not_found"}"#,
        r#"{"hits":{},"estimatedTotalHits":1}"#,
        r#"{"hits":[1],"estimatedTotalHits":1}"#,
        r#"{"hits":[],"estimatedTotalHits":-1}"#,
        r#"{"hits":[]}"#,
        r#"{"hits":[],"estimatedTotalHits":1}x"#,
        r#"{"hits":[{"_rankingScoreDetails":3}],"estimatedTotalHits":1}"#,
        r#"{"hits":[{"_rankingScoreDetails":{"words":{"order":0,"score":1.0}"#,
        r#"{"hits":[],"estimatedTotalHits":1,"facetDistribution":{"a":[]}}"#,
    ];
    let spec = SearchSpec { facets: Some(FacetSpec::default()), ..window(0, 20) };
    for text in cases {
        let answers = [good.clone(), Bytes::from_static(text.as_bytes())];
        let error = merge_search(&answers, &spec).unwrap_err();
        assert!(matches!(error, MergeError::Malformed { node: 1, .. }), "{text}: {error}");
    }
    assert_eq!(merge_search(&[], &spec), Err(MergeError::NoAnswers));
}

#[test]
fn the_greatest_page_goes_once_around() {
    let pages = |hits_per_page| {
        let spec = SearchSpec { paging: Paging::Page { page: 1, hits_per_page }, ..SearchSpec::default() };
        let answer: serde_json::Value = serde_json::from_str(&merged(&[answer(&[], 5)], &spec)).unwrap();
        answer["totalPages"].clone()
    };
    assert_eq!([0, 2, 5, 6, usize::MAX].map(pages), [0, 3, 1, 1, 0]);
}

#[test]
fn duplicates_count_where_no_hits_are_wanted() {
    let item = |id: u32| format!(r#"{{"id":{id},"c":1}}"#);
    let spec = SearchSpec { distinct: Some("c".to_owned()), ..window(0, 0) };
    let text = merged(&[answer(&[item(1)], 1), answer(&[item(2)], 1)], &spec);
    assert!(text.starts_with(r#"{"hits":[],"#) && text.contains(r#""estimatedTotalHits":1"#), "{text}");
}

/// A hit with a group, one after the other by place and score.
fn of_group(id: u32, group: &str) -> String {
    let score = format!(r#""score":{}"#, 1.0 - f64::from(id) / 100.0);
    let plain = hit(id, "!", &[("words", &score)]);
    plain.replace(r#","_miroir""#, &format!(r#","g":{group},"_miroir""#))
}

fn grouped_by(paging: Paging) -> SearchSpec {
    SearchSpec {
        paging,
        distinct: Some("g".to_owned()),
        strip: vec!["g".to_owned()],
        ..SearchSpec::default()
    }
}

#[test]
fn hits_of_several_groups_are_asked_for_without_groups() {
    let spec = grouped_by(Paging::Window { offset: 0, limit: 2 });
    // The second node leaves out 4 for 3, and 3 is left out for 1.
    let grouped = [
        answer(&[of_group(1, "[\"a\",\"b\"]")], 1),
        answer(&[of_group(3, "[\"b\",\"c\"]"), of_group(9, "\"d\"")], 2),
    ];
    assert_eq!(ids(&grouped, &spec), [1, 9]);
    assert!(page_in_doubt(&grouped, &spec, None).unwrap());
    let ungrouped = [
        answer(&[of_group(1, "[\"a\",\"b\"]")], 1),
        answer(&[of_group(3, "[\"b\",\"c\"]"), of_group(4, "\"c\""), of_group(9, "\"d\"")], 3),
    ];
    assert!(!page_in_doubt(&ungrouped, &spec, Some(3)).unwrap());
    assert!(page_in_doubt(&ungrouped, &spec, Some(2)).unwrap(), "what follows was not asked for");
    let merged = String::from_utf8(merge_ungrouped(&grouped, &ungrouped, &[], &spec).unwrap()).unwrap();
    assert!(merged.starts_with(r#"{"hits":[{"id":1},{"id":4}],"#), "{merged}");
    // The total is an estimate of what the nodes found in groups.
    assert!(merged.contains(r#""estimatedTotalHits":2"#), "{merged}");
    let single = [answer(&[of_group(1, "\"a\"")], 1), answer(&[of_group(3, "\"a\"")], 1)];
    assert!(!page_in_doubt(&single, &spec, None).unwrap());
}

#[test]
fn empty_strings_are_grouped_among_the_hits_of_the_page_alone() {
    let paging = Paging::Page { page: 1, hits_per_page: 3 };
    let spec = SearchSpec { distinct_twice: true, ..grouped_by(paging) };
    let answers = [
        answer(&[of_group(1, "\"\""), of_group(4, "\"x\"")], 2),
        answer(&[of_group(2, "\"\""), of_group(3, "\"y\""), of_group(5, "\"\"")], 3),
    ];
    assert!(page_in_doubt(&answers, &spec, None).unwrap());
    assert_eq!(ids(&answers, &spec), [1, 3], "the fourth was not looked for");
    assert_eq!(ids(&answers, &SearchSpec { distinct_twice: false, ..spec.clone() }), [1, 2, 3]);
    let merged = merge_ungrouped(&answers, &answers, &answers, &spec).unwrap();
    let merged = String::from_utf8(merged).unwrap();
    assert!(merged.contains(r#""totalHits":4"#), "{merged}");
}
