//! Several nodes' answers to one search in the values of a facet.

mod values;

use std::{borrow::Cow, collections::BTreeSet};

use bytes::Bytes;

use self::values::{Found, arrange};
use crate::{
    FacetOrder, MergeError,
    error::InNode,
    facets::{fold, normalize, strings_held},
    scan::{Cursor, Scan, count, push_count},
    search::counted,
};

/// What a merged answer to a facet search is made of and looks like.
///
/// The nodes have to be asked what the client asked, with a `maxValuesPerFacet` so wide that nothing is cut there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FacetSearchSpec {
    /// What the values begin with, as the client sent it.
    pub facet_query: Option<String>,
    /// The logical `faceting.maxValuesPerFacet`.
    pub max_values: usize,
    /// The logical `faceting.sortFacetValuesBy` of the facet.
    pub order: FacetOrder,
    /// Members that follow: names and JSON texts.
    pub extra: Vec<(String, String)>,
}

/// Merges the answers of several nodes to one facet search into the answer that one node with all documents would give:
/// counts are added up by value, values are put in order and cut.
///
/// Values that differ in case, composition or white space around them are one value, spelled as the first node that has
/// it spells it. `processingTimeMs` is the slowest node's: a server says how long its engine took, which is next to nothing
/// here, not how long the client waited. Which values a query with a typo matches depends on the query and the value alone, so every node finds
/// what one node with all documents finds.
///
/// ```
/// use bytes::Bytes;
/// use miroir_merge::{FacetSearchSpec, merge_facet_search};
///
/// let node = |count| {
///     Bytes::from(format!(r#"{{"facetHits":[{{"value":"Drama","count":{count}}}],"facetQuery":"dr","processingTimeMs":1}}"#))
/// };
/// let spec = FacetSearchSpec { facet_query: Some("dr".into()), max_values: 100, ..FacetSearchSpec::default() };
/// let merged = merge_facet_search(&[node(2), node(3)], &spec)?;
/// assert_eq!(merged, br#"{"facetHits":[{"value":"Drama","count":5}],"facetQuery":"dr","processingTimeMs":1}"#);
/// # Ok::<(), miroir_merge::MergeError>(())
/// ```
///
/// # Errors
///
/// If an answer is cut, or not what Meilisearch sends.
pub fn merge_facet_search(answers: &[Bytes], spec: &FacetSearchSpec) -> Result<Vec<u8>, MergeError> {
    let (values, slowest) = read_answers(answers, spec)?;
    Ok(write(values, slowest, spec))
}

/// What is asked about all documents that the search finds, in an index with a distinct attribute: a node counts the groups
/// of its own documents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FacetSurvey {
    /// The facet.
    pub facet: String,
    /// What documents are grouped by.
    pub distinct: String,
    /// How many hits a node looks for before it counts: it groups no others. `None` for all.
    pub looked_for: Option<usize>,
}

/// [`merge_facet_search`] with counts from `surveyed`: the same nodes' answers to a search for the same documents, not grouped,
/// with score details, all hits, and of each the internal field, the distinct attribute and the facet. Where one of
/// these does not hold all hits, they are not looked at.
///
/// # Errors
///
/// If an answer is cut, or not what Meilisearch sends.
pub fn merge_surveyed_facet_search(
    answers: &[Bytes],
    surveyed: &[Bytes],
    survey: &FacetSurvey,
    spec: &FacetSearchSpec,
) -> Result<Vec<u8>, MergeError> {
    let (mut values, slowest) = read_answers(answers, spec)?;
    let Some(documents) = counted(surveyed, &survey.distinct, survey.looked_for)? else {
        return Ok(write(values, slowest, spec));
    };
    values.iter_mut().for_each(|value| value.count = 0);
    let matches_all = spec.facet_query.as_deref().is_none_or(str::is_empty);
    // A node says nothing of a value of which it counts no document; with a typo, it alone can tell which values match.
    let query = fold(normalize(Cow::Borrowed(spec.facet_query.as_deref().unwrap_or_default())));
    let matching: BTreeSet<String> = values.iter().map(|value| value.normal().to_owned()).collect();
    for (node, document) in documents {
        for value in strings_held(document, &survey.facet).in_node(node, 0)? {
            let Cow::Borrowed(text) = value.text else { continue };
            let found = Found::new(text, 1, spec.facet_query.is_some());
            if matches_all || found.begins_with(&query) || matching.contains(found.normal()) {
                values.push(found);
            }
        }
    }
    Ok(write(values, slowest, spec))
}

/// The values of all nodes, and how many milliseconds the slowest took over them.
fn read_answers<'a>(
    answers: &'a [Bytes],
    spec: &FacetSearchSpec,
) -> Result<(Vec<Found<'a>>, u64), MergeError> {
    if answers.is_empty() {
        return Err(MergeError::NoAnswers);
    }
    let (mut values, mut slowest) = (Vec::new(), 0);
    for (node, text) in answers.iter().enumerate() {
        let milliseconds = read_answer(text, spec.facet_query.is_some(), &mut values).in_node(node, 0)?;
        slowest = slowest.max(milliseconds);
    }
    Ok((values, slowest))
}

fn write(mut values: Vec<Found<'_>>, slowest: u64, spec: &FacetSearchSpec) -> Vec<u8> {
    arrange(&mut values, spec.order, spec.max_values);
    let mut out = Vec::with_capacity(values.len() * 40 + 128);
    out.extend_from_slice(b"{\"facetHits\":[");
    for (index, value) in values.iter().enumerate() {
        out.extend_from_slice(if index > 0 { b",{\"value\":\"" } else { b"{\"value\":\"" });
        out.extend_from_slice(value.text);
        out.extend_from_slice(b"\",\"count\":");
        push_count(&mut out, value.count);
        out.push(b'}');
    }
    out.extend_from_slice(b"],\"facetQuery\":");
    let query = serde_json::Value::from(spec.facet_query.as_deref()).to_string();
    out.extend_from_slice(query.as_bytes());
    out.extend_from_slice(b",\"processingTimeMs\":");
    push_count(&mut out, slowest);
    for (name, json) in &spec.extra {
        out.extend_from_slice(format!(",\"{name}\":{json}").as_bytes());
    }
    out.push(b'}');
    out
}

/// Reads the values of one node, and tells how many milliseconds it took over them.
fn read_answer<'a>(text: &'a [u8], searched: bool, values: &mut Vec<Found<'a>>) -> Scan<u64> {
    let mut cursor = Cursor::new(text);
    let (mut has_hits, mut milliseconds) = (false, 0);
    cursor.enter_object()?;
    let mut first = true;
    while let Some(key) = cursor.key(&mut first)? {
        match key {
            b"facetHits" => {
                has_hits = true;
                cursor.enter_array()?;
                let mut first_hit = true;
                while cursor.element(&mut first_hit)? {
                    values.push(read_hit(&mut cursor, searched)?);
                }
            }
            b"processingTimeMs" => milliseconds = count(cursor.value()?).unwrap_or(0),
            _ => {
                cursor.value()?;
            }
        }
    }
    cursor.end()?;
    if has_hits { Ok(milliseconds) } else { cursor.fail("expected the member `facetHits`") }
}

fn read_hit<'a>(cursor: &mut Cursor<'a>, searched: bool) -> Scan<Found<'a>> {
    let (mut text, mut number) = (None, None);
    cursor.enter_object()?;
    let mut first = true;
    while let Some(key) = cursor.key(&mut first)? {
        match key {
            b"value" => text = Some(cursor.string()?),
            b"count" => number = count(cursor.value()?),
            _ => {
                cursor.value()?;
            }
        }
    }
    match (text, number) {
        (Some(text), Some(number)) => Ok(Found::new(text, number, searched)),
        _ => cursor.fail("expected the members `value` and `count`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(hits: &[(&str, u64)]) -> Bytes {
        let hits = hits.iter().map(|(value, count)| serde_json::json!({"value": value, "count": count}));
        let hits = serde_json::Value::from_iter(hits);
        format!(r#"{{"facetHits":{hits},"facetQuery":null,"processingTimeMs":3}}"#).into()
    }

    fn merged(answers: &[Bytes], spec: &FacetSearchSpec) -> String {
        String::from_utf8(merge_facet_search(answers, spec).unwrap()).unwrap()
    }

    #[test]
    fn counts_are_added_up_and_values_in_order() {
        let nodes = [node(&[("Action", 1), ("drama", 2)]), node(&[("Comedy \"x\"", 4), ("Drama", 5)])];
        let spec = FacetSearchSpec { max_values: 100, ..FacetSearchSpec::default() };
        assert_eq!(
            merged(&nodes, &spec),
            r#"{"facetHits":[{"value":"Action","count":1},{"value":"Comedy \"x\"","count":4},{"value":"drama","count":7}],"facetQuery":null,"processingTimeMs":3}"#
        );
    }

    #[test]
    fn groups_are_counted_over_all_nodes() {
        let hit = |id: &str, group: u32, genre: &str| {
            format!(r#"{{"group":{group},"genre":{genre},"_miroir":{{"n":"{id}"}}}}"#)
        };
        let survey = |hits: &[String]| {
            let (all, total) = (hits.join(","), hits.len());
            Bytes::from(format!(r#"{{"hits":[{all}],"query":"","totalHits":{total}}}"#))
        };
        let nodes = [node(&[("Drama", 1)]), node(&[("drama", 2), ("Comedy", 1)])];
        let surveyed = [
            survey(&[hit("!", 1, r#""Drama""#), hit(":", 2, r#"["Comedy", 7]"#)]),
            survey(&[hit(",", 1, r#""drama""#), hit(";", 3, r#"["drama", "Zoo"]"#)]),
        ];
        let about =
            FacetSurvey { facet: "genre".to_owned(), distinct: "group".to_owned(), looked_for: Some(20) };
        let counts = |facet_query: Option<&str>| {
            let facet_query = facet_query.map(str::to_owned);
            let spec = FacetSearchSpec { facet_query, max_values: 9, ..FacetSearchSpec::default() };
            let merged = merge_surveyed_facet_search(&nodes, &surveyed, &about, &spec).unwrap();
            let merged: serde_json::Value = serde_json::from_slice(&merged).unwrap();
            let hits = merged["facetHits"].as_array().unwrap().iter();
            hits.map(|hit| format!("{}={}", hit["value"].as_str().unwrap(), hit["count"])).collect::<Vec<_>>()
        };
        assert_eq!(counts(None), ["Comedy=1", "Drama=2", "Zoo=1"]);
        assert_eq!(counts(Some("d")), ["Comedy=1", "Drama=2"], "what the nodes say that matches");
        assert_eq!(counts(Some("Zo")), ["Comedy=1", "Drama=2", "Zoo=1"], "and what begins with the query");
    }

    #[test]
    fn the_time_is_the_slowest_node_s() {
        let node =
            |milliseconds| Bytes::from(format!(r#"{{"facetHits":[],"processingTimeMs":{milliseconds}}}"#));
        let answer = merged(&[node("1"), node("12"), node("null")], &FacetSearchSpec::default());
        assert!(answer.ends_with(r#""processingTimeMs":12}"#), "{answer}");
    }

    #[test]
    fn the_query_is_the_client_s() {
        let spec = FacetSearchSpec {
            facet_query: Some("\"".to_owned()),
            extra: vec![("missingShards".to_owned(), "[1]".to_owned())],
            ..FacetSearchSpec::default()
        };
        assert_eq!(
            merged(&[node(&[])], &spec),
            r#"{"facetHits":[],"facetQuery":"\"","processingTimeMs":3,"missingShards":[1]}"#
        );
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        let spec = FacetSearchSpec::default();
        assert_eq!(merge_facet_search(&[], &spec), Err(MergeError::NoAnswers));
        let whole = node(&[("a", 1), ("b", 2)]);
        for len in 0..whole.len() {
            assert!(merge_facet_search(&[whole.slice(..len)], &spec).is_err(), "{len}");
        }
        for wrong in [r#"{"hits":[]}"#, r#"{"facetHits":[{"value":"a"}]}"#, r#"{"facetHits":[{"count":1}]}"#]
        {
            assert!(merge_facet_search(&[Bytes::from(wrong)], &spec).is_err(), "{wrong}");
        }
    }
}
