//! The second look at payloads in which something may be refused.

use std::sync::Arc;

use miroir_log::PayloadRef;
use miroir_payload::{Inspection, PrimaryKey, Rules, Suspect, Verdict, final_versions};
use miroir_protocol::error::ResponseError;
use tokio::sync::mpsc;

use super::{PayloadError, Payloads, blocking};
use crate::fleet_state::Present;

/// So many documents are asked after at a time.
const AT_ONCE: usize = 1_000;
/// So many documents are judged together, in what is left of them once others with their ids have changed them.
const JUDGED: usize = 500;

/// A payload in which something may be refused.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Doubtful<'a> {
    pub(crate) payload: &'a PayloadRef,
    pub(crate) primary_key: &'a str,
    pub(crate) rules: &'a Arc<Rules>,
    /// Whether documents are merged into what is there, and into one another.
    pub(crate) merges: bool,
    /// Whether documents that are not there are passed by.
    pub(crate) skips_new: bool,
}

/// Why nothing can be said of a payload now.
#[derive(Debug)]
pub(crate) enum Open {
    /// It is not known which documents are there.
    Unknown,
    /// It cannot be read.
    Payload(PayloadError),
}

impl Payloads {
    /// The error that a write fails with for its documents, if it does. `present` says which documents are there already.
    pub(crate) async fn judge(
        &self,
        doubtful: Doubtful<'_>,
        present: &Present<'_>,
    ) -> Result<Option<ResponseError>, Open> {
        let mut from = 0;
        loop {
            let (suspects, next) = self.suspects(doubtful, from, present).await?;
            if suspects.is_empty() {
                return Ok(None);
            }
            let refused = self.refused(doubtful, suspects, present).await?;
            if !refused.is_empty() {
                return self.error_of(doubtful, refused).await.map_err(Open::from);
            }
            let Some(next) = next else { return Ok(None) };
            from = next;
        }
    }

    /// The documents from the place `from` on that are refused as they stand, and where it goes on if these are not all.
    async fn suspects(
        &self,
        doubtful: Doubtful<'_>,
        from: u64,
        present: &Present<'_>,
    ) -> Result<(Vec<Suspect>, Option<u64>), Open> {
        let (sender, mut receiver) = mpsc::channel::<Vec<Suspect>>(1);
        let reader = self.log.open_payload(doubtful.payload).await.map_err(PayloadError::from)?;
        let (key, rules) = (PrimaryKey::new(doubtful.primary_key), doubtful.rules.clone());
        let looking = blocking(move || {
            let mut found = Vec::new();
            for suspect in Inspection::new(reader, &key, &rules) {
                found.push(suspect?);
                if found.len() == AT_ONCE && sender.blocking_send(std::mem::take(&mut found)).is_err() {
                    return Ok(());
                }
            }
            // Who has found enough listens no more.
            let _ = sender.blocking_send(found);
            Ok::<(), PayloadError>(())
        });
        let judging = async {
            let (mut suspects, mut next) = (Vec::new(), None);
            while let Some(mut found) = receiver.recv().await {
                found.retain(|suspect| suspect.place >= from);
                let last = found.last().map(|suspect| suspect.place + 1);
                if doubtful.skips_new {
                    found.retain(|suspect| !is_vacant(suspect));
                } else {
                    leave_out_present(&mut found, present).await?;
                }
                suspects.extend(found);
                if suspects.len() >= JUDGED {
                    next = last;
                    break;
                }
            }
            receiver.close();
            Ok::<_, Open>((suspects, next))
        };
        let (looked, judged) = tokio::join!(looking, judging);
        looked?;
        judged
    }

    /// Those of the documents that are refused as the write leaves them.
    async fn refused(
        &self,
        doubtful: Doubtful<'_>,
        suspects: Vec<Suspect>,
        present: &Present<'_>,
    ) -> Result<Vec<Suspect>, Open> {
        let reader = self.log.open_payload(doubtful.payload).await.map_err(PayloadError::from)?;
        let (key, rules, merges) =
            (PrimaryKey::new(doubtful.primary_key), doubtful.rules.clone(), doubtful.merges);
        let look =
            move || final_versions(reader, &key, &rules, merges, &suspects).map_err(PayloadError::from);
        let mut left = blocking(look).await?;
        if doubtful.skips_new {
            left.retain(|suspect| !is_vacant(suspect));
            let ids: Vec<String> = left.iter().map(|suspect| suspect.id.clone()).collect();
            let there = present.among(&ids).await.ok_or(Open::Unknown)?;
            left.retain(|suspect| there.contains(&suspect.id));
        } else {
            leave_out_present(&mut left, present).await?;
        }
        Ok(left)
    }

    async fn error_of(
        &self,
        doubtful: Doubtful<'_>,
        refused: Vec<Suspect>,
    ) -> Result<Option<ResponseError>, PayloadError> {
        let (log, payload) = (self.log.spool().clone(), doubtful.payload.clone());
        let (key, rules) = (PrimaryKey::new(doubtful.primary_key), doubtful.rules.clone());
        let open = move || log.open(&payload).map_err(|error| std::io::Error::other(error).into());
        blocking(move || rules.error_of(&refused, &key, open).map_err(PayloadError::from)).await
    }
}

fn is_vacant(suspect: &Suspect) -> bool {
    matches!(suspect.verdict, Verdict::Vacant(_))
}

/// Leaves out the documents that are fine as they are there already.
async fn leave_out_present(suspects: &mut Vec<Suspect>, present: &Present<'_>) -> Result<(), Open> {
    let vacant = suspects.iter().filter(|suspect| is_vacant(suspect));
    let ids: Vec<String> = vacant.map(|suspect| suspect.id.clone()).collect();
    if !ids.is_empty() {
        let there = present.among(&ids).await.ok_or(Open::Unknown)?;
        suspects.retain(|suspect| !is_vacant(suspect) || !there.contains(&suspect.id));
    }
    Ok(())
}

impl From<PayloadError> for Open {
    fn from(error: PayloadError) -> Self {
        Self::Payload(error)
    }
}
