//! The master key.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, header};
use miroir_protocol::error::ResponseError;

use super::api::Api;
use super::reply::Failure;

/// Lets requests pass that carry the master key, or all of them when there is none.
pub(super) async fn require_key(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    match check(api.master_key.as_deref(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(error) => Failure(error).into_response(),
    }
}

fn check(master_key: Option<&str>, headers: &HeaderMap) -> Result<(), ResponseError> {
    let Some(master_key) = master_key else { return Ok(()) };
    let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    match sent.and_then(|value| value.strip_prefix("Bearer ")) {
        Some(key) if key.trim() == master_key => Ok(()),
        Some(_) => Err(ResponseError::invalid_api_key()),
        None => Err(ResponseError::missing_authorization_header()),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header};

    use super::check;

    fn code(master_key: Option<&str>, sent: Option<&'static str>) -> Option<String> {
        let mut headers = HeaderMap::new();
        if let Some(sent) = sent {
            headers.insert(header::AUTHORIZATION, HeaderValue::from_static(sent));
        }
        check(master_key, &headers).err().map(|error| error.code_name().to_owned())
    }

    #[test]
    fn only_the_master_key_passes() {
        assert_eq!(code(Some("key"), Some("Bearer key")), None);
        assert_eq!(code(Some("key"), Some("Bearer other")).as_deref(), Some("invalid_api_key"));
        assert_eq!(code(Some("key"), Some("Basic key")).as_deref(), Some("missing_authorization_header"));
        assert_eq!(code(Some("key"), None).as_deref(), Some("missing_authorization_header"));
    }

    #[test]
    fn without_a_master_key_all_pass() {
        assert_eq!(code(None, None), None);
    }
}
