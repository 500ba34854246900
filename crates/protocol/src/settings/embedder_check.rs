//! Which members an embedder has to have and cannot have, by its source.

use std::collections::BTreeMap;

use super::{EmbedderSettings, EmbedderSource, Setting};
use crate::error::{Code, ResponseError};

/// Every source, in the order in which errors list them.
const SOURCES: [EmbedderSource; 6] = [
    EmbedderSource::OpenAi,
    EmbedderSource::HuggingFace,
    EmbedderSource::Ollama,
    EmbedderSource::UserProvided,
    EmbedderSource::Rest,
    EmbedderSource::Composite,
];

/// Every member, in the order in which errors list them.
const MEMBERS: [&str; 18] = [
    "source",
    "model",
    "revision",
    "pooling",
    "apiKey",
    "dimensions",
    "documentTemplate",
    "documentTemplateMaxBytes",
    "url",
    "indexingFragments",
    "searchFragments",
    "request",
    "response",
    "headers",
    "searchEmbedder",
    "indexingEmbedder",
    "distribution",
    "binaryQuantized",
];

/// Checks the embedders that a change of settings names.
pub(super) fn check(embedders: &BTreeMap<String, Setting<EmbedderSettings>>) -> Result<(), ResponseError> {
    for (name, embedder) in embedders {
        if let Setting::Set(embedder) = embedder {
            check_one(embedder).map_err(|message| {
                ResponseError::new(Code::InvalidSettingsEmbedders, format!("`.embedders.{name}{message}"))
            })?;
        }
    }
    Ok(())
}

/// The error is what follows the embedder's name in the message.
fn check_one(embedder: &EmbedderSettings) -> Result<(), String> {
    let max_bytes = embedder.document_template_max_bytes.as_set();
    if embedder.document_template.as_set().is_some() && max_bytes == Some(&0) {
        return Err(".documentTemplateMaxBytes`: `documentTemplateMaxBytes` cannot be zero".to_owned());
    }
    if embedder.dimensions.as_set() == Some(&0) {
        return Err(".dimensions`: `dimensions` cannot be zero".to_owned());
    }
    let Setting::Set(source) = embedder.source else { return Ok(()) };
    for (member, said) in said(embedder) {
        match (source.wants(member), said) {
            (Wants::Must, Said::Set) | (Wants::May, _) | (Wants::MustNot, Said::Nothing) => {}
            (Wants::Must, _) => {
                let source = source.name();
                return Err(format!(
                    "`: Missing field `{member}` (note: this field is mandatory for source `{source}`)"
                ));
            }
            (Wants::MustNot, _) => return Err(unavailable(member, source)),
        }
    }
    Ok(())
}

fn unavailable(member: &str, source: EmbedderSource) -> String {
    let quoted =
        |names: Vec<&str>| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let sources = SOURCES.iter().filter(|source| source.wants(member) != Wants::MustNot);
    let members = MEMBERS.iter().copied().filter(|member| source.wants(member) != Wants::MustNot);
    format!(
        "`: Field `{member}` unavailable for source `{source}`.\n  - note: `{member}` is available for sources: \
         {sources}\n  - note: available fields for source `{source}`: {members}",
        source = source.name(),
        sources = quoted(sources.map(|source| source.name()).collect()),
        members = quoted(members.collect()),
    )
}

/// What a source wants of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wants {
    Must,
    May,
    MustNot,
}

/// What a request says about a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Set,
    Reset,
    Nothing,
}

impl EmbedderSource {
    fn wants(self, member: &str) -> Wants {
        let (must, may): (&[&str], &[&str]) = match self {
            Self::OpenAi => (
                &[],
                &["model", "apiKey", "documentTemplate", "documentTemplateMaxBytes", "dimensions", "url"],
            ),
            Self::HuggingFace => {
                (&[], &["model", "revision", "pooling", "documentTemplate", "documentTemplateMaxBytes"])
            }
            Self::Ollama => {
                (&["model"], &["documentTemplate", "documentTemplateMaxBytes", "url", "apiKey", "dimensions"])
            }
            Self::UserProvided => (&["dimensions"], &[]),
            Self::Rest => (
                &["url", "request", "response"],
                &[
                    "apiKey",
                    "dimensions",
                    "documentTemplate",
                    "documentTemplateMaxBytes",
                    "headers",
                    "indexingFragments",
                    "searchFragments",
                ],
            ),
            Self::Composite => (&["searchEmbedder", "indexingEmbedder"], &[]),
        };
        if must.contains(&member) {
            Wants::Must
        } else if may.contains(&member) || ["source", "distribution", "binaryQuantized"].contains(&member) {
            Wants::May
        } else {
            Wants::MustNot
        }
    }
}

/// What is said about each member, in the order in which they are checked.
fn said(embedder: &EmbedderSettings) -> [(&'static str, Said); 15] {
    [
        ("model", of(&embedder.model)),
        ("revision", of(&embedder.revision)),
        ("pooling", of(&embedder.pooling)),
        ("dimensions", of(&embedder.dimensions)),
        ("apiKey", of(&embedder.api_key)),
        ("url", of(&embedder.url)),
        ("indexingFragments", of(&embedder.indexing_fragments)),
        ("searchFragments", of(&embedder.search_fragments)),
        ("request", of(&embedder.request)),
        ("response", of(&embedder.response)),
        ("documentTemplate", of(&embedder.document_template)),
        ("documentTemplateMaxBytes", of(&embedder.document_template_max_bytes)),
        ("headers", of(&embedder.headers)),
        ("searchEmbedder", of(&embedder.search_embedder)),
        ("indexingEmbedder", of(&embedder.indexing_embedder)),
    ]
}

fn of<T>(setting: &Setting<T>) -> Said {
    match setting {
        Setting::Set(_) => Said::Set,
        Setting::Reset => Said::Reset,
        Setting::NotSet => Said::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use crate::settings::{SettingName, Settings};

    fn message(embedder: &str) -> String {
        let body = format!(r#"{{"e":{embedder}}}"#);
        let error = Settings::from_json_of(SettingName::Embedders, body.as_bytes()).expect_err(embedder);
        assert_eq!(error.code_name(), "invalid_settings_embedders");
        error.message().to_owned()
    }

    #[test]
    fn a_source_names_what_it_needs() {
        let expected = "`.embedders.e`: Missing field `dimensions` (note: this field is mandatory for source `userProvided`)";
        assert_eq!(message(r#"{"source":"userProvided"}"#), expected);
    }

    #[test]
    fn a_source_names_what_it_can_have() {
        let expected = "`.embedders.e`: Field `model` unavailable for source `userProvided`.\n  - note: `model` is \
                        available for sources: `openAi`, `huggingFace`, `ollama`\n  - note: available fields for \
                        source `userProvided`: `source`, `dimensions`, `distribution`, `binaryQuantized`";
        assert_eq!(message(r#"{"source":"userProvided","model":"m","dimensions":3}"#), expected);
    }

    #[test]
    fn zero_dimensions_are_refused_whatever_the_source() {
        assert_eq!(message(r#"{"dimensions":0}"#), "`.embedders.e.dimensions`: `dimensions` cannot be zero");
    }

    #[test]
    fn a_change_without_a_source_is_left_to_the_engine() {
        Settings::from_json_of(SettingName::Embedders, br#"{"e":{"model":"m"},"f":null}"#).expect("accepted");
    }
}
