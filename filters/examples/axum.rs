//! Two filters in a plain axum service: request ids and a rate limit, with errors turned into answers.
//!
//! ```text
//! cargo run -p miroir-filters --example axum -- 127.0.0.1:3000
//! curl -i http://127.0.0.1:3000/       # six times: the sixth is told to come back later
//! ```

use std::{net::SocketAddr, num::NonZeroU32};

use axum::{Extension, Router, extract::ConnectInfo, extract::Request, middleware, routing::get};
use miroir_filters::{
    RescueLayer, RescueTable,
    extensions::{PeerAddr, RequestId},
    params::HumanDuration,
    rate_limit::{RateLimitConfig, RateLimitLayer},
    request_id::{RequestIdConfig, RequestIdLayer},
};
use tower::ServiceBuilder;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = tokio::net::TcpListener::bind(&address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app().into_make_service_with_connect_info::<SocketAddr>()).await
}

fn app() -> Router {
    let limit = RateLimitConfig {
        requests: NonZeroU32::new(5).expect("it is not 0"),
        per: HumanDuration::from_secs(60),
        ..RateLimitConfig::default()
    };
    Router::new().route("/", get(hello)).layer(
        ServiceBuilder::new()
            // Outermost, so that rejected requests have an id too.
            .layer(RequestIdLayer::new(&RequestIdConfig::default()))
            // The rate limit counts by address, and axum keeps it elsewhere.
            .layer(middleware::map_request(hand_on_peer))
            // Whatever the filters below reject becomes an answer here.
            .layer(RescueLayer::new(RescueTable::new().filters()))
            .layer(RateLimitLayer::new(&limit)),
    )
}

async fn hello(Extension(id): Extension<RequestId>) -> String {
    format!("hello, request {}\n", id.as_str())
}

async fn hand_on_peer<B>(mut request: Request<B>) -> Request<B> {
    if let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>().copied() {
        request.extensions_mut().insert(PeerAddr(peer));
    }
    request
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn the_sixth_request_is_told_to_come_back_later() {
        let app = app();
        let ask = || app.clone().oneshot(Request::new(Body::empty()));
        for left in (0..5).rev() {
            let Ok(response) = ask().await;
            assert_eq!(response.status(), 200);
            assert!(
                response.headers()["ratelimit"]
                    .to_str()
                    .is_ok_and(|limit| limit.contains(&format!("r={left};")))
            );
            assert!(response.headers().contains_key("x-request-id"));
        }
        let Ok(response) = ask().await;
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["retry-after"], "12");
        assert!(response.headers().contains_key("x-request-id"));
    }
}
