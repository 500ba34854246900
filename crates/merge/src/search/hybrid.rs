//! A hybrid search of which a node could leave out the semantic half.
//!
//! A node does not look at vectors where the words alone find good hits, and enough of them. Whether they do is a question
//! about all nodes' hits. So the nodes are asked twice: for the hits by words, and for both halves in a way in which no
//! node is ever content with the words.

use std::ops::ControlFlow;

use bytes::Bytes;

use super::{
    answer::{Answer, Members, Ranking},
    merge_search,
    page::write_hits,
    shape_of_hits,
    spec::{SearchSpec, Window},
    write_members,
};
use crate::{MergeError, keys::Weights, kway::merge, record::Shape, scan::number};

/// What a score by words has to be, once it is weighted, to be good enough.
pub(crate) const GOOD_ENOUGH: f64 = 0.45;

/// Whether a node may be content with the hits by words of a hybrid search with this semantic ratio.
pub fn words_may_be_enough(semantic_ratio: f32) -> bool {
    Weights::of_ratio(semantic_ratio).keyword >= GOOD_ENOUGH
}

/// Merges the answers of several nodes to one hybrid search: `answers` to it with a higher semantic ratio, so high that the
/// words are [never enough](words_may_be_enough), and `by_words` to the same without vectors. Both have the scores
/// and score details of all hits up to the page's end.
///
/// Of `answers`, the hits by vector count, and the totals; a higher ratio finds all of them that the true one needs, and
/// maybe more.
///
/// # Errors
///
/// If an answer is cut, or not what Meilisearch sends.
pub fn merge_hybrid(answers: &[Bytes], by_words: &[Bytes], spec: &SearchSpec) -> Result<Vec<u8>, MergeError> {
    let weights = Weights::of_ratio(spec.semantic_ratio.unwrap_or_default());
    if are_enough(by_words, weights, spec)? {
        let mut spec = SearchSpec { semantic_ratio: None, ..spec.clone() };
        spec.extra.push(("semanticHitCount".to_owned(), "0".to_owned()));
        return merge_search(by_words, &spec);
    }
    if answers.is_empty() {
        return Err(MergeError::NoAnswers);
    }
    let shape = shape_of_hits(spec);
    let ranking = Ranking::Hybrid(weights);
    let halves = answers.iter().map(|text| (text, true)).chain(by_words.iter().map(|text| (text, false)));
    let opened: Result<Vec<_>, _> = halves
        .enumerate()
        .map(|(place, (text, semantic))| {
            let answer = Answer::open(place, text, &shape, ranking)?;
            Ok(if semantic { answer.only_semantic() } else { answer })
        })
        .collect();
    let mut opened = opened?;
    let mut out = Vec::with_capacity(answers.iter().map(Bytes::len).max().unwrap_or_default() + 512);
    out.extend_from_slice(b"{\"hits\":[");
    let taken = write_hits(&mut opened, spec, &shape, true, &mut out)?;
    let members: Result<Vec<Members<'_>>, _> =
        opened.iter_mut().take(answers.len()).map(Answer::close).collect();
    write_members(&members?, &taken, None, spec, &mut out)?;
    Ok(out)
}

/// Whether one node with all documents would be content with the words: there are as many hits as the page needs, and all
/// of them are good.
fn are_enough(by_words: &[Bytes], weights: Weights, spec: &SearchSpec) -> Result<bool, MergeError> {
    let Window { skip, take } = spec.window();
    let needed = skip.saturating_add(take);
    let shape = Shape::of_hit(&[], &[], None);
    let opened: Result<Vec<_>, _> = by_words
        .iter()
        .enumerate()
        .map(|(node, text)| Answer::open(node, text, &shape, Ranking::Rules))
        .collect();
    let (mut good, mut is_good) = (0, !by_words.is_empty());
    if needed > 0 {
        merge(&mut opened?, |answer| {
            let score = answer.record().score().and_then(number).unwrap_or_default();
            is_good = score * weights.keyword >= GOOD_ENOUGH;
            good += usize::from(is_good);
            let is_done = !is_good || good == needed;
            Ok(if is_done { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
    }
    Ok(is_good && good == needed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(hits: &[(u32, &str, f64)], total: usize, members: &str) -> Bytes {
        let hits = hits.iter().map(|(id, rule, score)| {
            let details = match *rule {
                "vectorSort" => format!(r#"{{"vectorSort":{{"order":0,"similarity":{score}}}}}"#),
                rule => format!(r#"{{"{rule}":{{"order":0,"score":{score}}}}}"#),
            };
            format!(
                r#"{{"id":{id},"_miroir":{{"n":"{id:03}"}},"_rankingScore":{score},"_rankingScoreDetails":{details}}}"#
            )
        });
        let hits = hits.collect::<Vec<_>>().join(",");
        format!(r#"{{"hits":[{hits}],"query":"x","estimatedTotalHits":{total}{members}}}"#).into()
    }

    fn merged(answers: &[Bytes], by_words: &[Bytes], limit: usize) -> String {
        let spec = SearchSpec {
            paging: crate::Paging::Window { offset: 0, limit },
            semantic_ratio: Some(0.5),
            ..SearchSpec::default()
        };
        String::from_utf8(merge_hybrid(answers, by_words, &spec).unwrap()).unwrap()
    }

    #[test]
    fn words_are_enough_where_all_hits_of_the_page_are_good() {
        let both = [answer(&[(9, "vectorSort", 1.0)], 50, r#","semanticHitCount":1"#)];
        let words =
            [answer(&[(1, "words", 1.0), (3, "words", 0.2)], 2, ""), answer(&[(2, "words", 0.95)], 1, "")];
        let answer = merged(&both, &words, 2);
        assert!(answer.starts_with(r#"{"hits":[{"id":1},{"id":2}],"#), "{answer}");
        assert!(
            answer.contains(r#""estimatedTotalHits":3,"#) || answer.contains(r#""estimatedTotalHits":3"#)
        );
        assert!(answer.ends_with(r#","semanticHitCount":0}"#), "{answer}");
    }

    #[test]
    fn both_halves_count_where_one_hit_is_not_good() {
        let both = [
            answer(&[(9, "vectorSort", 0.97), (1, "words", 1.0)], 30, r#","semanticHitCount":1"#),
            answer(&[(2, "vectorSort", 0.5)], 20, r#","semanticHitCount":1"#),
        ];
        let words = [answer(&[(1, "words", 1.0)], 1, ""), answer(&[(2, "words", 0.6)], 1, "")];
        let answer = merged(&both, &words, 3);
        assert!(answer.starts_with(r#"{"hits":[{"id":1},{"id":9},{"id":2}],"#), "{answer}");
        assert!(answer.contains(r#""estimatedTotalHits":50"#), "{answer}");
        assert!(answer.ends_with(r#""semanticHitCount":1}"#), "{answer}");
    }

    #[test]
    fn only_light_ratios_can_be_content() {
        assert!(words_may_be_enough(0.5) && words_may_be_enough(0.0));
        assert!(!words_may_be_enough(0.56) && !words_may_be_enough(1.0));
    }
}
