//! From a generic layer to one whose type is erased, at the seam between two configured filters.

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use tower::{
    ServiceExt,
    util::{MapRequest, MapResponse},
};
use tower_layer::{Layer, layer_fn};
use tower_service::Service;

use super::{BoxService, FilterLayer};
use crate::body::{Body, BoxError, box_body};

/// An inner service that boxes the bodies of requests which a filter has wrapped.
pub type BoxRequestBody<B> = MapRequest<BoxService, fn(Request<B>) -> Request<Body>>;

/// A filter whose wrapped bodies of answers are boxed.
type BoxResponseBody<S, B> = MapResponse<S, fn(Response<B>) -> Response<Body>>;

/// Erases a layer that leaves bodies as they are.
pub fn plain<L>(layer: L) -> FilterLayer
where
    L: Layer<BoxService> + Send + Sync + 'static,
    L::Service: Service<Request<Body>, Response = Response<Body>, Error = BoxError>,
    L::Service: Clone + Send + Sync + 'static,
    <L::Service as Service<Request<Body>>>::Future: Send + 'static,
{
    FilterLayer::new(layer)
}

/// Erases a layer that wraps the bodies of answers.
pub fn response_body<L, B>(layer: L) -> FilterLayer
where
    L: Layer<BoxService> + Send + Sync + 'static,
    L::Service: Service<Request<Body>, Response = Response<B>, Error = BoxError>,
    L::Service: Clone + Send + Sync + 'static,
    <L::Service as Service<Request<Body>>>::Future: Send + 'static,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    FilterLayer::new(layer_fn(move |inner: BoxService| -> BoxResponseBody<L::Service, B> {
        layer.layer(inner).map_response(|response| response.map(box_body))
    }))
}

/// Erases a layer that wraps the bodies of requests.
pub fn request_body<L, B>(layer: L) -> FilterLayer
where
    L: Layer<BoxRequestBody<B>> + Send + Sync + 'static,
    L::Service: Service<Request<Body>, Response = Response<Body>, Error = BoxError>,
    L::Service: Clone + Send + Sync + 'static,
    <L::Service as Service<Request<Body>>>::Future: Send + 'static,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    FilterLayer::new(layer_fn(move |inner: BoxService| {
        let boxing: fn(Request<B>) -> Request<Body> = |request| request.map(box_body);
        layer.layer(inner.map_request(boxing))
    }))
}
