//! How a map is kept on disk: JSON with a format version.

use serde::{Deserialize, Serialize};

use crate::{Group, Node, NodeId, Owner, OwnerState, ShardMap, codes::MAX_SHARD_BITS};

const FORMAT: u32 = 1;

/// A map that cannot be read back.
#[derive(Debug, thiserror::Error)]
pub enum StoredMapError {
    /// Not JSON, or not a map.
    #[error("the shard map cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// Written by a later version.
    #[error("the shard map has format {0}, this version reads format {FORMAT}")]
    Format(u32),
    /// Parts that do not fit together.
    #[error("the shard map is damaged: {0}")]
    Damaged(&'static str),
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct StoredMap {
    format: u32,
    epoch: u64,
    shard_bits: u32,
    code_bits: u32,
    nodes: Vec<Node>,
    groups: Vec<StoredGroup>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StoredGroup {
    name: String,
    replicas: u8,
    /// For every shard its owners: a node's place, or the place and the state where that is not readable.
    owners: Vec<Vec<StoredOwner>>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(untagged)]
enum StoredOwner {
    Readable(NodeId),
    Other(NodeId, OwnerState),
}

impl ShardMap {
    /// The map as it is stored.
    pub fn to_bytes(&self) -> Result<Vec<u8>, StoredMapError> {
        Ok(serde_json::to_vec(self)?)
    }

    /// Reads a stored map back and checks it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StoredMapError> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let Head { format } = serde_json::from_slice(bytes)?;
        if format != FORMAT {
            return Err(StoredMapError::Format(format));
        }
        serde_json::from_slice::<StoredMap>(bytes)?.try_into()
    }
}

impl From<ShardMap> for StoredMap {
    fn from(map: ShardMap) -> Self {
        let owner = |owner: Owner| match owner.state {
            OwnerState::Readable => StoredOwner::Readable(owner.node),
            state => StoredOwner::Other(owner.node, state),
        };
        let owners = |owners: Vec<Owner>| owners.into_iter().map(owner).collect();
        let group = |group: Group| StoredGroup {
            name: group.name,
            replicas: group.replicas,
            owners: group.owners.into_iter().map(owners).collect(),
        };
        Self {
            format: FORMAT,
            epoch: map.epoch,
            shard_bits: map.shard_bits,
            code_bits: map.code_bits,
            nodes: map.nodes,
            groups: map.groups.into_iter().map(group).collect(),
        }
    }
}

impl TryFrom<StoredMap> for ShardMap {
    type Error = StoredMapError;

    fn try_from(stored: StoredMap) -> Result<Self, StoredMapError> {
        let check = |fine: bool, what| if fine { Ok(()) } else { Err(StoredMapError::Damaged(what)) };
        if stored.format != FORMAT {
            return Err(StoredMapError::Format(stored.format));
        }
        check(stored.shard_bits.max(stored.code_bits) <= MAX_SHARD_BITS, "it has more shards than slots")?;
        let groups: Vec<Group> = stored.groups.into_iter().map(Group::from).collect();
        let known = |node: &Node| usize::from(node.group) < groups.len();
        check(stored.nodes.iter().all(known), "a node is in no group")?;
        for (place, group) in groups.iter().enumerate() {
            check(group.owners.len() == 1 << stored.shard_bits, "a group lacks shards")?;
            let own = |owner: &Owner| {
                stored
                    .nodes
                    .get(usize::from(owner.node.0))
                    .is_some_and(|node| usize::from(node.group) == place)
            };
            check(group.owners.iter().flatten().all(own), "a shard's owner is not of its group")?;
        }
        Ok(Self {
            epoch: stored.epoch,
            shard_bits: stored.shard_bits,
            code_bits: stored.code_bits,
            nodes: stored.nodes,
            groups,
        })
    }
}

impl From<StoredGroup> for Group {
    fn from(stored: StoredGroup) -> Self {
        let owner = |owner| match owner {
            StoredOwner::Readable(node) => Owner { node, state: OwnerState::Readable },
            StoredOwner::Other(node, state) => Owner { node, state },
        };
        let owners = |owners: Vec<StoredOwner>| owners.into_iter().map(owner).collect();
        Self {
            name: stored.name,
            replicas: stored.replicas,
            owners: stored.owners.into_iter().map(owners).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ShardId, map::tests::layout};

    fn map() -> ShardMap {
        ShardMap::place(&layout(3, 2, 2, 1)).expect("a map").with_owner(
            ShardId(5),
            NodeId(3),
            Some(OwnerState::Draining),
        )
    }

    /// Maps of every released format must be readable for ever.
    #[test]
    fn the_golden_file_of_format_1_is_read() {
        let golden = include_bytes!("../tests/golden/shard-map-1.json");
        assert_eq!(ShardMap::from_bytes(golden).expect("a map"), map());
        assert_eq!(map().to_bytes().expect("bytes"), golden.trim_ascii_end());
    }

    #[test]
    fn a_later_format_is_refused_by_name() {
        let found = ShardMap::from_bytes(br#"{"format":2,"news":true}"#).expect_err("an error").to_string();
        assert_eq!(found, "the shard map has format 2, this version reads format 1");
    }

    #[test]
    fn damage_is_refused() {
        let text = String::from_utf8(map().to_bytes().expect("bytes")).expect("text");
        for (from, to) in [
            ("\"shardBits\":3", "\"shardBits\":4"),
            ("\"shardBits\":3", "\"shardBits\":15"),
            ("\"group\":1", "\"group\":7"),
            ("\"owners\":[[0]", "\"owners\":[[2]"),
            ("\"owners\":[[2]", "\"owners\":[[9]"),
        ] {
            let damaged = text.replacen(from, to, 1);
            assert_ne!(damaged, text);
            assert!(ShardMap::from_bytes(damaged.as_bytes()).is_err(), "{to}");
        }
        assert!(ShardMap::from_bytes(b"{").is_err());
    }
}
