//! Functions that edit documents, and the internal field, which they must neither see nor lose.
//!
//! A node commits an edition and the end of its task one after the other: killed between the two, it edits the documents again
//! at its start. So an edited document carries the mark of its last edition, and is left alone by a second run of it.

use std::borrow::Cow;

use miroir_log::Entry;
use miroir_protocol::error::{Code, ResponseError};
use miroir_shard::{INTERNAL_FIELD, Sequence};

use crate::tag;

/// The ways that the path of a primary key may lead through a document double with each of its names: with more than
/// these, functions are not tried out.
const DEEPEST: usize = 8;

/// What a node runs in place of a client's function: the internal field is taken out of the document before it and put
/// back after it, with the mark, unless the function has deleted the document. What has the mark already is left as it is.
///
/// A `return` would leave before the field is back. It does not where the function is evaluated as a text of its own, in
/// which no further functions can be defined, see [`check`].
pub(crate) fn guarded(function: &str, mark: &str) -> String {
    // The client's text starts a line, so that only the numbers of lines differ from what it would be told.
    format!(
        "if doc.{INTERNAL_FIELD}?.e == \"{mark}\" {{ return; }} let miroir_kept = doc.remove(\"{INTERNAL_FIELD}\");\n{}\n\
         ;if type_of(doc) == \"map\" {{ if type_of(miroir_kept) == \"map\" {{ miroir_kept.e = \"{mark}\"; }} \
         doc.{INTERNAL_FIELD} = miroir_kept; }}",
        embedded(function),
    )
}

/// The mark of an edition: text that no search finds, as in all of the internal field.
pub(crate) fn mark(entry: &Entry) -> String {
    let code = Sequence { task: entry.uid, ordinal: tag::mark(entry, entry) }.code();
    code.into_iter().map(char::from).collect()
}

/// What a node runs to try a function out: it fails where [`guarded`] would, and leaves every document as it is where that
/// would not. What only shows once the function is through, a document that is none any more or has another id, is left to
/// be seen.
pub(crate) fn rehearsed(function: &str, primary_key: &str) -> String {
    let (id, before) = (id_of("doc", primary_key), id_of("miroir_kept", primary_key));
    format!(
        "let miroir_kept = doc; doc.remove(\"{INTERNAL_FIELD}\");\n{}\n;if type_of(doc) == \"()\" || (type_of(doc) == \
         \"map\" && {id} == {before}) {{ doc = miroir_kept; }}",
        embedded(function),
    )
}

/// Whether a function can be tried out where this is the primary key.
pub(crate) fn can_be_rehearsed(primary_key: &str) -> bool {
    primary_key.split('.').count() <= DEEPEST
}

/// The expression for the text of a document's id, wherever the path of the primary key may lead.
fn id_of(document: &str, primary_key: &str) -> String {
    let names: Vec<&str> = primary_key.split('.').collect();
    let mut paths = vec![vec![names[0].to_owned()]];
    for name in &names[1..] {
        let deeper = paths.iter().map(|path| {
            let mut path = path.clone();
            path.push((*name).to_owned());
            path
        });
        let longer = paths.iter().map(|path| {
            let mut path = path.clone();
            if let Some(last) = path.last_mut() {
                *last = format!("{last}.{name}");
            }
            path
        });
        paths = deeper.chain(longer).collect();
    }
    let text = |path: &Vec<String>| {
        let members = path.iter().map(|name| format!("?[{}]", serde_json::Value::from(name.as_str())));
        format!("{document}{}", members.collect::<String>())
    };
    format!("[{}].to_string()", paths.iter().map(text).collect::<Vec<_>>().join(", "))
}

/// A client's function as a part of another one.
fn embedded(function: &str) -> Cow<'_, str> {
    if has_word(&code_of(function), "return") {
        // JSON escapes what Rhai escapes, in the same way.
        Cow::Owned(format!("eval({});", serde_json::Value::from(function)))
    } else {
        Cow::Borrowed(function)
    }
}

/// Refuses a function that cannot be guarded.
pub fn check(function: &str) -> Result<(), ResponseError> {
    let code = code_of(function);
    if has_word(&code, "miroir_kept") || function.contains(INTERNAL_FIELD) {
        let message = format!("The function names `{INTERNAL_FIELD}` or `miroir_kept`, which are reserved.");
        return Err(ResponseError::new(Code::MiroirReservedField, message));
    }
    if has_word(&code, "return") && has_word(&code, "fn") {
        let message = "A function that defines functions of its own with `fn` and leaves with `return` is not supported \
                       by Miroir: use `if` in place of `return`, or closures in place of `fn`.";
        return Err(ResponseError::new(Code::MiroirNotSupported, message));
    }
    Ok(())
}

/// The error of an edition with the lines of the client's own function.
pub(crate) fn in_the_clients_lines(error: ResponseError) -> ResponseError {
    error.map_message(|text| {
        let mut parts = text.split("(line ");
        let mut out = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, rest) = part.split_at(digits);
            let number = number.parse::<u32>().map_or(0, |number| number.saturating_sub(1));
            out.push_str(&format!("(line {number}{rest}"));
        }
        out
    })
}

/// A function without its comments and the contents of its strings.
fn code_of(function: &str) -> String {
    let mut code = String::with_capacity(function.len());
    let mut rest = function;
    while let Some(next) = rest.chars().next() {
        let skipped = match next {
            '"' | '\'' => quoted(rest, next),
            '`' => rest[1..].find('`').map_or(rest.len(), |end| end + 2),
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            _ => 0,
        };
        if skipped == 0 {
            code.push(next);
            rest = &rest[next.len_utf8()..];
        } else {
            // What `${...}` holds in a text between back ticks is code too.
            if next == '`' {
                code.push_str(&rest[1..skipped - usize::from(skipped > 1)]);
            }
            code.push(' ');
            rest = &rest[skipped..];
        }
    }
    code
}

/// How long the text in quotes is that `rest` starts with.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, letter) in rest.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            letter if letter == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

fn has_word(code: &str, word: &str) -> bool {
    code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|found| found == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_texts_and_comments_are_no_code() {
        let code = code_of("a = \"return \\\" x\"; // return\n/* return */ b = 'r'; `return`");
        assert!(has_word(&code, "a") && has_word(&code, "b"));
        assert!(!has_word(&code_of("x = \"return\" // return"), "return"));
        assert!(has_word(&code_of("if x { return; }"), "return"));
        assert!(!has_word("returned", "return"));
        assert!(has_word(&code_of("`${return 1}`"), "return"));
        assert_eq!(code_of("\"open"), " ");
    }

    #[test]
    fn the_internal_field_is_put_back_around_the_clients_text() {
        let guarded = guarded("doc.title = 1", "!");
        let lines: Vec<&str> = guarded.lines().collect();
        assert_eq!(lines[1], "doc.title = 1");
        assert!(lines[0].contains("_miroir") && lines[2].contains("_miroir"));
        assert!(super::guarded("if true { return; }", "!").contains("eval(\"if true { return; }\")"));
    }

    /// What is left of a document that a node tries a function out on, or the error.
    fn tried(function: &str, primary_key: &str, document: &str) -> Result<String, String> {
        run(&rehearsed(function, primary_key), document)
    }

    /// What a function leaves of a document.
    fn run(function: &str, document: &str) -> Result<String, String> {
        let engine = rhai::Engine::new();
        let mut scope = rhai::Scope::new();
        // What an earlier run has left is in Rhai's own words.
        let document =
            engine.eval_expression::<rhai::Map>(document).or_else(|_| engine.parse_json(document, true));
        scope.push("doc", document.expect("a document"));
        engine.run_with_scope(&mut scope, function).map_err(|error| error.to_string())?;
        Ok(scope.remove::<rhai::Dynamic>("doc").map(|left| left.to_string()).expect("a variable"))
    }

    #[test]
    fn a_second_run_of_an_edition_changes_nothing_and_another_one_does() {
        for function in
            ["doc.c += 1", "if doc.c < 9 { doc.c += 1; return; }", "fn f(c) { c + 1 } doc.c = f(doc.c)"]
        {
            let once =
                run(&guarded(function, "!,"), r#"{"id":7,"c":1,"_miroir":{"n":"!"}}"#).expect("it runs");
            assert!(once.contains("\"c\": 2") && once.contains("\"e\": \"!,\""), "{once}");
            let again = |mark| run(&guarded(function, mark), &once).expect("it runs");
            assert_eq!(again("!,"), once, "{function}");
            assert!(again("!:").contains("\"c\": 3"), "{function}");
        }
        let foreign = run(&guarded("doc.c = 1", "!"), r#"{"id":7}"#).expect("it runs");
        assert!(foreign.contains("\"c\": 1") && !foreign.contains("\"e\""), "{foreign}");
        assert_eq!(run(&guarded("doc = ()", "!"), r#"{"id":7,"_miroir":{}}"#), Ok(String::new()));
    }

    #[test]
    fn a_function_that_is_tried_out_changes_nothing_and_fails_where_it_would() {
        let document = r#"{"id":7,"a":{"b":1},"_miroir":{"n":"!"}}"#;
        let unchanged = tried("", "id", document);
        for function in
            ["doc.x = 1", "doc = ()", "doc.remove(\"a\")", "if doc.id == 7 { return; }\ndoc.x = 2"]
        {
            assert_eq!(tried(function, "id", document), unchanged, "{function}");
        }
        for function in ["throw 3", "doc.id.nothing()", "if doc.x == 1 { doc.y } else { doc.a.foo() }"] {
            assert!(tried(function, "id", document).is_err(), "{function}");
        }
        assert_eq!(tried("if \"_miroir\" in doc { throw 1 }", "id", document), unchanged);
    }

    /// The node itself says what is wrong with these.
    #[test]
    fn a_document_that_is_none_any_more_or_has_another_id_is_left_to_be_seen() {
        let document = r#"{"id":7,"a":{"b":1},"a.c":2}"#;
        assert_eq!(tried("doc = 3", "id", document), Ok("3".to_owned()));
        let unchanged = tried("", "id", document);
        for (function, primary_key) in [
            ("doc.id = 8", "id"),
            ("doc.remove(\"id\")", "id"),
            ("doc.a.b = 2", "a.b"),
            ("doc.remove(\"a\")", "a.b"),
            ("doc[\"a.c\"] = 3", "a.c"),
        ] {
            let left = tried(function, primary_key, document).expect("it runs");
            assert_ne!(Ok(left), unchanged, "{function}");
        }
        assert_eq!(tried("doc.a.x = 2", "a.b", document), unchanged);
    }

    #[test]
    fn a_primary_key_of_many_names_is_not_followed_everywhere_it_may_lead() {
        let deep = |names: usize| vec!["a"; names].join(".");
        assert!(can_be_rehearsed(&deep(DEEPEST)) && !can_be_rehearsed(&deep(DEEPEST + 1)));
        assert!(rehearsed("doc.x = 1", &deep(DEEPEST)).len() < 50_000);
    }

    #[test]
    fn what_cannot_be_guarded_is_refused() {
        assert!(check("doc.title = doc.title.to_upper()").is_ok());
        assert!(check("fn f(x) { x } doc.a = f(1)").is_ok());
        assert!(check("fn f(x) { return x; } doc.a = f(1)").is_err());
        assert!(check("doc._miroir = 1").is_err());
    }

    #[test]
    fn lines_are_those_of_the_client() {
        let error = ResponseError::new(Code::BadRequest, "Function not found: f (line 2, position 5)");
        assert_eq!(in_the_clients_lines(error).message(), "Function not found: f (line 1, position 5)");
    }
}
