//! Dynamic search rules: what a search is answered beside what it finds, and when.

use std::{collections::BTreeMap, convert::Infallible, fmt};

use deserr::{DeserializeError, Deserr, ErrorKind, ValuePointerRef, take_cf_content};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    error::{ResponseError, marker},
    index_uid::{IndexUid, InvalidIndexUid},
    parse::{self, JsonRefusal, ValueError},
    settings::Setting,
};

/// A rule, as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// Its name.
    pub uid: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When it was last changed.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub last_updated_at: Option<OffsetDateTime>,
    /// Of two rules about the same, the one with the smaller number counts; without a number it comes last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precedence: Option<u64>,
    /// Whether it counts at all.
    pub active: bool,
    /// For which searches it counts.
    #[serde(default)]
    pub conditions: Conditions,
    /// What it does to them.
    pub actions: Vec<RuleAction>,
}

/// The body of `PATCH /dynamic-search-rules/{uid}`.
#[derive(Debug, Clone, PartialEq, Default, Deserr, Serialize, Deserialize)]
#[deserr(error = JsonRefusal, rename_all = camelCase, deny_unknown_fields)]
#[serde(rename_all = "camelCase", default)]
pub struct RuleUpdate {
    /// What it is for.
    #[deserr(default, error = JsonRefusal<marker::InvalidDynamicSearchRuleDescription>)]
    #[serde(skip_serializing_if = "Setting::is_not_set")]
    pub description: Setting<String>,
    /// Its rank among rules.
    #[deserr(default, error = JsonRefusal<marker::InvalidDynamicSearchRulePriority>)]
    #[serde(skip_serializing_if = "Setting::is_not_set")]
    pub precedence: Setting<u64>,
    /// Whether it counts at all: it does by default.
    #[deserr(default, error = JsonRefusal<marker::InvalidDynamicSearchRuleActive>)]
    #[serde(skip_serializing_if = "Setting::is_not_set")]
    pub active: Setting<bool>,
    /// For which searches it counts.
    #[deserr(default, error = JsonRefusal<marker::InvalidDynamicSearchRuleConditions>)]
    #[serde(skip_serializing_if = "Setting::is_not_set")]
    pub conditions: Setting<Conditions>,
    /// What it does to them.
    #[deserr(default, error = JsonRefusal<marker::InvalidDynamicSearchRuleActions>)]
    #[serde(skip_serializing_if = "Setting::is_not_set")]
    pub actions: Setting<Vec<RuleAction>>,
}

/// For which searches a rule counts: those that meet all of it.
#[derive(Debug, Clone, PartialEq, Default, Deserr, Serialize, Deserialize)]
#[deserr(
    error = JsonRefusal<marker::InvalidDynamicSearchRuleConditions>, rename_all = camelCase, deny_unknown_fields,
    validate = meetable -> JsonRefusal
)]
#[serde(rename_all = "camelCase")]
pub struct Conditions {
    /// When.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<TimeCondition>,
    /// For which words.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<QueryCondition>,
    /// For which filters.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<FilterCondition>,
}

/// When a rule counts.
#[derive(Debug, Clone, PartialEq, Deserr, Serialize, Deserialize)]
#[deserr(error = JsonRefusal<marker::InvalidDynamicSearchRuleConditions>, rename_all = camelCase)]
#[serde(rename_all = "camelCase")]
pub struct TimeCondition {
    /// From when on.
    #[deserr(default, try_from(Option<String>) = moment -> InvalidDate)]
    #[serde(default, skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub start: Option<OffsetDateTime>,
    /// Until when.
    #[deserr(default, try_from(Option<String>) = moment -> InvalidDate)]
    #[serde(default, skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub end: Option<OffsetDateTime>,
}

/// For which words a rule counts.
#[derive(Debug, Clone, PartialEq, Eq, Deserr, Serialize, Deserialize)]
#[deserr(
    error = JsonRefusal<marker::InvalidDynamicSearchRuleConditions>, rename_all = camelCase, deny_unknown_fields
)]
#[serde(rename_all = "camelCase")]
pub struct QueryCondition {
    /// Only where there are none, or only where there are some.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_empty: Option<bool>,
    /// Only where all of these are among them.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
}

/// For which filters a rule counts.
#[derive(Debug, Clone, PartialEq, Deserr, Serialize, Deserialize)]
#[deserr(
    error = JsonRefusal<marker::InvalidDynamicSearchRuleConditions>, rename_all = camelCase, deny_unknown_fields
)]
#[serde(rename_all = "camelCase")]
pub struct FilterCondition {
    /// The values that the filter has to ask for, by attribute.
    #[deserr(default)]
    #[serde(default)]
    pub values: BTreeMap<String, Value>,
}

/// One thing that a rule does.
#[derive(Debug, Clone, PartialEq, Eq, Deserr, Serialize, Deserialize)]
#[deserr(
    error = JsonRefusal<marker::InvalidDynamicSearchRuleActions>, rename_all = camelCase, deny_unknown_fields
)]
#[serde(rename_all = "camelCase")]
pub struct RuleAction {
    /// The document that it is done to.
    pub selector: Selector,
    /// What is done.
    pub action: ActionKind,
}

/// A document.
#[derive(Debug, Clone, PartialEq, Eq, Deserr, Serialize, Deserialize)]
#[deserr(
    error = JsonRefusal<marker::InvalidDynamicSearchRuleActions>, rename_all = camelCase, deny_unknown_fields
)]
#[serde(rename_all = "camelCase")]
pub struct Selector {
    /// Its index; any without.
    #[deserr(default, try_from(Option<String>) = optional_index -> InvalidIndexUid)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index_uid: Option<String>,
    /// Its id.
    pub id: String,
}

/// What is done to a document.
#[derive(Debug, Clone, PartialEq, Eq, Deserr, Serialize, Deserialize)]
#[deserr(
    error = JsonRefusal<marker::InvalidDynamicSearchRuleActions>, tag = "type", rename_all = camelCase, deny_unknown_fields
)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum ActionKind {
    /// It comes at this place among the hits.
    Pin {
        /// The place, counted from 0.
        position: u32,
    },
}

/// The body of `POST /dynamic-search-rules`.
#[derive(Debug, Clone, PartialEq, Eq, Deserr)]
#[deserr(error = JsonRefusal, rename_all = camelCase, deny_unknown_fields)]
pub struct ListRules {
    /// How many to leave out first.
    #[deserr(default, error = JsonRefusal<marker::InvalidDynamicSearchRuleOffset>)]
    pub offset: usize,
    /// How many at most.
    #[deserr(default = 20, error = JsonRefusal<marker::InvalidDynamicSearchRuleLimit>)]
    pub limit: usize,
    /// Which ones; all of them without.
    #[deserr(default, error = JsonRefusal<marker::InvalidDynamicSearchRuleFilter>)]
    pub filter: Option<RuleFilter>,
}

/// Which rules are listed.
#[derive(Debug, Clone, PartialEq, Eq, Deserr)]
#[deserr(
    error = JsonRefusal<marker::InvalidDynamicSearchRuleFilter>, rename_all = camelCase, deny_unknown_fields
)]
pub struct RuleFilter {
    /// Those that these words find.
    #[deserr(default, error = JsonRefusal<marker::InvalidDynamicSearchRuleFilterQuery>)]
    pub query: Option<String>,
    /// Those that count, or those that do not.
    #[deserr(default, error = JsonRefusal<marker::InvalidDynamicSearchRuleFilterActive>)]
    pub active: Option<bool>,
}

/// A text that is no date.
#[derive(Debug)]
pub struct InvalidDate(String);

impl fmt::Display for InvalidDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "`{}` is not a valid date. It should follow the RFC 3339 format to represents a date or datetime in the \
             future or specified as a null value. e.g. 'YYYY-MM-DD' or 'YYYY-MM-DD HH:MM:SS'.",
            self.0
        )
    }
}

impl ValueError for InvalidDate {}

// === impl Rule ===

impl Rule {
    /// A rule of that name that says nothing yet.
    pub fn new(uid: &str) -> Self {
        Self {
            uid: uid.to_owned(),
            description: None,
            last_updated_at: None,
            precedence: None,
            active: true,
            conditions: Conditions::default(),
            actions: Vec::new(),
        }
    }

    /// Changes it.
    pub fn apply(&mut self, update: RuleUpdate, now: OffsetDateTime) {
        self.last_updated_at = Some(now);
        over(update.description, &mut self.description);
        over(update.precedence, &mut self.precedence);
        match update.active {
            Setting::NotSet => {}
            active => self.active = active.set().unwrap_or(true),
        }
        match update.conditions {
            Setting::NotSet => {}
            conditions => self.conditions = conditions.set().unwrap_or_default(),
        }
        match update.actions {
            Setting::NotSet => {}
            actions => self.actions = actions.set().unwrap_or_default(),
        }
    }

    /// The change that makes this rule of any other.
    pub fn as_update(&self) -> RuleUpdate {
        RuleUpdate {
            description: self.description.clone().into(),
            precedence: self.precedence.into(),
            active: Setting::Set(self.active),
            conditions: Setting::Set(self.conditions.clone()),
            actions: Setting::Set(self.actions.clone()),
        }
    }

    /// Whether both do the same, whenever they were changed.
    pub fn is_alike(&self, other: &Self) -> bool {
        self.as_update() == other.as_update()
    }
}

fn over<T>(change: Setting<T>, value: &mut Option<T>) {
    match change {
        Setting::NotSet => {}
        change => *value = change.set(),
    }
}

impl RuleUpdate {
    /// Parses the body.
    pub fn from_json(body: &[u8]) -> Result<Self, ResponseError> {
        parse::json(body)
    }
}

impl ListRules {
    /// Parses the body.
    pub fn from_json(body: &[u8]) -> Result<Self, ResponseError> {
        parse::json(body)
    }
}

// === what values have to be ===

/// A search can have words or have none, and time goes one way.
fn meetable(conditions: Conditions, location: ValuePointerRef<'_>) -> Result<Conditions, JsonRefusal> {
    let refuse = |msg: String, at: ValuePointerRef<'_>| {
        Err(take_cf_content(JsonRefusal::error::<Infallible>(None, ErrorKind::Unexpected { msg }, at)))
    };
    if let Some(QueryCondition { is_empty: Some(true), words: Some(_) }) = &conditions.query {
        let message = "either `isEmpty` or `words` can be used, not both at once";
        return refuse(message.to_owned(), location.push_key("query"));
    }
    if let Some(TimeCondition { start: Some(start), end: Some(end) }) = &conditions.time
        && start > end
    {
        let message = format!("`end` (`{end}`) should be later than `start` (`{start}`)");
        return refuse(message, location.push_key("time"));
    }
    Ok(conditions)
}

fn moment(text: Option<String>) -> Result<Option<OffsetDateTime>, InvalidDate> {
    text.map(|text| OffsetDateTime::parse(&text, &Rfc3339).map_err(|_| InvalidDate(text))).transpose()
}

fn optional_index(uid: Option<String>) -> Result<Option<String>, InvalidIndexUid> {
    uid.map(|uid| IndexUid::try_from(uid).map(IndexUid::into_inner)).transpose()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn update(body: Value) -> RuleUpdate {
        RuleUpdate::from_json(body.to_string().as_bytes()).expect("good")
    }

    fn refusal(body: Value) -> (String, String) {
        let error = RuleUpdate::from_json(body.to_string().as_bytes()).expect_err("refused");
        (error.code_name().to_owned(), error.message().to_owned())
    }

    #[test]
    fn changes_add_up_and_null_takes_back() {
        let mut rule = Rule::new("sale");
        let pin = json!([{ "selector": { "id": "1" }, "action": { "type": "pin", "position": 2 } }]);
        let now = OffsetDateTime::UNIX_EPOCH;
        rule.apply(
            update(json!({ "description": "a", "precedence": 3, "actions": pin, "active": false })),
            now,
        );
        rule.apply(update(json!({ "description": "b", "precedence": null, "active": null })), now);
        let shown = serde_json::to_value(&rule).expect("JSON");
        let expected = json!({
            "uid": "sale", "description": "b", "lastUpdatedAt": "1970-01-01T00:00:00Z", "active": true,
            "conditions": {}, "actions": pin,
        });
        assert_eq!(shown, expected);
        assert_eq!(serde_json::from_value::<Rule>(shown).expect("a rule"), rule);
    }

    #[test]
    fn a_rule_as_a_change_makes_the_same_of_another() {
        let mut one = Rule::new("one");
        let change = json!({ "conditions": { "query": { "words": "sale" }, "time": { "start": "2025-01-01T00:00:00Z" } } });
        one.apply(update(change), OffsetDateTime::UNIX_EPOCH);
        let mut other = Rule::new("one");
        other.apply(update(json!({ "description": "other", "precedence": 1 })), OffsetDateTime::now_utc());
        assert!(!one.is_alike(&other));
        let change = serde_json::to_value(one.as_update()).expect("JSON");
        assert_eq!((&change["description"], &change["precedence"]), (&Value::Null, &Value::Null));
        other.apply(update(change), OffsetDateTime::now_utc());
        assert!(one.is_alike(&other));
    }

    #[test]
    fn what_no_search_can_meet_is_refused() {
        let both = refusal(json!({ "conditions": { "query": { "isEmpty": true, "words": "a" } } }));
        let message =
            "Invalid value at `.conditions.query`: either `isEmpty` or `words` can be used, not both at once";
        assert_eq!(both, ("bad_request".to_owned(), message.to_owned()));
        let backwards = json!({ "start": "2025-01-02T00:00:00Z", "end": "2025-01-01T00:00:00Z" });
        assert!(refusal(json!({ "conditions": { "time": backwards } })).1.contains("should be later than"));
    }

    #[test]
    fn members_have_codes_of_their_own() {
        assert_eq!(refusal(json!({ "precedence": "a" })).0, "invalid_dynamic_search_rule_priority");
        assert_eq!(refusal(json!({ "active": 1 })).0, "invalid_dynamic_search_rule_active");
        assert_eq!(refusal(json!({ "actions": [{}] })).0, "invalid_dynamic_search_rule_actions");
        assert_eq!(refusal(json!({ "nope": 1 })).0, "bad_request");
        let other = json!([{ "selector": { "id": "1" }, "action": { "type": "bury" } }]);
        assert_eq!(refusal(json!({ "actions": other })).0, "invalid_dynamic_search_rule_actions");
    }
}
