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
