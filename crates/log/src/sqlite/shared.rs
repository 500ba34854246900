//! What readers see without asking the database.

use std::{
    collections::HashMap,
    mem,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64},
    },
};

use arc_swap::ArcSwap;
use miroir_protocol::tasks::TaskView;
use parking_lot::RwLock;
use tokio::sync::watch;

use crate::{catalog::Catalog, log::Positions, record};

/// How many tasks a generation of [`Recent`] holds; about 10 MB in the two of them.
const GENERATION: usize = 8_192;

/// The state that the writer publishes after each commit.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) catalog: ArcSwap<Catalog>,
    pub(super) catalog_changes: AtomicU64,
    pub(super) recent: Recent,
    pub(super) appended: watch::Sender<u32>,
    pub(super) positions: RwLock<Positions>,
    /// Whether tasks that end are put on a list.
    pub(super) keeps_ends: AtomicBool,
    /// Whether something was committed that is not durable yet.
    pub(super) has_hints: AtomicBool,
}

/// The tasks that changed last, so that asking for one in a loop costs little.
///
/// It always holds a task's newest state or none: the writer replaces what it changes before it
/// answers. Two generations bound it: when the young one is full it becomes the old one.
#[derive(Debug)]
pub(super) struct Recent {
    generations: RwLock<Generations>,
    limit: usize,
}

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<u32, Arc<TaskView>>,
    old: HashMap<u32, Arc<TaskView>>,
}

// === impl Shared ===

impl Shared {
    pub(super) fn new(catalog: Catalog, positions: Positions) -> Self {
        Self {
            catalog: ArcSwap::from_pointee(catalog),
            catalog_changes: AtomicU64::new(0),
            recent: Recent::with_limit(GENERATION),
            appended: watch::Sender::new(positions.next),
            positions: RwLock::new(positions),
            keeps_ends: AtomicBool::new(false),
            // An earlier process may have left some.
            has_hints: AtomicBool::new(true),
        }
    }
}

// === impl Recent ===

impl Recent {
    pub(super) fn with_limit(limit: usize) -> Self {
        Self { generations: RwLock::default(), limit }
    }

    pub(super) fn get(&self, uid: u32) -> Option<Arc<TaskView>> {
        let generations = self.generations.read();
        generations.young.get(&uid).or_else(|| generations.old.get(&uid)).cloned()
    }

    /// These are there no more.
    pub(super) fn remove(&self, uids: &[u32]) {
        let mut generations = self.generations.write();
        for uid in uids {
            generations.young.remove(uid);
            generations.old.remove(uid);
        }
    }

    /// In the tasks before the one with the uid, two index names have changed places.
    pub(super) fn rename(&self, renames: &[(u32, String, String)]) {
        if renames.is_empty() {
            return;
        }
        let mut generations = self.generations.write();
        let Generations { young, old } = &mut *generations;
        for task in young.values_mut().chain(old.values_mut()) {
            let uid = task.uid;
            for (_, left, right) in renames.iter().filter(|(before, ..)| uid < *before) {
                record::rename(Arc::make_mut(task), left, right);
            }
        }
    }

    pub(super) fn put(&self, tasks: impl IntoIterator<Item = TaskView>) {
        let mut generations = self.generations.write();
        for task in tasks {
            if generations.young.len() >= self.limit {
                generations.old = mem::take(&mut generations.young);
            }
            generations.old.remove(&task.uid);
            generations.young.insert(task.uid, Arc::new(task));
        }
    }
}

#[cfg(test)]
mod tests {
    use miroir_protocol::tasks::{Kind, TaskStatus};
    use time::OffsetDateTime;

    use super::*;

    fn task(uid: u32, status: TaskStatus) -> TaskView {
        TaskView {
            uid,
            index_uid: None,
            kind: Kind::IndexDeletion,
            status,
            batch_uid: None,
            canceled_by: None,
            details: None,
            error: None,
            duration: None,
            custom_metadata: None,
            enqueued_at: OffsetDateTime::UNIX_EPOCH,
            started_at: None,
            finished_at: None,
        }
    }

    #[test]
    fn recent_tasks_are_bounded_and_the_oldest_go_first() {
        let recent = Recent::with_limit(10);
        recent.put((0..95).map(|uid| task(uid, TaskStatus::Enqueued)));
        let held: Vec<u32> = (0..95).filter(|uid| recent.get(*uid).is_some()).collect();
        assert_eq!(held, (80..95).collect::<Vec<_>>());
    }

    #[test]
    fn a_task_that_moved_to_the_old_generation_is_replaced() {
        let recent = Recent::with_limit(2);
        recent.put((0..3).map(|uid| task(uid, TaskStatus::Enqueued)));
        recent.put([task(0, TaskStatus::Succeeded)]);
        recent.put([task(7, TaskStatus::Enqueued)]);
        assert_eq!(recent.get(0).map(|task| task.status), Some(TaskStatus::Succeeded));
    }
}
