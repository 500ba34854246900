use miroir_log::{Log, NewEntry, Operation, SqliteLog, SqliteOptions};

#[tokio::test]
async fn an_entry_is_there_after_reopening() {
    let directory = tempfile::tempdir().expect("a directory");
    let options = SqliteOptions::new(directory.path());
    let log = SqliteLog::open(options.clone()).expect("opens");
    let new = NewEntry {
        index_uid: Some("movies".to_owned()),
        operation: Operation::IndexCreation { primary_key: None },
        custom_metadata: None,
    };
    let entry = log.append(new).await.expect("appends");
    assert_eq!(entry.uid, 0);
    drop(log);
    let log = SqliteLog::open(options).expect("opens");
    let entries = log.entries(0, 10).await.expect("reads");
    assert_eq!(entries.iter().map(|logged| &logged.entry).collect::<Vec<_>>(), [&entry]);
}
