//! What chats count, under Meilisearch's names.

use miroir_chat::Usage;
use miroir_filters::metric_registry::MetricSet;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

/// What is counted.
#[derive(Clone, Debug, Default)]
pub(super) struct ChatMetrics {
    searches: Family<SearchLabels, Counter>,
    prompt: Family<ModelLabels, Counter>,
    completion: Family<ModelLabels, Counter>,
    total: Family<ModelLabels, Counter>,
}

/// The tokens of one workspace and model.
#[derive(Clone, Debug)]
pub(super) struct Tokens {
    metrics: ChatMetrics,
    labels: ModelLabels,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SearchLabels {
    r#type: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ModelLabels {
    workspace: String,
    model: String,
}

// === impl ChatMetrics ===

impl ChatMetrics {
    /// Counts a search that a model wanted.
    pub(super) fn count_search(&self) {
        self.searches.get_or_create(&SearchLabels { r#type: "internal" }).inc();
    }

    /// The tokens of a conversation with this model.
    pub(super) fn tokens(&self, workspace: &str, model: &str) -> Tokens {
        let labels = ModelLabels { workspace: workspace.to_owned(), model: model.to_owned() };
        Tokens { metrics: self.clone(), labels }
    }
}

impl MetricSet for ChatMetrics {
    fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "meilisearch_chat_searches",
            "Total number of searches performed by the chat route",
            metrics.searches.clone(),
        );
        for (name, help, family) in [
            ("meilisearch_chat_prompt_tokens", "Total number of prompt tokens consumed", &metrics.prompt),
            (
                "meilisearch_chat_completion_tokens",
                "Total number of completion tokens consumed",
                &metrics.completion,
            ),
            (
                "meilisearch_chat_tokens",
                "Total number of tokens consumed (prompt + completion)",
                &metrics.total,
            ),
        ] {
            registry.register(name, help, family.clone());
        }
        metrics
    }
}

// === impl Tokens ===

impl Tokens {
    /// Counts those of an answer.
    pub(super) fn count(&self, usage: &Usage) {
        let Self { metrics, labels } = self;
        for (family, tokens) in [
            (&metrics.prompt, usage.prompt_tokens),
            (&metrics.completion, usage.completion_tokens),
            (&metrics.total, usage.total_tokens),
        ] {
            family.get_or_create(labels).inc_by(u64::from(tokens));
        }
    }
}
