//! Running seeds.

use std::{
    ops::{AddAssign, Range},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use rand::Rng;
use tokio::time::sleep;

use super::{
    chance::Chance,
    invariants::Violation,
    planted::Bug,
    world::{Setting, World},
};

/// The fleets that seeds take turns with.
pub(super) const FLEETS: [Setting; 4] = [
    Setting { groups: &[2, 1], changing: true, steps: 20, faults: true },
    Setting { groups: &[3], changing: false, steps: 30, faults: true },
    Setting { groups: &[2], changing: true, steps: 20, faults: true },
    Setting { groups: &[2, 1], changing: false, steps: 30, faults: true },
];

/// What a run was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// How much has happened, and a hash of all of it.
    pub(super) events: u64,
    pub(super) trace: u64,
    /// Writes that were accepted, searches that were answered and that were not.
    pub(super) writes: u64,
    pub(super) answered: u64,
    pub(super) unanswered: u64,
}

/// Runs one seed to its end, or to the first violation.
pub(super) fn simulate(
    seed: u64,
    setting: Setting,
    bug: Option<Bug>,
    aloud: bool,
) -> Result<Outcome, Violation> {
    let directory = directory();
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().expect("a runtime");
    let running = || {
        runtime.block_on(async {
            let chance = Chance::new(seed, aloud);
            let mut world = World::start(chance, setting, directory.path(), bug).await;
            run(&mut world).await
        })
    };
    catch_unwind(AssertUnwindSafe(running)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text.or_else(|| Some((*panic.downcast_ref::<&str>()?).to_owned())).unwrap_or_default())
    })
}

async fn run(world: &mut World<'_>) -> Result<Outcome, Violation> {
    for _ in 0..world.setting.steps {
        for _ in 0..world.chance.throw(|dice| dice.random_range(1..5)) {
            world.write().await;
        }
        if world.setting.changing && world.chance.happens(30) {
            world.change_fleet().await;
        }
        if world.setting.faults && world.chance.happens(35) {
            world.fault().await;
        }
        if world.chance.happens(60) {
            world.search();
        }
        let longest = if world.chance.happens(10) { 3_000 } else { 100 };
        sleep(Duration::from_millis(world.chance.throw(|dice| dice.random_range(0..longest)))).await;
        world.check().await?;
    }
    world.heal();
    world.rest().await?;
    world.check_at_rest().await?;
    if world.setting.changing && world.chance.happens(30) {
        world.damage_and_mend().await?;
    }
    let (events, trace) = world.chance.outcome();
    let [writes, answered, unanswered] = [world.told(), world.answered, world.unanswered].map(u64::from);
    Ok(Outcome { events, trace, writes, answered, unanswered })
}

/// Runs many seeds on all cores. Panics with every seed that failed.
pub(super) fn simulate_many(
    seeds: Range<u64>,
    run: impl Fn(u64) -> Result<Outcome, Violation> + Sync,
) -> Outcome {
    let next = AtomicU64::new(seeds.start);
    let work = || {
        let (mut sum, mut failed) = (Outcome::default(), Vec::new());
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return (sum, failed);
            }
            match run(seed) {
                Ok(outcome) => sum += outcome,
                Err(violation) => {
                    println!("SIMULATION_SEED={seed}: {violation}");
                    failed.push(seed);
                }
            }
        }
    };
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let (mut sum, mut failed) = (Outcome::default(), Vec::new());
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            let (outcome, seeds) = worker.join().expect("it counts");
            sum += outcome;
            failed.extend(seeds);
        }
    });
    failed.sort_unstable();
    assert!(failed.is_empty(), "seeds {failed:?} violate what must hold");
    sum
}

/// In memory, where there is such a place: nothing waits for a disk.
pub(super) fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory")
}

impl AddAssign for Outcome {
    fn add_assign(&mut self, other: Self) {
        self.events += other.events;
        self.writes += other.writes;
        self.answered += other.answered;
        self.unanswered += other.unanswered;
        self.trace ^= other.trace;
    }
}
