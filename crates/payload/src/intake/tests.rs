use proptest::prelude::*;

use super::*;

mod reference;

type Outcome = Result<(u64, String), String>;

/// Sends a payload in chunks of these lengths, over and over, and the rest at once.
fn intake(format: Format, payload: &[u8], chunks: &[usize]) -> Outcome {
    let mut intake = Intake::new(format, Vec::new());
    let mut rest = payload;
    for len in chunks {
        let (chunk, after) = rest.split_at((*len).min(rest.len()));
        intake.push(chunk).map_err(|error| error.to_string())?;
        rest = after;
    }
    intake.push(rest).map_err(|error| error.to_string())?;
    let (summary, spool) = intake.finish().map_err(|error| error.to_string())?;
    assert_eq!(summary.bytes, spool.len() as u64);
    Ok((summary.documents, String::from_utf8(spool).expect("UTF-8")))
}

fn json(payload: &str) -> Outcome {
    intake(Format::Json, payload.as_bytes(), &[])
}

fn malformed(format: &str, reason: &str) -> Outcome {
    Err(format!(
        "The `{format}` payload provided is malformed. `Couldn't serialize document value: {reason}`."
    ))
}

#[test]
fn documents_keep_their_own_bytes() {
    let spool = "{ \"id\" :1.50, \"t\":\"\\u0061\"}\n{\"id\":2,\n \"x\":[1e2]}\n".to_owned();
    assert_eq!(
        json("\n [{ \"id\" :1.50, \"t\":\"\\u0061\"} ,\n{\"id\":2,\n \"x\":[1e2]}]  "),
        Ok((2, spool))
    );
    assert_eq!(
        intake(Format::Ndjson, b"{\"id\":1}\n\n{\"id\":2}{\"id\":3}", &[]),
        Ok((3, "{\"id\":1}\n{\"id\":2}\n{\"id\":3}\n".into()))
    );
}

#[test]
fn csv_that_unfolds_without_bounds_is_refused() {
    let wide = ["a,".repeat(70_000), "a\n1\n".to_owned()].concat();
    let error = intake(Format::Csv { delimiter: b',' }, wide.as_bytes(), &[]).expect_err("too wide");
    assert!(error.ends_with("`a record has more than 65536 fields`."), "{error}");

    // Each row of two bytes becomes a document of a thousand.
    let long = [&*"a".repeat(1000), &*"\n1".repeat(1000)].concat();
    let mut intake = Intake::new(Format::Csv { delimiter: b',' }, Vec::new()).limit(100_000);
    let error = intake.push(long.as_bytes()).expect_err("too long");
    assert!(matches!(error, IntakeError::TooLong(100_000)), "{error}");
}

#[test]
fn what_is_held_is_the_document_that_is_incomplete() {
    let mut ndjson = Intake::new(Format::Ndjson, Vec::new());
    ndjson.push(br#"{"id":1,"t":""#).expect("the start of a document");
    ndjson.push(&[b'a'; 100_000]).expect("more of it");
    assert!((100_000..200_000).contains(&ndjson.held()), "{}", ndjson.held());
    // It is looked at again once there is twice as much.
    ndjson.push(b"\"}\n").expect("its end");
    ndjson.push(&b"{\"id\":2}\n".repeat(20_000)).expect("others");
    ndjson.push(b"{").expect("the next one");
    assert!(ndjson.held() < 100, "{}", ndjson.held());

    // One object is read as a whole, and its values take more than their text.
    let mut json = Intake::new(Format::Json, Vec::new());
    json.push(br#"{"id":["#).expect("the start of a document");
    json.push(&b"1,".repeat(1000)).expect("more of it");
    assert!(json.held() > 60_000, "{}", json.held());
}

#[test]
fn a_single_object_is_a_document() {
    assert_eq!(json(" {\"id\": 1, \"id\": 2}\n"), Ok((1, "{\"id\":2}\n".into())));
}

#[test]
fn no_documents_are_a_payload_too() {
    assert_eq!(json("[ ]"), Ok((0, String::new())));
    assert_eq!(intake(Format::Ndjson, b"\n", &[]), Ok((0, String::new())));
    assert_eq!(intake(Format::Csv { delimiter: b',' }, b"id,title\n", &[]), Ok((0, String::new())));
}

#[test]
fn a_repeated_field_of_an_array_element_counts_once() {
    assert_eq!(json(r#"[{"id":1,"a":0,"\u0069d":2}]"#), Ok((1, "{\"id\":2,\"a\":0}\n".into())));
    assert_eq!(
        intake(Format::Ndjson, br#"{"id":1,"id":2}"#, &[]),
        Ok((1, "{\"id\":1,\"id\":2}\n".into())),
        "NDJSON is passed on as it is"
    );
    let many: String = (0..100).map(|n| format!("\"f{n}\":{n},")).collect();
    let (_, spool) = json(&format!("[{{{many}\"f7\":true}}]")).expect("a document");
    assert_eq!((spool.matches("f7\"").count(), spool.contains("\"f7\":true")), (1, true));
}

/// As recorded from Meilisearch v1.50.
#[test]
fn errors_are_those_of_meilisearch() {
    assert_eq!(json("[{]"), malformed("json", "key must be a string at line 1 column 3"));
    assert_eq!(json("[1,2]"), malformed("json", "trailing characters at line 1 column 4"));
    assert_eq!(json("\"a string\""), malformed("json", "data are neither an object nor a list of objects"));
    assert_eq!(json(""), Err("A json payload is missing.".into()));
    assert_eq!(
        intake(Format::Ndjson, b"{\"id\":1}\n{bad", &[]),
        malformed("ndjson", "key must be a string at line 2 column 2")
    );
    assert_eq!(
        intake(Format::Csv { delimiter: b',' }, b"id,year:number\n900007,notanumber\n", &[]),
        Err("The `csv` payload provided is malformed: `Error parsing number \"notanumber\" at line 1: invalid float literal`.".into())
    );
}

#[test]
fn csv_becomes_documents() {
    let csv = "id,title;x,year:number,ok:boolean,year\n1,\"a \"\"b\"\"\nc\", 1.5 ,true,\n\n-2,,,,é\n";
    let documents = "{\"id\":\"1\",\"title;x\":\"a \\\"b\\\"\\nc\",\"year\":null,\"ok\":true}\n\
                     {\"id\":\"-2\",\"title;x\":null,\"year\":\"é\",\"ok\":null}\n";
    for chunk in 1..csv.len() {
        let found = intake(Format::Csv { delimiter: b',' }, csv.as_bytes(), &vec![chunk; csv.len() / chunk]);
        assert_eq!(found, Ok((2, documents.into())));
    }
}

#[test]
fn the_internal_field_is_refused_at_once() {
    let reserved = |name: &str| {
        Err(format!(
            "The field `{name}` of a document is reserved: names of fields cannot be `_miroir` or start with `_miroir.`."
        ))
    };
    assert_eq!(json(r#"[{"id":1},{"\u005fmiroir":1}]"#), reserved("_miroir"));
    assert_eq!(json(r#"{"_miroir.s":1}"#), reserved("_miroir.s"));
    assert_eq!(intake(Format::Ndjson, br#"{"_miroir":{}}"#, &[]), reserved("_miroir"));
    assert_eq!(intake(Format::Csv { delimiter: b';' }, b"id;_miroir:number\n", &[]), reserved("_miroir"));
    assert!(json(r#"[{"_miroirs":1,"a":{"_miroir":2}}]"#).is_ok());
}

#[test]
fn the_internal_field_passes_where_it_is_allowed() {
    let documents = br#"{"id":1,"_miroir":{"s":[";"]}}"#;
    for format in [Format::Json, Format::Ndjson] {
        let mut intake = Intake::new(format, Vec::new()).allow_internal_field();
        intake.push(documents).expect("a document");
        let (summary, spool) = intake.finish().expect("a payload");
        assert_eq!((summary.documents, spool), (1, [documents, &b"\n"[..]].concat()));
    }
}

#[test]
fn errors_of_a_malformed_payload_come_before_its_end() {
    let mut intake = Intake::new(Format::Json, Vec::new());
    assert!(intake.push(b"{\"id\":1}\n{\"id\":2}\n{\"id\":3}").is_err(), "NDJSON sent as JSON");
    let mut intake = Intake::new(Format::Json, Vec::new());
    assert!(intake.push(b"[{\"id\":1} {\"id\":2}").is_err());
    let mut intake = Intake::new(Format::Ndjson, Vec::new());
    assert!(intake.push(b"{\"id\":1},\n{\"id\":2} and so on").is_err());
}

#[test]
fn every_chunking_gives_the_same() {
    for (format, payload) in reference::samples() {
        let whole = intake(format, payload, &[]);
        for len in 1..=payload.len().min(40) {
            assert_eq!(intake(format, payload, &vec![len; payload.len() / len]), whole, "chunks of {len}");
        }
    }
}

/// A payload that resembles the samples, with some bytes changed.
fn mutated() -> impl Strategy<Value = (Format, Vec<u8>)> {
    let samples = reference::samples();
    let edit =
        (any::<prop::sample::Index>(), 0..5u8, prop::sample::select(reference::FRAGMENTS), any::<u8>());
    (prop::sample::select(samples), prop::collection::vec(edit, 0..4)).prop_map(
        |((format, payload), edits)| {
            let mut payload = payload.to_vec();
            for (at, kind, fragment, byte) in edits {
                let at = at.index(payload.len() + 1);
                match kind {
                    0 => drop(payload.splice(at..at, fragment.iter().copied())),
                    1 if at < payload.len() => payload[at] = byte,
                    2 if at < payload.len() => drop(payload.remove(at)),
                    3 => payload.truncate(at),
                    _ if at + fragment.len() <= payload.len() => {
                        payload[at..at + fragment.len()].copy_from_slice(fragment);
                    }
                    _ => {}
                }
            }
            (format, payload)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn takes_and_refuses_what_meilisearch_does(
        (format, payload) in mutated(),
        chunks in prop::collection::vec(0usize..48, 0..40),
    ) {
        let expected = reference::read(format, &payload);
        let found = intake(format, &payload, &chunks);
        match (&expected, &found) {
            (Ok(documents), Ok((count, spool))) => {
                prop_assert_eq!(documents.len() as u64, *count);
                prop_assert_eq!(documents, &reference::documents(spool));
            }
            (Err(expected), Err(found)) => prop_assert_eq!(expected, found),
            _ => prop_assert!(false, "expected {:?}, found {:?}", expected, found),
        }
    }

    #[test]
    fn any_bytes_in_any_chunks_are_survived(
        payload in prop::collection::vec(any::<u8>(), 0..200),
        chunks in prop::collection::vec(0usize..20, 0..20),
        delimiter in any::<u8>(),
    ) {
        for format in [Format::Json, Format::Ndjson, Format::Csv { delimiter }] {
            prop_assert_eq!(intake(format, &payload, &chunks), intake(format, &payload, &[]));
        }
    }
}
