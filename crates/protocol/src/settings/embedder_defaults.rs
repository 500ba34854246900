//! What an embedder is where a client has not said it, as answers show it.

use super::{EmbedderSettings, EmbedderSource, Pooling, Setting, SubEmbedderSettings};

/// How a document is put into words where nobody said it.
pub(super) const TEMPLATE: &str = "{% for field in fields %}{% if field.is_searchable and field.value != nil %}\
                                   {{ field.name }}: {{ field.value }}\n{% endif %}{% endfor %}";
/// How long those words are at most, in bytes.
pub(super) const TEMPLATE_MAX_BYTES: usize = 400;

const OPEN_AI_MODEL: &str = "text-embedding-3-small";
const HUGGING_FACE_MODEL: &str = "BAAI/bge-base-en-v1.5";
const HUGGING_FACE_REVISION: &str = "617ca489d9e86b49b8167676d8220688b99db36e";

impl EmbedderSettings {
    /// Whether documents are put into words by a template: not where vectors are given, or made of fragments.
    pub fn is_templated(&self) -> bool {
        match self.source_in_effect() {
            EmbedderSource::UserProvided | EmbedderSource::Composite => false,
            EmbedderSource::Rest => !has_any(&self.indexing_fragments) && !has_any(&self.search_fragments),
            EmbedderSource::OpenAi | EmbedderSource::HuggingFace | EmbedderSource::Ollama => true,
        }
    }

    /// The template by which documents are put into words, where they are.
    pub fn template_in_effect(&self) -> Option<&str> {
        self.is_templated().then(|| self.document_template.as_set().map_or(TEMPLATE, String::as_str))
    }

    /// How many numbers a vector has, where that can be known without asking the embedder.
    pub fn known_dimensions(&self) -> Option<usize> {
        let of_model =
            || match (self.source_in_effect(), self.model.as_set().map_or(OPEN_AI_MODEL, String::as_str)) {
                (EmbedderSource::OpenAi, "text-embedding-3-small" | "text-embedding-ada-002") => Some(1536),
                (EmbedderSource::OpenAi, "text-embedding-3-large") => Some(3072),
                _ => None,
            };
        self.dimensions.as_set().copied().or_else(of_model)
    }

    /// The embedder with what the engine fills in.
    #[must_use]
    pub fn with_defaults(mut self) -> Self {
        let source = self.source_in_effect();
        self.source = Setting::Set(source);
        if self.is_templated() {
            self.document_template = self.document_template.or_default_to(|| TEMPLATE.to_owned());
            self.document_template_max_bytes =
                self.document_template_max_bytes.or_default_to(|| TEMPLATE_MAX_BYTES);
        }
        match source {
            EmbedderSource::OpenAi => self.model = self.model.or_default_to(|| OPEN_AI_MODEL.to_owned()),
            EmbedderSource::HuggingFace => {
                let own_model = self.model.as_set().is_some_and(|model| model != HUGGING_FACE_MODEL);
                self.model = self.model.or_default_to(|| HUGGING_FACE_MODEL.to_owned());
                if !own_model {
                    self.revision = self.revision.or_default_to(|| HUGGING_FACE_REVISION.to_owned());
                }
                let pooling = if own_model { Pooling::ForceMean } else { Pooling::UseModel };
                self.pooling = self.pooling.or_default_to(|| pooling);
            }
            EmbedderSource::Rest => self.headers = self.headers.or_default_to(Default::default),
            _ => {}
        }
        self
    }

    fn source_in_effect(&self) -> EmbedderSource {
        self.source.as_set().copied().unwrap_or_default()
    }
}

impl SubEmbedderSettings {
    /// The template by which documents are put into words, where they are. Only the half for documents has one.
    pub fn template_in_effect(&self) -> Option<&str> {
        let templated = match self.source.as_set().copied().unwrap_or_default() {
            EmbedderSource::UserProvided | EmbedderSource::Composite => false,
            EmbedderSource::Rest => !has_any(&self.indexing_fragments),
            EmbedderSource::OpenAi | EmbedderSource::HuggingFace | EmbedderSource::Ollama => true,
        };
        templated.then(|| self.document_template.as_set().map_or(TEMPLATE, String::as_str))
    }
}

fn has_any<K, V>(fragments: &Setting<std::collections::BTreeMap<K, V>>) -> bool {
    fragments.as_set().is_some_and(|fragments| !fragments.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn embedder(value: Value) -> EmbedderSettings {
        serde_json::from_value(value).expect("an embedder")
    }

    #[test]
    fn only_sources_that_read_documents_have_a_template() {
        assert_eq!(embedder(json!({})).template_in_effect(), Some(TEMPLATE));
        let own = embedder(json!({"source": "ollama", "documentTemplate": "{{doc.title}}"}));
        assert_eq!(own.template_in_effect(), Some("{{doc.title}}"));
        for source in [
            json!({"source": "userProvided", "dimensions": 2}),
            json!({"source": "rest", "indexingFragments": {"a": {"value": "x"}}}),
            json!({"source": "composite"}),
        ] {
            assert_eq!(embedder(source).template_in_effect(), None);
        }
    }

    #[test]
    fn what_the_engine_fills_in_is_shown() {
        let shown = serde_json::to_value(embedder(json!({})).with_defaults()).expect("JSON");
        let expected = json!({
            "source": "openAi", "model": "text-embedding-3-small",
            "documentTemplate": TEMPLATE, "documentTemplateMaxBytes": 400,
        });
        assert_eq!(shown, expected);
        let given = json!({"source": "userProvided", "dimensions": 2});
        assert_eq!(serde_json::to_value(embedder(given.clone()).with_defaults()).expect("JSON"), given);
    }
}
