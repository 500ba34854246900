//! Ranking rules of later Meilisearch versions, on an engine that has fewer of them.

use std::str::FromStr;

use milli_core::{Criterion, CriterionError};

/// Rules of later versions that each do a half of what the engine's `attribute` does.
const HALVES_OF_ATTRIBUTE: [&str; 2] = ["attributeRank", "wordPosition"];

/// The engine's criteria for these rules. `attributeRank` and `wordPosition` both become `attribute`, at the place of
/// the first of them: the engine cannot rank by one alone.
pub(super) fn criteria_of(rules: &[String]) -> Result<Vec<Criterion>, CriterionError> {
    let mut criteria = Vec::with_capacity(rules.len());
    for rule in rules {
        let criterion = match has_newer_name(rule) {
            true => Criterion::Attribute,
            false => Criterion::from_str(rule)?,
        };
        if !criteria.contains(&criterion) {
            criteria.push(criterion);
        }
    }
    Ok(criteria)
}

/// Whether the engine does not know a rule of this name, and a later version does.
pub(super) fn has_newer_name(rule: &str) -> bool {
    HALVES_OF_ATTRIBUTE.contains(&rule)
}

#[cfg(test)]
mod tests {
    use milli_core::Criterion;

    use super::criteria_of;

    fn rules(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn newer_halves_become_the_one_rule_of_the_engine() {
        let criteria = criteria_of(&rules(&["words", "attributeRank", "sort", "wordPosition"]));
        let expected = vec![Criterion::Words, Criterion::Attribute, Criterion::Sort];
        assert_eq!(criteria.expect("known rules"), expected);
    }

    #[test]
    fn unknown_rule_is_refused() {
        assert!(criteria_of(&rules(&["words", "nonsense"])).is_err());
    }
}
