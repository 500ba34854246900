//! Clients that search and write at a steady pace, and know what every answer has to be.
//!
//! The index has documents of three kinds. *Fixed* ones are never written again: what a search for them finds is known to
//! the last document. *Added* ones come in all the time: their number lies between what has succeeded and what was sent.
//! *Changing* ones are replaced, updated and deleted over and over, each with a version that only grows.

mod copies;
mod ledger;
mod report;
mod searches;
mod writes;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};

pub use self::report::{Latency, Report};
use self::{ledger::Ledger, report::Recorder};
use crate::{
    client::{Answer, Client, Unreachable},
    cluster::Cluster,
    from_environment,
    runtime::{spawn, wait_for},
};

/// The index that everything is about.
const INDEX: &str = "items";
/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How much is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Searches a second, sent when they are due whether or not others have been answered.
    pub searches: u32,
    /// Documents a second.
    pub documents: u32,
}

/// Clients of a cluster, and what they know.
#[derive(Clone, Debug)]
pub struct Load {
    client: Client,
    ledger: Arc<Ledger>,
    pace: Pace,
}

/// Names what is going on while clients go on.
#[derive(Debug)]
pub struct Course {
    recorder: Arc<Recorder>,
}

// === impl Pace ===

impl Pace {
    /// `MIROIR_SEARCHES` and `MIROIR_WRITES` a second.
    pub fn from_environment() -> Self {
        Self {
            searches: from_environment("MIROIR_SEARCHES", 30),
            documents: from_environment("MIROIR_WRITES", 24),
        }
    }
}

// === impl Load ===

impl Load {
    /// Makes the index and puts the fixed documents into it, `MIROIR_DOCUMENTS` of them.
    pub fn on(cluster: &Cluster) -> Self {
        let ledger = Ledger::new(from_environment("MIROIR_DOCUMENTS", 600));
        let load =
            Self { client: cluster.client(), ledger: Arc::new(ledger), pace: Pace::from_environment() };
        load.client.post("/indexes").json(&json!({ "uid": INDEX, "primaryKey": "id" })).succeeds();
        let settings = json!({
            "filterableAttributes": ["id", "kind", "shelf"], "sortableAttributes": ["rank"],
            // Totals are judged.
            "pagination": { "maxTotalHits": 1_000_000 },
        });
        load.client.patch(format!("/indexes/{INDEX}/settings")).json(&settings).succeeds();
        let path = format!("/indexes/{INDEX}/documents");
        load.client.post(path).json(&load.ledger.fixed_documents().into()).succeeds();
        load
    }

    /// Searches and writes while `act` runs, and until every write's task has ended.
    pub fn during(&self, act: impl FnOnce(&Course)) -> Report {
        let (recorder, stop) = (Arc::new(Recorder::new()), Arc::new(AtomicBool::new(false)));
        let (written, all_written) = tokio::sync::oneshot::channel();
        spawn(self.clone().search(recorder.clone(), stop.clone()));
        let writing = self.clone().write(recorder.clone(), stop.clone());
        spawn(async move {
            writing.await;
            // Nobody waits where `act` has failed.
            let _ = written.send(());
        });
        let acted = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            act(&Course { recorder: recorder.clone() });
        }));
        stop.store(true, SeqCst);
        if let Err(panic) = acted {
            eprintln!("{}", recorder.report());
            std::panic::resume_unwind(panic);
        }
        wait_for(async { tokio::time::timeout(crate::DEADLINE, all_written).await })
            .expect("every task ends")
            .expect("the writers have not failed");
        let report = recorder.report();
        println!("{report}");
        report
    }

    /// Every document is what it should be: as clients see it, on every node, and so often on all of them together.
    pub fn check(&self, cluster: &mut Cluster, copies: usize) {
        copies::check(self, cluster, copies);
    }

    /// How many of the documents that stay as they are each node holds that the gateway knows.
    pub fn held(&self, cluster: &mut Cluster) -> BTreeMap<String, u64> {
        copies::held(self, cluster)
    }

    /// How many documents have to move at the least from these shares of the nodes to those.
    pub fn least_moved(&self, before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> u64 {
        copies::least_moved(self, before, after)
    }

    /// Has the gateway compare all copies, and mend them where that is wanted; what it says.
    pub fn compare(&self, mend: bool) -> Value {
        copies::compared(&self.client, mend)
    }

    async fn search(self, recorder: Arc<Recorder>, stop: Arc<AtomicBool>) {
        let mut due = paced(self.pace.searches);
        for number in 0.. {
            due.tick().await;
            if stop.load(SeqCst) {
                return;
            }
            let (load, recorder) = (self.clone(), recorder.clone());
            spawn(async move {
                let start = Instant::now();
                let outcome = searches::search(&load, number).await;
                recorder.searched(start, outcome);
            });
        }
    }

    async fn write(self, recorder: Arc<Recorder>, stop: Arc<AtomicBool>) {
        let all_sent = AtomicBool::new(false);
        let sending = async {
            tokio::join!(writes::add(&self, &recorder, &stop), writes::change(&self, &recorder, &stop));
            all_sent.store(true, SeqCst);
        };
        tokio::join!(sending, writes::follow(&self, &recorder, &all_sent));
    }

    async fn send(&self, request: crate::Request) -> Result<Answer, Unreachable> {
        request.answer(PATIENCE).await
    }
}

/// Ticks so often a second; those that come too late come all the same.
fn paced(per_second: u32) -> tokio::time::Interval {
    let mut due = interval(Duration::from_secs(1) / per_second.max(1));
    due.set_missed_tick_behavior(MissedTickBehavior::Burst);
    due
}

// === impl Course ===

impl Course {
    /// From now on this is going on.
    pub fn begins(&self, phase: &str) {
        self.recorder.begins(phase);
    }

    /// This goes on for so long.
    pub fn spends(&self, phase: &str, time: Duration) {
        self.begins(phase);
        std::thread::sleep(time);
    }
}
