//! What every backend of the log must do. `suite!` makes a test of each function here.

mod catalog;
mod chores;
mod list;
mod order;
mod payloads;
mod records;
mod survival;
mod tasks;

pub(crate) use self::{
    catalog::*, chores::*, list::*, order::*, payloads::*, records::*, survival::*, tasks::*,
};
use miroir_log::Log;

/// A backend under test.
pub(crate) trait Backend: Send {
    /// A new, empty log.
    fn create() -> Self;
    /// The log.
    fn log(&self) -> &dyn Log;
    /// Closes the log and opens it again, as a restart of the program does.
    fn reopen(&mut self);
}

macro_rules! suite {
    ($name:ident, $backend:ty) => {
        crate::conformance::suite!(@tests $name, $backend,
            uids_count_from_zero
            appending_wakes_whoever_waits
            entries_are_read_in_order_from_anywhere
            decisions_follow_one_another
            a_decision_is_replaced_until_the_task_is_over
            watermarks_never_go_back
            a_node_is_forgotten
            tasks_started_together_share_a_batch
            a_task_that_was_never_started_gets_its_own_batch
            a_task_is_finished_once
            a_refused_finish_changes_nothing
            failed_and_canceled_tasks_say_why
            details_come_from_the_operation_at_first
            unknown_tasks_are_none
            unfinished_entries_are_found
            the_catalog_changes_with_the_task
            a_refused_finish_leaves_the_catalog
            maps_only_get_newer
            records_are_kept_by_kind_and_id
            payloads_are_read_back_wherever_they_are
            trimming_stops_at_the_first_unfinished_task
            a_trimmed_payload_is_gone
            everything_survives_a_restart
            pages_follow_one_another
            filters_choose_tasks
            index_swaps_are_counted_and_not_listed
            only_what_was_not_started_is_canceled
            deleted_tasks_are_gone_for_clients_and_kept_for_nodes
            what_was_canceled_stays_so_for_nodes_when_its_task_is_deleted
            tasks_follow_the_names_of_their_indexes
            a_write_with_a_key_is_taken_once
            ends_are_listed_until_they_are_forgotten
            the_tasks_that_match_are_found
        );
    };
    (@tests $name:ident, $backend:ty, $($test:ident)*) => {
        mod $name {
            $(
                #[tokio::test]
                async fn $test() {
                    crate::conformance::$test::<$backend>().await;
                }
            )*
        }
    };
}
pub(crate) use suite;
