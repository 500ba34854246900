//! Binding, draining, handing over, and the signals.

use std::{
    convert::Infallible,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::common::{Client, TestEdge, answer, within};
use http::Request;
use miroir_edge::{Edge, EdgeConfig, Listener, RequestBody, Shutdown};
use tokio::net::TcpStream;

fn anywhere() -> Listener {
    Listener::plain(([127, 0, 0, 1], 0).into())
}

/// Answers after as many milliseconds as the path says.
async fn after(request: Request<RequestBody>) -> crate::common::Answer {
    let milliseconds = request.uri().path()[1..].parse().unwrap_or(0);
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    answer(request.uri().path().to_owned())
}

#[test]
fn an_address_in_use_is_one_clear_error() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("free port");
    let address = taken.local_addr().expect("address");
    let mut edge = Edge::new(EdgeConfig::default()).expect("edge");
    let Err(error) = edge.bind(&[Listener::plain(address)]) else { panic!("bound twice") };
    assert!(error.is_address_in_use());
    let expected = format!("cannot listen on {address}: Address already in use");
    assert!(error.to_string().starts_with(&expected), "{error}");
}

#[test]
fn an_address_elsewhere_is_an_error() {
    let mut edge = Edge::new(EdgeConfig::default()).expect("edge");
    let listener = Listener::plain(([192, 0, 2, 1], 0).into());
    let Err(error) = edge.bind(&[listener]) else { panic!("bound to a foreign address") };
    assert!(!error.is_address_in_use());
}

#[tokio::test]
async fn listeners_may_have_different_services() {
    let mut edge = Edge::new(EdgeConfig::default()).expect("edge");
    let public = edge.bind(&[anywhere(), anywhere()]).expect("free ports");
    let admin = edge.bind(&[anywhere()]).expect("free port");
    let addresses = [public.addresses(), admin.addresses()].concat();
    let service =
        |name: &'static str| tower::service_fn(move |_| async move { Ok::<_, Infallible>(answer(name)) });
    edge.attach(public, service("public"));
    edge.attach(admin, service("admin"));
    let shutdown = Shutdown::new();
    let handle = shutdown.clone();
    let running = thread::spawn(move || edge.run(&handle));
    for (address, name) in addresses.into_iter().zip(["public", "public", "admin"]) {
        let mut client = Client(TcpStream::connect(address).await.expect("edge accepts"));
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert_eq!(client.answer().await.1, name);
    }
    shutdown.stop();
    running.join().expect("no panic").expect("a clean end");
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_inside_a_runtime_too() {
    let shutdown = Shutdown::new();
    let handle = shutdown.clone();
    let edge = tokio::task::spawn_blocking(move || {
        let service = tower::service_fn(|_| async { Ok::<_, Infallible>(answer("")) });
        miroir_edge::serve(EdgeConfig::default(), &[anywhere()], service, &handle)
    });
    shutdown.stop();
    within(edge).await.expect("no panic").expect("a clean end");
    let service = tower::service_fn(|_| async { Ok::<_, Infallible>(answer("")) });
    miroir_edge::serve(EdgeConfig::default(), &[anywhere()], service, &shutdown).expect("a clean end");
}

#[tokio::test]
async fn a_drain_lets_requests_finish_and_closes_the_rest() {
    let edge = TestEdge::start(after);
    let mut idle = edge.connect().await;
    idle.send("GET /0 HTTP/1.1\r\nhost: a\r\n\r\n").await;
    idle.answer().await;
    let fresh = edge.connect().await;
    let mut busy = edge.connect().await;
    busy.send("GET /800 HTTP/1.1\r\nhost: a\r\n\r\n").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let began = Instant::now();
    edge.shutdown.drain();
    within(edge.shutdown.begun()).await;
    assert_eq!(idle.rest().await, "");
    assert!(began.elapsed() < Duration::from_millis(600), "idle connections end at once");
    let (head, body) = busy.answer().await;
    assert!(head.contains("connection: close"), "{head}");
    assert_eq!(body, "/800");
    let address = edge.address;
    edge.ended().await.expect("a clean end");
    assert!(began.elapsed() < Duration::from_secs(10), "the edge ends when the last request does");
    drop(fresh);
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_drain_ends_with_the_grace_time() {
    let config = EdgeConfig { grace: Duration::from_millis(300), ..EdgeConfig::default() };
    let edge = TestEdge::start_with(config, anywhere(), after);
    let mut client = edge.connect().await;
    client.send("GET /600000 HTTP/1.1\r\nhost: a\r\n\r\n").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    edge.shutdown.drain();
    edge.ended().await.expect("a clean end");
    assert_eq!(client.rest().await, "");
}

#[test]
fn an_upgrade_without_a_process_to_take_over_from_is_an_error() {
    let config = EdgeConfig { upgrade: true, ..EdgeConfig::default() };
    let Err(error) = Edge::new(config.clone()) else { panic!("no socket is configured") };
    assert_eq!(error.to_string(), "an upgrade needs the path of the upgrade socket");
    let upgrade_socket = Some("/nowhere/at/all.sock".into());
    let Err(error) = Edge::new(EdgeConfig { upgrade_socket, ..config }) else {
        panic!("the directory does not exist")
    };
    assert!(error.to_string().contains("/nowhere/at/all.sock"), "{error}");
}

/// Not a test of its own: the program that [`Process`] starts. Serves until a signal ends it.
#[test]
#[ignore = "started by the tests that send signals"]
fn child() {
    let Ok(listen) = std::env::var("EDGE_LISTEN") else { return };
    let config = EdgeConfig {
        upgrade_socket: std::env::var_os("EDGE_SOCKET").map(Into::into),
        upgrade: std::env::var_os("EDGE_UPGRADE").is_some(),
        ..EdgeConfig::default()
    };
    let mut edge = Edge::new(config).expect("edge");
    let binding = edge.bind(&[Listener::plain(listen.parse().expect("address"))]).expect("bound");
    println!("listening on {}", binding.addresses()[0]);
    edge.attach(
        binding,
        tower::service_fn(|request: Request<RequestBody>| async {
            let mut answer = after(request).await;
            let process = std::process::id().into();
            answer.headers_mut().insert("process", process);
            Ok::<_, Infallible>(answer)
        }),
    );
    edge.run(&Shutdown::on_signals()).expect("a clean end");
}

/// Another process that runs [`child`].
struct Process {
    child: Child,
    /// Kept open: a program that cannot print does not end well.
    _output: BufReader<ChildStdout>,
    address: SocketAddr,
}

impl Process {
    fn start(listen: &str, environment: &[(&str, &str)]) -> Self {
        let program = std::env::current_exe().expect("this program");
        let mut child = Command::new(program)
            .args(["--ignored", "--exact", "lifecycle::child", "--nocapture"])
            .env("EDGE_LISTEN", listen)
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .expect("started");
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        let address = loop {
            let mut line = String::new();
            assert_ne!(output.read_line(&mut line).expect("readable"), 0, "the child ended");
            if let Some((_, address)) = line.trim_end().split_once("listening on ") {
                break address.parse().expect("an address");
            }
        };
        Self { child, _output: output, address }
    }

    fn signal(&self, name: &str) {
        let command = format!("kill -{name} {}", self.child.id());
        let sent = Command::new("sh").args(["-c", &command]).status().expect("a shell");
        assert!(sent.success());
    }

    async fn connect(&self) -> Client {
        Client(within(TcpStream::connect(self.address)).await.expect("edge accepts"))
    }

    async fn ended(mut self) {
        let status = within(async {
            loop {
                if let Some(status) = self.child.try_wait().expect("a child") {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        assert!(status.await.success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn sigterm_drains() {
    let process = Process::start("127.0.0.1:0", &[]);
    let mut client = process.connect().await;
    client.send("GET /0 HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.answer().await;
    client.send("GET /500 HTTP/1.1\r\nhost: a\r\n\r\n").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    process.signal("TERM");
    let (head, body) = client.answer().await;
    assert!(head.contains("connection: close"), "{head}");
    assert_eq!(body, "/500");
    process.ended().await;
}

#[tokio::test]
async fn sigint_stops() {
    let process = Process::start("127.0.0.1:0", &[]);
    let mut client = process.connect().await;
    client.send("GET /0 HTTP/1.1\r\nhost: a\r\n\r\n").await;
    client.answer().await;
    client.send("GET /600000 HTTP/1.1\r\nhost: a\r\n\r\n").await;
    process.signal("INT");
    assert_eq!(client.rest().await, "");
    process.ended().await;
}

#[tokio::test]
async fn sigquit_hands_over_without_losing_a_request() {
    let directory = tempfile::tempdir().expect("directory");
    let socket = directory.path().join("upgrade.sock");
    let socket = socket.to_str().expect("text");
    let old = Process::start("127.0.0.1:0", &[("EDGE_SOCKET", socket)]);
    let address = old.address;

    // A client that asks all the time, each time on a new connection.
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let asking = tokio::spawn(async move {
        let mut processes = Vec::new();
        while stopped.try_recv().is_err() {
            let mut client = Client(TcpStream::connect(address).await.expect("somebody listens"));
            client.send("GET /5 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
            let (head, _) = client.answer().await;
            let process = head.lines().find_map(|line| line.strip_prefix("process: "));
            processes.push(process.expect("a process").to_owned());
        }
        processes
    });
    let mut long = old.connect().await;
    long.send("GET /2500 HTTP/1.1\r\nhost: a\r\n\r\n").await;

    let listen = address.to_string();
    let path = socket.to_owned();
    let starting = tokio::task::spawn_blocking(move || {
        Process::start(&listen, &[("EDGE_SOCKET", &path), ("EDGE_UPGRADE", "1")])
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    old.signal("QUIT");
    let new = within(starting).await.expect("started");
    assert_eq!(new.address, address);
    let (head, body) = long.answer().await;
    assert!(head.contains(&format!("process: {}", old.child.id())), "{head}");
    assert_eq!(body, "/2500");
    let (old_process, new_process) = (old.child.id().to_string(), new.child.id().to_string());
    old.ended().await;

    let mut client = new.connect().await;
    client.send("GET /0 HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(client.head().await.contains(&format!("process: {new_process}")));
    stop.send(()).expect("still asking");
    let processes = within(asking).await.expect("no request was lost");
    assert_eq!(processes.first(), Some(&old_process));
    assert_eq!(processes.last(), Some(&new_process));
}
