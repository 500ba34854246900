//! The filters as the file names them.

use schemars::JsonSchema;
use serde::Deserialize;

/// One entry of the list of filters.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum FilterConfig {}
