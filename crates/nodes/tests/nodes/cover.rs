//! A read in parts: who steps in for whom, and when.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::Bytes;
use miroir_nodes::{
    Answer, Fleet, Instead, Judged, Node, NodeError, NodeRequest, Part, Prober, Reading, Uncovered, cover,
};
use tokio::time::Instant;

use crate::server::{LONG, Reply, Server, deadline, nobody, node, path, server};

/// Nodes in rows: who is in a row can stand in for the others in it.
struct Rows {
    rows: Vec<Vec<Node>>,
    partial: bool,
    deadline: Instant,
}

type Key = (usize, usize);

impl Rows {
    fn of(rows: Vec<Vec<Node>>) -> Self {
        Self { rows, partial: false, deadline: Instant::now() + LONG }
    }

    fn part(&self, (row, place): Key) -> Part<Key> {
        let request = NodeRequest::query(path("/indexes/movies/search"), r#"{"q":"x"}"#);
        Part { key: (row, place), node: self.rows[row][place].clone(), request }
    }

    async fn cover(&self) -> Result<Vec<(Key, Bytes)>, Uncovered<Key, String>> {
        let parts = (0..self.rows.len()).map(|row| self.part((row, 0))).collect();
        deadline(cover(self, parts)).await
    }
}

impl Reading for Rows {
    type Key = Key;
    type Refusal = String;

    fn instead(&self, key: &Key, tried: &[Key]) -> Instead<Key> {
        let places = 0..self.rows[key.0].len();
        let next = places.map(|place| (key.0, place)).find(|other| !tried.contains(other));
        let parts: Vec<_> = next.into_iter().map(|key| self.part(key)).collect();
        Instead { complete: !parts.is_empty(), parts }
    }

    fn judge(&self, _: &Node, result: Result<Answer, NodeError>) -> Judged<String> {
        match result {
            Ok(answer) if answer.body == "no" => Judged::Refused("no".to_owned()),
            Ok(answer) => Judged::Answer(answer.body),
            Err(_) => Judged::Failed,
        }
    }

    fn partial(&self) -> bool {
        self.partial
    }

    fn deadline(&self) -> Instant {
        self.deadline
    }
}

async fn says(body: &'static str) -> Server {
    server(move |_, _| Reply::Body(body)).await
}

async fn hangs() -> Server {
    server(|_, _| Reply::Hang).await
}

fn bodies(covered: Result<Vec<(Key, Bytes)>, Uncovered<Key, String>>) -> Vec<(Key, Bytes)> {
    covered.expect("covered")
}

#[tokio::test]
async fn a_node_that_is_gone_is_replaced_and_the_others_are_not_asked_again() {
    let (one, two) = (says("one").await, says("two").await);
    let rows = Rows::of(vec![
        vec![node("one", &one.address)],
        vec![node("gone", &nobody().await), node("two", &two.address)],
    ]);
    let covered = bodies(rows.cover().await);
    assert_eq!(covered, [((0, 0), Bytes::from("one")), ((1, 1), Bytes::from("two"))]);
    assert_eq!(one.seen().len(), 1);
}

#[tokio::test]
async fn a_node_that_hangs_costs_no_more_than_it_hardly_ever_takes() {
    let (hung, other) = (hangs().await, says("other").await);
    let slow = node("hung", &hung.address);
    (0..64).for_each(|_| slow.latency().record(Duration::from_millis(4)));
    let rows = Rows::of(vec![vec![slow.clone(), node("other", &other.address)]]);
    for _ in 0..3 {
        let start = Instant::now();
        assert_eq!(bodies(rows.cover().await)[0].0, (0, 1));
        assert!(start.elapsed() < Duration::from_millis(150), "{:?}", start.elapsed());
    }
    assert!(!slow.health().is_up(), "it is left alone from now on");
}

/// A node that answers everything but reads at once.
#[tokio::test]
async fn a_slow_node_is_left_alone_until_it_is_quick_with_what_it_was_slow_with() {
    let is_slow = Arc::new(AtomicBool::new(true));
    let slow_now = is_slow.clone();
    let server = server(move |_, seen| match seen.text.starts_with("GET /tasks") {
        true => Reply::Body(r#"{"results":[]}"#),
        false if slow_now.load(SeqCst) => Reply::Hang,
        false => Reply::Body("slow"),
    })
    .await;
    let (slow, other) = (node("slow", &server.address), says("other").await);
    (0..64).for_each(|_| slow.latency().record(Duration::from_millis(4)));
    let rows = Rows::of(vec![vec![slow.clone(), node("other", &other.address)]]);
    for _ in 0..3 {
        assert_eq!(bodies(rows.cover().await)[0].0, (0, 1));
    }
    let fleet = Arc::new(Fleet::from_iter([slow.clone()]));
    let timeout = Duration::from_millis(20);
    let probing = tokio::spawn(Prober::new(move || fleet.clone(), Duration::from_millis(5), timeout).run());
    let asked = |path: &str| server.seen().iter().filter(|seen| seen.text.starts_with(path)).count();
    deadline(async {
        while asked("GET /tasks") < 4 || asked("POST /indexes/movies/search") < 3 + 3 {
            tokio::time::sleep(timeout).await;
        }
    })
    .await;
    assert!(!slow.health().is_up() && slow.health().answers(), "writes wait for it");
    is_slow.store(false, SeqCst);
    deadline(async {
        while !slow.health().is_up() {
            tokio::time::sleep(timeout).await;
        }
    })
    .await;
    probing.abort();
}

/// Under load all nodes are slow at once: to ask each read of two of them would make them slower still.
#[tokio::test]
async fn nodes_that_are_slow_under_load_are_not_asked_for_all_twice() {
    let busy = server(|_, _| Reply::Late(Duration::from_millis(450), "busy")).await;
    let other = says("other").await;
    let slow = node("busy", &busy.address);
    (0..64).for_each(|_| slow.latency().record(Duration::from_millis(4)));
    while slow.latency().may_hedge() {}
    let rows = Rows::of(vec![vec![slow.clone(), node("other", &other.address)]]);
    // Somebody's read has been answered within the time that anybody is waited for.
    let answering = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        slow.latency().record(Duration::from_millis(450));
    };
    let reads = futures_util::future::join_all((0..20).map(|_| rows.cover()));
    let (covered, ()) = tokio::join!(reads, answering);
    assert!(covered.into_iter().all(|covered| bodies(covered)[0].0 == (0, 0)));
    assert!(other.seen().is_empty());
}

/// One that answers nothing is not waited for, though others have used up what may be asked twice.
#[tokio::test]
async fn a_node_that_hangs_is_not_waited_for_even_where_no_more_may_be_asked_twice() {
    let (hung, other) = (hangs().await, says("other").await);
    let slow = node("hung", &hung.address);
    while slow.latency().may_hedge() {}
    let rows = Rows::of(vec![vec![slow.clone(), node("other", &other.address)]]);
    assert_eq!(bodies(rows.cover().await)[0].0, (0, 1));
}

#[tokio::test]
async fn the_last_copy_is_waited_for() {
    let slow = server(|_, _| Reply::Body("late")).await;
    let hung = hangs().await;
    let rows = Rows::of(vec![vec![node("slow", &slow.address)]]);
    assert_eq!(bodies(rows.cover().await)[0].1, "late");
    let mut rows = Rows::of(vec![vec![node("hung", &hung.address)]]);
    rows.deadline = Instant::now() + Duration::from_millis(250);
    assert_eq!(rows.cover().await, Err(Uncovered::Failed((0, 0))));
    assert!(Instant::now() >= rows.deadline);
}

#[tokio::test]
async fn a_slow_node_counts_where_the_others_fail() {
    let slow = server(|_, _| Reply::Half).await;
    let rows = Rows::of(vec![vec![
        node("slow", &slow.address),
        node("gone", &nobody().await),
        node("gone too", &nobody().await),
    ]]);
    let asked = tokio::spawn(async move { rows.cover().await });
    slow.wait_seen(1).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!asked.is_finished(), "the first one may still answer");
    asked.abort();
}

#[tokio::test]
async fn a_refusal_ends_it_for_all() {
    let (refuses, hung) = (says("no").await, hangs().await);
    let rows = Rows::of(vec![vec![node("hung", &hung.address)], vec![node("no", &refuses.address)]]);
    assert_eq!(rows.cover().await, Err(Uncovered::Refused("no".to_owned())));
}

#[tokio::test]
async fn what_nobody_gives_is_left_out_only_where_that_is_allowed() {
    let one = says("one").await;
    let mut rows = Rows::of(vec![vec![node("one", &one.address)], vec![node("gone", &nobody().await)]]);
    assert_eq!(rows.cover().await, Err(Uncovered::Failed((1, 0))));
    rows.partial = true;
    assert_eq!(bodies(rows.cover().await), [((0, 0), Bytes::from("one"))]);
}
