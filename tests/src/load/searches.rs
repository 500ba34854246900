//! Searches whose answers are known.

use serde_json::{Value, json};

use super::{
    INDEX, Load,
    ledger::{SHELVES, added_id, changing_id, fixed_id, is_deletion},
};
use crate::client::Unreachable;

/// What is wrong with an answer.
#[derive(Debug)]
pub(super) enum Wrong {
    /// There is none, or it is an error.
    Failed(String),
    /// It is not what it should be.
    Answer(String),
}

/// Hits of a page.
const PAGE: usize = 20;

type Checked = Result<(), Wrong>;

/// The search that has this number, of one kind after another.
pub(super) async fn search(load: &Load, number: u64) -> Checked {
    let turn = (number / 8) as usize;
    match number % 8 {
        0 | 1 => shelf(load, turn).await,
        2 | 3 => words(load, turn % SHELVES.len()).await,
        4 => facets(load).await,
        5 => count_added(load).await,
        6 => newest(load).await,
        _ => changing(load, turn % load.ledger.items()).await,
    }
}

/// A page of a shelf, in order, and how many documents stand on it: one page after another, so that all are seen.
async fn shelf(load: &Load, turn: usize) -> Checked {
    let (shelf, page) = (turn % SHELVES.len(), turn / SHELVES.len());
    let documents = load.ledger.on_shelf(shelf).count();
    let page = page % documents.div_ceil(PAGE).max(1);
    let query = json!({
        "filter": format!("kind = fixed AND shelf = {}", SHELVES[shelf]), "sort": ["rank:asc"],
        "page": page + 1, "hitsPerPage": PAGE, "attributesToRetrieve": ["id"],
    });
    let answer = ask(load, &query).await?;
    same("documents of a shelf", &answer["totalHits"], &documents.into())?;
    let expected: Vec<Value> = (load.ledger.on_shelf(shelf).skip(page * PAGE).take(PAGE))
        .map(|number| json!({ "id": fixed_id(number) }))
        .collect();
    same("a shelf", &answer["hits"], &expected.into())
}

/// How many documents have a word, and that those of a page do.
async fn words(load: &Load, shelf: usize) -> Checked {
    let query = json!({ "q": SHELVES[shelf], "hitsPerPage": 5 });
    let answer = ask(load, &query).await?;
    same("documents with a word", &answer["totalHits"], &load.ledger.on_shelf(shelf).count().into())?;
    let hits = answer["hits"].as_array().map_or(&[][..], Vec::as_slice);
    match hits.iter().find(|hit| hit["shelf"] != SHELVES[shelf]) {
        Some(hit) => Err(Wrong::Answer(format!("{hit} is no hit"))),
        None => {
            same("hits of a page", &hits.len().into(), &load.ledger.on_shelf(shelf).count().min(5).into())
        }
    }
}

async fn facets(load: &Load) -> Checked {
    let query = json!({ "filter": "kind = fixed", "facets": ["shelf"], "limit": 1 });
    let counts = SHELVES.iter().enumerate();
    let expected: serde_json::Map<String, Value> = counts
        .map(|(shelf, name)| ((*name).to_owned(), json!(load.ledger.on_shelf(shelf).count())))
        .collect();
    same("facets", &ask(load, &query).await?["facetDistribution"]["shelf"], &expected.into())
}

async fn count_added(load: &Load) -> Checked {
    let (least, _) = load.ledger.added();
    let query = json!({ "filter": "kind = added", "hitsPerPage": 1 });
    let total = ask(load, &query).await?["totalHits"].as_u64().unwrap_or(u64::MAX);
    let (_, most) = load.ledger.added();
    if (least..=most).contains(&total) {
        return Ok(());
    }
    Err(Wrong::Answer(format!("{total} added documents are found, not {least} to {most}")))
}

/// Where all that was sent has succeeded, the newest of it is found.
async fn newest(load: &Load) -> Checked {
    let (done, sent) = load.ledger.added();
    // Requests overtake each other: one of the last may not have succeeded before others have.
    let Some(number) = sent.checked_sub(1).filter(|_| done == sent) else { return Ok(()) };
    let query = json!({ "filter": format!("id = {}", added_id(number)), "attributesToRetrieve": ["id"] });
    same("the newest document", &ask(load, &query).await?["hits"], &json!([{ "id": added_id(number) }]))
}

/// A changing document is in one of the versions that it may be in.
async fn changing(load: &Load, item: usize) -> Checked {
    let (least, _) = load.ledger.version(item);
    let query = json!({ "filter": format!("id = {}", changing_id(item)) });
    let hits = ask(load, &query).await?["hits"].as_array().cloned().unwrap_or_default();
    let (_, most) = load.ledger.version(item);
    let fits = match &hits[..] {
        [] => (least..=most).any(is_deletion),
        [hit] => hit["version"].as_u64().is_some_and(|version| (least..=most).contains(&version)),
        _ => false,
    };
    if fits {
        return Ok(());
    }
    Err(Wrong::Answer(format!("version {least} to {most} of a document is found as {hits:?}")))
}

async fn ask(load: &Load, query: &Value) -> Result<Value, Wrong> {
    let request = load.client.post(format!("/indexes/{INDEX}/search")).json(query);
    match load.send(request).await {
        Ok(answer) if answer.status == 200 && answer.header("miroir-missing-shards").is_empty() => {
            Ok(answer.body)
        }
        Ok(answer) => Err(Wrong::Failed(format!("{}: {}", answer.status, answer.text))),
        Err(Unreachable(error)) => Err(Wrong::Failed(error)),
    }
}

fn same(what: &str, got: &Value, expected: &Value) -> Checked {
    if got == expected {
        return Ok(());
    }
    Err(Wrong::Answer(format!("{what}: {} instead of {}", short(got), short(expected))))
}

/// As much of a value as tells what it is.
fn short(value: &Value) -> String {
    let count = value.as_array().map(|list| format!("{} of ", list.len())).unwrap_or_default();
    format!("{count}{}", value.to_string().chars().take(300).collect::<String>())
}
