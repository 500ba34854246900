//! From the text of a file to the configuration, or to all of its errors.

use std::{fs, path::Path};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    Config, ConfigError, FileConfig, FilterConfig, Report,
    check::Checker,
    defaults,
    expand::{Env, expand},
    rules, schema,
    tree::{self, Place, Tree},
};

/// Loads a file; variables are taken from the environment of the process.
pub fn load(path: impl AsRef<Path>) -> Result<Config, Report> {
    let path = path.as_ref();
    let name = path.display().to_string();
    match fs::read_to_string(path) {
        Ok(text) => parse(&text, &name, &|variable| std::env::var(variable).ok()),
        Err(error) => {
            let error = ConfigError::of_file(format!("the file cannot be read: {error}"));
            Err(Report::new(&name, "", vec![error], Vec::new()))
        }
    }
}

/// Parses the text of a file. `source_name` is what errors call it; `env` gives the values of variables.
pub fn parse(text: &str, source_name: &str, env: Env<'_>) -> Result<Config, Report> {
    let mut errors = Vec::new();
    let mut tree = match tree::read(text, &mut errors) {
        Ok(tree) => tree,
        Err(error) => {
            let hidden = secrets_of_line(text, error.line);
            errors.push(error);
            return Err(Report::new(source_name, text, errors, hidden));
        }
    };
    expand(&mut tree, "", env, &mut errors);
    let schema = schema();
    let mut checker = Checker::new(&schema, errors);
    let value = checker.check(&tree, &schema, "");
    let (mut errors, hidden) = checker.finish();
    rules::check_values(&tree, &mut errors);
    let filters = filters(&tree, &value, &mut errors);
    if let Some(filters) = filters {
        rules::check_filters(&tree, &filters, &mut errors);
    }
    if errors.is_empty() {
        match typed::<FileConfig>(&tree, &value, "") {
            Ok(file) => return Ok(file.into()),
            Err(error) => errors.push(error),
        }
    }
    Err(Report::new(source_name, text, errors, hidden))
}

/// The filters, each read on its own so that each can tell its error; none when one of them is wrong.
fn filters(tree: &Tree, value: &Value, errors: &mut Vec<ConfigError>) -> Option<Vec<FilterConfig>> {
    let entries = match value.get("filters") {
        None => return Some(defaults::filters()),
        Some(entries) => entries.as_array()?,
    };
    let mut filters = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let path = format!("filters[{index}]");
        if errors.iter().any(|error| error.path.starts_with(&path)) {
            continue;
        }
        match typed(tree, entry, &path) {
            Ok(filter) => filters.push(filter),
            Err(error) => errors.push(error),
        }
    }
    (filters.len() == entries.len()).then_some(filters)
}

/// What the schema does not say, the types do; their error gets the place of the key it is about.
fn typed<T: DeserializeOwned>(tree: &Tree, value: &Value, at: &str) -> Result<T, ConfigError> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = match error.path().to_string() {
            root if root == "." => at.to_owned(),
            below if at.is_empty() => below,
            below => format!("{at}.{below}"),
        };
        ConfigError::new(tree.nearest(&path).place, path, error.inner().to_string())
    })
}

/// Where a secret may stand in a line of a text that is no YAML: behind a key whose name ends in `key`.
fn secrets_of_line(text: &str, line: usize) -> Vec<Place> {
    let Some(content) = line.checked_sub(1).and_then(|index| text.lines().nth(index)) else {
        return Vec::new();
    };
    let lower = content.to_ascii_lowercase();
    let behind = lower.find("key").and_then(|key| Some(key + content[key..].find(':')? + 1));
    let hide = |start: usize| Place { line, column: content[..start].chars().count() + 1, width: usize::MAX };
    behind.map(hide).into_iter().collect()
}
