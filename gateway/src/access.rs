//! Which tasks the sender of a request may see.

use miroir_filters::auth::Access;
use miroir_protocol::tasks::{BatchView, TaskView};

/// Whether the sender may see the task. Who may not see all indexes sees tasks about one that may be seen, and about no
/// other.
pub(crate) fn sees_task(access: &Access, task: &TaskView) -> bool {
    let renamed = || task.details.as_ref().and_then(|details| details["newIndexUid"].as_str());
    access.allows_all()
        || task.index_uid.as_deref().is_some_and(|index| access.allows(index))
            && renamed().is_none_or(|index| access.allows(index))
}

/// Whether the sender may see the batch: one task about an index that may be seen is enough.
pub(crate) fn sees_batch(access: &Access, batch: &BatchView) -> bool {
    access.allows_all() || batch.stats.index_uids.keys().any(|index| access.allows(index))
}
