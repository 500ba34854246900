//! The parsers' error: a message, and the code that the type names. Only the first error is kept.

use std::{convert::Infallible, fmt::Display, marker::PhantomData, ops::ControlFlow};

use deserr::{
    DeserializeError, ErrorKind, IntoValue, MergeWithError, ValuePointerRef,
    errors::{JsonError, QueryParamError},
    take_cf_content,
};

use crate::error::{Code, CodeMarker, ResponseError, marker::BadRequest};

/// The request's part that a JSON parser reads.
#[derive(Debug)]
pub struct Body;

/// The request's part that a parameter parser reads.
#[derive(Debug)]
pub struct Query;

/// What is wrong with a JSON body; `C` is the code of errors that name none.
pub type JsonRefusal<C = BadRequest> = Refusal<Body, C>;

/// What is wrong with a query string; `C` is the code of errors that name none.
pub type QueryRefusal<C = BadRequest> = Refusal<Query, C>;

/// What is wrong with a part of a request.
#[derive(Debug)]
pub struct Refusal<Part, C> {
    code: Code,
    message: String,
    part: PhantomData<(Part, C)>,
}

impl<Part, C: CodeMarker> Refusal<Part, C> {
    /// A refusal with a code of its own.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), part: PhantomData }
    }
}

impl<C: CodeMarker> JsonRefusal<C> {
    /// For `missing_field_error`: the usual words, with the code `C`.
    pub fn missing(field: &str, location: ValuePointerRef<'_>) -> Self {
        take_cf_content(Self::error::<Infallible>(None, ErrorKind::MissingField { field }, location))
    }
}

impl<Part, C> From<Refusal<Part, C>> for ResponseError {
    fn from(refusal: Refusal<Part, C>) -> Self {
        Self::new(refusal.code, refusal.message)
    }
}

impl<C: CodeMarker> DeserializeError for JsonRefusal<C> {
    fn error<V: IntoValue>(
        _: Option<Self>,
        error: ErrorKind<'_, V>,
        location: ValuePointerRef<'_>,
    ) -> ControlFlow<Self, Self> {
        let error = take_cf_content(JsonError::error(None, error, location));
        ControlFlow::Break(Self::new(C::CODE, error.to_string()))
    }
}

impl<C: CodeMarker> DeserializeError for QueryRefusal<C> {
    fn error<V: IntoValue>(
        _: Option<Self>,
        error: ErrorKind<'_, V>,
        location: ValuePointerRef<'_>,
    ) -> ControlFlow<Self, Self> {
        let error = take_cf_content(QueryParamError::error(None, error, location));
        ControlFlow::Break(Self::new(C::CODE, error.to_string()))
    }
}

/// A field's error is kept as it is.
impl<Part, C: CodeMarker, Inner> MergeWithError<Refusal<Part, Inner>> for Refusal<Part, C> {
    fn merge(
        _: Option<Self>,
        other: Refusal<Part, Inner>,
        _: ValuePointerRef<'_>,
    ) -> ControlFlow<Self, Self> {
        ControlFlow::Break(Self { code: other.code, message: other.message, part: PhantomData })
    }
}

/// A value's own error: its words, the place it was found at, and the code of the field.
pub trait ValueError: Display {}

impl ValueError for uuid::Error {}

impl<Part, C: CodeMarker, E: ValueError> MergeWithError<E> for Refusal<Part, C>
where
    Self: DeserializeError,
{
    fn merge(_: Option<Self>, other: E, location: ValuePointerRef<'_>) -> ControlFlow<Self, Self> {
        Self::error::<Infallible>(None, ErrorKind::Unexpected { msg: other.to_string() }, location)
    }
}

/// The error of a field that exists and cannot be changed.
pub(crate) fn immutable_field(field: &str, accepted: &[&str], code: Code) -> JsonRefusal {
    let accepted = accepted.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    JsonRefusal::new(code, format!("Immutable field `{field}`: expected one of {accepted}"))
}
