//! What the filters cost per request: each one alone, and the chain that every gateway needs, over a service that
//! answers at once. `cargo bench -p miroir-filters` prints nanoseconds per request, of processor time where the system
//! tells it (Linux does), since the clock of a shared machine counts everybody's work.

use std::{
    fs,
    hint::black_box,
    net::SocketAddr,
    sync::LazyLock,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt, Empty, Full};
use miroir_filters::{
    BoxError, BoxService, Deps, FilterConfig,
    body::box_body,
    extensions::{PeerAddr, Reusable},
    stack,
};
use tower::{ServiceExt, service_fn};

const REQUESTS: u32 = 10_000;
const ROUNDS: u32 = 25;
const DEFAULT_CHAIN: [&str; 7] =
    ["request_id", "access_log", "metrics", "auth", "rate_limit", "deadline", "body_limit"];

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        for name in FilterConfig::NAMES {
            report(name, &[name]).await;
        }
        report("default chain, access log off", &DEFAULT_CHAIN).await;
        let subscriber = tracing_subscriber::fmt().json().with_writer(std::io::sink).finish();
        let _guard = tracing::subscriber::set_default(subscriber);
        report("default chain, JSON access log", &DEFAULT_CHAIN).await;
    });
}

/// Measures a chain and none in turn, so that both meet the same machine, and takes the best rounds of each: all else
/// that runs there only makes them slower.
async fn report(what: &str, names: &[&str]) {
    let (without, with) = (service(&[]), service(names));
    let (mut nothing, mut chain) = (f64::MAX, f64::MAX);
    for _ in 0..ROUNDS {
        nothing = nothing.min(round(&without).await);
        chain = chain.min(round(&with).await);
    }
    println!(
        "{what:<34} {:>6.0} ns per request (and {nothing:.0} ns to make and answer it)",
        chain - nothing
    );
}

/// Nanoseconds per request.
async fn round(service: &BoxService) -> f64 {
    let started = now();
    for _ in 0..REQUESTS {
        // One clone per request, as servers do.
        let response = service.clone().oneshot(request()).await;
        let body = response.expect("an answer").into_body().collect().await;
        black_box(body.expect("a body").to_bytes());
    }
    (now() - started).as_nanos() as f64 / f64::from(REQUESTS)
}

/// The processor time that this thread has used, or else the time of the clock.
fn now() -> Duration {
    static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);
    let used = fs::read_to_string("/proc/thread-self/schedstat").ok();
    let used = used.and_then(|text| text.split_whitespace().next()?.parse().ok());
    used.map_or_else(|| STARTED.elapsed(), Duration::from_nanos)
}

fn service(names: &[&str]) -> BoxService {
    let filters: Vec<FilterConfig> = names.iter().map(|name| filter(name)).collect();
    let answer =
        Bytes::from_static(b"{\"hits\":[],\"query\":\"star wars\",\"processingTimeMs\":1,\"limit\":20}");
    let inner = BoxService::new(service_fn(move |_: Request<_>| {
        let answer = answer.clone();
        async move {
            let mut response = Response::new(box_body(Full::new(answer)));
            response.extensions_mut().insert(Reusable);
            Ok::<_, BoxError>(response)
        }
    }));
    stack(&filters, &Deps::new(Some("masterKey".to_owned())), inner)
}

/// With defaults, but for a limit that the benchmark does not reach.
fn filter(name: &str) -> FilterConfig {
    let text = match name {
        "rate_limit" => r#"{"rate_limit": {"requests": 1000000000, "per": "1s"}}"#.to_owned(),
        other => format!("{other:?}"),
    };
    serde_json::from_str(&text).expect("a registered filter")
}

fn request() -> Request<miroir_filters::Body> {
    let mut request = Request::post("/indexes/movies/search")
        .header(header::AUTHORIZATION, "Bearer masterKey")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT_ENCODING, "gzip")
        .body(box_body(Empty::new()))
        .expect("a request");
    request.extensions_mut().insert(PeerAddr(SocketAddr::from(([192, 0, 2, 1], 4000))));
    request
}
