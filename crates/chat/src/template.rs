//! Documents put into words by an index's template.
//!
//! A template sees `doc`, the document, and `fields`, the same as a list of `name`,
//! `value` and `is_searchable`.

mod view;

use std::io;

use liquid::ParserBuilder;
use miroir_protocol::error::{Code, ResponseError};
use serde_json::{Map, Value};
use thiserror::Error;

use self::view::{Members, View};

/// How long one document's text may be, in bytes.
const MOST: usize = 1 << 20;

/// A template that can be rendered.
pub struct Template(liquid::Template);

/// Why a document cannot be put into words, as Meilisearch says it.
#[derive(Debug, Error)]
pub enum TemplateError {
    /// The template is none.
    #[error("user error: cannot parse template: {0}")]
    Unparsable(liquid::Error),
    /// The template asks for what the document with this id does not have.
    #[error("user error: missing field in document `{0}`: {1}")]
    Unfit(String, liquid::Error),
    /// The text would be too long.
    #[error("the text of a document is longer than {MOST} bytes")]
    TooLong,
}

/// Writes until there is too much.
struct Bounded(Vec<u8>);

// === impl Template ===

impl Template {
    /// Reads a template.
    pub fn new(text: &str) -> Result<Self, TemplateError> {
        let parser = ParserBuilder::with_stdlib().build().map_err(TemplateError::Unparsable)?;
        parser.parse(text).map(Self).map_err(TemplateError::Unparsable)
    }

    /// Renders it on a document with this id.
    pub fn render(
        &self,
        id: &str,
        document: &Map<String, Value>,
        is_searchable: impl Fn(&str) -> bool,
    ) -> Result<String, TemplateError> {
        let fields = document.iter().map(|(name, value)| {
            View::Members(Members(vec![
                ("name".to_owned(), View::of(&Value::from(name.as_str()))),
                ("value".to_owned(), View::of(value)),
                ("is_searchable".to_owned(), View::of(&Value::from(is_searchable(name)))),
            ]))
        });
        let globals = Members(vec![
            ("doc".to_owned(), View::Members(Members::of(document))),
            ("fields".to_owned(), View::List(fields.collect())),
        ]);
        let mut text = Bounded(Vec::new());
        match self.0.render_to(&mut text, &globals) {
            Ok(()) => Ok(String::from_utf8_lossy(&text.0).into_owned()),
            Err(_) if text.0.len() > MOST => Err(TemplateError::TooLong),
            Err(error) => Err(TemplateError::Unfit(id.to_owned(), error)),
        }
    }
}

// === impl TemplateError ===

impl From<TemplateError> for ResponseError {
    fn from(error: TemplateError) -> Self {
        Self::new(Code::InvalidChatSettingDocumentTemplate, error.to_string())
    }
}

// === impl Bounded ===

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        if self.0.len() > MOST { Err(io::ErrorKind::StorageFull.into()) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rendered(template: &str, document: Value) -> Result<String, String> {
        let Value::Object(document) = document else { panic!("documents are objects") };
        let template = Template::new(template).map_err(|error| error.to_string())?;
        template.render("7", &document, |name| name != "secret").map_err(|error| error.to_string())
    }

    #[test]
    fn the_default_template_lists_what_is_searched_in_the_documents_order() {
        let default = "{% for field in fields %}{% if field.is_searchable and field.value != nil %}{{ field.name }}: {{ field.value }}\n{% endif %}{% endfor %}";
        let document =
            json!({ "title": "Jaws", "id": 7, "secret": 1, "none": null, "tags": ["a", "b"], "rate": 7.5 });
        assert_eq!(rendered(default, document).unwrap(), "title: Jaws\nid: 7\ntags: ab\nrate: 7.5\n");
    }

    #[test]
    fn members_and_items_are_found() {
        let document = json!({ "z": { "y": 1, "b": [1, 2] }, "big": 18_446_744_073_709_551_615_u64 });
        let text = rendered("{{ doc.z.b[1] }}{{ doc.z.b.size }}{{ doc.z.y }}{{ doc.big }}", document);
        assert_eq!(text.unwrap(), "22118446744073709551615");
    }

    #[test]
    fn what_is_missing_or_wrong_is_said() {
        let missing = rendered("{{ doc.title }}", json!({ "z": 1, "id": 7 })).unwrap_err();
        assert!(
            missing.starts_with("user error: missing field in document `7`: liquid: Unknown index"),
            "{missing}"
        );
        assert!(missing.contains("available indexes=z, id\n"), "{missing}");
        assert!(rendered("{% if doc.title %}a{% endif %}b", json!({})).is_ok_and(|text| text == "b"));
        let broken = rendered("{{ doc.title", json!({})).unwrap_err();
        assert!(broken.starts_with("user error: cannot parse template: liquid:"), "{broken}");
    }

    #[test]
    fn texts_are_bounded() {
        let long =
            rendered("{% for i in (1..100000) %}{{ doc.a }}{% endfor %}", json!({ "a": "0123456789ABCDEF" }));
        assert_eq!(long.unwrap_err(), format!("the text of a document is longer than {MOST} bytes"));
    }
}
