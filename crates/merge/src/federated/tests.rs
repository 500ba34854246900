use super::*;

const WORDS: &str = r#""words":{"order":0,"matchingWords":1,"maxMatchingWords":1,"score":"#;

/// A hit: its id, which is its place in the order of insertion too, its query, and its score.
fn hit(id: u8, query: usize, score: f64) -> String {
    let code = [b'!', b',', b':', b';'].get(usize::from(id % 4)).copied().unwrap_or(b'!') as char;
    format!(
        r#"{{"id":{id},"_miroir":{{"n":"{code}"}},"_federation":{{"indexUid":"i{query}","queriesPosition":{query},"weightedRankingScore":{score}}},"_rankingScoreDetails":{{{WORDS}{score}}}}}}}"#
    )
}

fn node(hits: &[String], members: &str) -> Bytes {
    format!(
        r#"{{"hits":[{}],"processingTimeMs":3,"limit":20,"offset":0,"estimatedTotalHits":{}{members}}}"#,
        hits.join(","),
        hits.len()
    )
    .into()
}

fn spec(paging: Paging) -> FederatedSpec {
    let query = |index: &str| FederatedQuery {
        index: index.to_owned(),
        search: SearchSpec { max_total_hits: Some(3), ..SearchSpec::default() },
    };
    FederatedSpec { paging, queries: vec![query("i0"), query("i1")], ..FederatedSpec::default() }
}

fn merged(answers: &[Bytes], spec: &FederatedSpec) -> serde_json::Value {
    serde_json::from_slice(&merge_federated(answers, spec).unwrap()).unwrap()
}

fn ids(answer: &serde_json::Value) -> Vec<u64> {
    answer["hits"].as_array().unwrap().iter().map(|hit| hit["id"].as_u64().unwrap()).collect()
}

#[test]
fn hits_of_all_queries_are_one_list() {
    let answers = [node(&[hit(1, 1, 0.9), hit(2, 0, 0.5)], ""), node(&[hit(3, 0, 0.7), hit(0, 1, 0.5)], "")];
    let answer = merged(&answers, &spec(Paging::default()));
    assert_eq!(ids(&answer), [1, 3, 2, 0]);
    assert_eq!(answer["estimatedTotalHits"], 4);
    let first = r#"{"id":1,"_federation":{"indexUid":"i1","queriesPosition":1,"weightedRankingScore":0.9}}"#;
    assert_eq!(answer["hits"][0], serde_json::from_str::<serde_json::Value>(first).unwrap());
}

#[test]
fn hits_say_which_server_they_are_from_where_it_has_a_name() {
    let answer = merged(
        &[node(&[hit(1, 0, 0.9)], "")],
        &FederatedSpec { remote: Some("m\"e".to_owned()), ..spec(Paging::default()) },
    );
    let federation = &answer["hits"][0]["_federation"];
    assert_eq!((&federation["remote"], &federation["queriesPosition"]), (&"m\"e".into(), &0.into()));
}

#[test]
fn equal_hits_come_by_query_then_by_insertion() {
    let answers = [node(&[hit(3, 0, 0.5), hit(0, 1, 0.5)], ""), node(&[hit(2, 0, 0.5)], "")];
    assert_eq!(ids(&merged(&answers, &spec(Paging::default()))), [2, 3, 0]);
}

#[test]
fn what_a_node_weighed_a_hit_with_decides_and_is_not_shown() {
    let weighed = |id: u8, query: usize, year: u32| {
        let values = format!(
            r#","weightedScoreValues":[{{"weightedScore":1.0}},{{"sort":{{"asc":true,"value":{year}}}}}],"extra_document":{{"a":1}}}},"_ranking"#
        );
        hit(id, query, 1.0).replace(r#"},"_ranking"#, &values)
    };
    let answers = [node(&[weighed(0, 1, 1990), weighed(1, 0, 2000)], ""), node(&[weighed(2, 0, 1995)], "")];
    let answer = merged(&answers, &spec(Paging::default()));
    assert_eq!(ids(&answer), [0, 1, 2]);
    let shown = r#"{"indexUid":"i1","queriesPosition":1,"weightedRankingScore":1}"#;
    assert_eq!(answer["hits"][0]["_federation"].to_string(), shown);
}

#[test]
fn pages_are_cut_and_indexes_capped() {
    let answers = [
        node(&[hit(0, 0, 0.9), hit(1, 0, 0.8), hit(2, 1, 0.1)], ""),
        node(&[hit(3, 0, 0.7), hit(4, 0, 0.6)], ""),
    ];
    let all = merged(&answers, &spec(Paging::Window { offset: 1, limit: 9 }));
    assert_eq!(ids(&all), [1, 3, 2]);
    let page = merged(&answers, &spec(Paging::Page { page: 2, hits_per_page: 2 }));
    assert_eq!((ids(&page), &page["totalPages"]), (vec![3, 2], &serde_json::json!(3)));
}

#[test]
fn facets_are_added_up_by_index() {
    let facets = |count: u8| {
        format!(
            r#","facetsByIndex":{{"i0":{{"distribution":{{"g":{{"a":{count}}},"_miroir.s":{{"!":1}}}},"stats":{{"y":{{"min":{count}.0,"max":{count}.0}}}}}}}}"#
        )
    };
    let answers = [node(&[], &facets(1)), node(&[], &facets(2))];
    let answer = merged(&answers, &spec(Paging::default()));
    let expected = serde_json::json!({
        "i0": {"distribution": {"g": {"a": 3}}, "stats": {"y": {"min": 1.0, "max": 2.0}}}
    });
    assert_eq!(answer["facetsByIndex"], expected);
    assert!(merged(&[node(&[], "")], &spec(Paging::default())).get("facetsByIndex").is_none());
}

#[test]
fn what_is_no_answer_is_an_error() {
    let spec = spec(Paging::default());
    assert_eq!(merge_federated(&[], &spec), Err(MergeError::NoAnswers));
    let whole = node(&[hit(1, 0, 0.5), hit(2, 1, 0.4)], "");
    for len in 0..whole.len() {
        assert!(merge_federated(&[whole.slice(..len)], &spec).is_err(), "{len}");
    }
    let unknown = node(&[hit(1, 7, 0.5)], "");
    assert!(merge_federated(&[unknown], &spec).is_err());
}

#[test]
fn what_was_counted_alone_stands_for_what_nodes_count() {
    let facets = r#","facetsByIndex":{"i0":{"distribution":{"a":{"x":2}},"stats":{}},"i1":{"distribution":{"b":{"1":1}},"stats":{"b":{"min":1.0,"max":1.0}}}}"#;
    let answers = [node(&[hit(1, 1, 0.9)], facets), node(&[hit(3, 0, 0.7)], facets)];
    let told = |total: u32, facets: &str| {
        Bytes::from(format!(r#"{{"hits":[],"query":"","hitsPerPage":9,"totalHits":{total}{facets}}}"#))
    };
    let counted = BTreeMap::from([
        (
            "i0".to_owned(),
            told(3, r#","facetDistribution":{"a":{"x":3}},"facetStats":{"a":{"min":2.0,"max":9.0}}"#),
        ),
        ("i1".to_owned(), told(4, "")),
    ]);
    let paging = Paging::Page { page: 1, hits_per_page: 9 };
    let by_index = merged(&answers, &FederatedSpec { counted: counted.clone(), ..spec(paging) });
    assert_eq!((&by_index["totalHits"], &by_index["totalPages"]), (&7.into(), &1.into()));
    assert_eq!(by_index["facetsByIndex"]["i0"]["distribution"]["a"]["x"], 3);
    // What was not counted alone is what the nodes say.
    assert_eq!(by_index["facetsByIndex"]["i1"]["distribution"]["b"]["1"], 2);
    let merge_facets = Some(MergedFacets::default());
    let together = merged(&answers, &FederatedSpec { counted, merge_facets, ..spec(paging) });
    assert_eq!(together["facetDistribution"]["a"]["x"], 3);
    assert_eq!(
        (&together["facetStats"]["a"]["max"], &together["facetStats"]["b"]["min"]),
        (&9.0.into(), &1.0.into())
    );
}

/// A hit of a query that was asked alone: its group too, and its weighted score.
fn alone_hit(id: u8, group: &str, score: f64) -> String {
    hit(id, 0, score).replace(r#","_miroir""#, &format!(r#","g":{group},"_miroir""#))
}

fn alone(nodes: &[&[String]], grouped: bool) -> Alone {
    let answers = nodes.iter().map(|hits| node(hits, "")).collect();
    Alone { answers, limit: 2, grouped, ..Alone::default() }
}

/// Two queries of one index, the first of which groups its hits.
fn grouping(paging: Paging) -> FederatedSpec {
    let mut spec = spec(paging);
    spec.queries[1].index = "i0".to_owned();
    spec.queries[0].search.distinct = Some("g".to_owned());
    spec
}

fn places(answer: &serde_json::Value) -> Vec<u64> {
    let hits = answer["hits"].as_array().unwrap().iter();
    hits.map(|hit| hit["_federation"]["queriesPosition"].as_u64().unwrap()).collect()
}

#[test]
fn what_one_query_leaves_out_another_one_finds() {
    let grouped = alone(&[&[alone_hit(1, "1", 0.8)], &[alone_hit(2, "1", 0.9)]], true);
    let plain = alone(&[&[alone_hit(1, "1", 0.5)], &[alone_hit(2, "1", 0.4), alone_hit(3, "7", 0.3)]], true);
    let mut spec = FederatedSpec { alone: vec![grouped, plain], ..grouping(Paging::default()) };
    let answer = merged(&[node(&[], "")], &spec);
    assert_eq!((ids(&answer), places(&answer)), (vec![2, 1, 3], vec![0, 1, 1]));
    // The whole is grouped: what was met leaves out others, whichever query found it.
    spec.distinct = Some("g".to_owned());
    spec.queries[1].search.distinct = Some("g".to_owned());
    assert_eq!(ids(&merged(&[node(&[], "")], &spec)), [2, 3]);
    let strings = alone(&[&[alone_hit(1, "\"\"", 0.5)], &[alone_hit(2, "\"\"", 0.4)]], true);
    spec.alone = vec![Alone::default(), strings];
    assert_eq!(ids(&merged(&[node(&[], "")], &spec)), [1], "empty strings are equal in the end");
}

#[test]
fn documents_of_several_groups_leave_hits_in_doubt() {
    let spec = grouping(Paging::Window { offset: 0, limit: 2 });
    let one = alone(&[&[alone_hit(1, "[1,2]", 0.8)], &[alone_hit(2, "1", 0.9)]], true);
    assert!(is_in_doubt(&one, 0, &spec).unwrap());
    assert!(!is_in_doubt(&one, 1, &spec).unwrap(), "the other query groups nothing");
    let single = alone(&[&[alone_hit(1, "1", 0.8)], &[alone_hit(2, "1", 0.9)]], true);
    assert!(!is_in_doubt(&single, 0, &spec).unwrap());
    // Of documents that nodes did not group, all that were asked for may be too few.
    let few = alone(&[&[alone_hit(1, "1", 0.8), alone_hit(3, "1", 0.7)], &[alone_hit(2, "1", 0.9)]], false);
    assert!(is_in_doubt(&few, 0, &spec).unwrap());
    assert!(!is_in_doubt(&Alone { limit: 3, ..few }, 0, &spec).unwrap());
}

#[test]
fn answers_to_all_queries_may_leave_hits_in_doubt() {
    let grouped = |id: u8, query: usize, group: &str, score: f64| {
        alone_hit(id, group, score).replace("Position\":0", &format!("Position\":{query}"))
    };
    let in_doubt = |spec: &FederatedSpec, group: &str| {
        let answers = [node(&[grouped(1, 0, group, 0.9)], ""), node(&[grouped(2, 0, group, 0.8)], "")];
        hits_in_doubt(&answers, spec).unwrap()
    };
    let mut spec = spec(Paging::default());
    assert!(!in_doubt(&spec, "[1,2]"), "nothing is grouped");
    spec.queries[0].search.distinct = Some("g".to_owned());
    assert!(in_doubt(&spec, "[1,2]") && !in_doubt(&spec, "1") && !in_doubt(&spec, "\"\""));
    spec.distinct = Some("g".to_owned());
    assert!(!in_doubt(&spec, "1") && in_doubt(&spec, "\"\""));
    spec.queries[1].index = "i0".to_owned();
    assert!(in_doubt(&spec, "1"), "two queries share the index");
}

#[test]
fn words_that_are_enough_leave_no_hit_by_vector() {
    let scored = |hit: String, score: f64| {
        hit.replace(
            r#""_rankingScoreDetails""#,
            &format!(r#""_rankingScore":{score},"_rankingScoreDetails""#),
        )
    };
    let by_vector = |id: u8, score: f64| {
        let details = format!(r#"{{"vectorSort":{{"order":0,"similarity":{score}}}}}}}"#);
        let hit = hit(id, 0, score);
        let (start, _) = hit.split_once(r#"{"words""#).unwrap();
        scored(format!("{start}{details}"), score)
    };
    let by_words = |score| scored(hit(1, 0, score), score);
    let mut spec = spec(Paging::Window { offset: 0, limit: 1 });
    spec.queries.truncate(1);
    spec.queries[0].search.semantic_ratio = Some(0.5);
    let both = |score| Alone {
        answers: vec![node(&[by_vector(1, 0.99), by_vector(2, 0.98)], "")],
        by_words: vec![node(&[by_words(score)], "")],
        limit: 1,
        grouped: true,
    };
    assert!(words_are_enough(&both(0.95), 0, &spec).unwrap());
    assert!(!words_are_enough(&both(0.5), 0, &spec).unwrap());
    spec.paging = Paging::Window { offset: 0, limit: 3 };
    spec.alone = vec![both(0.95)];
    let answer = merged(&[node(&[], r#","semanticHitCount":1"#)], &spec);
    assert_eq!((ids(&answer), &answer["semanticHitCount"]), (vec![1, 2], &2.into()));
}

#[test]
fn all_documents_of_all_queries_are_counted_once() {
    let facets = r#","facetsByIndex":{"i0":{"distribution":{"c":{"Red":9}},"stats":{}}}"#;
    let answers = [node(&[hit(1, 1, 0.9)], facets), node(&[hit(3, 0, 0.7)], facets)];
    let document = |id: u8, group: u8, colour: &str| {
        hit(id, 0, 1.0).replace(r#","_miroir""#, &format!(r#","g":{group},"c":{colour},"_miroir""#))
    };
    let survey = |documents: &[String]| {
        Bytes::from(format!(
            r#"{{"hits":[{}],"query":"","totalHits":{}}}"#,
            documents.join(","),
            documents.len()
        ))
    };
    let first = vec![
        survey(&[document(1, 1, "\"red\""), document(2, 1, "\"blue\"")]),
        survey(&[document(0, 2, "\"Red\"")]),
    ];
    let second = vec![survey(&[document(2, 1, "\"blue\"")])];
    let surveyed = BTreeMap::from([("i0".to_owned(), vec![first.clone(), second])]);
    let paging = Paging::Page { page: 1, hits_per_page: 9 };
    let answer = merged(&answers, &FederatedSpec { surveyed, ..grouping(paging) });
    // Of the two of group 1 the first query keeps one, and the second query the other.
    assert_eq!(answer["totalHits"], 3);
    let listed = answer["facetsByIndex"]["i0"]["distribution"]["c"].to_string();
    assert!(listed.contains(r#""blue":1"#) && listed.to_lowercase().contains(r#""red":2"#), "{listed}");
    // Nothing of an index that was not looked at is counted so.
    let surveyed = BTreeMap::from([("i0".to_owned(), vec![first])]);
    let two = FederatedSpec { surveyed, ..spec(paging) };
    assert_eq!(merged(&answers, &two)["totalHits"], 2);
}

#[test]
fn indexes_whose_facets_are_spelled_differently_are_told() {
    let answer = |value: &str| {
        let facets =
            format!(r#","facetsByIndex":{{"i0":{{"distribution":{{"c":{{"{value}":9}}}},"stats":{{}}}}}}"#);
        node(&[hit(1, 1, 0.9)], &facets)
    };
    let facets = BTreeMap::from([("i0".to_owned(), FacetSpec { max_values: 9, ..FacetSpec::default() })]);
    let spec = FederatedSpec { facets, ..spec(Paging::default()) };
    let in_doubt =
        |second: &str, most| facets_in_doubt_of(&[answer("Red"), answer(second)], &spec, most).unwrap();
    assert_eq!(in_doubt("red", 1), ["i0"]);
    assert!(in_doubt("Red", 1).is_empty() && in_doubt("red", 0).is_empty());
}

#[test]
fn lists_that_are_cut_between_equal_counts_keep_what_one_node_keeps() {
    let answer = |facets: &str| {
        let facets = format!(r#","facetsByIndex":{{"i0":{{"distribution":{{"a":{facets}}},"stats":{{}}}}}}"#);
        node(&[hit(1, 1, 0.9)], &facets)
    };
    let answers = [answer(r#"{"v01":1,"v02":1,"v20":1}"#), answer(r#"{"v39":1,"v03":2}"#)];
    let listed =
        |max_values| FacetSpec { max_values, order: crate::FacetOrder::Count, ..FacetSpec::default() };
    let by_count = |max_values| FederatedSpec {
        facets: [("i0".to_owned(), listed(max_values))].into(),
        ..spec(Paging::default())
    };
    let is_cut = |max_values| tied_facets_of(&answers, &by_count(max_values)).unwrap()["i0"][0].is_cut;
    assert!(is_cut(3) && !is_cut(1) && !is_cut(9));
    let all: Vec<String> = (0..40).map(|number| format!(r#""v{number:02}":1"#)).collect();
    let all = format!(
        r#"{{"hits":[],"query":"","estimatedTotalHits":9,"facetDistribution":{{"a":{{{}}}}},"facetStats":{{}}}}"#,
        all.join(",")
    );
    let ranks = crate::facet_ranks(&[all.into()]).unwrap();
    let spec = FederatedSpec { facet_ranks: [("i0".to_owned(), ranks)].into(), ..by_count(3) };
    let values = merged(&answers, &spec)["facetsByIndex"]["i0"]["distribution"]["a"].to_string();
    assert!(values.contains("v01") && values.contains("v02") && values.contains("v03"), "{values}");
}
