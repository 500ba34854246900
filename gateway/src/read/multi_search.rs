//! Several searches in one request, each with an answer of its own, or all with one.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::{StreamExt, stream};
use http::StatusCode;
use miroir_log::IndexRecord;
use miroir_protocol::{
    error::ResponseError,
    index_uid::IndexUid,
    search::{IndexQuery, MultiSearch, inside_query},
};
use miroir_shard::ShardId;

use super::{
    federated::federated,
    scatter::Terms,
    search::{Merged, found, merged, new_request_uid},
};
use crate::{answer::Answer, state::Gateway};

/// How many of the searches are under way at once.
const AT_ONCE: usize = 16;

/// Answers all searches, or says which is the first one that cannot be.
pub(crate) async fn multi_search(gateway: &Gateway, search: MultiSearch, terms: Terms) -> Answer {
    search.check()?;
    if let Some(federation) = search.federation {
        return federated(gateway, search.queries, &federation, terms).await;
    }
    let request_uid = new_request_uid();
    let answers = search.queries.into_iter().enumerate().map(|(position, query)| {
        let request_uid = request_uid.clone();
        async move {
            let answer = one(gateway, query, terms, request_uid).await;
            answer.map_err(|error| inside_query(position, error))
        }
    });
    let mut answers = stream::iter(answers).buffered(AT_ONCE);
    let mut results = Results::default();
    while let Some(answer) = answers.next().await {
        let (uid, merged) = answer?;
        results.push(&uid, &merged);
    }
    let (body, missing) = results.finish();
    Ok(found(body, &missing))
}

/// The index of a query. That it is not there is an error of the request, not of the path.
pub(super) fn index_of_query(gateway: &Gateway, uid: &IndexUid) -> Result<Arc<IndexRecord>, ResponseError> {
    gateway.index(uid.as_str()).map_err(|error| error.with_status(StatusCode::BAD_REQUEST))
}

/// One of the searches.
async fn one(
    gateway: &Gateway,
    query: IndexQuery,
    terms: Terms,
    request_uid: String,
) -> Result<(String, Merged), ResponseError> {
    let (uid, query, _) = query.into_search();
    let index = gateway.index(uid.as_str()).map_err(|error| error.with_status(StatusCode::BAD_REQUEST))?;
    let merged = merged(gateway, &index, &query, terms, request_uid).await?;
    Ok((index.uid.clone(), merged))
}

/// The answers, one after another.
#[derive(Default)]
struct Results {
    json: Vec<u8>,
    missing: BTreeSet<u16>,
}

impl Results {
    /// Adds the answer of a search: the name of the index comes first in it.
    fn push(&mut self, index: &str, merged: &Merged) {
        self.json.extend_from_slice(if self.json.is_empty() { b"{\"results\":[" } else { b"," });
        self.json.extend_from_slice(format!("{{\"indexUid\":\"{index}\",").as_bytes());
        self.json.extend_from_slice(merged.body.strip_prefix(b"{").unwrap_or_default());
        self.missing.extend(merged.missing.iter().map(|shard| shard.0));
    }

    fn finish(mut self) -> (Vec<u8>, Vec<ShardId>) {
        if self.json.is_empty() {
            self.json.extend_from_slice(b"{\"results\":[");
        }
        self.json.extend_from_slice(b"]}");
        (self.json, self.missing.into_iter().map(ShardId).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_stand_in_order_with_the_names_of_their_indexes() {
        let answer = |missing: &[u16]| Merged {
            body: br#"{"hits":[],"query":""}"#.to_vec(),
            missing: missing.iter().copied().map(ShardId).collect(),
        };
        let mut results = Results::default();
        results.push("b", &answer(&[3]));
        results.push("a", &answer(&[1, 3]));
        let (json, missing) = results.finish();
        let expected =
            r#"{"results":[{"indexUid":"b","hits":[],"query":""},{"indexUid":"a","hits":[],"query":""}]}"#;
        assert_eq!(String::from_utf8_lossy(&json), expected);
        assert_eq!(missing, [ShardId(1), ShardId(3)]);
    }

    #[test]
    fn no_searches_have_no_answers() {
        assert_eq!(Results::default().finish().0, br#"{"results":[]}"#);
    }
}
