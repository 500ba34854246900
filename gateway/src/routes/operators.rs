//! What operators ask for on the clients' listener, below `/_miroir/`.

use std::borrow::Cow;

use http::{Method, Request, StatusCode};
use miroir_filters::Body;
use percent_encoding::percent_decode_str;

use super::{
    call::{Call, Served},
    fleet::{self, Deed},
};
use crate::{answer::empty, pass, read, state::Gateway};

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
enum Asked<'a> {
    /// The plan of a search.
    Explain,
    /// The fleet.
    Fleet(Deed),
    /// A node's own API: the node's name and the path there.
    Node(Cow<'a, str>, &'a str),
}

/// Answers a request; `rest` is its path after `/_miroir/`.
pub(super) async fn serve(gateway: Gateway, rest: &str, request: Request<Body>) -> Served {
    match asked(rest) {
        Some(Asked::Explain) if *request.method() == Method::POST => {
            let mut call = Call::new(gateway, request);
            let body = call.json().await?;
            Ok(read::explain::explain(&call.gateway, &body, call.terms()).await?)
        }
        Some(Asked::Explain) => Ok(empty(StatusCode::METHOD_NOT_ALLOWED)),
        Some(Asked::Fleet(deed)) => {
            let method = request.method().clone();
            fleet::serve(deed, &method, Call::new(gateway, request)).await
        }
        Some(Asked::Node(name, path)) => Ok(pass::to_node(&gateway, &name, path, request).await?),
        None => Ok(empty(StatusCode::NOT_FOUND)),
    }
}

fn asked(rest: &str) -> Option<Asked<'_>> {
    if rest == "explain" {
        return Some(Asked::Explain);
    }
    if let Some(deed) = Deed::of(rest) {
        return Some(Asked::Fleet(deed));
    }
    let node = rest.strip_prefix("nodes/")?;
    let (name, path) = node.split_at(node.find('/')?);
    Some(Asked::Node(percent_decode_str(name).decode_utf8_lossy(), path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_named_and_then_its_path() {
        let node = asked("nodes/n%31/indexes/movies/search");
        assert_eq!(node, Some(Asked::Node("n1".into(), "/indexes/movies/search")));
        assert_eq!(asked("explain"), Some(Asked::Explain));
        assert_eq!(asked("nodes"), Some(Asked::Fleet(Deed::Nodes)));
        assert_eq!(asked("rebalance/abort"), Some(Asked::Fleet(Deed::Abort)));
        for nothing in ["nodes/n1", "rebalance/x", "explain/x", ""] {
            assert_eq!(asked(nothing), None, "{nothing}");
        }
    }
}
