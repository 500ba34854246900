//! The one place where the tower stack is put together. Read it from top to bottom: that is the way of a request; an
//! answer goes back up.

use std::convert::Infallible;

use http::{Request, Response};
use miroir_config::FilterConfig;
use miroir_edge::RequestBody;
use miroir_filters::{
    Body, BoxError, BoxService, Deps, Phase, RescueLayer, body::box_body, extensions::PeerAddr,
    stack as filters,
};
use tower::{ServiceBuilder, util::BoxCloneSyncService};

use crate::{rescue, routes::RoutesService, state::Gateway};

/// What the edge serves.
pub(crate) type Stack = BoxCloneSyncService<Request<RequestBody>, Response<Body>, Infallible>;

/// Builds the stack, once for a configuration: limits and counters live in it.
pub(crate) fn build(gateway: Gateway, configured: &[FilterConfig], deps: &Deps) -> Stack {
    let of =
        |phases: &'static [Phase]| configured.iter().filter(move |filter| phases.contains(&filter.phase()));
    let routes = BoxService::new(RoutesService::new(gateway));

    // policy | routing: what is allowed has been decided, what follows knows Meilisearch's API.
    let policed = filters(of(&[Phase::Policy, Phase::Query]), deps, routes);

    // identity: who asks. Before policy, which decides by it; inside the edge filters, which see the refusals too.
    let identified = filters(of(&[Phase::Identity]), deps, policed);

    // Errors become answers here, below the edge filters, so that logs, metrics and request ids cover them, and above
    // everything that fails.
    let rescue = RescueLayer::new(rescue::table());
    let rescued = rescue.seam(identified);

    // edge: ids, logs, metrics, compression: about every answer, whoever made it.
    let edge = filters(of(&[Phase::Edge]), deps, rescued);

    BoxCloneSyncService::new(
        ServiceBuilder::new()
            // From the listener's request to the stack's: the body is boxed, the peer's address is handed on.
            .map_request(from_edge)
            // An edge filter that fails has nobody above it: the last rescue.
            .map_response(boxed)
            .layer(rescue)
            .service(edge),
    )
}

/// A rescued answer has a body of the service below or one of its own.
fn boxed<B>(response: Response<B>) -> Response<Body>
where
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    response.map(box_body)
}

fn from_edge(request: Request<RequestBody>) -> Request<Body> {
    let mut request = request.map(box_body);
    if let Some(miroir_edge::PeerAddr(peer)) = request.extensions().get().copied() {
        request.extensions_mut().insert(PeerAddr(peer));
    }
    request
}
