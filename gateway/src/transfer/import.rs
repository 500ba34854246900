//! Out of a running Meilisearch, into another: features, keys, indexes with settings and documents.

use std::collections::BTreeSet;

use bytes::{BufMut, Bytes, BytesMut};
use http::Method;
use miroir_protocol::document::id_text;
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use super::{
    Report, TransferError,
    remote::{Remote, Waiting},
};

/// Documents that are read at once.
const PAGE: usize = 1_000;
/// Ids that are deleted at once.
const DELETED: usize = 10_000;

/// From one server to another.
#[derive(Clone, Debug)]
pub(crate) struct Import {
    /// Where everything comes from.
    pub source: Remote,
    /// Where it goes.
    pub target: Remote,
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    results: Vec<&'a RawValue>,
}

impl Import {
    /// Features and keys. What the target does not take is told, and left out.
    pub(crate) async fn instance(&self, report: Report<'_>) -> Result<(), TransferError> {
        if let Ok(features) = self.source.get("/experimental-features").await {
            let on: serde_json::Map<String, Value> = features
                .as_object()
                .into_iter()
                .flatten()
                .filter(|(_, is_on)| **is_on == Value::Bool(true))
                .map(|(name, is_on)| (name.clone(), is_on.clone()))
                .collect();
            if !on.is_empty()
                && let Err(error) =
                    self.target.json(Method::PATCH, "/experimental-features", Some(&on.into())).await
            {
                report(&format!("experimental features are not taken over: {error}"));
            }
        }
        let keys = match self.source.list("/keys").await {
            Ok(keys) => keys,
            Err(error) => {
                report(&format!("keys are not taken over: {error}"));
                return Ok(());
            }
        };
        put_keys(&self.target, &keys, report).await
    }

    /// The uids of the source's indexes.
    pub(crate) async fn indexes(&self) -> Result<Vec<String>, TransferError> {
        let views = self.source.list("/indexes").await?;
        Ok(views.iter().filter_map(|view| view["uid"].as_str()).map(str::to_owned).collect())
    }

    /// One index as it is now, whatever the target has of it.
    pub(crate) async fn index(&self, uid: &str, report: Report<'_>) -> Result<(), TransferError> {
        let Some(view) = self.source.find(&format!("/indexes/{uid}")).await? else {
            if self.target.find(&format!("/indexes/{uid}")).await?.is_some() {
                self.target.write(Method::DELETE, &format!("/indexes/{uid}"), None).await?;
                report(&format!("{uid}: deleted"));
            }
            return Ok(());
        };
        let known = self.target.find(&format!("/indexes/{uid}")).await?;
        let other_key =
            |known: &Value| !known["primaryKey"].is_null() && known["primaryKey"] != view["primaryKey"];
        let is_new = known.as_ref().is_none_or(other_key);
        if known.is_some() && is_new {
            self.target.write(Method::DELETE, &format!("/indexes/{uid}"), None).await?;
        }
        self.target.ensure_index(uid, &view["primaryKey"]).await?;
        let settings = self.source.get(&format!("/indexes/{uid}/settings")).await?;
        put_settings(&self.target, uid, settings, report).await?;
        let mut ids = BTreeSet::new();
        let documents = self.documents(uid, view["primaryKey"].as_str(), &mut ids, report).await?;
        let gone =
            if is_new { 0 } else { self.delete_others(uid, view["primaryKey"].as_str(), &ids).await? };
        report(&format!(
            "{uid}: {documents} documents{}",
            if gone > 0 { format!(", {gone} deleted") } else { String::new() }
        ));
        Ok(())
    }

    async fn documents(
        &self,
        uid: &str,
        key: Option<&str>,
        ids: &mut BTreeSet<String>,
        report: Report<'_>,
    ) -> Result<usize, TransferError> {
        let path = format!("/indexes/{uid}/documents/fetch");
        let mut waiting = Waiting::default();
        let mut offset = 0;
        loop {
            let ask = json!({ "offset": offset, "limit": PAGE, "retrieveVectors": true });
            let answer = self.source.answer(&Method::POST, &path, Some(&ask)).await?;
            let page: Page<'_> =
                serde_json::from_slice(&answer.body).map_err(|_| self.source.nonsense(&path))?;
            let count = page.results.len();
            if count > 0 {
                ids.extend(page.results.iter().filter_map(|document| id_of(document, key?)));
                self.target.documents(uid, lines(&page.results), &mut waiting).await?;
            }
            offset += count;
            if count < PAGE {
                break;
            }
            report(&format!("{uid}: {offset} documents so far"));
        }
        self.target.settle(&mut waiting).await?;
        Ok(offset)
    }

    /// Deletes the target's documents that the source does not have any more.
    async fn delete_others(
        &self,
        uid: &str,
        key: Option<&str>,
        ids: &BTreeSet<String>,
    ) -> Result<usize, TransferError> {
        let Some(key) = key else { return Ok(0) };
        let path = format!("/indexes/{uid}/documents/fetch");
        let (mut offset, mut others) = (0, Vec::new());
        loop {
            let ask = json!({ "offset": offset, "limit": DELETED, "fields": [key] });
            let answer = self.target.answer(&Method::POST, &path, Some(&ask)).await?;
            let page: Page<'_> =
                serde_json::from_slice(&answer.body).map_err(|_| self.target.nonsense(&path))?;
            let found = page.results.iter().filter_map(|document| id_of(document, key));
            others.extend(found.filter(|id| !ids.contains(id)));
            offset += page.results.len();
            if page.results.len() < DELETED {
                break;
            }
        }
        for some in others.chunks(DELETED) {
            let path = format!("/indexes/{uid}/documents/delete-batch");
            self.target.write(Method::POST, &path, Some(&json!(some))).await?;
        }
        Ok(others.len())
    }
}

/// Creates keys, under the uids they had. Their values are the same where the master key is.
pub(crate) async fn put_keys(
    target: &Remote,
    keys: &[Value],
    report: Report<'_>,
) -> Result<(), TransferError> {
    for key in keys {
        let member =
            |camel: &str, snake: &str| key.get(camel).or(key.get(snake)).cloned().unwrap_or_default();
        let body = json!({
            "uid": member("uid", "uid"),
            "name": member("name", "name"),
            "description": member("description", "description"),
            "actions": member("actions", "actions"),
            "indexes": member("indexes", "indexes"),
            "expiresAt": member("expiresAt", "expires_at"),
        });
        match target.json(Method::POST, "/keys", Some(&body)).await {
            Ok(_) => {}
            Err(TransferError::Refused { message, .. })
                if message.contains("already an existing API key") => {}
            Err(TransferError::Refused { message, .. }) => {
                report(&format!("key {} is not taken over: {message}", body["uid"]));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Sets the settings of an index, without what cannot be known.
pub(crate) async fn put_settings(
    target: &Remote,
    uid: &str,
    mut settings: Value,
    report: Report<'_>,
) -> Result<(), TransferError> {
    for (name, embedder) in settings["embedders"].as_object_mut().into_iter().flatten() {
        let Some(members) = embedder.as_object_mut() else { continue };
        let hidden = members.get("apiKey").and_then(Value::as_str).is_some_and(|key| key.contains("XXX..."));
        if hidden {
            members.remove("apiKey");
            report(&format!("{uid}: the API key of embedder `{name}` is hidden, set it again"));
        }
    }
    if settings["embedders"].as_object().is_some_and(serde_json::Map::is_empty)
        && let Some(settings) = settings.as_object_mut()
    {
        settings.remove("embedders");
    }
    let path = format!("/indexes/{uid}/settings");
    loop {
        let Err(error) = target.write(Method::PATCH, &path, Some(&settings)).await else { return Ok(()) };
        // A dump has the settings of features that are off, too.
        let off = match &error {
            TransferError::Refused { message, .. } => feature_off(message),
            _ => None,
        };
        let left_out = off.and_then(|name| settings.as_object_mut()?.remove_entry(name));
        let Some((name, value)) = left_out else { return Err(error) };
        if !says_nothing(&value) {
            report(&format!("{uid}: `{name}` is left out, its experimental feature is off"));
        }
    }
}

/// The setting that a refusal is about whose feature is off.
fn feature_off(message: &str) -> Option<&str> {
    let (name, rest) = message.strip_prefix("setting `")?.split_once('`')?;
    rest.starts_with(" in the index settings requires enabling").then_some(name)
}

/// Whether the value of a setting is one that nobody has set: no foreign keys, a chat without a description.
fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Array(values) => values.is_empty(),
        Value::Object(members) => members.get("description").is_none_or(|text| text == ""),
        other => other.is_null(),
    }
}

fn lines(documents: &[&RawValue]) -> Bytes {
    let mut lines = BytesMut::with_capacity(documents.iter().map(|document| document.get().len() + 1).sum());
    for document in documents {
        lines.put_slice(document.get().as_bytes());
        lines.put_u8(b'\n');
    }
    lines.freeze()
}

/// The id of a document; nested keys are written with dots.
fn id_of(document: &RawValue, key: &str) -> Option<String> {
    let document: Value = serde_json::from_str(document.get()).ok()?;
    let flat = document.get(key);
    let nested = || key.split('.').try_fold(&document, |value, name| value.get(name));
    id_text(flat.or_else(nested)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_whose_feature_is_off_is_found_in_the_refusal() {
        let message = "setting `foreignKeys` in the index settings requires enabling the `foreign_keys` experimental feature.";
        assert_eq!(feature_off(message), Some("foreignKeys"));
        assert_eq!(feature_off("Unknown field `foreignKeys`"), None);
        assert!(
            says_nothing(&json!([])) && says_nothing(&json!({ "description": "", "documentTemplate": "t" }))
        );
        assert!(!says_nothing(&json!({ "description": "d" })));
    }
}
