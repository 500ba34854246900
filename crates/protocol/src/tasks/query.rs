//! Looking for tasks.

use deserr::Deserr;
use time::OffsetDateTime;

use super::{
    Kind, TaskStatus, TaskView,
    date::{After, Before},
};
use crate::{
    error::{Code, ResponseError, marker},
    index_uid::IndexUid,
    parse::{self, List, Param, QueryRefusal, Star},
};

/// How many tasks a page has when nothing is said.
const LIMIT: u32 = 20;

/// Which tasks, and which page of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TasksQuery {
    /// How many at most.
    pub limit: u32,
    /// The first uid: the largest one, or the smallest when `reverse`.
    pub from: Option<u32>,
    /// Whether the oldest come first.
    pub reverse: bool,
    /// Which tasks.
    pub filter: TaskFilter,
}

/// Which tasks. `None` means no matter which.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskFilter {
    /// Their uids.
    pub uids: Option<Vec<u32>>,
    /// The batches they are done in.
    pub batch_uids: Option<Vec<u32>>,
    /// The tasks that canceled them.
    pub canceled_by: Option<Vec<u32>>,
    /// What they do.
    pub types: Option<Vec<Kind>>,
    /// How far they are.
    pub statuses: Option<Vec<TaskStatus>>,
    /// The indexes they are about.
    pub index_uids: Option<Vec<IndexUid>>,
    /// Taken after this.
    pub after_enqueued_at: Option<OffsetDateTime>,
    /// Taken before this.
    pub before_enqueued_at: Option<OffsetDateTime>,
    /// Begun after this.
    pub after_started_at: Option<OffsetDateTime>,
    /// Begun before this.
    pub before_started_at: Option<OffsetDateTime>,
    /// Ended after this.
    pub after_finished_at: Option<OffsetDateTime>,
    /// Ended before this.
    pub before_finished_at: Option<OffsetDateTime>,
}

/// What is done with the tasks that a filter names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterAction {
    /// They are given up.
    Cancel,
    /// They are forgotten.
    Delete,
}

macro_rules! parameters {
    ($(#[$meta:meta])* $name:ident { $($first:tt)* }) => {
        $(#[$meta])*
        #[derive(Debug, Deserr)]
        #[deserr(error = QueryRefusal, rename_all = camelCase, deny_unknown_fields)]
        struct $name {
            $($first)*
            #[deserr(default, error = QueryRefusal<marker::InvalidTaskCanceledBy>)]
            canceled_by: List<u32>,
            #[deserr(default, error = QueryRefusal<marker::InvalidTaskTypes>)]
            types: List<Kind>,
            #[deserr(default, error = QueryRefusal<marker::InvalidTaskStatuses>)]
            statuses: List<TaskStatus>,
            #[deserr(default, error = QueryRefusal<marker::InvalidIndexUid>)]
            index_uids: List<IndexUid>,
            #[deserr(default, error = QueryRefusal<marker::InvalidTaskAfterEnqueuedAt>)]
            after_enqueued_at: Date<After>,
            #[deserr(default, error = QueryRefusal<marker::InvalidTaskBeforeEnqueuedAt>)]
            before_enqueued_at: Date<Before>,
            #[deserr(default, error = QueryRefusal<marker::InvalidTaskAfterStartedAt>)]
            after_started_at: Date<After>,
            #[deserr(default, error = QueryRefusal<marker::InvalidTaskBeforeStartedAt>)]
            before_started_at: Date<Before>,
            #[deserr(default, error = QueryRefusal<marker::InvalidTaskAfterFinishedAt>)]
            after_finished_at: Date<After>,
            #[deserr(default, error = QueryRefusal<marker::InvalidTaskBeforeFinishedAt>)]
            before_finished_at: Date<Before>,
        }

        impl $name {
            fn into_filter(self) -> TaskFilter {
                TaskFilter {
                    uids: self.uids.values,
                    batch_uids: self.batch_uids.values,
                    canceled_by: self.canceled_by.values,
                    types: self.types.values,
                    statuses: self.statuses.values,
                    index_uids: self.index_uids.values,
                    after_enqueued_at: after(self.after_enqueued_at),
                    before_enqueued_at: before(self.before_enqueued_at),
                    after_started_at: after(self.after_started_at),
                    before_started_at: before(self.before_started_at),
                    after_finished_at: after(self.after_finished_at),
                    before_finished_at: before(self.before_finished_at),
                }
            }
        }
    };
}

/// A date; a star counts as sent.
type Date<T> = Option<Star<T>>;

fn after(date: Date<After>) -> Option<OffsetDateTime> {
    Some(date?.0?.0)
}

fn before(date: Date<Before>) -> Option<OffsetDateTime> {
    Some(date?.0?.0)
}

// The order of the fields is the order in which errors list the parameters; it differs between the two.
parameters! {
    ListParameters {
        #[deserr(default = Param(LIMIT), error = QueryRefusal<marker::InvalidTaskLimit>)]
        limit: Param<u32>,
        #[deserr(default, error = QueryRefusal<marker::InvalidTaskFrom>)]
        from: Option<Param<u32>>,
        #[deserr(default, error = QueryRefusal<marker::InvalidTaskReverse>)]
        reverse: Option<Param<bool>>,
        #[deserr(default, error = QueryRefusal<marker::InvalidBatchUids>)]
        batch_uids: List<u32>,
        #[deserr(default, error = QueryRefusal<marker::InvalidTaskUids>)]
        uids: List<u32>,
    }
}

parameters! {
    ActionParameters {
        #[deserr(default, error = QueryRefusal<marker::InvalidTaskUids>)]
        uids: List<u32>,
        #[deserr(default, error = QueryRefusal<marker::InvalidBatchUids>)]
        batch_uids: List<u32>,
    }
}

impl ActionParameters {
    /// Whether no parameter that filters was sent, not even a star.
    fn is_empty(&self) -> bool {
        let lists = [self.uids.sent, self.batch_uids.sent, self.canceled_by.sent, self.types.sent];
        let names = [self.statuses.sent, self.index_uids.sent];
        let after = [&self.after_enqueued_at, &self.after_started_at, &self.after_finished_at];
        let before = [&self.before_enqueued_at, &self.before_started_at, &self.before_finished_at];
        !lists.contains(&true)
            && !names.contains(&true)
            && after.iter().all(|date| date.is_none())
            && before.iter().all(|date| date.is_none())
    }
}

impl TasksQuery {
    /// Parses the parameters of `GET /tasks` and `GET /batches`.
    pub fn from_query_string(query: &str) -> Result<Self, ResponseError> {
        let sent = parse::query::<ListParameters, marker::BadRequest>(query)?;
        Ok(Self {
            limit: sent.limit.0,
            from: sent.from.map(|from| from.0),
            reverse: sent.reverse.is_some_and(|reverse| reverse.0),
            filter: sent.into_filter(),
        })
    }
}

impl TaskFilter {
    /// Parses the parameters of `POST /tasks/cancel` and `DELETE /tasks`, which need at least one filter.
    pub fn from_query_string(query: &str, action: FilterAction) -> Result<Self, ResponseError> {
        let sent = parse::query::<ActionParameters, marker::BadRequest>(query)?;
        if sent.is_empty() {
            let verb = match action {
                FilterAction::Cancel => "cancel",
                FilterAction::Delete => "delete",
            };
            let message = format!(
                "Query parameters to filter the tasks to {verb} are missing. Available query parameters are: `uids`, \
                 `indexUids`, `statuses`, `types`, `canceledBy`, `beforeEnqueuedAt`, `afterEnqueuedAt`, \
                 `beforeStartedAt`, `afterStartedAt`, `beforeFinishedAt`, `afterFinishedAt`."
            );
            return Err(ResponseError::new(Code::MissingTaskFilters, message));
        }
        Ok(sent.into_filter())
    }

    /// Whether a task is one of those.
    pub fn matches(&self, task: &TaskView) -> bool {
        among(&self.uids, |uid| *uid == task.uid)
            && among(&self.batch_uids, |uid| Some(*uid) == task.batch_uid)
            && among(&self.canceled_by, |uid| Some(*uid) == task.canceled_by)
            && among(&self.types, |kind| *kind == task.kind)
            && among(&self.statuses, |status| *status == task.status)
            && among(&self.index_uids, |uid| Some(uid.as_str()) == task.index_uid.as_deref())
            && between(self.after_enqueued_at, Some(task.enqueued_at), self.before_enqueued_at)
            && between(self.after_started_at, task.started_at, self.before_started_at)
            && between(self.after_finished_at, task.finished_at, self.before_finished_at)
    }
}

/// The uid of a task in the path of a request.
pub fn task_uid_from_path(uid: &str) -> Result<u32, ResponseError> {
    uid.parse().map_err(|_| {
        let message = format!("Task uid `{uid}` is invalid. It should only contain numeric characters.");
        ResponseError::new(Code::InvalidTaskUids, message)
    })
}

/// The uid of a batch in the path of a request.
pub fn batch_uid_from_path(uid: &str) -> Result<u32, ResponseError> {
    uid.parse().map_err(|_| {
        let message = format!("Batch uid `{uid}` is invalid. It should only contain numeric characters.");
        ResponseError::new(Code::InvalidBatchUids, message)
    })
}

fn among<T>(wanted: &Option<Vec<T>>, is_it: impl FnMut(&T) -> bool) -> bool {
    wanted.as_ref().is_none_or(|wanted| wanted.iter().any(is_it))
}

/// A moment that is not there is between nothing.
fn between(
    after: Option<OffsetDateTime>,
    moment: Option<OffsetDateTime>,
    before: Option<OffsetDateTime>,
) -> bool {
    after.is_none_or(|after| moment.is_some_and(|moment| moment > after))
        && before.is_none_or(|before| moment.is_some_and(|moment| moment < before))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::{FilterAction, TaskFilter, TasksQuery};
    use crate::tasks::{Kind, TaskStatus, TaskView};

    fn task(uid: u32, status: TaskStatus, index: Option<&str>) -> TaskView {
        TaskView {
            uid,
            batch_uid: Some(uid),
            index_uid: index.map(ToOwned::to_owned),
            status,
            kind: Kind::SettingsUpdate,
            canceled_by: None,
            details: None,
            error: None,
            duration: None,
            enqueued_at: datetime!(2024-05-05 12:00 UTC),
            started_at: None,
            finished_at: None,
            custom_metadata: None,
        }
    }

    fn matches(query: &str, task: &TaskView) -> bool {
        TasksQuery::from_query_string(query).expect(query).filter.matches(task)
    }

    #[test]
    fn nothing_is_the_newest_twenty() {
        let query = TasksQuery::from_query_string("").expect("good");
        assert_eq!((query.limit, query.from, query.reverse), (20, None, false));
        assert_eq!(query.filter, TaskFilter::default());
    }

    #[test]
    fn all_filters_have_to_agree() {
        let task = task(7, TaskStatus::Failed, Some("movies"));
        assert!(matches("uids=6,7&statuses=failed,canceled&types=settingsUpdate&indexUids=movies", &task));
        assert!(!matches("uids=7&statuses=succeeded", &task));
        assert!(matches("uids=*&statuses=*", &task));
    }

    #[test]
    fn a_task_of_no_index_is_in_no_index() {
        assert!(!matches("indexUids=movies", &task(1, TaskStatus::Succeeded, None)));
    }

    #[test]
    fn dates_exclude_their_own_day_and_moments_that_are_not_there() {
        let task = task(1, TaskStatus::Enqueued, None);
        assert!(matches("afterEnqueuedAt=2024-05-04&beforeEnqueuedAt=2024-05-06", &task));
        assert!(!matches("afterEnqueuedAt=2024-05-05", &task));
        assert!(
            !matches("afterStartedAt=2001-01-01", &task) && !matches("beforeFinishedAt=2090-01-01", &task)
        );
    }

    #[test]
    fn names_are_read_in_any_case() {
        let query = TasksQuery::from_query_string("types=INDEXcreation&statuses=Failed").expect("good");
        assert_eq!(query.filter.types, Some(vec![Kind::IndexCreation]));
        assert_eq!(query.filter.statuses, Some(vec![TaskStatus::Failed]));
    }

    #[test]
    fn a_bad_element_of_a_list_is_named_by_its_place() {
        let error = TasksQuery::from_query_string("uids=1,b").expect_err("b");
        assert_eq!(
            error.message(),
            "Invalid value in parameter `uids[1]`: could not parse `b` as a positive integer"
        );
    }

    #[test]
    fn a_star_is_enough_of_a_filter_to_cancel_everything() {
        let filter = TaskFilter::from_query_string("uids=*", FilterAction::Cancel).expect("a filter");
        assert_eq!(filter, TaskFilter::default());
        assert!(TaskFilter::from_query_string("afterEnqueuedAt=*", FilterAction::Delete).is_ok());
        assert!(TaskFilter::from_query_string("", FilterAction::Delete).is_err());
    }
}
