//! Every planted bug is found, in few seeds; and the seed that finds it finds nothing without it.

use super::{
    planted::Bug,
    run::{FLEETS, simulate},
    world::Setting,
};

/// As many seeds as a bug may stay unseen for.
const SEEDS: u64 = 100;

/// Two groups whose fleet changes, and nothing goes wrong.
const CALM: Setting = Setting { faults: false, ..FLEETS[0] };
/// Two groups whose fleet changes while things go wrong.
const CHANGING: Setting = FLEETS[0];
/// Two groups that stay as they are while things go wrong.
const STAYING: Setting = FLEETS[3];

fn assert_found(bug: Bug, setting: Setting) {
    let found = (0..SEEDS).find_map(|seed| {
        let violation = simulate(seed, setting, Some(bug), false).err()?;
        simulate(seed, setting, None, false).is_ok().then_some((seed, violation))
    });
    let (seed, violation) = found.unwrap_or_else(|| panic!("{bug:?} is not found in {SEEDS} seeds"));
    println!("{bug:?} is found by seed {seed}: {}", violation.lines().next().unwrap_or_default());
}

/// A test for each bug.
macro_rules! found {
    ($($test:ident: $bug:ident in $setting:expr;)*) => {
        $(#[test]
        fn $test() {
            assert_found(Bug::$bug, $setting);
        })*
    };
}

found! {
    a_planner_that_skips_a_move: PlanSkipsAMove in CHANGING;
    a_map_that_has_unfinished_copies_read: FillingIsRead in CALM;
    a_log_that_forgets_its_last_commit: LogForgetsTheLast in CHANGING;
    an_applier_whose_writes_overtake_each_other: WritesOvertake in CALM;
    an_applier_that_forgets_where_documents_were_first: PlacesAreForgotten in STAYING;
    an_applier_that_does_not_know_what_it_has_sent: TagsAreNotRecognised in CHANGING;
    an_applier_that_believes_what_a_node_says_of_a_swap: SwapsAreBelieved in STAYING;
    editions_that_do_not_show_in_documents: EditionsLeaveNoMark in STAYING;
    nodes_whose_tasks_count_before_they_are_done: TasksEndEarly in CALM;
    a_sequencer_that_settles_what_is_to_be_done: DecisionsAreLost in CALM;
    nodes_that_are_said_to_be_further_than_they_are: PositionsRunAhead in CHANGING;
    payloads_that_are_let_go_of_too_early: PayloadsGoEarly in STAYING;
    a_mover_that_leaves_out_a_document: CopyLacksADocument in CALM;
    a_mover_that_leaves_out_what_came_in_meanwhile: ReplayIsLeftOut in CALM;
    a_scan_that_compares_nothing: ScanSeesNothing in CALM;
    a_repair_that_mends_nothing: MendIsLeftOut in CALM;
    reads_of_nodes_that_are_behind: StaleIsRead in STAYING;
    reads_of_nodes_that_have_lost_their_data: LostIsRead in CHANGING;
    a_stand_in_that_gives_too_much: StandInGivesTooMuch in CHANGING;
}
