//! The network between a gateway and model nodes, in memory: slow, lossy, cut, and fair only in the end.

use std::{collections::BTreeMap, convert::Infallible, io, sync::Arc, time::Duration};

use http::{Method, Request};
use http_body_util::BodyExt;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use miroir_nodes::{Dial, Dialing, Stream};
use parking_lot::Mutex;
use tokio::{
    io::{DuplexStream, duplex},
    sync::Notify,
    time::sleep,
};

use super::{chance::Chance, planted::Bug};
use crate::fake::{Answer, Dropped, FakeNode, answer};

/// What a connection holds that has not been read, in bytes.
const IN_FLIGHT: usize = 64 << 10;
/// How long a node takes over its tasks.
const WORK: Duration = Duration::from_millis(20);

/// How the way to a node is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weather {
    /// The longest that a request takes there, and an answer back.
    pub(crate) slowest: Duration,
    /// Of a hundred requests so many are lost on the way there.
    pub(crate) lost_before: u32,
    /// Of a hundred answers so many are lost on the way back.
    pub(crate) lost_after: u32,
    /// Whether nothing gets through, and nobody is told.
    pub(crate) cut: bool,
}

impl Weather {
    pub(crate) const CALM: Self =
        Self { slowest: Duration::from_millis(1), lost_before: 0, lost_after: 0, cut: false };
}

/// A node and the way to it.
struct Host {
    node: FakeNode,
    weather: Mutex<Weather>,
    /// Something to do has come, or something has changed.
    stirred: Notify,
}

/// All nodes there are. Clones are of the same network.
#[derive(Clone)]
pub(crate) struct Network {
    hosts: Arc<Mutex<BTreeMap<String, Arc<Host>>>>,
    chance: Chance,
    bug: Option<Bug>,
}

// === impl Network ===

impl Network {
    pub(crate) fn new(chance: Chance, bug: Option<Bug>) -> Self {
        Self { hosts: Arc::default(), chance, bug }
    }

    /// The bug that is planted.
    pub(crate) fn bug(&self) -> Option<Bug> {
        self.bug
    }

    /// A new node at an address of its own, which works through its queue.
    pub(crate) fn add(&self, name: &str) -> FakeNode {
        let node = FakeNode::new(name, &format!("{name}:7700"));
        node.with_state(|state| state.works_when_asked = false);
        let host =
            Arc::new(Host { node: node.clone(), weather: Mutex::new(Weather::CALM), stirred: Notify::new() });
        self.hosts.lock().insert(node.authority.clone(), host.clone());
        tokio::spawn(work(host, self.chance.clone()));
        node
    }

    /// Changes the way to a node.
    pub(crate) fn set_weather(&self, node: &FakeNode, weather: Weather) {
        let host = self.host(&node.authority);
        *host.weather.lock() = weather;
        host.stirred.notify_waiters();
    }

    /// Has a node look again whether there is something to do.
    pub(crate) fn stir(&self, node: &FakeNode) {
        self.host(&node.authority).stirred.notify_waiters();
    }

    fn host(&self, authority: &str) -> Arc<Host> {
        self.hosts.lock().get(authority).cloned().expect("a host")
    }

    async fn connect(self, authority: String) -> io::Result<Box<dyn Stream>> {
        let host = self.host(&authority);
        let weather = *host.weather.lock();
        self.chance.delay(weather.slowest).await;
        host.passable().await;
        if host.node.is_down() {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let (near, far) = duplex(IN_FLIGHT);
        tokio::spawn(self.serve(host, far));
        Ok(Box::new(near))
    }

    async fn serve(self, host: Arc<Host>, stream: DuplexStream) {
        let service = service_fn(|request| self.answer(&host, request));
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::select! {
            biased;
            () = host.node.goes_down() => {}
            _ = connection => {}
        }
    }

    async fn answer(&self, host: &Host, request: Request<Incoming>) -> Answer {
        let (head, body) = request.into_parts();
        let Ok(body) = body.collect().await else { return Err(Dropped) };
        let Weather { slowest, lost_before, lost_after, .. } = *host.weather.lock();
        self.chance.delay(slowest).await;
        host.passable().await;
        // What it was sent for: between the log's name and the mark of when that came, which are others in each run.
        let tag =
            head.uri.query().and_then(|query| query.split_once("customMetadata=miroir:")?.1.split_once(':'));
        let tag = tag.map(|(_, tag)| tag.rsplit_once(':').map_or(tag, |(entries, _)| entries));
        let tag = tag.map_or(String::new(), |entries| format!(" for {entries}"));
        let what = || format!("{} {} {}{tag}", host.node.name, head.method, head.uri.path());
        if self.chance.happens(lost_before) {
            self.chance.note(|| format!("{} lost on its way", what()));
            return Err(Dropped);
        }
        let body = body.to_bytes();
        let response = match self.bug {
            Some(bug) => bug.answer(&host.node, &head.method, &head.uri, &body),
            None => host.node.with_state(|state| answer(state, &head.method, &head.uri, &body)),
        };
        let status = response.as_ref().map_or(0, |response| response.status().as_u16());
        self.chance.note(|| format!("{} {status}", what()));
        if head.method != Method::GET {
            host.stirred.notify_waiters();
        }
        if self.chance.happens(lost_after) {
            self.chance.note(|| format!("{} answer lost", what()));
            return Err(Dropped);
        }
        self.chance.delay(slowest).await;
        host.passable().await;
        response
    }
}

impl Dial for Network {
    fn dial(&self, authority: &str) -> Dialing {
        Box::pin(self.clone().connect(authority.to_owned()))
    }
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Network").finish_non_exhaustive()
    }
}

// === impl Host ===

impl Host {
    /// Waits until something gets through to the node.
    async fn passable(&self) {
        loop {
            let stirred = self.stirred.notified();
            if !self.weather.lock().cut {
                return;
            }
            stirred.await;
        }
    }
}

/// Does a node's tasks for as long as there is a world. What a crash meets half-way begins anew.
async fn work(host: Arc<Host>, chance: Chance) -> Infallible {
    loop {
        let stirred = host.stirred.notified();
        let batch = host.node.with_state(|state| state.next_batch()).filter(|_| !host.node.is_down());
        let Some(batch) = batch else {
            stirred.await;
            continue;
        };
        chance.delay(WORK).await;
        if host.node.is_down() {
            // Whatever was begun begins anew.
            sleep(WORK).await;
            continue;
        }
        host.node.with_state(|state| state.finish(batch));
        chance.note(|| format!("{} has worked", host.node.name));
    }
}
