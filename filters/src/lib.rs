//! Filters: tower layers for an edge in front of Meilisearch, and the registry that lets a list in the configuration
//! file choose which of them run, in which order and with which parameters.
//!
//! Every filter is a file (or a folder) of its own with four names: `XConfig`, its parameters in the file; `XLayer`
//! and `XService`, the tower layer, usable in any tower stack; and a pure type that takes the decision. What each one
//! does, needs, rejects and adds is listed in `docs/filters.md`, which the tests hold against this registry.
//!
//! To add a filter, write its file and add its line to the list below.

#[macro_use]
mod registry;

pub mod body;
pub mod epoch;
pub mod extensions;
pub mod metric_registry;
pub mod params;
mod reject;
pub mod rescue;
mod reuse;
pub mod route_class;
mod with_headers;

pub use self::{
    body::{Body, BoxError},
    epoch::Epoch,
    metric_registry::MetricRegistry,
    registry::{BoxService, Deps, Filter, FilterLayer, OrderError, Phase, check_order, erase, stack},
    reject::RejectFuture,
    rescue::{RescueLayer, RescueTable},
    with_headers::WithHeaders,
};

filters! {
    request_id => RequestId(RequestIdConfig),
    trace => Trace(TraceConfig),
    access_log => AccessLog(AccessLogConfig),
    metrics => Metrics(MetricsConfig),
    cors => Cors(CorsConfig),
    compression => Compression(CompressionConfig),
    auth => Auth(AuthConfig),
    concurrency => Concurrency(ConcurrencyConfig),
    rate_limit => RateLimit(RateLimitConfig),
    deadline => Deadline(DeadlineConfig),
    decompression => Decompression(DecompressionConfig),
    body_limit => BodyLimit(BodyLimitConfig),
    cache => Cache(CacheConfig),
    coalesce => Coalesce(CoalesceConfig),
}
