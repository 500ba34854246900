//! Out of a dump, into a running gateway: streamed, and spread by the gateway on the way.

use http::Method;
use miroir_protocol::rules::Rule;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use super::{
    Report, TransferError,
    archive::{Beside, Dump},
    import::{put_keys, put_settings},
    remote::{Remote, Waiting},
};

/// Documents that are sent at once, in bytes.
const PAYLOAD: usize = 8 << 20;

/// Brings everything of a dump into a server: features, keys, and indexes with settings and documents. Indexes that are
/// there already keep what they have beside it.
pub(crate) async fn run(dump: Dump, target: &Remote, report: Report<'_>) -> Result<(), TransferError> {
    let on =
        dump.features.as_object().into_iter().flatten().filter(|(_, is_on)| **is_on == Value::Bool(true));
    let on: serde_json::Map<String, Value> = on.map(|(name, is_on)| (name.clone(), is_on.clone())).collect();
    if !on.is_empty()
        && let Err(error) = target.json(Method::PATCH, "/experimental-features", Some(&on.into())).await
    {
        report(&format!("experimental features are not restored: {error}"));
    }
    put_keys(target, &dump.keys, report).await?;
    beside(&dump.beside, target, report).await?;
    for (uid, index) in &dump.indexes {
        target.ensure_index(uid, &index.metadata["primaryKey"]).await?;
        put_settings(target, uid, index.settings.clone(), report).await?;
    }
    documents(dump, target, report).await
}

/// What belongs to the instance beside features and keys. What the target does not take is told, and left out.
async fn beside(beside: &Beside, target: &Remote, report: Report<'_>) -> Result<(), TransferError> {
    let taken = |what: &str, outcome: Result<(), TransferError>| match outcome {
        Err(error @ (TransferError::Refused { .. } | TransferError::Task { .. })) => {
            report(&format!("{what} is not restored: {error}"));
            Ok(())
        }
        outcome => outcome,
    };
    for webhook in beside.webhooks.as_object().into_iter().flat_map(Map::values) {
        taken("a webhook", put_webhook(target, webhook).await)?;
    }
    if let Some(change) = network_change(&beside.network) {
        let put = target.json(Method::PATCH, "/network", Some(&change)).await;
        taken("the network", put.map(drop))?;
    }
    for (uid, settings) in &beside.chats {
        let put = target.json(Method::PATCH, &format!("/chats/{uid}/settings"), Some(settings)).await;
        taken(&format!("chat {uid}"), put.map(drop))?;
    }
    for rule in &beside.rules {
        // What a server counts for itself falls away.
        let Ok(rule) = serde_json::from_value::<Rule>(rule.clone()) else {
            report(&format!("rule {} is not restored: it cannot be read", rule["uid"]));
            continue;
        };
        let change = json!({
            "description": rule.description, "precedence": rule.precedence, "active": rule.active,
            "conditions": rule.conditions, "actions": rule.actions,
        });
        let path = format!("/dynamic-search-rules/{}", rule.uid);
        taken(&format!("rule {}", rule.uid), target.write(Method::PATCH, &path, Some(&change)).await)?;
    }
    Ok(())
}

/// A webhook of the same address with headers of the same names is taken for the same one.
async fn put_webhook(target: &Remote, webhook: &Value) -> Result<(), TransferError> {
    let names = |webhook: &Value| -> Vec<String> {
        webhook["headers"].as_object().into_iter().flat_map(Map::keys).cloned().collect()
    };
    let known = target.get("/webhooks").await?;
    let mut known = known["results"].as_array().into_iter().flatten();
    if known.any(|known| known["url"] == webhook["url"] && names(known) == names(webhook)) {
        return Ok(());
    }
    let body = json!({ "url": webhook["url"], "headers": webhook["headers"] });
    target.json(Method::POST, "/webhooks", Some(&body)).await.map(drop)
}

/// As where Meilisearch reads a dump: another server is another one of the network, or none of it, and follows nobody.
fn network_change(network: &Value) -> Option<Value> {
    let remotes = network["remotes"].as_object()?.iter().map(|(name, remote)| {
        let member = |name: &str| remote[name].clone();
        let keys = ["url", "searchApiKey", "writeApiKey"];
        (name.clone(), Value::from_iter(keys.map(|key| (key, member(key)))))
    });
    let shards = network["shards"].as_object().into_iter().flatten();
    let shards = shards.map(|(name, shard)| (name.clone(), json!({ "remotes": shard["remotes"] })));
    let (remotes, shards) = (remotes.collect::<Map<_, _>>(), shards.collect::<Map<_, _>>());
    (!remotes.is_empty() || !shards.is_empty()).then(|| json!({ "remotes": remotes, "shards": shards }))
}

/// The archive is read on a thread of its own, a payload ahead.
async fn documents(dump: Dump, target: &Remote, report: Report<'_>) -> Result<(), TransferError> {
    let (sender, mut payloads) = mpsc::channel::<(String, Vec<u8>)>(1);
    let reader = tokio::task::spawn_blocking(move || {
        dump.documents(PAYLOAD, |uid, lines| {
            let gone = |_| std::io::Error::other("nobody takes the documents");
            sender.blocking_send((uid.to_owned(), lines)).map_err(gone)
        })
    });
    let mut waiting = Waiting::default();
    let mut index: Option<(String, usize)> = None;
    while let Some((uid, lines)) = payloads.recv().await {
        let documents = lines.iter().filter(|byte| **byte == b'\n').count();
        target.documents(&uid, lines.into(), &mut waiting).await?;
        index = match index {
            Some((name, before)) if name == uid => Some((uid, before + documents)),
            done => {
                tell(done.as_ref(), report);
                Some((uid, documents))
            }
        };
    }
    tell(index.as_ref(), report);
    target.settle(&mut waiting).await?;
    reader.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

fn tell(index: Option<&(String, usize)>, report: Report<'_>) {
    if let Some((uid, documents)) = index {
        report(&format!("{uid}: {documents} documents"));
    }
}
