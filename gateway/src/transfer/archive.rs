//! Dumps as Meilisearch writes them since v1.0: a packed archive with a folder per index.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Component, Path, PathBuf},
};

use flate2::read::GzDecoder;
use serde_json::Value;
use tar::Archive;

use super::TransferError;
use crate::instance::rules;

/// The form of dump that is read and written.
pub(crate) const VERSION: &str = "V6";
/// The largest of the files that are read as a whole, in bytes: settings with long lists.
const MAX_SMALL: u64 = 256 << 20;

/// What a dump says of an index, without its documents.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct DumpedIndex {
    /// Its name, its primary key.
    pub metadata: Value,
    /// Its settings.
    pub settings: Value,
}

/// A dump, opened: everything in it but documents.
#[derive(Debug)]
pub(crate) struct Dump {
    file: PathBuf,
    /// The indexes by uid.
    pub indexes: BTreeMap<String, DumpedIndex>,
    /// The keys.
    pub keys: Vec<Value>,
    /// The experimental features.
    pub features: Value,
    /// What else belongs to the instance.
    pub beside: Beside,
}

/// What a dump holds beside indexes, keys and features.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Beside {
    /// The webhooks, by uuid.
    pub webhooks: Value,
    /// The network.
    pub network: Value,
    /// The settings of chat workspaces.
    pub chats: BTreeMap<String, Value>,
    /// The dynamic search rules.
    pub rules: Vec<Value>,
}

impl Dump {
    /// Reads everything but documents.
    pub(crate) fn open(file: &Path) -> Result<Self, TransferError> {
        let mut version = None;
        let (mut indexes, mut keys, mut features) =
            (BTreeMap::<_, DumpedIndex>::new(), Vec::new(), Value::Null);
        let mut beside = Beside::default();
        entries(file, |path, entry| {
            match path {
                ["metadata.json"] => version = json(entry)?["dumpVersion"].as_str().map(str::to_owned),
                ["keys.jsonl"] => keys = lines(entry)?,
                ["experimental-features.json"] => features = json(entry)?,
                ["webhooks.json"] => beside.webhooks = json(entry)?["webhooks"].take(),
                ["network.json"] => beside.network = json(entry)?,
                ["chat-completions-settings", name] => {
                    if let Some(uid) = name.strip_suffix(".json") {
                        beside.chats.insert(uid.to_owned(), json(entry)?);
                    }
                }
                ["indexes", rules::INDEX, "documents.jsonl"] => beside.rules = lines(entry)?,
                // Meilisearch's own.
                ["indexes", uid, _] if is_reserved(uid) => {}
                ["indexes", uid, "metadata.json"] => {
                    indexes.entry((*uid).to_owned()).or_default().metadata = json(entry)?;
                }
                ["indexes", uid, "settings.json"] => {
                    indexes.entry((*uid).to_owned()).or_default().settings = json(entry)?;
                }
                _ => {}
            }
            Ok(())
        })?;
        match version.as_deref() {
            Some(VERSION) => Ok(Self { file: file.to_owned(), indexes, keys, features, beside }),
            found => Err(TransferError::NotADump {
                file: file.to_owned(),
                reason: format!("its version is {}", found.unwrap_or("not said")),
            }),
        }
    }

    /// Reads the documents of all indexes, as they come: lines of JSON, about `bytes` of them at once.
    pub(crate) fn documents(
        &self,
        bytes: usize,
        mut take: impl FnMut(&str, Vec<u8>) -> io::Result<()>,
    ) -> Result<(), TransferError> {
        entries(&self.file, |path, entry| {
            let ["indexes", uid, "documents.jsonl"] = path else { return Ok(()) };
            if is_reserved(uid) {
                return Ok(());
            }
            let mut lines = BufReader::with_capacity(1 << 16, entry);
            let mut chunk = Vec::with_capacity(bytes);
            while lines.read_until(b'\n', &mut chunk)? > 0 {
                if chunk.len() >= bytes {
                    take(uid, std::mem::replace(&mut chunk, Vec::with_capacity(bytes)))?;
                }
            }
            if chunk.is_empty() { Ok(()) } else { take(uid, chunk) }
        })
    }
}

/// Goes through the files of an archive, each with the parts of its path.
fn entries(
    file: &Path,
    mut take: impl FnMut(&[&str], &mut dyn Read) -> io::Result<()>,
) -> Result<(), TransferError> {
    let not_there = |error| TransferError::File { file: file.to_owned(), error };
    let broken =
        |error: io::Error| TransferError::NotADump { file: file.to_owned(), reason: error.to_string() };
    let opened = File::open(file).map_err(not_there)?;
    let mut archive = Archive::new(GzDecoder::new(BufReader::new(opened)));
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path().map_err(broken)?.into_owned();
        let parts: Vec<&str> = path
            .components()
            .filter_map(|part| match part {
                Component::Normal(part) => part.to_str(),
                _ => None,
            })
            .collect();
        take(&parts, &mut entry).map_err(broken)?;
    }
    Ok(())
}

/// Whether an index is one of Meilisearch's own.
fn is_reserved(uid: &str) -> bool {
    uid.starts_with(".meili")
}

fn lines(entry: &mut dyn Read) -> io::Result<Vec<Value>> {
    let lines = BufReader::new(entry.take(MAX_SMALL)).lines();
    lines.map(|line| Ok(serde_json::from_str(&line?)?)).collect()
}

fn json(entry: &mut dyn Read) -> io::Result<Value> {
    Ok(serde_json::from_reader(entry.take(MAX_SMALL))?)
}

#[cfg(test)]
mod tests {
    use flate2::{Compression, write::GzEncoder};
    use serde_json::json;

    use super::*;

    fn dump(directory: &Path, files: &[(&str, &str)]) -> PathBuf {
        let path = directory.join("a.dump");
        let packed = GzEncoder::new(File::create(&path).expect("a file"), Compression::fast());
        let mut archive = tar::Builder::new(packed);
        for (name, text) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            archive.append_data(&mut header, name, text.as_bytes()).expect("an entry");
        }
        archive.into_inner().expect("an archive").finish().expect("packed");
        path
    }

    #[test]
    fn what_belongs_to_the_instance_is_no_index() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = dump(
            directory.path(),
            &[
                ("metadata.json", r#"{"dumpVersion":"V6"}"#),
                ("webhooks.json", r#"{"webhooks":{"u":{"url":"http://a"}}}"#),
                ("network.json", r#"{"remotes":{}}"#),
                ("chat-completions-settings/w.json", r#"{"source":"openAi"}"#),
                ("indexes/.meili_dsr/metadata.json", r#"{"uid":".meili_dsr"}"#),
                ("indexes/.meili_dsr/settings.json", "{}"),
                ("indexes/.meili_dsr/documents.jsonl", "{\"uid\":\"r1\"}\n{\"uid\":\"r2\"}\n"),
                ("indexes/a/metadata.json", r#"{"uid":"a"}"#),
                ("indexes/a/documents.jsonl", "{\"id\":1}\n"),
            ],
        );
        let dump = Dump::open(&file).expect("a dump");
        assert_eq!(dump.indexes.keys().collect::<Vec<_>>(), ["a"]);
        assert_eq!(dump.beside.webhooks, json!({ "u": { "url": "http://a" } }));
        assert_eq!(dump.beside.network, json!({ "remotes": {} }));
        assert_eq!(dump.beside.chats["w"], json!({ "source": "openAi" }));
        assert_eq!(dump.beside.rules, [json!({ "uid": "r1" }), json!({ "uid": "r2" })]);
        let mut found = Vec::new();
        let documents = dump.documents(1 << 10, |uid, lines| {
            found.push((uid.to_owned(), lines));
            Ok(())
        });
        documents.expect("documents");
        assert_eq!(found, [("a".to_owned(), b"{\"id\":1}\n".to_vec())]);
    }
}
