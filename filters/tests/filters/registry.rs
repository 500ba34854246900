//! Holds every registered filter against what is promised of all of them, and against `docs/filters.md`.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use miroir_filters::{BoxError, BoxService, Deps, FilterConfig, Phase, body::box_body, check_order, stack};
use miroir_protocol::error::Code;
use serde_json::Value;
use tower::{ServiceExt, service_fn};

const DOCUMENT: &str = include_str!("../../../docs/filters.md");

fn all() -> Vec<FilterConfig> {
    let with_defaults = |name: &&str| FilterConfig::with_defaults(name).expect("a registered filter");
    FilterConfig::NAMES.iter().map(with_defaults).collect()
}

/// The section of a filter in the document.
struct Section {
    text: &'static str,
}

impl Section {
    fn all() -> Vec<(&'static str, Self)> {
        let sections = DOCUMENT.split("\n## ").filter_map(|text| text.strip_prefix('`'));
        sections.filter_map(|text| text.split_once('`')).map(|(name, text)| (name, Self { text })).collect()
    }

    fn of(name: &str) -> Self {
        let section = Self::all().into_iter().find(|(found, _)| *found == name);
        section.unwrap_or_else(|| panic!("docs/filters.md has no section for `{name}`")).1
    }

    /// The point of the list that begins with these words, on one line.
    fn point(&self, name: &str) -> String {
        let start = format!("\n* {name}: ");
        let rest = self.text.split_once(&start).unwrap_or_else(|| panic!("no `{name}` in:\n{}", self.text)).1;
        let end = rest.find("\n* ").or(rest.find("\n\n")).unwrap_or(rest.len());
        rest[..end].split("\n\n").next().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The table of parameters: names and defaults.
    fn parameters(&self) -> BTreeMap<String, Value> {
        let rows = self.text.lines().filter_map(|line| line.strip_prefix("| `"));
        let cells = rows.filter_map(|row| row.split_once("` | `"));
        cells
            .map(|(name, rest)| {
                let default = rest.split('`').next().unwrap_or_default();
                let default = serde_json::from_str(default).unwrap_or_else(|_| panic!("`{name}`: {default}"));
                (name.to_owned(), default)
            })
            .collect()
    }
}

/// The words between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn the_document_lists_the_filters_in_the_order_of_the_registry() {
    let documented: Vec<_> = Section::all().into_iter().map(|(name, _)| name).collect();
    assert_eq!(documented, FilterConfig::NAMES);
}

#[test]
fn the_document_tells_phases_and_needs() {
    for filter in all() {
        let section = Section::of(filter.name());
        assert_eq!(section.point("Phase"), filter.phase().to_string(), "{}", filter.name());
        let needs = section.point("Needs");
        let always = needs.split(';').next().unwrap_or_default();
        assert_eq!(quoted(always), filter.needs(), "{}", filter.name());
        assert_eq!(quoted(&section.point("After")), filter.after(), "{}", filter.name());
    }
}

#[test]
fn the_document_tells_parameters_and_defaults() {
    for filter in all() {
        let written = serde_json::to_value(&filter).expect("a filter serialises");
        let parameters: BTreeMap<String, Value> =
            serde_json::from_value(written[filter.name()].clone()).expect("parameters are an object");
        let section = Section::of(filter.name());
        assert_eq!(section.parameters(), parameters, "{}", filter.name());
        assert_eq!(section.text.contains("\nNo parameters.\n"), parameters.is_empty(), "{}", filter.name());
    }
}

#[test]
fn the_document_tells_who_rejects_with_what() {
    for filter in all() {
        let section = Section::of(filter.name());
        let rejects = section.point("Rejects");
        assert!(!section.point("On the way up").is_empty());
        if filter.phase() == Phase::Edge {
            assert_eq!(rejects, "nothing", "{} is of the phase edge and must not reject", filter.name());
            continue;
        }
        // What knows the searches may leave them all to the routes.
        if filter.phase() == Phase::Query && rejects == "nothing" {
            continue;
        }
        let codes = quoted(&rejects).into_iter().filter_map(Code::from_name);
        let mut found = 0;
        for code in codes {
            let said = format!("{} `{}`", code.status().as_u16(), code.name());
            assert!(rejects.contains(&said), "{}: `{said}` is not in: {rejects}", filter.name());
            found += 1;
        }
        assert!(found > 0, "{} rejects with no known code: {rejects}", filter.name());
    }
}

#[test]
fn modules_are_called_like_their_filters() {
    let lib = include_str!("../../src/lib.rs");
    for name in FilterConfig::NAMES {
        assert!(lib.contains(&format!("    {name} => ")), "the module of `{name}` has another name");
    }
}

#[test]
fn every_filter_is_in_the_schema_with_descriptions() {
    let schema = schemars::schema_for!(Vec<FilterConfig>);
    let text = serde_json::to_string(&schema).expect("a schema serialises");
    for filter in all() {
        assert!(
            text.contains(&format!("\"required\":[\"{}\"]", filter.name())),
            "{} in {text}",
            filter.name()
        );
    }
    let definitions = schema.get("$defs").and_then(Value::as_object).expect("definitions");
    for (name, definition) in definitions {
        assert!(definition.get("description").is_some(), "`{name}` has no description");
        let properties = definition.get("properties").and_then(Value::as_object);
        for (property, schema) in properties.into_iter().flatten() {
            assert!(schema.get("description").is_some(), "`{name}.{property}` has no description");
        }
    }
}

#[test]
fn the_filters_in_the_order_of_the_registry_are_a_valid_chain() {
    assert_eq!(check_order(&all()), []);
    for filter in all() {
        assert_eq!(filter.validate(), Vec::<String>::new(), "{}", filter.name());
        assert_eq!(check_order(&[filter]), []);
    }
}

fn routes() -> BoxService {
    BoxService::new(service_fn(async |request: Request<miroir_filters::Body>| {
        let body = request.into_body().collect().await?.to_bytes();
        Ok::<_, BoxError>(Response::new(box_body(Full::new(body))))
    }))
}

async fn send(filters: &[FilterConfig]) -> Response<miroir_filters::Body> {
    let deps = Deps::new(Some("masterKey".to_owned()));
    let request = Request::post("/indexes/movies/search")
        .header("authorization", "Bearer masterKey")
        .body(box_body(Full::new(Bytes::from_static(b"{}"))))
        .expect("a request");
    stack(filters, &deps, routes()).oneshot(request).await.expect("an answer")
}

#[tokio::test]
async fn every_filter_can_be_built_and_lets_a_good_request_through() {
    let filters = all();
    for chain in filters.iter().map(std::slice::from_ref).chain([&filters[..]]) {
        let response = send(chain).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.into_body().collect().await.expect("a body").to_bytes(), "{}");
    }
}

#[tokio::test]
async fn a_filter_that_is_built_twice_goes_on_counting() {
    let deps = Deps::new(None);
    let metrics = [FilterConfig::with_defaults("metrics").expect("a registered filter")];
    for _ in 0..2 {
        let service = stack(&metrics, &deps, routes());
        let response = service.oneshot(Request::new(box_body(Full::default()))).await.expect("an answer");
        response.into_body().collect().await.expect("a body");
    }
    let text = deps.metrics.text();
    assert!(text.contains("miroir_http_requests_total{route=\"instance\",status=\"200\"} 2\n"), "{text}");
}
