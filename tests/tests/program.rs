//! The program as somebody meets it in a terminal.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use miroir_tests::{cluster, eventually};
use serde_json::json;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_miroir-under-test");

/// A directory with one file in it.
struct File(TempDir);

impl File {
    fn of(text: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        fs::write(directory.path().join("miroir.yaml"), text).expect("the file is written");
        Self(directory)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("miroir.yaml")
    }
}

fn run(arguments: &[&str], file: &Path) -> Output {
    Command::new(PROGRAM).args(arguments).arg(file).output().expect("the program starts")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const GOOD: &str = "\
master_key: a-key-for-the-clients
cluster:
  nodes:
    - name: n1
      url: http://127.0.0.1:7701
";

#[test]
fn check_finds_a_good_file_good() {
    let output = run(&["check"], &File::of(GOOD).path());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("is valid"));
    assert_eq!(stderr(&output), "");
}

#[test]
fn check_tells_every_error_with_its_place() {
    let bad = "\
server:
  graze: 30s
cluster:
  shards: 100
  nodes:
    - name: n1
      url: http://127.0.0.1:7701
";
    let output = run(&["check"], &File::of(bad).path());
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("miroir.yaml:2:3") && said.contains("graze") && said.contains("grace"), "{said}");
    assert!(said.contains("miroir.yaml:4:11") && said.contains("shards"), "{said}");
}

#[test]
fn check_says_so_when_there_is_no_file() {
    let output = run(&["check"], Path::new("/nowhere/miroir.yaml"));
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("/nowhere/miroir.yaml"));
}

#[test]
fn a_port_in_use_is_told_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let config = json!({
        "server": { "listen": [{ "address": address }] },
        "log": { "directory": directory.path().join("log") },
        "cluster": { "nodes": [{ "name": "n1", "url": "http://127.0.0.1:1" }] },
        "telemetry": { "log_level": "error" },
    });
    let output = run(&["serve", "--config"], &File::of(&config.to_string()).path());
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.starts_with("error: ") && said.contains(&address), "{said}");
}

#[test]
fn a_log_that_another_process_holds_is_told_in_one_line() {
    let mut cluster = cluster(PROGRAM).nodes(1).start();
    let mut config: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(cluster.config_file()).expect("the file is there"))
            .expect("it is JSON");
    config["telemetry"]["log_level"] = json!("error");
    let output = run(&["serve", "--config"], &File::of(&config.to_string()).path());
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("log"), "{said}");
    assert!(cluster.gateway().terminate().success());
}

/// A request that is under way when the end is asked for is answered; new connections are refused; the exit is clean.
#[test]
fn a_termination_drains_and_ends_well() {
    let mut cluster = cluster(PROGRAM).nodes(1).start();
    let client = cluster.client();
    client.post("/indexes/films/documents?primaryKey=id").json(&json!([{ "id": 1 }])).succeeds();
    let under_way = SlowRequest::open(&client);
    cluster.gateway().ask_to_end();
    eventually("new connections are refused", || {
        std::net::TcpStream::connect(client.address()).is_err().then_some(())
    });
    let answer = under_way.finish();
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    assert!(cluster.gateway().wait().success());
    // What was accepted while draining is not lost.
    cluster.gateway().start();
    let client = cluster.client();
    client.ended(1);
    let document = client.get("/indexes/films/documents/2").send();
    assert_eq!(document.ok(), json!({ "id": 2 }));
}

/// A write whose body has come half.
struct SlowRequest(std::net::TcpStream);

impl SlowRequest {
    const BODY: &str = r#"[{"id":2}]"#;

    fn open(client: &miroir_tests::Client) -> Self {
        use std::io::Write;
        let mut stream = std::net::TcpStream::connect(client.address()).expect("the gateway listens");
        let head = format!(
            "POST /indexes/films/documents HTTP/1.1\r\nHost: miroir\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            miroir_tests::MASTER_KEY,
            Self::BODY.len()
        );
        stream.write_all(head.as_bytes()).expect("the head is sent");
        stream.write_all(&Self::BODY.as_bytes()[..4]).expect("half the body is sent");
        // The gateway has the request in hand when it has answered another one that came later.
        client.get("/health").send();
        Self(stream)
    }

    fn finish(mut self) -> String {
        use std::io::{Read, Write};
        self.0.write_all(&Self::BODY.as_bytes()[4..]).expect("the rest is sent");
        let mut answer = String::new();
        self.0.read_to_string(&mut answer).expect("the answer comes");
        answer
    }
}

#[test]
fn help_and_version_are_there() {
    for argument in ["--help", "--version"] {
        let output = Command::new(PROGRAM).arg(argument).output().expect("the program starts");
        assert!(output.status.success());
        assert!(String::from_utf8_lossy(&output.stdout).contains("miroir"));
    }
    let unknown = Command::new(PROGRAM).arg("sreve").output().expect("the program starts");
    assert_eq!(unknown.status.code(), Some(2));
}
