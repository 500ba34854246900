//! How an edge is told to end.

use std::{io, sync::Arc};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// Tells an edge to end, from any thread. Clones tell the same edge.
#[derive(Clone, Debug)]
pub struct Shutdown {
    stage: Arc<watch::Sender<Stage>>,
    signals: bool,
}

/// How far the end has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    #[default]
    Running,
    Draining,
    Stopping,
}

/// What an edge reacts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// No new connections; requests in flight end within the grace time.
    Drain,
    /// End now.
    Stop,
    /// Hand the sockets to the next process, then drain.
    Upgrade,
}

// === impl Shutdown ===

impl Shutdown {
    /// A handle that only the program itself triggers.
    pub fn new() -> Self {
        Self { stage: Arc::default(), signals: false }
    }

    /// A handle that the process's signals trigger too: SIGTERM and SIGHUP drain, SIGINT stops, SIGQUIT hands
    /// the listening sockets to the next process and drains.
    pub fn on_signals() -> Self {
        Self { signals: true, ..Self::new() }
    }

    /// Lets requests in flight finish within the grace time, then ends.
    pub fn drain(&self) {
        self.advance(Stage::Draining);
    }

    /// Ends at once.
    pub fn stop(&self) {
        self.advance(Stage::Stopping);
    }

    /// Waits until the edge has begun to end, for whatever reason. For tasks that should end too.
    pub async fn begun(&self) {
        // Waiting fails only without a sender, and this handle is one.
        let _ = self.stage.subscribe().wait_for(|stage| *stage > Stage::Running).await;
    }

    pub(crate) fn advance(&self, stage: Stage) {
        self.stage.send_if_modified(|current| {
            let later = stage > *current;
            *current = stage.max(*current);
            later
        });
    }

    /// Waits until the handle itself has come as far as `stage`.
    pub(crate) async fn reached(&self, stage: Stage) {
        let _ = self.stage.subscribe().wait_for(|current| *current >= stage).await;
    }

    /// Installs the signal handlers, if this handle listens to signals.
    pub(crate) fn commands(&self) -> io::Result<Commands> {
        let listen = |kind| self.signals.then(|| signal(kind)).transpose();
        Ok(Commands {
            shutdown: self.clone(),
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
            interrupt: listen(SignalKind::interrupt())?,
            quit: listen(SignalKind::quit())?,
        })
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

/// The commands of a handle and of the process's signals, one after another.
pub(crate) struct Commands {
    shutdown: Shutdown,
    terminate: Option<tokio::signal::unix::Signal>,
    hangup: Option<tokio::signal::unix::Signal>,
    interrupt: Option<tokio::signal::unix::Signal>,
    quit: Option<tokio::signal::unix::Signal>,
}

// === impl Commands ===

impl Commands {
    /// The next command.
    pub(crate) async fn next(&mut self) -> Command {
        tokio::select! {
            biased;
            () = self.shutdown.reached(Stage::Stopping) => Command::Stop,
            () = received(&mut self.interrupt) => Command::Stop,
            () = self.shutdown.reached(Stage::Draining) => Command::Drain,
            () = received(&mut self.terminate) => Command::Drain,
            // Nothing is read again. Whoever thinks so, or closes a terminal, breaks off no request.
            () = received(&mut self.hangup) => Command::Drain,
            () = received(&mut self.quit) => Command::Upgrade,
        }
    }

    /// Waits for a reason not to wait any longer.
    pub(crate) async fn stop(&mut self) {
        tokio::select! {
            () = self.shutdown.reached(Stage::Stopping) => {}
            () = received(&mut self.interrupt) => {}
        }
    }
}

async fn received(signal: &mut Option<tokio::signal::unix::Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn stop_overtakes_drain_and_stays() {
        let shutdown = Shutdown::new();
        let mut commands = shutdown.commands().expect("no signals to install");
        shutdown.drain();
        assert_eq!(commands.next().await, Command::Drain);
        shutdown.stop();
        shutdown.drain();
        assert_eq!(commands.next().await, Command::Stop);
        commands.stop().await;
        shutdown.begun().await;
    }
}
