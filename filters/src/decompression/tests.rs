use async_compression::{
    Level,
    tokio::write::{BrotliEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder},
    zstd::CParameter,
};
use futures_util::stream;
use http::Response;
use http_body_util::{BodyExt, StreamBody};
use tokio::io::AsyncWriteExt;
use tower::{ServiceExt, service_fn};

use super::*;
use crate::body_limit::{BodyLimitConfig, BodyLimitLayer, PayloadTooLarge};
use crate::params::ByteSize;

macro_rules! pack {
    ($encoder:expr, $bytes:expr) => {{
        let mut encoder = $encoder;
        encoder.write_all($bytes).await.expect("memory");
        encoder.shutdown().await.expect("memory");
        encoder.into_inner()
    }};
}

/// A body of pieces of seven bytes, so that every format is cut in every place.
fn pieces(bytes: &[u8]) -> impl HttpBody<Data = Bytes, Error = BoxError> + Send + 'static {
    let pieces: Vec<_> =
        bytes.chunks(7).map(|piece| Ok(Frame::data(Bytes::copy_from_slice(piece)))).collect();
    StreamBody::new(stream::iter(pieces))
}

async fn send(encoding: &str, body: &[u8]) -> Result<Bytes, BoxError> {
    let service =
        DecompressionLayer::default().layer(service_fn(async |request: Request<DecompressionBody<_>>| {
            let (parts, body) = request.into_parts();
            // A body that has been unpacked is no longer what these two say.
            let described = [CONTENT_ENCODING, CONTENT_LENGTH].map(|name| parts.headers.contains_key(name));
            assert_eq!(described[0], described[1]);
            Ok::<_, BoxError>(Response::new(body.collect().await?.to_bytes()))
        }));
    let mut request = Request::post("/").body(pieces(body))?;
    request.headers_mut().insert(CONTENT_ENCODING, encoding.parse()?);
    request.headers_mut().insert(CONTENT_LENGTH, body.len().into());
    Ok(service.oneshot(request).await?.into_body())
}

fn document() -> Vec<u8> {
    (0..2000)
        .flat_map(|id| format!("{{\"id\":{id},\"title\":\"film {}\"}}\n", id * 7919).into_bytes())
        .collect()
}

#[tokio::test]
async fn every_encoding_is_unpacked() {
    let document = document();
    for (encoding, packed) in [
        ("gzip", pack!(GzipEncoder::new(Vec::new()), &document)),
        ("x-gzip", pack!(GzipEncoder::new(Vec::new()), &document)),
        ("GZIP", pack!(GzipEncoder::new(Vec::new()), &document)),
        ("deflate", pack!(ZlibEncoder::new(Vec::new()), &document)),
        ("br", pack!(BrotliEncoder::new(Vec::new()), &document)),
        ("zstd", pack!(ZstdEncoder::new(Vec::new()), &document)),
        ("identity", document.clone()),
    ] {
        let unpacked = send(encoding, &packed).await.unwrap_or_else(|error| panic!("{encoding}: {error}"));
        assert_eq!(unpacked, document, "{encoding}");
    }
}

#[tokio::test]
async fn unknown_encodings_are_refused_with_the_known_ones() {
    for encoding in ["snappy", "gzip, br", ""] {
        let error = send(encoding, b"x").await.expect_err(encoding);
        assert_eq!(error.downcast_ref(), Some(&DecompressionError::Unsupported(encoding.to_owned())));
    }
    let error = send("snappy", b"x").await.expect_err("unknown");
    assert!(error.to_string().ends_with("header are: `gzip`, `deflate`, `br`, `zstd`"), "{error}");
}

#[tokio::test]
async fn nothing_behind_the_end_of_a_part_is_lost() {
    let document = document();
    let (first, second) = document.split_at(document.len() / 3);
    for (encoding, [first, second]) in [
        ("gzip", [pack!(GzipEncoder::new(Vec::new()), first), pack!(GzipEncoder::new(Vec::new()), second)]),
        ("zstd", [pack!(ZstdEncoder::new(Vec::new()), first), pack!(ZstdEncoder::new(Vec::new()), second)]),
    ] {
        let unpacked = send(encoding, &[first.clone(), second].concat()).await.expect(encoding);
        assert_eq!(unpacked, document, "{encoding}");
        let error = send(encoding, &[&first[..], b"this is no part"].concat()).await.expect_err(encoding);
        assert!(matches!(error.downcast_ref(), Some(DecompressionError::Corrupt(_))), "{encoding}: {error}");
    }
}

#[tokio::test]
async fn a_corrupt_body_is_an_error() {
    for encoding in ["gzip", "deflate", "br", "zstd"] {
        let error = send(encoding, b"this is not packed at all").await.expect_err(encoding);
        assert!(matches!(error.downcast_ref(), Some(DecompressionError::Corrupt(_))), "{encoding}: {error}");
    }
}

#[tokio::test]
async fn a_body_that_is_cut_off_is_an_error() {
    let document = document();
    for (encoding, packed) in [
        ("gzip", pack!(GzipEncoder::new(Vec::new()), &document)),
        ("deflate", pack!(ZlibEncoder::new(Vec::new()), &document)),
        ("br", pack!(BrotliEncoder::new(Vec::new()), &document)),
        ("zstd", pack!(ZstdEncoder::new(Vec::new()), &document)),
    ] {
        for length in [0, 1, packed.len() / 2, packed.len() - 1] {
            let error = send(encoding, &packed[..length]).await.expect_err(encoding);
            assert!(
                matches!(error.downcast_ref(), Some(DecompressionError::Corrupt(_))),
                "{encoding} {length}"
            );
        }
    }
}

#[tokio::test]
async fn a_failure_below_is_not_called_corrupt() {
    let broken = StreamBody::new(stream::iter([Err::<Frame<Bytes>, _>(BoxError::from("connection lost"))]));
    let body = DecompressionBody::new(broken, Encoding::Gzip);
    assert_eq!(body.collect().await.expect_err("broken").to_string(), "connection lost");
}

#[tokio::test]
async fn a_bomb_is_stopped_by_the_limit_behind_it() {
    let bomb = pack!(GzipEncoder::with_quality(Vec::new(), Level::Best), &vec![0; 64 << 20]);
    assert!(bomb.len() < 100_000);
    let unpack = DecompressionBody::new(pieces(&bomb), Encoding::Gzip);
    let layer = BodyLimitLayer::new(&BodyLimitConfig { max: ByteSize::mib(1) });
    let service = layer.layer(service_fn(async |request: Request<_>| {
        let mut body: crate::body_limit::BodyLimitBody<DecompressionBody<_>> = request.into_body();
        let mut read = 0;
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => read += frame.data_ref().map_or(0, Bytes::len),
                Err(error) => return Ok::<_, BoxError>(Response::new((read, error))),
            }
        }
        Err("all of it was read".into())
    }));
    let (read, error) = service.oneshot(Request::new(unpack)).await.expect("an answer").into_body();
    assert!(read <= 1 << 20);
    assert!(error.is::<PayloadTooLarge>());
}

#[tokio::test]
async fn a_window_that_takes_too_much_memory_is_refused() {
    let window = [CParameter::window_log(27), CParameter::enable_long_distance_matching(true)];
    let packed =
        pack!(ZstdEncoder::with_quality_and_params(Vec::new(), Level::Default, &window), &document());
    let error = send("zstd", &packed).await.expect_err("too large a window");
    assert!(matches!(error.downcast_ref(), Some(DecompressionError::Corrupt(_))), "{error}");
}
