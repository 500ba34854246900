//! How long one merge takes, how many bytes a second that is, and how often it allocates.
//!
//! `cargo bench -p miroir-merge`. The nodes' answers are made here: 20 hits of a film catalogue, 15 KB an answer, with
//! the score details that the merge works on.

use std::{fmt::Write as _, hint::black_box, sync::LazyLock, time::Instant};

use bytes::Bytes;
use miroir_merge::{DocumentsSpec, FacetSpec, MergeError, Paging, SearchSpec, merge_documents, merge_search};

const NODES: u64 = 3;
const HITS: u64 = 20;
const ROUNDS: usize = 200;
const MERGES: u32 = 50;

fn main() {
    let plain = answers(Kind::Plain);
    let spec =
        SearchSpec { max_total_hits: Some(1000), request_uid: Some("0".repeat(36)), ..SearchSpec::default() };
    run("search", &plain, |answers| merge_search(answers, &spec));

    let ties = answers(Kind::Ties);
    run("search, all hits tie", &ties, |answers| merge_search(answers, &spec));

    let one = SearchSpec { paging: Paging::Window { offset: 0, limit: 1 }, ..spec.clone() };
    run("search, page of 1 hit", &plain, |answers| merge_search(answers, &one));

    let shown = SearchSpec { show_ranking_score: true, show_ranking_score_details: true, ..spec.clone() };
    run("search, details shown", &plain, |answers| merge_search(answers, &shown));

    let formatted = answers(Kind::Formatted);
    run("search, highlighted", &formatted, |answers| merge_search(answers, &spec));

    let distinct = SearchSpec { distinct: Some("director".to_owned()), ..spec.clone() };
    run("search, distinct", &plain, |answers| merge_search(answers, &distinct));

    let faceted = answers(Kind::Facets);
    let facets = FacetSpec { max_values: 100, ..FacetSpec::default() };
    let facets = SearchSpec { facets: Some(facets), ..spec.clone() };
    run("search, 3 facets of 200 values", &faceted, |answers| merge_search(answers, &facets));

    let listings = listings(&plain);
    let spec = DocumentsSpec { limit: 20, ..DocumentsSpec::default() };
    run("documents", &listings, |answers| merge_documents(answers, &spec));
}

/// The time that this thread has spent on a processor, so that other programs count as little as possible; the time of
/// the clock where the system does not tell.
fn cpu_nanos() -> u128 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    // The kernel brings the figure up to date when a thread gives way.
    std::thread::yield_now();
    let spent = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let spent = spent.and_then(|text| text.split(' ').next()?.parse().ok());
    spent.unwrap_or_else(|| START.elapsed().as_nanos())
}

/// Prints the quickest and the median round: other programs only ever make a round slower.
fn run(name: &str, answers: &[Bytes], merge: impl Fn(&[Bytes]) -> Result<Vec<u8>, MergeError>) {
    // An argument chooses by name.
    if std::env::args().skip(1).any(|argument| !argument.starts_with('-') && !name.contains(&argument)) {
        return;
    }
    let merged = match merge(answers) {
        Ok(merged) => merged.len(),
        Err(error) => return println!("{name}: {error}"),
    };
    let mut nanos: Vec<u128> = (0..ROUNDS)
        .map(|_| {
            let start = cpu_nanos();
            for _ in 0..MERGES {
                let _ = black_box(merge(black_box(answers)));
            }
            (cpu_nanos() - start) / u128::from(MERGES)
        })
        .collect();
    nanos.sort_unstable();
    let (least, median) = (nanos.first().copied().unwrap_or(1), nanos.get(ROUNDS / 2).copied().unwrap_or(1));
    let bytes: usize = answers.iter().map(Bytes::len).sum();
    let allocations = allocation_counter::measure(|| drop(black_box(merge(answers))));
    println!(
        "{name:32} {:>6.1} us ({:>6.1} median) {:>5} MB/s  {:>2} allocations, {:>6} bytes  in {bytes:>6} out {merged:>6}",
        least as f64 / 1000.0,
        median as f64 / 1000.0,
        bytes as u128 * 1000 / least.max(1),
        allocations.count_total,
        allocations.bytes_total,
    );
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Plain,
    Ties,
    Formatted,
    Facets,
}

fn answers(kind: Kind) -> Vec<Bytes> {
    (0..NODES).map(|node| answer(node, kind)).collect()
}

fn answer(node: u64, kind: Kind) -> Bytes {
    let hits: Vec<String> = (0..HITS).map(|place| hit(place * NODES + node, place, kind)).collect();
    let mut text = format!(
        r#"{{"hits":[{}],"query":"star","processingTimeMs":2,"limit":20,"offset":0,"estimatedTotalHits":412"#,
        hits.join(",")
    );
    if kind == Kind::Facets {
        let values = |name: &str| {
            let values: Vec<String> =
                (0..200).map(|value| format!(r#""{name} value {value:03}":{}"#, value + node)).collect();
            format!(r#""{name}":{{{}}}"#, values.join(","))
        };
        let _ = write!(
            text,
            r#","facetDistribution":{{{},{},{}}},"facetStats":{{}}"#,
            values("director"),
            values("genre"),
            values("source")
        );
    }
    text.push_str(r#","requestUid":"019a0000-0000-7000-8000-000000000000"}"#);
    text.into()
}

fn hit(id: u64, place: u64, kind: Kind) -> String {
    let score = |step: u64| if kind == Kind::Ties { 1.0 } else { 1.0 - step as f64 / 66.0 };
    let document = document(id);
    let formatted = if kind == Kind::Formatted {
        format!(r#","_formatted":{{{}}}"#, document.replace("Star", "<em>Star</em>"))
    } else {
        String::new()
    };
    format!(
        r#"{{{document}{formatted},"_rankingScoreDetails":{{"words":{{"order":0,"matchingWords":1,"maxMatchingWords":1,"score":1.0}},"typo":{{"order":1,"typoCount":0,"maxTypoCount":1,"score":1.0}},"proximity":{{"order":2,"score":1.0}},"attribute":{{"order":3,"attributeRankingOrderScore":{},"queryWordDistanceScore":{},"score":{}}},"exactness":{{"order":4,"matchType":"noExactMatch","score":0.3333333333333333}}}}}}"#,
        score(place / 7),
        score(place / 3),
        score(place / 2),
    )
}

fn document(id: u64) -> String {
    let sequence: String =
        (0..32).map(|digit| b"!,:;"[(id >> (62 - 2 * digit) & 3) as usize] as char).collect();
    format!(
        r#""id":{id},"title":"Star Number {id}","distributor":"Paramount Pictures","mpaa_rating":"PG-13","release_date":"1998-06-12","year":1998,"us_gross":{},"imdb_rating":6.1,"genre":"Adventure","director":"Director {}","overview":"A long way from home, the crew of a \"small\" ship finds what it was not looking for.","_miroir":{{"n":"{sequence}"}}"#,
        id * 7919,
        id % 11,
    )
}

fn listings(searches: &[Bytes]) -> Vec<Bytes> {
    (0..searches.len() as u64)
        .map(|node| {
            let documents: Vec<String> =
                (0..HITS).map(|place| format!("{{{}}}", document(place * NODES + node))).collect();
            Bytes::from(format!(
                r#"{{"results":[{}],"offset":0,"limit":20,"total":99}}"#,
                documents.join(",")
            ))
        })
        .collect()
}
