//! `kill -9` of a process that writes, again and again.
//!
//! The process is this very test program, told by its environment to be the writer. It prints what
//! the log has promised; after it was killed, the log must hold all of that.

use std::{
    env,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use miroir_log::{CatalogChange, Finished, Log, LoggedEntry, SqliteLog, SqliteOptions};
use miroir_protocol::tasks::TaskStatus;
use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::support::{all, documents, payload, payload_bytes, put, succeeded};

const DIRECTORY: &str = "MIROIR_LOG_KILL_DIRECTORY";
const ROUNDS: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_promised_survives_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let seed = env::var("MIROIR_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7_u64);
    println!("MIROIR_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut promised = Vec::new();
    for round in 0..ROUNDS {
        let mut writer = spawn(directory.path());
        let mut lines = BufReader::new(writer.stdout.take().unwrap());
        for _ in 0..random.random_range(1..120) {
            let mut line = String::new();
            lines.read_line(&mut line).unwrap();
            promised.push(line);
        }
        writer.kill().unwrap();
        writer.wait().unwrap();
        // What it still said before it died counts as well; half a line does not.
        let mut rest = String::new();
        lines.read_to_string(&mut rest).unwrap();
        promised.extend(rest.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(str::to_owned));
        check(directory.path(), &promised, round).await;
    }
    let finished = promised.iter().filter(|line| line.starts_with("finished")).count();
    println!("{} promises, {finished} of them ends of tasks", promised.len());
}

fn spawn(directory: &Path) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["kill::the_writer", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

async fn check(directory: &Path, promised: &[String], round: usize) {
    let log = SqliteLog::open(SqliteOptions::new(directory)).unwrap();
    let entries = all(&log).await;
    assert!(entries.iter().map(|logged| logged.entry.uid).eq(0..log.positions().next), "round {round}");
    for logged in &entries {
        check_entry(&log, logged).await;
    }
    for line in promised {
        let mut words = line.split_whitespace();
        let (what, uid) =
            (words.next().unwrap_or_default(), words.next().and_then(|uid| uid.parse::<usize>().ok()));
        match (what, uid) {
            ("appended", Some(uid)) => {
                assert_eq!(entries[uid].entry.index_uid.as_deref(), words.next(), "round {round}");
            }
            ("finished", Some(uid)) => {
                assert_eq!(entries[uid].status, TaskStatus::Succeeded, "round {round}");
            }
            _ => {} // the test harness' own words
        }
    }
}

/// Every entry is whole, promised or not, and its end and the catalog agree.
async fn check_entry(log: &SqliteLog, logged: &LoggedEntry) {
    let index = logged.entry.index_uid.as_deref().unwrap();
    let seed: usize = index["index-".len()..].parse().unwrap();
    let payload = logged.entry.operation.payload().unwrap();
    let mut read = Vec::new();
    log.open_payload(payload).await.unwrap().read_to_end(&mut read).unwrap();
    assert!(read == payload_bytes(seed, usize::try_from(payload.bytes).unwrap()));
    let in_catalog = log.catalog().index(&format!("made-{}", logged.entry.uid)).is_some();
    assert_eq!(in_catalog, logged.status == TaskStatus::Succeeded);
    assert_eq!(log.task(logged.entry.uid).await.unwrap().unwrap().status, logged.status);
}

#[test]
#[ignore = "run by what_was_promised_survives_a_kill as a process of its own"]
fn the_writer() {
    let Some(directory) = env::var_os(DIRECTORY) else { return };
    let log = Arc::new(SqliteLog::open(SqliteOptions::new(directory)).unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let writers = (0..6).map(|writer| tokio::spawn(write(log.clone(), writer)));
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
    });
}

async fn write(log: Arc<SqliteLog>, writer: usize) {
    for round in 0.. {
        let seed = writer + 10 * round;
        let size = [10, 1_000, 30_000, 200_000][round % 4];
        let index = format!("index-{seed}");
        let spooling = log.clone();
        let payload = tokio::task::spawn_blocking(move || payload(&*spooling, seed, size)).await.unwrap();
        let uid = log.append(documents(&index, payload)).await.unwrap().uid;
        println!("appended {uid} {index}");
        if round % 2 == 0 {
            log.start(&[uid]).await.unwrap();
            let catalog: Vec<CatalogChange> = vec![put(&format!("made-{uid}"))];
            log.finish(vec![Finished { catalog, ..succeeded(uid) }]).await.unwrap();
            println!("finished {uid}");
        }
    }
}
