//! Ranking rules: built-in ones, and ascending or descending values of a field.

use std::{fmt, str::FromStr};

use deserr::Deserr;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{
    parse::ValueError,
    search::{AscDesc, AscDescError, Member},
};

/// One rule that orders results.
#[derive(Debug, Clone, PartialEq, Eq, Deserr)]
#[deserr(try_from(String) = RankingRule::try_from -> InvalidRankingRule)]
pub enum RankingRule {
    /// More of the query's words first.
    Words,
    /// Fewer typos first.
    Typo,
    /// Words that stand closer together first.
    Proximity,
    /// Words in more important fields, and nearer to their beginning, first.
    Attribute,
    /// Words in more important fields first.
    AttributeRank,
    /// Words nearer to the beginning of a field first.
    WordPosition,
    /// As the search's `sort` says.
    Sort,
    /// Words that match as they are first.
    Exactness,
    /// Smaller values of the field first.
    Asc(String),
    /// Larger values of the field first.
    Desc(String),
}

/// A text that is no ranking rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRankingRule {
    /// Neither a rule's name nor an attribute with a direction.
    #[error(
        "`{0}` ranking rule is invalid. Valid ranking rules are words, typo, sort, proximity, attribute, exactness \
         and custom ranking rules."
    )]
    Name(String),
    /// A reserved name.
    #[error("`{0}` is a reserved keyword and thus can't be used as a ranking rule")]
    Reserved(String),
    /// A name that only searches can sort by.
    #[error(
        "`{0}` is a reserved keyword and thus can't be used as a ranking rule. `{0}` can only be used for sorting \
         at search time"
    )]
    ForSort(String),
    /// A name that only searches can filter by.
    #[error(
        "`{0}` is a reserved keyword and thus can't be used as a ranking rule. `{0}` can only be used for filtering \
         at search time"
    )]
    ForFilter(String),
}

impl ValueError for InvalidRankingRule {}

/// The rules that are called by a name.
const NAMED: [(&str, RankingRule); 8] = [
    ("words", RankingRule::Words),
    ("typo", RankingRule::Typo),
    ("proximity", RankingRule::Proximity),
    ("attribute", RankingRule::Attribute),
    ("attributeRank", RankingRule::AttributeRank),
    ("wordPosition", RankingRule::WordPosition),
    ("sort", RankingRule::Sort),
    ("exactness", RankingRule::Exactness),
];

impl FromStr for RankingRule {
    type Err = InvalidRankingRule;

    fn from_str(text: &str) -> Result<Self, InvalidRankingRule> {
        if let Some((_, rule)) = NAMED.iter().find(|(name, _)| *name == text) {
            return Ok(rule.clone());
        }
        match text.parse()? {
            AscDesc::Asc(Member::Field(field)) => Ok(Self::Asc(field)),
            AscDesc::Desc(Member::Field(field)) => Ok(Self::Desc(field)),
            AscDesc::Asc(Member::Geo(_)) | AscDesc::Desc(Member::Geo(_)) => {
                Err(InvalidRankingRule::ForSort("_geoPoint".to_owned()))
            }
        }
    }
}

impl TryFrom<String> for RankingRule {
    type Error = InvalidRankingRule;

    fn try_from(text: String) -> Result<Self, InvalidRankingRule> {
        text.parse()
    }
}

impl From<AscDescError> for InvalidRankingRule {
    fn from(error: AscDescError) -> Self {
        match error {
            AscDescError::Latitude(_) | AscDescError::Longitude(_) => Self::ForSort("_geoPoint".to_owned()),
            AscDescError::Syntax(text) => Self::Name(text),
            AscDescError::Reserved(name) if name.starts_with("_geoPoint") => {
                Self::ForSort("_geoPoint".to_owned())
            }
            AscDescError::Reserved(name) => {
                let filter =
                    ["_geoRadius", "_geoBoundingBox"].into_iter().find(|filter| name.starts_with(filter));
                filter.map_or(Self::Reserved(name), |filter| Self::ForFilter(filter.to_owned()))
            }
        }
    }
}

impl fmt::Display for RankingRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asc(field) => write!(f, "{field}:asc"),
            Self::Desc(field) => write!(f, "{field}:desc"),
            named => {
                let name = NAMED.iter().find(|(_, rule)| rule == named).map(|(name, _)| *name);
                f.write_str(name.unwrap_or_default())
            }
        }
    }
}

impl Serialize for RankingRule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RankingRule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::{InvalidRankingRule, RankingRule};

    #[test]
    fn prints_what_it_parsed() {
        for text in ["words", "attributeRank", "exactness", "price:asc", "a:b:desc"] {
            assert_eq!(text.parse::<RankingRule>().expect(text).to_string(), text);
        }
    }

    #[test]
    fn names_that_only_searches_use_are_refused() {
        let parse = |text: &str| text.parse::<RankingRule>().expect_err(text);
        assert_eq!(parse("_geoPoint(1, 2):asc"), InvalidRankingRule::ForSort("_geoPoint".to_owned()));
        assert_eq!(parse("_geoRadius(1):asc"), InvalidRankingRule::ForFilter("_geoRadius".to_owned()));
        assert_eq!(parse("_geo:asc"), InvalidRankingRule::Reserved("_geo".to_owned()));
        assert_eq!(parse("price"), InvalidRankingRule::Name("price".to_owned()));
    }
}
