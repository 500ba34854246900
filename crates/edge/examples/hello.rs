//! Two services on two listeners, a background task on a runtime of the program's own, and the
//! signals: SIGTERM drains, SIGINT stops, SIGQUIT hands over to a process started with `--upgrade`.
//!
//! ```text
//! cargo run -p miroir-edge --example hello -- --listen 127.0.0.1:7700 --admin 127.0.0.1:7701
//! curl http://127.0.0.1:7700/       # hello
//! curl http://127.0.0.1:7701/       # how many requests there were
//! ```

use std::{
    convert::Infallible,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use miroir_edge::{Edge, EdgeConfig, Listener, RequestBody, Shutdown, Tls};

type Error = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Error> {
    let (config, public, admin) = arguments()?;
    let mut edge = Edge::new(config)?;
    let (public, admin) = (edge.bind(&[public])?, edge.bind(&[admin])?);
    println!("public {}", public.addresses()[0]);
    println!("admin {}", admin.addresses()[0]);

    let requests = Arc::new(AtomicU64::new(0));
    let counted = requests.clone();
    edge.attach(
        public,
        tower::service_fn(move |request: Request<RequestBody>| {
            counted.fetch_add(1, Ordering::Relaxed);
            hello(request)
        }),
    );
    let asked = requests.clone();
    edge.attach(
        admin,
        tower::service_fn(move |_: Request<RequestBody>| {
            let requests = format!("{} requests\n", asked.load(Ordering::Relaxed));
            async move { Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(requests)))) }
        }),
    );

    // Background work has a runtime of its own, which ends with the edge.
    let background = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    background.spawn(async move {
        let mut before = 0;
        loop {
            tokio::time::sleep(Duration::from_secs(10)).await;
            let now = requests.load(Ordering::Relaxed);
            if now != before {
                println!("{} requests in 10 s", now - before);
            }
            before = now;
        }
    });
    edge.run(&Shutdown::on_signals())?;
    println!("ended");
    Ok(())
}

/// Answers at once, or after a second on `/slow`: something to see a drain with.
async fn hello(request: Request<RequestBody>) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.uri().path() == "/slow" {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let hello = format!("hello from {}\n", std::process::id());
    Ok(Response::new(Full::new(Bytes::from(hello))))
}

fn arguments() -> Result<(EdgeConfig, Listener, Listener), Error> {
    let mut config = EdgeConfig::default();
    let mut public = Listener { http2: true, ..Listener::plain(([127, 0, 0, 1], 0).into()) };
    let mut admin = Listener::plain(([127, 0, 0, 1], 0).into());
    let (mut certificate, mut key) = (None, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        if name == "--upgrade" {
            config.upgrade = true;
            continue;
        }
        let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--listen" => public.address = value.parse()?,
            "--admin" => admin.address = value.parse()?,
            "--certificate" => certificate = Some(PathBuf::from(value)),
            "--key" => key = Some(PathBuf::from(value)),
            "--upgrade-socket" => config.upgrade_socket = Some(PathBuf::from(value)),
            "--grace" => config.grace = Duration::from_secs(value.parse()?),
            other => return Err(format!("unknown argument {other}").into()),
        }
    }
    public.tls = certificate.zip(key).map(|(certificate, key)| Tls { certificate, key });
    Ok((config, public, admin))
}
