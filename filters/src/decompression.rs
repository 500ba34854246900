//! Unpacks the bodies of requests: gzip, deflate (zlib), brotli and zstd, as they come in.
//!
//! Only small, fixed buffers are held, and a zstd window of 8 MiB at most (the limit of RFC 9659). Stand `body_limit`
//! behind it: that counts what comes out.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use async_compression::{
    tokio::bufread::{BrotliDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder},
    zstd::DParameter,
};
use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, Request,
    header::{CONTENT_ENCODING, CONTENT_LENGTH},
};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyDataStream;
use pin_project_lite::pin_project;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncRead;
use tokio_util::io::{StreamReader, poll_read_buf};
use tower_layer::Layer;
use tower_service::Service;

use crate::{BoxError, Deps, Filter, FilterLayer, Phase, RejectFuture, erase};

/// How much is unpacked at once.
const CHUNK: usize = 16 * 1024;

/// The largest zstd window, as a power of two.
const ZSTD_WINDOW_LOG: u32 = 23;

/// Parameters of the filter `decompression`: there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DecompressionConfig {}

/// How the body of a request is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Not at all.
    Identity,
    /// `gzip`
    Gzip,
    /// `deflate`: the zlib format.
    Deflate,
    /// `br`
    Brotli,
    /// `zstd`
    Zstd,
}

/// Unpacks the bodies of requests.
#[derive(Clone, Copy, Debug, Default)]
pub struct DecompressionLayer(());

/// See [`DecompressionLayer`].
#[derive(Clone, Debug)]
pub struct DecompressionService<S> {
    inner: S,
}

pin_project! {
    /// The unpacked body of a request.
    pub struct DecompressionBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<B> {
        Plain { #[pin] inner: B },
        Packed { unpacker: Unpacker, buffer: BytesMut, done: bool, inner: std::marker::PhantomData<B> },
    }
}

/// An unpacker over the body it reads.
type Unpacker = Pin<Box<dyn AsyncRead + Send>>;

/// Why a body cannot be unpacked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecompressionError {
    /// The encoding is not one that is known.
    #[error(
        "The Content-Encoding `{0}` is not supported. Supported values for the Content-Encoding header are: `gzip`, \
         `deflate`, `br`, `zstd`"
    )]
    Unsupported(String),
    /// The body is not what its encoding says, or has been cut off.
    #[error("the body of the request cannot be unpacked: {0}")]
    Corrupt(String),
}

/// An error of the body below, on its way through the unpacker.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Below(BoxError);

// === impl DecompressionConfig ===

impl Filter for DecompressionConfig {
    const NAME: &'static str = "decompression";
    const PHASE: Phase = Phase::Policy;

    fn layer(&self, _: &Deps) -> FilterLayer {
        erase::request_body(DecompressionLayer::default())
    }
}

// === impl Encoding ===

impl Encoding {
    /// How a request with these headers is packed. A list of several encodings is not supported.
    pub fn of(headers: &HeaderMap) -> Result<Self, DecompressionError> {
        let mut values = headers.get_all(CONTENT_ENCODING).iter();
        let Some(value) = values.next() else { return Ok(Self::Identity) };
        let name = String::from_utf8_lossy(value.as_bytes()).trim().to_ascii_lowercase();
        match name.as_str() {
            _ if values.next().is_some() => Err(DecompressionError::Unsupported(joined(headers))),
            "identity" => Ok(Self::Identity),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "deflate" => Ok(Self::Deflate),
            "br" => Ok(Self::Brotli),
            "zstd" => Ok(Self::Zstd),
            _ => Err(DecompressionError::Unsupported(joined(headers))),
        }
    }
}

fn joined(headers: &HeaderMap) -> String {
    let values = headers.get_all(CONTENT_ENCODING).iter();
    values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect::<Vec<_>>().join(", ")
}

// === impl DecompressionLayer ===

impl<S> Layer<S> for DecompressionLayer {
    type Service = DecompressionService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        DecompressionService { inner }
    }
}

// === impl DecompressionService ===

impl<S, B> Service<Request<B>> for DecompressionService<S>
where
    S: Service<Request<DecompressionBody<B>>>,
    S::Error: Into<BoxError>,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = RejectFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let encoding = match Encoding::of(request.headers()) {
            Ok(encoding) => encoding,
            Err(error) => return RejectFuture::reject(error),
        };
        if encoding != Encoding::Identity {
            request.headers_mut().remove(CONTENT_ENCODING);
            request.headers_mut().remove(CONTENT_LENGTH);
        }
        RejectFuture::forward(self.inner.call(request.map(|body| DecompressionBody::new(body, encoding))))
    }
}

// === impl DecompressionBody ===

impl<B> DecompressionBody<B>
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    fn new(inner: B, encoding: Encoding) -> Self {
        if encoding == Encoding::Identity {
            return Self { kind: Kind::Plain { inner } };
        }
        let below = |error: B::Error| io::Error::other(Below(error.into()));
        let reader = StreamReader::new(BodyDataStream::new(http_body_util::BodyExt::map_err(inner, below)));
        // What stands behind the end is another part of the body, or an error; left alone it would be lost without a word.
        macro_rules! to_the_end {
            ($decoder:expr) => {{
                let mut decoder = $decoder;
                decoder.multiple_members(true);
                Box::pin(decoder)
            }};
        }
        let unpacker: Unpacker = match encoding {
            Encoding::Brotli => to_the_end!(BrotliDecoder::new(reader)),
            Encoding::Deflate => to_the_end!(ZlibDecoder::new(reader)),
            Encoding::Zstd => {
                let window = DParameter::window_log_max(ZSTD_WINDOW_LOG);
                to_the_end!(ZstdDecoder::with_params(reader, &[window]))
            }
            Encoding::Gzip | Encoding::Identity => to_the_end!(GzipDecoder::new(reader)),
        };
        let (buffer, inner) = (BytesMut::new(), std::marker::PhantomData);
        Self { kind: Kind::Packed { unpacker, buffer, done: false, inner } }
    }
}

impl<B> HttpBody for DecompressionBody<B>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        match self.project().kind.project() {
            KindProjection::Plain { inner } => inner.poll_frame(cx).map_err(Into::into),
            KindProjection::Packed { done: true, .. } => Poll::Ready(None),
            KindProjection::Packed { unpacker, buffer, done, .. } => {
                buffer.reserve(CHUNK);
                let read = ready!(poll_read_buf(unpacker.as_mut(), cx, buffer));
                *done = !matches!(read, Ok(1..));
                Poll::Ready(match read {
                    Ok(0) => None,
                    Ok(_) => Some(Ok(Frame::data(buffer.split().freeze()))),
                    Err(error) => Some(Err(explain(error))),
                })
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Plain { inner } => inner.is_end_stream(),
            Kind::Packed { done, .. } => *done,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Plain { inner } => inner.size_hint(),
            Kind::Packed { .. } => SizeHint::default(),
        }
    }
}

/// What the unpacker says is the body's own fault, unless the body below has failed.
fn explain(error: io::Error) -> BoxError {
    match error.downcast::<Below>() {
        Ok(Below(error)) => error,
        Err(error) => DecompressionError::Corrupt(error.to_string()).into(),
    }
}

#[cfg(test)]
mod tests;
