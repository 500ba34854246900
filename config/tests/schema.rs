//! The shipped schema, the presets and the reference are held against the types.

use std::{collections::BTreeMap, fs, path::Path};

use miroir_config::{LogFormat, Partial, parse, schema};
use serde_json::Value;

const PRESETS: [&str; 3] = ["development", "one-group", "two-groups"];

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect(path)
}

fn preset(name: &str) -> String {
    read(&format!("presets/{name}.yaml"))
}

/// The variables of the presets.
fn variable(name: &str) -> Option<String> {
    name.starts_with("MIROIR_").then(|| "a-key-of-16-bytes".to_owned())
}

/// Every key outside of the filters with its default, `null` when it has none.
fn keys(schema: &Value, path: &str, keys: &mut BTreeMap<String, Value>) {
    let branches = schema.get("anyOf").and_then(Value::as_array).into_iter().flatten();
    for part in branches.chain([schema]) {
        if let Some(items) = part.get("items") {
            self::keys(items, &format!("{path}[]"), keys);
        }
        for (key, below) in part.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            if path != "filters" {
                self::keys(below, &path, keys);
            }
            keys.insert(path, below.get("default").cloned().unwrap_or_default());
        }
    }
}

fn all_keys() -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    keys(&schema(), "", &mut all);
    assert!(
        all.contains_key("cluster.nodes[].url") && all.contains_key("server.listen[].tls.key"),
        "{all:?}"
    );
    all
}

#[test]
fn the_shipped_schema_is_current() {
    assert!(
        read("schema.json") == format!("{:#}\n", schema()),
        "config/schema.json is not what the types say; make it anew:\n\
         cargo run -p miroir-config --example schema > config/schema.json"
    );
}

#[test]
fn every_preset_is_valid() {
    for name in PRESETS {
        let config = parse(&preset(name), name, &variable).unwrap_or_else(|report| panic!("{report}"));
        assert_eq!(config.cluster.shards, 256, "{name}");
        assert!(config.filters.iter().any(|filter| filter.name() == "auth"), "{name}");
    }
}

#[test]
fn presets_mean_what_their_names_say() {
    let groups = |name| {
        let config = parse(&preset(name), name, &variable).expect("a valid preset");
        let mut groups: Vec<String> = config.cluster.nodes.into_iter().map(|node| node.group).collect();
        groups.sort();
        groups.dedup();
        groups.len()
    };
    assert_eq!(PRESETS.map(groups), [1, 1, 2]);
}

#[test]
fn presets_for_production_keep_their_keys_out_of_the_file() {
    for name in ["one-group", "two-groups"] {
        let report = parse(&preset(name), name, &|_| None).expect_err(name);
        assert!(report.errors.iter().any(|error| error.path == "master_key"), "{report}");
        assert!(report.errors.iter().any(|error| error.path == "cluster.nodes[0].key"), "{report}");
    }
}

#[test]
fn every_key_is_in_a_preset() {
    let text = PRESETS.map(preset).concat();
    for path in all_keys().into_keys() {
        let key = path.rsplit(['.', ']']).next().expect("a last step");
        assert!(text.contains(&format!("{key}:")), "no preset shows `{path}`");
    }
}

#[test]
fn the_reference_lists_every_key_with_its_default() {
    let reference = read("../docs/configuration.md");
    let rows: BTreeMap<&str, &str> = reference
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
            let (key, _kind, default) = (cells.next()?, cells.next()?, cells.next()?);
            Some((key.strip_suffix('`')?, default))
        })
        .collect();
    let all = all_keys();
    let listed: Vec<&str> = rows.keys().copied().collect();
    let wanted: Vec<&str> = all.keys().map(String::as_str).collect();
    assert_eq!(listed, wanted, "docs/configuration.md and the schema know different keys");
    for (key, default) in all {
        // Sections, lists and what has no default are described in words.
        if let Value::String(_) | Value::Number(_) | Value::Bool(_) = default {
            let default = default.as_str().map_or_else(|| default.to_string(), str::to_owned);
            assert_eq!(rows[key.as_str()], format!("`{default}`"), "the default of `{key}`");
        }
    }
}

#[test]
fn a_minimal_file_gets_every_default() {
    let text = "cluster: { nodes: [{ name: n1, url: 'http://127.0.0.1:7701' }] }";
    let config = parse(text, "minimal", &|_| None).unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(config.server.listen[0].address.to_string(), "127.0.0.1:7700");
    assert!(config.server.threads >= 1 && config.server.listen[0].http2);
    assert_eq!((config.cluster.shards, config.cluster.replicas), (256, 1));
    assert_eq!((config.cluster.nodes[0].group.as_str(), config.cluster.nodes[0].weight), ("main", 1));
    assert_eq!((config.log.max_payload, config.search.partial), (100_000_000, Partial::Deny));
    assert_eq!(config.telemetry.log_format, LogFormat::Text);
    assert!(config.admin.is_none() && config.master_key.is_none());
    let filters: Vec<&str> = config.filters.iter().map(|filter| filter.name()).collect();
    assert!(filters.contains(&"request_id") && filters.contains(&"auth"), "{filters:?}");
}

#[test]
fn secrets_come_from_the_environment_or_from_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let key = folder.path().join("node.key");
    fs::write(&key, "from-a-file\n").expect("the key is written");
    let text = format!(
        "master_key: ${{MIROIR_KEY}}\ncluster: {{ nodes: [{{ name: n1, url: 'http://h', key: 'file:{}' }}] }}",
        key.display()
    );
    let config = parse(&text, "secrets", &variable).unwrap_or_else(|report| panic!("{report}"));
    let exposed =
        |secret: &Option<miroir_config::Secret>| secret.as_ref().map(|secret| secret.expose().to_owned());
    assert_eq!(exposed(&config.master_key).as_deref(), Some("a-key-of-16-bytes"));
    assert_eq!(exposed(&config.cluster.nodes[0].key).as_deref(), Some("from-a-file"));
    let printed = format!("{config:?}");
    assert!(!printed.contains("from-a-file") && !printed.contains("a-key-of"), "{printed}");
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_without_a_place() {
    let report = miroir_config::load("absent/miroir.yaml").expect_err("no such file");
    assert_eq!(report.errors.len(), 1);
    assert!(report.to_string().starts_with("error: the file cannot be read: "), "{report}");
    assert!(report.to_string().contains("--> absent/miroir.yaml\n"), "{report}");
}

#[test]
fn the_reference_names_the_default_chain() {
    let minimal = "cluster: { nodes: [{ name: n1, url: 'http://127.0.0.1:7701' }] }";
    let config = parse(minimal, "minimal", &|_| None).unwrap_or_else(|report| panic!("{report}"));
    let names: Vec<String> = config.filters.iter().map(|filter| format!("`{}`", filter.name())).collect();
    let reference = read("../docs/configuration.md").replace('\n', " ");
    assert!(reference.trim_end().ends_with(&format!("parameters:  {}", names.join(", "))), "{names:?}");
}
