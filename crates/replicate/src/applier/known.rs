//! What a node has accepted, held against the log.

use std::collections::BTreeMap;

use miroir_log::{Log, LogError, LoggedEntry};

use crate::tag::{Tag, mark};

/// What a node has accepted, as far as the log knows of it.
#[derive(Debug, Default)]
pub(super) struct Own {
    pub(super) tasks: BTreeMap<Tag, u32>,
    /// The first and the last entry that the node has been sent, and that the log does not have.
    lost: Option<(u32, u32)>,
}

/// Leaves out what stands for entries that this log does not have, or has others in place of: an older copy of it has been
/// put back since. What these did is not what is to be done now.
pub(super) async fn of_this_log(log: &dyn Log, accepted: BTreeMap<Tag, u32>) -> Result<Own, LogError> {
    let mut own = Own::default();
    for (tag, uid) in accepted {
        let there = there(log, tag).await?;
        match there.filter(|there| tag.mark.is_none_or(|mark| mark == *there)) {
            Some(mark) => _ = own.tasks.insert(Tag { mark: Some(mark), ..tag }, uid),
            None => {
                let (first, last) = own.lost.unwrap_or((tag.first, tag.last));
                own.lost = Some((first.min(tag.first), last.max(tag.last)));
            }
        }
    }
    Ok(own)
}

/// The mark of the entries that have the tag's places.
async fn there(log: &dyn Log, tag: Tag) -> Result<Option<u32>, LogError> {
    let Some(first) = entry(log, tag.first).await? else { return Ok(None) };
    if tag.first == tag.last {
        return Ok(Some(mark(&first.entry, &first.entry)));
    }
    let last = entry(log, tag.last).await?;
    Ok(last.map(|last| mark(&first.entry, &last.entry)))
}

async fn entry(log: &dyn Log, uid: u32) -> Result<Option<LoggedEntry>, LogError> {
    Ok(log.entries(uid, 1).await?.pop().filter(|logged| logged.entry.uid == uid))
}

/// Tells operators what they have to know of a log and a node that do not belong together.
pub(super) fn tell(node: &str, own: &Own, foreign: bool) {
    if let Some((first, last)) = own.lost {
        tracing::error!(
            node,
            first,
            last,
            "node has been sent entries that the log does not have: an older copy of the log has been put back, or it is \
             damaged. What they wrote may be on the nodes; compare the copies with `miroir verify`"
        );
    }
    if foreign {
        tracing::warn!(
            node,
            "node holds what another log has written, which this one knows nothing of: a log that begins needs empty nodes"
        );
    }
}
