//! Which versions of Meilisearch the nodes may have.

use std::time::Duration;

use http::{StatusCode, Uri};
use serde::Deserialize;
use thiserror::Error;

use crate::{fleet::Fleet, node::Node, request::NodeRequest};

/// The oldest version, the first whose API takes all that nodes are sent.
const OLDEST: (u32, u32) = (1, 15);
/// The newest version that has been tried.
const NEWEST: (u32, u32) = (1, 50);
/// How long a node may take to tell its version that is to join.
const TIMEOUT: Duration = Duration::from_secs(2);
/// The same as the gateway starts: nobody is answered before that.
const AT_THE_START: Duration = Duration::from_millis(500);

/// A node that cannot be served from.
#[derive(Debug, Error)]
#[error(
    "node `{node}` is Meilisearch {found}: versions from {}.{} to {}.{} are supported, upgrade it first",
    OLDEST.0, OLDEST.1, NEWEST.0, NEWEST.1
)]
pub struct TooOld {
    node: String,
    found: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    pkg_version: String,
}

/// Asks every node for its version. One that does not answer may be down, and is not held against the start; a newer one
/// than was tried is told of.
pub async fn check_versions(fleet: &Fleet) -> Result<(), TooOld> {
    let nodes = fleet.with_own_connections();
    let checks = nodes.iter().map(|node| check_version_within(node, AT_THE_START));
    futures_util::future::join_all(checks).await.into_iter().collect()
}

/// Asks one node for its version, as [`check_versions`] does.
pub async fn check_version(node: &Node) -> Result<(), TooOld> {
    check_version_within(node, TIMEOUT).await
}

async fn check_version_within(node: &Node, timeout: Duration) -> Result<(), TooOld> {
    let name = node.name();
    let answer = match node.ask(&NodeRequest::get(Uri::from_static("/version")), timeout).await {
        Ok(answer) if answer.status == StatusCode::OK => answer,
        Ok(answer) => {
            tracing::warn!(node = name, status = %answer.status, "node does not tell its version");
            return Ok(());
        }
        Err(error) => {
            tracing::warn!(node = name, %error, "node cannot be asked for its version");
            return Ok(());
        }
    };
    let found = serde_json::from_slice(&answer.body).map(|Version { pkg_version }| pkg_version);
    let found = found.unwrap_or_default();
    match parse(&found) {
        Some(version) if version < OLDEST => Err(TooOld { node: name.to_owned(), found }),
        Some(version) if version > NEWEST => {
            tracing::warn!(node = name, version = found, "node is newer than any version that was tried");
            Ok(())
        }
        Some(_) => Ok(()),
        None => {
            tracing::warn!(node = name, version = found, "node's version cannot be read");
            Ok(())
        }
    }
}

fn parse(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split(['.', '-', '+']).map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(parse("1.50.0"), Some((1, 50)));
        assert!(parse("1.9.1") < Some(OLDEST));
        assert_eq!(parse("2.0.0-rc.1"), Some((2, 0)));
        assert_eq!((parse(""), parse("one")), (None, None));
    }
}
