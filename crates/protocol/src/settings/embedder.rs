//! What turns documents and queries into vectors.

use std::{collections::BTreeMap, convert::Infallible};

use deserr::{DeserializeError, Deserr, ErrorKind, ValuePointerRef, take_cf_content};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::Setting;

/// One embedder.
#[derive(Debug, Clone, PartialEq, Default, Deserr, Serialize, Deserialize)]
#[deserr(rename_all = camelCase, deny_unknown_fields)]
#[serde(rename_all = "camelCase")]
pub struct EmbedderSettings {
    /// Who computes the vectors.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub source: Setting<EmbedderSource>,
    /// The model.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub model: Setting<String>,
    /// The model's version.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub revision: Setting<String>,
    /// How a model's vectors of words become one.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub pooling: Setting<Pooling>,
    /// The key for the remote service.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub api_key: Setting<String>,
    /// How many numbers a vector has.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub dimensions: Setting<usize>,
    /// Whether vectors are kept as bits.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub binary_quantized: Setting<bool>,
    /// How a document is put into words.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub document_template: Setting<String>,
    /// How long those words are at most.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub document_template_max_bytes: Setting<usize>,
    /// Where the remote service is.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub url: Setting<String>,
    /// Parts of documents that become vectors.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub indexing_fragments: Setting<BTreeMap<String, Option<Fragment>>>,
    /// Parts of queries that become vectors.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub search_fragments: Setting<BTreeMap<String, Option<Fragment>>>,
    /// What is sent to the remote service.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub request: Setting<Value>,
    /// What it answers.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub response: Setting<Value>,
    /// Headers for the remote service.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub headers: Setting<BTreeMap<String, String>>,
    /// What computes the vectors of queries.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub search_embedder: Setting<SubEmbedderSettings>,
    /// What computes the vectors of documents.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub indexing_embedder: Setting<SubEmbedderSettings>,
    /// Where similarities lie.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub distribution: Setting<DistributionShift>,
}

/// One half of a composite embedder.
#[derive(Debug, Clone, PartialEq, Default, Deserr, Serialize, Deserialize)]
#[deserr(rename_all = camelCase, deny_unknown_fields)]
#[serde(rename_all = "camelCase")]
pub struct SubEmbedderSettings {
    /// Who computes the vectors.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub source: Setting<EmbedderSource>,
    /// The model.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub model: Setting<String>,
    /// The model's version.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub revision: Setting<String>,
    /// How a model's vectors of words become one.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub pooling: Setting<Pooling>,
    /// The key for the remote service.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub api_key: Setting<String>,
    /// How many numbers a vector has.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub dimensions: Setting<usize>,
    /// How a document is put into words.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub document_template: Setting<String>,
    /// How long those words are at most.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub document_template_max_bytes: Setting<usize>,
    /// Where the remote service is.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub url: Setting<String>,
    /// Parts of documents that become vectors.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub indexing_fragments: Setting<BTreeMap<String, Option<Fragment>>>,
    /// Parts of queries that become vectors.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub search_fragments: Setting<BTreeMap<String, Option<Fragment>>>,
    /// What is sent to the remote service.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub request: Setting<Value>,
    /// What it answers.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub response: Setting<Value>,
    /// Headers for the remote service.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub headers: Setting<BTreeMap<String, String>>,
    // What a half cannot have is read so that it can be refused by name.
    #[deserr(default)]
    #[serde(default, skip_serializing)]
    pub(super) distribution: Setting<DistributionShift>,
    #[deserr(default)]
    #[serde(default, skip_serializing)]
    pub(super) binary_quantized: Setting<bool>,
    #[deserr(default)]
    #[serde(default, skip_serializing)]
    pub(super) search_embedder: Setting<Value>,
    #[deserr(default)]
    #[serde(default, skip_serializing)]
    pub(super) indexing_embedder: Setting<Value>,
}

/// Who computes the vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserr, Serialize, Deserialize)]
#[deserr(rename_all = camelCase)]
#[serde(rename_all = "camelCase")]
pub enum EmbedderSource {
    /// OpenAI.
    #[default]
    OpenAi,
    /// A model that the node downloads and runs.
    HuggingFace,
    /// An Ollama server.
    Ollama,
    /// Whoever sends the documents.
    UserProvided,
    /// Any service over HTTP.
    Rest,
    /// One for documents, another for queries.
    Composite,
}

/// How a model's vectors of words become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserr, Serialize, Deserialize)]
#[deserr(rename_all = camelCase)]
#[serde(rename_all = "camelCase")]
pub enum Pooling {
    /// As the model says.
    UseModel,
    /// The first one.
    ForceCls,
    /// Their mean.
    #[default]
    ForceMean,
}

/// A part of a document or a query that becomes a vector.
#[derive(Debug, Clone, PartialEq, Default, Deserr, Serialize, Deserialize)]
pub struct Fragment {
    /// Its template.
    pub value: Value,
}

/// Where similarities lie, so that they can be spread.
#[derive(Debug, Clone, Copy, PartialEq, Deserr, Serialize, Deserialize)]
#[deserr(deny_unknown_fields, validate = in_range -> __Deserr_E)]
pub struct DistributionShift {
    /// Their mean.
    #[serde(serialize_with = "as_sent")]
    pub mean: f32,
    /// Their deviation.
    #[serde(serialize_with = "as_sent")]
    pub sigma: f32,
}

/// As the number that was sent: taken as it is, 0.1 would become 0.10000000149011612 on its way through JSON.
fn as_sent<S: Serializer>(number: &f32, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(number.to_string().parse().unwrap_or_else(|_| f64::from(*number)))
}

fn in_range<E: DeserializeError>(
    shift: DistributionShift,
    location: ValuePointerRef<'_>,
) -> Result<DistributionShift, E> {
    let msg = if !(0.0..=1.0).contains(&shift.mean) {
        format!("the distribution mean must be in the range [0, 1], got {}", shift.mean)
    } else if shift.sigma <= 0.0 || shift.sigma > 1.0 {
        format!("the distribution sigma must be in the range ]0, 1], got {}", shift.sigma)
    } else {
        return Ok(shift);
    };
    Err(take_cf_content(E::error::<Infallible>(None, ErrorKind::Unexpected { msg }, location)))
}

impl EmbedderSource {
    /// Its name in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openAi",
            Self::HuggingFace => "huggingFace",
            Self::Ollama => "ollama",
            Self::UserProvided => "userProvided",
            Self::Rest => "rest",
            Self::Composite => "composite",
        }
    }
}

impl EmbedderSettings {
    /// Hides the keys of remote services, for answers and task details.
    pub fn hide_secrets(&mut self) {
        let halves = [&mut self.search_embedder, &mut self.indexing_embedder];
        let halves = halves.into_iter().filter_map(Setting::as_set_mut).map(|half| &mut half.api_key);
        for key in halves.chain([&mut self.api_key]).filter_map(Setting::as_set_mut) {
            hide_secret(key);
        }
    }
}

/// A secret as answers show it.
pub fn hidden(secret: &str) -> String {
    let mut secret = secret.to_owned();
    hide_secret(&mut secret);
    secret
}

/// Leaves a few characters of a secret, the more the longer it is.
pub(crate) fn hide_secret(secret: &mut String) {
    let (kept, mask) = match secret.len() {
        0..10 => (0, "XXX..."),
        10..20 => (2, "XXXX..."),
        20..30 => (3, "XXXXX..."),
        _ => (5, "XXXXXX..."),
    };
    let end = secret.ceil_char_boundary(kept);
    secret.replace_range(end.., mask);
}

#[cfg(test)]
mod tests {
    use super::hide_secret;

    #[test]
    fn longer_secrets_show_more_of_themselves() {
        let hidden = |secret: &str| {
            let mut secret = secret.to_owned();
            hide_secret(&mut secret);
            secret
        };
        assert_eq!(hidden("123456789"), "XXX...");
        assert_eq!(hidden("123456789012345678901234567890"), "12345XXXXXX...");
        assert_eq!(hidden("ひらがな6789012345678901234567890"), "ひらXXXXXX...");
    }
}
