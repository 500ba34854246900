//! Many callers at once.

use std::sync::Arc;

use miroir_log::{Entry, Log, SqliteLog, SqliteOptions};
use proptest::prelude::*;

use crate::support::{all, documents, payload, payload_bytes};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn concurrent_appends_are_ordered_and_without_gaps(
        callers in prop::collection::vec(prop::collection::vec(0_usize..2_000, 1..20), 1..24),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
        runtime.block_on(check(callers));
    }
}

/// Each caller appends payloads of the given sizes, one after another.
async fn check(callers: Vec<Vec<usize>>) {
    let directory = tempfile::tempdir().unwrap();
    let log = Arc::new(SqliteLog::open(SqliteOptions::new(directory.path())).unwrap());
    let total: usize = callers.iter().map(Vec::len).sum();
    let running = callers.into_iter().enumerate().map(|(caller, sizes)| {
        let log = log.clone();
        tokio::spawn(async move {
            let mut entries = Vec::<Entry>::new();
            for size in sizes {
                let payload = payload(&*log, caller, size);
                let entry = log.append(documents(&format!("index-{caller}"), payload)).await.unwrap();
                // What a caller was answered can be read at once.
                assert_eq!(log.entries(entry.uid, 1).await.unwrap()[0].entry, entry);
                assert!(entries.last().is_none_or(|last| last.uid < entry.uid));
                entries.push(entry);
            }
            entries
        })
    });
    let mut entries = Vec::new();
    for caller in running.collect::<Vec<_>>() {
        entries.extend(caller.await.unwrap());
    }
    entries.sort_by_key(|entry| entry.uid);
    assert!(entries.iter().map(|entry| entry.uid).eq(0..u32::try_from(total).unwrap()));
    assert!(entries.is_sorted_by_key(|entry| entry.enqueued_at));
    let read: Vec<Entry> = all(&*log).await.into_iter().map(|logged| logged.entry).collect();
    assert_eq!(read, entries);
    for entry in &read {
        let caller: usize = entry.index_uid.as_ref().unwrap()["index-".len()..].parse().unwrap();
        let payload = entry.operation.payload().unwrap();
        let reader = log.open_payload(payload).await.unwrap();
        let expected = payload_bytes(caller, usize::try_from(payload.bytes).unwrap());
        assert!(reader.as_bytes().unwrap()[..] == expected[..]);
    }
}
