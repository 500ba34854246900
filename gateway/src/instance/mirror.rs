//! What every node is to have beside documents and settings: told to each of them until it has it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::{Method, StatusCode, Uri};
use miroir_nodes::{Fleet, Node, NodeRequest, one_falls_silent};
use miroir_protocol::error::{Code, ResponseError};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::Notify;

use super::rules::{self, Rules};
use crate::state::Gateway;

const TIMEOUT: Duration = Duration::from_secs(5);
/// How often nodes that have not got everything are tried again.
const AGAIN: Duration = Duration::from_secs(2);
/// How often every node is told everything: it may have been put back to an earlier state.
const ROUND: Duration = Duration::from_secs(300);

/// A state that every node is to be brought into, whatever its state was.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wanted {
    /// A later one of the same name takes its place. Nodes are told in the order of names.
    pub name: String,
    /// What it takes.
    pub wish: Wish,
}

/// What brings a node into a state.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Wish {
    /// One request.
    Request {
        /// Its method.
        method: Method,
        /// Its path.
        path: String,
        /// Its body.
        body: Option<Value>,
    },
    /// These dynamic search rules and no others.
    Rules(Arc<Rules>),
}

/// What is wanted of the nodes, and which of them have it.
#[derive(Debug, Default)]
pub(crate) struct Mirror {
    state: Mutex<State>,
    /// By node, whose turn it is to tell it: what one teller says of a state that is wanted no more must not come behind what
    /// another one says of the next.
    turns: Mutex<BTreeMap<String, Arc<Turn>>>,
    more: Notify,
    /// How often something else was wanted, or a node got what it had not.
    changes: AtomicU64,
}

type Turn = tokio::sync::Mutex<()>;

#[derive(Debug, Default)]
struct State {
    wanted: BTreeMap<String, Wanted>,
    /// By node, the names of what it has.
    had: BTreeMap<String, BTreeSet<String>>,
    /// Members of bodies that a node's version does not know, by node.
    lacking: BTreeMap<String, BTreeSet<String>>,
}

/// What a node made of what it was told.
pub(super) enum Told {
    Done,
    /// It will never take it.
    Refused(ResponseError),
    Unreachable,
}

// === impl Mirror ===

impl Mirror {
    /// Wants this of every node from now on.
    pub(crate) fn want(&self, wanted: Wanted) {
        let mut state = self.state.lock();
        state.had.values_mut().for_each(|had| _ = had.remove(&wanted.name));
        state.wanted.insert(wanted.name.clone(), wanted);
        drop(state);
        self.changes.fetch_add(1, Ordering::AcqRel);
        self.more.notify_one();
    }

    /// Whether no node knows this member of what they were told. A fleet of which one node knows it is on its way to a
    /// version that does, and so, for all that is known, is one that was not told yet.
    pub(crate) fn is_unknown(&self, member: &str) -> bool {
        let state = self.state.lock();
        let lacks = |node| state.lacking.get(node).is_some_and(|lacking| lacking.contains(member));
        !state.had.is_empty() && state.had.keys().all(lacks)
    }

    /// Tells a node that joins, or begins anew, everything: it has nothing of what it was told before. False where it cannot be
    /// told now.
    pub(crate) async fn introduce(&self, node: Node) -> bool {
        self.state.lock().had.remove(node.name());
        // One that has lost its data is not asked anything otherwise.
        self.tell(&node.unvouched()).await
    }

    /// Tells the nodes that are up what they have not got, once. One that turns out to hang is not waited for.
    pub(crate) async fn settle(&self, gateway: &Gateway) -> bool {
        self.settle_with(&gateway.topology.load().fleet).await
    }

    async fn settle_with(&self, fleet: &Fleet) -> bool {
        let up = fleet.iter().filter(|node| node.health().is_up()).cloned();
        let told = futures_util::future::join_all(up.map(|node| self.tell_while_it_answers(node))).await;
        told.into_iter().all(|told| told) && fleet.iter().all(|node| node.health().is_up())
    }

    async fn tell_while_it_answers(&self, node: Node) -> bool {
        tokio::select! {
            biased;
            told = self.tell_all(node.clone()) => told,
            () = one_falls_silent([&node]) => false,
        }
    }

    /// A number that grows whenever nodes may answer otherwise because of what they were told.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// A node whose version does not know this member of a body, of those that were told.
    pub(crate) fn lacks(&self, field: &str) -> Option<String> {
        let state = self.state.lock();
        let mut nodes = state.lacking.iter();
        nodes.find(|(_, fields)| fields.contains(field)).map(|(node, _)| node.clone())
    }

    /// Tells the nodes, for as long as the program runs.
    pub(crate) async fn run(gateway: Gateway) {
        let mirror = &gateway.mirror;
        let mut settled = false;
        loop {
            tokio::select! {
                () = mirror.more.notified() => {}
                () = tokio::time::sleep(if settled { ROUND } else { AGAIN }) => {
                    if settled {
                        mirror.state.lock().had.values_mut().for_each(BTreeSet::clear);
                    }
                }
            }
            settled = mirror.settle(&gateway).await;
        }
    }

    async fn tell_all(&self, node: Node) -> bool {
        // This runs on any runtime, and connections belong to one.
        self.tell(&node.with_own_connections()).await
    }

    async fn tell(&self, node: &Node) -> bool {
        let name = node.name().to_owned();
        let turn = self.turns.lock().entry(name.clone()).or_default().clone();
        let _turn = turn.lock().await;
        for wanted in self.missing(&name) {
            let told = match &wanted.wish {
                Wish::Request { method, path, body } => self.request(node, method, path, body.as_ref()).await,
                Wish::Rules(rules) => rules::tell(node, rules).await,
            };
            self.changes.fetch_add(1, Ordering::AcqRel);
            match told {
                Told::Done => {}
                Told::Refused(error) => {
                    if error.code() == Some(Code::MiroirNotSupported) && matches!(wanted.wish, Wish::Rules(_))
                    {
                        let mut state = self.state.lock();
                        state.lacking.entry(name.clone()).or_default().insert(rules::FEATURE.to_owned());
                    }
                    let (what, error) = (&wanted.name, error.message());
                    match &wanted.wish {
                        // An old version lacks nothing as long as there are none.
                        Wish::Rules(rules) if rules.is_empty() => {
                            tracing::debug!(node = name, what, error, "node refuses it");
                        }
                        _ => tracing::warn!(node = name, what, error, "node refuses it"),
                    }
                }
                Told::Unreachable => return false,
            }
            let mut state = self.state.lock();
            if state.wanted.get(&wanted.name) == Some(&wanted) {
                state.had.entry(name.clone()).or_default().insert(wanted.name);
            }
        }
        true
    }

    fn missing(&self, node: &str) -> Vec<Wanted> {
        let state = self.state.lock();
        let had = state.had.get(node);
        let missing =
            state.wanted.values().filter(|wanted| had.is_none_or(|had| !had.contains(&wanted.name)));
        missing.cloned().collect()
    }

    /// Tells a node, without the members that it turns out not to know.
    async fn request(&self, node: &Node, method: &Method, path: &str, body: Option<&Value>) -> Told {
        let Ok(path) = path.parse::<Uri>() else { return Told::Done };
        loop {
            let mut body = body.cloned();
            if let (Some(Value::Object(members)), Some(lacking)) =
                (&mut body, self.state.lock().lacking.get(node.name()))
            {
                members.retain(|name, _| !lacking.contains(name));
            }
            let bytes = body.as_ref().map(ToString::to_string).unwrap_or_default();
            let request = NodeRequest::write(method.clone(), path.clone(), bytes);
            let Ok(answer) = node.ask(&request, TIMEOUT).await else { return Told::Unreachable };
            // What is not there is gone.
            let gone = *method == Method::DELETE && answer.status == StatusCode::NOT_FOUND;
            if answer.status.is_success() || gone {
                return Told::Done;
            }
            let Ok(error) = serde_json::from_slice::<ResponseError>(&answer.body) else {
                let error = super::not_supported(format!("the node answers {}", answer.status));
                return if answer.status.is_client_error() {
                    Told::Refused(error)
                } else {
                    Told::Unreachable
                };
            };
            match unknown_field(&error) {
                // Somebody else may have found it out meanwhile; what was not sent is nothing to leave out.
                Some(field) if body.is_some_and(|body| body.get(&field).is_some()) => {
                    tracing::warn!(node = node.name(), field, "node's version does not know it");
                    self.state.lock().lacking.entry(node.name().to_owned()).or_default().insert(field);
                }
                Some(_) => return Told::Refused(error),
                None if answer.status.is_client_error() => return Told::Refused(error),
                None => return Told::Unreachable,
            }
        }
    }
}

fn unknown_field(error: &ResponseError) -> Option<String> {
    let (field, rest) = error.message().strip_prefix("Unknown field `")?.split_once('`')?;
    rest.starts_with(':').then(|| field.to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use miroir_nodes::NodeConfig;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// A node that takes its time over every request, counts them, and has no tasks.
    async fn slow_node(requests: Arc<AtomicUsize>) -> Node {
        node("n", requests, Duration::from_millis(20)).await
    }

    async fn node(name: &str, requests: Arc<AtomicUsize>, takes: Duration) -> Node {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let authority = listener.local_addr().expect("an address").to_string();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let requests = requests.clone();
                tokio::spawn(async move {
                    let mut buffer = [0; 1024];
                    while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                        requests.fetch_add(1, Ordering::SeqCst);
                        tokio::time::sleep(takes).await;
                        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 14\r\n\r\n{\"results\":[]}";
                        stream.write_all(answer).await.expect("written");
                    }
                });
            }
        });
        let config = NodeConfig {
            name: name.to_owned(),
            authority,
            key: None,
            connect_timeout: Duration::from_secs(5),
            max_idle: 1,
            max_answer: 1 << 10,
        };
        Node::new(config).expect("a node")
    }

    #[tokio::test]
    async fn a_node_is_told_by_one_at_a_time_and_once() {
        let requests = Arc::new(AtomicUsize::new(0));
        let node = slow_node(requests.clone()).await;
        let mirror = Mirror::default();
        let wish = Wish::Request { method: Method::DELETE, path: "/chats/x".to_owned(), body: None };
        mirror.want(Wanted { name: "chat".to_owned(), wish });
        let told = tokio::join!(mirror.tell_all(node.clone()), mirror.tell_all(node));
        assert_eq!(told, (true, true));
        assert_eq!(requests.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_node_that_turns_out_to_hang_keeps_nobody_waiting() {
        let (asked, told) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let hanging = node("hanging", asked.clone(), Duration::from_secs(3600)).await;
        let fleet: Fleet = [hanging.clone(), slow_node(told.clone()).await].into_iter().collect();
        let mirror = Mirror::default();
        let wish = Wish::Request { method: Method::DELETE, path: "/chats/x".to_owned(), body: None };
        mirror.want(Wanted { name: "chat".to_owned(), wish });
        let is_noticed = async {
            while asked.load(Ordering::SeqCst) == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            (0..2).for_each(|_| _ = hanging.health().failed());
        };
        let both = async { tokio::join!(mirror.settle_with(&fleet), is_noticed) };
        let (settled, ()) = tokio::time::timeout(TIMEOUT, both).await.expect("before anybody gives up");
        assert!(!settled && mirror.missing("hanging").len() == 1);
        assert_eq!(told.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_node_that_begins_anew_is_told_everything_again() {
        let requests = Arc::new(AtomicUsize::new(0));
        let node = slow_node(requests.clone()).await;
        let mirror = Mirror::default();
        for name in ["chat", "network"] {
            let wish = Wish::Request { method: Method::DELETE, path: format!("/{name}"), body: None };
            mirror.want(Wanted { name: name.to_owned(), wish });
        }
        assert!(mirror.tell_all(node.clone()).await && mirror.introduce(node.clone()).await);
        assert_eq!(requests.load(Ordering::SeqCst), 4);
        assert!(mirror.tell_all(node).await);
        assert_eq!(requests.load(Ordering::SeqCst), 4, "it has everything");
    }

    #[tokio::test]
    async fn a_node_that_has_lost_its_data_can_be_told_what_it_is_to_have() {
        let node = slow_node(Arc::default()).await;
        node.health().has_ended(5);
        let mirror = Mirror::default();
        let wish = Wish::Request { method: Method::DELETE, path: "/chats/x".to_owned(), body: None };
        mirror.want(Wanted { name: "chat".to_owned(), wish });
        assert!(!mirror.tell_all(node.clone()).await, "it is not used any more");
        assert!(mirror.introduce(node).await);
    }

    #[test]
    fn a_member_is_unknown_where_no_node_knows_it() {
        let mirror = Mirror::default();
        assert!(!mirror.is_unknown("new"));
        for name in ["a", "b"] {
            let mut state = mirror.state.lock();
            state.had.insert(name.to_owned(), BTreeSet::new());
            state.lacking.insert(name.to_owned(), ["new".to_owned()].into());
        }
        assert!(mirror.is_unknown("new") && !mirror.is_unknown("old"));
        mirror.state.lock().had.insert("c".to_owned(), BTreeSet::new());
        assert!(!mirror.is_unknown("new"));
    }
}
