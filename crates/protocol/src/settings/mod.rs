//! Index settings: parsed as a whole or one by one, kept, changed and shown.

mod apply;
mod chat;
mod defaults;
mod embedder;
mod embedder_check;
mod embedder_defaults;
mod filterable;
mod names;
mod ranking_rule;
mod setting;
mod table;
mod values;

pub(crate) use self::embedder::hide_secret;
pub use self::{
    chat::{ChatHybrid, ChatSearchParameters, ChatSettings},
    embedder::{
        DistributionShift, EmbedderSettings, EmbedderSource, Fragment, Pooling, SubEmbedderSettings, hidden,
    },
    filterable::{FilterFeatures, FilterableFeatures, FilterablePatterns, FilterableRule},
    names::UpdateMethod,
    ranking_rule::{InvalidRankingRule, RankingRule},
    setting::Setting,
    table::{SettingName, Settings},
    values::{
        FacetOrder, Faceting, ForeignKey, LocalizedAttributes, MinWordSizeForTypos, Pagination, PrefixSearch,
        ProximityPrecision, TypoTolerance,
    },
};

#[cfg(test)]
mod tests;
