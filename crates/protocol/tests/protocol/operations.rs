//! The table of operations against the API of Meilisearch v1.50.

use std::collections::BTreeSet;

use http::Method;
use miroir_protocol::{
    Operation,
    operation::Row,
    settings::{SettingName, UpdateMethod},
};

const API: &str = include_str!("../data/operations.txt");

/// The operations a row stands for: one, or one for each setting that has it.
fn spelled_out(row: &Row) -> Vec<String> {
    let settings = SettingName::ALL.iter().filter(|setting| match row.operation {
        Operation::PutSetting => setting.update_method() == UpdateMethod::Put,
        Operation::PatchSetting => setting.update_method() == UpdateMethod::Patch,
        _ => true,
    });
    let paths: BTreeSet<String> =
        settings.map(|setting| row.path.replace("{setting}", setting.route())).collect();
    paths.into_iter().map(|path| format!("{} {path}", row.method)).collect()
}

#[test]
fn the_table_is_the_api() {
    let api: BTreeSet<String> = API.lines().map(str::to_owned).collect();
    let table: Vec<String> = Operation::TABLE.iter().flat_map(spelled_out).collect();
    assert_eq!(table.len(), 140);
    assert_eq!(table.into_iter().collect::<BTreeSet<_>>(), api);
}

#[test]
fn every_operation_is_found() {
    for row in Operation::TABLE {
        for operation in spelled_out(row) {
            let (method, path) = operation.split_once(' ').expect("a method and a path");
            let method: Method = method.parse().expect("a method");
            let matched = Operation::of(&method, path).expect("an operation");
            assert_eq!(matched.operation(), row.operation, "{operation}");
        }
    }
}

#[test]
fn only_health_is_open_to_all() {
    for row in Operation::TABLE {
        assert_eq!(row.actions.is_empty(), row.operation == Operation::Health, "{}", row.path);
    }
}
