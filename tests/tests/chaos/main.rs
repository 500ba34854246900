//! Nodes and networks fail, the fleet changes and the gateway is killed, while clients read and write: no search fails or is
//! wrong, no write is refused or kept waiting, nothing accepted is lost, and all copies are equal in the end.
//!
//! The nodes are processes. `MIROIR_SEARCHES` and `MIROIR_WRITES` (documents) a second, `MIROIR_DOCUMENTS` to begin with and
//! `MIROIR_PHASE_MS` set the size of a run; the full one has 500, 200, 20000 and 5000, real servers (`MEILISEARCH_BIN`) and a
//! gateway that is built for speed (`MIROIR_BIN`). With `MIROIR_TARGETS=1` the times that searches take are judged too, which
//! means something on a quiet machine only.

mod changes;
mod crashes;
mod data;
mod machines;
mod network;
mod nodes;

use std::time::Duration;

use miroir_tests::{Client, eventually_within, from_environment};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_miroir-under-test");
/// How long a change of the fleet may take: of large indexes, on a machine that does everything.
const CHANGE: Duration = Duration::from_secs(300);
/// No write may be kept waiting for longer; on a machine that is busy with other things all takes its time.
fn held() -> Duration {
    Duration::from_secs(if judges_times() { 1 } else { 10 })
}

/// How long anything that happens goes on.
fn phase() -> Duration {
    Duration::from_millis(from_environment("MIROIR_PHASE_MS", 1_200))
}

/// No task may take longer to succeed; real nodes on a busy machine take seconds over each.
fn ended() -> Duration {
    held() * if judges_times() { 1 } else { 3 }
}

/// Whether the times that searches take are judged.
fn judges_times() -> bool {
    from_environment("MIROIR_TARGETS", 0) == 1
}

fn change(client: &Client, change: &Value) {
    client.post("/_miroir/rebalance").json(change).send().ok();
}

/// Waits until a change is over.
fn settled(client: &Client, state: &str) -> Value {
    eventually_within(CHANGE, "the fleet has changed", || {
        // It may be starting again.
        let status = client.get("/_miroir/rebalance").try_send().ok()?.body;
        (status["state"] == state).then_some(status)
    })
}
