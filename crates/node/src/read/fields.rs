//! Fields of an index, and what the settings make of each.

use deserr::Deserr;
use milli_core::{AttributePatterns, Criterion, OrderBy, PatternMatch, is_faceted_by};
use miroir_protocol::error::{ResponseError, marker};
use miroir_protocol::parse::{self, JsonRefusal};
use serde_json::{Value, json};

use crate::engine::OpenIndex;
use crate::error::EngineError;

/// How many fields a page has when nothing is said.
const LIMIT: usize = 20;

/// Which fields are wanted.
#[derive(Debug, Clone, PartialEq, Deserr)]
#[deserr(error = JsonRefusal, rename_all = camelCase, deny_unknown_fields)]
pub(crate) struct FieldsQuery {
    #[deserr(default, error = JsonRefusal<marker::InvalidIndexOffset>)]
    offset: usize,
    #[deserr(default = LIMIT, error = JsonRefusal<marker::InvalidIndexLimit>)]
    limit: usize,
    #[deserr(default, error = JsonRefusal<marker::InvalidIndexFieldsFilter>)]
    filter: Option<FieldsFilter>,
}

/// What a field must be to be shown.
#[derive(Debug, Clone, Default, PartialEq, Deserr)]
#[deserr(error = JsonRefusal<marker::InvalidIndexFieldsFilter>, rename_all = camelCase, deny_unknown_fields)]
struct FieldsFilter {
    #[deserr(default, error = JsonRefusal<marker::InvalidIndexFieldsFilterAttributePatterns>)]
    attribute_patterns: Option<Vec<String>>,
    #[deserr(default, error = JsonRefusal<marker::InvalidIndexFieldsFilterDisplayed>)]
    displayed: Option<bool>,
    #[deserr(default, error = JsonRefusal<marker::InvalidIndexFieldsFilterSearchable>)]
    searchable: Option<bool>,
    #[deserr(default, error = JsonRefusal<marker::InvalidIndexFieldsFilterSortable>)]
    sortable: Option<bool>,
    #[deserr(default, error = JsonRefusal<marker::InvalidIndexFieldsFilterDistinct>)]
    distinct: Option<bool>,
    #[deserr(default, error = JsonRefusal<marker::InvalidIndexFieldsFilterRankingRule>)]
    ranking_rule: Option<bool>,
    #[deserr(default, error = JsonRefusal<marker::InvalidIndexFieldsFilterFilterable>)]
    filterable: Option<bool>,
}

impl FieldsQuery {
    /// Parses the body of `POST /indexes/{uid}/fields`.
    pub(crate) fn from_json(body: &[u8]) -> Result<Self, ResponseError> {
        parse::json(body)
    }
}

impl FieldsFilter {
    fn takes(&self, field: &Value) -> bool {
        let is_named = self.attribute_patterns.as_ref().is_none_or(|patterns| {
            let name = field["name"].as_str().unwrap_or_default();
            let patterns = AttributePatterns::from(patterns.clone());
            matches!(patterns.match_str(name), PatternMatch::Match)
        });
        let switches = [
            ("displayed", self.displayed),
            ("searchable", self.searchable),
            ("sortable", self.sortable),
            ("distinct", self.distinct),
            ("rankingRule", self.ranking_rule),
            ("filterable", self.filterable),
        ];
        is_named && switches.iter().all(|(name, on)| on.is_none_or(|on| field[*name]["enabled"] == on))
    }
}

/// A page of the fields, by name.
pub(crate) fn fields(open: &OpenIndex, query: &FieldsQuery) -> Result<Value, EngineError> {
    let mut fields = all(open)?;
    fields.retain(|field| query.filter.as_ref().is_none_or(|filter| filter.takes(field)));
    fields.sort_by(|left, right| left["name"].as_str().cmp(&right["name"].as_str()));
    let total = fields.len();
    let results: Vec<_> = fields.into_iter().skip(query.offset).take(query.limit).collect();
    Ok(json!({ "results": results, "offset": query.offset, "limit": query.limit, "total": total }))
}

fn all(open: &OpenIndex) -> Result<Vec<Value>, EngineError> {
    let index = &open.index;
    let rtxn = index.read_txn()?;
    let displayed = index.displayed_fields(&rtxn)?;
    let criteria = index.criteria(&rtxn)?;
    let orders = index.sort_facet_values_by(&rtxn)?;
    let filterable = index.filterable_attributes_rules(&rtxn)?;
    let localized = index.localized_attributes_rules(&rtxn)?.unwrap_or_default();
    let fields = index.fields_ids_map_with_metadata(&rtxn)?;
    let views = fields.iter().map(|(_, name, settings)| {
        let is_displayed = displayed
            .as_ref()
            .is_none_or(|displayed| displayed.iter().any(|shown| is_faceted_by(name, shown)));
        let features = settings.filterable_attributes_features(&filterable);
        let [facet_search, equality, comparison] = [
            features.is_facet_searchable(),
            features.is_filterable_equality(),
            features.is_filterable_comparison(),
        ];
        json!({
            "name": name,
            "displayed": { "enabled": is_displayed },
            "searchable": { "enabled": settings.is_searchable() },
            "sortable": { "enabled": settings.is_sortable() },
            "distinct": { "enabled": settings.is_distinct() },
            "rankingRule": ranking_rule(name, &criteria),
            "filterable": {
                "enabled": facet_search || equality || comparison,
                "sortBy": if matches!(orders.get(name), OrderBy::Count) { "count" } else { "alpha" },
                "facetSearch": facet_search,
                "equality": equality,
                "comparison": comparison,
            },
            "localized": { "locales": settings.locales(&localized).unwrap_or_default() },
        })
    });
    Ok(views.collect())
}

/// Whether a ranking rule sorts by the field, and in which direction.
fn ranking_rule(name: &str, criteria: &[Criterion]) -> Value {
    let order = criteria.iter().find_map(|criterion| match criterion {
        Criterion::Asc(field) if field == name => Some("asc"),
        Criterion::Desc(field) if field == name => Some("desc"),
        _ => None,
    });
    match order {
        Some(order) => json!({ "enabled": true, "order": order }),
        None => json!({ "enabled": false }),
    }
}

#[cfg(test)]
mod tests {
    use milli_core::Criterion;
    use serde_json::json;

    use super::{FieldsFilter, FieldsQuery, ranking_rule};

    #[test]
    fn filter_goes_by_name_and_by_what_the_field_is_for() {
        let field = json!({ "name": "author.name", "displayed": { "enabled": true } });
        let taken = |filter: FieldsFilter| filter.takes(&field);
        let named = |pattern: &str| FieldsFilter {
            attribute_patterns: Some(vec![pattern.to_owned()]),
            ..FieldsFilter::default()
        };
        assert!(taken(FieldsFilter::default()));
        assert!(taken(named("author.*")) && !taken(named("title")));
        assert!(taken(FieldsFilter { displayed: Some(true), ..FieldsFilter::default() }));
        assert!(!taken(FieldsFilter { displayed: Some(false), ..FieldsFilter::default() }));
    }

    #[test]
    fn ranking_rules_have_a_direction() {
        let criteria = [Criterion::Words, Criterion::Desc("votes".to_owned())];
        assert_eq!(ranking_rule("votes", &criteria), json!({ "enabled": true, "order": "desc" }));
        assert_eq!(ranking_rule("title", &criteria), json!({ "enabled": false }));
    }

    #[test]
    fn bad_filter_has_a_code_of_its_own() {
        let error = FieldsQuery::from_json(br#"{"filter":{"displayed":1}}"#).expect_err("a number");
        assert_eq!(error.code_name(), "invalid_index_fields_filter_displayed");
    }
}
