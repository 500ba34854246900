//! Templates that put documents into words without the internal field.

use std::{borrow::Cow, ops::Range};

use miroir_shard::INTERNAL_FIELD;

/// How the part begins that passes the internal field by, and how its last tag does.
const SKIP: &str = "{% assign miroir_root = ";
const SKIP_END: &str = "{% endif ";

/// A loop of a template: its tag, what it names each item, whether the tag takes the blanks behind it away.
struct Loop<'a> {
    tag: Range<usize>,
    item: &'a str,
    over: &'a str,
    trims: bool,
}

/// How many tags, brackets and conditions a template may have. Nodes read each of them within the one before where they
/// are nested, and die where that takes more stack than they have: of some 1,000 to 1,600 tags.
const MAX_PARTS: usize = 500;

/// Whether a template may be more than a node can read. A node that dies of it would die again each time it is sent it.
pub fn is_beyond_nodes(template: &str) -> bool {
    let parts = ["{%", "[", " and ", " or "];
    parts.into_iter().map(|part| template.matches(part).count()).sum::<usize>() > MAX_PARTS
}

/// The template with every loop over all fields, or over the whole document, passing the internal field by. What it makes
/// of a document is what it makes of the client's.
pub fn skipping_internal(template: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut copied = 0;
    for found in loops(template) {
        let item = found.item;
        let name = match found.over {
            "fields" => format!("{item}.name"),
            "doc" => format!("{item}[0]"),
            _ => continue,
        };
        let end = if found.trims { "-%}" } else { "%}" };
        out.push_str(&template[copied..found.tag.end]);
        // Nested fields have names of their own, all of them below the internal one.
        out.push_str(&format!(
            "{SKIP}{name} | split: \".\" | first %}}{{% if miroir_root == \"{INTERNAL_FIELD}\" %}}{{% continue %}}\
             {SKIP_END}{end}"
        ));
        copied = found.tag.end;
    }
    if copied == 0 {
        return Cow::Borrowed(template);
    }
    out.push_str(&template[copied..]);
    Cow::Owned(out)
}

/// The template as it was before [`skipping_internal`].
pub fn as_before_skipping(template: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, skip)) = rest.split_once(SKIP)
        && let Some((_, after)) = skip.split_once(SKIP_END)
        && let Some((_, after)) = after.split_once("%}")
    {
        out.push_str(before);
        rest = after;
    }
    if out.is_empty() && rest.len() == template.len() {
        return Cow::Borrowed(template);
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn loops(template: &str) -> impl Iterator<Item = Loop<'_>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let start = from + template[from..].find("{%")?;
            let end = start + template[start..].find("%}")? + 2;
            from = end;
            let inner = &template[start + 2..end - 2];
            let trims = inner.ends_with('-');
            let inner = inner.trim_start_matches('-').trim_end_matches('-');
            let mut words = inner.split_whitespace();
            if (words.next(), words.clone().nth(1)) == (Some("for"), Some("in"))
                && let (Some(item), Some(over)) = (words.next(), words.nth(1))
            {
                return Some(Loop { tag: start..end, item, over, trims });
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use liquid::{ParserBuilder, object};

    use super::*;

    /// What the engine's own template library makes of a document as a node stores it.
    fn rendered(template: &str) -> String {
        let parser = ParserBuilder::with_stdlib().build().expect("a parser");
        let template = parser.parse(&skipping_internal(template)).expect("a template");
        let values = object!({
            "doc": { "title": "Jaws", "_miroir": { "s": ";;" }, "year": 1975 },
            "fields": [
                { "name": "title", "value": "Jaws" }, { "name": "_miroir", "value": { "s": ";;" } },
                { "name": "_miroir.s", "value": ";;" }, { "name": "year", "value": 1975 },
            ],
        });
        template.render(&values).expect("a text")
    }

    #[test]
    fn templates_that_are_nested_far_too_deep_are_found() {
        let nested =
            |times: usize| format!("{}{}", "{% if doc %}".repeat(times), "{% endif %}".repeat(times));
        assert!(!is_beyond_nodes(&nested(MAX_PARTS / 2)));
        assert!(is_beyond_nodes(&nested(MAX_PARTS / 2 + 1)));
        assert!(is_beyond_nodes(&format!("{{{{doc{}{}}}}}", "[doc".repeat(2_000), "]".repeat(2_000))));
        assert!(is_beyond_nodes(&format!("{{% if doc{} %}}{{% endif %}}", " and doc".repeat(9_000))));
        assert!(!is_beyond_nodes(&"{{ doc.title }} ".repeat(9_000)));
    }

    #[test]
    fn a_rendered_document_is_the_clients() {
        let fields = "{% for f in fields %}{{ f.name }}={{ f.value }};{% endfor %}";
        assert_eq!(rendered(fields), "title=Jaws;year=1975;");
        let members = rendered("{%- for kv in doc -%} {{ kv[0] }} {%- endfor -%}");
        assert!(["titleyear", "yeartitle"].contains(&members.as_str()), "{members}");
        assert_eq!(rendered("{{ doc.title }} of {{ doc.year }}"), "Jaws of 1975");
    }

    #[test]
    fn loops_over_all_fields_pass_the_internal_one_by() {
        let template = "{% for field in fields %}{{ field.name }}{% endfor %}";
        let expected = "{% for field in fields %}{% assign miroir_root = field.name | split: \".\" | first %}\
                        {% if miroir_root == \"_miroir\" %}{% continue %}{% endif %}{{ field.name }}{% endfor %}";
        assert_eq!(skipping_internal(template), expected);
        let trimming = skipping_internal("a {%- for f in fields reversed -%} b {% endfor %}").into_owned();
        assert!(trimming.contains("{% continue %}{% endif -%} b"), "{trimming}");
        assert!(skipping_internal("{%for kv in doc%}{{kv[1]}}{%endfor%}").contains("= kv[0] | split"));
    }

    #[test]
    fn a_template_is_what_it_was_before() {
        for template in [
            "{% for field in fields %}{{ field.name }}{% endfor %}",
            "a {%- for f in fields -%} {% if f.value %}{{ f.value }}{% endif %} {% endfor %} {%for kv in doc%}x{%endfor%}",
            "{{doc.title}}",
            "",
        ] {
            assert_eq!(as_before_skipping(&skipping_internal(template)), template);
        }
    }

    #[test]
    fn other_templates_stay_as_they_are() {
        for template in
            ["{{doc.title}}", "{% for x in doc.genres %}{{x}}{% endfor %}", "", "{% for", "{% if a %}"]
        {
            assert!(matches!(skipping_internal(template), Cow::Borrowed(_)), "{template}");
        }
    }
}
