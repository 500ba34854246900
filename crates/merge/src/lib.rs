//! Several nodes' answers to one. Pure, works on the answers' bytes.
//!
//! [`merge_search`] makes one answer to a search out of those of several nodes, [`merge_federated`] one to several
//! searches whose hits are one list, [`merge_similar`] one to a search for similar documents, [`merge_facet_search`] one to
//! a search in the values of a facet, [`merge_documents`] one listing of documents, [`strip_internal`] a single document as
//! a client may see it. What goes to the client is copied from the nodes' answers as it stands there; of each hit only the
//! score details and the place in the order of insertion are read, and no further than the page goes.
//!
//! ```text
//! answers -> scan (where things are) -> record (one hit) -> keys (what it is ordered by) -> kway (who is next)
//!         -> search | federated | documents (what is written), facets
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod documents;
mod envelope;
mod error;
mod facet_search;
mod facets;
mod federated;
mod keys;
mod kway;
mod record;
mod scan;
mod search;
mod similar;
mod whereabouts;

pub use self::{
    documents::{
        DocumentsSpec, LocatedDocuments, SortKey, locate_documents, merge_documents, strip_internal,
    },
    error::MergeError,
    facet_search::{FacetSearchSpec, FacetSurvey, merge_facet_search, merge_surveyed_facet_search},
    facets::{FacetOrder, FacetRanks, FacetSpec, TiedFacet},
    federated::{
        Alone, FederatedQuery, FederatedSpec, MergedFacets, are_many, facets_in_doubt_of, hits_in_doubt,
        is_in_doubt, listed_facets_of, merge_federated, tied_facets_of, words_are_enough,
    },
    search::{
        LocatedHits, Paging, SearchSpec, facet_ranks, facets_in_doubt, groups_overlap, locate_hits,
        merge_hybrid, merge_search, merge_surveyed, merge_ungrouped, page_in_doubt, tied_facets, total_hits,
        words_may_be_enough, words_suffice,
    },
    similar::{SimilarSpec, merge_similar},
    whereabouts::Stretch,
};
