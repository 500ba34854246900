//! The life of a task.

use miroir_log::{Finished, LogError, Operation, Outcome, Selection};
use miroir_protocol::{Code, ResponseError, tasks::TaskStatus};
use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::Backend;
use crate::support::{append, documents, entry, payload, put, succeeded};

pub(crate) async fn tasks_started_together_share_a_batch<B: Backend>() {
    let backend = B::create();
    let log = backend.log();
    append(log, 4).await;
    log.start(&[0, 1]).await.unwrap();
    log.start(&[1, 2]).await.unwrap();
    let batches = [Some(0), Some(0), Some(1), None];
    for (uid, batch) in (0..).zip(batches) {
        let task = log.task(uid).await.unwrap().unwrap();
        let status = if batch.is_some() { TaskStatus::Processing } else { TaskStatus::Enqueued };
        assert_eq!(
            (task.batch_uid, task.status, task.started_at.is_some()),
            (batch, status, batch.is_some())
        );
        assert_eq!(log.entries(uid, 1).await.unwrap()[0].batch_uid, batch);
    }
    let refused = log.start(&[3, 4]).await;
    assert!(matches!(refused, Err(LogError::UnknownEntry(4))), "{refused:?}");
    assert_eq!(log.task(3).await.unwrap().unwrap().status, TaskStatus::Enqueued);
}

pub(crate) async fn a_task_that_was_never_started_gets_its_own_batch<B: Backend>() {
    let backend = B::create();
    let log = backend.log();
    append(log, 3).await;
    log.start(&[1]).await.unwrap();
    log.finish(vec![succeeded(0), succeeded(1), succeeded(2)]).await.unwrap();
    let mut batches = Vec::new();
    for uid in 0..3 {
        batches.push(log.task(uid).await.unwrap().unwrap().batch_uid);
    }
    assert_eq!(batches, [Some(1), Some(0), Some(2)]);
}

pub(crate) async fn a_task_is_finished_once<B: Backend>() {
    let backend = B::create();
    let log = backend.log();
    append(log, 1).await;
    let finished_at = OffsetDateTime::now_utc();
    let started_at = finished_at - Duration::milliseconds(1_500);
    let end = Finished { finished_at, started_at: Some(started_at), ..succeeded(0) };
    log.finish(vec![end]).await.unwrap();
    let task = log.task(0).await.unwrap().unwrap();
    assert_eq!(task.status, TaskStatus::Succeeded);
    assert_eq!((task.started_at, task.finished_at), (Some(started_at), Some(finished_at)));
    assert_eq!(task.duration, Some(Duration::milliseconds(1_500)));
    let again = log.finish(vec![succeeded(0)]).await;
    assert!(matches!(again, Err(LogError::AlreadyFinished(0))), "{again:?}");
    log.start(&[0]).await.unwrap();
    assert_eq!(log.task(0).await.unwrap().unwrap(), task);
}

pub(crate) async fn a_refused_finish_changes_nothing<B: Backend>() {
    let backend = B::create();
    let log = backend.log();
    append(log, 2).await;
    let twice = log.finish(vec![succeeded(0), succeeded(1), succeeded(0)]).await;
    assert!(matches!(twice, Err(LogError::AlreadyFinished(0))), "{twice:?}");
    let unknown = log.finish(vec![succeeded(0), succeeded(7)]).await;
    assert!(matches!(unknown, Err(LogError::UnknownEntry(7))), "{unknown:?}");
    for uid in 0..2 {
        assert_eq!(log.task(uid).await.unwrap().unwrap().status, TaskStatus::Enqueued);
        assert_eq!(log.entries(uid, 1).await.unwrap()[0].status, TaskStatus::Enqueued);
    }
}

pub(crate) async fn failed_and_canceled_tasks_say_why<B: Backend>() {
    let mut backend = B::create();
    let log = backend.log();
    append(log, 2).await;
    let error = ResponseError::new(Code::IndexAlreadyExists, "Index `movies` already exists.");
    let failed = Finished { outcome: Outcome::Failed(error.clone()), ..succeeded(0) };
    let canceled = Finished { outcome: Outcome::Canceled { by: 9 }, ..succeeded(1) };
    log.finish(vec![failed, canceled]).await.unwrap();
    for _ in 0..2 {
        let (failed, canceled) = (backend.log().task(0).await.unwrap(), backend.log().task(1).await.unwrap());
        let (failed, canceled) = (failed.unwrap(), canceled.unwrap());
        assert_eq!((failed.status, failed.error.as_ref()), (TaskStatus::Failed, Some(&error)));
        assert_eq!((canceled.status, canceled.canceled_by), (TaskStatus::Canceled, Some(9)));
        backend.reopen();
    }
}

pub(crate) async fn details_come_from_the_operation_at_first<B: Backend>() {
    let backend = B::create();
    let log = backend.log();
    let by_filter = Selection::ByFilter { filter: json!("year > 2000") };
    let settings =
        json!({ "embedders": { "e": { "source": "openAi", "apiKey": "sk-12345678901234567890123456789" } } });
    let operations = [
        (Operation::IndexCreation { primary_key: None }, json!({ "primaryKey": null })),
        (Operation::IndexDeletion, json!({ "deletedDocuments": null })),
        (
            Operation::IndexUpdate { primary_key: None, new_uid: Some("films".to_owned()) },
            json!({ "primaryKey": null, "oldIndexUid": "movies", "newIndexUid": "films" }),
        ),
        (
            Operation::DocumentDeletion { selection: by_filter },
            json!({ "providedIds": 0, "deletedDocuments": null, "originalFilter": "\"year > 2000\"" }),
        ),
        (
            Operation::SettingsUpdate { settings, is_deletion: false, allow_index_creation: true },
            json!({ "embedders": { "e": { "source": "openAi", "apiKey": "sk-12XXXXXX..." } } }),
        ),
    ];
    for (operation, details) in operations {
        let uid = log.append(entry("movies", operation)).await.unwrap().uid;
        assert_eq!(log.task(uid).await.unwrap().unwrap().details, Some(details));
    }
    let uid = log.append(documents("movies", payload(log, 1, 10))).await.unwrap().uid;
    let waiting = json!({ "receivedDocuments": 1, "indexedDocuments": null });
    assert_eq!(log.task(uid).await.unwrap().unwrap().details, Some(waiting));
    let details = json!({ "receivedDocuments": 1, "indexedDocuments": 1 });
    log.finish(vec![Finished { details: Some(details.clone()), ..succeeded(uid) }]).await.unwrap();
    assert_eq!(log.task(uid).await.unwrap().unwrap().details, Some(details));
}

pub(crate) async fn unknown_tasks_are_none<B: Backend>() {
    let backend = B::create();
    append(backend.log(), 1).await;
    assert_eq!(backend.log().task(1).await.unwrap(), None);
    assert_eq!(backend.log().task(u32::MAX).await.unwrap(), None);
}

pub(crate) async fn unfinished_entries_are_found<B: Backend>() {
    let mut backend = B::create();
    append(backend.log(), 6).await;
    backend.log().start(&[1, 3]).await.unwrap();
    let ends = [0, 3, 4].map(|uid| Finished { catalog: vec![put("movies")], ..succeeded(uid) });
    backend.log().finish(ends.to_vec()).await.unwrap();
    backend.reopen();
    let unfinished = backend.log().unfinished(1, 2).await.unwrap();
    let found: Vec<_> = unfinished.iter().map(|logged| (logged.entry.uid, logged.status)).collect();
    assert_eq!(found, [(1, TaskStatus::Processing), (2, TaskStatus::Enqueued)]);
    assert!(unfinished[0].started_at.is_some());
    let rest = backend.log().unfinished(3, 10).await.unwrap();
    assert_eq!(rest.iter().map(|logged| logged.entry.uid).collect::<Vec<_>>(), [5]);
}
