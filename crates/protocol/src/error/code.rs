//! The table of every error code: its name, its type and its HTTP status.

use http::StatusCode;

use super::name::{ascii, snake, snake_len};

/// Where the explanation of an error code is found; the code's name is the anchor.
const DOCUMENTATION: &str = "https://docs.meilisearch.com/errors#";

/// Who an error is up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorType {
    /// The server's own failure.
    Internal,
    /// The request is wrong.
    InvalidRequest,
    /// The key is missing or does not allow the request.
    Auth,
    /// A resource the server depends on failed.
    System,
}

impl ErrorType {
    /// The name clients see.
    pub fn name(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::InvalidRequest => "invalid_request",
            Self::Auth => "auth",
            Self::System => "system",
        }
    }
}

impl Code {
    /// The page that explains the code.
    pub fn link(&self) -> String {
        format!("{DOCUMENTATION}{}", self.name())
    }

    /// The code with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|code| code.name() == name).copied()
    }
}

/// A type that stands for one [`Code`], so that a parser's error type can name the code it raises.
pub trait CodeMarker {
    /// The code it stands for.
    const CODE: Code;
}

macro_rules! codes {
    ($($kind:ident $status:ident => [$($code:ident),* $(,)?],)*) => {
        /// Every error code of Meilisearch v1.50, and Miroir's own.
        #[allow(missing_docs)] // the names say it
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $($($code,)*)*
        }

        impl Code {
            /// Every code there is.
            pub const ALL: &'static [Self] = &[$($(Self::$code,)*)*];

            /// The name clients see, as in `index_not_found`.
            pub fn name(&self) -> &'static str {
                match self {
                    $($(Self::$code => {
                        const NAME: [u8; snake_len(stringify!($code))] = snake(stringify!($code));
                        const { ascii(&NAME) }
                    })*)*
                }
            }

            /// The status of an answer that carries the code.
            pub fn status(&self) -> StatusCode {
                match self { $($(Self::$code)|* => StatusCode::$status,)* }
            }

            /// Who the error is up to.
            pub fn error_type(&self) -> ErrorType {
                match self { $($(Self::$code)|* => ErrorType::$kind,)* }
            }
        }

        /// One type per code, to name the code of a parser's error in its type.
        #[allow(missing_docs)] // the names say it
        pub mod marker {
            use super::{Code, CodeMarker};
            $($(
                #[derive(Debug, Clone, Copy, Default)]
                pub struct $code;
                impl CodeMarker for $code {
                    const CODE: Code = Code::$code;
                }
            )*)*
        }
    };
}

codes! {
    InvalidRequest BAD_REQUEST => [
        BadParameter, BadRequest, DuplicateIndexFound, EditDocumentsByFunctionError, FacetSearchDisabled,
        FeatureNotEnabled, ImmutableApiKeyActions, ImmutableApiKeyCreatedAt, ImmutableApiKeyExpiresAt,
        ImmutableApiKeyIndexes, ImmutableApiKeyKey, ImmutableApiKeyUid, ImmutableApiKeyUpdatedAt,
        ImmutableIndexCreatedAt, ImmutableIndexUpdatedAt, ImmutableWebhook, ImmutableWebhookIsEditable,
        ImmutableWebhookUuid, InconsistentDocumentChangeHeaders, IndexPrimaryKeyAlreadyExists,
        IndexPrimaryKeyMultipleCandidatesFound, IndexPrimaryKeyNoCandidateFound,
        IndexScopedApiKeyWithGlobalAction, InvalidApiKeyActions, InvalidApiKeyDescription,
        InvalidApiKeyExpiresAt, InvalidApiKeyIndexes, InvalidApiKeyLimit, InvalidApiKeyName,
        InvalidApiKeyOffset, InvalidApiKeyUid, InvalidBatchUids, InvalidChatCompletionApiKey,
        InvalidChatCompletionApiVersion, InvalidChatCompletionBaseApi, InvalidChatCompletionDeploymentId,
        InvalidChatCompletionOrgId, InvalidChatCompletionPreQueryPrompt, InvalidChatCompletionProjectId,
        InvalidChatCompletionPrompts, InvalidChatCompletionSearchDescriptionPrompt,
        InvalidChatCompletionSearchFilterParamPrompt, InvalidChatCompletionSearchIndexUidParamPrompt,
        InvalidChatCompletionSearchQueryParamPrompt, InvalidChatCompletionSource,
        InvalidChatCompletionSystemPrompt, InvalidChatSettingDocumentTemplate, InvalidDocumentCsvDelimiter,
        InvalidDocumentEditionContext, InvalidDocumentEditionFunctionFilter, InvalidDocumentFields,
        InvalidDocumentFilter, InvalidDocumentGeoField, InvalidDocumentGeojsonField, InvalidDocumentId,
        InvalidDocumentIds, InvalidDocumentLimit, InvalidDocumentOffset, InvalidDocumentRetrieveVectors,
        InvalidDocumentSort, InvalidDocumentUseNetwork, InvalidDynamicSearchRuleActions,
        InvalidDynamicSearchRuleActive, InvalidDynamicSearchRuleConditions,
        InvalidDynamicSearchRuleDescription, InvalidDynamicSearchRuleFilter,
        InvalidDynamicSearchRuleFilterActive, InvalidDynamicSearchRuleFilterQuery,
        InvalidDynamicSearchRuleLimit, InvalidDynamicSearchRuleOffset, InvalidDynamicSearchRulePriority,
        InvalidExportApiKey, InvalidExportIndexFilter, InvalidExportIndexOverrideSettings,
        InvalidExportIndexesPatterns, InvalidExportPayloadSize, InvalidExportUrl,
        InvalidFacetSearchExhaustiveFacetCount, InvalidFacetSearchFacetName, InvalidFacetSearchName,
        InvalidFacetSearchQuery, InvalidHeaderValue, InvalidIndexCustomMetadata, InvalidIndexFieldsFilter,
        InvalidIndexFieldsFilterAttributePatterns, InvalidIndexFieldsFilterDisplayed,
        InvalidIndexFieldsFilterDistinct, InvalidIndexFieldsFilterFilterable,
        InvalidIndexFieldsFilterRankingRule, InvalidIndexFieldsFilterSearchable,
        InvalidIndexFieldsFilterSortable, InvalidIndexLimit, InvalidIndexOffset, InvalidIndexPrimaryKey,
        InvalidIndexUid, InvalidMultiSearchDistinct, InvalidMultiSearchFacetOrder, InvalidMultiSearchFacets,
        InvalidMultiSearchFacetsByIndex, InvalidMultiSearchFederated, InvalidMultiSearchFederationOptions,
        InvalidMultiSearchMaxValuesPerFacet, InvalidMultiSearchMergeFacets, InvalidMultiSearchQueryFacets,
        InvalidMultiSearchQueryPagination, InvalidMultiSearchQueryPersonalization,
        InvalidMultiSearchQueryPosition, InvalidMultiSearchQueryRankingRules,
        InvalidMultiSearchQueryShowPerformanceDetails, InvalidMultiSearchRemote, InvalidMultiSearchWeight,
        InvalidNetworkLeader, InvalidNetworkRemotes, InvalidNetworkSearchApiKey, InvalidNetworkSelf,
        InvalidNetworkShards, InvalidNetworkUrl, InvalidNetworkWriteApiKey, InvalidRenderInput,
        InvalidRenderTemplate, InvalidSearchAttributesToCrop, InvalidSearchAttributesToHighlight,
        InvalidSearchAttributesToRetrieve, InvalidSearchAttributesToSearchOn, InvalidSearchCropLength,
        InvalidSearchCropMarker, InvalidSearchDistinct, InvalidSearchEmbedder, InvalidSearchFacets,
        InvalidSearchFilter, InvalidSearchHighlightPostTag, InvalidSearchHighlightPreTag,
        InvalidSearchHitsPerPage, InvalidSearchHybridQuery, InvalidSearchLimit, InvalidSearchLocales,
        InvalidSearchMatchingStrategy, InvalidSearchMedia, InvalidSearchMediaAndVector, InvalidSearchOffset,
        InvalidSearchPage, InvalidSearchPersonalize, InvalidSearchPersonalizeUserContext, InvalidSearchQ,
        InvalidSearchRankingScoreThreshold, InvalidSearchRetrieveVectors, InvalidSearchSemanticRatio,
        InvalidSearchShowMatchesPosition, InvalidSearchShowPerformanceDetails,
        InvalidSearchShowRankingScore, InvalidSearchShowRankingScoreDetails, InvalidSearchSort,
        InvalidSearchUseNetwork, InvalidSearchVector, InvalidSettingsDictionary,
        InvalidSettingsDisplayedAttributes, InvalidSettingsDistinctAttribute, InvalidSettingsEmbedders,
        InvalidSettingsFacetSearch, InvalidSettingsFaceting, InvalidSettingsFilterableAttributes,
        InvalidSettingsForeignKeys, InvalidSettingsIndexChat, InvalidSettingsLocalizedAttributes,
        InvalidSettingsNonSeparatorTokens, InvalidSettingsPagination, InvalidSettingsPrefixSearch,
        InvalidSettingsProximityPrecision, InvalidSettingsRankingRules, InvalidSettingsSearchCutoffMs,
        InvalidSettingsSearchableAttributes, InvalidSettingsSeparatorTokens,
        InvalidSettingsSortableAttributes, InvalidSettingsStopWords, InvalidSettingsSynonyms,
        InvalidSettingsTypoTolerance, InvalidSimilarAttributesToRetrieve, InvalidSimilarEmbedder,
        InvalidSimilarFilter, InvalidSimilarId, InvalidSimilarLimit, InvalidSimilarOffset,
        InvalidSimilarRankingScoreThreshold, InvalidSimilarRetrieveVectors,
        InvalidSimilarShowPerformanceDetails, InvalidSimilarShowRankingScore,
        InvalidSimilarShowRankingScoreDetails, InvalidSkipCreation, InvalidStatsShowInternalDatabaseSizes,
        InvalidStatsSizeFormat, InvalidSwapDuplicateIndexFound, InvalidSwapIndexes, InvalidSwapRename,
        InvalidTaskAfterEnqueuedAt, InvalidTaskAfterFinishedAt, InvalidTaskAfterStartedAt,
        InvalidTaskBeforeEnqueuedAt, InvalidTaskBeforeFinishedAt, InvalidTaskBeforeStartedAt,
        InvalidTaskCanceledBy, InvalidTaskFrom, InvalidTaskLimit, InvalidTaskReverse, InvalidTaskStatuses,
        InvalidTaskTypes, InvalidTaskUids, InvalidVectorDimensions, InvalidVectorsType,
        InvalidWebhookHeaders, InvalidWebhookUrl, InvalidWebhookUuid, InvalidWebhooks, MalformedPayload,
        MaxFieldsLimitExceeded, MissingApiKeyActions, MissingApiKeyExpiresAt, MissingApiKeyIndexes,
        MissingDocumentEditionFunction, MissingDocumentFilter, MissingDocumentId,
        MissingFacetSearchFacetName, MissingIndexUid, MissingNetworkUrl, MissingPayload,
        MissingSearchHybrid, MissingSwapIndexes, MissingTaskFilters, NetworkVersionTooOld,
        NotFoundSimilarId, NotLeader, RemoteBadRequest, TemplateParsingError, TemplateRenderingError,
        TooManyVectors, UnexpectedNetworkPreviousRemotes, UnknownRemote, UnprocessedNetworkTask,
        UnretrievableErrorCode, VectorEmbeddingError,
    ],
    InvalidRequest CONFLICT => [
        ApiKeyAlreadyExists, DumpAlreadyProcessing, IndexAlreadyExists,
    ],
    InvalidRequest NOT_FOUND => [
        ApiKeyNotFound, BatchNotFound, ChatNotFound, DocumentNotFound, DumpNotFound,
        DynamicSearchRuleNotFound, IndexNotFound, RenderDocumentNotFound, TaskFileNotFound, TaskNotFound,
        WebhookNotFound,
    ],
    InvalidRequest NOT_IMPLEMENTED => [
        UnimplementedExternalFunctionCalling, UnimplementedMultiChoiceChatCompletions,
        UnimplementedNonStreamingChatCompletions,
    ],
    InvalidRequest PAYLOAD_TOO_LARGE => [
        PayloadTooLarge,
    ],
    InvalidRequest PRECONDITION_FAILED => [
        ImportTaskAlreadyReceived, ImportTaskUnknownRemote, NetworkVersionMismatch,
        ReceiveImportFinishedUnknownRemote,
    ],
    InvalidRequest SERVICE_UNAVAILABLE => [
        ImportTaskWithoutNetworkTask,
    ],
    InvalidRequest UNAVAILABLE_FOR_LEGAL_REASONS => [
        RequiresEnterpriseEdition,
    ],
    InvalidRequest UNSUPPORTED_MEDIA_TYPE => [
        InvalidContentType, MissingContentType, UnsupportedMediaType,
    ],
    Internal BAD_REQUEST => [
        InvalidS3SnapshotParameters, InvalidS3SnapshotRequest, UnretrievableDocument,
    ],
    Auth FORBIDDEN => [
        InvalidApiKey, RemoteInvalidApiKey,
    ],
    Auth UNAUTHORIZED => [
        MissingAuthorizationHeader, MissingMasterKey,
    ],
    Internal BAD_GATEWAY => [
        S3SnapshotServerError,
    ],
    Internal INTERNAL_SERVER_ERROR => [
        DatabaseSizeLimitReached, DumpProcessFailed, IndexCreationFailed, Internal, InvalidState,
        InvalidStoreFile,
    ],
    System BAD_GATEWAY => [
        RemoteBadResponse, RemoteCouldNotSendRequest, RemoteRemoteError, RemoteTimeout,
    ],
    System SERVICE_UNAVAILABLE => [
        TooManySearchRequests,
    ],
    System UNPROCESSABLE_ENTITY => [
        IoError, NoSpaceLeftOnDevice, TooManyOpenFiles,
    ],
    InvalidRequest BAD_REQUEST => [
        MiroirReservedField,
    ],
    InvalidRequest CONFLICT => [
        MiroirIdempotencyKeyReused,
    ],
    InvalidRequest NOT_FOUND => [
        MiroirRouteNotFound,
    ],
    InvalidRequest NOT_IMPLEMENTED => [
        MiroirNotSupported,
    ],
    InvalidRequest TOO_MANY_REQUESTS => [
        MiroirTooManyRequests,
    ],
    Internal INTERNAL_SERVER_ERROR => [
        MiroirMergeFailed, MiroirPayloadLost,
    ],
    System BAD_GATEWAY => [
        MiroirNodeError,
    ],
    System GATEWAY_TIMEOUT => [
        MiroirTimeout,
    ],
    System INSUFFICIENT_STORAGE => [
        MiroirStorageFull,
    ],
    System SERVICE_UNAVAILABLE => [
        MiroirOverloaded, MiroirShardUnavailable, MiroirShuttingDown,
    ],
}

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn names_are_unique_and_found_again() {
        for code in Code::ALL {
            assert_eq!(Code::from_name(code.name()), Some(*code));
        }
    }

    #[test]
    fn names_are_snake_case() {
        let expected = [
            (Code::IndexNotFound, "index_not_found"),
            (Code::InvalidSearchQ, "invalid_search_q"),
            (Code::InvalidSettingsSearchCutoffMs, "invalid_settings_search_cutoff_ms"),
            (Code::MiroirShardUnavailable, "miroir_shard_unavailable"),
        ];
        for (code, name) in expected {
            assert_eq!(code.name(), name);
        }
    }

    #[test]
    fn type_and_status_follow_the_table() {
        assert_eq!(Code::InvalidApiKey.error_type().name(), "auth");
        assert_eq!(Code::InvalidApiKey.status(), 403);
        assert_eq!(Code::MiroirStorageFull.status(), 507);
        assert_eq!(Code::NoSpaceLeftOnDevice.error_type().name(), "system");
    }
}
