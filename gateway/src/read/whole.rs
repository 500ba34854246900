//! What a search finds, for the gateway itself to read: documents as they are stored, and values of facets.

use http::Uri;
use miroir_log::IndexRecord;
use miroir_merge::{FacetOrder, FacetSpec, Paging, SearchSpec, merge_search};
use miroir_nodes::NodeRequest;
use miroir_protocol::{error::ResponseError, search::SearchQuery};
use miroir_shard::ShardId;
use serde::Deserialize;
use serde_json::{Map, Value, json, value::RawValue};

use super::{
    documents::merge_failed,
    facets::named_facets,
    filter::narrowed,
    reserved::guarded_filter,
    scatter::{Terms, scatter},
    search::{hidden_in, merged, new_request_uid, path},
    survey::NO_GROUPS,
    targets::{Scope, Target},
    visibility::{Displayed, is_within},
};
use crate::state::Gateway;

/// The documents of a search.
#[derive(Debug)]
pub(crate) struct Whole {
    /// With all their members.
    pub documents: Vec<Map<String, Value>>,
    /// As clients may see them.
    pub shown: Vec<Box<RawValue>>,
    /// Shards that were not searched: only where partial answers are allowed.
    pub missing: Vec<ShardId>,
}

/// Which members of documents are searched.
#[derive(Debug)]
pub(crate) struct Searchable(Option<Vec<String>>);

#[derive(Deserialize)]
struct Answered {
    hits: Vec<Map<String, Value>>,
}

#[derive(Deserialize)]
struct Counted {
    #[serde(rename = "facetDistribution", default)]
    facets: Map<String, Value>,
}

/// The documents that a search finds.
pub(crate) async fn documents(
    gateway: &Gateway,
    index: &IndexRecord,
    query: &SearchQuery,
    terms: Terms,
) -> Result<Whole, ResponseError> {
    let found = merged(gateway, &shown_whole(index), query, terms, new_request_uid()).await;
    let found = found.map_err(|error| hidden_in(error, &index.settings))?;
    let Answered { hits: mut documents } = read(&found.body)?;
    if query.sort.iter().flatten().any(|rule| rule.contains("_geoPoint")) {
        // Said of a hit; no member of the document.
        documents.iter_mut().for_each(|document| _ = document.shift_remove("_geoDistance"));
    }
    let displayed = Displayed::from_settings(&index.settings).names();
    let shown = documents.iter().map(|document| match &displayed {
        None => serde_json::value::to_raw_value(document),
        Some(names) => {
            let members = names.iter().filter_map(|name| Some((name.clone(), document.get(name)?.clone())));
            serde_json::value::to_raw_value(&members.collect::<Map<String, Value>>())
        }
    });
    let shown = shown.collect::<Result<_, _>>().map_err(|error| merge_failed(&error))?;
    Ok(Whole { documents, shown, missing: found.missing })
}

/// Of every attribute that can be filtered on, by name, its most frequent values among the documents that match.
pub(crate) async fn frequent_values(
    gateway: &Gateway,
    index: &IndexRecord,
    filter: Option<&Value>,
    most: usize,
    terms: Terms,
) -> Result<Vec<(String, Vec<String>)>, ResponseError> {
    let settings = &index.settings;
    if settings["filterableAttributes"].as_array().is_none_or(Vec::is_empty) {
        return Ok(Vec::new());
    }
    let path: Uri = path(index)?;
    let mut body = json!({ "limit": 0, "facets": named_facets(&["*".to_owned()], settings) });
    if settings["distinctAttribute"].is_string() {
        body["distinct"] = NO_GROUPS.into();
    }
    let filter = filter.map(guarded_filter);
    let scope = Scope::of_index(&index.uid);
    let gathered = scatter(gateway, &scope, terms, |target: &Target| {
        let mut body = body.clone();
        if let Some(filter) = narrowed(filter.as_ref(), target.filter.as_deref()) {
            body["filter"] = filter;
        }
        NodeRequest::query(path.clone(), body.to_string())
    });
    let gathered = gathered.await.map_err(|error| hidden_in(error, settings))?;
    let facets = FacetSpec { max_values: most, order: FacetOrder::Count, order_by: Vec::new() };
    let spec = SearchSpec {
        paging: Paging::Window { offset: 0, limit: 0 },
        facets: Some(facets),
        ..SearchSpec::default()
    };
    let merged = merge_search(&gathered.answers, &spec).map_err(|error| merge_failed(&error))?;
    let Counted { facets } = read(&merged)?;
    let values = |counts: Value| match counts {
        Value::Object(counts) => counts.into_iter().map(|(value, _)| value).collect(),
        _ => Vec::new(),
    };
    Ok(facets.into_iter().map(|(name, counts)| (name, values(counts))).collect())
}

/// The index as if it showed everything.
fn shown_whole(index: &IndexRecord) -> IndexRecord {
    let mut open = index.clone();
    if let Value::Object(settings) = &mut open.settings {
        settings.shift_remove("displayedAttributes");
    }
    open
}

fn read<T: for<'de> Deserialize<'de>>(merged: &[u8]) -> Result<T, ResponseError> {
    serde_json::from_slice(merged).map_err(|error| merge_failed(&error))
}

// === impl Searchable ===

impl Searchable {
    /// By the logical settings of an index.
    pub(crate) fn of(settings: &Value) -> Self {
        let names = settings["searchableAttributes"].as_array();
        let names = names.map(|names| names.iter().filter_map(Value::as_str).map(str::to_owned).collect());
        Self(names.filter(|names: &Vec<String>| !names.iter().any(|name| name == "*")))
    }

    /// Whether this member is.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.as_ref().is_none_or(|names| names.iter().any(|searched| is_within(name, searched)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_searched_by_its_name_or_that_of_what_it_is_in() {
        let searchable = Searchable::of(&json!({ "searchableAttributes": ["title", "meta.public"] }));
        assert!(searchable.has("title") && searchable.has("title.main"));
        assert!(!searchable.has("meta") && !searchable.has("titles"));
        for all in [json!({}), json!({ "searchableAttributes": ["a", "*"] })] {
            assert!(Searchable::of(&all).has("any"));
        }
    }
}
