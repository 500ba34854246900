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
}

impl Dump {
    /// Reads everything but documents.
    pub(crate) fn open(file: &Path) -> Result<Self, TransferError> {
        let mut version = None;
        let (mut indexes, mut keys, mut features) =
            (BTreeMap::<_, DumpedIndex>::new(), Vec::new(), Value::Null);
        entries(file, |path, entry| {
            match path {
                ["metadata.json"] => version = json(entry)?["dumpVersion"].as_str().map(str::to_owned),
                ["keys.jsonl"] => {
                    for line in BufReader::new(entry.take(MAX_SMALL)).lines() {
                        keys.push(serde_json::from_str(&line?)?);
                    }
                }
                ["experimental-features.json"] => features = json(entry)?,
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
            Some(VERSION) => Ok(Self { file: file.to_owned(), indexes, keys, features }),
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

fn json(entry: &mut dyn Read) -> io::Result<Value> {
    Ok(serde_json::from_reader(entry.take(MAX_SMALL))?)
}
