//! Dumps: everything clients have put in, in the form that Meilisearch reads.

mod beside;

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, BufWriter, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};
use miroir_log::RecordKind;
use miroir_protocol::{
    error::{Code, ResponseError},
    settings::Settings,
};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description};

use crate::{read::content::Content, state::Gateway, transfer::archive, version, write::log_error};

/// The name of the one snapshot.
const SNAPSHOT: &str = "miroir.snapshot";

/// What is put into a dump, file by file, in a directory of its own until it is packed.
struct Draft {
    directory: PathBuf,
}

/// The name of a dump that is asked for now: the time, to the millisecond.
pub(crate) fn new_dump_uid() -> String {
    let form = format_description!("[year][month][day]-[hour][minute][second][subsecond digits:3]");
    OffsetDateTime::now_utc().format(form).unwrap_or_else(|_| "dump".to_owned())
}

/// Writes a dump of this name; the file is there as a whole or not at all. Where it is one of everything, it says so in
/// a manifest beside it.
pub(crate) async fn dump(gateway: &Gateway, name: &str, position: u32) -> Result<PathBuf, ResponseError> {
    write(gateway, &format!("{name}.dump"), position).await
}

/// Writes the snapshot, in the place of the last one.
pub(crate) async fn snapshot(gateway: &Gateway, position: u32) -> Result<PathBuf, ResponseError> {
    write(gateway, SNAPSHOT, position).await
}

async fn write(gateway: &Gateway, name: &str, position: u32) -> Result<PathBuf, ResponseError> {
    let target = gateway.backups.join(name);
    let draft =
        Draft::create(gateway.backups.join(format!(".{name}.new"))).map_err(|error| failed(&error))?;
    let written = fill(gateway, &draft, position).await;
    let packed = match written {
        Ok(manifest) => {
            let (directory, file) = (draft.directory.clone(), target.clone());
            let packed = tokio::task::spawn_blocking(move || pack(&directory, &file, &manifest)).await;
            packed.unwrap_or_else(|panic| Err(io::Error::other(panic))).map_err(|error| failed(&error))
        }
        Err(error) => Err(error),
    };
    draft.remove();
    packed.map(|()| target)
}

/// Puts everything into the draft and says what it was.
async fn fill(gateway: &Gateway, draft: &Draft, position: u32) -> Result<Value, ResponseError> {
    let io = |error: io::Error| failed(&error);
    let written_at = OffsetDateTime::now_utc();
    let now = written_at.format(&Rfc3339).unwrap_or_default();
    let metadata = json!({ "dumpVersion": archive::VERSION, "dbVersion": version::API, "dumpDate": now });
    draft.json("metadata.json", &metadata).map_err(io)?;
    draft.text("instance_uid.uuid", gateway.log.id()).map_err(io)?;
    let features = serde_json::to_value(gateway.features.now()).unwrap_or_default();
    draft.json("experimental-features.json", &features).map_err(io)?;
    draft.text("tasks/queue.jsonl", "").map_err(io)?;
    let keys = gateway.log.records(RecordKind::Key).await.map_err(|error| log_error(&error))?;
    let keys: String = keys.iter().filter_map(|(_, key)| key_line(key)).collect();
    draft.text("keys.jsonl", &keys).map_err(io)?;
    beside::write(gateway, draft, written_at).await?;
    let mut indexes = serde_json::Map::new();
    let catalog = gateway.log.catalog();
    for (uid, index) in &catalog.indexes {
        let at = |time: OffsetDateTime| time.format(&Rfc3339).unwrap_or_default();
        let metadata = json!({
            "uid": uid, "primaryKey": index.primary_key,
            "createdAt": at(index.created_at), "updatedAt": at(index.updated_at),
        });
        draft.json(&format!("indexes/{uid}/metadata.json"), &metadata).map_err(io)?;
        let settings = Settings::from_value(index.settings.clone()).unwrap_or_default().to_value();
        draft.json(&format!("indexes/{uid}/settings.json"), &settings).map_err(io)?;
        let mut file = draft.file(&format!("indexes/{uid}/documents.jsonl")).map_err(io)?;
        let mut content = Content::of(gateway, index, None)?;
        let mut documents = 0;
        while let Some(lines) = content.next().await? {
            file.write_all(&lines.bytes).map_err(io)?;
            documents += lines.documents;
        }
        file.flush().map_err(io)?;
        indexes.insert(uid.clone(), json!({ "documents": documents }));
    }
    Ok(json!({
        "writtenAt": now, "log": gateway.log.id(), "position": position, "form": "Meilisearch dump V6", "indexes": indexes,
    }))
}

/// A key in the form of dumps.
fn key_line(key: &Value) -> Option<String> {
    let member = |camel: &str, snake: &str| key.get(camel).or(key.get(snake)).cloned().unwrap_or_default();
    let line = json!({
        "uid": member("uid", "uid"), "name": member("name", "name"),
        "description": member("description", "description"), "actions": member("actions", "actions"),
        "indexes": member("indexes", "indexes"), "expires_at": member("expiresAt", "expires_at"),
        "created_at": member("createdAt", "created_at"), "updated_at": member("updatedAt", "updated_at"),
    });
    line["uid"].is_string().then(|| format!("{line}\n"))
}

fn failed(error: &io::Error) -> ResponseError {
    tracing::error!(%error, "backup cannot be written");
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            ResponseError::new(Code::NoSpaceLeftOnDevice, "There is no space left for the backup.")
        }
        _ => ResponseError::new(Code::Internal, format!("The backup cannot be written: {error}.")),
    }
}

/// Packs a draft into a file, which takes its name once it is complete, and puts the manifest beside it.
fn pack(directory: &Path, target: &Path, manifest: &Value) -> io::Result<()> {
    let new = directory.with_extension("packed");
    let file = create_private(&new)?;
    let mut archive = tar::Builder::new(GzEncoder::new(BufWriter::new(file), Compression::default()));
    archive.append_dir_all(".", directory)?;
    let file = archive.into_inner()?.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    fs::rename(&new, target)?;
    fs::write(target.with_extension("manifest.json"), format!("{manifest:#}\n"))
}

/// Creates a file, or empties one that a crash has left, for nobody else to read: dumps hold what authorizes embedders and
/// webhooks.
fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

// === impl Draft ===

impl Draft {
    fn create(directory: PathBuf) -> io::Result<Self> {
        // One that a crash has left.
        if directory.exists() {
            fs::remove_dir_all(&directory)?;
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
        fs::create_dir_all(directory.join("indexes"))?;
        fs::create_dir_all(directory.join("tasks").join("update_files"))?;
        Ok(Self { directory })
    }

    fn file(&self, path: &str) -> io::Result<BufWriter<File>> {
        let path = self.directory.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        Ok(BufWriter::new(create_private(&path)?))
    }

    fn text(&self, path: &str, text: &str) -> io::Result<()> {
        let mut file = self.file(path)?;
        file.write_all(text.as_bytes())?;
        file.flush()
    }

    fn json(&self, path: &str, value: &Value) -> io::Result<()> {
        self.text(path, &value.to_string())
    }

    fn remove(&self) {
        if let Err(error) = fs::remove_dir_all(&self.directory) {
            tracing::warn!(%error, "unfinished backup is left behind");
        }
    }
}
