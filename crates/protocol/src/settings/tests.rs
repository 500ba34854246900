use serde_json::json;

use super::{FacetOrder, SettingName, Settings, UpdateMethod};
use crate::features::Features;

fn settings(body: &str) -> Settings {
    Settings::from_json(body.as_bytes()).expect(body)
}

fn refused(body: &str) -> (String, String) {
    let error = Settings::from_json(body.as_bytes()).expect_err(body);
    (error.code_name().to_owned(), error.message().to_owned())
}

#[test]
fn null_resets_and_absence_changes_nothing() {
    let mut kept = settings(r#"{"stopWords":["a"],"distinctAttribute":"x"}"#);
    kept.apply(&settings(r#"{"stopWords":null}"#));
    assert_eq!(kept, settings(r#"{"distinctAttribute":"x"}"#));
}

#[test]
fn members_of_objects_change_one_by_one() {
    let mut kept = settings(r#"{"typoTolerance":{"enabled":false,"minWordSizeForTypos":{"oneTypo":3}}}"#);
    kept.apply(&settings(
        r#"{"typoTolerance":{"minWordSizeForTypos":{"twoTypos":12},"disableOnNumbers":true}}"#,
    ));
    let expected = json!({
        "enabled": false,
        "minWordSizeForTypos": {"oneTypo": 3, "twoTypos": 12},
        "disableOnWords": [],
        "disableOnAttributes": [],
        "disableOnNumbers": true,
    });
    assert_eq!(kept.view_of(SettingName::TypoTolerance), expected);
    kept.apply(&settings(r#"{"typoTolerance":{"minWordSizeForTypos":null}}"#));
    let sizes = &kept.view_of(SettingName::TypoTolerance)["minWordSizeForTypos"];
    assert_eq!(sizes, &json!({"oneTypo": 5, "twoTypos": 9}));
}

#[test]
fn embedders_are_added_changed_and_removed_by_name() {
    let mut kept = settings(r#"{"embedders":{"a":{"source":"userProvided","dimensions":3}}}"#);
    kept.apply(&settings(
        r#"{"embedders":{"b":{"source":"userProvided","dimensions":2},"a":{"binaryQuantized":true}}}"#,
    ));
    let expected = json!({
        "a": {"source": "userProvided", "dimensions": 3, "binaryQuantized": true},
        "b": {"source": "userProvided", "dimensions": 2},
    });
    assert_eq!(kept.view_of(SettingName::Embedders), expected);
    kept.apply(&settings(r#"{"embedders":{"a":null}}"#));
    assert_eq!(
        kept.view_of(SettingName::Embedders),
        json!({"b": {"source": "userProvided", "dimensions": 2}})
    );
}

#[test]
fn another_source_starts_an_embedder_afresh() {
    let mut kept = settings(r#"{"embedders":{"a":{"source":"openAi","apiKey":"0123456789","model":"m"}}}"#);
    kept.apply(&settings(r#"{"embedders":{"a":{"source":"userProvided","dimensions":2}}}"#));
    assert_eq!(
        kept.view_of(SettingName::Embedders),
        json!({"a": {"source": "userProvided", "dimensions": 2}})
    );
}

#[test]
fn a_star_among_attributes_is_all_of_them() {
    let mut kept = settings(r#"{"searchableAttributes":["a"]}"#);
    kept.apply(&settings(r#"{"searchableAttributes":["a","*"]}"#));
    assert_eq!(kept, Settings::default());
}

#[test]
fn filterable_rules_can_be_patterns() {
    let kept = settings(
        r#"{"filterableAttributes":["a",{"attributePatterns":["b*"],"features":{"facetSearch":true,"filter":{"comparison":true}}},{"attributePatterns":["c"]}]}"#,
    );
    let expected = json!([
        "a",
        {"attributePatterns": ["b*"], "features": {"facetSearch": true, "filter": {"equality": true, "comparison": true}}},
        {"attributePatterns": ["c"], "features": {"facetSearch": false, "filter": {"equality": true, "comparison": false}}},
    ]);
    assert_eq!(kept.view_of(SettingName::FilterableAttributes), expected);
}

#[test]
fn what_is_logged_is_read_back() {
    let body = r#"{"rankingRules":["typo","year:desc"],"stopWords":null,"faceting":{"sortFacetValuesBy":{"a":"count"}},"filterableAttributes":[{"attributePatterns":["c"]}],"embedders":{"e":null}}"#;
    let patch = settings(body);
    assert_eq!(Settings::from_value(patch.to_value()).expect("own JSON"), patch);
}

#[test]
fn values_in_effect_fall_back_to_defaults() {
    let none = Settings::default();
    assert_eq!((none.effective_max_total_hits(), none.effective_max_values_per_facet()), (1000, 100));
    assert_eq!(none.effective_facet_order("genre"), FacetOrder::Alpha);
    let mut kept = Settings::default();
    kept.apply(&settings(
        r#"{"pagination":{"maxTotalHits":5},"faceting":{"sortFacetValuesBy":{"*":"count","a":"alpha"}}}"#,
    ));
    assert_eq!(kept.effective_max_total_hits(), 5);
    assert_eq!(kept.effective_facet_order("genre"), FacetOrder::Count);
    assert_eq!(kept.effective_facet_order("a"), FacetOrder::Alpha);
}

#[test]
fn values_out_of_order_or_range_are_refused() {
    let (code, message) = refused(r#"{"typoTolerance":{"minWordSizeForTypos":{"oneTypo":9,"twoTypos":5}}}"#);
    assert_eq!(code, "invalid_settings_typo_tolerance");
    assert_eq!(
        message,
        "Invalid value at `.typoTolerance.minWordSizeForTypos`: `minWordSizeForTypos` setting is invalid. `oneTypo` \
         and `twoTypos` fields should be between `0` and `255`, and `twoTypos` should be greater or equals to \
         `oneTypo` but found `oneTypo: 9` and twoTypos: 5`."
    );
    assert_eq!(refused(r#"{"pagination":{"maxTotalHits":0}}"#).0, "invalid_settings_pagination");
    assert_eq!(
        refused(r#"{"rankingRules":["attribute","wordPosition"]}"#).0,
        "invalid_settings_ranking_rules"
    );
}

#[test]
fn how_a_chat_searches_changes_member_by_member() {
    let on = Features { chat_completions: true, ..Features::default() };
    let chat = |parameters: serde_json::Value| {
        let body = json!({ "chat": { "searchParameters": parameters } }).to_string();
        Settings::parse(None, body.as_bytes(), &on).expect("good")
    };
    let mut kept = chat(json!({ "limit": 3, "sort": ["a:asc"] }));
    kept.apply(&chat(json!({ "sort": null, "distinct": "b" })));
    assert_eq!(kept.to_value()["chat"]["searchParameters"], json!({ "limit": 3, "distinct": "b" }));
    kept.apply(&chat(json!(null)));
    assert_eq!(kept.to_value()["chat"], json!({}));
}

#[test]
fn settings_of_features_need_them() {
    let body = br#"{"foreignKeys":[{"foreignIndexUid":"a","fieldName":"b"}],"chat":{"description":"d"}}"#;
    assert_eq!(Settings::from_json(body).expect_err("off").code_name(), "feature_not_enabled");
    let on = Features { chat_completions: true, foreign_keys: true, ..Features::default() };
    Settings::parse(None, body, &on).expect("on");
    let (_, message) = refused(r#"{"embedders":{"e":{"source":"composite"}}}"#);
    assert!(
        message.starts_with("using `\"composite\"` as source requires enabling the `composite embedders`")
    );
}

#[test]
fn every_setting_has_a_route_of_its_own() {
    for name in SettingName::ALL {
        assert_eq!(SettingName::from_route(name.route()), Some(*name));
    }
    assert_eq!(SettingName::ALL.len(), 22);
    assert_eq!(SettingName::from_route("nope"), None);
    assert_eq!(SettingName::Faceting.update_method(), UpdateMethod::Patch);
    assert_eq!(SettingName::StopWords.update_method(), UpdateMethod::Put);
}

#[test]
fn numbers_of_a_distribution_are_shown_as_they_were_sent() {
    let body = br#"{"embedders":{"m":{"source":"userProvided","dimensions":2,"distribution":{"mean":0.7,"sigma":0.1}}}}"#;
    let settings = Settings::from_json(body).expect("good").to_value();
    assert_eq!(settings["embedders"]["m"]["distribution"].to_string(), r#"{"mean":0.7,"sigma":0.1}"#);
}
