//! What a node would refuse of a document while it indexes it, found before any node is sent anything.
//!
//! A node looks at documents in steps, all of them in each, and refuses a write at the first document that does not pass:
//! the form of `_vectors`, then `_geo`, then the vectors themselves. What counts of documents with the same id is what is
//! left once the later ones have replaced the earlier ones or were merged into them.

mod geo;
mod inspection;
mod vacancy;
mod vectors;

use miroir_protocol::{
    error::{Code, ResponseError},
    settings::{EmbedderSettings, EmbedderSource, FilterableRule, Setting, Settings},
};
use serde_json::value::RawValue;

pub use self::inspection::{Inspection, Suspect, final_versions};
use self::vacancy::no_vectors;

pub(crate) const GEO: &str = "_geo";
pub(crate) const VECTORS: &str = "_vectors";

/// What the settings of an index ask of its documents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// Whether places are understood: `_geo` has to be one.
    geo: bool,
    /// In the order of their names.
    embedders: Vec<Embedder>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Embedder {
    name: String,
    /// How many numbers a vector has, where that is known without asking the embedder.
    dimensions: Option<usize>,
    /// Whether documents bring their vectors: a new document without one is refused.
    is_given: bool,
}

/// The fields of a document that mean something to the engine.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Special<'a> {
    pub(crate) vectors: Option<&'a RawValue>,
    pub(crate) geo: Option<&'a RawValue>,
}

/// What is to be said of a document.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Every node takes it.
    Fine,
    /// It has no vector for this embedder, which makes none itself: it is taken only where it is there already. Holds the
    /// embedder's name.
    Vacant(String),
    /// No node takes it.
    Refused(Step, ResponseError),
}

/// The step in which a node refuses a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The form of `_vectors`.
    Form,
    /// `_geo`.
    Place,
    /// The vectors.
    Vectors,
}

// === impl Rules ===

impl Rules {
    /// The rules that follow from these settings.
    pub fn of(settings: &Settings) -> Self {
        let is_geo = |rule: &FilterableRule| matches!(rule, FilterableRule::Field(name) if name == GEO);
        let filterable = settings.filterable_attributes.as_set();
        let sortable = settings.sortable_attributes.as_set();
        let embedders = settings.embedders.as_set().into_iter().flatten();
        let embedder = |(name, embedder): (&String, &Setting<EmbedderSettings>)| {
            embedder.as_set().map(|embedder| Embedder::of(name, embedder))
        };
        Self {
            geo: filterable.is_some_and(|rules| rules.iter().any(is_geo))
                || sortable.is_some_and(|names| names.iter().any(|name| name == GEO)),
            embedders: embedders.filter_map(embedder).collect(),
        }
    }

    /// Looks at a document that has this id.
    pub(crate) fn inspect(&self, id: &str, special: Special<'_>) -> Verdict {
        let named = match special.vectors.map(|raw| vectors::named(id, raw)).transpose() {
            Ok(named) => named.unwrap_or_default(),
            Err(error) => return Verdict::Refused(Step::Form, error),
        };
        if let Some(raw) = special.geo.filter(|_| self.geo)
            && let Err(error) = geo::check(id, raw)
        {
            return Verdict::Refused(Step::Place, error);
        }
        let mut verdict = Verdict::Fine;
        for embedder in &self.embedders {
            match embedder.inspect(id, named.iter().find(|(name, _)| *name == embedder.name)) {
                Verdict::Fine => {}
                refused @ Verdict::Refused(..) => return refused,
                vacant @ Verdict::Vacant(_) if verdict == Verdict::Fine => verdict = vacant,
                Verdict::Vacant(_) => {}
            }
        }
        verdict
    }

    /// Whether vectors under this name are for an embedder of the index.
    fn has_embedder(&self, name: &str) -> bool {
        self.embedders.iter().any(|embedder| embedder.name == name)
    }
}

// === impl Embedder ===

impl Embedder {
    fn of(name: &str, settings: &EmbedderSettings) -> Self {
        Self {
            name: name.to_owned(),
            dimensions: settings.known_dimensions(),
            is_given: settings.source.as_set() == Some(&EmbedderSource::UserProvided),
        }
    }

    fn inspect(&self, id: &str, named: Option<&vectors::Named<'_>>) -> Verdict {
        let vacant = || if self.is_given { Verdict::Vacant(self.name.clone()) } else { Verdict::Fine };
        let Some((_, given)) = named else { return vacant() };
        match vectors::check(id, &self.name, self.dimensions, given) {
            Err(error) => Verdict::Refused(Step::Vectors, error),
            // It asks for a vector to be made, whether the document is new or not.
            Ok(()) if given.must_be_made() && self.is_given => {
                Verdict::Refused(Step::Vectors, no_vectors(&self.name, &[id], &[], &[]))
            }
            Ok(()) => Verdict::Fine,
        }
    }
}

fn refusal(code: Code, message: impl Into<String>) -> ResponseError {
    ResponseError::new(code, message)
}

#[cfg(test)]
mod tests;
