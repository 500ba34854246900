//! Deep pages: where their items are, then the items. What comes of it is what the usual way makes of the same answers.
#![no_main]

use std::collections::BTreeMap;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use miroir_merge::{
    DocumentsSpec, Paging, SearchSpec, SortKey, Stretch, locate_documents, locate_hits, merge_documents, merge_search,
};
use miroir_merge_fuzz::{answers, check};
use serde_json::value::RawValue;

fuzz_target!(|input: (u8, u8, bool, &[u8])| {
    let (offset, limit, sorted, text) = input;
    let (offset, limit) = (usize::from(offset), usize::from(limit));
    let answers = answers(text);
    let (first, second) = answers.split_at(answers.len() / 2);
    let sort = ["a.b:asc", "_geoPoint(48.8, 2.3):desc"].into_iter().filter_map(SortKey::parse);
    let spec = DocumentsSpec {
        offset,
        limit,
        sort: sort.filter(|_| sorted).collect(),
        strip: vec!["a.b".to_owned()],
    };
    if let Ok(Some(located)) = locate_documents(first, &spec) {
        assert_stretches(located.stretches(), first, limit);
        let _ = located.merge(second, &spec);
        if let Some(pages) = pages(first, located.stretches(), "results") {
            assert_eq!(located.merge(&pages, &spec), merge_documents(first, &spec).map(Some));
        }
    }
    let spec = SearchSpec { paging: Paging::Window { offset, limit }, ..SearchSpec::default() };
    if let Ok(Some(located)) = locate_hits(first, &spec) {
        assert_stretches(located.stretches(), first, limit);
        if let Ok(Some(merged)) = located.merge(second, &spec) {
            check(&answers, Ok(merged));
        }
        // Of searches by vectors, which are not looked for in this way, hits are counted too.
        let is_plain = first.iter().all(|answer| !contains(answer, b"semantic"));
        if let Some(pages) = pages(first, located.stretches(), "hits").filter(|_| is_plain) {
            assert_eq!(located.merge(&pages, &spec), merge_search(first, &spec).map(Some));
        }
    }
});

fn assert_stretches(stretches: &[Stretch], answers: &[Bytes], limit: usize) {
    assert_eq!(stretches.len(), answers.len());
    assert!(stretches.iter().map(|stretch| stretch.take).sum::<usize>() <= limit);
}

/// The items of the stretches as nodes would answer them; `None` where an answer is no JSON, or says something twice.
fn pages(answers: &[Bytes], stretches: &[Stretch], name: &str) -> Option<Vec<Bytes>> {
    let page = |(answer, stretch): (&Bytes, &Stretch)| {
        if contains(answer, b"\\") {
            return None;
        }
        let text = std::str::from_utf8(answer).ok()?;
        if text.matches(&format!("\"{name}\"")).count() != 1 {
            return None;
        }
        let members: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
        let items: Vec<&RawValue> = serde_json::from_str(members.get(name)?.get()).ok()?;
        let items = items.into_iter().skip(stretch.skip).take(stretch.take).map(RawValue::get);
        let items = items.collect::<Vec<_>>().join(",");
        Some(Bytes::from(format!("{{\"{name}\":[{items}],\"total\":0,\"estimatedTotalHits\":0}}")))
    };
    answers.iter().zip(stretches).map(page).collect()
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
