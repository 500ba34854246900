//! Listing tasks.

use miroir_log::{Finished, Log, Operation, Outcome, Selection};
use miroir_protocol::{
    Code, ResponseError,
    tasks::{Swap, TaskPage, TasksQuery},
};
use time::{Duration, format_description::well_known::Rfc3339};

use super::Backend;
use crate::support::{append, creation, documents, entry, payload, succeeded};

pub(crate) async fn pages_follow_one_another<B: Backend>() {
    let backend = B::create();
    let log = backend.log();
    assert_eq!(page(log, "").await, (vec![], 0, None, None));
    append(log, 5).await;
    assert_eq!(page(log, "").await, (vec![4, 3, 2, 1, 0], 5, Some(4), None));
    assert_eq!(page(log, "limit=2").await, (vec![4, 3], 5, Some(4), Some(2)));
    assert_eq!(page(log, "limit=2&from=2").await, (vec![2, 1], 5, Some(2), Some(0)));
    assert_eq!(page(log, "limit=2&from=0").await, (vec![0], 5, Some(0), None));
    assert_eq!(page(log, "limit=2&from=1&reverse=true").await, (vec![1, 2], 5, Some(1), Some(3)));
    assert_eq!(page(log, "limit=2&from=3&reverse=true").await, (vec![3, 4], 5, Some(3), None));
    assert_eq!(page(log, "from=9").await.0, [4, 3, 2, 1, 0]);
    assert_eq!(page(log, "limit=0").await, (vec![], 5, None, Some(4)));
    assert_eq!(page(log, "limit=4294967295").await.0.len(), 5);
}

pub(crate) async fn filters_choose_tasks<B: Backend>() {
    let mut backend = B::create();
    fill(backend.log()).await;
    let cases = [
        ("uids=1,3,77", vec![3, 1]),
        ("uids=*", vec![5, 4, 3, 2, 1, 0]),
        ("statuses=enqueued", vec![5]),
        ("statuses=processing,failed", vec![4, 2]),
        ("statuses=succeeded", vec![1, 0]),
        ("statuses=canceled&canceledBy=5,6", vec![3]),
        ("canceledBy=6", vec![]),
        ("types=documentDeletion,documentAdditionOrUpdate", vec![3, 2, 1]),
        ("types=IndexCreation", vec![0]),
        ("indexUids=movies", vec![3, 1, 0]),
        ("indexUids=books,films", vec![5, 4, 2]),
        ("batchUids=0,1", vec![1, 0]),
        ("batchUids=0,2&statuses=failed", vec![2]),
        ("afterStartedAt=2000-01-01&indexUids=books", vec![4, 2]),
        ("beforeFinishedAt=2000-01-01", vec![]),
        ("afterFinishedAt=2000-01-01&reverse=true", vec![0, 1, 2, 3]),
        ("afterEnqueuedAt=2999-01-01", vec![]),
    ];
    for reopened in [false, true] {
        for (query, expected) in &cases {
            let (uids, total, ..) = page(backend.log(), query).await;
            assert_eq!((&uids, total), (expected, expected.len() as u64), "{query} {reopened}");
        }
        backend.reopen();
    }
    // Both bounds are exclusive.
    let third = backend.log().task(3).await.unwrap().unwrap().enqueued_at;
    for (moment, expected) in [(third, 2), (third - Duration::NANOSECOND, 3)] {
        let moment = moment.format(&Rfc3339).unwrap();
        let (uids, ..) = page(backend.log(), &format!("afterEnqueuedAt={moment}")).await;
        assert_eq!(uids.len(), expected, "{moment}");
    }
}

pub(crate) async fn index_swaps_are_counted_and_not_listed<B: Backend>() {
    let backend = B::create();
    append(backend.log(), 1).await;
    let swaps = vec![Swap { indexes: ("movies".to_owned(), "films".to_owned()), rename: false }];
    let swap = miroir_log::NewEntry { index_uid: None, ..entry("", Operation::IndexSwap { swaps }) };
    backend.log().append(swap).await.unwrap();
    assert_eq!(page(backend.log(), "indexUids=movies").await, (vec![0], 2, Some(0), None));
    assert_eq!(page(backend.log(), "types=indexSwap").await.0, [1]);
}

/// Two done, one failed, one canceled, one at work, one waiting.
async fn fill(log: &dyn Log) {
    log.append(creation("movies")).await.unwrap();
    log.append(documents("movies", payload(log, 1, 10))).await.unwrap();
    let deletion = Operation::DocumentDeletion { selection: Selection::All };
    log.append(entry("books", deletion.clone())).await.unwrap();
    log.append(entry("movies", deletion)).await.unwrap();
    log.append(entry("books", Operation::IndexDeletion)).await.unwrap();
    let rename = Operation::IndexUpdate { primary_key: None, new_uid: Some("films".to_owned()) };
    log.append(entry("series", rename)).await.unwrap();
    log.start(&[0, 1]).await.unwrap();
    log.start(&[2]).await.unwrap();
    log.start(&[4]).await.unwrap();
    let error = ResponseError::new(Code::IndexNotFound, "Index `books` not found.");
    let failed = Finished { outcome: Outcome::Failed(error), ..succeeded(2) };
    let canceled = Finished { outcome: Outcome::Canceled { by: 5 }, ..succeeded(3) };
    log.finish(vec![succeeded(0), succeeded(1), failed, canceled]).await.unwrap();
}

async fn page(log: &dyn Log, query: &str) -> (Vec<u32>, u64, Option<u32>, Option<u32>) {
    let query = TasksQuery::from_query_string(query).unwrap();
    let TaskPage { results, total, limit, from, next } = log.tasks(&query).await.unwrap();
    assert_eq!(limit, query.limit);
    (results.iter().map(|task| task.uid).collect(), total, from, next)
}
