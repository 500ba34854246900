//! Scalars: numbers, booleans, words and texts.

use std::{
    fs::File,
    io::{self, Read},
};

use serde_json::{Value, json};

use super::{Checker, allows, instead, is_open};
use crate::{
    tree::{Place, Scalar},
    units::{check_format, describe_format},
};

/// The longest secret that a file may hold, in bytes: more is no secret, and may be without end.
const LONGEST_SECRET: u64 = 64 << 10;

/// The words of an enumeration.
pub(super) fn words(schema: &Value) -> impl Iterator<Item = &str> {
    let several = schema.get("enum").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    several.iter().chain(schema.get("const")).filter_map(Value::as_str)
}

fn format_of(schema: &Value) -> &str {
    schema.get("format").and_then(Value::as_str).unwrap_or_default()
}

/// Whether what a schema takes must not be printed.
pub(super) fn is_secret(schema: &Value) -> bool {
    format_of(schema) == "secret"
}

/// What a schema takes, in words.
pub(super) fn expected(schema: &Value) -> String {
    let words: Vec<&str> = words(schema).collect();
    if !words.is_empty() {
        return format!("one of {}", words.join(", "));
    }
    match format_of(schema) {
        "existing-file" => return "the path of a file".to_owned(),
        format => {
            if let Some(description) = describe_format(format) {
                return description.to_owned();
            }
        }
    }
    let bound = |name: &str| schema.get(name).map(Value::to_string);
    let range = match (bound("minimum"), bound("maximum")) {
        (Some(least), Some(most)) => format!(" from {least} to {most}"),
        (Some(least), None) => format!(" of at least {least}"),
        (None, Some(most)) => format!(" of at most {most}"),
        (None, None) => String::new(),
    };
    let kinds = [
        ("boolean", "`true` or `false`".to_owned()),
        ("integer", format!("a whole number{range}")),
        ("number", format!("a number{range}")),
        ("string", "text".to_owned()),
        ("array", "a list".to_owned()),
        ("object", "a mapping".to_owned()),
    ];
    let kinds: Vec<String> =
        kinds.into_iter().filter(|(kind, _)| allows(schema, kind)).map(|(_, words)| words).collect();
    if kinds.is_empty() { "a value".to_owned() } else { kinds.join(" or ") }
}

/// A plain scalar by the rules of YAML 1.2: a boolean, a number, or nothing of the kind.
fn typed(scalar: &Scalar) -> Option<Value> {
    let text = scalar.text.as_str();
    match text {
        _ if !scalar.plain => None,
        "true" | "True" | "TRUE" => Some(json!(true)),
        "false" | "False" | "FALSE" => Some(json!(false)),
        _ => number(text),
    }
}

fn number(text: &str) -> Option<Value> {
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok().map(Value::from);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return u64::from_str_radix(digits, 8).ok().map(Value::from);
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return None;
    }
    if let Ok(number) = text.parse::<i64>() {
        return Some(json!(number));
    }
    text.parse::<u64>().map(Value::from).ok().or_else(|| text.parse::<f64>().ok().map(Value::from))
}

/// Whether a number lies within the bounds of a schema.
fn in_bounds(number: &Value, schema: &Value) -> bool {
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    let Some(number) = number.as_f64() else { return false };
    bound("minimum").is_none_or(|least| number >= least)
        && bound("maximum").is_none_or(|most| number <= most)
        && bound("exclusiveMinimum").is_none_or(|least| number > least)
        && bound("exclusiveMaximum").is_none_or(|most| number < most)
}

impl Checker<'_> {
    /// Checks a scalar that is not null.
    pub(super) fn scalar(&mut self, place: Place, scalar: &Scalar, schema: &Value, path: &str) -> Value {
        if is_secret(schema) {
            return self.secret(place, scalar, path);
        }
        let words: Vec<&str> = words(schema).collect();
        if !words.is_empty() {
            if words.contains(&scalar.text.as_str()) {
                return json!(scalar.text);
            }
            let hint = instead(&scalar.text, &words);
            return self.error(place, path, format!("unknown value `{}`", scalar.written), hint);
        }
        let value = typed(scalar);
        let fits = match &value {
            Some(Value::Bool(_)) => allows(schema, "boolean"),
            Some(number) if number.is_f64() => allows(schema, "number"),
            Some(_) => allows(schema, "integer") || allows(schema, "number"),
            None => false,
        };
        match value {
            Some(value) if fits && (value.is_boolean() || in_bounds(&value, schema)) => value,
            Some(value) if is_open(schema) => value,
            _ if !fits && (allows(schema, "string") || is_open(schema)) => {
                self.text(place, scalar, schema, path)
            }
            _ => {
                let message = format!("expected {}, got `{}`", expected(schema), scalar.written);
                let unquoted = Scalar { plain: true, written: String::new(), ..scalar.clone() };
                match typed(&unquoted) {
                    Some(_) if !scalar.plain => self.error(place, path, message, "write it without quotes"),
                    _ => {
                        self.errors.push(crate::ConfigError::new(place, path, message));
                        Value::Null
                    }
                }
            }
        }
    }

    fn text(&mut self, place: Place, scalar: &Scalar, schema: &Value, path: &str) -> Value {
        let (text, written) = (&scalar.text, &scalar.written);
        let format = format_of(schema);
        if let Err(problem) = check_format(format, text) {
            let message = if problem.starts_with('`') {
                problem
            } else if has_user(text) {
                if text == written {
                    self.hidden.push(place);
                }
                format!("the URL is not valid: {problem}")
            } else {
                format!("`{written}` is not valid: {problem}")
            };
            return self.error(place, path, message, format!("expected {}", expected(schema)));
        }
        let length = text.chars().count() as u64;
        let bound = |name: &str| schema.get(name).and_then(Value::as_u64);
        if bound("minLength").is_some_and(|least| length < least) {
            return self.error(place, path, "the text is empty or too short", expected(schema));
        }
        if bound("maxLength").is_some_and(|most| length > most) {
            return self.error(place, path, "the text is too long", expected(schema));
        }
        if format == "existing-file"
            && let Err(error) = File::open(text)
        {
            let hint = "paths are relative to the directory in which the program is started";
            return self.error(place, path, format!("`{written}` cannot be read: {error}"), hint);
        }
        json!(text)
    }

    /// A secret, possibly kept in a file. Nothing of it goes into a message.
    fn secret(&mut self, place: Place, scalar: &Scalar, path: &str) -> Value {
        let Some(file) = scalar.text.strip_prefix("file:") else {
            if scalar.text == scalar.written {
                self.hidden.push(place);
            }
            return match scalar.text.as_str() {
                "" => self.error(place, path, "the secret is empty", "leave the key out for none"),
                secret => self.sendable(place, path, secret),
            };
        };
        match read_secret(file) {
            Ok(secret) if secret.trim().is_empty() => {
                self.error(place, path, format!("the file `{file}` is empty"), "it must hold the secret")
            }
            Ok(secret) => self.sendable(place, path, secret.trim_end_matches(['\r', '\n'])),
            Err(error) => {
                let hint = "paths are relative to the directory in which the program is started";
                self.error(place, path, format!("`{file}` cannot be read: {error}"), hint)
            }
        }
    }

    /// A secret that can be sent in a header, as keys are.
    fn sendable(&mut self, place: Place, path: &str, secret: &str) -> Value {
        if secret.chars().any(char::is_control) {
            let message = "the secret has a line break or another control character in it";
            return self.error(place, path, message, "it must be one line of text");
        }
        json!(secret)
    }
}

/// Whether a text is a URL with a user, and so perhaps with a password.
fn has_user(text: &str) -> bool {
    text.split_once("://").is_some_and(|(_, behind)| behind.contains('@'))
}

fn read_secret(file: &str) -> io::Result<String> {
    let mut secret = String::new();
    let read = File::open(file)?.take(LONGEST_SECRET + 1).read_to_string(&mut secret)?;
    if read as u64 > LONGEST_SECRET {
        return Err(io::Error::other("it is too long for a secret"));
    }
    Ok(secret)
}
