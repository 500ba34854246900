//! Search requests of all kinds, from a JSON body or from query parameters.

mod facet;
mod federation;
mod filter;
mod locale;
mod query;
mod similar;
mod sort;
mod url;
mod values;

pub(crate) use self::url::filter_parameter;
pub use self::{
    facet::FacetSearchQuery,
    federation::{
        Federation, FederationOptions, MergeFacets, MultiSearch, NegativeWeight, Weight, inside_query,
    },
    filter::check_filter_form,
    locale::{Locale, UnsupportedLocale},
    query::{IndexQuery, SearchQuery},
    similar::SimilarQuery,
    sort::{AscDesc, AscDescError, Member, SortError, split_sort_parameter},
    values::{HybridQuery, MatchingStrategy, OutOfRange, Personalize, RankingScoreThreshold, SemanticRatio},
};
