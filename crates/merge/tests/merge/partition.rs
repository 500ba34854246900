//! Whatever way the documents of one node are dealt out to several, merging their answers gives back the one answer.

use bytes::Bytes;
use miroir_merge::{
    DocumentsSpec, FacetSpec, Paging, SearchSpec, SortKey, Stretch, locate_documents, locate_hits,
    merge_documents, merge_search,
};
use proptest::prelude::*;

use crate::model::{self, Document, Search, documents, search};

/// Deals the documents out: each goes to the node that its entry of `owners` says.
fn dealt<'d>(documents: &[&'d Document], owners: &[usize], nodes: usize) -> Vec<Vec<&'d Document>> {
    (0..nodes)
        .map(|node| {
            let owned = documents.iter().filter(|document| owners[document.id as usize] % nodes == node);
            owned.copied().collect()
        })
        .collect()
}

fn spec(search: &Search, paging: Paging) -> SearchSpec {
    SearchSpec {
        paging,
        show_ranking_score_details: search.show_details,
        facets: Some(FacetSpec { max_values: search.max_values, ..FacetSpec::default() }),
        processing_time_ms: 5,
        ..SearchSpec::default()
    }
}

/// What of a node's documents is on a page; empty where nothing is.
fn on_page<'d>(owned: &[&'d Document], stretch: Stretch) -> Vec<&'d Document> {
    owned.iter().skip(stretch.skip).take(stretch.take).copied().collect()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

proptest! {
    #[test]
    fn any_partition_merges_back(
        mut documents in documents(),
        search in search(),
        owners in proptest::collection::vec(any::<usize>(), 80),
        nodes in 1..6usize,
        (offset, limit) in (0..30usize, 0..30usize),
    ) {
        documents.sort_by(|left, right| search.order(left, right));
        let all: Vec<&Document> = documents.iter().collect();
        let spec = spec(&search, Paging::Window { offset, limit });
        let answers: Vec<Bytes> = dealt(&all, &owners, nodes)
            .iter()
            .map(|owned| search.node_answer(owned, spec.node_limit()))
            .collect();
        let merged = merge_search(&answers, &spec).unwrap();
        let page: Vec<&Document> = all.iter().skip(offset).take(limit).copied().collect();
        let paging = format!(r#""limit":{limit},"offset":{offset},"estimatedTotalHits":{}"#, all.len());
        prop_assert_eq!(text(&merged), search.client_answer(&page, &all, &all, &paging));
    }

    #[test]
    fn any_page_of_any_partition_merges_back(
        mut documents in documents(),
        search in search(),
        owners in proptest::collection::vec(any::<usize>(), 80),
        nodes in 1..6usize,
        (page, hits_per_page) in (0..6usize, 0..12usize),
    ) {
        documents.sort_by(|left, right| search.order(left, right));
        let all: Vec<&Document> = documents.iter().collect();
        let spec = spec(&search, Paging::Page { page, hits_per_page });
        let answers: Vec<Bytes> = dealt(&all, &owners, nodes)
            .iter()
            .map(|owned| search.node_answer(owned, spec.node_limit()))
            .collect();
        let merged = merge_search(&answers, &spec).unwrap();
        let (skip, take) = if page == 0 { (0, 0) } else { ((page - 1) * hits_per_page, hits_per_page) };
        let shown: Vec<&Document> = all.iter().skip(skip).take(take).copied().collect();
        let pages = if hits_per_page == 0 { 0 } else { all.len().div_ceil(hits_per_page) };
        let paging = format!(
            r#""hitsPerPage":{hits_per_page},"page":{page},"totalPages":{pages},"totalHits":{}"#,
            all.len()
        );
        prop_assert_eq!(text(&merged), search.client_answer(&shown, &all, &all, &paging));
    }

    #[test]
    fn distinct_is_global(
        mut documents in documents(),
        search in search(),
        owners in proptest::collection::vec(any::<usize>(), 80),
        nodes in 1..6usize,
        (offset, limit) in (0..10usize, 1..30usize),
    ) {
        documents.sort_by(|left, right| search.order(left, right));
        let spec = SearchSpec {
            distinct: Some("group".to_owned()),
            ..spec(&search, Paging::Window { offset, limit })
        };
        let all: Vec<&Document> = documents.iter().collect();
        let kept_by_nodes: Vec<_> =
            dealt(&all, &owners, nodes).iter().map(|owned| model::distinct(owned)).collect();
        let answers: Vec<Bytes> =
            kept_by_nodes.iter().map(|kept| search.node_answer(kept, usize::MAX)).collect();
        let merged = merge_search(&answers, &spec).unwrap();
        let kept = model::distinct(&all);
        let page: Vec<&Document> = kept.iter().skip(offset).take(limit).copied().collect();
        let paging = format!(r#""limit":{limit},"offset":{offset},"estimatedTotalHits":{}"#, kept.len());
        prop_assert_eq!(text(&merged), search.client_answer(&page, &kept, &kept_by_nodes.concat(), &paging));
    }

    #[test]
    fn listings_merge_back(
        mut documents in documents(),
        ascending in any::<bool>(),
        owners in proptest::collection::vec(any::<usize>(), 80),
        nodes in 1..6usize,
        (offset, limit) in (0..30usize, 0..30usize),
    ) {
        documents.sort_by(|left, right| model::order_sorted(left, right, ascending));
        let all: Vec<&Document> = documents.iter().collect();
        let direction = if ascending { "asc" } else { "desc" };
        let spec = DocumentsSpec {
            offset,
            limit,
            sort: vec![SortKey::parse(&format!("sort:{direction}")).unwrap()],
            ..DocumentsSpec::default()
        };
        let answers: Vec<Bytes> = dealt(&all, &owners, nodes)
            .iter()
            .map(|owned| {
                let shown: Vec<_> = owned.iter().take(offset + limit).map(|document| document.stored()).collect();
                model::listing(&shown, 0, offset + limit, owned.len()).into()
            })
            .collect();
        let merged = merge_documents(&answers, &spec).unwrap();
        let page: Vec<_> = all.iter().skip(offset).take(limit).map(|document| document.shown()).collect();
        prop_assert_eq!(text(&merged), model::listing(&page, offset, limit, all.len()));
    }

    #[test]
    fn what_is_located_first_merges_to_the_same_page(
        mut documents in documents(),
        search in search(),
        owners in proptest::collection::vec(any::<usize>(), 80),
        nodes in 1..6usize,
        (offset, limit) in (0..60usize, 0..20usize),
    ) {
        documents.sort_by(|left, right| search.order(left, right));
        let all: Vec<&Document> = documents.iter().collect();
        let spec = spec(&search, Paging::Window { offset, limit });
        let owned = dealt(&all, &owners, nodes);
        let answers: Vec<Bytes> =
            owned.iter().map(|owned| search.node_answer(owned, spec.node_limit())).collect();
        let located = locate_hits(&answers, &spec).unwrap().unwrap();
        let page = |(owned, stretch): (&Vec<&Document>, &Stretch)| match on_page(owned, *stretch) {
            page if page.is_empty() => Bytes::new(),
            page => search.node_answer(&page, usize::MAX),
        };
        let pages: Vec<Bytes> = owned.iter().zip(located.stretches()).map(page).collect();
        let merged = located.merge(&pages, &spec).unwrap().unwrap();
        let whole = merge_search(&answers, &spec).unwrap();
        prop_assert_eq!(text(&merged), text(&whole));
    }

    #[test]
    fn listings_that_are_located_first_merge_to_the_same(
        mut documents in documents(),
        owners in proptest::collection::vec(any::<usize>(), 80),
        nodes in 1..6usize,
        (offset, limit) in (0..60usize, 0..20usize),
    ) {
        documents.sort_by(|left, right| model::order_sorted(left, right, true));
        let all: Vec<&Document> = documents.iter().collect();
        let sort = vec![SortKey::parse("sort:asc").unwrap()];
        let spec = DocumentsSpec { offset, limit, sort, ..DocumentsSpec::default() };
        let owned = dealt(&all, &owners, nodes);
        let listing = |documents: &[&Document], total| {
            let stored: Vec<_> = documents.iter().map(|document| document.stored()).collect();
            Bytes::from(model::listing(&stored, 0, 9, total))
        };
        let answers: Vec<Bytes> = owned.iter().map(|owned| listing(owned, owned.len())).collect();
        let located = locate_documents(&answers, &spec).unwrap().unwrap();
        let page = |(owned, stretch): (&Vec<&Document>, &Stretch)| match on_page(owned, *stretch) {
            page if page.is_empty() => Bytes::new(),
            page => listing(&page, owned.len()),
        };
        let pages: Vec<Bytes> = owned.iter().zip(located.stretches()).map(page).collect();
        let merged = located.merge(&pages, &spec).unwrap().unwrap();
        let whole = merge_documents(&answers, &spec).unwrap();
        prop_assert_eq!(text(&merged), text(&whole));
    }
}
