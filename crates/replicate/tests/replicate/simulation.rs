//! Writes and faults by chance, and at the end what a model without faults says.
//!
//! `REPLICATE_SEED=7` runs one seed, `REPLICATE_SEEDS=100` so many; a failure names its own.

use std::collections::BTreeMap;

use miroir_log::{Log, Method, Operation, Selection};
use miroir_protocol::tasks::{Swap, TaskStatus};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Map, Value, json};

use crate::{
    fake::{FakeNode, Index, Op},
    rig::Rig,
};

const INDEXES: [&str; 2] = ["movies", "books"];
const IDS: u32 = 40;
const STEPS: usize = 60;

/// One write, as the model does it.
#[derive(Clone, Debug)]
pub(crate) enum Write {
    Documents(Op),
    DeleteIndex,
    Settings(u32),
    /// The two indexes change places.
    Swap,
    /// So many of the newest tasks are canceled, as far as no node has been sent them.
    Cancel(u32),
}

fn document(dice: &mut StdRng, with_bad: bool) -> Map<String, Value> {
    let mut document = json!({ "id": dice.random_range(0..IDS), "n": 0 });
    let field = ["a", "b", "c"][dice.random_range(0..3)];
    document[field] = dice.random_range(0..3).into();
    if with_bad && dice.random_ratio(1, 20) {
        document["bad"] = true.into();
    }
    document.as_object().cloned().unwrap_or_default()
}

pub(crate) fn write(dice: &mut StdRng, with_bad: bool) -> Write {
    let ids = |dice: &mut StdRng| (0..3).map(|_| dice.random_range(0..IDS).to_string()).collect();
    match dice.random_range(0..40) {
        0 => Write::DeleteIndex,
        1..3 => Write::Settings(dice.random_range(0..100)),
        3..6 => Write::Documents(Op::DeleteIds(ids(dice))),
        6..8 => Write::Documents(Op::DeleteWhere(json!(format!("a = {}", dice.random_range(0..3))))),
        8 => Write::Documents(Op::Clear),
        9..12 => Write::Documents(Op::Edit(Value::Null)),
        12 => Write::Swap,
        13 => Write::Cancel(dice.random_range(1..6)),
        kind => {
            let count = dice.random_range(1..4);
            let documents = (0..count).map(|_| document(dice, with_bad)).collect();
            let (merge, skip) = (kind < 24, kind < 16);
            Write::Documents(Op::Put { documents, merge, skip, primary_key: None })
        }
    }
}

pub(crate) async fn append(rig: &Rig, index: &str, write: &Write) -> u32 {
    let operation = match write {
        Write::Swap => {
            let indexes = (INDEXES[0].to_owned(), INDEXES[1].to_owned());
            return rig
                .append_to(None, Operation::IndexSwap { swaps: vec![Swap { indexes, rename: false }] })
                .await;
        }
        Write::Cancel(count) => {
            let next = rig.log().positions().next;
            let tasks = (next.saturating_sub(*count)..next).collect();
            return rig.append_to(None, Operation::TaskCancelation { query: String::new(), tasks }).await;
        }
        Write::DeleteIndex => Operation::IndexDeletion,
        Write::Settings(number) => Operation::SettingsUpdate {
            settings: json!({ "stopWords": [number.to_string()] }),
            is_deletion: false,
            allow_index_creation: true,
        },
        Write::Documents(Op::DeleteIds(ids)) => {
            Operation::DocumentDeletion { selection: Selection::ByIds { ids: ids.clone() } }
        }
        Write::Documents(Op::DeleteWhere(filter)) => {
            Operation::DocumentDeletion { selection: Selection::ByFilter { filter: filter.clone() } }
        }
        Write::Documents(Op::Edit(_)) => {
            Operation::DocumentEdition { function: "doc.n += 1".to_owned(), context: None, filter: None }
        }
        Write::Documents(Op::Put { documents, merge, skip, .. }) => {
            let documents: Vec<Value> = documents.iter().cloned().map(Value::Object).collect();
            rig.documents(&documents, if *merge { Method::Update } else { Method::Replace }, *skip)
        }
        Write::Documents(_) => Operation::DocumentDeletion { selection: Selection::All },
    };
    rig.append(index, operation).await
}

/// What one node is to hold: each write's part for it, all or nothing.
#[derive(Default)]
struct Model(BTreeMap<String, Index>);

impl Model {
    /// Whether the write went well on this node.
    fn apply(&mut self, rig: &Rig, node: &FakeNode, uid: &str, write: &Write) -> bool {
        let op = match write {
            Write::DeleteIndex => return self.0.remove(uid).is_some(),
            Write::Cancel(_) => return true,
            Write::Swap => {
                let both = INDEXES.map(|uid| self.0.get(uid).cloned());
                let [Some(left), Some(right)] = both else { return false };
                self.0.insert(INDEXES[0].to_owned(), right);
                self.0.insert(INDEXES[1].to_owned(), left);
                return true;
            }
            Write::Settings(number) => {
                let index = self.0.entry(uid.to_owned()).or_default();
                index.settings.insert("stopWords".to_owned(), json!([number.to_string()]));
                return true;
            }
            Write::Documents(Op::Put { documents, merge, skip, .. }) => {
                let owned = |document: &&Map<String, Value>| rig.owns(node, &document["id"].to_string());
                let documents = documents.iter().filter(owned).cloned().collect();
                let primary_key = Some("id".to_owned());
                self.0.entry(uid.to_owned()).or_default();
                Op::Put { documents, merge: *merge, skip: *skip, primary_key }
            }
            Write::Documents(op) => op.clone(),
        };
        let Some(index) = self.0.get_mut(uid) else { return false };
        let mut changed = index.clone();
        changed.primary_key.get_or_insert_with(|| "id".to_owned());
        let went_well = changed.change(&op).is_ok();
        if went_well {
            *index = changed;
        }
        went_well
    }
}

async fn fault(rig: &mut Rig, dice: &mut StdRng) {
    let node = rig.nodes[dice.random_range(0..rig.nodes.len())].clone();
    match dice.random_range(0..13) {
        12 => node.lose_queue(),
        0 => node.drop_before(1),
        1 | 2 => node.drop_after(1),
        3 => node.set_down(true),
        4 | 5 => node.set_down(false),
        6 => node.hold(true),
        7 | 8 => node.hold(false),
        9 => node.fill_disk(1),
        10 => node.set_batch(dice.random_range(1..20)),
        _ => rig.restart().await,
    }
}

fn heal(rig: &Rig) {
    for node in &rig.nodes {
        node.set_down(false);
        node.hold(false);
        node.fill_disk(0);
        node.drop_before(0);
        node.drop_after(0);
    }
}

async fn simulate(seed: u64) {
    let mut dice = StdRng::seed_from_u64(seed);
    let groups: &[usize] = if dice.random() { &[3] } else { &[2, 1] };
    let mut rig = Rig::start(groups).await;
    let mut writes = Vec::new();
    for _ in 0..STEPS {
        for _ in 0..dice.random_range(1..5) {
            let index = INDEXES[usize::from(dice.random_ratio(1, 4))];
            let write = write(&mut dice, true);
            let uid = append(&rig, index, &write).await;
            assert_eq!(uid as usize, writes.len(), "uids have no gaps");
            writes.push((index, write));
        }
        if dice.random_ratio(1, 2) {
            fault(&mut rig, &mut dice).await;
        }
        if dice.random_ratio(1, 4) {
            // Lets some of it happen; how much is chance.
            tokio::time::sleep(std::time::Duration::from_millis(dice.random_range(0..30))).await;
        }
    }
    heal(&rig);
    let last = writes.len() as u32 - 1;
    rig.finished(last).await;
    rig.applied_everywhere(last).await;
    check(&rig, &writes, seed).await;
}

/// Every node holds what the model says, and every task says what became of it.
async fn check(rig: &Rig, writes: &[(&str, Write)], seed: u64) {
    let mut models: Vec<Model> = rig.nodes.iter().map(|_| Model::default()).collect();
    for (uid, (index, write)) in writes.iter().enumerate() {
        let mut went_well = true;
        if rig.task(uid as u32).await.status == TaskStatus::Canceled {
            continue;
        }
        for (model, node) in models.iter_mut().zip(&rig.nodes) {
            went_well &= model.apply(rig, node, index, write);
        }
        let task = rig.task(uid as u32).await;
        let expected = if went_well { TaskStatus::Succeeded } else { TaskStatus::Failed };
        assert_eq!(task.status, expected, "seed {seed}, {index}: {write:?}: {task:?}");
    }
    for (model, node) in models.iter().zip(&rig.nodes) {
        assert_eq!(node.indexes(), model.0.keys().cloned().collect::<Vec<_>>(), "seed {seed}, {}", node.name);
        for (uid, expected) in &model.0 {
            let found = node.index(uid).unwrap_or_default();
            let filterable = found.settings.get("filterableAttributes");
            assert_eq!(filterable, Some(&json!(["_miroir.s"])), "seed {seed}: {uid} on {}", node.name);
            assert!(found.documents.is_empty() || found.primary_key.as_deref() == Some("id"), "seed {seed}");
            assert_eq!(found.settings.get("stopWords"), expected.settings.get("stopWords"), "seed {seed}");
            let documents = node.documents(uid);
            assert_eq!(documents, expected.documents, "seed {seed}: {uid} on {}", node.name);
        }
    }
    assert_eq!(rig.log().positions().next as usize, writes.len());
    assert_eq!(rig.progress().backlog(), 0, "seed {seed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_fails_every_copy_ends_as_if_nothing_had() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match number("REPLICATE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("REPLICATE_SEEDS").unwrap_or(6),
    };
    for seed in seeds {
        simulate(seed).await;
    }
}
