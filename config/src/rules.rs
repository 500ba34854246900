//! The rules that the schema cannot express: those that span several keys, and a few about numbers.
//!
//! They work on the tree, each on what it finds, so that they also speak up in a file with other errors.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, str::FromStr};

use miroir_filters::{Filter, auth::AuthConfig};

use crate::{
    ConfigError, FilterConfig, defaults,
    file::{BackupConfig, LogConfig, SearchConfig},
    tree::{Place, Tree},
    units::{Address, DurationText, Name, NodeUrl, SizeText},
};

/// Checks the values of all sections but the filters.
pub(crate) fn check_values(root: &Tree, errors: &mut Vec<ConfigError>) {
    check_shards(root, errors);
    check_nodes(root, errors);
    check_replicas(root, errors);
    check_listeners(root, errors);
    check_limits(root, errors);
    check_directories(root, errors);
}

/// Checks the filters, each on its own and all as a chain.
pub(crate) fn check_filters(root: &Tree, filters: &[FilterConfig], errors: &mut Vec<ConfigError>) {
    let list = root.get("filters");
    let place =
        |index: usize| list.and_then(|list| list.items().get(index)).map_or(root.place, |tree| tree.place);
    for (index, filter) in filters.iter().enumerate() {
        for problem in filter.validate() {
            errors.push(ConfigError::new(
                place(index),
                format!("filters[{index}].{}", filter.name()),
                problem,
            ));
        }
    }
    for problem in miroir_filters::check_order(filters) {
        let index = problem.position();
        errors.push(ConfigError::new(place(index), format!("filters[{index}]"), problem.to_string()));
    }
    let checks_keys = filters.iter().any(|filter| filter.name() == AuthConfig::NAME);
    if let (Some(key), false) = (root.get("master_key"), checks_keys) {
        let error = ConfigError::new(
            key.place,
            "master_key",
            "no filter checks this key, so every request is let in",
        );
        errors.push(error.hint("add `auth` to `filters`"));
    }
}

fn find<'a>(root: &'a Tree, path: &[&str]) -> Option<&'a Tree> {
    path.iter().try_fold(root, |tree, key| tree.get(key))
}

/// The value of a scalar as `T`, and its place; nothing when it is absent or was found wrong already.
fn read<T: FromStr>(tree: Option<&Tree>) -> Option<(T, Place)> {
    let tree = tree?;
    Some((tree.text()?.parse().ok()?, tree.place))
}

fn nodes(root: &Tree) -> impl Iterator<Item = (usize, &Tree)> {
    find(root, &["cluster", "nodes"]).map_or(&[][..], Tree::items).iter().enumerate()
}

fn check_shards(root: &Tree, errors: &mut Vec<ConfigError>) {
    let Some((shards, place)) = read::<u16>(find(root, &["cluster", "shards"])) else { return };
    if (1..=16_384).contains(&shards) && !shards.is_power_of_two() {
        let above = shards.next_power_of_two();
        let error = ConfigError::new(place, "cluster.shards", format!("{shards} is not a power of two"));
        errors.push(error.hint(format!("the nearest are {} and {above}", above / 2)));
    }
}

/// Two nodes of one name or at one URL are one node written twice.
fn check_nodes(root: &Tree, errors: &mut Vec<ConfigError>) {
    let mut names = BTreeMap::new();
    let mut urls = BTreeMap::new();
    for (index, node) in nodes(root) {
        if let Some((name, place)) = read::<String>(node.get("name")) {
            let first = *names.entry(name.clone()).or_insert(place);
            if first != place {
                let error = ConfigError::new(
                    place,
                    format!("cluster.nodes[{index}].name"),
                    format!("two nodes are named `{name}`"),
                );
                errors.push(error.hint(format!("the first one is in line {}", first.line)));
            }
        }
        if let Some((NodeUrl(url), place)) = read::<NodeUrl>(node.get("url")) {
            let first = *urls.entry(server(&url)).or_insert(place);
            if first != place {
                let error =
                    ConfigError::new(place, format!("cluster.nodes[{index}].url"), "two nodes have this URL");
                errors.push(error.hint(format!("the first one is in line {}", first.line)));
            }
        }
    }
}

/// The server that a URL is of: each scheme has a port of its own where none is given.
fn server(url: &http::Uri) -> (String, u16) {
    let port = if url.scheme_str() == Some("https") { 443 } else { 80 };
    (url.host().unwrap_or_default().to_ascii_lowercase(), url.port_u16().unwrap_or(port))
}

fn check_replicas(root: &Tree, errors: &mut Vec<ConfigError>) {
    let Some((replicas, place)) = read::<u8>(find(root, &["cluster", "replicas"])) else { return };
    let mut groups: BTreeMap<String, usize> = BTreeMap::new();
    for (_, node) in nodes(root) {
        let group = match node.get("group") {
            None => defaults::group(),
            Some(tree) => match read::<Name>(Some(tree)) {
                Some((group, _)) => group,
                // Which group it belongs to is not known, so nothing can be said of any.
                None => return,
            },
        };
        *groups.entry(group.0).or_default() += 1;
    }
    for (group, count) in groups.into_iter().filter(|(_, count)| usize::from(replicas) > *count) {
        let nodes = if count == 1 { "1 node".to_owned() } else { format!("{count} nodes") };
        let message =
            format!("{replicas} replicas need {replicas} nodes in each group, group `{group}` has {nodes}");
        errors.push(
            ConfigError::new(place, "cluster.replicas", message).hint("lower it, or add nodes to the group"),
        );
    }
}

fn check_listeners(root: &Tree, errors: &mut Vec<ConfigError>) {
    let listen = find(root, &["server", "listen"]).map_or(&[][..], Tree::items).iter().enumerate();
    let mut all: Vec<(String, Option<&Tree>)> = listen
        .map(|(index, listener)| (format!("server.listen[{index}].address"), listener.get("address")))
        .collect();
    all.push(("admin.address".to_owned(), find(root, &["admin", "address"])));
    let mut seen: Vec<(SocketAddr, Place)> = Vec::new();
    for (path, tree) in all {
        let Some((Address(address), place)) = read::<Address>(tree) else { continue };
        match seen.iter().find(|(other, _)| collide(address, *other)) {
            Some((other, first)) => {
                let message = format!("`{address}` is taken by `{other}` in line {}", first.line);
                errors.push(
                    ConfigError::new(place, path, message).hint("give each listener a port of its own"),
                );
            }
            None => seen.push((address, place)),
        }
    }
}

/// An unspecified address stands for all addresses; port 0 for any free port.
fn collide(a: SocketAddr, b: SocketAddr) -> bool {
    let same_host = a.ip() == b.ip()
        || (a.is_ipv4() == b.is_ipv4() && (a.ip().is_unspecified() || b.ip().is_unspecified()));
    a.port() != 0 && a.port() == b.port() && same_host
}

/// A limit that another one makes pointless.
fn check_limits(root: &Tree, errors: &mut Vec<ConfigError>) {
    let (search, log) = (SearchConfig::default(), LogConfig::default());
    let timeout = find(root, &["search", "timeout"]);
    let connect = find(root, &["search", "connect_timeout"]);
    let connect_at = ("search.connect_timeout", connect, search.connect_timeout);
    let timeout_at = ("search.timeout", timeout, search.timeout);
    errors.extend(not_above::<DurationText, _>(connect_at, timeout_at, |text| text.0));
    let payload_at = ("log.max_payload", find(root, &["log", "max_payload"]), log.max_payload);
    let backlog_at = ("log.max_backlog", find(root, &["log", "max_backlog"]), log.max_backlog);
    errors.extend(not_above::<SizeText, _>(payload_at, backlog_at, |text| text.0));
}

/// Backups among the log's files would be taken for some of them, or be removed together with them.
fn check_directories(root: &Tree, errors: &mut Vec<ConfigError>) {
    let backup = find(root, &["backup", "directory"]);
    let log = find(root, &["log", "directory"]);
    let path = |tree: Option<&Tree>, default: PathBuf| {
        let text = tree.and_then(Tree::text).map_or(default, PathBuf::from);
        std::path::absolute(&text).unwrap_or(text)
    };
    if path(backup, BackupConfig::default().directory) == path(log, LogConfig::default().directory)
        && let Some(tree) = backup.or(log)
    {
        let named = if backup.is_some() { "backup.directory" } else { "log.directory" };
        let error = ConfigError::new(tree.place, named, "the log and the backups have the same directory");
        errors.push(error.hint("give each of them one of its own"));
    }
}

type Limit<'a, T> = (&'a str, Option<&'a Tree>, T);

fn not_above<T: FromStr + Copy + std::fmt::Display, K: Ord>(
    (low_path, low_tree, low_default): Limit<'_, T>,
    (high_path, high_tree, high_default): Limit<'_, T>,
    key: impl Fn(T) -> K,
) -> Option<ConfigError> {
    let (low, high) = (read::<T>(low_tree), read::<T>(high_tree));
    // A value that is there but cannot be read was reported already.
    if (low_tree.is_some() && low.is_none()) || (high_tree.is_some() && high.is_none()) {
        return None;
    }
    let (place, path) = match (low, high) {
        (Some((_, place)), _) => (place, low_path),
        (None, Some((_, place))) => (place, high_path),
        (None, None) => return None,
    };
    let by_default = |given: bool| if given { "" } else { " by default" };
    let (low_note, high_note) = (by_default(low.is_some()), by_default(high.is_some()));
    let (low, high) =
        (low.map_or(low_default, |(value, _)| value), high.map_or(high_default, |(value, _)| value));
    (key(low) > key(high)).then(|| {
        let message = format!("`{low_path}` ({low}{low_note}) is above `{high_path}` ({high}{high_note})");
        ConfigError::new(place, path, message).hint("raise the one or lower the other")
    })
}
