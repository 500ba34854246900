//! What a filter declares, and how a list of them becomes a service.

use std::fmt;

use http::{Request, Response};
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use tower::util::{BoxCloneSyncService, BoxCloneSyncServiceLayer};
use tower_layer::Layer;

use super::Deps;
use crate::{
    FilterConfig,
    body::{Body, BoxError},
};

/// The service between two filters that a configuration file put next to each other.
pub type BoxService = BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>;

/// A filter, built, with its type erased.
pub type FilterLayer = BoxCloneSyncServiceLayer<BoxService, Request<Body>, Response<Body>, BoxError>;

/// The part of a request's way that a filter belongs to. A list of filters never goes back to an earlier phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Sees every request and every answer, errors included, and rejects none.
    Edge,
    /// Finds out who is asking.
    Identity,
    /// Decides whether, how much and how long.
    Policy,
    /// Knows what is asked.
    Query,
}

/// A filter that a configuration file can choose: implemented by its parameters, whose default is what a bare name in
/// the list stands for.
pub trait Filter:
    Clone + fmt::Debug + Default + DeserializeOwned + JsonSchema + PartialEq + Serialize
{
    /// The name in the list.
    const NAME: &'static str;

    /// Where it belongs.
    const PHASE: Phase;

    /// Filters that must stand before this one.
    fn needs(&self) -> &'static [&'static str] {
        &[]
    }

    /// Filters that must stand before this one if they are in the list at all.
    fn after(&self) -> &'static [&'static str] {
        &[]
    }

    /// What is wrong with the parameters taken together; what is wrong with one of them alone is found when it is
    /// read.
    fn validate(&self) -> Vec<String> {
        Vec::new()
    }

    /// Builds the filter. Called once per configuration, never per request.
    fn layer(&self, deps: &Deps) -> FilterLayer;
}

/// [`Filter`] without its type.
pub(crate) trait AnyFilter {
    fn name(&self) -> &'static str;
    fn phase(&self) -> Phase;
    fn needs(&self) -> &'static [&'static str];
    fn after(&self) -> &'static [&'static str];
    fn validate(&self) -> Vec<String>;
    fn layer(&self, deps: &Deps) -> FilterLayer;
}

/// Puts the filters of a list, the first one outermost, around a service.
///
/// The gateway calls this once per seam, with the filters of the phases that belong there.
pub fn stack<'a, I>(filters: I, deps: &Deps, inner: BoxService) -> BoxService
where
    I: IntoIterator<Item = &'a FilterConfig>,
    I::IntoIter: DoubleEndedIterator,
{
    filters.into_iter().rev().fold(inner, |inner, filter| filter.layer(deps).layer(inner))
}

// === impl Phase ===

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Edge => "edge",
            Self::Identity => "identity",
            Self::Policy => "policy",
            Self::Query => "query",
        })
    }
}

// === impl AnyFilter ===

impl<F: Filter> AnyFilter for F {
    fn name(&self) -> &'static str {
        F::NAME
    }

    fn phase(&self) -> Phase {
        F::PHASE
    }

    fn needs(&self) -> &'static [&'static str] {
        Filter::needs(self)
    }

    fn after(&self) -> &'static [&'static str] {
        Filter::after(self)
    }

    fn validate(&self) -> Vec<String> {
        Filter::validate(self)
    }

    fn layer(&self, deps: &Deps) -> FilterLayer {
        Filter::layer(self, deps)
    }
}
