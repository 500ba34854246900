//! Several nodes' answers to a search for similar documents.

use std::cmp::Ordering;

use bytes::Bytes;

use crate::{
    MergeError,
    error::InNode,
    keys::similarity,
    record::{Record, Shape},
    scan::{Cursor, Scan, count, number},
    search::{order_sequences, push_number, push_text},
};

/// What a merged answer to a search for similar documents is made of and looks like.
///
/// The node that holds the document is asked what the client asks; the others for what is near its vector: a purely
/// semantic search without `distinct`. All of them with `offset: 0` and `limit: offset + limit`, without a threshold, with
/// `showRankingScore` and `showRankingScoreDetails`, and with `_miroir.n` among the attributes.
#[derive(Debug, Clone, Default)]
pub struct SimilarSpec {
    /// The document's id.
    pub id: String,
    /// How many hits to leave out.
    pub offset: usize,
    /// How many hits to give.
    pub limit: usize,
    /// The least score of a hit.
    pub threshold: Option<f64>,
    /// The logical `pagination.maxTotalHits`, to which the total is clamped.
    pub max_total_hits: usize,
    /// Whether hits keep `_rankingScore`.
    pub show_ranking_score: bool,
    /// Whether hits keep `_rankingScoreDetails`.
    pub show_ranking_score_details: bool,
    /// `processingTimeMs`.
    pub processing_time_ms: u64,
    /// Members that follow: names and JSON texts.
    pub extra: Vec<(String, String)>,
}

/// A hit that has a vector.
struct Near<'a> {
    node: usize,
    score: f64,
    record: Record<'a>,
}

/// Merges the answers into the one that one node with all documents would give: the nearest first, equally near ones in
/// the order of insertion.
///
/// # Errors
///
/// If an answer is cut, or not what Meilisearch sends.
pub fn merge_similar(answers: &[Bytes], spec: &SimilarSpec) -> Result<Vec<u8>, MergeError> {
    if answers.is_empty() {
        return Err(MergeError::NoAnswers);
    }
    let mut shape = Shape::of_hit(&[], &[], None);
    (shape.show_score, shape.show_details) = (spec.show_ranking_score, spec.show_ranking_score_details);
    shape.is_similar = true;
    let mut hits = Vec::new();
    let mut total = 0u64;
    for (node, text) in answers.iter().enumerate() {
        total = total.saturating_add(read_answer(node, text, &shape, &mut hits).in_node(node, 0)?);
    }
    hits.sort_by(|left, right| {
        let by_score = right.score.partial_cmp(&left.score).unwrap_or(Ordering::Equal);
        by_score.then_with(|| order_sequences(left.record.sequence(), right.record.sequence()))
    });
    let page = hits.iter().skip(spec.offset).take(spec.limit);
    let is_near = |hit: &&Near<'_>| spec.threshold.is_none_or(|threshold| hit.score >= threshold);
    let near: Vec<&Near<'_>> = page.clone().take_while(is_near).collect();
    if near.len() < page.count() {
        // Nothing behind the first one that is too far was looked at.
        total = (spec.offset + near.len()) as u64;
    }
    let mut out = Vec::with_capacity(near.iter().map(|hit| hit.record.text().len()).sum::<usize>() + 256);
    out.extend_from_slice(b"{\"hits\":[");
    for (place, hit) in near.into_iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        hit.record.write(&shape, &mut out).in_node(hit.node, hit.record.base())?;
    }
    out.push(b']');
    push_text("id", &spec.id, &mut out);
    push_number("processingTimeMs", spec.processing_time_ms, &mut out);
    push_number("limit", spec.limit as u64, &mut out);
    push_number("offset", spec.offset as u64, &mut out);
    push_number("estimatedTotalHits", total.min(spec.max_total_hits as u64), &mut out);
    for (name, json) in &spec.extra {
        out.extend_from_slice(format!(",\"{name}\":{json}").as_bytes());
    }
    out.push(b'}');
    Ok(out)
}

/// Reads the hits of one node that have a vector; the total.
fn read_answer<'a>(node: usize, text: &'a [u8], shape: &Shape<'_>, hits: &mut Vec<Near<'a>>) -> Scan<u64> {
    let mut cursor = Cursor::new(text);
    let mut total = None;
    cursor.enter_object()?;
    let mut first = true;
    while let Some(key) = cursor.key(&mut first)? {
        match key {
            b"hits" => {
                cursor.enter_array()?;
                let mut first_hit = true;
                while cursor.element(&mut first_hit)? {
                    let mut record = Record::default();
                    record.read(&mut cursor, shape)?;
                    if let Some(score) = score(&record)? {
                        hits.push(Near { node, score, record });
                    }
                }
            }
            b"estimatedTotalHits" => total = count(cursor.value()?),
            _ => {
                cursor.value()?;
            }
        }
    }
    cursor.end()?;
    total.map_or_else(|| cursor.fail("expected the member `estimatedTotalHits`"), Ok)
}

/// The score of a hit that has a vector: a search lists those without one last.
fn score(record: &Record<'_>) -> Scan<Option<f64>> {
    let similarity = record.details().map_or(Ok(None), similarity)?;
    Ok(similarity.and_then(number).and_then(|_| record.score().and_then(number)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(hits: &[(u32, &str)], total: u64) -> Bytes {
        let hits = hits.iter().map(|(id, similarity)| {
            format!(
                r#"{{"id":{id},"_miroir":{{"n":"{id:03}"}},"_rankingScore":{similarity},"_rankingScoreDetails":{{"year:asc":{{"order":0,"value":1.0}},"vectorSort":{{"order":1,"similarity":{similarity}}}}}}}"#
            )
        });
        let hits = hits.collect::<Vec<_>>().join(",");
        format!(r#"{{"hits":[{hits}],"id":"9","estimatedTotalHits":{total}}}"#).into()
    }

    fn merged(answers: &[Bytes], spec: SimilarSpec) -> String {
        let spec = SimilarSpec { id: "9".to_owned(), ..spec };
        String::from_utf8(merge_similar(answers, &spec).unwrap()).unwrap()
    }

    fn spec(offset: usize, limit: usize) -> SimilarSpec {
        SimilarSpec { offset, limit, max_total_hits: 1_000, ..SimilarSpec::default() }
    }

    #[test]
    fn the_nearest_come_first_and_those_without_a_vector_not_at_all() {
        let nodes = [node(&[(3, "0.9"), (1, "0.5")], 4), node(&[(2, "0.9"), (4, "0.7"), (5, "null")], 3)];
        assert_eq!(
            merged(&nodes, spec(0, 3)),
            r#"{"hits":[{"id":2},{"id":3},{"id":4}],"id":"9","processingTimeMs":0,"limit":3,"offset":0,"estimatedTotalHits":7}"#
        );
        assert!(merged(&nodes, spec(3, 3)).starts_with(r#"{"hits":[{"id":1}],"#));
    }

    #[test]
    fn what_is_too_far_is_no_hit_and_ends_the_count() {
        let nodes = [node(&[(3, "0.9"), (1, "0.5")], 4), node(&[(2, "0.8"), (4, "0.7")], 3)];
        let threshold = |threshold| SimilarSpec { threshold: Some(threshold), ..spec(1, 9) };
        let answer = merged(&nodes, threshold(0.7));
        assert!(answer.starts_with(r#"{"hits":[{"id":2},{"id":4}],"#), "{answer}");
        assert!(answer.ends_with(r#""estimatedTotalHits":3}"#), "{answer}");
        assert!(merged(&nodes, threshold(0.1)).ends_with(r#""estimatedTotalHits":7}"#));
    }

    #[test]
    fn details_tell_the_similarity_alone() {
        let nodes = [node(&[(3, "0.9")], 1)];
        let spec = SimilarSpec { show_ranking_score_details: true, show_ranking_score: true, ..spec(0, 1) };
        let hit = r#"{"id":3,"_rankingScore":0.9,"_rankingScoreDetails":{"vectorSort":{"order":0,"similarity":0.9}}}"#;
        assert!(merged(&nodes, spec).contains(hit));
    }

    #[test]
    fn totals_are_clamped() {
        let spec = SimilarSpec { max_total_hits: 2, ..spec(0, 0) };
        assert!(merged(&[node(&[], 9)], spec).ends_with(r#""estimatedTotalHits":2}"#));
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        let whole = node(&[(1, "0.5")], 1);
        for len in 0..whole.len() {
            assert!(merge_similar(&[whole.slice(..len)], &spec(0, 1)).is_err(), "{len}");
        }
        assert_eq!(merge_similar(&[], &spec(0, 1)), Err(MergeError::NoAnswers));
    }
}
