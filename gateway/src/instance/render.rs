//! Templates rendered on documents: by any node, or by one that owns the document.
//!
//! What a node renders must not show the internal field. A template that goes through all `fields` needs the node's own
//! document, and passes that field by; any other is rendered on the document as the client has it.

use bytes::Bytes;
use http::{StatusCode, Uri};
use miroir_filters::auth::Access;
use miroir_log::IndexRecord;
use miroir_nodes::NodeRequest;
use miroir_protocol::{
    documents::GetDocument,
    error::{Code, ResponseError},
    features::RENDER_ROUTE,
    parse,
};
use miroir_replicate::templates::{as_before_skipping, is_beyond_nodes, skipping_internal};
use serde_json::{Value, json};

use super::any_node::ask_any_node;
use crate::{
    answer::{Answer, json as answer_json},
    read::{documents, scatter::Terms},
    state::Gateway,
};

/// Where nodes render.
const PATH: &str = "/render-template";
/// How many bytes of a rendered document are kept where nothing says how many, as in Meilisearch.
const MAX_BYTES: u64 = 400;

/// A document of an index that a template is to be rendered on.
struct Stored {
    index: String,
    id: String,
}

/// `POST /render-template`.
pub(crate) async fn render(gateway: &Gateway, access: &Access, body: &Bytes, terms: Terms) -> Answer {
    let asked = parse::json_value(body)?;
    if !gateway.features.now().render_route {
        return Err(RENDER_ROUTE.needed_for("calling the /render-template route"));
    }
    if asked["template"]["inline"].as_str().is_some_and(is_beyond_nodes) {
        // One node after the other would die of it.
        let message = "Invalid value at `.template.inline`: the template has too many tags.";
        return Err(ResponseError::new(Code::InvalidRenderTemplate, message));
    }
    let indexes: Vec<&str> =
        ["template", "input"].iter().filter_map(|part| asked[*part]["indexUid"].as_str()).collect();
    if !indexes.iter().all(|index| access.allows(index)) {
        return Err(ResponseError::invalid_api_key());
    }
    let catalog = gateway.log.catalog();
    let stored = Stored::of(&asked["input"]);
    // Of an index that is not there any node says so.
    let stored = stored.and_then(|stored| Some((catalog.index(&stored.index)?, stored)));
    let mut rendered = match stored {
        Some((index, stored)) => of_stored(gateway, index, &stored, asked, terms).await?,
        None => ask(gateway, &asked).await?,
    };
    if let Some(template) = rendered["template"].as_str() {
        rendered["template"] = as_before_skipping(template).into();
    }
    Ok(answer_json(StatusCode::OK, &rendered))
}

/// Renders on a document that only its owners have.
async fn of_stored(
    gateway: &Gateway,
    index: &IndexRecord,
    stored: &Stored,
    mut asked: Value,
    terms: Terms,
) -> Result<Value, ResponseError> {
    let mut unrendered = asked.clone();
    unrendered["input"] = Value::Null;
    let template = ask(gateway, &unrendered).await?["template"].take();
    let text = template.as_str().filter(|text| text.contains("fields"));
    let Some(text) = text else {
        let whole = GetDocument { fields: None, retrieve_vectors: false };
        let document = documents::document(gateway, index, &stored.id, &whole, terms).await;
        let document = document.map_err(|error| stored.not_found(error))?;
        let document: Value = serde_json::from_slice(&document).map_err(|error| unreadable(&error))?;
        asked["input"] = json!({ "kind": "inlineDocument", "inline": document });
        return ask(gateway, &asked).await;
    };
    let passing = skipping_internal(&as_before_skipping(text)).into_owned();
    asked["template"] = json!({
        "kind": "inlineDocumentTemplate", "inline": passing,
        "documentTemplateMaxBytes": max_bytes(gateway, &asked["template"]),
    });
    let answer = documents::ask_owner(gateway, index, &stored.id, terms, &request(&asked)).await?;
    serde_json::from_slice(&answer).map_err(|error| unreadable(&error))
}

/// How many bytes a template renders at the most: what the request says, or the settings that it takes the template from.
fn max_bytes(gateway: &Gateway, template: &Value) -> Value {
    const NAME: &str = "documentTemplateMaxBytes";
    let catalog = gateway.log.catalog();
    let settings =
        template["indexUid"].as_str().and_then(|uid| catalog.index(uid)).map(|index| &index.settings);
    let embedder = settings.map(|settings| match template["embedder"].as_str() {
        Some(name) => &settings["embedders"][name],
        None => &settings["chat"],
    });
    let places = [Some(template), embedder, embedder.map(|embedder| &embedder["indexingEmbedder"])];
    let mut said = places.into_iter().flatten().map(|place| &place[NAME]);
    said.find(|bytes| bytes.is_u64()).cloned().unwrap_or_else(|| MAX_BYTES.into())
}

async fn ask(gateway: &Gateway, asked: &Value) -> Result<Value, ResponseError> {
    let index = asked["template"]["indexUid"].as_str();
    let indexes: Vec<&str> = index.into_iter().collect();
    let answer = ask_any_node(gateway, &indexes, &request(asked)).await?;
    serde_json::from_slice(&answer).map_err(|error| unreadable(&error))
}

fn request(asked: &Value) -> NodeRequest {
    NodeRequest::query(Uri::from_static(PATH), asked.to_string())
}

fn unreadable(error: &serde_json::Error) -> ResponseError {
    tracing::error!(%error, "a rendered template cannot be read");
    ResponseError::new(Code::MiroirNodeError, "A node's rendered template cannot be read.")
}

// === impl Stored ===

impl Stored {
    /// The document of an input, where that names one and nothing that is not allowed beside it.
    fn of(input: &Value) -> Option<Self> {
        let is_stored = input["kind"] == "indexDocument" && input["inline"].is_null();
        let (index, id) = (input["indexUid"].as_str()?, input["id"].as_str()?);
        is_stored.then(|| Self { index: index.to_owned(), id: id.to_owned() })
    }

    /// That the document is not there, in the words of this route.
    fn not_found(&self, error: ResponseError) -> ResponseError {
        if error.code() != Some(Code::DocumentNotFound) {
            return error;
        }
        let message =
            format!("error while fetching input: document `{}` not found in `{}`", self.id, self.index);
        ResponseError::new(Code::RenderDocumentNotFound, message)
    }
}
