//! Signals to the processes of a test.

use std::process::{Child, Command};

/// Sends a process that this one started a signal, such as `STOP`.
pub(crate) fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status();
    assert!(sent.expect("there is a program `kill`").success(), "no {name} for process {}", child.id());
}
