use miroir_log::Method;
use miroir_protocol::error::{Code, ResponseError};
use serde_json::json;

use super::*;
use crate::{
    applier::dispatch::NodeTask,
    counts::Counts,
    prepared::Effect,
    steps::Done,
    testing::{addition, plain, work},
};

fn add(uid: u32) -> Work {
    work(uid, addition(100), plain())
}

fn adds(uids: std::ops::Range<u32>) -> Vec<Work> {
    uids.map(add).collect()
}

fn settings(uid: u32) -> Work {
    let operation =
        Operation::SettingsUpdate { settings: json!({}), is_deletion: false, allow_index_creation: false };
    work(uid, operation, plain())
}

/// The entries `first` to `last` as one dispatch, whose node task has the uid of the last one.
fn dispatch(first: u32, last: u32) -> Dispatch {
    Dispatch::new(first, last, vec![NodeTask::accepted(last, Done::Succeeded)], false)
}

fn window(dispatches: impl IntoIterator<Item = Dispatch>) -> Window {
    let mut window = Window::new(0);
    dispatches.into_iter().for_each(|dispatch| window.push(dispatch));
    window
}

fn fail(window: &mut Window, task: u32, code: Code) {
    window.end(task, Report::Failed { error: ResponseError::new(code, "no") });
}

fn succeed(window: &mut Window, task: u32) {
    window.end(task, Report::Succeeded(Counts::default()));
}

const BAD: Code = Code::InvalidDocumentGeoField;

/// Sends entries from `window.next()` to `until` as the window groups them, and judges each alone, where `bad` ones fail;
/// gives what was sent and which entries failed for good.
fn apply(window: &mut Window, until: u32, bad: &[u32]) -> (Vec<(u32, u32)>, Vec<u32>) {
    let (mut sent, mut failed) = (Vec::new(), Vec::new());
    while window.next() <= until {
        let first = window.next();
        let works = adds(first..until + 1);
        let last = first + window.group(&works, None) as u32 - 1;
        window.push(dispatch(first, last));
        sent.push((first, last));
        if bad.iter().any(|bad| (first..=last).contains(bad)) {
            fail(window, last, BAD);
        } else {
            succeed(window, last);
        }
        match window.judge() {
            Verdict::Stands => {
                let dispatch = window.pop().expect("the one sent");
                failed.extend(dispatch.error().map(|_| dispatch.first));
                window.set_done(dispatch.last + 1);
            }
            Verdict::Again => window.restart(),
            Verdict::Later => panic!("not the node's fault"),
        }
    }
    (sent, failed)
}

#[test]
fn small_writes_of_one_index_go_together() {
    let window = Window::new(0);
    assert_eq!(window.group(&adds(0..10), None), 10);
    assert_eq!(window.group(&adds(0..1000), None), GROUPED);
}

#[test]
fn a_group_ends_where_something_else_begins() {
    let window = Window::new(0);
    let mut others = [add(2), add(2), add(2), add(2), settings(2)];
    others[0].entry = std::sync::Arc::new(miroir_log::Entry {
        index_uid: Some("books".to_owned()),
        ..(*others[0].entry).clone()
    });
    let mut update = addition(100);
    if let Operation::DocumentAdditionOrUpdate { method, .. } = &mut update {
        *method = Method::Update;
    }
    others[1] = work(2, update, plain());
    others[2] = work(2, addition(100), Effect { sets_primary_key: Some("id".to_owned()), ..plain() });
    others[3] = work(2, addition(0), Effect { documents: 0, ..plain() });
    for other in others {
        let works = [add(0), add(1), other, add(3)];
        assert_eq!(window.group(&works, None), 2, "{:?}", works[2]);
        assert_eq!(window.group(&works[2..3], None), 1);
    }
}

#[test]
fn a_group_is_bounded_in_bytes_and_a_large_write_goes_by_itself() {
    let window = Window::new(0);
    let large = |uid| work(uid, addition(GROUPED_BYTES / 2 - 10), plain());
    assert_eq!(window.group(&[large(0), large(1), add(2)], None), 2);
    let larger = work(0, addition(GROUPED_BYTES * 4), plain());
    assert_eq!(window.group(&[larger, add(1)], None), 1);
}

#[test]
fn what_the_node_accepted_together_stays_together() {
    let window = Window::new(0);
    assert_eq!(window.group(&adds(3..20), Some(7)), 5);
    assert_eq!(window.group(&adds(3..20), Some(3)), 1);
}

#[test]
fn puts_and_deletes_by_id_flow_and_nothing_else() {
    let deletion = |selection| work(1, Operation::DocumentDeletion { selection }, plain());
    assert!(flows(&add(1)));
    assert!(flows(&deletion(Selection::ByIds { ids: vec!["1".to_owned()] })));
    assert!(flows(&deletion(Selection::All)));
    assert!(!flows(&deletion(Selection::ByFilter { filter: json!("a = 1") })));
    assert!(!flows(&settings(1)));
    assert!(!flows(&work(1, Operation::IndexDeletion, plain())));
    assert!(!flows(&work(1, addition(1), Effect { creates_index: true, ..plain() })));
    assert!(!flows(&work(1, addition(1), Effect { sets_primary_key: Some("id".to_owned()), ..plain() })));
    let mut skipping = addition(1);
    if let Operation::DocumentAdditionOrUpdate { skip_creation, .. } = &mut skipping {
        *skip_creation = true;
    }
    assert!(!flows(&work(1, skipping, plain())));
}

#[test]
fn what_does_not_flow_waits_for_all_before_it_and_holds_up_all_behind_it() {
    let mut window = window([dispatch(0, 0)]);
    assert!(!window.must_wait(&add(1)));
    assert!(window.must_wait(&settings(1)));
    succeed(&mut window, 0);
    window.pop();
    assert!(!window.must_wait(&settings(1)));
    window.push(Dispatch { barrier: true, ..dispatch(1, 1) });
    assert!(window.must_wait(&add(2)));
}

#[test]
fn an_entry_without_work_for_the_node_is_no_obstacle() {
    let nothing = Dispatch::new(0, 0, Vec::new(), true);
    let mut window = window([nothing]);
    assert!(!window.must_wait(&settings(1)));
    window.push(dispatch(1, 1));
    assert!(window.ended().is_some_and(|dispatch| dispatch.last == 0));
    assert_eq!(window.judge(), Verdict::Stands);
    window.pop();
    fail(&mut window, 1, BAD);
    assert_eq!(window.judge(), Verdict::Stands, "it was alone");
}

#[test]
fn a_lone_failure_stands_and_a_failure_in_company_does_not() {
    let mut alone = window([dispatch(0, 0)]);
    fail(&mut alone, 0, BAD);
    assert_eq!(alone.judge(), Verdict::Stands);

    let mut together = window([dispatch(0, 0), dispatch(1, 1)]);
    fail(&mut together, 0, BAD);
    assert_eq!(together.judge(), Verdict::Again);
    together.restart();
    assert_eq!(together.next(), 0);
    together.push(dispatch(0, 0));
    assert!(together.must_wait(&add(1)), "this time it is alone");
    fail(&mut together, 0, BAD);
    assert_eq!(together.judge(), Verdict::Stands);
}

#[test]
fn only_the_bad_entry_of_a_group_fails_and_soon_found() {
    let (sent, failed) = apply(&mut Window::new(0), 255, &[100]);
    assert_eq!(failed, [100]);
    assert!(sent.len() < 30, "{sent:?}");
}

#[test]
fn several_bad_entries_are_found_one_after_the_other() {
    let bad = [0, 1, 77, 254, 255];
    let (_, failed) = apply(&mut Window::new(0), 300, &bad);
    assert_eq!(failed, bad);
}

#[test]
fn all_that_failed_together_is_sent_with_care() {
    let mut window = window([dispatch(0, 3), dispatch(4, 7), dispatch(8, 11), dispatch(12, 15)]);
    for task in [3, 7, 11] {
        fail(&mut window, task, BAD);
    }
    assert_eq!(window.judge(), Verdict::Again);
    window.restart();
    let (sent, failed) = apply(&mut window, 40, &[9]);
    assert_eq!(failed, [9]);
    assert_eq!(sent[0], (0, 3), "the same group, alone");
    assert_eq!(window.careful, None);
    assert!(sent.last().is_some_and(|(first, last)| last - first > 10), "{sent:?}");
}

#[test]
fn a_full_disk_is_waited_for_as_long_as_it_takes() {
    let mut window = window([dispatch(0, 0), dispatch(1, 1)]);
    for _ in 0..100 {
        fail(&mut window, 0, Code::NoSpaceLeftOnDevice);
        assert_eq!(window.judge(), Verdict::Later);
        window.restart();
        window.push(dispatch(0, 0));
    }
}

#[test]
fn what_a_node_fails_over_again_and_again_on_its_own_is_at_fault() {
    let mut window = window([dispatch(0, 0)]);
    for _ in 0..UNCLEAR_RETRIES {
        fail(&mut window, 0, Code::Internal);
        assert_eq!(window.judge(), Verdict::Later);
        window.restart();
        window.push(dispatch(0, 0));
    }
    fail(&mut window, 0, Code::Internal);
    assert_eq!(window.judge(), Verdict::Stands);
}

#[test]
fn open_tasks_and_the_newest_are_those_under_way() {
    let refused = NodeTask::refused(ResponseError::index_not_found("x"), Done::Succeeded);
    let mut window = window([dispatch(0, 3), dispatch(4, 7), Dispatch::new(8, 8, vec![refused], false)]);
    assert_eq!((window.first_open_tasks(), window.open_tasks()), (vec![3], vec![3, 7]));
    succeed(&mut window, 3);
    assert_eq!((window.first_open_tasks(), window.open_tasks()), (vec![7], vec![7]));
    assert_eq!(window.newest_task(), Some(7));
    assert_eq!((window.entry_of(7), window.next()), (4, 9));
}

#[test]
fn what_an_earlier_try_has_judged_stands() {
    let found = |judged| window([Dispatch { judged, alone: false, ..dispatch(0, 0) }]);
    for (judged, verdict) in [(true, Verdict::Stands), (false, Verdict::Again)] {
        let mut window = found(judged);
        fail(&mut window, 0, BAD);
        assert_eq!(window.judge(), verdict);
    }
}
