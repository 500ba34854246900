//! How good a hit is, as one number.

use milli_core::score_details::{Rank, ScoreDetails};

/// The score of a hit. As Meilisearch v1.50, and unlike 1.15, where rules that follow a sort do not count: all rules
/// but sorts make the score, and the similarity stands for them where there is one.
pub(super) fn global_score(details: &[ScoreDetails]) -> f64 {
    let similarity = details.iter().rev().find_map(|rule| match rule {
        ScoreDetails::Vector(vector) => Some(vector.similarity.map(f64::from).unwrap_or_default()),
        _ => None,
    });
    similarity.unwrap_or_else(|| Rank::global_score(details.iter().filter_map(ScoreDetails::rank)))
}

#[cfg(test)]
mod tests {
    use milli_core::score_details::{ExactWords, ScoreDetails, Sort, Vector};
    use serde_json::json;

    use super::global_score;

    fn words(matching: u32) -> ScoreDetails {
        ScoreDetails::ExactWords(ExactWords { matching_words: matching, max_matching_words: 3 })
    }

    #[test]
    fn rules_after_a_sort_count() {
        let value = json!(1);
        let sort = Sort { field_name: "year".to_owned(), ascending: true, redacted: false, value };
        let (good, bad) = (words(3), words(1));
        let sorted = [good.clone(), ScoreDetails::Sort(sort), bad.clone()];
        assert_eq!(global_score(&sorted), global_score(&[good.clone(), bad]));
        assert!(global_score(&sorted) < global_score(&[good]));
    }

    #[test]
    fn similarity_is_the_score() {
        let similar = ScoreDetails::Vector(Vector { similarity: Some(0.25) });
        assert_eq!(global_score(&[words(3), similar]), 0.25);
        assert_eq!(global_score(&[]), 1.0);
    }
}
