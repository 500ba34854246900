//! What the client asked for, as far as the merge has to know it.

use crate::facets::{FacetRanks, FacetSpec};

/// What a merged search answer is made of and looks like.
///
/// How the nodes have to be asked for it:
/// * the client's query, with its filter and so on;
/// * [`Paging::Window`]: `offset: 0` and `limit: offset + limit`, within `maxTotalHits`; [`Paging::Page`]: `page: 1` and
///   `hitsPerPage: page * hitsPerPage`, so that their totals are exhaustive, and a few more.
///   [`SearchSpec::node_limit`] computes both;
/// * `showRankingScoreDetails: true`, and `showRankingScore: true` if the client or `semantic_ratio` asks for it;
/// * `attributesToRetrieve` with `_miroir.n` added, and with the `distinct` attribute if there is one, then also with
///   the facets' attributes (what the client does not want of these goes to `strip` and `strip_formatted`);
/// * facets as the client wants them, with a `maxValuesPerFacet` on the node so wide that nothing is cut there.
///
/// With `distinct` and [`Paging::Page`], the nodes are asked for the facet of the distinct attribute too, so that groups on
/// several nodes are counted once; facets that the client does not want go to `strip_facets`. With facets, the nodes are
/// asked once more for all documents that the search finds, without `distinct`: see
/// [`merge_surveyed`](crate::merge_surveyed).
///
/// The nodes' physical settings display everything: `displayed` hides it again.
#[derive(Debug, Clone, Default)]
pub struct SearchSpec {
    /// Which part of the hits.
    pub paging: Paging,
    /// The logical `pagination.maxTotalHits`: no hit beyond it is given. `None` for no limit.
    pub max_total_hits: Option<usize>,
    /// Whether the nodes search as versions before 1.50 do, or as the feature `legacySearch` has it: the totals and the
    /// offset that are told are within `max_total_hits`, and hits before a page are not looked at one by one.
    pub legacy_search: bool,
    /// Whether hits keep `_rankingScore`.
    pub show_ranking_score: bool,
    /// Whether hits keep `_rankingScoreDetails`.
    pub show_ranking_score_details: bool,
    /// The logical `displayedAttributes`; `None` for all. Values of other attributes are hidden in
    /// `_rankingScoreDetails`, `_formatted` and `_matchesPosition`; the document's own members are what
    /// `attributesToRetrieve` made the node send.
    pub displayed: Option<Vec<String>>,
    /// Dotted paths that the nodes were asked for beyond what the client wants: taken out of hits.
    pub strip: Vec<String>,
    /// The same for `_formatted`. Not all of `strip`: where the client highlights or crops an attribute (or `*`), it
    /// stands there although the client does not retrieve it.
    pub strip_formatted: Vec<String>,
    /// The facets to answer with; `None` if the client asked for none.
    pub facets: Option<FacetSpec>,
    /// All values of the facets whose lists [hold equal counts](crate::tied_facets), where they are known.
    pub facet_ranks: Option<FacetRanks>,
    /// Facets that the nodes were asked for beyond what the client wants.
    pub strip_facets: Vec<String>,
    /// Keep only the best hit of each value of this attribute.
    pub distinct: Option<String>,
    /// Whether hits that `distinct` keeps are compared once more, by their values as they stand in the hits: then empty strings
    /// are equal, and a page has fewer hits. Of the parameter, in searches that are not [legacy](Self::legacy_search).
    pub distinct_twice: bool,
    /// The semantic ratio of a hybrid search.
    pub semantic_ratio: Option<f32>,
    /// Whether the answers by words of a [hybrid search](crate::merge_hybrid) tell what nodes weighed each hit with, as a federated
    /// search does.
    pub weighted: bool,
    /// Whether the answers may hold pinned documents. They are then found and placed before any other hit, for which
    /// all hits of all answers have to be read.
    pub pinned: bool,
    /// `processingTimeMs`.
    pub processing_time_ms: u64,
    /// `requestUid`; left out if `None`.
    pub request_uid: Option<String>,
    /// Members that follow `requestUid`, such as `metadata`: names and JSON texts.
    pub extra: Vec<(String, String)>,
}

/// Which part of the hits, in the client's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paging {
    /// `offset` and `limit`, answered with `estimatedTotalHits`.
    Window {
        /// How many hits to leave out.
        offset: usize,
        /// How many hits to give.
        limit: usize,
    },
    /// `page` and `hitsPerPage`, answered with `totalHits` and `totalPages`.
    Page {
        /// Which page, from 1; page 0 has no hits.
        page: usize,
        /// How many hits a page has.
        hits_per_page: usize,
    },
}

/// The hits to give: those from `skip` on, at most `take`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) skip: usize,
    pub(crate) take: usize,
}

impl SearchSpec {
    /// How many hits each node has to be asked for: `limit` (with `offset` 0) or `hitsPerPage` (with `page` 1). Those of
    /// the page and of the pages before it.
    pub fn node_limit(&self) -> usize {
        let Window { skip, take } = self.window();
        if take == 0 { 0 } else { skip.saturating_add(take) }
    }

    /// How many hits are left out, where only such are.
    pub fn only_skipped(&self) -> usize {
        let Window { skip, take } = self.window();
        if take == 0 { skip } else { 0 }
    }

    /// How many hits come before the first one that is given; `None` where none is given.
    pub fn first_hit(&self) -> Option<usize> {
        let Window { skip, take } = self.window();
        (take > 0).then_some(skip)
    }

    /// How many hits are looked for, within `max_total_hits`.
    pub(crate) fn looked_for(&self) -> usize {
        let Window { skip, take } = self.paging.window();
        skip.saturating_add(take).min(self.max_total_hits.unwrap_or(usize::MAX))
    }

    /// Which hits are given, within `max_total_hits`.
    pub(crate) fn window(&self) -> Window {
        let Window { skip, take } = self.paging.window();
        let most = self.max_total_hits.unwrap_or(usize::MAX);
        let skip = skip.min(most);
        Window { skip, take: take.min(most - skip) }
    }
}

impl Paging {
    /// Whether no hits are given, however many there are.
    pub fn is_empty(self) -> bool {
        self.window().take == 0
    }

    /// Which hits are given, as long as there are some.
    pub(crate) fn window(self) -> Window {
        match self {
            Self::Window { offset, limit } => Window { skip: offset, take: limit },
            Self::Page { page: 0, .. } => Window { skip: 0, take: 0 },
            Self::Page { page, hits_per_page } => {
                Window { skip: hits_per_page.saturating_mul(page - 1), take: hits_per_page }
            }
        }
    }
}

impl Default for Paging {
    fn default() -> Self {
        Self::Window { offset: 0, limit: 20 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(paging: Paging, max_total_hits: Option<usize>) -> SearchSpec {
        SearchSpec { paging, max_total_hits, ..SearchSpec::default() }
    }

    #[test]
    fn windows_end_at_the_total() {
        let window = |offset, limit| spec(Paging::Window { offset, limit }, Some(100)).window();
        assert_eq!(window(0, 20), Window { skip: 0, take: 20 });
        assert_eq!(window(90, 20), Window { skip: 90, take: 10 });
        assert_eq!(window(usize::MAX, usize::MAX), Window { skip: 100, take: 0 });
    }

    #[test]
    fn nodes_are_asked_for_all_pages_up_to_this_one() {
        let limit = |page, hits_per_page| spec(Paging::Page { page, hits_per_page }, Some(1000)).node_limit();
        assert_eq!((limit(1, 20), limit(3, 20), limit(0, 20), limit(5, 0)), (20, 60, 0, 0));
        assert_eq!(limit(usize::MAX, usize::MAX), 0);
        let skipped = |offset, limit| spec(Paging::Window { offset, limit }, Some(1000)).only_skipped();
        assert_eq!((skipped(33, 0), skipped(33, 1), skipped(2000, 5)), (33, 0, 1000));
        assert_eq!(spec(Paging::Window { offset: 3, limit: 2 }, None).node_limit(), 5);
    }
}
