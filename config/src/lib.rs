//! The configuration file: parsed, checked, and turned into runtime types.
//!
//! A file goes through three forms. The YAML text becomes a tree in which every value knows its line and column;
//! `${VARIABLES}` are expanded there. The tree is held against the JSON Schema of [`FileConfig`] and against the rules
//! that span several keys, and *all* errors are collected, each with its place, its path and what would be allowed.
//! Only a tree without errors becomes a [`FileConfig`] and then the [`Config`] that the program runs on.
//!
//! ```
//! let text = "cluster: { nodes: [{ name: n1, url: 'http://127.0.0.1:7701' }] }";
//! let config = miroir_config::parse(text, "miroir.yaml", &|_| None)?;
//! assert_eq!(config.cluster.shards, 256);
//! # Ok::<(), miroir_config::Report>(())
//! ```

mod check;
mod convert;
mod defaults;
mod expand;
mod file;
mod load;
mod report;
mod rules;
mod runtime;
mod schema;
mod secret;
mod tree;
mod units;

pub use miroir_filters::FilterConfig;

pub use self::{
    file::FileConfig,
    load::{load, parse},
    report::{ConfigError, Report},
    runtime::{
        Admin, Backup, Cluster, Config, Listener, LogFormat, LogLevel, LogStore, Node, Partial, Search,
        Server, Telemetry, Tls,
    },
    schema::schema,
    secret::Secret,
};
