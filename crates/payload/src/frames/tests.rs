use std::io::Cursor;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::{Format, Intake, PrimaryKey, Split};

const BITS: u32 = 8;

fn spooled(payload: &str) -> (Vec<u8>, Vec<u8>) {
    let mut intake = Intake::new(Format::Json, Vec::new());
    intake.push(payload.as_bytes()).expect("a payload");
    let (_, spool) = intake.finish().expect("a payload");
    let split = Split::new(&spool[..], PrimaryKey::new("id"));
    let (_, index) = split.write_index(Cursor::new(Vec::new())).expect("an index");
    (spool, index.into_inner())
}

fn reader(index: &[u8]) -> IndexReader<Cursor<&[u8]>> {
    IndexReader::new(Cursor::new(index)).expect("an index")
}

fn body(spool: &[u8], index: &[u8], part: Part, wants: impl FnMut(Slot) -> bool) -> Vec<u8> {
    let frames = Frames::new(Cursor::new(spool), reader(index), part, 5, BITS, wants).expect("frames");
    let chunks: Vec<Bytes> = frames.collect::<io::Result<_>>().expect("chunks");
    assert!(chunks.iter().all(|chunk| chunk.len() <= CHUNK + MAX_LEAD));
    chunks.concat()
}

#[test]
fn the_internal_field_comes_first_and_the_rest_is_untouched() {
    let (spool, index) = spooled("[{ \"id\" : \"b\",\n\"x\":1.0}]");
    let part = parts(&mut reader(&index), BITS, u64::MAX, |_| true).expect("parts")[0];
    let field = internal_field(Slot::of("b"), BITS, Sequence { task: 5, ordinal: 0 }, None);
    let expected = format!("{{{field:?}, \"id\" : \"b\",\n\"x\":1.0}}\n");
    assert_eq!(String::from_utf8(body(&spool, &index, part, |_| true)).expect("UTF-8"), expected);
    assert_eq!(part, Part { first: 0, end: 1, documents: 1, bytes: expected.len() as u64 });
}

#[test]
fn documents_that_are_there_keep_their_place() {
    let (spool, index) = spooled(r#"[{"id":"a"},{"id":"b"},{"id":"c"}]"#);
    let wants = |slot| slot != Slot::of("a");
    let part = parts(&mut reader(&index), BITS, u64::MAX, wants).expect("parts")[0];
    let place = Sequence { task: 2, ordinal: 7 };
    let frames = Frames::new(Cursor::new(&spool), reader(&index), part, 5, BITS, wants).expect("frames");
    let frames = frames.with_firsts(vec![First { ordinal: 1, place }]);
    let body = frames.collect::<io::Result<Vec<Bytes>>>().expect("chunks").concat();
    let again = internal_field(Slot::of("b"), BITS, place, Some(5));
    let new = internal_field(Slot::of("c"), BITS, Sequence { task: 5, ordinal: 2 }, None);
    let expected = format!("{{{again:?},\"id\":\"b\"}}\n{{{new:?},\"id\":\"c\"}}\n");
    assert_eq!(String::from_utf8(body).expect("UTF-8"), expected);
}

#[test]
fn nothing_wanted_is_no_part() {
    let (_, index) = spooled(r#"[{"id":1}]"#);
    assert_eq!(parts(&mut reader(&index), BITS, 1, |_| false).expect("parts"), []);
    let (_, empty) = spooled("[]");
    assert_eq!(parts(&mut reader(&empty), BITS, 1, |_| true).expect("parts"), []);
}

#[test]
fn an_index_of_another_payload_is_refused() {
    let (_, index) = spooled(r#"[{"id":1},{"id":2}]"#);
    let part = parts(&mut reader(&index), BITS, u64::MAX, |_| true).expect("parts")[0];
    for other in [&b" {\"id\":1}\n{\"id\":2}\n"[..], b"{\"id\":1}\n", b""] {
        let frames =
            Frames::new(Cursor::new(other), reader(&index), part, 5, BITS, |_| true).expect("frames");
        assert!(frames.collect::<io::Result<Vec<_>>>().is_err());
    }
}

/// Every document reaches exactly one of the nodes, with its place in the payload, in the order of the payload, whatever
/// the sizes of documents and parts.
fn assert_whole(lens: &[usize], nodes: u16, max_bytes: u64) {
    let document = |(place, len): (usize, &usize)| serde_json::json!({"id": place, "t": "ü".repeat(*len)});
    let documents: Vec<Value> = lens.iter().enumerate().map(document).collect();
    let (spool, index) = spooled(&Value::from(documents.clone()).to_string());
    let mut seen = vec![0; documents.len()];
    for node in 0..nodes {
        let wants = |slot: Slot| slot.index() % nodes == node;
        let mut last = None;
        for part in parts(&mut reader(&index), BITS, max_bytes, wants).expect("parts") {
            let body = body(&spool, &index, part, wants);
            assert_eq!(body.len() as u64, part.bytes);
            assert!(part.bytes <= max_bytes || part.documents == 1);
            assert_eq!(body.iter().filter(|byte| **byte == b'\n').count() as u64, part.documents);
            for line in body.trim_ascii_end().split(|byte| *byte == b'\n') {
                let mut found: Value = serde_json::from_slice(line).expect("a document");
                let internal =
                    found.as_object_mut().and_then(|fields| fields.shift_remove("_miroir")).expect("a field");
                let code = internal["n"].as_str().expect("a code").as_bytes();
                let ordinal = Sequence::from_code(code).expect("a sequence").ordinal as usize;
                assert_eq!(found, documents[ordinal]);
                assert!(last < Some(ordinal));
                last = Some(ordinal);
                seen[ordinal] += 1;
            }
        }
    }
    assert!(seen.iter().all(|seen| *seen == 1));
}

#[test]
fn documents_longer_than_a_chunk_are_passed_on() {
    assert_whole(&[1, 200_000, 0, 32_700, 32_720, 32_768, 500_000, 3], 2, u64::MAX);
    assert_whole(&[1, 200_000, 0, 32_700, 32_720, 32_768, 500_000, 3], 1, 100_000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_document_reaches_exactly_one_node(
        lens in prop::collection::vec(prop_oneof![0usize..50, 0usize..5000, 30_000usize..40_000], 1..60),
        nodes in 1u16..5,
        max_bytes in prop_oneof![Just(u64::MAX), 1u64..200_000],
    ) {
        assert_whole(&lens, nodes, max_bytes);
    }
}
