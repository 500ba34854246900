//! What goes wrong in the engine, in Meilisearch's words and codes.

use std::io;

use milli_core::{InternalError, UserError, heed};
use miroir_protocol::error::{Code, ResponseError};

use crate::store::StoreError;

/// A failure of a task or of a read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EngineError {
    #[error("Index `{0}` not found.")]
    IndexNotFound(String),
    #[error("Index `{0}` already exists.")]
    IndexAlreadyExists(String),
    #[error("Indexes {} not found.", quoted(.0))]
    IndexesNotFound(Vec<String>),
    /// The engine refused; `index` is named in front where Meilisearch does so.
    #[error("{}{source}", prefix(.index.as_deref()))]
    Milli { source: Box<milli_core::Error>, index: Option<String> },
    /// The engine panicked; the message is the panic's.
    #[error("An unexpected crash occurred when processing the task: {0}")]
    Panicked(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Io(#[from] io::Error),
    /// An error that already has its code and its words.
    #[error("{}", .0.message())]
    Response(ResponseError),
}

fn prefix(index: Option<&str>) -> String {
    index.map(|index| format!("Index `{index}`: ")).unwrap_or_default()
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

impl EngineError {
    /// The engine's error about this index, which is named in the message.
    pub(crate) fn about(index: &str) -> impl Fn(milli_core::Error) -> Self {
        let index = index.to_owned();
        move |source| Self::Milli { source: Box::new(source), index: Some(index.clone()) }
    }

    /// The code clients see.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::IndexNotFound(_) | Self::IndexesNotFound(_) => Code::IndexNotFound,
            Self::IndexAlreadyExists(_) => Code::IndexAlreadyExists,
            Self::Milli { source, .. } => code_of(source),
            Self::Io(error) => code_of_io(error),
            Self::Panicked(_) | Self::Store(_) | Self::Response(_) => Code::Internal,
        }
    }

    /// The same error with the index named in front, where the engine did not say which.
    pub(crate) fn named(self, uid: &str) -> Self {
        match self {
            Self::Milli { source, index: None } => Self::Milli { source, index: Some(uid.to_owned()) },
            other => other,
        }
    }

    /// The error of a task that failed this way.
    pub(crate) fn as_task_error(&self) -> serde_json::Value {
        let code = match self.code() {
            // Tasks select documents to change by filters, they do not search.
            Code::InvalidSearchFilter => Code::InvalidDocumentFilter,
            code => code,
        };
        serde_json::json!(ResponseError::new(code, self.to_string()))
    }

    /// Whether the error is the engine's own and not the request's.
    pub(crate) fn is_internal(&self) -> bool {
        !matches!(self, Self::Response(_)) && self.code() == Code::Internal
    }

    /// The answer to a request that failed this way.
    pub(crate) fn into_response(self) -> ResponseError {
        match self {
            Self::Response(error) => error,
            error => ResponseError::new(error.code(), error.to_string()),
        }
    }

    /// The same, where a bad filter has a code of its own.
    pub(crate) fn with_filter_code(self, code: Code) -> ResponseError {
        match self.code() {
            Code::InvalidSearchFilter => ResponseError::new(code, self.to_string()),
            _ => self.into_response(),
        }
    }
}

impl From<milli_core::Error> for EngineError {
    fn from(source: milli_core::Error) -> Self {
        Self::Milli { source: Box::new(source), index: None }
    }
}

impl From<UserError> for EngineError {
    fn from(error: UserError) -> Self {
        milli_core::Error::from(error).into()
    }
}

impl From<heed::Error> for EngineError {
    fn from(error: heed::Error) -> Self {
        milli_core::Error::from(error).into()
    }
}

impl From<ResponseError> for EngineError {
    fn from(error: ResponseError) -> Self {
        Self::Response(error)
    }
}

fn code_of_io(error: &io::Error) -> Code {
    match error.raw_os_error() {
        Some(5) => Code::IoError,
        Some(24) => Code::TooManyOpenFiles,
        Some(28) => Code::NoSpaceLeftOnDevice,
        _ => Code::Internal,
    }
}

fn code_of(error: &milli_core::Error) -> Code {
    match error {
        milli_core::Error::InternalError(InternalError::Store(heed::MdbError::MapFull)) => {
            Code::DatabaseSizeLimitReached
        }
        milli_core::Error::InternalError(_) => Code::Internal,
        milli_core::Error::IoError(error) => code_of_io(error),
        milli_core::Error::UserError(error) => code_of_user_error(error),
    }
}

fn code_of_user_error(error: &UserError) -> Code {
    use UserError as E;
    match error {
        E::SerdeJson(_)
        | E::EnvAlreadyOpened
        | E::DocumentLimitReached
        | E::UnknownInternalDocumentId { .. } => Code::Internal,
        E::InvalidStoreFile => Code::InvalidStoreFile,
        E::NoSpaceLeftOnDevice => Code::NoSpaceLeftOnDevice,
        E::MaxDatabaseSizeReached => Code::DatabaseSizeLimitReached,
        E::AttributeLimitReached => Code::MaxFieldsLimitExceeded,
        E::InvalidFilter(_) | E::InvalidFilterExpression(..) | E::FilterOperatorNotAllowed { .. } => {
            Code::InvalidSearchFilter
        }
        E::MissingDocumentId { .. } => Code::MissingDocumentId,
        E::InvalidDocumentId { .. } | E::TooManyDocumentIds { .. } => Code::InvalidDocumentId,
        E::MissingDocumentField(_) => Code::InvalidDocumentFields,
        E::NoPrimaryKeyCandidateFound => Code::IndexPrimaryKeyNoCandidateFound,
        E::MultiplePrimaryKeyCandidatesFound { .. } => Code::IndexPrimaryKeyMultipleCandidatesFound,
        E::PrimaryKeyCannotBeChanged(_) => Code::IndexPrimaryKeyAlreadyExists,
        E::InvalidDistinctAttribute { .. } => Code::InvalidSearchDistinct,
        E::SortRankingRuleMissing | E::InvalidSortableAttribute { .. } | E::SortError(_) => {
            Code::InvalidSearchSort
        }
        E::InvalidFacetsDistribution { .. } => Code::InvalidSearchFacets,
        E::InvalidSearchableAttribute { .. } => Code::InvalidSearchAttributesToSearchOn,
        E::InvalidFacetSearchFacetName { .. } => Code::InvalidFacetSearchFacetName,
        E::CriterionError(_) => Code::InvalidSettingsRankingRules,
        E::InvalidGeoField(_) => Code::InvalidDocumentGeoField,
        E::InvalidVectorDimensions { .. } | E::InvalidIndexingVectorDimensions { .. } => {
            Code::InvalidVectorDimensions
        }
        E::InvalidVectorsMapType { .. } | E::InvalidVectorsEmbedderConf { .. } => Code::InvalidVectorsType,
        E::TooManyVectors(..) => Code::TooManyVectors,
        E::InvalidMinTypoWordLenSetting(..) => Code::InvalidSettingsTypoTolerance,
        E::InvalidSearchEmbedder(_) => Code::InvalidSearchEmbedder,
        E::InvalidSimilarEmbedder(_) => Code::InvalidSimilarEmbedder,
        E::VectorEmbeddingError(_) | E::DocumentEmbeddingError(_) => Code::VectorEmbeddingError,
        E::DocumentEditionCannotModifyPrimaryKey
        | E::DocumentEditionDocumentMustBeObject
        | E::DocumentEditionRuntimeError(_)
        | E::DocumentEditionCompilationError(_) => Code::EditDocumentsByFunctionError,
        // What is left is about embedders' settings.
        _ => Code::InvalidSettingsEmbedders,
    }
}
