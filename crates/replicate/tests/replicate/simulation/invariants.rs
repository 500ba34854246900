//! What must hold whatever happens.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
    sync::OnceLock,
};

use miroir_shard::{OwnerState, ShardId, ShardMap, Slot, SlotSet};
use serde_json::{Map, Value, json};

use super::{
    history::{History, IDS, INDEXES, Indexes},
    reader::Given,
};
use crate::fake::{FakeNode, Index};

/// What was violated, in words.
pub(crate) type Violation = String;

type Document = Map<String, Value>;

/// The owners of every shard of every group that are read, by name.
pub(crate) type Owners = BTreeMap<(String, ShardId), BTreeSet<String>>;

/// Of every shard each group has as many copies to read as it should at the most, and a node is in one state with it.
pub(crate) fn one_state_for_each_copy(map: &ShardMap) -> Result<(), Violation> {
    for group in map.groups() {
        for shard in map.shards() {
            let owners = group.owners(shard);
            let nodes: BTreeSet<u16> = owners.iter().map(|owner| owner.node.0).collect();
            let read = owners.iter().filter(|owner| owner.state == OwnerState::Readable).count();
            if nodes.len() < owners.len() || read > usize::from(group.replicas) {
                return Err(format!("group {} has owners {owners:?} of {shard:?}", group.name));
            }
        }
    }
    Ok(())
}

/// The copies that are read.
pub(crate) fn readable(map: &ShardMap) -> Owners {
    let mut all = Owners::new();
    for group in map.groups() {
        for shard in map.shards() {
            let read = group.owners(shard).iter().filter(|owner| owner.state == OwnerState::Readable);
            let names = read.filter_map(|owner| Some(map.node(owner.node)?.name.clone())).collect();
            all.insert((group.name.clone(), shard), names);
        }
    }
    all
}

/// What a node holds to be read is what one position of the log has made of it: nothing is lost, nothing is out of order.
pub(crate) fn holds_one_position(
    node: &FakeNode,
    map: &ShardMap,
    history: &History,
    positions: RangeInclusive<u32>,
) -> Result<(), Violation> {
    let Some(id) = map.node_id(&node.name) else { return Ok(()) };
    let read: BTreeSet<ShardId> =
        map.shards_of(id).filter(|(_, state)| state.is_read()).map(|(shard, _)| shard).collect();
    let wanted = |id: &str| read.contains(&map.shard_of(slot(id)));
    let is_at = |position| {
        node.with_state(|state| {
            INDEXES.iter().all(|uid| {
                let stored = documents(state.indexes.get(*uid)).filter(|(id, _)| wanted(id));
                expected(history.at(position), uid, &wanted)
                    .eq_by_id(stored.map(|(id, document)| (id.as_str(), document)), 1)
            })
        })
    };
    if positions.clone().any(is_at) {
        return Ok(());
    }
    let (first, last) = (*positions.start(), *positions.end());
    let differences: Vec<String> = INDEXES
        .iter()
        .map(|uid| {
            let found = node.index(uid).unwrap_or_default();
            let stored = found.documents.iter().filter(|(id, _)| wanted(id));
            let stored = stored.map(|(id, document)| (id.as_str(), document)).collect();
            format!("of {uid} {}", differences(&stored, expected(history.at(first), uid, &wanted)))
        })
        .collect();
    Err(format!(
        "{} is at no position of {first}..={last}: {}\n{}",
        node.name,
        differences.join("; "),
        told(history, first, last)
    ))
}

/// What a node gave to a search is what one position of the log has made of the shards it was asked for, and nothing else.
pub(crate) fn gives_one_position(
    given: &Given,
    map: &ShardMap,
    history: &History,
    index: &str,
    positions: RangeInclusive<u32>,
) -> Result<(), Violation> {
    let wanted = |id: &str| given.shards.contains(&map.shard_of(slot(id)));
    let documents = given.by_id().ok_or_else(|| format!("{} gave a document twice", given.node))?;
    let is_at = |position| {
        expected(history.at(position), index, &wanted)
            .eq_by_id(documents.iter().map(|(id, document)| (*id, *document)), 0)
    };
    let (first, last) = (*positions.start(), *positions.end());
    if first > last || positions.clone().any(is_at) {
        return Ok(());
    }
    Err(format!(
        "a search of {index} was given by {} what is of no position of {first}..={last}: {}\n{}",
        given.node,
        differences(&documents, expected(history.at(first), index, &wanted)),
        told(history, first, last)
    ))
}

/// No document is in two answers of one search.
pub(crate) fn nothing_twice(given: &[Given]) -> Result<(), Violation> {
    let mut seen = BTreeSet::new();
    for (id, _) in given.iter().flat_map(|given| &given.documents) {
        if !seen.insert(id) {
            let asked = given.iter().map(|given| format!("{} for {:?}", given.node, given.shards));
            let asked: Vec<_> = asked.collect();
            return Err(format!("a search found document {id} twice: {asked:?}"));
        }
    }
    Ok(())
}

/// At rest a node holds what it owns and nothing else, with the settings that were set.
pub(crate) fn holds_just_its_own(
    node: &FakeNode,
    map: &ShardMap,
    history: &History,
) -> Result<(), Violation> {
    let owned: SlotSet = map.node_id(&node.name).map(|id| map.written_slots(id)).unwrap_or_default();
    let last = history.at(history.len());
    let uids: Vec<String> = last.keys().cloned().collect();
    if node.indexes() != uids {
        return Err(format!("{} has indexes {:?}, not {uids:?}", node.name, node.indexes()));
    }
    for (uid, index) in last {
        let found = node.index(uid).unwrap_or_default();
        let wanted = |id: &str| owned.contains(slot(id));
        let stored: BTreeMap<_, _> =
            found.documents.iter().map(|(id, document)| (id.as_str(), document)).collect();
        if !expected(last, uid, &wanted).eq_by_id(stored.clone().into_iter(), 1) {
            let differences = differences(&stored, expected(last, uid, &wanted));
            return Err(format!("{} holds of {uid} {differences}", node.name));
        }
        let settings = |name: &str| found.settings.get(name);
        if settings("stopWords") != index.settings.get("stopWords")
            || settings("filterableAttributes") != Some(&json!(["_miroir.s"]))
        {
            return Err(format!("{} has other settings of {uid}: {:?}", node.name, found.settings));
        }
    }
    Ok(())
}

/// A change has moved no more than it had to: what those who leave had, or what those who join get, which is no more than
/// their share.
pub(crate) fn moved_least(before: &ShardMap, after: &ShardMap) -> Result<(), Violation> {
    let holds = |map: &ShardMap, name: &str| map.node_id(name).map_or(0, |id| map.shards_of(id).count());
    let takes =
        |map: &ShardMap, name: &str| map.nodes().iter().any(|node| node.name == name && node.weight > 0);
    let old = readable(before);
    let (mut gained, mut gained_by_new) = (0, 0);
    for (copy, nodes) in readable(after) {
        for node in nodes.iter().filter(|node| !old.get(&copy).is_some_and(|nodes| nodes.contains(*node))) {
            gained += 1;
            gained_by_new += usize::from(!takes(before, node));
        }
    }
    let leaving = before.nodes().iter().filter(|node| !takes(after, &node.name));
    let left: usize = leaving.map(|node| holds(before, &node.name)).sum();
    if gained > left.max(gained_by_new) {
        return Err(format!("{gained} copies moved, {left} had to go and {gained_by_new} came to new nodes"));
    }
    for node in after.nodes().iter().filter(|node| left == 0 && !takes(before, &node.name)) {
        let group = &after.groups()[usize::from(node.group)];
        let members = after.nodes().iter().filter(|other| other.group == node.group && other.weight > 0);
        let copies = after.shards().count() * usize::from(group.replicas);
        let share = copies.div_ceil(members.count().max(1));
        if holds(after, &node.name) > share {
            return Err(format!(
                "{} has {} shards, its share is {share}",
                node.name,
                holds(after, &node.name)
            ));
        }
    }
    Ok(())
}

/// The documents of an index that are wanted, in the order of their ids.
fn expected<'a>(
    indexes: &'a Indexes,
    uid: &str,
    wanted: &'a dyn Fn(&str) -> bool,
) -> Expected<impl Iterator<Item = (&'a str, &'a Document)>> {
    let all = documents(indexes.get(uid).map(|index| &**index));
    Expected(all.filter(|(id, _)| wanted(id)).map(|(id, document)| (id.as_str(), document)))
}

struct Expected<I>(I);

impl<'a, I: Iterator<Item = (&'a str, &'a Document)>> Expected<I> {
    /// Whether these are the same, each with so many members more, which are internal.
    fn eq_by_id<'b>(
        mut self,
        mut stored: impl Iterator<Item = (&'b str, &'b Document)>,
        internal: usize,
    ) -> bool {
        loop {
            match (self.0.next(), stored.next()) {
                (None, None) => return true,
                (Some((id, document)), Some((other, stored))) if id == other => {
                    let same = |(name, value)| stored.get(name) == Some(value);
                    if stored.len() != document.len() + internal || !document.iter().all(same) {
                        return false;
                    }
                }
                _ => return false,
            }
        }
    }
}

/// What is held and should not be, and the other way round.
fn differences<'a>(
    held: &BTreeMap<&str, &Document>,
    should: Expected<impl Iterator<Item = (&'a str, &'a Document)>>,
) -> String {
    let should: BTreeMap<&str, &Document> = should.0.collect();
    let ids: BTreeSet<&&str> = held.keys().chain(should.keys()).collect();
    let text =
        |document: Option<&&Document>| document.map_or("nothing".to_owned(), |document| shown(document));
    let pairs = ids.into_iter().map(|id| (text(held.get(*id)), text(should.get(*id))));
    let different = pairs.filter(|(held, should)| held != should);
    different.map(|(held, should)| format!("{held} instead of {should}")).collect::<Vec<_>>().join(", ")
}

fn documents(index: Option<&Index>) -> impl Iterator<Item = (&String, &Document)> {
    index.into_iter().flat_map(|index| &index.documents)
}

/// A document without its internal member, which differs from run to run.
fn shown(document: &Document) -> String {
    let mut document = document.clone();
    document.remove("_miroir");
    document.sort_keys();
    Value::Object(document).to_string()
}

fn told(history: &History, first: u32, last: u32) -> String {
    let writes = (first.saturating_sub(2)..last).map(|uid| format!("  {uid}: {}", history.describe(uid)));
    writes.collect::<Vec<_>>().join("\n")
}

/// The slot of an id, which is a number below [`IDS`].
fn slot(id: &str) -> Slot {
    static SLOTS: OnceLock<Vec<Slot>> = OnceLock::new();
    let slots = SLOTS.get_or_init(|| (0..IDS).map(|id| Slot::of(&id.to_string())).collect());
    id.parse::<usize>().ok().and_then(|id| slots.get(id).copied()).unwrap_or_else(|| Slot::of(id))
}
