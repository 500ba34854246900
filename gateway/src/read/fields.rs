//! The fields of an index: those that any node knows.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{StatusCode, Uri};
use miroir_log::IndexRecord;
use miroir_nodes::NodeRequest;
use miroir_protocol::error::{Code, ResponseError};
use miroir_shard::INTERNAL_FIELD;
use serde_json::{Value, json};

use super::{
    documents::merge_failed,
    scatter::{Terms, scatter},
    search::mark_partial,
    targets::{Scope, Target},
    visibility::{Displayed, is_within},
};
use crate::{
    answer::{Answer, json as answer_json},
    state::Gateway,
};

/// How many fields a list has where it is not said.
const LIMIT: u64 = 20;
/// More fields than an index has.
pub(super) const ALL: u64 = 1_000_000;

/// Answers a list of fields, in the order of their names.
pub(crate) async fn fields(gateway: &Gateway, index: &IndexRecord, body: &Bytes, terms: Terms) -> Answer {
    let path: Uri = format!("/indexes/{}/fields", index.uid)
        .parse()
        .map_err(|_| ResponseError::new(Code::Internal, "The index uid cannot be put into a request."))?;
    if body.is_empty() {
        return Err(ResponseError::missing_payload("json"));
    }
    // What nodes would not understand they refuse, in their words.
    let listing = Listing::of(body);
    let asked = listing.as_ref().map_or_else(|| body.clone(), |listing| listing.asked.clone());
    let scope = Scope::of_index(&index.uid);
    let request = |_: &Target| NodeRequest::query(path.clone(), asked.clone());
    let gathered = scatter(gateway, &scope, terms, request).await?;
    let Some(listing) = listing else {
        return Err(ResponseError::new(Code::BadRequest, "The list of fields asked for is not understood."));
    };
    let answers: Result<Vec<Value>, _> =
        gathered.answers.iter().map(|answer| serde_json::from_slice(answer)).collect();
    let answers = answers.map_err(|error| merge_failed(&error))?;
    let merged = listing.merged(answers, &Displayed::from_settings(&index.settings));
    let mut response = answer_json(StatusCode::OK, &merged);
    mark_partial(&mut response, &gathered.missing);
    Ok(response)
}

/// What the client wants of the list.
struct Listing {
    offset: u64,
    limit: u64,
    displayed: Option<bool>,
    /// What nodes are asked: all fields. They display everything, so that they cannot choose by that.
    asked: Bytes,
}

impl Listing {
    /// `None` if the body is nothing that nodes understand.
    fn of(body: &[u8]) -> Option<Self> {
        let mut asked: Value = serde_json::from_slice(body).ok()?;
        let members = asked.as_object_mut()?;
        let number = |value: Option<Value>, default| value.map_or(Some(default), |value| value.as_u64());
        let offset = number(members.insert("offset".to_owned(), json!(0)), 0)?;
        let limit = number(members.insert("limit".to_owned(), json!(ALL)), LIMIT)?;
        let displayed = match members.get_mut("filter").and_then(Value::as_object_mut) {
            Some(filter) => match filter.remove("displayed") {
                None | Some(Value::Null) => None,
                Some(displayed) => Some(displayed.as_bool()?),
            },
            None => None,
        };
        Some(Self { offset, limit, displayed, asked: asked.to_string().into() })
    }

    /// The page of all nodes' fields, displayed as clients see them.
    fn merged(&self, answers: Vec<Value>, displayed: &Displayed) -> Value {
        let mut fields = BTreeMap::new();
        for mut answer in answers {
            let Some(results) = answer["results"].as_array_mut() else { continue };
            for mut field in results.drain(..) {
                let Some(name) = field["name"].as_str().map(str::to_owned) else { continue };
                let is_displayed = is_displayed(&name, displayed);
                if is_within(&name, INTERNAL_FIELD)
                    || self.displayed.is_some_and(|wanted| wanted != is_displayed)
                {
                    continue;
                }
                field["displayed"] = json!({ "enabled": is_displayed });
                fields.entry(name).or_insert(field);
            }
        }
        let total = fields.len();
        let skip = usize::try_from(self.offset).unwrap_or(usize::MAX);
        let take = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let page: Vec<Value> = fields.into_values().skip(skip).take(take).collect();
        json!({ "results": page, "offset": self.offset, "limit": self.limit, "total": total })
    }
}

fn is_displayed(name: &str, displayed: &Displayed) -> bool {
    displayed.names().is_none_or(|shown| shown.iter().any(|shown| is_within(name, shown)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str) -> Value {
        json!({"name": name, "displayed": {"enabled": true}, "searchable": {"enabled": true}})
    }

    fn names(answer: &Value) -> Vec<&str> {
        answer["results"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|field| field["name"].as_str())
            .collect()
    }

    #[test]
    fn nodes_are_asked_for_all_fields() {
        let body = br#"{"offset":3,"limit":2,"filter":{"displayed":false,"searchable":true}}"#;
        let listing = Listing::of(body).expect("good");
        let asked: Value = serde_json::from_slice(&listing.asked).expect("JSON");
        assert_eq!(asked, json!({"offset": 0, "limit": ALL, "filter": {"searchable": true}}));
        assert_eq!((listing.offset, listing.limit, listing.displayed), (3, 2, Some(false)));
        for bad in ["[]", "{", r#"{"limit":-1}"#, r#"{"filter":{"displayed":1}}"#] {
            assert!(Listing::of(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    #[test]
    fn fields_are_those_of_any_node_as_clients_see_them() {
        let answers = || {
            vec![
                json!({"results": [field("_miroir"), field("_miroir.s"), field("b"), field("b.c")]}),
                json!({"results": [field("a"), field("b"), field("d")]}),
            ]
        };
        let all = Listing::of(b"{}").expect("good").merged(answers(), &Displayed::All);
        assert_eq!(
            (names(&all), &all["total"], &all["limit"]),
            (vec!["a", "b", "b.c", "d"], &json!(4), &json!(20))
        );
        let shown = Displayed::Only(vec!["b".to_owned()]);
        let some = Listing::of(br#"{"filter":{"displayed":true}}"#).expect("good").merged(answers(), &shown);
        assert_eq!(names(&some), ["b", "b.c"]);
        let page = Listing::of(br#"{"offset":1,"limit":1}"#).expect("good").merged(answers(), &shown);
        assert_eq!((names(&page), &page["total"]), (vec!["b"], &json!(4)));
        let hidden = Listing::of(br#"{"limit":1}"#).expect("good").merged(answers(), &shown);
        assert_eq!(hidden["results"][0]["displayed"]["enabled"], false);
    }
}
