//! The data that tests load.

use serde_json::Value;

const MOVIES: &str = include_str!("../../gateway/sample/movies.ndjson");
const AIRPORTS: &str = include_str!("../data/airports.ndjson");

/// The files that a recording may name.
pub fn file(name: &str) -> &'static str {
    match name {
        "movies.ndjson" => MOVIES,
        "airports.ndjson" => AIRPORTS,
        _ => panic!("no data are called {name}"),
    }
}

/// 3,200 films, one JSON object a line.
pub fn movies() -> Vec<&'static str> {
    MOVIES.lines().collect()
}

/// 3,376 airports with their places.
pub fn airports() -> Vec<&'static str> {
    AIRPORTS.lines().collect()
}

/// Lines as values.
pub fn parsed(lines: &[&str]) -> Vec<Value> {
    lines.iter().map(|line| serde_json::from_str(line).expect("the data are JSON")).collect()
}
