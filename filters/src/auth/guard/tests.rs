//! Who may ask for what.

use miroir_protocol::keys::CreateKey;
use serde_json::{Value, json};
use time::macros::datetime;

use super::*;
use crate::auth::tenant_token::tests::signed;

const MASTER: &str = "secret";
const NOW: OffsetDateTime = datetime!(2030-01-01 0:00 UTC);

fn key(actions: &[&str], indexes: &[&str], end: Option<OffsetDateTime>) -> Key {
    let actions = serde_json::from_value(json!(actions)).expect("actions");
    let indexes = serde_json::from_value(json!(indexes)).expect("patterns");
    let asked = CreateKey { description: None, name: None, uid: None, actions, indexes, expires_at: end };
    Key::new(asked, NOW)
}

/// The keys of a test.
struct Keys {
    set: KeySet,
}

impl Keys {
    fn of(keys: impl IntoIterator<Item = Key>) -> Self {
        Self { set: KeySet::new(Some(MASTER), keys) }
    }

    fn none(master: Option<&str>) -> Self {
        Self { set: KeySet::new(master, []) }
    }

    fn check(&self, request: &str, authorization: Option<&str>) -> Result<(Identity, Access), AuthError> {
        let (method, path) = request.split_once(' ').expect("a method and a path");
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization {
            headers.insert(AUTHORIZATION, HeaderValue::from_str(value).expect("a header"));
        }
        let method: Method = method.parse().expect("a method");
        Guard::new(&AuthConfig::default()).check(&method, path, &headers, &self.set, NOW)
    }

    fn with(&self, token: &str, request: &str) -> Result<(), AuthError> {
        self.check(request, Some(&format!("Bearer {token}"))).map(drop)
    }
}

fn value(key: &Key) -> String {
    key_value(MASTER, key.uid)
}

fn token(key: &Key, claims: Value) -> String {
    let mut claims = claims;
    claims["apiKeyUid"] = json!(key.uid);
    signed(&json!({ "alg": "HS256" }), &claims, &value(key))
}

#[test]
fn the_master_key_opens() {
    let keys = Keys::none(Some(MASTER));
    let checked = keys.check("GET /indexes", Some("Bearer secret"));
    assert_eq!(checked, Ok((Identity::MasterKey, Access::default())));
}

#[test]
fn another_key_does_not() {
    let keys = Keys::none(Some(MASTER));
    for key in ["Bearer wrong", "Bearer ", "Bearer", "Bearer  secret", "Bearer secret2", "Bearer secre"] {
        for request in ["GET /indexes", "POST /multi-search"] {
            assert_eq!(keys.check(request, Some(key)), Err(AuthError::InvalidKey), "{key}");
        }
    }
}

#[test]
fn what_is_no_bearer_token_counts_as_missing() {
    let keys = Keys::none(Some(MASTER));
    for header in [None, Some("Basic secret"), Some("bearer secret"), Some("secret"), Some("")] {
        assert_eq!(keys.check("GET /indexes", header), Err(AuthError::MissingHeader), "{header:?}");
    }
    let open = Keys::none(None);
    assert_eq!(open.check("GET /indexes", Some("Basic secret")), Err(AuthError::MissingHeader));
}

#[test]
fn what_is_public_or_nowhere_is_open() {
    let keys = Keys::none(Some(MASTER));
    let everything = Ok((Identity::Anonymous, Access::default()));
    for request in ["GET /health", "GET //health/", "GET /", "GET /nope", "PATCH /health", "PUT /indexes"] {
        assert_eq!(keys.check(request, None), everything, "{request}");
    }
    assert_eq!(keys.check("GET /version", None), Err(AuthError::MissingHeader));
}

#[test]
fn without_a_master_key_all_is_open_but_the_keys() {
    let keys = Keys::none(None);
    assert!(keys.check("GET /indexes", None).is_ok());
    assert!(keys.check("GET /_miroir/explain", None).is_ok());
    assert!(keys.with("whatever", "GET /indexes").is_ok());
    assert_eq!(keys.check("GET /keys", None), Err(AuthError::MissingMasterKey));
    assert_eq!(keys.with("x", "DELETE /keys/abc"), Err(AuthError::MissingMasterKey));
}

#[test]
fn a_key_opens_what_its_actions_say() {
    let key = key(&["search", "documents.*"], &["*"], None);
    let (value, keys) = (value(&key), Keys::of([key]));
    for allowed in ["POST /indexes/a/search", "POST /multi-search", "PUT /indexes/a/documents"] {
        assert_eq!(keys.with(&value, allowed), Ok(()), "{allowed}");
    }
    for refused in [
        "GET /indexes",
        "GET /keys",
        "POST /indexes/a/documents/edit",
        "POST /render-template",
        "POST /_miroir/explain",
    ] {
        assert_eq!(keys.with(&value, refused), Err(AuthError::InvalidKey), "{refused}");
    }
}

#[test]
fn a_key_for_other_indexes_is_told_which() {
    let key = key(&["search", "indexes.get"], &["mov*", "books"], None);
    let (value, keys) = (value(&key), Keys::of([key]));
    assert_eq!(keys.with(&value, "GET /indexes/movies/search"), Ok(()));
    assert_eq!(keys.with(&value, "GET /indexes"), Ok(()));
    let refused = keys.with(&value, "GET /indexes/airports/search").expect_err("another index");
    let expected =
        r#"The API key cannot acces the index `airports`, authorized indexes are ["books", "mov*"]."#;
    assert_eq!(refused.to_string(), expected);
}

#[test]
fn miroirs_own_paths_need_a_key_for_everything() {
    let (all, some) = (key(&["*"], &["*"], None), key(&["*"], &["a"], None));
    let values = [value(&all), value(&some)];
    let keys = Keys::of([all, some]);
    assert_eq!(keys.with(&values[0], "POST /_miroir/explain"), Ok(()));
    assert_eq!(keys.with(&values[1], "POST /_miroir/explain"), Err(AuthError::InvalidKey));
    assert_eq!(keys.check("GET //_miroir/nodes/n/stats", None), Err(AuthError::MissingHeader));
}

#[test]
fn a_key_that_has_ended_opens_nothing() {
    let key = key(&["*"], &["*"], Some(NOW));
    let (value, keys) = (value(&key), Keys::of([key]));
    assert_eq!(keys.with(&value, "GET /indexes"), Err(AuthError::InvalidKey));
}

#[test]
fn a_tenant_token_searches_its_indexes() {
    let key = key(&["search"], &["mov*"], None);
    let token = token(&key, json!({ "searchRules": { "movies": { "filter": "a = 1" }, "doc*": null } }));
    let keys = Keys::of([key]);
    let (_, access) =
        keys.check("POST /indexes/movies/search", Some(&format!("Bearer {token}"))).expect("allowed");
    let mut filter = None;
    access.restrict("movies", &mut filter);
    assert_eq!(filter, Some(json!("a = 1")));

    let refused = |request| keys.with(&token, request).expect_err("another index").to_string();
    assert_eq!(
        refused("GET /indexes/moviesquotes/search"),
        r#"The provided tenant token cannot acces the index `moviesquotes`, allowed indexes are ["doc*", "movies"]."#
    );
    assert_eq!(
        refused("GET /indexes/documents/search"),
        "The API key used to generate this tenant token cannot acces the index `documents`."
    );
    assert_eq!(refused("GET /indexes"), "The provided API key is invalid.");
    assert_eq!(keys.with(&token, "POST /multi-search"), Ok(()));
}

#[test]
fn a_tenant_token_ends_with_its_time_or_its_key() {
    let (good, ended) = (key(&["search"], &["*"], None), key(&["search"], &["*"], Some(NOW)));
    let (deleted, other) = (key(&["search"], &["*"], None), key(&["version"], &["*"], None));
    let rules = || json!({ "searchRules": ["*"] });
    let with_end =
        |seconds: i64| token(&good, json!({ "searchRules": ["*"], "exp": NOW.unix_timestamp() + seconds }));
    let cases = [
        (with_end(0), Ok(())),
        (with_end(-1), Err(AuthError::TokenExpired { end: 1_893_455_999, now: 1_893_456_000 })),
        (token(&ended, rules()), Err(AuthError::InvalidKey)),
        (token(&deleted, rules()), Err(AuthError::InvalidKey)),
        (token(&other, rules()), Err(AuthError::InvalidKey)),
        (format!("{}x", with_end(9)), Err(AuthError::Token(TokenError::Signature))),
    ];
    let keys = Keys::of([good, ended, other]);
    for (token, expected) in cases {
        let got = keys.with(&token, "POST /indexes/a/search");
        match (&got, &expected) {
            (Err(AuthError::Token(_)), Err(AuthError::Token(_))) => {}
            _ => assert_eq!(got, expected),
        }
    }
}
