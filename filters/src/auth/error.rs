//! Why a request is turned down.

use miroir_protocol::error::{Code, ResponseError};

use super::TokenError;

/// Why a request is turned down, in Meilisearch's words.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// No key was sent, or not as a bearer token.
    #[error("The Authorization header is missing. It must use the bearer authorization method.")]
    MissingHeader,
    /// Keys cannot be managed while no master key is set.
    #[error(
        "Meilisearch is running without a master key. To access this API endpoint, you must have set a master key at \
         launch."
    )]
    MissingMasterKey,
    /// The key is not known, has ended, or does not allow this.
    #[error("The provided API key is invalid.")]
    InvalidKey,
    /// The key is for other indexes.
    #[error("The API key cannot acces the index `{index}`, authorized indexes are {allowed:?}.")]
    KeyForOtherIndexes {
        /// The index asked for.
        index: String,
        /// The indexes the key is for.
        allowed: Vec<String>,
    },
    /// The tenant token is for other indexes.
    #[error("The provided tenant token cannot acces the index `{index}`, allowed indexes are {allowed:?}.")]
    TokenForOtherIndexes {
        /// The index asked for.
        index: String,
        /// The indexes the token is for.
        allowed: Vec<String>,
    },
    /// The key that signed the tenant token is for other indexes, which the token's bearer need not know.
    #[error("The API key used to generate this tenant token cannot acces the index `{index}`.")]
    TokensKeyForOtherIndexes {
        /// The index asked for.
        index: String,
    },
    /// The tenant token has ended.
    #[error("Tenant token expired. Was valid up to `{end}` and we're now `{now}`.")]
    TokenExpired {
        /// Its end, in seconds since 1970.
        end: i64,
        /// The time now, in seconds since 1970.
        now: i64,
    },
    /// The tenant token cannot be read, or is not signed by the key it names.
    #[error("Could not decode tenant token, {0}.")]
    Token(TokenError),
}

impl From<&AuthError> for ResponseError {
    fn from(error: &AuthError) -> Self {
        match error {
            AuthError::MissingHeader => Self::missing_authorization_header(),
            AuthError::MissingMasterKey => Self::missing_master_key(),
            refused => Self::new(Code::InvalidApiKey, refused.to_string()),
        }
    }
}
