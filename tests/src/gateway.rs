//! The gateway as a process, to be killed, stopped and started again.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
};

use serde_json::Value;

use crate::{
    client::{Address, Client},
    machine::Machine,
    process::signal,
    wait::{DEADLINE, eventually},
};

/// What of the messages is kept to be shown when a test fails.
const KEPT_LINES: usize = 60;

/// What tells the messages about single requests.
const ACCESS: &str = r#""target":"miroir::access""#;

/// A gateway's process.
#[derive(Debug)]
pub struct Gateway {
    program: PathBuf,
    config: PathBuf,
    address: Address,
    operators: Address,
    machine: Option<Machine>,
    process: Option<Process>,
    said: Said,
}

#[derive(Debug)]
struct Process {
    child: Child,
    reader: thread::JoinHandle<()>,
}

/// The last lines of standard error, except those about single requests.
#[derive(Clone, Debug, Default)]
struct Said(Arc<Mutex<VecDeque<String>>>);

impl Gateway {
    /// Starts it and waits until it listens.
    pub(crate) fn start_new(program: &Path, config: &Path, machine: Option<Machine>) -> Self {
        let mut gateway = Self {
            program: std::env::var_os("MIROIR_BIN").map_or_else(|| program.to_owned(), PathBuf::from),
            config: config.to_owned(),
            address: Address::new(([127, 0, 0, 1], 0).into()),
            operators: Address::new(([127, 0, 0, 1], 0).into()),
            machine,
            process: None,
            said: Said::default(),
        };
        gateway.start();
        gateway
    }

    /// Starts it again. Clients find it by themselves.
    pub fn start(&mut self) {
        assert!(self.process.is_none(), "the gateway runs");
        let mut child = self.command().spawn().expect("the gateway's program starts");
        let stderr = child.stderr.take().expect("standard error is piped");
        let (listening, listens) = mpsc::channel();
        let said = self.said.clone();
        let reader = thread::spawn(move || said.read(stderr, &listening));
        self.process = Some(Process { child, reader });
        self.address.set(listens.recv_timeout(DEADLINE).expect("the gateway listens for clients"));
        self.operators.set(listens.recv_timeout(DEADLINE).expect("the gateway listens for operators"));
    }

    /// Kills it, as `kill -9` does.
    pub fn kill(&mut self) {
        let mut process = self.running();
        process.child.kill().expect("the gateway is there to be killed");
        process.wait();
    }

    /// Asks it to end and waits until it has.
    pub fn terminate(&mut self) -> ExitStatus {
        self.ask_to_end();
        self.running().wait()
    }

    /// Asks it to end, as `kill -TERM` does.
    pub fn ask_to_end(&self) {
        signal(&self.process.as_ref().expect("the gateway runs").child, "TERM");
    }

    /// Waits until it has ended by itself.
    pub fn wait(&mut self) -> ExitStatus {
        self.running().wait()
    }

    /// What it sees of its machine, where that can be made to fail.
    pub fn machine(&self) -> &Machine {
        self.machine.as_ref().expect("a gateway on a machine of the test's own")
    }

    /// Asks it with the master key.
    pub fn client(&self) -> Client {
        Client::new(self.address.clone(), crate::MASTER_KEY)
    }

    /// Asks it where operators do.
    pub fn operators(&self) -> Client {
        Client::new(self.operators.clone(), crate::MASTER_KEY)
    }

    /// What it has said last.
    pub fn said(&self) -> String {
        self.said.text()
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("serve").arg("--config").arg(&self.config);
        command.env_remove("RUST_LOG").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        if let Some(machine) = &self.machine {
            machine.shows(&mut command);
        }
        command
    }

    fn running(&mut self) -> Process {
        self.process.take().expect("the gateway runs")
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have ended by itself.
            let _ = process.child.kill();
            process.wait();
        }
        if thread::panicking() {
            eprintln!("--- the gateway said last\n{}\n---", self.said.text());
        }
    }
}

// === impl Process ===

impl Process {
    fn wait(mut self) -> ExitStatus {
        let status = eventually("the gateway ends", || self.child.try_wait().expect("its state is known"));
        // A reader that panicked has shown why.
        let _ = self.reader.join();
        status
    }
}

// === impl Said ===

impl Said {
    fn read(&self, stderr: ChildStderr, listening: &mpsc::Sender<SocketAddr>) {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            // One for every request: reading them all takes longer than what else there is to do for a request.
            if line.contains(ACCESS) {
                continue;
            }
            let event: Value = serde_json::from_str(&line).unwrap_or_default();
            let fields = &event["fields"];
            let listens = fields["message"].as_str().is_some_and(|message| message.starts_with("listening"));
            if listens && let Some(address) = fields["address"].as_str().and_then(|text| text.parse().ok()) {
                // Nobody waits for a third listener.
                let _ = listening.send(address);
            }
            if event["level"] != "INFO" {
                self.keep(line);
            }
        }
    }

    fn keep(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == KEPT_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    fn text(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}
