//! The documents that come with entries.

use std::io::{Read, Seek, SeekFrom};

use miroir_log::{INLINE_LIMIT, LogError, PayloadContent};

use super::Backend;
use crate::support::{append, documents, payload, payload_bytes, succeeded};

pub(crate) async fn payloads_are_read_back_wherever_they_are<B: Backend>() {
    let mut backend = B::create();
    let sizes = [0, 1, 1_000, INLINE_LIMIT, INLINE_LIMIT + 1, 1_000_000];
    for (seed, size) in sizes.into_iter().enumerate() {
        let payload = payload(backend.log(), seed, size);
        assert_eq!((payload.bytes, payload.documents), (size as u64, 1));
        assert_eq!(payload.file().is_some(), size > INLINE_LIMIT);
        backend.log().append(documents("movies", payload)).await.unwrap();
    }
    backend.reopen();
    for (seed, size) in sizes.into_iter().enumerate() {
        let logged = backend.log().entries(u32::try_from(seed).unwrap(), 1).await.unwrap().remove(0);
        let mut reader = backend.log().open_payload(logged.entry.operation.payload().unwrap()).await.unwrap();
        assert_eq!((reader.len(), reader.as_bytes().is_some()), (size as u64, size <= INLINE_LIMIT));
        let (mut read, expected) = (Vec::new(), payload_bytes(seed, size));
        reader.read_to_end(&mut read).unwrap();
        assert!(read == expected, "{size}");
        reader.seek(SeekFrom::Start(size as u64 / 2)).unwrap();
        read.clear();
        reader.read_to_end(&mut read).unwrap();
        assert!(read == expected[size / 2..], "{size}");
    }
}

pub(crate) async fn trimming_stops_at_the_first_unfinished_task<B: Backend>() {
    let mut backend = B::create();
    append(backend.log(), 6).await;
    assert_eq!(backend.log().trim(6).await.unwrap(), 0);
    backend.log().finish(vec![succeeded(0), succeeded(1), succeeded(2), succeeded(4)]).await.unwrap();
    assert_eq!(backend.log().trim(2).await.unwrap(), 2);
    assert_eq!(backend.log().trim(100).await.unwrap(), 3);
    backend.reopen();
    assert_eq!(backend.log().positions().trimmed, 3);
    assert_eq!(backend.log().trim(0).await.unwrap(), 3);
}

pub(crate) async fn a_trimmed_payload_is_gone<B: Backend>() {
    let backend = B::create();
    let log = backend.log();
    let sizes = [10, 100_000, 10, 100_000];
    for (seed, size) in sizes.into_iter().enumerate() {
        log.append(documents("movies", payload(log, seed, size))).await.unwrap();
    }
    let untrimmed = log.entries(1, 1).await.unwrap().remove(0);
    log.finish((0..4).map(succeeded).collect()).await.unwrap();
    assert_eq!(log.trim(2).await.unwrap(), 2);
    for (uid, logged) in log.entries(0, 10).await.unwrap().into_iter().enumerate() {
        let payload = logged.entry.operation.payload().unwrap();
        assert_eq!(payload.content == PayloadContent::Removed, uid < 2);
        assert_eq!((payload.bytes, payload.documents), (sizes[uid] as u64, 1));
        let opened = log.open_payload(payload).await;
        assert_eq!(opened.is_ok(), uid >= 2, "{opened:?}");
    }
    let late = log.open_payload(untrimmed.entry.operation.payload().unwrap()).await;
    assert!(matches!(late, Err(LogError::PayloadGone(_))), "{late:?}");
}
