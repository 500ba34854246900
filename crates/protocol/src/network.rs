//! The network of servers, as an address book: what clients write down of it is kept and shown.

use std::collections::{BTreeMap, BTreeSet};

use deserr::Deserr;
use serde::{Deserialize, Serialize};
use url::Url;
use uuid::Uuid;

use crate::{
    error::{Code, ResponseError, marker},
    parse::{self, JsonRefusal},
    settings::Setting,
};

/// A network, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Network {
    /// Which of the remotes this server is.
    #[serde(rename = "self")]
    pub local: Option<String>,
    /// The servers.
    pub remotes: BTreeMap<String, Remote>,
    /// Which servers hold what.
    pub shards: BTreeMap<String, Shard>,
    /// The server that the others follow: none, as only the Enterprise Edition has one.
    pub leader: Option<String>,
    /// Another one after each change.
    pub version: Uuid,
}

/// A server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Remote {
    /// Where it is.
    pub url: String,
    /// The key for searches.
    pub search_api_key: Option<String>,
    /// The key for writes.
    pub write_api_key: Option<String>,
    /// Whether it answers: nobody asks it, so nothing is held against it.
    #[serde(default)]
    pub status: Status,
}

/// Whether a server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// It does, as far as is known.
    #[default]
    Available,
}

/// A part of the documents.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Shard {
    /// The servers that hold it.
    pub remotes: BTreeSet<String>,
}

/// The body of `PATCH /network`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserr)]
#[deserr(error = JsonRefusal, rename_all = camelCase, deny_unknown_fields)]
pub struct NetworkUpdate {
    /// The servers that change; `null` removes one, or all of them.
    #[deserr(default, error = JsonRefusal<marker::InvalidNetworkRemotes>)]
    pub remotes: Setting<BTreeMap<String, Option<RemoteUpdate>>>,
    /// The parts that change; `null` removes one, or all of them.
    #[deserr(default, error = JsonRefusal<marker::InvalidNetworkShards>)]
    pub shards: Setting<BTreeMap<String, Option<ShardUpdate>>>,
    /// Of the Enterprise Edition; not looked at.
    #[deserr(default, error = JsonRefusal<marker::InvalidNetworkShards>)]
    pub previous_shards: Setting<BTreeMap<String, Option<ShardUpdate>>>,
    /// Which of the remotes this server is.
    #[deserr(default, rename = "self", error = JsonRefusal<marker::InvalidNetworkSelf>)]
    pub local: Setting<String>,
    /// Of the Enterprise Edition; refused.
    #[deserr(default, error = JsonRefusal<marker::InvalidNetworkLeader>)]
    pub leader: Setting<String>,
    /// Of the Enterprise Edition; refused.
    #[deserr(default, error = JsonRefusal<marker::InvalidNetworkRemotes>)]
    pub previous_remotes: Setting<BTreeMap<String, Option<RemoteUpdate>>>,
}

/// What changes of a server.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserr)]
#[deserr(error = JsonRefusal<marker::InvalidNetworkRemotes>, rename_all = camelCase, deny_unknown_fields)]
pub struct RemoteUpdate {
    /// Where it is.
    #[deserr(default, error = JsonRefusal<marker::InvalidNetworkUrl>)]
    pub url: Setting<String>,
    /// The key for searches.
    #[deserr(default, error = JsonRefusal<marker::InvalidNetworkSearchApiKey>)]
    pub search_api_key: Setting<String>,
    /// The key for writes.
    #[deserr(default, error = JsonRefusal<marker::InvalidNetworkWriteApiKey>)]
    pub write_api_key: Setting<String>,
}

/// What changes of a part.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserr)]
#[deserr(error = JsonRefusal<marker::InvalidNetworkShards>, rename_all = camelCase, deny_unknown_fields)]
pub struct ShardUpdate {
    /// The servers that hold it from now on.
    #[deserr(default, error = JsonRefusal<marker::InvalidNetworkRemotes>)]
    pub remotes: Option<BTreeSet<String>>,
    /// Servers that hold it too.
    #[deserr(default, error = JsonRefusal<marker::InvalidNetworkRemotes>)]
    pub add_remotes: Option<BTreeSet<String>>,
    /// Servers that do not any more.
    #[deserr(default, error = JsonRefusal<marker::InvalidNetworkRemotes>)]
    pub remove_remotes: Option<BTreeSet<String>>,
}

impl NetworkUpdate {
    /// Parses the body.
    pub fn from_json(body: &[u8]) -> Result<Self, ResponseError> {
        parse::json(body)
    }
}

// === impl Network ===

impl Network {
    /// The network after a change, or what is refused of it, as the Community Edition does.
    pub fn changed(mut self, update: NetworkUpdate) -> Result<Self, ResponseError> {
        if update.leader.as_set().is_some() {
            let message = "Meilisearch Enterprise Edition is required to set `network.leader`";
            return Err(ResponseError::new(Code::RequiresEnterpriseEdition, message));
        }
        if !update.previous_remotes.is_not_set() {
            let message = "Unexpected `previousRemotes` in network call.\n  - Note: `previousRemote` is reserved for internal use.";
            return Err(ResponseError::new(Code::UnexpectedNetworkPreviousRemotes, message));
        }
        match update.local {
            Setting::NotSet => {}
            local => self.local = local.set(),
        }
        match update.shards {
            Setting::NotSet => {}
            Setting::Reset => self.shards.clear(),
            Setting::Set(shards) => {
                shards.into_iter().for_each(|(name, shard)| self.change_shard(name, shard))
            }
        }
        match update.remotes {
            Setting::NotSet => {}
            Setting::Reset => self.remotes.clear(),
            Setting::Set(remotes) => {
                remotes.into_iter().try_for_each(|(name, remote)| self.change_remote(name, remote))?;
            }
        }
        self.shards.retain(|_, shard| !shard.remotes.is_empty());
        self.version = Uuid::now_v7();
        Ok(self)
    }

    fn change_shard(&mut self, name: String, update: Option<ShardUpdate>) {
        let before = self.shards.remove(&name).unwrap_or_default();
        let Some(update) = update else { return };
        let mut remotes = update.remotes.unwrap_or(before.remotes);
        remotes.extend(update.add_remotes.into_iter().flatten());
        update.remove_remotes.iter().flatten().for_each(|remote| _ = remotes.remove(remote));
        self.shards.insert(name, Shard { remotes });
    }

    fn change_remote(&mut self, name: String, update: Option<RemoteUpdate>) -> Result<(), ResponseError> {
        let Some(update) = update else {
            self.remotes.remove(&name);
            self.shards.values_mut().for_each(|shard| _ = shard.remotes.remove(&name));
            return Ok(());
        };
        let before = self.remotes.remove(&name);
        let url = match (update.url, &before) {
            (Setting::Set(url), _) => url,
            (Setting::NotSet, Some(before)) => before.url.clone(),
            (Setting::Reset, Some(_)) => {
                let message = format!("Field `.remotes.{name}.url` cannot be set to `null`");
                return Err(ResponseError::new(Code::InvalidNetworkUrl, message));
            }
            (_, None) => {
                let message = format!("Missing field `.remotes.{name}.url`");
                return Err(ResponseError::new(Code::MissingNetworkUrl, message));
            }
        };
        if let Err(error) = Url::parse(&url) {
            let message = format!("Invalid `.remotes.{name}.url` (`{url}`): {error}");
            return Err(ResponseError::new(Code::InvalidNetworkUrl, message));
        }
        let (search, write) =
            before.map(|before| (before.search_api_key, before.write_api_key)).unwrap_or_default();
        let key = |change: Setting<String>, before| if change.is_not_set() { before } else { change.set() };
        let (search_api_key, write_api_key) =
            (key(update.search_api_key, search), key(update.write_api_key, write));
        self.remotes.insert(name, Remote { url, search_api_key, write_api_key, status: Status::Available });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn change(network: Network, body: Value) -> Result<Network, String> {
        let update =
            NetworkUpdate::from_json(body.to_string().as_bytes()).map_err(|error| error.message().to_owned());
        network.changed(update?).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn what_is_written_down_adds_up() {
        let one = json!({ "self": "a", "remotes": { "a": { "url": "http://a", "searchApiKey": "s" } }, "shards": { "x": { "remotes": ["a"] } } });
        let network = change(Network::default(), one).expect("good");
        let two = json!({ "remotes": { "a": { "writeApiKey": "w" }, "b": { "url": "http://b" } }, "shards": { "x": { "addRemotes": ["b"] } } });
        let network = change(network, two).expect("good");
        let shown = json!(network);
        assert_eq!(
            shown["remotes"]["a"],
            json!({ "url": "http://a", "searchApiKey": "s", "writeApiKey": "w", "status": "available" })
        );
        assert_eq!(
            (&shown["self"], &shown["leader"], &shown["shards"]),
            (&json!("a"), &Value::Null, &json!({ "x": { "remotes": ["a", "b"] } }))
        );
        assert_eq!(serde_json::from_value::<Network>(shown).expect("a network"), network);
        let gone =
            change(network, json!({ "self": null, "remotes": { "a": null, "b": null } })).expect("good");
        assert_eq!((gone.remotes.len(), gone.shards.len(), gone.local), (0, 0, None));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let refused = |body| change(Network::default(), body).expect_err("refused");
        assert_eq!(
            refused(json!({ "remotes": { "b": { "searchApiKey": "x" } } })),
            "Missing field `.remotes.b.url`"
        );
        assert_eq!(
            refused(json!({ "remotes": { "b": { "url": "nope" } } })),
            "Invalid `.remotes.b.url` (`nope`): relative URL without a base"
        );
        assert!(refused(json!({ "leader": "a" })).contains("Enterprise Edition"));
        assert!(
            refused(json!({ "nope": 1 }))
                .starts_with("Unknown field `nope`: expected one of `remotes`, `shards`,")
        );
    }
}
