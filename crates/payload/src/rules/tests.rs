use serde_json::{Value, json};

use super::*;
use crate::{PrimaryKey, SplitError};

/// The rules of an index with places, and an embedder `m` of two dimensions that is given its vectors.
fn rules() -> Rules {
    of(json!({
        "filterableAttributes": ["_geo"],
        "embedders": {"m": {"source": "userProvided", "dimensions": 2}},
    }))
}

fn of(settings: Value) -> Rules {
    Rules::of(&Settings::from_value(settings).expect("settings"))
}

/// What is to be said of a document with the id `7` and these members.
fn verdict(rules: &Rules, members: &str) -> Verdict {
    let spool = format!("{{\"id\":7{members}}}");
    let key = PrimaryKey::new("id");
    let suspect = Inspection::new(spool.as_bytes(), &key, rules).next();
    suspect.map_or(Verdict::Fine, |suspect| suspect.expect("a document").verdict)
}

/// The code and the message with which these members are refused.
fn refusal(members: &str) -> (Step, String, String) {
    match verdict(&rules(), members) {
        Verdict::Refused(step, error) => (step, error.code_name().to_owned(), error.message().to_owned()),
        other => panic!("{members}: {other:?}"),
    }
}

/// What a write of these documents, of which none is there yet, fails with.
fn error(spool: &str, merges: bool) -> Option<String> {
    let (rules, key) = (rules(), PrimaryKey::new("id"));
    let suspects: Result<Vec<Suspect>, SplitError> =
        Inspection::new(spool.as_bytes(), &key, &rules).collect();
    let left = final_versions(spool.as_bytes(), &key, &rules, merges, &suspects.expect("documents"));
    let error = rules.error_of(&left.expect("documents"), &key, || Ok(spool.as_bytes()));
    error.expect("documents").map(|error| error.message().to_owned())
}

const NO_VECTORS: &str = "While embedding documents for embedder `m`: no vectors provided for document `1`";
const NOTE: &str = "\n- Note: `m` has `source: userProvided`, so documents must provide embeddings as an array in \
                    `_vectors.m`.";

#[test]
fn vectors_have_a_form_even_where_there_is_no_embedder() {
    let is_refused = |vectors: &str, code: &str, message: &str| {
        let (step, found_code, found) = refusal(&format!(",\"_vectors\":{vectors}"));
        assert_eq!((step, found_code.as_str()), (Step::Form, code), "{vectors}");
        assert!(found.ends_with(message), "{vectors}: {found}");
        assert!(matches!(
            verdict(&Rules::default(), &format!(",\"_vectors\":{vectors}")),
            Verdict::Refused(..)
        ));
    };
    let internal = [
        ("null", "invalid type: null, expected a map at line 1 column 4"),
        ("[]", "invalid type: sequence, expected a map at line 1 column 0"),
        ("3", "invalid type: integer `3`, expected a map at line 1 column 1"),
        ("\"x\"", "invalid type: string \"x\", expected a map at line 1 column 3"),
    ];
    for (vectors, message) in internal {
        is_refused(vectors, "internal", message);
    }
    let wrong = [
        ("3", "but got the integer `3`"),
        ("-3", "but got the integer `-3`"),
        ("1.5", "but got the number `1.5`"),
        ("\"s\"", "but got the string `s`"),
        ("true", "but got the boolean `true`"),
        ("{}", "or an object with field `regenerate`"),
        ("{\"embeddings\":[1]}", "or an object with field `regenerate`"),
        (
            "{\"regenerate\":1}",
            "Could not parse `._vectors.a.regenerate`: invalid type: integer `1`, expected a boolean at line 1 column 15",
        ),
        (
            "{\"regenerate\":true,\"x\":1}",
            "Could not parse `._vectors.a`: trailing characters at line 1 column 23",
        ),
        ("{\"x\":1}", "Could not parse `._vectors.a`: trailing characters at line 1 column 5"),
        (
            "{\"regener\\u0061te\":true}",
            "Could not parse `._vectors.a`: trailing characters at line 1 column 19",
        ),
        ("1e400", "Could not parse `._vectors.a`: number out of range at line 1 column 5"),
    ];
    for (given, message) in wrong {
        is_refused(&format!("{{\"a\":{given}}}"), "invalid_vectors_type", message);
    }
    is_refused("{\"\\u0061\":3}", "invalid_vectors_type", "but got the integer `3`");
    for fine in ["null", "[]", "[\"x\"]", "{\"regenerate\":false,\"embeddings\":3}", "{\"regenerate\":true}"]
    {
        assert_eq!(
            verdict(&Rules::default(), &format!(",\"_vectors\":{{\"a\":{fine}}}")),
            Verdict::Fine,
            "{fine}"
        );
    }
}

#[test]
fn vectors_are_numbers_and_as_many_as_the_embedder_has_dimensions() {
    let fine = [
        "null",
        "[]",
        "[1,2]",
        "[ -1.5e-3 , 2E5 ]",
        "[[1,2],[3,4]]",
        "[ [1,2] ,\n[3,4] ]",
        "[1e39,18446744073709551616]",
        "{\"regenerate\":false}",
        "{\"regenerate\":true,\"embeddings\":[1,2]}",
        "{\"regenerate\":false,\"embeddings\":[]}",
    ];
    for given in fine {
        assert_eq!(verdict(&rules(), &format!(",\"_vectors\":{{\"m\":{given}}}")), Verdict::Fine, "{given}");
    }
    let wrong = [
        ("[1]", "embedding #0 has dimensions 1\n  - note: embedder `m` requires 2"),
        ("[[1,2],[3]]", "embedding #1 has dimensions 1\n  - note: embedder `m` requires 2"),
        ("[[]]", "embedding #0 has dimensions 0\n  - note: embedder `m` requires 2"),
        ("[[1,2],3]", "at `._vectors.m[1]`: expected an array, but found a positive integer: `3`"),
        ("[[1,2],\"x\"]", "at `._vectors.m[1]`: expected an array, but found a string: `\"x\"`"),
        ("[1,[2]]", "at `._vectors.m[1]`: expected a number, but found an array: `[2]`"),
        ("[\"x\"]", "at `._vectors.m[0]`: expected a number or an array, but found a string: `\"x\"`"),
        ("[null,1]", "at `._vectors.m[0]`: expected a number or an array, but found null"),
        ("[[1,null]]", "at `._vectors.m[0][1]`: expected a number, but found null"),
        (
            "{\"regenerate\":false,\"embeddings\":[1,true]}",
            "at `._vectors.m.embeddings[1]`: expected a number, but found a boolean: `true`",
        ),
        (
            "{\"regenerate\":false,\"embeddings\":3}",
            "at `._vectors.m.embeddings`: expected null or an array, but found a positive integer: `3`",
        ),
    ];
    for (given, message) in wrong {
        let (step, _, found) = refusal(&format!(",\"_vectors\":{{\"m\":{given}}}"));
        assert!(step == Step::Vectors && found.ends_with(message), "{given}: {found}");
    }
    let (.., found) = refusal(",\"_vectors\":{\"m\":{\"regenerate\":true}}");
    assert!(found.contains("no vectors provided for document `7`\n- Note"), "{found}");
}

#[test]
fn an_embedder_that_makes_vectors_is_left_to_do_it() {
    let rules = of(json!({"embedders": {"a": {"source": "openAi"}, "b": {"source": "rest", "url": "u"}}}));
    assert_eq!(verdict(&rules, ""), Verdict::Fine);
    assert_eq!(verdict(&rules, ",\"_vectors\":{\"b\":[1]}"), Verdict::Fine, "its dimensions are not known");
    assert!(matches!(verdict(&rules, ",\"_vectors\":{\"a\":[1]}"), Verdict::Refused(Step::Vectors, _)));
}

#[test]
fn places_are_looked_at_where_they_are_understood() {
    let wrong = [
        (
            "3",
            "is not an object. Was expecting an object with the `_geo.lat` and `_geo.lng` fields but instead got `3`.",
        ),
        (
            "{}",
            "Could not find latitude nor longitude in the document with the id: `\"7\"`. Was expecting `_geo.lat` and `_geo.lng` fields.",
        ),
        (
            "{\"lat\":1}",
            "Could not find longitude in the document with the id: `\"7\"`. Was expecting a `_geo.lng` field.",
        ),
        (
            "{\"lng\":1}",
            "Could not find latitude in the document with the id: `\"7\"`. Was expecting a `_geo.lat` field.",
        ),
        ("{\"lat\":1,\"lng\":2,\"x\":3}", "contains the following unexpected fields: `{\"x\":3}`."),
        (
            "{\"lat\":\"inf\",\"lng\":2}",
            "Could not parse latitude in the document with the id: `\"7\"`. Was expecting a finite number but instead got `\"inf\"`.",
        ),
        (
            "{\"lat\":1,\"lng\":\"b\"}",
            "Could not parse longitude in the document with the id: `\"7\"`. Was expecting a finite number but instead got `\"b\"`.",
        ),
        (
            "{\"lat\":[1],\"lng\":{\"a\":1}}",
            "Was expecting finite numbers but instead got `[1]` and `{\"a\":1}`.",
        ),
    ];
    for (place, message) in wrong {
        let (step, code, found) = refusal(&format!(",\"_geo\":{place},\"_vectors\":{{\"m\":null}}"));
        assert_eq!((step, code.as_str()), (Step::Place, "invalid_document_geo_field"));
        assert!(found.ends_with(message), "{place}: {found}");
    }
    for place in ["null", "{\"lat\":\"1.5\",\"lng\":2}", "{\"lat\":91,\"lng\":2000}"] {
        let members = format!(",\"_geo\":{place},\"_vectors\":{{\"m\":null}}");
        assert_eq!(verdict(&rules(), &members), Verdict::Fine, "{place}");
    }
    for settings in [json!({"filterableAttributes": ["*", {"attributePatterns": ["_geo"]}]}), json!({})] {
        assert_eq!(verdict(&of(settings), ",\"_geo\":3"), Verdict::Fine);
    }
    assert_ne!(verdict(&of(json!({"sortableAttributes": ["_geo"]})), ",\"_geo\":3"), Verdict::Fine);
}

#[test]
fn the_engine_comes_upon_forms_first_then_places_then_vectors() {
    let spool =
        r#"{"id":1,"_vectors":{"m":[1]}} {"id":2,"_geo":3,"_vectors":{"m":null}} {"id":3,"_vectors":3}"#;
    assert!(error(spool, false).is_some_and(|error| error.starts_with("invalid type")));
    let spool = r#"{"id":1,"_vectors":{"m":[1]}} {"id":2,"_geo":3,"_vectors":{"m":null}}"#;
    assert!(error(spool, false).is_some_and(|error| error.starts_with("The `_geo` field")));
    let spool = r#"{"id":1} {"id":2,"_vectors":{"m":[1]}}"#;
    assert!(error(spool, false).is_some_and(|error| error.starts_with("Invalid vector dimensions")));
}

#[test]
fn documents_without_vectors_are_named_with_what_was_probably_meant() {
    let hint = "\n- Hint: opt-out for a document with `_vectors.m: null`";
    assert_eq!(error(r#"{"id":1}"#, false), Some(format!("{NO_VECTORS}{NOTE}{hint}")));
    let spool = r#"{"id":1,"_vector":{"m":[1,2]}} {"id":2,"_vectors":{"mm":[1,2]}} {"id":3}"#;
    let hints = "\n- Hint: try replacing `_vector` by `_vectors` in 1 document(s).\n- Hint: try replacing `_vectors.mm` by \
                 `_vectors.m` in 1 document(s).";
    let others = " and at least 2 other document(s)";
    assert_eq!(error(spool, false), Some(format!("{NO_VECTORS}{others}{NOTE}{hints}")));
}

#[test]
fn what_is_left_of_documents_with_the_same_id_counts() {
    let bad_then_good = r#"{"id":1,"_vectors":{"m":[1]}} {"id":1,"_vectors":{"m":[1,2]}}"#;
    let good_then_none = r#"{"id":1,"_vectors":{"m":[1,2]}} {"id":"1","x":1}"#;
    for merges in [true, false] {
        assert_eq!(error(bad_then_good, merges), None);
    }
    assert_eq!(error(good_then_none, true), None);
    assert!(error(good_then_none, false).is_some_and(|error| error.starts_with(NO_VECTORS)));
}
