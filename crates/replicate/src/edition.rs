//! Functions that edit documents, and the internal field, which they must neither see nor lose.

use std::borrow::Cow;

use miroir_protocol::error::{Code, ResponseError};
use miroir_shard::INTERNAL_FIELD;

/// What a node runs in place of a client's function: the internal field is taken out of the document before it and put
/// back after it, unless the function has deleted the document.
///
/// A `return` would leave before the field is back. It does not where the function is evaluated as a text of its own, in
/// which no further functions can be defined, see [`check`].
pub(crate) fn guarded(function: &str) -> String {
    let code = code_of(function);
    let body = if has_word(&code, "return") {
        // JSON escapes what Rhai escapes, in the same way.
        Cow::Owned(format!("eval({});", serde_json::Value::from(function)))
    } else {
        Cow::Borrowed(function)
    };
    // The client's text starts a line, so that only the numbers of lines differ from what it would be told.
    format!(
        "let miroir_kept = doc.remove(\"{INTERNAL_FIELD}\");\n{body}\n;if type_of(doc) == \"map\" {{ \
         doc.{INTERNAL_FIELD} = miroir_kept; }}"
    )
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
        let guarded = guarded("doc.title = 1");
        let lines: Vec<&str> = guarded.lines().collect();
        assert_eq!(lines[1], "doc.title = 1");
        assert!(lines[0].contains("_miroir") && lines[2].contains("_miroir"));
        assert!(super::guarded("if true { return; }").contains("eval(\"if true { return; }\")"));
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
