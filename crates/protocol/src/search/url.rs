//! The same parameters in a query string.

use deserr::Deserr;
use serde_json::Value;

use super::{
    HybridQuery, Locale, MatchingStrategy, Personalize, RankingScoreThreshold, SearchQuery, SemanticRatio,
    filter::check_filter_form, query::defaults, sort::split_sort_parameter,
};
use crate::{
    error::{Code, ResponseError, marker},
    parse::{Comma, Param, QueryRefusal},
};

/// The parameters of `GET /indexes/{uid}/search`.
#[derive(Debug, Deserr)]
#[deserr(error = QueryRefusal, rename_all = camelCase, deny_unknown_fields)]
pub(super) struct SearchParameters {
    #[deserr(default, error = QueryRefusal<marker::InvalidSearchQ>)]
    q: Option<String>,
    #[deserr(default = Param(defaults::OFFSET), error = QueryRefusal<marker::InvalidSearchOffset>)]
    offset: Param<usize>,
    #[deserr(default = Param(defaults::LIMIT), error = QueryRefusal<marker::InvalidSearchLimit>)]
    limit: Param<usize>,
    #[deserr(default, error = QueryRefusal<marker::InvalidSearchPage>)]
    page: Option<Param<usize>>,
    #[deserr(default, error = QueryRefusal<marker::InvalidSearchHitsPerPage>)]
    hits_per_page: Option<Param<usize>>,
    #[deserr(default, error = QueryRefusal<marker::InvalidSearchAttributesToRetrieve>)]
    attributes_to_retrieve: Option<Comma<String>>,
    #[deserr(default, error = QueryRefusal<marker::InvalidSearchAttributesToCrop>)]
    attributes_to_crop: Option<Comma<String>>,
    #[deserr(default = Param(defaults::CROP_LENGTH), error = QueryRefusal<marker::InvalidSearchCropLength>)]
    crop_length: Param<usize>,
    #[deserr(default = defaults::CROP_MARKER.to_owned(), error = QueryRefusal<marker::InvalidSearchCropMarker>)]
    crop_marker: String,
    #[deserr(default, error = QueryRefusal<marker::InvalidSearchAttributesToHighlight>)]
    attributes_to_highlight: Option<Comma<String>>,
    #[deserr(default = defaults::HIGHLIGHT_PRE_TAG.to_owned(), error = QueryRefusal<marker::InvalidSearchHighlightPreTag>)]
    highlight_pre_tag: String,
    #[deserr(default = defaults::HIGHLIGHT_POST_TAG.to_owned(), error = QueryRefusal<marker::InvalidSearchHighlightPostTag>)]
    highlight_post_tag: String,
    #[deserr(default, error = QueryRefusal<marker::InvalidSearchShowMatchesPosition>)]
    show_matches_position: Param<bool>,
    #[deserr(default, error = QueryRefusal<marker::InvalidSearchFilter>)]
    filter: Option<String>,
    #[deserr(default, error = QueryRefusal<marker::InvalidSearchSort>)]
    sort: Option<String>,
    #[deserr(default, error = QueryRefusal<marker::InvalidSearchDistinct>)]
    distinct: Option<String>,
    #[deserr(default, error = QueryRefusal<marker::InvalidSearchFacets>)]
    facets: Option<Comma<String>>,
    #[deserr(default, error = QueryRefusal<marker::InvalidSearchMatchingStrategy>)]
    matching_strategy: MatchingStrategy,
    #[deserr(default, error = QueryRefusal<marker::InvalidSearchAttributesToSearchOn>)]
    attributes_to_search_on: Option<Comma<String>>,
    #[deserr(default, error = QueryRefusal<marker::InvalidSearchRankingScoreThreshold>)]
    ranking_score_threshold: Option<Param<RankingScoreThreshold>>,
    #[deserr(default, error = QueryRefusal<marker::InvalidSearchLocales>)]
    locales: Option<Comma<Locale>>,
    #[deserr(default, error = QueryRefusal<marker::InvalidSearchEmbedder>)]
    hybrid_embedder: Option<String>,
    #[deserr(default, error = QueryRefusal<marker::InvalidSearchSemanticRatio>)]
    hybrid_semantic_ratio: Option<Param<SemanticRatio>>,
    #[deserr(default, error = QueryRefusal<marker::InvalidSearchVector>)]
    vector: Option<Comma<f32>>,
    #[deserr(default, error = QueryRefusal<marker::InvalidSearchRetrieveVectors>)]
    retrieve_vectors: Param<bool>,
    #[deserr(default, error = QueryRefusal<marker::InvalidSearchPersonalizeUserContext>)]
    personalize_user_context: Option<String>,
    #[deserr(default, error = QueryRefusal<marker::InvalidSearchUseNetwork>)]
    use_network: Option<Param<bool>>,
    #[deserr(default, error = QueryRefusal<marker::InvalidSearchShowRankingScore>)]
    show_ranking_score: Param<bool>,
    #[deserr(default, error = QueryRefusal<marker::InvalidSearchShowRankingScoreDetails>)]
    show_ranking_score_details: Param<bool>,
    #[deserr(default, error = QueryRefusal<marker::InvalidSearchShowPerformanceDetails>)]
    show_performance_details: Param<bool>,
}

impl TryFrom<SearchParameters> for SearchQuery {
    type Error = ResponseError;

    fn try_from(sent: SearchParameters) -> Result<Self, ResponseError> {
        let hybrid = hybrid(sent.hybrid_embedder, sent.hybrid_semantic_ratio)?;
        if sent.vector.is_some() && hybrid.is_none() {
            let message = "`hybridEmbedder` is mandatory when `vector` is present";
            return Err(ResponseError::new(Code::MissingSearchHybrid, message));
        }
        Ok(Self {
            q: sent.q,
            offset: sent.offset.0,
            limit: sent.limit.0,
            page: sent.page.map(|value| value.0),
            hits_per_page: sent.hits_per_page.map(|value| value.0),
            attributes_to_retrieve: sent.attributes_to_retrieve.map(|list| list.0.into_iter().collect()),
            attributes_to_crop: sent.attributes_to_crop.map(|list| list.0),
            crop_length: sent.crop_length.0,
            crop_marker: sent.crop_marker,
            attributes_to_highlight: sent.attributes_to_highlight.map(|list| list.0.into_iter().collect()),
            highlight_pre_tag: sent.highlight_pre_tag,
            highlight_post_tag: sent.highlight_post_tag,
            show_matches_position: sent.show_matches_position.0,
            filter: filter_parameter(sent.filter, Code::InvalidSearchFilter)?,
            sort: sent.sort.map(|sort| split_sort_parameter(&sort)),
            distinct: sent.distinct,
            facets: sent.facets.map(|list| list.0),
            matching_strategy: sent.matching_strategy,
            attributes_to_search_on: sent.attributes_to_search_on.map(|list| list.0),
            ranking_score_threshold: sent.ranking_score_threshold.map(|value| value.0),
            locales: sent.locales.map(|list| list.0),
            hybrid,
            vector: sent.vector.map(|list| list.0),
            retrieve_vectors: sent.retrieve_vectors.0,
            media: None, // there is no such parameter here
            personalize: sent.personalize_user_context.map(|user_context| Personalize { user_context }),
            use_network: sent.use_network.map(|value| value.0),
            show_ranking_score: sent.show_ranking_score.0,
            show_ranking_score_details: sent.show_ranking_score_details.0,
            show_performance_details: sent.show_performance_details.0,
        })
    }
}

fn hybrid(
    embedder: Option<String>,
    ratio: Option<Param<SemanticRatio>>,
) -> Result<Option<HybridQuery>, ResponseError> {
    match (embedder, ratio) {
        (Some(embedder), ratio) => {
            let semantic_ratio = ratio.map(|ratio| ratio.0).unwrap_or_default();
            Ok(Some(HybridQuery { semantic_ratio, embedder }))
        }
        (None, None) => Ok(None),
        (None, Some(_)) => {
            let message = "`hybridEmbedder` is mandatory when `hybridSemanticRatio` is present";
            Err(ResponseError::new(Code::InvalidSearchHybridQuery, message))
        }
    }
}

/// A filter in a query string is JSON if it can be read as such, an expression otherwise. `null` is not the lack of one.
pub(crate) fn filter_parameter(filter: Option<String>, code: Code) -> Result<Option<Value>, ResponseError> {
    let Some(filter) = filter else { return Ok(None) };
    let filter = serde_json::from_str(&filter).unwrap_or(Value::String(filter));
    if filter.is_null() {
        check_filter_form(&filter, code)?;
    }
    Ok(Some(filter))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::search::{Locale, MatchingStrategy, SearchQuery};

    fn parse(query: &str) -> SearchQuery {
        SearchQuery::from_query_string(query).expect(query)
    }

    fn refused(query: &str) -> (String, String) {
        let error = SearchQuery::from_query_string(query).expect_err(query);
        (error.code_name().to_owned(), error.message().to_owned())
    }

    #[test]
    fn nothing_is_the_default_search() {
        assert_eq!(parse(""), SearchQuery::default());
        assert_eq!(SearchQuery::from_json(b"{}").expect("good"), SearchQuery::default());
    }

    #[test]
    fn text_is_decoded() {
        assert_eq!(parse("q=star+wars%20%C3%A9").q.as_deref(), Some("star wars é"));
        assert_eq!(parse("q=").q.as_deref(), Some(""));
        assert_eq!(parse("q=a&q=b").q.as_deref(), Some("b"));
    }

    #[test]
    fn lists_have_commas() {
        let query = parse("facets=a,b&attributesToCrop=c:5,d&locales=fr,eng&vector=0.5,1&hybridEmbedder=e");
        assert_eq!(query.facets, Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(query.attributes_to_crop, Some(vec!["c:5".to_owned(), "d".to_owned()]));
        assert_eq!(query.locales, Some(vec![Locale::Fr, Locale::Eng]));
        assert_eq!(query.vector, Some(vec![0.5, 1.0]));
    }

    #[test]
    fn a_filter_can_be_json_or_an_expression() {
        assert_eq!(parse("filter=a=1").filter, Some(json!("a=1")));
        assert_eq!(parse(r#"filter=[["a=1","b=2"]]"#).filter, Some(json!([["a=1", "b=2"]])));
        let expected = "Invalid syntax for the filter parameter: `expected String, Array, found: null`.";
        assert_eq!(refused("filter=null"), ("invalid_search_filter".to_owned(), expected.to_owned()));
    }

    #[test]
    fn words_and_switches_are_read() {
        let query = parse("matchingStrategy=all&showRankingScore=true&page=2&rankingScoreThreshold=0.5");
        assert_eq!(query.matching_strategy, MatchingStrategy::All);
        assert!(query.show_ranking_score && query.is_paged());
        assert_eq!(query.ranking_score_threshold.map(|score| score.get()), Some(0.5));
    }

    #[test]
    fn hybrid_parameters_need_each_other() {
        assert_eq!(refused("hybridSemanticRatio=0.5").0, "invalid_search_hybrid_query");
        assert_eq!(refused("vector=1").0, "missing_search_hybrid");
        let hybrid = parse("hybridEmbedder=e&hybridSemanticRatio=0.25").hybrid.expect("some");
        assert_eq!((hybrid.embedder.as_str(), hybrid.semantic_ratio.get()), ("e", 0.25));
    }

    #[test]
    fn bad_values_name_their_parameter() {
        let expected = [
            ("limit=x", "Invalid value in parameter `limit`: could not parse `x` as a positive integer"),
            (
                "showRankingScore=1",
                "Invalid value in parameter `showRankingScore`: could not parse `1` as a boolean, expected either \
                 `true` or `false`",
            ),
            (
                "rankingScoreThreshold=2",
                "Invalid value in parameter `rankingScoreThreshold`: the value of `rankingScoreThreshold` is \
                 invalid, expected a float between `0.0` and `1.0`.",
            ),
            (
                "matchingStrategy=some",
                "Unknown value `some` for parameter `matchingStrategy`: expected one of `last`, `all`, `frequency`",
            ),
            ("vector=a&hybridEmbedder=e", "Invalid value in parameter `vector`: invalid float literal"),
        ];
        for (query, message) in expected {
            assert_eq!(refused(query).1, message);
        }
    }
}
