//! Tasks about tasks, names that change, and writes that come twice.

use miroir_log::{Finished, Log, LogError, NewEntry, Once, Operation, Uids};
use miroir_protocol::tasks::{Swap, TaskFilter, TaskStatus, TasksQuery};
use serde_json::{Value, json};

use super::Backend;
use crate::support::{append, creation, documents, entry, payload, succeeded};

fn chore(operation: Operation) -> NewEntry {
    NewEntry { index_uid: None, ..entry("", operation) }
}

fn cancelation(tasks: &[u32]) -> NewEntry {
    let tasks = tasks.iter().copied().collect();
    chore(Operation::TaskCancelation { query: "?uids=x".to_owned(), tasks })
}

fn deletion(tasks: &[u32]) -> NewEntry {
    let tasks = tasks.iter().copied().collect();
    chore(Operation::TaskDeletion { query: "?uids=x".to_owned(), tasks })
}

pub(crate) async fn only_what_was_not_started_is_canceled<B: Backend>() {
    let mut backend = B::create();
    let log = backend.log();
    append(log, 3).await;
    log.append(documents("movies", payload(log, 1, 10))).await.unwrap();
    log.finish(vec![succeeded(0)]).await.unwrap();
    log.start(&[1]).await.unwrap();
    let by = log.append(cancelation(&[0, 1, 3])).await.unwrap().uid;
    append(log, 1).await;
    assert_eq!(log.cancel(by, 2).await.unwrap().iter().collect::<Vec<_>>(), [3]);
    for _ in 0..2 {
        let log = backend.log();
        let canceled = log.task(3).await.unwrap().unwrap();
        assert_eq!((canceled.status, canceled.canceled_by), (TaskStatus::Canceled, Some(by)));
        assert_eq!(canceled.details, Some(json!({ "receivedDocuments": 1, "indexedDocuments": 0 })));
        let task = log.task(by).await.unwrap().unwrap();
        assert_eq!(task.status, TaskStatus::Succeeded);
        let details = json!({ "matchedTasks": 3, "canceledTasks": 1, "originalFilter": "?uids=x" });
        assert_eq!((task.details, task.batch_uid), (Some(details), canceled.batch_uid));
        assert!(task.finished_at.is_some() && canceled.started_at.is_some());
        assert_eq!(log.unfinished(0, 9).await.unwrap().len(), 3);
        backend.reopen();
    }
    let again = backend.log().cancel(by, 0).await;
    assert!(matches!(again, Err(LogError::AlreadyFinished(_))), "{again:?}");
}

pub(crate) async fn deleted_tasks_are_gone_for_clients_and_kept_for_nodes<B: Backend>() {
    let mut backend = B::create();
    let log = backend.log();
    append(log, 4).await;
    log.finish(vec![succeeded(0), succeeded(2)]).await.unwrap();
    let by = log.append(deletion(&[0, 1, 2])).await.unwrap().uid;
    assert_eq!(log.delete_tasks(by).await.unwrap(), 2);
    for _ in 0..2 {
        let log = backend.log();
        assert_eq!(log.task(0).await.unwrap(), None);
        let page = log.tasks(&TasksQuery { limit: 9, ..TasksQuery::default() }).await.unwrap();
        assert_eq!(page.results.iter().map(|task| task.uid).collect::<Vec<_>>(), [4, 3, 1]);
        assert_eq!(page.total, 3);
        assert_eq!(log.matching(&TaskFilter::default()).await.unwrap().len(), 3);
        let details = json!({ "matchedTasks": 3, "deletedTasks": 2, "originalFilter": "?uids=x" });
        assert_eq!(log.task(by).await.unwrap().unwrap().details, Some(details));
        let kept = log.entries(0, 9).await.unwrap();
        assert_eq!(kept.len(), 5);
        assert!(kept[0].status.is_finished() && !kept[1].status.is_finished());
        backend.reopen();
    }
    let log = backend.log();
    let refused = log.record_prepared(vec![(0, json!(1))]).await;
    assert!(refused.is_ok(), "it is the first decision");
    let refused = log.record_prepared(vec![(0, json!(2))]).await;
    assert!(matches!(refused, Err(LogError::AlreadyFinished(0))), "{refused:?}");
    log.finish(vec![succeeded(1)]).await.unwrap();
    log.trim(9).await.unwrap();
    let kept = log.entries(0, 9).await.unwrap();
    assert_eq!(kept.iter().map(|logged| logged.entry.uid).collect::<Vec<_>>(), [1, 3, 4]);
}

pub(crate) async fn what_was_canceled_stays_so_for_nodes_when_its_task_is_deleted<B: Backend>() {
    let mut backend = B::create();
    let log = backend.log();
    append(log, 3).await;
    let by = log.append(cancelation(&[1])).await.unwrap().uid;
    log.cancel(by, 0).await.unwrap();
    log.finish(vec![succeeded(0)]).await.unwrap();
    let by = log.append(deletion(&[0, 1, by])).await.unwrap().uid;
    assert_eq!(log.delete_tasks(by).await.unwrap(), 3);
    for _ in 0..2 {
        let kept = backend.log().entries(0, 3).await.unwrap();
        let statuses: Vec<_> = kept.iter().map(|logged| logged.status).collect();
        assert_eq!(statuses, [TaskStatus::Succeeded, TaskStatus::Canceled, TaskStatus::Enqueued]);
        backend.reopen();
    }
}

pub(crate) async fn tasks_follow_the_names_of_their_indexes<B: Backend>() {
    let mut backend = B::create();
    let log = backend.log();
    for index in ["movies", "films", "books"] {
        log.append(creation(index)).await.unwrap();
    }
    let swap = |left: &str, right: &str| {
        let swaps = vec![Swap { indexes: (left.to_owned(), right.to_owned()), rename: false }];
        chore(Operation::IndexSwap { swaps })
    };
    log.append(swap("movies", "books")).await.unwrap();
    log.append(swap("movies", "films")).await.unwrap();
    log.append(creation("movies")).await.unwrap();
    let renames = vec![("movies".to_owned(), "films".to_owned())];
    log.finish((0..4).map(succeeded).collect()).await.unwrap();
    log.finish(vec![Finished { renames, ..succeeded(4) }]).await.unwrap();
    for _ in 0..2 {
        let log = backend.log();
        let mut names = Vec::new();
        for uid in [0, 1, 2, 5] {
            names.push(log.task(uid).await.unwrap().unwrap().index_uid.unwrap());
        }
        assert_eq!(names, ["films", "movies", "books", "movies"]);
        let swaps = |details: Option<Value>| details.unwrap()["swaps"][0]["indexes"].clone();
        assert_eq!(swaps(log.task(3).await.unwrap().unwrap().details), json!(["films", "books"]));
        assert_eq!(swaps(log.task(4).await.unwrap().unwrap().details), json!(["movies", "films"]));
        let entries = log.entries(0, 9).await.unwrap();
        let targets: Vec<_> = entries.iter().filter_map(|logged| logged.entry.index_uid.as_deref()).collect();
        assert_eq!(targets, ["movies", "films", "books", "movies"], "nodes are told the names of then");
        let query = TasksQuery::from_query_string("indexUids=films").unwrap();
        let page = log.tasks(&query).await.unwrap();
        assert_eq!(page.results.iter().map(|task| task.uid).collect::<Vec<_>>(), [0]);
        backend.reopen();
    }
}

pub(crate) async fn a_write_with_a_key_is_taken_once<B: Backend>() {
    let mut backend = B::create();
    let once = |fingerprint: &str| Once { key: "k".to_owned(), fingerprint: fingerprint.to_owned() };
    let write = |log: &dyn Log| documents("movies", payload(log, 1, 100_000));
    let (first, repeated) = backend.log().append_once(write(backend.log()), once("a")).await.unwrap();
    assert!(!repeated);
    for _ in 0..2 {
        let log = backend.log();
        let (again, repeated) = log.append_once(write(log), once("a")).await.unwrap();
        assert!(repeated);
        assert_eq!(again, first);
        let other = log.append_once(write(log), once("b")).await;
        assert!(matches!(other, Err(LogError::KeyReused)), "{other:?}");
        assert_eq!(log.positions().next, 1);
        let files = std::fs::read_dir(log.spool().directory()).unwrap().count();
        assert_eq!(files, 1, "payloads of repetitions are removed");
        backend.reopen();
    }
    let log = backend.log();
    let other = Once { key: "l".to_owned(), fingerprint: "a".to_owned() };
    let (one, two) =
        tokio::join!(log.append_once(write(log), other.clone()), log.append_once(write(log), other.clone()));
    assert_eq!((one.unwrap().0.uid, two.unwrap().0.uid), (1, 1), "at the same time too");
}

pub(crate) async fn ends_are_listed_until_they_are_forgotten<B: Backend>() {
    let mut backend = B::create();
    let log = backend.log();
    append(log, 4).await;
    log.finish(vec![succeeded(0)]).await.unwrap();
    log.keep_ends(true);
    log.finish(vec![succeeded(2)]).await.unwrap();
    let by = log.append(cancelation(&[3])).await.unwrap().uid;
    log.cancel(by, 1).await.unwrap();
    backend.reopen();
    let ends = backend.log().ends(0, 9).await.unwrap();
    assert_eq!(ends.iter().map(|(_, uid)| *uid).collect::<Vec<_>>(), [2, 3, by]);
    backend.log().forget_ends(ends[1].0).await.unwrap();
    assert_eq!(backend.log().ends(0, 9).await.unwrap(), [ends[2]]);
    assert_eq!(backend.log().ends(ends[2].0, 9).await.unwrap(), []);
    backend.log().forget_ends(ends[2].0).await.unwrap();
    backend.log().keep_ends(true);
    backend.log().finish(vec![succeeded(1)]).await.unwrap();
    let later = backend.log().ends(0, 9).await.unwrap()[0].0;
    assert!(later > ends[2].0, "places are not given twice");
}

pub(crate) async fn the_tasks_that_match_are_found<B: Backend>() {
    let backend = B::create();
    let log = backend.log();
    append(log, 5).await;
    log.finish(vec![succeeded(1), succeeded(2), succeeded(4)]).await.unwrap();
    let filter = TasksQuery::from_query_string("statuses=succeeded").unwrap().filter;
    assert_eq!(log.matching(&filter).await.unwrap(), [1, 2, 4].into_iter().collect::<Uids>());
}
