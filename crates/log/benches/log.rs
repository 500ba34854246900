//! What the log costs: `cargo bench -p miroir-log`. `MIROIR_BENCH_DIR` chooses the disk,
//! `MIROIR_BENCH_TASKS` how many tasks are listed from.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    env, fs,
    io::Write,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use miroir_log::{Finished, Log, Method, NewEntry, Operation, Outcome, SqliteLog, SqliteOptions};
use miroir_protocol::tasks::TasksQuery;
use serde_json::json;
use tempfile::TempDir;
use time::OffsetDateTime;

const RUN: Duration = Duration::from_secs(3);

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    println!("fdatasync of 4 KB appended to a file: {:.0} us\n", sync_cost());
    println!("{:34} {:>8} {:>9} {:>9} {:>9} {:>8}", "", "callers", "per s", "p50 us", "p99 us", "CPU us");
    for (name, bytes) in [
        ("append, 200 B inline", 200),
        ("append, 16 KB inline", 16 << 10),
        ("append, 256 KB file", 256 << 10),
    ] {
        for callers in [1, 16, 128] {
            runtime.block_on(run(name, callers, move |log| append(log, bytes)));
        }
    }
    for callers in [1, 16, 128] {
        runtime.block_on(run("append, prepare, start, finish, 3 nodes", callers, whole));
    }
    runtime.block_on(reads());
}

fn directory() -> TempDir {
    env::var_os("MIROIR_BENCH_DIR").map_or_else(tempfile::tempdir, tempfile::tempdir_in).unwrap()
}

fn open(directory: &Path) -> Arc<SqliteLog> {
    Arc::new(SqliteLog::open(SqliteOptions::new(directory)).unwrap())
}

fn sync_cost() -> f64 {
    let directory = directory();
    let mut file = fs::File::create(directory.path().join("file")).unwrap();
    let start = Instant::now();
    for _ in 0..200 {
        file.write_all(&[7; 4096]).unwrap();
        file.sync_data().unwrap();
    }
    start.elapsed().as_secs_f64() * 1e6 / 200.0
}

/// CPU time of this process so far, in microseconds.
fn cpu() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |field: usize| fields.get(field).and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) * 10_000.0
}

async fn run<F, T>(name: &str, callers: usize, call: F)
where
    F: Fn(Arc<SqliteLog>) -> T + Clone + Send + 'static,
    T: Future<Output = ()> + Send,
{
    let directory = directory();
    let log = open(directory.path());
    let (start, cpu_before) = (Instant::now(), cpu());
    let running = (0..callers).map(|_| {
        let (log, call) = (log.clone(), call.clone());
        tokio::spawn(async move {
            let mut latencies = Vec::new();
            while start.elapsed() < RUN {
                let began = Instant::now();
                call(log.clone()).await;
                latencies.push(began.elapsed());
            }
            latencies
        })
    });
    let mut latencies = Vec::new();
    for caller in running.collect::<Vec<_>>() {
        latencies.extend(caller.await.unwrap());
    }
    let (elapsed, cpu) = (start.elapsed().as_secs_f64(), cpu() - cpu_before);
    latencies.sort_unstable();
    let at = |share: f64| latencies[(latencies.len() as f64 * share) as usize].as_micros();
    println!(
        "{name:34} {callers:>8} {:>9.0} {:>9} {:>9} {:>8.0}",
        latencies.len() as f64 / elapsed,
        at(0.5),
        at(0.99),
        cpu / latencies.len() as f64,
    );
}

fn entry(payload: miroir_log::PayloadRef) -> NewEntry {
    let operation = Operation::DocumentAdditionOrUpdate {
        method: Method::Replace,
        primary_key: None,
        payload,
        allow_index_creation: true,
        skip_creation: false,
    };
    NewEntry { index_uid: Some("movies".to_owned()), operation, custom_metadata: None }
}

async fn append(log: Arc<SqliteLog>, bytes: usize) {
    let mut file = log.spool().create();
    let payload = if bytes > miroir_log::INLINE_LIMIT {
        let writing = tokio::task::spawn_blocking(move || {
            file.write_all(&vec![b'x'; bytes]).unwrap();
            file.finish(1).unwrap()
        });
        writing.await.unwrap()
    } else {
        file.write_all(&vec![b'x'; bytes]).unwrap();
        file.finish(1).unwrap()
    };
    log.append(entry(payload)).await.unwrap();
}

fn succeeded(uid: u32) -> Finished {
    let details = Some(json!({ "receivedDocuments": 1, "indexedDocuments": 1 }));
    let finished_at = OffsetDateTime::now_utc();
    Finished {
        uid,
        outcome: Outcome::Succeeded,
        details,
        started_at: None,
        finished_at,
        catalog: vec![],
        renames: vec![],
    }
}

/// All that is recorded about one write.
async fn whole(log: Arc<SqliteLog>) {
    let mut file = log.spool().create();
    file.write_all(&[b'x'; 200]).unwrap();
    let uid = log.append(entry(file.finish(1).unwrap())).await.unwrap().uid;
    // Decisions are taken in order: whoever comes first takes those of all before it.
    let head = log.positions().head;
    if uid >= head {
        let _ =
            log.record_prepared((head..=uid).map(|uid| (uid, json!({ "create": false }))).collect()).await;
    }
    log.start(&[uid]).await.unwrap();
    let (a, b, c) =
        tokio::join!(log.advance("a", uid, None), log.advance("b", uid, None), log.advance("c", uid, None));
    a.and(b).and(c).unwrap();
    log.finish(vec![succeeded(uid)]).await.unwrap();
}

async fn reads() {
    let count: u32 = env::var("MIROIR_BENCH_TASKS").map_or(200_000, |count| count.parse().unwrap());
    let directory = directory();
    let log = open(directory.path());
    for start in (0..count).step_by(1_000) {
        let appends = (start..start + 1_000).map(|_| append(log.clone(), 200));
        futures_util::future::join_all(appends).await;
        log.finish((start..start + 1_000).filter(|uid| uid % 100 != 0).map(succeeded).collect())
            .await
            .unwrap();
    }
    println!("\nof {count} tasks, one reader:{:>34}", "us");
    let newest = count - 1;
    time("one task, recent", || async { drop(log.task(newest).await.unwrap()) }).await;
    time("one task, old", || async { drop(log.task(1).await.unwrap()) }).await;
    time("1 entry with its payload", || async { drop(log.entries(5, 1).await.unwrap()) }).await;
    time("100 entries with their payloads", || async { drop(log.entries(5, 100).await.unwrap()) }).await;
    for query in [
        "",
        "statuses=enqueued,processing",
        "statuses=succeeded",
        "statuses=succeeded,failed",
        "indexUids=movies",
        "types=documentAdditionOrUpdate&statuses=failed",
        "afterEnqueuedAt=2999-01-01",
    ] {
        let parsed = TasksQuery::from_query_string(query).unwrap();
        time(&format!("GET /tasks?{query}"), || async { drop(log.tasks(&parsed).await.unwrap()) }).await;
    }
    drop(log);
    let start = Instant::now();
    drop(open(directory.path()));
    println!("{:60} {:>8}", "opening", start.elapsed().as_micros());
}

async fn time<F: Future<Output = ()>>(name: &str, call: impl Fn() -> F) {
    let (start, mut calls) = (Instant::now(), 0_u32);
    while calls < 20_000 && start.elapsed() < Duration::from_millis(500) {
        call().await;
        calls += 1;
    }
    println!("{name:60} {:>8.1}", start.elapsed().as_secs_f64() * 1e6 / f64::from(calls));
}
