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
    nearest::Last,
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
/// maybe more. The two halves are made one list as a node does: it compares the first hit of each that is left. Where `by_words`
/// are [weighted](SearchSpec::weighted), that they are [not enough](words_suffice) is known.
///
/// # Errors
///
/// If an answer is cut, or not what Meilisearch sends.
pub fn merge_hybrid(answers: &[Bytes], by_words: &[Bytes], spec: &SearchSpec) -> Result<Vec<u8>, MergeError> {
    let weights = Weights::of_ratio(spec.semantic_ratio.unwrap_or_default());
    if !spec.weighted && words_suffice(by_words, spec)? {
        let mut spec = SearchSpec { semantic_ratio: None, ..spec.clone() };
        spec.extra.push(("semanticHitCount".to_owned(), "0".to_owned()));
        return merge_search(by_words, &spec);
    }
    if answers.is_empty() {
        return Err(MergeError::NoAnswers);
    }
    let shape = shape_of_hits(spec);
    let ranking = Ranking::Hybrid(weights);
    let of_words = Shape { is_weighted: spec.weighted, ..shape_of_hits(spec) };
    let halves = answers.iter().map(|text| (text, true)).chain(by_words.iter().map(|text| (text, false)));
    let opened: Result<Vec<_>, _> = halves
        .enumerate()
        .map(|(place, (text, semantic))| {
            if semantic {
                return Ok(Answer::open(place, text, &shape, ranking)?.only_semantic());
            }
            Ok(Answer::open(place, text, &of_words, ranking)?.weighted(spec.weighted))
        })
        .collect();
    let mut opened = opened?;
    let mut out = Vec::with_capacity(answers.iter().map(Bytes::len).max().unwrap_or_default() + 512);
    out.extend_from_slice(b"{\"hits\":[");
    let last = Last::of(answers, spec)?;
    let taken = write_hits(&mut opened, spec, &shape, (Some(answers.len()), last), &mut out)?;
    let members: Result<Vec<Members<'_>>, _> =
        opened.iter_mut().take(answers.len()).map(Answer::close).collect();
    write_members(&members?, &taken, None, spec, &mut out)?;
    Ok(out)
}

/// Whether one node with all documents would be content with the words: there are as many hits as the page needs, and all
/// of them are good.
///
/// # Errors
///
/// If an answer is cut, or not what Meilisearch sends.
pub fn words_suffice(by_words: &[Bytes], spec: &SearchSpec) -> Result<bool, MergeError> {
    let weights = Weights::of_ratio(spec.semantic_ratio.unwrap_or_default());
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
    fn what_the_rules_before_the_sort_say_decides_between_the_halves() {
        let hit = |id: u32, details: &str, score: f64, first: f64| {
            let values = format!(
                r#"[{{"weightedScore":{first}}},{{"sort":{{"asc":false,"value":1}}}},{{"weightedScore":1.0}}]"#
            );
            format!(
                r#"{{"id":{id},"_miroir":{{"n":"{id:03}"}},"_federation":{{"indexUid":"a","weightedScoreValues":{values}}},"_rankingScore":{score},"_rankingScoreDetails":{details}}}"#
            )
        };
        let by_words = |year: u32, exact: f64| {
            format!(
                r#"{{"words":{{"order":0,"score":1.0}},"year:desc":{{"order":1,"value":{year}}},"exactness":{{"order":2,"score":{exact}}}}}"#
            )
        };
        let words = |hits: &[String]| {
            Bytes::from(format!(
                r#"{{"hits":[{}],"limit":4,"offset":0,"estimatedTotalHits":3}}"#,
                hits.join(",")
            ))
        };
        // The better hit by words comes later, as its year does; it stays behind, and the vector behind both.
        let words = [
            words(&[hit(1, &by_words(2001, 0.1), 0.5, 1.0)]),
            words(&[hit(2, &by_words(2000, 1.0), 1.0, 1.0)]),
        ];
        let both = [answer(&[(9, "vectorSort", 0.75)], 7, r#","semanticHitCount":1"#), answer(&[], 7, "")];
        let merged = |weighted| {
            let spec = SearchSpec { semantic_ratio: Some(0.5), weighted, ..SearchSpec::default() };
            String::from_utf8(merge_hybrid(&both, &words, &spec).unwrap()).unwrap()
        };
        let answer = merged(true);
        assert!(answer.starts_with(r#"{"hits":[{"id":1},{"id":2},{"id":9}],"#), "{answer}");
        assert!(merged(false).contains(r#"{"hits":[{"id":9},{"id":1,"#), "by the score of all rules");
    }

    #[test]
    fn only_light_ratios_can_be_content() {
        assert!(words_may_be_enough(0.5) && words_may_be_enough(0.0));
        assert!(!words_may_be_enough(0.56) && !words_may_be_enough(1.0));
    }
}
