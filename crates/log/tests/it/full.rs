//! No room left.

use std::io::Write;

use miroir_log::{Entry, INLINE_LIMIT, Log, LogError, SqliteLog, SqliteOptions, failpoints::Action};

use crate::{
    conformance::Backend,
    sqlite::OnDisk,
    support::{all, creation, documents, payload, payload_bytes, snapshot, succeeded},
};

#[tokio::test]
async fn a_full_database_refuses_writes_and_goes_on_when_there_is_room() {
    let mut backend = OnDisk::create();
    let small = backend.options().max_bytes(1 << 20);
    backend.reopen_with(small);
    let mut taken = 0;
    let refused = loop {
        let payload = payload(backend.log(), taken, INLINE_LIMIT);
        match backend.log().append(documents("movies", payload)).await {
            Ok(entry) => assert_eq!(entry.uid as usize, taken),
            Err(error) => break error,
        }
        taken += 1;
        assert!(taken < 100, "the limit is not kept");
    };
    assert!(refused.is_storage_full(), "{refused:?}");
    assert!(taken > 5, "{taken}");
    // Reads go on, and nothing of the refused write is there.
    let before = snapshot(backend.log()).await;
    assert_eq!(all(backend.log()).await.len(), taken);
    // Small writes find room where big ones do not, and what is trimmed is room.
    backend.log().finish((0..u32::try_from(taken).unwrap()).map(succeeded).collect()).await.unwrap();
    backend.log().trim(2).await.unwrap();
    let entry = backend.log().append(documents("movies", payload(backend.log(), 0, INLINE_LIMIT))).await;
    assert_eq!(entry.unwrap().uid as usize, taken);
    backend.reopen();
    assert_ne!(snapshot(backend.log()).await, before);
    assert_eq!(all(backend.log()).await.len(), taken + 1);
}

#[tokio::test]
async fn the_payload_of_a_refused_write_makes_room() {
    let backend = OnDisk::create();
    let payload = payload(backend.log(), 1, 100_000);
    assert_eq!(backend.spool_files().len(), 1);
    backend.failpoints.arm("write.commit", Action::Full, 0);
    let refused = backend.log().append(documents("movies", payload)).await;
    assert!(matches!(refused, Err(LogError::StorageFull)), "{refused:?}");
    assert_eq!(backend.spool_files(), [""; 0]);
}

#[tokio::test]
async fn a_payload_is_kept_while_it_is_unclear_what_the_disk_holds() {
    let backend = OnDisk::create();
    let payload = payload(backend.log(), 1, 100_000);
    backend.failpoints.arm("write.commit", Action::Fail, 0);
    let refused = backend.log().append(documents("movies", payload)).await;
    assert!(matches!(refused, Err(LogError::Io(_))), "{refused:?}");
    assert_eq!(backend.spool_files().len(), 1);
}

#[tokio::test]
async fn calls_committed_together_do_not_fail_together() {
    let backend = OnDisk::create();
    let log = backend.log();
    // The first call occupies the writer; the others are then taken as one group, which fails once.
    backend.failpoints.arm("write.commit", Action::Full, 1);
    let calls = (0..50).map(|_| log.append(creation("movies")));
    let mut uids: Vec<u32> =
        futures_util::future::join_all(calls).await.into_iter().map(|entry| entry.unwrap().uid).collect();
    uids.sort_unstable();
    assert_eq!(uids, (0..50).collect::<Vec<_>>());
    assert_eq!(all(log).await.len(), 50);
}

/// On a disk that is really full: `MIROIR_SMALL_DISK` names a directory on a file system of a few
/// megabytes, as `mount -t tmpfs -o size=4m none DIR` makes one.
#[tokio::test]
#[ignore = "needs a small file system"]
async fn a_full_disk_refuses_writes_and_goes_on_when_there_is_room() {
    let disk = std::path::PathBuf::from(std::env::var_os("MIROIR_SMALL_DISK").unwrap());
    let ballast = disk.join("ballast");
    std::fs::write(&ballast, [0; 300_000]).unwrap();
    let directory = tempfile::tempdir_in(&disk).unwrap();
    let log = SqliteLog::open(SqliteOptions::new(directory.path())).unwrap();
    let mut taken = 0;
    for size in [INLINE_LIMIT, 200, INLINE_LIMIT * 2] {
        let refused = loop {
            match try_append(&log, taken, size).await {
                Ok(entry) => assert_eq!(entry.uid as usize, taken),
                Err(error) => break error,
            }
            taken += 1;
        };
        assert!(refused.is_storage_full(), "{size}: {refused:?}");
        assert_eq!(all(&log).await.len(), taken);
    }
    assert!(taken > 10);
    std::fs::remove_file(&ballast).unwrap();
    assert_eq!(try_append(&log, taken, INLINE_LIMIT).await.unwrap().uid as usize, taken);
    log.finish(vec![succeeded(0)]).await.unwrap();
    let before = snapshot(&log).await;
    drop(log);
    let log = SqliteLog::open(SqliteOptions::new(directory.path())).unwrap();
    assert_eq!(snapshot(&log).await, before);
}

async fn try_append(log: &SqliteLog, seed: usize, size: usize) -> Result<Entry, LogError> {
    let mut file = log.spool().create();
    file.write_all(&payload_bytes(seed, size))?;
    log.append(documents("movies", file.finish(1)?)).await
}
