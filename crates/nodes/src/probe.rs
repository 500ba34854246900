//! A look at every node from time to time, so that one nobody talks to is known to be down, or back.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use http::Uri;

use crate::{fleet::Fleet, request::NodeRequest};

/// Asks each node for its health at an interval. The outcome goes into the node's `Health`, as any request's does.
#[derive(Debug)]
pub struct Prober {
    fleet: Arc<Fleet>,
    interval: Duration,
    timeout: Duration,
}

impl Prober {
    /// A prober that asks every `interval` and waits `timeout` for each answer.
    pub fn new(fleet: Arc<Fleet>, interval: Duration, timeout: Duration) -> Self {
        Self { fleet, interval, timeout }
    }

    /// Probes until dropped.
    pub async fn run(self) {
        let mut ticks = tokio::time::interval(self.interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.probe_all().await;
        }
    }

    async fn probe_all(&self) {
        let request = NodeRequest::get(Uri::from_static("/health"));
        join_all(self.fleet.iter().map(|node| {
            let request = &request;
            async move {
                let was_up = node.health().is_up();
                let answered = node.ask(request, self.timeout).await.is_ok();
                if answered && !was_up {
                    tracing::info!(node = node.name(), "node is back");
                }
            }
        }))
        .await;
    }
}
