//! What nodes are asked for a client's search, and what is made of their answers.

use std::collections::BTreeSet;

use bytes::Bytes;
use miroir_log::IndexRecord;
use miroir_merge::{Paging, SearchSpec, facets_in_doubt, groups_overlap, page_in_doubt, words_may_be_enough};
use miroir_protocol::search::{HybridQuery, SearchQuery, SemanticRatio};
use miroir_shard::SEQUENCE_FIELD;
use serde_json::{Value, json};

use super::{
    facets::{facet_spec, max_total_hits, named_facets},
    filter::narrowed,
    formatting::{formatted, restrict_formatting},
    pins::slots_of_filter,
    reserved::guarded_search,
    survey::{Groups, MOST_COUNTED, NO_GROUPS, extra_facet, surveyed},
    targets::{Scope, turn},
    visibility::{Displayed, is_within},
};

/// What the nodes are asked for a client's search, and what is made of it.
pub(super) struct AskedSearch {
    query: SearchQuery,
    client_filter: Option<Value>,
    pub(super) spec: SearchSpec,
    /// What nodes are asked besides.
    second: Option<Box<Second>>,
}

/// A second question to every node.
enum Second {
    /// At the same time, about all documents that the search finds, for totals and facets under `distinct`.
    Survey(SearchQuery),
    /// The same afterwards, where the groups of documents turn out to overlap, or the facets of nodes to tell too little.
    LaterSurvey(SearchQuery),
    /// At the same time, about the hits by words of a hybrid search.
    Words(SearchQuery),
}

/// A semantic ratio with which no node is content with the hits by words, and has nearly none before those by vector.
const NEVER_CONTENT: f32 = 0.999;

/// Parameters of a search that a federated one has only for the whole.
pub(super) const PAGING: [&str; 4] = ["offset", "limit", "page", "hitsPerPage"];

/// How many hits nodes are asked for that are not given, to see whether documents are of several groups each.
const SAMPLE: usize = 20;

impl AskedSearch {
    /// For a search in this index.
    pub(super) fn of(index: &IndexRecord, client: &SearchQuery) -> Self {
        let mut asked = Self::with_facets(index, client, &[]);
        let client = &*guarded_search(client);
        let distinct = asked.spec.distinct.as_deref();
        let second = match (Groups::of(client, distinct, &index.settings), distinct) {
            (Groups::Survey, Some(distinct)) => {
                Some(Second::Survey(surveyed(&asked.query, client, Some(distinct))))
            }
            (Groups::Facet, Some(distinct)) => {
                Some(Second::LaterSurvey(surveyed(&asked.query, client, Some(distinct))))
            }
            (_, None) if facets_may_be_in_doubt(client) => {
                Some(Second::LaterSurvey(surveyed(&asked.query, client, None)))
            }
            _ => by_words(&mut asked.query, asked.spec.weighted),
        };
        asked.second = second.map(Box::new);
        asked
    }

    /// For a search in this index under `distinct`, whose hits tell their values of these attributes too, so that they can
    /// be taken off what was counted.
    pub(super) fn with_facets(index: &IndexRecord, client: &SearchQuery, counted: &[String]) -> Self {
        let client = &*guarded_search(client);
        let settings = &index.settings;
        let displayed = Displayed::from_settings(settings);
        let counted = &without_parents(counted, client, &displayed);
        let spec = spec(client, index, &displayed, counted);
        let mut query = client.clone();
        let mut limit = spec.node_limit();
        if client.hybrid.is_some() {
            // Whether the words are enough is a question about the hits that are left out, too.
            limit = limit.max(spec.only_skipped());
        }
        if client.is_paged() {
            if limit == 0 && spec.distinct.is_some() {
                limit = SAMPLE;
            }
            query.page = Some(1);
            query.hits_per_page = Some(limit);
        } else {
            query.offset = 0;
            query.limit = limit;
        }
        query.show_ranking_score_details = true;
        query.show_ranking_score = client.show_ranking_score || spec.semantic_ratio.is_some();
        query.attributes_to_retrieve =
            displayed.allow(client.attributes_to_retrieve.as_ref()).map(|mut names| {
                names.insert(SEQUENCE_FIELD.to_owned());
                names.extend(spec.distinct.iter().cloned());
                names.extend(counted.iter().filter(|_| spec.distinct.is_some()).cloned());
                names
            });
        query.show_performance_details = false;
        query.personalize = None;
        restrict_formatting(&mut query, &displayed);
        query.facets = facets_of(client).map(|facets| named_facets(facets, settings));
        if let Some(extra) = extra_facet(index, client, spec.distinct.as_deref()) {
            query.facets.get_or_insert_default().push(extra);
        }
        Self { query, client_filter: client.filter.clone(), spec, second: None }
    }

    /// What nodes are asked at the same time, and whether it is about hits by words.
    pub(super) fn second(&self) -> Option<(Self, bool)> {
        match self.second.as_deref()? {
            Second::Survey(query) => Some((self.instead(query), false)),
            Second::Words(query) => Some((self.instead(query), true)),
            Second::LaterSurvey(_) => None,
        }
    }

    /// What nodes are asked afterwards, where the answers turn out not to tell all.
    pub(super) fn later_survey(&self) -> Option<Self> {
        match self.second.as_deref()? {
            Second::LaterSurvey(query) => Some(self.instead(query)),
            Second::Survey(_) | Second::Words(_) => None,
        }
    }

    /// Whether only all documents tell the total or the facets, as documents are of several groups each, hits are left out in the
    /// end, or facets are in doubt. Answers that cannot be read are refused later.
    pub(super) fn tells_too_little(&self, answers: &[Bytes]) -> bool {
        matches!(self.second.as_deref(), Some(Second::LaterSurvey(_)))
            && (groups_overlap(answers, &self.spec).unwrap_or_default()
                || page_in_doubt(answers, &self.spec, None).unwrap_or_default()
                || facets_in_doubt(answers, &self.spec, MOST_COUNTED).unwrap_or_default())
    }

    fn instead(&self, query: &SearchQuery) -> Self {
        let (client_filter, spec) = (self.client_filter.clone(), self.spec.clone());
        Self { query: query.clone(), client_filter, spec, second: None }
    }

    /// What nodes are asked for all documents that the search finds, with what `client` counts.
    pub(super) fn survey(&self, client: &SearchQuery) -> Self {
        let client = &*guarded_search(client);
        self.instead(&surveyed(&self.query, client, self.spec.distinct.as_deref()))
    }

    /// The two halves of a hybrid search, where a node may be content with the words: both in a way in which it never is,
    /// and the words.
    pub(super) fn halves(&self) -> Option<[Self; 2]> {
        let mut both = self.query.clone();
        match by_words(&mut both, false)? {
            Second::Words(words) => Some([self.instead(&both), self.instead(&words)]),
            Second::Survey(_) | Second::LaterSurvey(_) => None,
        }
    }

    /// The first hits of the same with every document for itself.
    pub(super) fn ungrouped(&self, limit: usize) -> Self {
        self.instead(&SearchQuery {
            distinct: Some(NO_GROUPS.to_owned()),
            offset: 0,
            limit,
            page: None,
            hits_per_page: None,
            facets: None,
            ..self.query.clone()
        })
    }

    /// The same without what nodes are asked besides.
    pub(super) fn plain(&self) -> Self {
        self.instead(&self.query)
    }

    /// The same by words alone.
    pub(super) fn by_words(&self) -> Self {
        self.instead(&SearchQuery { hybrid: None, vector: None, media: None, ..self.query.clone() })
    }

    /// What the search is about.
    pub(super) fn scope<'a>(&self, index: &'a IndexRecord) -> Scope<'a> {
        let slots = slots_of_filter(self.client_filter.as_ref(), index.primary_key.as_deref());
        let query = &self.query;
        let filter = query.filter.as_ref().map(Value::to_string);
        let turn = turn((&index.uid, &query.q, filter, &query.sort, &query.distinct));
        Scope { indexes: vec![&index.uid], slots, turn }
    }

    /// The body for a node.
    pub(super) fn body(&self, filter: Option<&str>) -> Bytes {
        let bytes = match filter {
            None => serde_json::to_vec(&self.query),
            Some(_) => serde_json::to_vec(&self.query(filter)),
        };
        bytes.expect("a query that was JSON is JSON").into()
    }

    /// The body for a node that is to tell what it weighs each hit with, too.
    pub(super) fn weighted_body(&self, index: &str, filter: Option<&str>) -> Bytes {
        let query = SearchQuery { facets: None, ..self.query(filter) };
        let hits = query.hits_per_page.filter(|_| query.is_paged()).unwrap_or(query.limit);
        let mut query = json!(query);
        if let Some(members) = query.as_object_mut() {
            members.retain(|name, _| !PAGING.contains(&name.as_str()));
            members.insert("indexUid".to_owned(), index.into());
        }
        json!({ "federation": { "limit": hits }, "queries": [query] }).to_string().into()
    }

    /// The query for a node.
    pub(super) fn query(&self, filter: Option<&str>) -> SearchQuery {
        SearchQuery { filter: narrowed(self.client_filter.as_ref(), filter), ..self.query.clone() }
    }
}

/// Whether all documents can tell more of the facets than the nodes' counts do: what is an estimate stays one.
fn facets_may_be_in_doubt(client: &SearchQuery) -> bool {
    let has_words = client.q.as_deref().is_some_and(|words| !words.trim().is_empty());
    facets_of(client).is_some()
        && client.ranking_score_threshold.is_none()
        && (client.hybrid.is_none() || !has_words)
}

fn spec(client: &SearchQuery, index: &IndexRecord, displayed: &Displayed, counted: &[String]) -> SearchSpec {
    let settings = &index.settings;
    let paging = if client.is_paged() {
        Paging::Page { page: client.page.unwrap_or(1), hits_per_page: client.hits_per_page.unwrap_or(20) }
    } else {
        Paging::Window { offset: client.offset, limit: client.limit }
    };
    // By a vector, a node that looks for no hits groups none of those that it counts.
    let counts_alone = client.hybrid.is_some() && client.is_paged() && paging.is_empty();
    let distinct = client.distinct.clone().filter(|_| !counts_alone);
    let of_index = || Some(settings["distinctAttribute"].as_str().filter(|_| !counts_alone)?.to_owned());
    let distinct = distinct.or_else(of_index);
    let strip_facets = extra_facet(index, client, distinct.as_deref());
    let retrieved = displayed.allow(client.attributes_to_retrieve.as_ref());
    let wants = |name: &String| {
        retrieved.as_ref().is_none_or(|names| names.iter().any(|shown| is_within(name, shown)))
    };
    let needed: BTreeSet<&String> = match &distinct {
        Some(distinct) => counted.iter().chain([distinct]).collect(),
        None => BTreeSet::new(),
    };
    let strip: Vec<String> = needed.into_iter().filter(|name| !wants(name)).cloned().collect();
    let retrieved = retrieved.unwrap_or_default();
    let whole = strip.iter().filter_map(|name| whole_member(name, &retrieved));
    let formatted = if strip.is_empty() { BTreeSet::new() } else { formatted(client, displayed) };
    // Nodes tell the query's vector only where they are asked for those of the documents.
    let hidden_vectors = (client.retrieve_vectors && !displayed.shows_vectors(settings)).then(vectors_member);
    let formats = |name: &String| formatted.iter().any(|shown| shown == "*" || is_within(name, shown));
    SearchSpec {
        paging,
        max_total_hits: Some(max_total_hits(settings)),
        show_ranking_score: client.show_ranking_score,
        show_ranking_score_details: client.show_ranking_score_details,
        displayed: displayed.names(),
        strip_formatted: strip.iter().filter(|name| !formats(name)).cloned().collect(),
        strip: whole.chain(strip.iter().cloned()).chain(hidden_vectors).collect(),
        facets: facets_of(client).map(|_| facet_spec(settings)),
        strip_facets: strip_facets.into_iter().collect(),
        distinct,
        distinct_twice: client.distinct.is_some(),
        semantic_ratio: client.hybrid.as_ref().map(|hybrid| hybrid.semantic_ratio.get()),
        weighted: sorts_among_words(client, settings),
        ..SearchSpec::default()
    }
}

/// Whether it takes more than a hit's score to tell how it compares with one of the other half of a hybrid search: a rule that sorts
/// stands among those about words.
fn sorts_among_words(client: &SearchQuery, settings: &Value) -> bool {
    let is_between = |hybrid: &HybridQuery| (0.0..1.0).contains(&hybrid.semantic_ratio.get());
    let rules = settings["rankingRules"].as_array();
    let rules: Vec<&str> = rules.into_iter().flatten().filter_map(Value::as_str).collect();
    let sorts = |rule: &&str| rule.ends_with(":asc") || rule.ends_with(":desc");
    let last = rules.iter().rposition(|rule| !sorts(rule) && *rule != "sort");
    let own = rules.iter().position(sorts);
    client.hybrid.as_ref().is_some_and(is_between)
        && (client.sort.as_ref().is_some_and(|sort| !sort.is_empty()) || own < last && own.is_some())
}

fn vectors_member() -> String {
    "_vectors".to_owned()
}

/// The attributes but those of which the client sees a part only: what it does not see could not be told from what it sees.
fn without_parents(counted: &[String], client: &SearchQuery, displayed: &Displayed) -> Vec<String> {
    let retrieved = displayed.allow(client.attributes_to_retrieve.as_ref()).unwrap_or_default();
    let is_parent = |name: &String| retrieved.iter().any(|shown| shown != name && is_within(shown, name));
    counted.iter().filter(|name| !is_parent(name)).cloned().collect()
}

/// The member that holds a nested attribute, where the client retrieves nothing of it: without the attribute, nodes would
/// send nothing of it, not even empty lists of objects.
pub(super) fn whole_member(name: &str, retrieved: &BTreeSet<String>) -> Option<String> {
    let (member, _) = name.split_once('.')?;
    (!retrieved.iter().any(|other| is_within(other, member))).then(|| member.to_owned())
}

/// Where a node could be content with the hits by words of a hybrid search, or compares the two halves as only hits of all nodes
/// tell, it is asked for the words and for both halves.
fn by_words(query: &mut SearchQuery, weighted: bool) -> Option<Second> {
    let hybrid = query.hybrid.as_mut()?;
    let ratio = hybrid.semantic_ratio.get();
    let has_words = query.q.as_deref().is_some_and(|words| !words.trim().is_empty());
    if ratio == 0.0 || !has_words || (!weighted && !words_may_be_enough(ratio)) {
        return None;
    }
    hybrid.semantic_ratio = SemanticRatio::try_from(NEVER_CONTENT).ok()?;
    Some(Second::Words(SearchQuery { hybrid: None, vector: None, media: None, ..query.clone() }))
}

/// The facets that a client asks for: an empty list asks for none, and the answer says nothing of them.
fn facets_of(client: &SearchQuery) -> Option<&Vec<String>> {
    client.facets.as_ref().filter(|facets| !facets.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(settings: Value, body: Value, counted: &[&str]) -> AskedSearch {
        let index = IndexRecord {
            uid: "films".to_owned(),
            primary_key: None,
            created_at: time::OffsetDateTime::UNIX_EPOCH,
            updated_at: time::OffsetDateTime::UNIX_EPOCH,
            settings,
        };
        let query = SearchQuery::from_json(body.to_string().as_bytes()).expect("good");
        let counted: Vec<String> = counted.iter().map(|name| (*name).to_owned()).collect();
        AskedSearch::with_facets(&index, &query, &counted)
    }

    #[test]
    fn what_is_asked_for_the_merge_alone_is_formatted_only_where_the_client_may_see_it() {
        let formatted = |displayed: Value, highlighted: Value| {
            let settings = json!({ "displayedAttributes": displayed });
            let body = json!({ "distinct": "maker.name", "attributesToHighlight": highlighted,
                "attributesToRetrieve": ["title"] });
            asked(settings, body, &[]).spec.strip_formatted
        };
        let hidden = json!(["title", "maker.city"]);
        assert_eq!(formatted(hidden.clone(), json!(["*"])), ["maker.name"]);
        assert_eq!(formatted(hidden, json!(["maker.name"])), ["maker.name"]);
        assert_eq!(formatted(json!(["*"]), json!(["title"])), ["maker.name"]);
        assert!(formatted(json!(["*"]), json!(["*"])).is_empty());
        assert!(formatted(json!(["*"]), json!(["maker"])).is_empty());
    }

    #[test]
    fn vectors_that_the_client_does_not_see_are_asked_for_and_taken_out() {
        let stripped = |displayed: Value, retrieve: bool| {
            let settings = json!({ "displayedAttributes": displayed });
            let asked = asked(settings, json!({ "retrieveVectors": retrieve }), &[]);
            assert_eq!(asked.query.retrieve_vectors, retrieve);
            asked.spec.strip
        };
        assert_eq!(stripped(json!(["title"]), true), ["_vectors"]);
        assert!(stripped(json!(["title"]), false).is_empty() && stripped(json!(["*"]), true).is_empty());
    }

    #[test]
    fn what_is_counted_leaves_the_parts_that_the_client_sees() {
        let settings = json!({ "displayedAttributes": ["title", "maker.city"] });
        let asked = asked(settings, json!({ "distinct": "title" }), &["maker", "year"]);
        assert_eq!(asked.spec.strip, ["year"]);
        let names = asked.query.attributes_to_retrieve.expect("some");
        assert!(names.contains("maker.city") && names.contains("year") && !names.contains("maker"));
    }
}
