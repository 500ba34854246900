//! Whatever a client sends, parsing ends in a type or in an error.

use miroir_protocol::{
    SearchQuery, Settings,
    documents::{AddDocuments, BrowseQuery, DeleteByFilter},
    indexes::{CreateIndex, UpdateIndex},
    keys::CreateKey,
    search::{FacetSearchQuery, MultiSearch, SimilarQuery},
    settings::SettingName,
    swap::swaps_from_json,
    tasks::TasksQuery,
};
use proptest::prelude::*;
use serde_json::{Map, Value};
use time::macros::datetime;

/// Names that mean something somewhere.
const NAMES: [&str; 16] = [
    "q",
    "limit",
    "filter",
    "sort",
    "facets",
    "hybrid",
    "embedder",
    "vector",
    "queries",
    "indexUid",
    "uid",
    "rankingRules",
    "typoTolerance",
    "embedders",
    "faceting",
    "e",
];

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop_oneof![".{0,8}", Just("a:asc".to_owned()), Just("*".to_owned())].prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        let name = prop_oneof![prop::sample::select(&NAMES[..]).prop_map(str::to_owned), ".{0,6}"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..6)
                .prop_map(|members| members.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

fn parse_all(body: &[u8]) {
    let now = datetime!(2025-01-01 0:00 UTC);
    drop(SearchQuery::from_json(body));
    drop(FacetSearchQuery::from_json(body));
    drop(SimilarQuery::from_json(body).map(|query| query.document_id()));
    drop(MultiSearch::from_json(body).map(|search| search.check()));
    drop(BrowseQuery::from_json(body).map(|query| query.id_texts()));
    drop(DeleteByFilter::from_json(body));
    drop(CreateIndex::from_json(body));
    drop(UpdateIndex::from_json(body));
    drop(CreateKey::from_json(body, now));
    drop(swaps_from_json(body));
    drop(Settings::from_json(body));
    for name in SettingName::ALL {
        drop(Settings::from_json_of(*name, body));
    }
}

proptest! {
    #[test]
    fn any_json_is_taken_or_refused(value in json()) {
        parse_all(&serde_json::to_vec(&value).expect("JSON"));
    }

    #[test]
    fn any_bytes_are_taken_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        parse_all(&bytes);
    }

    #[test]
    fn any_query_string_is_taken_or_refused(query in "([a-zA-Z]{0,12}=?[ -~é%+&,]{0,12}&?){0,4}") {
        drop(SearchQuery::from_query_string(&query));
        drop(BrowseQuery::from_query_string(&query));
        drop(SimilarQuery::from_query_string(&query));
        drop(AddDocuments::from_query_string(&query));
        drop(TasksQuery::from_query_string(&query));
    }

    #[test]
    fn searches_that_are_taken_ask_a_node_for_the_same(value in json()) {
        if let Ok(query) = SearchQuery::from_json(&serde_json::to_vec(&value).expect("JSON")) {
            let body = serde_json::to_vec(&query).expect("JSON");
            prop_assert_eq!(SearchQuery::from_json(&body).expect("own JSON"), query);
        }
    }

    #[test]
    fn settings_that_are_taken_survive_the_log(value in json()) {
        let body = serde_json::to_vec(&value).expect("JSON");
        for name in SettingName::ALL {
            if let Ok(patch) = Settings::from_json_of(*name, &body) {
                prop_assert_eq!(Settings::from_value(patch.to_value()).expect("own JSON"), patch);
            }
        }
    }
}
