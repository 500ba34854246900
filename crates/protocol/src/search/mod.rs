//! Search requests: one type from a JSON body or from query parameters.

mod locale;
mod query;
mod sort;
mod url;
mod values;

pub(crate) use self::url::json_or_text;
pub use self::{
    locale::{Locale, UnsupportedLocale},
    query::SearchQuery,
    sort::{AscDesc, AscDescError, Member, SortError, split_sort_parameter},
    values::{HybridQuery, MatchingStrategy, Personalize, RankingScoreThreshold, SemanticRatio},
};
