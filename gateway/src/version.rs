//! `GET /version`.

/// The version of Meilisearch's API that is spoken.
pub(crate) const API: &str = "1.50.0";

/// The answer: the version of the API, in the shape clients compare with, and Miroir's own.
pub(crate) fn json() -> String {
    let commit = option_env!("MIROIR_COMMIT").unwrap_or("unknown");
    let date = option_env!("MIROIR_COMMIT_DATE").unwrap_or("unknown");
    format!(r#"{{"commitSha":"{commit}","commitDate":"{date}","pkgVersion":"{API}"}}"#)
}
