//! Functions that edit documents are tried out before any document is changed: one that fails on a document fails its task,
//! and leaves nothing behind on the nodes where it would not have failed.
//!
//! The nodes run the function over the documents as they will be when its turn comes, and keep them as they are. A node that
//! holds a copy of everything by itself needs none of this: it changes nothing where the function fails.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use http::Method;
use miroir_nodes::{Node, one_falls_silent};
use miroir_protocol::error::ResponseError;
use miroir_shard::{SlotSet, slots_filter};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    applier::{Blame, NodeTasks, Report, Sender},
    edition,
    payloads::Payloads,
    progress::Progress,
    steps::{among, json_step},
    topology::{CurrentTopology, Topology},
};

/// How soon it is tried again where no group could do it.
const RETRY: Duration = Duration::from_millis(500);
/// How often nodes may fail over it for no clear reason before the function is at fault.
const UNCLEAR_RETRIES: u32 = 5;
const FIRST_LOOK: Duration = Duration::from_millis(5);
const SLOWEST_LOOK: Duration = Duration::from_millis(100);

/// A function and the documents it is for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edit<'a> {
    /// The entry. Everything before it is done.
    pub(super) uid: u32,
    pub(super) index: &'a str,
    pub(super) primary_key: &'a str,
    pub(super) function: &'a str,
    pub(super) context: Option<&'a Value>,
    pub(super) filter: Option<&'a Value>,
}

/// Has nodes try functions out.
pub(super) struct Rehearsals {
    topology: CurrentTopology,
    progress: Arc<Progress>,
    payloads: Arc<Payloads>,
    /// What the tasks of it are tagged with: they are for no entry.
    log: String,
}

/// What came of it on one node.
enum Played {
    Fine,
    Failed(ResponseError),
    /// The node failed over it, and might not another time.
    Unclear(ResponseError),
    /// Nobody could be asked.
    Nowhere,
}

// === impl Rehearsals ===

impl Rehearsals {
    pub(super) fn new(
        topology: CurrentTopology,
        progress: Arc<Progress>,
        payloads: Arc<Payloads>,
        log: &str,
    ) -> Self {
        Self { topology, progress, payloads, log: format!("{log}.tried") }
    }

    /// Whether a function may fail on some nodes of a group and not on others, and can be tried out.
    pub(super) fn are_needed(&self, primary_key: &str) -> bool {
        if !edition::can_be_rehearsed(primary_key) {
            return false;
        }
        let topology = self.topology.load();
        let nodes = topology.map.nodes();
        (0..topology.map.groups().len())
            .any(|group| nodes.iter().filter(|node| usize::from(node.group) == group).nth(1).is_some())
    }

    /// What a function fails with on some document, if it does. Goes on until some group has told.
    pub(super) async fn failure(&self, edit: Edit<'_>) -> Option<ResponseError> {
        let mut unclear = 0;
        loop {
            for group in 0..self.topology.load().map.groups().len() {
                let error = match self.play_in(group, edit).await {
                    Played::Fine => return None,
                    Played::Nowhere => continue,
                    Played::Unclear(_) if unclear < UNCLEAR_RETRIES => {
                        unclear += 1;
                        continue;
                    }
                    Played::Unclear(error) | Played::Failed(error) => error,
                };
                return Some(edition::in_the_clients_lines(error));
            }
            sleep(RETRY).await;
        }
    }

    /// Every document of a group counts once: of the nodes that own it, one runs the function over it.
    async fn play_in(&self, group: usize, edit: Edit<'_>) -> Played {
        let topology = self.topology.load();
        let code_bits = topology.map.code_bits();
        let Some(cast) = self.cast(&topology, group, edit.uid) else { return Played::Nowhere };
        drop(topology);
        let mut playing = tokio::task::JoinSet::new();
        let function = edition::rehearsed(edit.function, edit.primary_key);
        for (node, slots) in cast {
            let own = slots_filter(&slots, code_bits);
            let filter = among(edit.filter, Some(own));
            let body = json!({ "function": function, "context": edit.context, "filter": filter });
            let path = format!("/indexes/{}/documents/edit", edit.index);
            let sender = Sender::new(node.clone(), self.payloads.clone(), self.log.clone());
            playing.spawn(async move {
                tokio::select! {
                    biased;
                    played = play(node.clone(), sender, path, body) => played,
                    // Another group is asked, and everything behind it waits no longer.
                    () = one_falls_silent([&node]) => Played::Nowhere,
                }
            });
        }
        let mut worst = Played::Fine;
        while let Some(played) = playing.join_next().await {
            worst = worst.or(played.unwrap_or(Played::Nowhere));
        }
        worst
    }

    /// The slots of each node that plays; none where some slot's owners are away or behind.
    fn cast(&self, topology: &Topology, group: usize, uid: u32) -> Option<Vec<(Node, SlotSet)>> {
        let (map, mut cast) = (&topology.map, BTreeMap::<&str, SlotSet>::new());
        let plays = |name: &str| {
            let answers = topology.fleet.get(name).is_some_and(|node| node.health().answers());
            answers && self.progress.applied(name) >= uid
        };
        let group = map.groups().get(group)?;
        for shard in map.shards() {
            let owners = group.owners(shard).iter().filter(|owner| owner.state.is_read());
            let mut names = owners.filter_map(|owner| map.node(owner.node)).map(|node| node.name.as_str());
            let name = names.find(|name| plays(name))?;
            cast.entry(name).or_default().extend(map.slots_of(shard));
        }
        let client = |name: &str| topology.fleet.get(name).map(Node::with_own_connections);
        cast.into_iter().map(|(name, slots)| Some((client(name)?, slots))).collect()
    }
}

async fn play(node: Node, mut sender: Sender, path: String, body: Value) -> Played {
    let step = json_step(Method::POST, path, Some(body), None);
    let Ok(task) = sender.send_alone(&step, None).await else { return Played::Nowhere };
    let Some(uid) = task.uid else {
        return task.error().map_or(Played::Nowhere, |error| played(error.clone()));
    };
    let tasks = NodeTasks::new(node, String::new());
    let mut pause = FIRST_LOOK;
    loop {
        match tasks.look(&[uid]).await.ok().and_then(|mut reports| reports.remove(&uid)) {
            None => return Played::Nowhere,
            Some(Report::Succeeded(_)) => return Played::Fine,
            Some(Report::Failed { error }) => return played(error),
            Some(Report::Open) => sleep(pause).await,
        }
        pause = (pause * 2).min(SLOWEST_LOOK);
    }
}

fn played(error: ResponseError) -> Played {
    match Blame::of(&error) {
        Blame::Write => Played::Failed(error),
        Blame::Unclear => Played::Unclear(error),
        Blame::Node => Played::Nowhere,
    }
}

// === impl Played ===

impl Played {
    /// What it comes to on two nodes: a failure for good is one whatever the other says.
    fn or(self, other: Self) -> Self {
        let rank = |played: &Self| match played {
            Self::Fine => 0,
            Self::Unclear(_) => 1,
            Self::Nowhere => 2,
            Self::Failed(_) => 3,
        };
        if rank(&other) > rank(&self) { other } else { self }
    }
}
