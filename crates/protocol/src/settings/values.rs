//! The settings that are objects or one of a few words.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    num::NonZeroUsize,
};

use deserr::{DeserializeError, Deserr, ErrorKind, ValuePointerRef, take_cf_content};
use serde::{Deserialize, Serialize};

use super::Setting;
use crate::{error::marker, parse::JsonRefusal, search::Locale};

/// Which typos are forgiven.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserr, Serialize, Deserialize)]
#[deserr(error = JsonRefusal<marker::InvalidSettingsTypoTolerance>, rename_all = camelCase, deny_unknown_fields)]
#[serde(rename_all = "camelCase")]
pub struct TypoTolerance {
    /// Whether any are.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub enabled: Setting<bool>,
    /// How long a word has to be.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub min_word_size_for_typos: Setting<MinWordSizeForTypos>,
    /// Words that have to match as they are.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub disable_on_words: Setting<BTreeSet<String>>,
    /// Fields whose words have to match as they are.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub disable_on_attributes: Setting<BTreeSet<String>>,
    /// Whether numbers have to match as they are.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub disable_on_numbers: Setting<bool>,
}

/// How long a word has to be for typos to be forgiven in it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserr, Serialize, Deserialize)]
#[deserr(
    error = JsonRefusal<marker::InvalidSettingsTypoTolerance>,
    rename_all = camelCase,
    deny_unknown_fields,
    validate = in_order -> JsonRefusal<marker::InvalidSettingsTypoTolerance>
)]
#[serde(rename_all = "camelCase")]
pub struct MinWordSizeForTypos {
    /// For one typo.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub one_typo: Setting<u8>,
    /// For two.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub two_typos: Setting<u8>,
}

/// Refuses sizes of which the first is larger than the second.
fn in_order<E: DeserializeError>(
    sizes: MinWordSizeForTypos,
    location: ValuePointerRef<'_>,
) -> Result<MinWordSizeForTypos, E> {
    match (sizes.one_typo, sizes.two_typos) {
        (Setting::Set(one), Setting::Set(two)) if one > two => {
            let msg = format!(
                "`minWordSizeForTypos` setting is invalid. `oneTypo` and `twoTypos` fields should be between `0` and \
                 `255`, and `twoTypos` should be greater or equals to `oneTypo` but found `oneTypo: {one}` and \
                 twoTypos: {two}`."
            );
            Err(take_cf_content(E::error::<Infallible>(None, ErrorKind::Unexpected { msg }, location)))
        }
        _ => Ok(sizes),
    }
}

/// How many values of a facet are listed, and in which order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserr, Serialize, Deserialize)]
#[deserr(rename_all = camelCase, deny_unknown_fields)]
#[serde(rename_all = "camelCase")]
pub struct Faceting {
    /// How many at most.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub max_values_per_facet: Setting<usize>,
    /// The order by facet; `*` is for those that are not named.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub sort_facet_values_by: Setting<BTreeMap<String, FacetOrder>>,
}

/// The order in which values of a facet are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserr, Serialize, Deserialize)]
#[deserr(rename_all = camelCase)]
#[serde(rename_all = "camelCase")]
pub enum FacetOrder {
    /// By name.
    #[default]
    Alpha,
    /// Most frequent first.
    Count,
}

/// How far results can be paged through.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserr, Serialize, Deserialize)]
#[deserr(rename_all = camelCase, deny_unknown_fields)]
#[serde(rename_all = "camelCase")]
pub struct Pagination {
    /// How many hits can be reached.
    #[deserr(default)]
    #[serde(default, skip_serializing_if = "Setting::is_not_set")]
    pub max_total_hits: Setting<NonZeroUsize>,
}

/// How exactly distances between words are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserr, Serialize, Deserialize)]
#[deserr(rename_all = camelCase)]
#[serde(rename_all = "camelCase")]
pub enum ProximityPrecision {
    /// To the word.
    #[default]
    ByWord,
    /// Only whether they are in the same field.
    ByAttribute,
}

/// Whether beginnings of words match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserr, Serialize, Deserialize)]
#[deserr(rename_all = camelCase)]
#[serde(rename_all = "camelCase")]
pub enum PrefixSearch {
    /// They do, and are prepared when documents are added.
    #[default]
    IndexingTime,
    /// They do not.
    Disabled,
}

/// Languages of fields.
#[derive(Debug, Clone, PartialEq, Eq, Deserr, Serialize, Deserialize)]
#[deserr(rename_all = camelCase, deny_unknown_fields)]
#[serde(rename_all = "camelCase")]
pub struct LocalizedAttributes {
    /// Names of fields, with `*` at the beginning, the end or alone.
    pub attribute_patterns: Vec<String>,
    /// The languages they may be in.
    pub locales: Vec<Locale>,
}

/// A field that holds ids of documents of another index.
#[derive(Debug, Clone, PartialEq, Eq, Deserr, Serialize, Deserialize)]
#[deserr(rename_all = camelCase, deny_unknown_fields)]
#[serde(rename_all = "camelCase")]
pub struct ForeignKey {
    /// The other index.
    pub foreign_index_uid: String,
    /// The field.
    pub field_name: String,
}
