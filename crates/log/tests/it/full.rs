//! No room left.

use miroir_log::{INLINE_LIMIT, LogError, failpoints::Action};

use crate::{
    conformance::Backend,
    sqlite::OnDisk,
    support::{all, creation, documents, payload, snapshot, succeeded},
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
