//! Bugs that are planted on purpose, one in each module, to see that a simulation finds them.
//!
//! None is in the code that is simulated: they are put between it and what it talks to, where it cannot be told from a bug
//! of its own.

use bytes::Bytes;
use http::{Method, Uri};
use serde_json::Value;

use crate::fake::{Answer, FakeNode, Op, State, answer};

/// A planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    /// The planner: one shard of each plan stays where it is.
    PlanSkipsAMove,
    /// The map: a copy that is being filled counts as one that can be read.
    FillingIsRead,
    /// The log: what was written last before the gateway died is gone.
    LogForgetsTheLast,
    /// The applier: two writes change places.
    WritesOvertake,
    /// The applier: the nodes of one group are taken to have none of the documents that they are sent.
    PlacesAreForgotten,
    /// The applier: what a node has accepted is not recognised by its tag, so it is sent again.
    TagsAreNotRecognised,
    /// The applier: a swap that a node says it has done counts as done.
    SwapsAreBelieved,
    /// The applier: an edition leaves no mark in what it has edited.
    EditionsLeaveNoMark,
    /// Completion: a node's task counts as done once it is queued.
    TasksEndEarly,
    /// The sequencer: what is to be done is said to be done already.
    DecisionsAreLost,
    /// How far nodes are: further than they are.
    PositionsRunAhead,
    /// The tracker: payloads are let go of that a node still needs.
    PayloadsGoEarly,
    /// The mover: a copy lacks a document.
    CopyLacksADocument,
    /// The mover: what came in while a shard was copied is not done again.
    ReplayIsLeftOut,
    /// Repair: a scan sees nothing of what it compares.
    ScanSeesNothing,
    /// Repair: what is to be mended stays as it is.
    MendIsLeftOut,
    /// The choice of nodes: one that is behind is read all the same.
    StaleIsRead,
    /// Health: a node that lost its data is read all the same.
    LostIsRead,
    /// The cover of a read: what stands in for a part gives everything it has.
    StandInGivesTooMuch,
}

impl Bug {
    /// Answers a request to a node as this bug has it.
    pub(crate) fn answer(self, node: &FakeNode, method: &Method, uri: &Uri, body: &Bytes) -> Answer {
        node.with_state(|state| match self {
            Self::TagsAreNotRecognised => answer(state, method, &without_tag(uri), body),
            Self::PlacesAreForgotten if node.name.starts_with("g0") && asks_for_ids(uri, body) => {
                answer(state, method, uri, &Bytes::from_static(br#"{"ids":[],"limit":0}"#))
            }
            Self::CopyLacksADocument if reads_all(uri, body) => without_one(state, method, uri, body),
            Self::ScanSeesNothing if reads_all(uri, body) => {
                let nothing = r#"{"filter":"_miroir.s IN []","limit":0}"#;
                answer(state, method, uri, &Bytes::from_static(nothing.as_bytes()))
            }
            Self::SwapsAreBelieved if uri.query().is_some_and(|query| query.starts_with("limit=1&uids=")) => {
                answer(state, method, &Uri::from_static("/tasks?uids=4294967295"), body)
            }
            Self::TasksEndEarly if uri.path() == "/tasks" => with_tasks_done(state, method, uri, body),
            _ => {
                let answered = answer(state, method, uri, body);
                if answered.as_ref().is_ok_and(|answered| answered.status() == 202) {
                    self.meddle(state, uri);
                }
                answered
            }
        })
    }

    /// Does something to the write that was queued last.
    fn meddle(self, state: &mut State, uri: &Uri) {
        let carried = uri.query().unwrap_or_default().contains(".moved:");
        let alone = uri.query().unwrap_or_default().contains(".moved:0-0:0");
        let is_left_out = match self {
            Self::ReplayIsLeftOut => carried && !alone,
            Self::MendIsLeftOut => alone,
            _ => false,
        };
        if is_left_out && let Some(last) = state.tasks.last_mut() {
            last.op = Op::DeleteIds(Vec::new());
        }
        if self == Self::EditionsLeaveNoMark
            && let Some(Op::Edit(_, mark)) = state.tasks.last_mut().map(|last| &mut last.op)
        {
            *mark = None;
        }
        if self == Self::WritesOvertake
            && let [.., before, last] = &mut state.tasks[..]
            && before.outcome.is_none()
            && before.index == last.index
        {
            std::mem::swap(&mut before.op, &mut last.op);
        }
    }
}

/// Whether a request wants all documents that match: copies and comparisons do.
fn reads_all(uri: &Uri, body: &Bytes) -> bool {
    let limit = || serde_json::from_slice::<Value>(body).ok()?["limit"].as_u64();
    uri.path().ends_with("/documents/fetch") && limit().is_some_and(|limit| limit > 1_000_000)
}

/// Whether a request is about single documents: appliers ask so where those were written first.
fn asks_for_ids(uri: &Uri, body: &Bytes) -> bool {
    let names_ids = || serde_json::from_slice::<Value>(body).is_ok_and(|asked| asked["ids"].is_array());
    uri.path().ends_with("/documents/fetch") && names_ids()
}

/// Answers as if the node had one document less, where it has some.
fn without_one(state: &mut State, method: &Method, uri: &Uri, body: &Bytes) -> Answer {
    let index = uri.path().split('/').nth(2).unwrap_or_default();
    let taken = state.indexes.get_mut(index).and_then(|index| index.documents.pop_first());
    let answered = answer(state, method, uri, body);
    if let (Some(index), Some((id, document))) = (state.indexes.get_mut(index), taken) {
        index.documents.insert(id, document);
    }
    answered
}

/// Answers as if the node had done all its tasks.
fn with_tasks_done(state: &mut State, method: &Method, uri: &Uri, body: &Bytes) -> Answer {
    let waiting: Vec<usize> =
        (0..state.tasks.len()).filter(|place| state.tasks[*place].outcome.is_none()).collect();
    waiting.iter().for_each(|place| state.tasks[*place].outcome = Some(Ok(Value::Null)));
    let answered = answer(state, method, uri, body);
    waiting.iter().for_each(|place| state.tasks[*place].outcome = None);
    answered
}

fn without_tag(uri: &Uri) -> Uri {
    let pairs = uri.query().unwrap_or_default().split('&');
    let kept: Vec<&str> = pairs.filter(|pair| !pair.starts_with("customMetadata=")).collect();
    format!("{}?{}", uri.path(), kept.join("&")).parse().expect("a path")
}
