//! Parameters of the statistics routes, and the sizes they answer.

use deserr::Deserr;
use serde::{Serialize, Serializer};

use crate::{
    error::{ResponseError, marker},
    parse::{self, Param, QueryRefusal},
    size,
};

/// Parameters of `GET /stats` and `GET /indexes/{uid}/stats`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatsQuery {
    /// Whether the sizes of the index's internal databases are shown.
    pub show_internal_database_sizes: bool,
    /// How sizes are shown.
    pub size_format: SizeFormat,
}

#[derive(Debug, Deserr)]
#[deserr(error = QueryRefusal, rename_all = camelCase, deny_unknown_fields)]
struct StatsParameters {
    #[deserr(default, error = QueryRefusal<marker::InvalidStatsShowInternalDatabaseSizes>)]
    show_internal_database_sizes: Param<bool>,
    #[deserr(default, error = QueryRefusal<marker::InvalidStatsSizeFormat>)]
    size_format: Option<SizeFormat>,
}

/// How sizes are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserr)]
#[deserr(rename_all = camelCase)]
pub enum SizeFormat {
    /// As text with a unit: `1.21 MiB`.
    Human,
    /// As a number of bytes.
    #[default]
    Raw,
}

/// A size as it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// How many bytes.
    pub bytes: u64,
    /// How they are shown.
    pub format: SizeFormat,
}

impl StatsQuery {
    /// Parses the parameters.
    pub fn from_query_string(query: &str) -> Result<Self, ResponseError> {
        let sent = parse::query::<StatsParameters, marker::BadRequest>(query)?;
        Ok(Self {
            show_internal_database_sizes: sent.show_internal_database_sizes.0,
            size_format: sent.size_format.unwrap_or_default(),
        })
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.format {
            SizeFormat::Raw => serializer.serialize_u64(self.bytes),
            SizeFormat::Human => serializer.serialize_str(&size::rounded(self.bytes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Size, SizeFormat, StatsQuery};

    #[test]
    fn sizes_are_numbers_unless_asked_for_otherwise() {
        let json = |format| serde_json::to_string(&Size { bytes: 2048, format }).expect("a size");
        assert_eq!(json(StatsQuery::from_query_string("").expect("good").size_format), "2048");
        assert_eq!(json(SizeFormat::Human), r#""2 KiB""#);
    }

    #[test]
    fn unknown_format_is_refused() {
        let error = StatsQuery::from_query_string("sizeFormat=big").expect_err("unknown");
        assert_eq!(error.code_name(), "invalid_stats_size_format");
        assert_eq!(
            error.message(),
            "Unknown value `big` for parameter `sizeFormat`: expected one of `human`, `raw`"
        );
    }
}
