//! Creating, changing, listing and showing indexes.

use std::convert::Infallible;

use deserr::{DeserializeError, Deserr, ErrorKind, ValuePointerRef, take_cf_content};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    error::{Code, ResponseError, marker},
    index_uid::IndexUid,
    parse::{self, JsonRefusal, Param, QueryRefusal, immutable_field},
};

/// How many indexes a page has when nothing is said.
const LIMIT: usize = 20;

/// The body of `POST /indexes`.
#[derive(Debug, Clone, PartialEq, Eq, Deserr, Serialize)]
#[deserr(error = JsonRefusal, rename_all = camelCase, deny_unknown_fields)]
#[serde(rename_all = "camelCase")]
pub struct CreateIndex {
    /// Its name.
    #[deserr(
        error = JsonRefusal<marker::InvalidIndexUid>,
        missing_field_error = JsonRefusal::<marker::MissingIndexUid>::missing
    )]
    pub uid: IndexUid,
    /// The field that holds ids.
    #[deserr(default, error = JsonRefusal<marker::InvalidIndexPrimaryKey>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary_key: Option<String>,
}

/// The body of `PATCH /indexes/{uid}`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateIndex {
    /// The field that holds ids.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary_key: Option<String>,
    /// A new name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<IndexUid>,
}

/// What is wrong with the new name is said without its place in the body.
#[derive(Debug, Deserr)]
#[deserr(error = JsonRefusal, rename_all = camelCase, deny_unknown_fields = refuse_field)]
struct SentUpdate {
    #[deserr(default, error = JsonRefusal<marker::InvalidIndexPrimaryKey>)]
    primary_key: Option<String>,
    #[deserr(default, error = JsonRefusal<marker::InvalidIndexUid>)]
    uid: Option<String>,
}

/// Which page of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// How many to leave out first.
    pub offset: usize,
    /// How many at most.
    pub limit: usize,
}

#[derive(Debug, Deserr)]
#[deserr(error = QueryRefusal, rename_all = camelCase, deny_unknown_fields)]
struct ListParameters {
    #[deserr(default, error = QueryRefusal<marker::InvalidIndexOffset>)]
    offset: Param<usize>,
    #[deserr(default = Param(LIMIT), error = QueryRefusal<marker::InvalidIndexLimit>)]
    limit: Param<usize>,
}

/// An index as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IndexView {
    /// Its name.
    pub uid: String,
    /// When it was created.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    /// The field that holds ids.
    pub primary_key: Option<String>,
}

/// A page of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paginated<T> {
    /// What is on the page.
    pub results: Vec<T>,
    /// How many were left out first.
    pub offset: usize,
    /// How many were asked for.
    pub limit: usize,
    /// How many there are.
    pub total: usize,
}

impl CreateIndex {
    /// Parses the body.
    pub fn from_json(body: &[u8]) -> Result<Self, ResponseError> {
        parse::json(body)
    }
}

impl UpdateIndex {
    /// Parses the body.
    pub fn from_json(body: &[u8]) -> Result<Self, ResponseError> {
        let SentUpdate { primary_key, uid } = parse::json(body)?;
        Ok(Self { primary_key, uid: uid.map(|uid| IndexUid::from_path(&uid)).transpose()? })
    }
}

/// Fields that indexes have and nobody can change get an error of their own.
fn refuse_field(field: &str, accepted: &[&str], location: ValuePointerRef<'_>) -> JsonRefusal {
    match field {
        "createdAt" => immutable_field(field, accepted, Code::ImmutableIndexCreatedAt),
        "updatedAt" => immutable_field(field, accepted, Code::ImmutableIndexUpdatedAt),
        _ => {
            let kind = ErrorKind::UnknownKey { key: field, accepted };
            take_cf_content(JsonRefusal::error::<Infallible>(None, kind, location))
        }
    }
}

impl Page {
    /// Parses the parameters of `GET /indexes`.
    pub fn from_query_string(query: &str) -> Result<Self, ResponseError> {
        let sent = parse::query::<ListParameters, marker::BadRequest>(query)?;
        Ok(Self { offset: sent.offset.0, limit: sent.limit.0 })
    }

    /// The page of a list that is known as a whole.
    pub fn of<T>(self, all: impl ExactSizeIterator<Item = T>) -> Paginated<T> {
        let total = all.len();
        let results = all.skip(self.offset).take(self.limit).collect();
        Paginated { results, offset: self.offset, limit: self.limit, total }
    }
}

#[cfg(test)]
mod tests {
    use super::{Page, UpdateIndex};

    #[test]
    fn page_counts_all_and_shows_some() {
        let page = Page { offset: 3, limit: 2 }.of(0..10);
        assert_eq!((page.results, page.total), (vec![3, 4], 10));
    }

    #[test]
    fn a_new_name_has_to_be_one() {
        let error = UpdateIndex::from_json(br#"{"uid":"a b"}"#).expect_err("no name");
        assert_eq!(error.code_name(), "invalid_index_uid");
        assert!(error.message().starts_with("`a b` is not a valid index uid."), "{}", error.message());
    }

    #[test]
    fn immutable_fields_have_their_own_code() {
        let error = UpdateIndex::from_json(br#"{"updatedAt":1}"#).expect_err("immutable");
        assert_eq!(error.code_name(), "immutable_index_updated_at");
        let error = UpdateIndex::from_json(br#"{"primaryKe":1}"#).expect_err("unknown");
        assert_eq!(
            error.message(),
            "Unknown field `primaryKe`: did you mean `primaryKey`? expected one of `primaryKey`, `uid`"
        );
    }
}
