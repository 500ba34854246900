//! What is said about wrong files, kept as text beside each of them.

use std::{env, fs, path::Path};

/// The variables of the wrong files.
fn variable(name: &str) -> Option<String> {
    match name {
        "KEY" => Some("masterKey".to_owned()),
        "SHARDS" => Some("a lot".to_owned()),
        _ => None,
    }
}

#[test]
fn wrong_files_are_answered_with_all_of_their_errors() {
    let update = env::var_os("UPDATE_GOLDEN").is_some();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad");
    let mut files: Vec<_> = fs::read_dir(&folder)
        .expect("the folder of wrong files")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    assert!(files.len() >= 12, "{files:?}");
    for path in files {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect(&name);
        let report = miroir_config::parse(&text, &name, &variable).expect_err(&name).to_string() + "\n";
        let expected = path.with_extension("txt");
        if update {
            fs::write(&expected, &report).expect("the text is written");
        }
        let expected = fs::read_to_string(&expected).unwrap_or_default();
        assert!(
            report == expected,
            "{name} is answered\n{report}\ninstead of\n{expected}\n\
             if this is better: UPDATE_GOLDEN=1 cargo test -p miroir-config --test golden"
        );
    }
}

#[test]
fn a_file_cut_off_or_damaged_anywhere_is_answered_without_a_panic() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in ["presets/one-group.yaml", "tests/bad/yaml-features.yaml", "tests/bad/secrets.yaml"] {
        let text = fs::read_to_string(folder.join(file)).expect(file);
        let text: Vec<char> = text.chars().filter(|c| c.is_ascii()).collect();
        for at in (0..text.len()).step_by(41) {
            for damage in ["", "\0", "\t", "{", "é\n", "\"", "- ", "*a", "|\n", "}"] {
                let rest = if damage.is_empty() { "".to_owned() } else { text[at + 1..].iter().collect() };
                let damaged: String = text[..at].iter().collect::<String>() + damage + &rest;
                if let Err(report) = miroir_config::parse(&damaged, file, &variable) {
                    assert!(report.to_string().contains(file) && !report.errors.is_empty(), "{damaged}");
                }
            }
        }
    }
}
