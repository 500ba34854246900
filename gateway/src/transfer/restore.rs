//! Out of a dump, into a running gateway: streamed, and spread by the gateway on the way.

use http::Method;
use serde_json::Value;
use tokio::sync::mpsc;

use super::{
    Report, TransferError,
    archive::Dump,
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
    for (uid, index) in &dump.indexes {
        target.ensure_index(uid, &index.metadata["primaryKey"]).await?;
        put_settings(target, uid, index.settings.clone(), report).await?;
    }
    documents(dump, target, report).await
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
