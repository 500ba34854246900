//! Sends requests when their time has come.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use crate::{
    queries::Queries,
    report::{Report, Times},
    target::Target,
};

/// How many requests may be under way at once; what comes beyond that is not sent, and counts as failed.
const UNDER_WAY: usize = 10_000;
/// How often a task is looked at.
const LOOK: Duration = Duration::from_millis(5);
/// How long the last write may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// How much, for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Searches a second, to each target.
    pub(crate) searches: u32,
    /// Documents written a second.
    pub(crate) writes: u32,
    pub(crate) time: Duration,
}

/// What came of a request: how long it took from when it should have begun, and the task of a write.
type Outcome = (Duration, Result<Option<u64>, String>);

/// Searches all targets in turn, and writes to the first.
pub(crate) async fn drive(targets: &[Target], queries: &Queries, documents: &[Bytes], pace: &Pace) -> Report {
    let start = Instant::now();
    let places = Arc::new(Semaphore::new(UNDER_WAY));
    let count = u32::try_from(targets.len()).unwrap_or(u32::MAX);
    let searches = at_rate(start, pace.searches.saturating_mul(count), pace.time, &places, |number| {
        let (target, query) = (targets[number % targets.len()].clone(), queries.get(number / targets.len()));
        async move { target.search(query).await.map(|()| None) }
    });
    let writes =
        at_rate(start, if documents.is_empty() { 0 } else { pace.writes }, pace.time, &places, |number| {
            let (target, document) = (targets[0].clone(), documents[number % documents.len()].clone());
            async move { target.write(document).await.map(Some) }
        });
    let (searches, writes) = tokio::join!(searches, writes);
    let mut report = Report::default();
    for (place, target) in targets.iter().enumerate() {
        let of_target = searches.iter().skip(place).step_by(targets.len());
        report.add(
            target.name,
            of_target.map(|(took, answer)| (*took, answer.as_ref().err())).collect::<Times>(),
        );
    }
    if !writes.is_empty() {
        report.add(
            "writes",
            writes.iter().map(|(took, answer)| (*took, answer.as_ref().err())).collect::<Times>(),
        );
        let last = writes.iter().filter_map(|(_, answer)| *answer.as_ref().ok()?).max();
        if let Some(task) = last {
            report.applied = Some(applied(&targets[0], task).await);
        }
    }
    report
}

/// Makes `rate` requests a second, and waits for the last answer. The outcomes are in the order of the requests.
async fn at_rate<F>(
    start: Instant,
    rate: u32,
    time: Duration,
    places: &Arc<Semaphore>,
    request: impl Fn(usize) -> F,
) -> Vec<Outcome>
where
    F: Future<Output = Result<Option<u64>, String>> + Send + 'static,
{
    let total = (f64::from(rate) * time.as_secs_f64()) as usize;
    let mut under_way = JoinSet::new();
    for number in 0..total {
        let due = start + Duration::from_secs_f64(number as f64 / f64::from(rate));
        sleep_until(due).await;
        let (place, request) = (places.clone().try_acquire_owned(), request(number));
        under_way.spawn(async move {
            let answer = match place {
                Ok(_place) => request.await,
                Err(_) => Err(format!("not sent, as {UNDER_WAY} were under way")),
            };
            (number, (due.elapsed(), answer))
        });
    }
    let mut outcomes = under_way.join_all().await;
    outcomes.sort_by_key(|(number, _)| *number);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

/// How long it takes from now until a task has succeeded, or what became of it.
async fn applied(target: &Target, task: u64) -> Result<Duration, String> {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        match target.ended(task).await? {
            Some(status) if status == "succeeded" => return Ok(start.elapsed()),
            Some(status) => return Err(format!("task {task} has {status}")),
            None => sleep(LOOK).await,
        }
    }
    Err(format!("task {task} has not ended"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_late_is_measured_from_when_it_was_due() {
        let places = Arc::new(Semaphore::new(1));
        // Each takes 25 ms, one comes every 10 ms, and there is one place.
        let outcomes = at_rate(Instant::now(), 100, Duration::from_millis(60), &places, |_| async {
            sleep(Duration::from_millis(25)).await;
            Ok(None)
        });
        let outcomes = outcomes.await;
        let sent: Vec<bool> = outcomes.iter().map(|(_, answer)| answer.is_ok()).collect();
        assert_eq!(sent, [true, false, false, true, false, false]);
        assert_eq!(outcomes[3].0, Duration::from_millis(25));
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_sent_at_no_rate() {
        let places = Arc::new(Semaphore::new(1));
        let none = at_rate(Instant::now(), 0, Duration::from_secs(1), &places, |_| async { Ok(None) });
        assert!(none.await.is_empty());
    }
}
