//! Tenant tokens: JSON Web Tokens that the bearer of a key has signed with it.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac, digest::KeyInit};
use miroir_protocol::keys::SearchRules;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use sha2::{Sha256, Sha384, Sha512};
use uuid::Uuid;

/// What a token says, before it is known whether its signature is good.
#[derive(Debug)]
pub(super) struct TenantToken<'a> {
    header: Header,
    claims: Claims,
    message: &'a str,
    signature: &'a str,
    has_audience: bool,
}

/// Why a token is none, in the words of the library that Meilisearch reads tokens with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Not three parts with dots between them.
    #[error("InvalidToken")]
    Shape,
    /// A part is not base64.
    #[error("Base64 error: {0}")]
    Base64(base64::DecodeError),
    /// A part is not JSON, or not the JSON it should be.
    #[error("JSON error: {0}")]
    Json(String),
    /// The algorithm is not one of those taken here.
    #[error("InvalidAlgorithm")]
    Algorithm,
    /// The signature is not one by the key that the token names.
    #[error("InvalidSignature")]
    Signature,
    /// The token says that it is for somebody else.
    #[error("InvalidAudience")]
    Audience,
}

#[derive(Debug, Deserialize)]
struct Header {
    alg: Algorithm,
    /// Of no use here, but texts, or the token is none.
    #[serde(default, rename = "typ")]
    _typ: Option<String>,
    #[serde(default, rename = "cty")]
    _cty: Option<String>,
    #[serde(default, rename = "kid")]
    _kid: Option<String>,
}

/// All algorithms there are; of others the error says which ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Algorithm {
    HS256,
    HS384,
    HS512,
    ES256,
    ES384,
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    EdDSA,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Claims {
    search_rules: SearchRules,
    exp: Option<i64>,
    api_key_uid: Uuid,
}

/// Claims that are not about searches.
#[derive(Debug, Deserialize)]
struct FurtherClaims {
    #[serde(default)]
    aud: Value,
}

// === impl TenantToken ===

impl<'a> TenantToken<'a> {
    /// Reads a token without believing it.
    pub(super) fn read(token: &'a str) -> Result<Self, TokenError> {
        let (message, signature) = token.rsplit_once('.').ok_or(TokenError::Shape)?;
        let (header, claims) = message.rsplit_once('.').ok_or(TokenError::Shape)?;
        let (header, json) = (part(header)?, claims);
        let claims = part(json)?;
        let has_audience = part::<FurtherClaims>(json).is_ok_and(|further| match further.aud {
            Value::String(_) => true,
            Value::Array(names) => names.iter().all(Value::is_string),
            _ => false,
        });
        Ok(Self { header, claims, message, signature, has_audience })
    }

    /// The uid of the key that should have signed it.
    pub(super) fn key_uid(&self) -> Uuid {
        self.claims.api_key_uid
    }

    /// Until when it is good, in seconds since 1970.
    pub(super) fn end(&self) -> Option<i64> {
        self.claims.exp
    }

    /// Checks the signature, and gives what the token allows.
    pub(super) fn verify(self, key_value: &str) -> Result<SearchRules, TokenError> {
        let check = match self.header.alg {
            Algorithm::HS256 => is_signed::<Hmac<Sha256>>,
            Algorithm::HS384 => is_signed::<Hmac<Sha384>>,
            Algorithm::HS512 => is_signed::<Hmac<Sha512>>,
            _ => return Err(TokenError::Algorithm),
        };
        let signature = URL_SAFE_NO_PAD.decode(self.signature).map_err(TokenError::Base64)?;
        if !check(key_value, self.message, &signature) {
            return Err(TokenError::Signature);
        }
        if self.has_audience {
            return Err(TokenError::Audience);
        }
        Ok(self.claims.search_rules)
    }
}

fn part<T: DeserializeOwned>(encoded: &str) -> Result<T, TokenError> {
    let json = URL_SAFE_NO_PAD.decode(encoded).map_err(TokenError::Base64)?;
    serde_json::from_slice(&json).map_err(|error| TokenError::Json(error.to_string()))
}

/// Compares in constant time.
fn is_signed<M: Mac + KeyInit>(key: &str, message: &str, signature: &[u8]) -> bool {
    let mut mac = <M as Mac>::new_from_slice(key.as_bytes()).expect("a MAC takes keys of any length");
    mac.update(message.as_bytes());
    mac.verify_slice(signature).is_ok()
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    /// A token with this header and these claims, signed with HMAC-SHA256.
    pub(in super::super) fn signed(header: &Value, claims: &Value, key: &str) -> String {
        let encoded = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let message = format!("{}.{}", encoded(header), encoded(claims));
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key.as_bytes()).expect("any key");
        mac.update(message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    }

    fn claims() -> Value {
        json!({ "searchRules": ["*"], "apiKeyUid": Uuid::nil() })
    }

    fn verified(token: &str) -> Result<SearchRules, TokenError> {
        TenantToken::read(token)?.verify("key")
    }

    fn token(algorithm: &str, claims: &Value) -> String {
        signed(&json!({ "alg": algorithm, "typ": "JWT" }), claims, "key")
    }

    #[test]
    fn a_signed_token_says_what_it_allows() {
        let token = token("HS256", &claims());
        assert_eq!(TenantToken::read(&token).map(|token| token.key_uid()), Ok(Uuid::nil()));
        assert!(verified(&token).expect("a good token").allow("movies"));
    }

    /// Made with another implementation.
    #[test]
    fn longer_hashes_are_taken() {
        let message = "eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9.\
            eyJzZWFyY2hSdWxlcyI6WyIqIl0sImFwaUtleVVpZCI6IjAwMDAwMDAwLTAwMDAtMDAwMC0wMDAwLTAwMDAwMDAwMDAwMCJ9";
        let mut mac = <Hmac<Sha512> as Mac>::new_from_slice(b"key").expect("any key");
        mac.update(message.as_bytes());
        let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()));
        assert!(verified(&token).is_ok());
        assert_eq!(TenantToken::read(&token).expect("a token").verify("other"), Err(TokenError::Signature));
    }

    #[test]
    fn a_token_that_is_changed_or_not_signed_is_refused() {
        let good = token("HS256", &claims());
        let other = token("HS256", &json!({ "searchRules": ["a"], "apiKeyUid": Uuid::nil() }));
        let (message, _) = other.rsplit_once('.').expect("dots");
        let (_, signature) = good.rsplit_once('.').expect("dots");
        assert_eq!(verified(&format!("{message}.{signature}")), Err(TokenError::Signature));
        assert_eq!(verified(&format!("{message}.")), Err(TokenError::Signature));
        for algorithm in ["HS384", "HS512"] {
            assert_eq!(verified(&token(algorithm, &claims())), Err(TokenError::Signature));
        }
        assert_eq!(verified(&token("RS256", &claims())), Err(TokenError::Algorithm));
        let none = verified(&token("none", &claims())).expect_err("not signed").to_string();
        assert!(none.starts_with("JSON error: unknown variant `none`, expected one of `HS256`"), "{none}");
    }

    #[test]
    fn what_is_wrong_is_said_in_meilisearchs_words() {
        let said = |claims: Value| verified(&token("HS256", &claims)).expect_err("bad").to_string();
        assert_eq!(
            said(json!({ "not": "right" })),
            "JSON error: missing field `searchRules` at line 1 column 15"
        );
        assert_eq!(
            said(json!({ "searchRules": "dog" })),
            "JSON error: data did not match any variant of untagged enum SearchRules at line 1 column 21"
        );
        let mut claims = claims();
        claims["aud"] = json!("somebody");
        assert_eq!(said(claims), "InvalidAudience");
        for text in ["", "a", "a.b"] {
            assert_eq!(verified(text), Err(TokenError::Shape));
        }
        assert!(matches!(verified("%.e30.x"), Err(TokenError::Base64(_))));
    }
}
