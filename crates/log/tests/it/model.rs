//! Random calls, restarts and failures, against a model that is a few vectors.

use std::collections::BTreeMap;

use miroir_log::{LogError, Positions, failpoints::Action};
use miroir_protocol::tasks::TaskStatus;
use proptest::prelude::*;
use serde_json::json;

use crate::{
    conformance::Backend,
    sqlite::OnDisk,
    support::{all, documents, payload, put, succeeded},
};

#[derive(Debug, Clone)]
enum Step {
    Append {
        bytes: usize,
    },
    Prepare {
        count: u32,
    },
    Start {
        from: u32,
        count: u32,
    },
    Finish {
        from: u32,
        count: u32,
    },
    Advance {
        node: u8,
        uid: u32,
    },
    Trim {
        below: u32,
    },
    Reopen,
    /// The next write meets this.
    Arm {
        stop: bool,
        point: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0_usize..80_000).prop_map(|bytes| Step::Append { bytes }),
        3 => (1_u32..5).prop_map(|count| Step::Prepare { count }),
        3 => (0_u32..30, 0_u32..4).prop_map(|(from, count)| Step::Start { from, count }),
        4 => (0_u32..30, 1_u32..4).prop_map(|(from, count)| Step::Finish { from, count }),
        3 => (0_u8..3, 0_u32..30).prop_map(|(node, uid)| Step::Advance { node, uid }),
        2 => (0_u32..30).prop_map(|below| Step::Trim { below }),
        1 => Just(Step::Reopen),
        2 => (any::<bool>(), 0_usize..3).prop_map(|(stop, point)| Step::Arm { stop, point }),
    ]
}

#[derive(Debug, Clone, Default)]
struct Model {
    statuses: Vec<TaskStatus>,
    head: u32,
    trimmed: u32,
    watermarks: BTreeMap<String, u32>,
}

impl Model {
    fn next(&self) -> u32 {
        u32::try_from(self.statuses.len()).unwrap()
    }

    /// What the step does if it is let; whether it is.
    fn take(&mut self, step: &Step) -> bool {
        let next = self.next();
        match *step {
            Step::Append { .. } => self.statuses.push(TaskStatus::Enqueued),
            Step::Prepare { count } => {
                if self.head + count > next {
                    return false;
                }
                self.head += count;
            }
            Step::Start { from, count } => {
                let Some(tasks) = self.statuses.get_mut(from as usize..(from + count) as usize) else {
                    return count == 0;
                };
                let waiting = tasks.iter_mut().filter(|status| **status == TaskStatus::Enqueued);
                waiting.for_each(|status| *status = TaskStatus::Processing);
            }
            Step::Finish { from, count } => {
                match self.statuses.get_mut(from as usize..(from + count) as usize) {
                    Some(tasks) if tasks.iter().all(|status| !status.is_finished()) => {
                        tasks.fill(TaskStatus::Succeeded);
                    }
                    _ => return false,
                }
            }
            Step::Advance { uid, .. } if uid >= next => return false,
            Step::Advance { node, uid } => {
                let mark = self.watermarks.entry(format!("node-{node}")).or_default();
                *mark = uid.max(*mark);
            }
            Step::Trim { below } => {
                let open = self.statuses.iter().position(|status| !status.is_finished());
                let end = below.min(open.map_or(next, |open| u32::try_from(open).unwrap()));
                self.trimmed = self.trimmed.max(end);
            }
            Step::Reopen | Step::Arm { .. } => {}
        }
        true
    }
}

async fn run(backend: &mut OnDisk, step: &Step, next: u32) -> Result<(), LogError> {
    let log = backend.log();
    match *step {
        Step::Append { bytes } => {
            let entry = documents("movies", payload(log, next as usize, bytes));
            log.append(entry).await.map(|entry| assert_eq!(entry.uid, next))
        }
        Step::Prepare { count } => {
            let head = log.positions().head;
            log.record_prepared((head..head + count).map(|uid| (uid, json!(uid))).collect()).await
        }
        Step::Start { from, count } => log.start(&(from..from + count).collect::<Vec<_>>()).await.map(drop),
        Step::Finish { from, count } => {
            let end =
                |uid| miroir_log::Finished { catalog: vec![put(&format!("made-{uid}"))], ..succeeded(uid) };
            log.finish((from..from + count).map(end).collect()).await
        }
        Step::Advance { node, uid } => log.advance(&format!("node-{node}"), uid, None).await,
        Step::Trim { below } => log.trim(below).await.map(drop),
        Step::Reopen => {
            backend.reopen();
            Ok(())
        }
        Step::Arm { stop, point } => {
            let point = ["write.begin", "write.applied", "write.commit"][point];
            backend.failpoints.arm(point, if stop { Action::Stop } else { Action::Full }, 0);
            Ok(())
        }
    }
}

async fn check_invariants(backend: &OnDisk, model: &Model) {
    let log = backend.log();
    let expected = Positions { next: model.next(), head: model.head, trimmed: model.trimmed };
    assert_eq!(log.positions(), expected);
    let entries = all(log).await;
    assert!(entries.iter().map(|logged| logged.entry.uid).eq(0..model.next()));
    assert!(entries.iter().map(|logged| logged.status).eq(model.statuses.iter().copied()));
    for logged in &entries {
        let uid = logged.entry.uid;
        assert_eq!(logged.prepared, (uid < model.head).then(|| json!(uid)));
        let payload = logged.entry.operation.payload();
        let opened = payload.map(|payload| log.spool().open(payload).is_ok());
        assert_eq!(opened, payload.map(|_| uid >= model.trimmed));
        let made = log.catalog().index(&format!("made-{uid}")).is_some();
        assert_eq!(made, logged.status == TaskStatus::Succeeded);
    }
    assert_eq!(log.watermarks().await.unwrap(), model.watermarks);
}

async fn simulate(steps: Vec<Step>) {
    let mut backend = OnDisk::create();
    let mut model = Model::default();
    for step in steps {
        let mut after = model.clone();
        let allowed = after.take(&step);
        match run(&mut backend, &step, model.next()).await {
            Ok(()) => {
                assert!(allowed, "{step:?} was let");
                model = after;
            }
            Err(LogError::Closed) => backend.reopen(),
            Err(LogError::StorageFull) => {}
            Err(error) => assert!(!allowed, "{step:?}: {error:?}"),
        }
        check_invariants(&backend, &model).await;
    }
    backend.reopen();
    check_invariants(&backend, &model).await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_sequence_of_calls_failures_and_restarts_keeps_the_order(
        steps in prop::collection::vec(step(), 1..50),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        runtime.block_on(simulate(steps));
    }
}
