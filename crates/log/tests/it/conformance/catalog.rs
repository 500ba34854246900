//! What clients see of the indexes, and the shard map.

use bytes::Bytes;
use miroir_log::{CatalogChange, Finished, IndexRecord, LogError, StoredMap};

use super::Backend;
use crate::support::{append, put, record, succeeded};

pub(crate) async fn the_catalog_changes_with_the_task<B: Backend>() {
    let mut backend = B::create();
    append(backend.log(), 3).await;
    assert!(backend.log().catalog().indexes.is_empty());
    let create = Finished { catalog: vec![put("movies"), put("books")], ..succeeded(0) };
    backend.log().finish(vec![create]).await.unwrap();
    assert_eq!(backend.log().catalog().index("movies"), Some(&record("movies")));
    let before = backend.log().catalog();
    let renamed = IndexRecord { primary_key: None, ..record("films") };
    let removal = CatalogChange::Remove { uid: "movies".to_owned() };
    let rename = Finished { catalog: vec![removal, CatalogChange::Put(renamed.clone())], ..succeeded(1) };
    backend.log().finish(vec![rename]).await.unwrap();
    for _ in 0..2 {
        let catalog = backend.log().catalog();
        assert_eq!(catalog.indexes.keys().collect::<Vec<_>>(), ["books", "films"]);
        assert_eq!(catalog.index("films"), Some(&renamed));
        backend.reopen();
    }
    assert_eq!(before.indexes.keys().collect::<Vec<_>>(), ["books", "movies"]);
}

pub(crate) async fn a_refused_finish_leaves_the_catalog<B: Backend>() {
    let mut backend = B::create();
    append(backend.log(), 1).await;
    let create = Finished { catalog: vec![put("movies")], ..succeeded(0) };
    let refused = backend.log().finish(vec![create, succeeded(8)]).await;
    assert!(matches!(refused, Err(LogError::UnknownEntry(8))), "{refused:?}");
    for _ in 0..2 {
        assert!(backend.log().catalog().indexes.is_empty());
        backend.reopen();
    }
}

pub(crate) async fn maps_only_get_newer<B: Backend>() {
    let mut backend = B::create();
    assert_eq!(backend.log().load_map().await.unwrap(), None);
    let map = |epoch, bytes| StoredMap { epoch, bytes: Bytes::from_static(bytes) };
    backend.log().save_map(map(1, b"one")).await.unwrap();
    backend.log().save_map(map(u64::MAX - 1, b"two")).await.unwrap();
    backend.reopen();
    for epoch in [0, u64::MAX - 1] {
        let refused = backend.log().save_map(map(epoch, b"old")).await;
        assert!(matches!(refused, Err(LogError::StaleMap { given, .. }) if given == epoch), "{refused:?}");
    }
    assert_eq!(backend.log().load_map().await.unwrap(), Some(map(u64::MAX - 1, b"two")));
}
