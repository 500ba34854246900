//! The second look at a payload in which something may be refused.

use std::{collections::HashMap, io::Read};

use miroir_protocol::error::ResponseError;
use serde_json::value::RawValue;

use super::{
    Rules, Special, Step, Verdict,
    vacancy::{mistyped_embedders, mistyped_fields, no_vectors},
};
use crate::{PrimaryKey, SplitError, split::DocumentReader};

/// How many documents the engine looks at together: what it says of several is of so many at the most.
const CHUNK: u64 = 100;

/// A document that may be refused.
#[derive(Debug, Clone, PartialEq)]
pub struct Suspect {
    /// Its place in the payload; of several documents with its id that of the first.
    pub place: u64,
    /// Its id.
    pub id: String,
    /// What is to be said of it.
    pub verdict: Verdict,
}

/// Goes through a payload and yields the documents that may be refused, each looked at by itself.
#[derive(Debug)]
pub struct Inspection<'a, R> {
    reader: DocumentReader<R>,
    key: &'a PrimaryKey,
    rules: &'a Rules,
    place: u64,
}

impl<'a, R: Read> Inspection<'a, R> {
    /// Starts at the reader's first byte.
    pub fn new(spool: R, key: &'a PrimaryKey, rules: &'a Rules) -> Self {
        Self { reader: DocumentReader::new(spool), key, rules, place: 0 }
    }
}

impl<R: Read> Iterator for Inspection<'_, R> {
    type Item = Result<Suspect, SplitError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let look = |id: &str, special: Special<'_>| match self.rules.inspect(id, special) {
                Verdict::Fine => None,
                verdict => Some((id.to_owned(), verdict)),
            };
            let found = match self.reader.next(self.key, look) {
                Ok(Some((_, found))) => found,
                Ok(None) => return None,
                Err(error) => return Some(Err(error)),
            };
            self.place += 1;
            if let Some((id, verdict)) = found {
                return Some(Ok(Suspect { place: self.place - 1, id, verdict }));
            }
        }
    }
}

/// What a payload leaves of a document.
struct Version {
    place: u64,
    vectors: Option<Box<RawValue>>,
    geo: Option<Box<RawValue>>,
}

/// What is to be said of some documents once later ones with the same id have replaced or, with `merges`, changed the
/// earlier ones: those that may still be refused.
pub fn final_versions(
    spool: impl Read,
    key: &PrimaryKey,
    rules: &Rules,
    merges: bool,
    suspects: &[Suspect],
) -> Result<Vec<Suspect>, SplitError> {
    let ids = suspects.iter().map(|suspect| (suspect.id.clone(), None));
    let mut versions: HashMap<String, Option<Version>> = ids.collect();
    for_each_document(spool, key, |place, id, special| {
        let Some(version) = versions.get_mut(id) else { return };
        let version = version.get_or_insert(Version { place, vectors: None, geo: None });
        if special.vectors.is_some() || !merges {
            version.vectors = special.vectors.map(ToOwned::to_owned);
        }
        if special.geo.is_some() || !merges {
            version.geo = special.geo.map(ToOwned::to_owned);
        }
    })?;
    let left = versions.into_iter().filter_map(|(id, version)| {
        let Version { place, vectors, geo } = version?;
        let special = Special { vectors: vectors.as_deref(), geo: geo.as_deref() };
        Some(Suspect { place, verdict: rules.inspect(&id, special), id })
    });
    let mut left: Vec<Suspect> = left.filter(|suspect| suspect.verdict != Verdict::Fine).collect();
    left.sort_unstable_by_key(|suspect| suspect.place);
    Ok(left)
}

impl Suspect {
    /// When the engine comes upon it: by step, in the last one by chunks, at whose end it finds vectors missing.
    fn turn(&self) -> (Step, u64, bool, u64) {
        match &self.verdict {
            Verdict::Refused(Step::Vectors, _) => (Step::Vectors, self.place / CHUNK, false, self.place),
            Verdict::Refused(step, _) => (*step, 0, false, self.place),
            Verdict::Fine | Verdict::Vacant(_) => (Step::Vectors, self.place / CHUNK, true, self.place),
        }
    }
}

impl Rules {
    /// The error of a write, given all of its documents that are refused, in their order: that of the one which the engine
    /// comes upon first. `open` gives the payload from its beginning.
    pub fn error_of<R: Read>(
        &self,
        refused: &[Suspect],
        key: &PrimaryKey,
        mut open: impl FnMut() -> Result<R, SplitError>,
    ) -> Result<Option<ResponseError>, SplitError> {
        let Some(first) = refused.iter().min_by_key(|suspect| suspect.turn()) else { return Ok(None) };
        let embedder = match &first.verdict {
            Verdict::Fine => return Ok(None),
            Verdict::Refused(_, error) => return Ok(Some(error.clone())),
            Verdict::Vacant(embedder) => embedder,
        };
        let chunk = first.place / CHUNK;
        let together = refused.iter().filter(|suspect| suspect.place / CHUNK == chunk);
        let vacant = together.filter(|suspect| suspect.verdict == first.verdict);
        let ids: Vec<&str> = vacant.map(|suspect| suspect.id.as_str()).collect();
        let fields = mistyped_fields(open()?)?;
        let span = (chunk * CHUNK, (chunk + 1) * CHUNK);
        let embedders = mistyped_embedders(open()?, key, self, embedder, span)?;
        Ok(Some(no_vectors(embedder, &ids, &fields, &embedders)))
    }
}

/// Shows each document of a payload: its place, its id and the fields that mean something to the engine.
pub(super) fn for_each_document(
    spool: impl Read,
    key: &PrimaryKey,
    mut see: impl FnMut(u64, &str, Special<'_>),
) -> Result<(), SplitError> {
    let mut reader = DocumentReader::new(spool);
    for place in 0.. {
        if reader.next(key, |id, special| see(place, id, special))?.is_none() {
            break;
        }
    }
    Ok(())
}
