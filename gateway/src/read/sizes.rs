//! Sizes in statistics: which ones nodes are asked for, and how they are shown.

use http::Uri;
use miroir_protocol::{
    error::ResponseError,
    stats::{Size, SizeFormat, StatsQuery},
};
use serde_json::{Value, json};

use super::stats::no_stats;

/// The members that are sizes.
const SIZES: [&str; 4] = ["databaseSize", "usedDatabaseSize", "rawDocumentDbSize", "avgDocumentSize"];
/// The member whose members all are.
const DATABASES: &str = "internalDatabaseSizes";

/// Where nodes are asked for statistics: for bytes, as these are added up.
pub(super) fn path(path: &str, query: StatsQuery) -> Result<Uri, ResponseError> {
    let sizes = if query.show_internal_database_sizes { "?showInternalDatabaseSizes=true" } else { "" };
    format!("{path}{sizes}").parse().map_err(|_| no_stats())
}

/// Statistics with their sizes in this format.
pub(super) fn shown(mut stats: Value, format: SizeFormat) -> Value {
    if format != SizeFormat::Raw {
        show_members(&mut stats, format);
        let indexes = stats.get_mut("indexes").and_then(Value::as_object_mut);
        indexes.into_iter().flatten().for_each(|(_, index)| show_members(index, format));
    }
    stats
}

fn show_members(stats: &mut Value, format: SizeFormat) {
    let Value::Object(members) = stats else { return };
    for (name, value) in members {
        if SIZES.contains(&name.as_str()) {
            show(value, format);
        } else if name == DATABASES {
            value.as_object_mut().into_iter().flatten().for_each(|(_, size)| show(size, format));
        }
    }
}

fn show(size: &mut Value, format: SizeFormat) {
    if let Some(bytes) = size.as_u64() {
        *size = json!(Size { bytes, format });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_bytes_or_texts() {
        let stats = json!({
            "databaseSize": 2048,
            "indexes": { "films": { "numberOfDocuments": 1024, "avgDocumentSize": 10, "internalDatabaseSizes": { "main": 4096 } } },
        });
        assert_eq!(shown(stats.clone(), SizeFormat::Raw), stats);
        let expected = json!({
            "databaseSize": "2 KiB",
            "indexes": {
                "films": { "numberOfDocuments": 1024, "avgDocumentSize": "10 B", "internalDatabaseSizes": { "main": "4 KiB" } },
            },
        });
        assert_eq!(shown(stats, SizeFormat::Human), expected);
        let index = shown(json!({ "rawDocumentDbSize": 1024 }), SizeFormat::Human);
        assert_eq!(index, json!({ "rawDocumentDbSize": "1 KiB" }));
    }

    #[test]
    fn nodes_are_asked_for_what_is_shown() {
        let query = StatsQuery { show_internal_database_sizes: true, ..StatsQuery::default() };
        assert_eq!(path("/stats", query).expect("a path"), "/stats?showInternalDatabaseSizes=true");
        assert_eq!(path("/stats", StatsQuery::default()).expect("a path"), "/stats");
    }
}
