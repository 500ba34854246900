//! Packs the bodies of answers as they stream by, where the client accepts it and it is worth the while.
//!
//! The work is tower-http's; which answers are worth it is decided here.

use std::task::{Context, Poll};

use http::{HeaderMap, Request, Response, header};
use http_body::Body as HttpBody;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tower_http::{
    CompressionLevel,
    compression::{Compression, CompressionBody, ResponseFuture, predicate::Predicate},
};
use tower_layer::Layer;
use tower_service::Service;

use crate::{Deps, Filter, FilterLayer, Phase, erase, params::ByteSize};

/// Parameters of the filter `compression`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CompressionConfig {
    /// The smallest answer that is packed. Answers whose size is not known beforehand are.
    pub min_size: ByteSize,
    /// The encodings that are offered. The client's `Accept-Encoding` chooses.
    pub encodings: Vec<CompressionEncoding>,
    /// How much work is put into it.
    pub level: Effort,
}

/// An encoding for answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CompressionEncoding {
    /// `gzip`
    Gzip,
    /// `br`
    Br,
    /// `zstd`
    Zstd,
    /// `deflate`, in the form of zlib
    Deflate,
}

/// How much work is put into packing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Effort {
    /// As little as possible.
    Fastest,
    /// What suits answers that are made on the fly.
    Default,
    /// As much as possible: for small machines' clients, not for busy servers.
    Best,
}

/// Decides which answers are worth packing: text that is large enough and not packed already.
#[derive(Clone, Copy, Debug)]
pub struct Worthwhile {
    min_size: u64,
}

/// Packs the bodies of answers.
#[derive(Clone, Debug)]
pub struct CompressionLayer {
    config: CompressionConfig,
}

/// See [`CompressionLayer`].
#[derive(Clone)]
pub struct CompressionService<S> {
    inner: Compression<S, Worthwhile>,
}

// === impl CompressionConfig ===

impl Default for CompressionConfig {
    fn default() -> Self {
        Self {
            // As Meilisearch, which packs whatever has a body: some clients unpack without looking.
            min_size: ByteSize(1),
            encodings: vec![
                CompressionEncoding::Zstd,
                CompressionEncoding::Br,
                CompressionEncoding::Gzip,
                CompressionEncoding::Deflate,
            ],
            level: Effort::Default,
        }
    }
}

impl Filter for CompressionConfig {
    const NAME: &'static str = "compression";
    const PHASE: Phase = Phase::Edge;

    fn validate(&self) -> Vec<String> {
        let empty = self.encodings.is_empty();
        if empty { vec!["`encodings` is empty: leave the filter out instead".to_owned()] } else { Vec::new() }
    }

    fn layer(&self, _: &Deps) -> FilterLayer {
        erase::response_body(CompressionLayer::new(self))
    }
}

// === impl Worthwhile ===

impl Worthwhile {
    fn is(self, headers: &HeaderMap, size: Option<u64>) -> bool {
        let packed =
            headers.contains_key(header::CONTENT_ENCODING) || headers.contains_key(header::CONTENT_RANGE);
        !packed && size.is_none_or(|size| size >= self.min_size) && is_text(headers)
    }
}

impl Predicate for Worthwhile {
    fn should_compress<B: HttpBody>(&self, response: &Response<B>) -> bool {
        let declared = || response.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok();
        let size = response.body().size_hint().exact().or_else(declared);
        self.is(response.headers(), size)
    }
}

/// JSON in all its forms, CSV and other text; but no event streams, which are to arrive event by event.
fn is_text(headers: &HeaderMap) -> bool {
    let content_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let json = essence.ends_with("json") && essence.starts_with("application/");
    let text = essence.starts_with("text/") && essence != "text/event-stream";
    json || text || essence == "application/javascript" || essence == "application/openmetrics-text"
}

// === impl CompressionLayer ===

impl CompressionLayer {
    /// A layer with these parameters.
    pub fn new(config: &CompressionConfig) -> Self {
        Self { config: config.clone() }
    }
}

impl<S> Layer<S> for CompressionLayer {
    type Service = CompressionService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        let CompressionConfig { min_size, encodings, level } = &self.config;
        let offers = |encoding| encodings.contains(&encoding);
        let quality = match level {
            Effort::Fastest => CompressionLevel::Fastest,
            Effort::Default => CompressionLevel::Default,
            Effort::Best => CompressionLevel::Best,
        };
        let inner = Compression::new(inner)
            .gzip(offers(CompressionEncoding::Gzip))
            .br(offers(CompressionEncoding::Br))
            .zstd(offers(CompressionEncoding::Zstd))
            .deflate(offers(CompressionEncoding::Deflate))
            .quality(quality)
            .compress_when(Worthwhile { min_size: min_size.0 });
        CompressionService { inner }
    }
}

// === impl CompressionService ===

impl<S, B, R> Service<Request<B>> for CompressionService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: HttpBody,
{
    type Response = Response<CompressionBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, Worthwhile>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Service::<Request<B>>::poll_ready(&mut self.inner, cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.inner.call(request)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use async_compression::tokio::bufread::GzipDecoder;
    use bytes::Bytes;
    use futures_util::{StreamExt, stream};
    use http::HeaderValue;
    use http_body::Frame;
    use http_body_util::{BodyExt, Full, StreamBody};
    use tokio::io::AsyncReadExt;
    use tower::{ServiceExt, service_fn};

    use super::*;
    use crate::BoxError;

    async fn answer(
        config: CompressionConfig,
        accept: &'static str,
        size: usize,
        content_type: &'static str,
    ) -> (HeaderMap, Bytes) {
        let service = CompressionLayer::new(&config).layer(service_fn(move |_: Request<()>| async move {
            let mut response = Response::new(Full::new(Bytes::from(vec![b'a'; size])));
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
            response.headers_mut().insert(header::CONTENT_LENGTH, size.into());
            Ok::<_, BoxError>(response)
        }));
        let request = Request::get("/").header(header::ACCEPT_ENCODING, accept).body(()).expect("a request");
        let (parts, body) = service.oneshot(request).await.expect("an answer").into_parts();
        (parts.headers, body.collect().await.expect("a body").to_bytes())
    }

    async fn encoding(accept: &'static str, size: usize, content_type: &'static str) -> Option<HeaderValue> {
        let (headers, _) = answer(CompressionConfig::default(), accept, size, content_type).await;
        headers.get(header::CONTENT_ENCODING).cloned()
    }

    #[tokio::test]
    async fn the_client_chooses_the_encoding() {
        for name in ["gzip", "br", "zstd", "deflate"] {
            assert_eq!(encoding(name, 5000, "application/json").await.expect("packed"), name);
        }
        assert_eq!(encoding("gzip;q=0.5, br;q=0.9", 5000, "application/json").await.expect("packed"), "br");
        assert_eq!(encoding("snappy", 5000, "application/json").await, None);
        assert_eq!(encoding("identity", 5000, "application/json").await, None);
    }

    #[tokio::test]
    async fn answers_below_the_smallest_size_and_other_types_stay_as_they_are() {
        assert_eq!(encoding("gzip", 0, "application/json").await, None);
        assert!(encoding("gzip", 1, "application/json; charset=utf-8").await.is_some());
        let large = CompressionConfig { min_size: ByteSize(1024), ..Default::default() };
        let packed = async |size| {
            let (headers, _) = answer(large.clone(), "gzip", size, "application/json").await;
            headers.contains_key(header::CONTENT_ENCODING)
        };
        assert!(!packed(1023).await && packed(1024).await);
        assert!(encoding("gzip", 5000, "application/x-ndjson").await.is_some());
        assert_eq!(encoding("gzip", 5000, "image/png").await, None);
        assert_eq!(encoding("gzip", 5000, "text/event-stream").await, None);
    }

    #[tokio::test]
    async fn a_packed_answer_unpacks_to_the_same() {
        let (headers, body) = answer(CompressionConfig::default(), "gzip", 5000, "text/plain").await;
        assert!(!headers.contains_key(header::CONTENT_LENGTH));
        assert_eq!(headers[header::VARY], "accept-encoding");
        let mut unpacked = Vec::new();
        GzipDecoder::new(&body[..]).read_to_end(&mut unpacked).await.expect("gzip");
        assert_eq!(unpacked, vec![b'a'; 5000]);
    }

    #[tokio::test]
    async fn encodings_can_be_left_out() {
        let config = CompressionConfig { encodings: vec![CompressionEncoding::Zstd], ..Default::default() };
        let (headers, _) = answer(config, "gzip, zstd;q=0.1", 5000, "text/plain").await;
        assert_eq!(headers[header::CONTENT_ENCODING], "zstd");
    }

    #[tokio::test]
    async fn answers_stream_while_they_are_packed() {
        let service =
            CompressionLayer::new(&CompressionConfig::default()).layer(service_fn(async |_: Request<()>| {
                let first = Frame::data(Bytes::from_static(b"{\"a\":1}\n"));
                let frames = stream::iter([Ok::<_, Infallible>(first)]).chain(stream::pending());
                let mut response = Response::new(StreamBody::new(frames));
                response
                    .headers_mut()
                    .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
                Ok::<_, BoxError>(response)
            }));
        let request = Request::get("/").header(header::ACCEPT_ENCODING, "gzip").body(()).expect("a request");
        let mut body = service.oneshot(request).await.expect("an answer").into_body();
        let frame = body.frame().await.expect("a frame").expect("no error");
        assert!(frame.data_ref().is_some_and(|data| !data.is_empty()));
    }
}
