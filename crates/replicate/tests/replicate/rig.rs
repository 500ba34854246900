//! A log, nodes, and replication between them, that can be stopped and started again.

use std::{io::Write, sync::Arc, time::Duration};

use miroir_log::{
    Log, Method, NewEntry, Operation, PayloadRef, Selection, SqliteLog, SqliteOptions, StoredMap,
    failpoints::Failpoints,
};
use miroir_nodes::{Fleet, Node, NodeConfig};
use miroir_protocol::tasks::{TaskStatus, TaskView};
use miroir_replicate::{CurrentTopology, NewNode, Progress, Rebalancer, Replication, Topology};
use miroir_shard::{GroupLayout, Layout, NodeLayout, ShardMap, Slot};
use serde_json::Value;
use tempfile::TempDir;

use crate::fake::FakeNode;

/// Long enough for any machine; nothing waits for it unless it has failed.
const LONG: Duration = Duration::from_secs(60);

pub(crate) struct Rig {
    directory: TempDir,
    map: ShardMap,
    /// Whether the fleet changes.
    moving: bool,
    pub(crate) nodes: Vec<FakeNode>,
    /// Where the log fails.
    pub(crate) failpoints: Failpoints,
    running: Option<Running>,
}

struct Running {
    log: Arc<SqliteLog>,
    topology: CurrentTopology,
    rebalancer: Option<Rebalancer>,
    replication: Replication,
    progress: Arc<Progress>,
}

impl Rig {
    /// Groups of so many nodes, named `g0n0`, `g0n1`, ..., each shard once in a group.
    pub(crate) async fn start(groups: &[usize]) -> Self {
        let mut nodes = Vec::new();
        let mut layout = Layout { shard_bits: 6, groups: Vec::new() };
        for (group, count) in groups.iter().enumerate() {
            let names: Vec<String> = (0..*count).map(|node| format!("g{group}n{node}")).collect();
            for name in &names {
                nodes.push(FakeNode::start(name).await);
            }
            let nodes = names.into_iter().map(|name| NodeLayout { name, weight: 1 }).collect();
            layout.groups.push(GroupLayout { name: format!("g{group}"), replicas: 1, nodes });
        }
        let map = ShardMap::place(&layout).expect("a map");
        let directory = TempDir::new().expect("a directory");
        let failpoints = Failpoints::default();
        let mut rig = Self { directory, map, moving: false, nodes, failpoints, running: None };
        rig.resume().await;
        rig
    }

    /// The same, of a fleet that can be changed.
    pub(crate) async fn start_moving(groups: &[usize]) -> Self {
        let mut rig = Self::start(groups).await;
        rig.start_to_move().await;
        rig
    }

    /// From now on the fleet can be changed, and copies are made equal.
    pub(crate) async fn start_to_move(&mut self) {
        self.stop().await;
        self.moving = true;
        self.resume().await;
    }

    /// Opens the log and goes on from what it says.
    pub(crate) async fn resume(&mut self) {
        let options = SqliteOptions::new(self.directory.path()).failpoints(&self.failpoints);
        let log = Arc::new(SqliteLog::open(options).expect("a log"));
        let map = match log.load_map().await.expect("read") {
            Some(stored) => ShardMap::from_bytes(&stored.bytes).expect("a map"),
            None => self.map.clone(),
        };
        let known = self.nodes.iter().filter(|node| map.node_id(&node.name).is_some());
        let fleet: Fleet = known.map(client).collect();
        let topology = CurrentTopology::new(Topology { map, fleet });
        let mut replication = Replication::start(log.clone(), topology.clone()).await.expect("started");
        let progress = replication.progress();
        let connect =
            Arc::new(|node: &NewNode| Some(client_of(&node.name, node.url.strip_prefix("http://")?)));
        let rebalancer = match self.moving {
            true => Some(replication.start_moving(connect).await.expect("started")),
            false => None,
        };
        self.running = Some(Running { log, topology, rebalancer, replication, progress });
    }

    /// Stops in the middle of whatever is going on.
    pub(crate) async fn stop(&mut self) {
        let Running { log, replication, rebalancer, .. } = self.running.take().expect("it runs");
        drop((replication, rebalancer));
        let gone = async {
            while Arc::strong_count(&log) > 1 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(LONG, gone).await.expect("all tasks end");
    }

    /// Starts again with another map in the log.
    pub(crate) async fn restart_with(&mut self, map: &ShardMap) {
        self.stop().await;
        let log = SqliteLog::open(SqliteOptions::new(self.directory.path())).expect("a log");
        let bytes = map.to_bytes().expect("bytes").into();
        log.save_map(StoredMap { epoch: map.epoch(), bytes }).await.expect("kept");
        drop(log);
        self.resume().await;
    }

    /// The log's directory.
    pub(crate) fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// A copy of the log's directory; of a rig that is stopped.
    pub(crate) fn copy_log(&self) -> TempDir {
        let copy = TempDir::new().expect("a directory");
        copy_files(self.directory.path(), copy.path());
        copy
    }

    /// Puts a copy of the log's directory in its place.
    pub(crate) fn put_back(&mut self, copy: TempDir) {
        self.directory = copy;
    }

    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        self.resume().await;
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("it runs")
    }

    pub(crate) fn log(&self) -> &SqliteLog {
        &self.running().log
    }

    pub(crate) fn rebalancer(&self) -> &Rebalancer {
        self.running().rebalancer.as_ref().expect("a fleet that can be changed")
    }

    /// The map as it is now.
    pub(crate) fn current_map(&self) -> ShardMap {
        self.running().topology.load().map.clone()
    }

    /// The client of a node.
    pub(crate) fn client(&self, name: &str) -> Option<Node> {
        self.running().topology.load().fleet.get(name).cloned()
    }

    pub(crate) fn progress(&self) -> &Progress {
        &self.running().progress
    }

    pub(crate) fn node(&self, name: &str) -> &FakeNode {
        self.nodes.iter().find(|node| node.name == name).expect("a node")
    }

    /// Whether a node owns the document of that id.
    pub(crate) fn owns(&self, node: &FakeNode, id: &str) -> bool {
        let node = self.map.node_id(&node.name).expect("in the map");
        self.map.owners(Slot::of(id)).any(|owner| owner.node == node)
    }

    /// The first ids, as numbers, that a node owns.
    pub(crate) fn ids_of(&self, name: &str, count: usize) -> Vec<u32> {
        let node = self.node(name);
        (0..).filter(|id: &u32| self.owns(node, &id.to_string())).take(count).collect()
    }

    /// Puts a write into the log, as the gateway does.
    pub(crate) async fn append(&self, index: &str, operation: Operation) -> u32 {
        self.append_to(Some(index), operation).await
    }

    pub(crate) async fn append_to(&self, index: Option<&str>, operation: Operation) -> u32 {
        self.progress().waits(operation.payload().map_or(0, |payload| payload.bytes));
        let entry = NewEntry { index_uid: index.map(str::to_owned), operation, custom_metadata: None };
        self.log().append(entry).await.expect("appended").uid
    }

    pub(crate) async fn add(&self, index: &str, documents: &[Value]) -> u32 {
        let operation = self.documents(documents, Method::Replace, false);
        self.append(index, operation).await
    }

    pub(crate) fn documents(&self, documents: &[Value], method: Method, skip_creation: bool) -> Operation {
        Self::addition(self.payload(documents), method, skip_creation)
    }

    pub(crate) fn addition(payload: PayloadRef, method: Method, skip_creation: bool) -> Operation {
        Operation::DocumentAdditionOrUpdate {
            method,
            primary_key: Some("id".to_owned()),
            payload,
            allow_index_creation: true,
            skip_creation,
        }
    }

    pub(crate) fn payload(&self, documents: &[Value]) -> PayloadRef {
        payload_in(self.log(), documents)
    }

    pub(crate) async fn delete(&self, index: &str, ids: &[u32]) -> u32 {
        let ids = ids.iter().map(u32::to_string).collect();
        self.append(index, Operation::DocumentDeletion { selection: Selection::ByIds { ids } }).await
    }

    /// Waits for a task to end.
    pub(crate) async fn finished(&self, uid: u32) -> TaskView {
        let mut finished = self.progress().finished();
        let ended = finished.wait_for(|finished| *finished > uid);
        let waited = tokio::time::timeout(LONG, ended).await.map(drop);
        waited.unwrap_or_else(|_| panic!("task {uid} does not end: {}", self.positions()));
        self.task(uid).await
    }

    /// Waits until a task has ended, whatever comes before it.
    pub(crate) async fn over(&self, uid: u32) {
        let ends = async {
            while !self.task(uid).await.status.is_finished() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(LONG, ends).await.unwrap_or_else(|_| panic!("task {uid}: {}", self.positions()));
    }

    pub(crate) async fn task(&self, uid: u32) -> TaskView {
        self.log().task(uid).await.expect("read").expect("a task")
    }

    pub(crate) async fn succeeded(&self, uid: u32) -> TaskView {
        let task = self.finished(uid).await;
        assert_eq!(task.status, TaskStatus::Succeeded, "{task:?}");
        task
    }

    pub(crate) async fn failed(&self, uid: u32, code: &str) -> TaskView {
        let task = self.finished(uid).await;
        assert_eq!(task.error.as_ref().map(|error| error.code_name()), Some(code), "{task:?}");
        task
    }

    /// Waits until a node has applied an entry.
    pub(crate) async fn applied(&self, node: &str, uid: u32) {
        self.until(&format!("{node} applies {uid}"), || self.progress().applied(node) > uid).await;
    }

    /// Waits until every node has applied an entry.
    pub(crate) async fn applied_everywhere(&self, uid: u32) {
        for node in &self.nodes {
            self.applied(&node.name, uid).await;
        }
    }

    /// Waits until something holds. It is looked at whenever a node moves, and from time to time.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let mut moved = self.progress().moved();
        let waiting = async {
            while !holds() {
                let _ = tokio::time::timeout(Duration::from_millis(5), moved.changed()).await;
            }
        };
        let waited = tokio::time::timeout(LONG, waiting).await;
        assert!(waited.is_ok(), "{what} in time: {}", self.positions());
    }

    pub(crate) fn positions(&self) -> String {
        let nodes =
            self.nodes.iter().map(|node| format!("{} {}", node.name, self.progress().applied(&node.name)));
        format!("{:?}, nodes at {}", self.log().positions(), nodes.collect::<Vec<_>>().join(", "))
    }
}

/// A payload with these documents.
pub(crate) fn payload_in(log: &SqliteLog, documents: &[Value]) -> PayloadRef {
    let mut file = log.spool().create();
    for document in documents {
        writeln!(file, "{document}").expect("written");
    }
    file.finish(documents.len() as u64).expect("finished")
}

fn client(node: &FakeNode) -> Node {
    client_of(&node.name, &node.authority)
}

fn client_of(name: &str, authority: &str) -> Node {
    let config = NodeConfig {
        name: name.to_owned(),
        authority: authority.to_owned(),
        key: Some("nodeKey".to_owned()),
        connect_timeout: Duration::from_secs(5),
        max_idle: 2,
        max_answer: 8 << 20,
    };
    Node::new(config).expect("a node")
}

fn copy_files(from: &std::path::Path, to: &std::path::Path) {
    for entry in std::fs::read_dir(from).expect("a directory").map(|entry| entry.expect("an entry")) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir_all(&to).expect("a directory");
            copy_files(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).expect("a file");
        }
    }
}
