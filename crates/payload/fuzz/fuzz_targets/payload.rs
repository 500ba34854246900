//! The way of a payload: taken in as it streams, split by slot, cut for three nodes. What is taken in must come out, each
//! document once, with the internal field and otherwise as it was; and it must not matter how the bytes were parted.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use miroir_payload::{Format, Frames, IndexReader, Intake, PrimaryKey, Split, infer_primary_key, parts};
use miroir_shard::{INTERNAL_FIELD, Slot};
use serde_json::{Map, Value};

const NODES: u16 = 3;
const SHARD_BITS: u32 = 8;

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (kind, chunk, payload) = input;
    let format = || match kind % 4 {
        0 => Format::Json,
        1 => Format::Ndjson,
        2 => Format::Csv { delimiter: b',' },
        _ => Format::Csv { delimiter: b';' },
    };
    let whole = take_in(format(), payload, payload.len());
    assert_eq!(whole, take_in(format(), payload, usize::from(chunk)), "in pieces of {chunk} bytes");
    if let Some((documents, spool)) = whole {
        split(documents, &spool);
    }
});

/// How many documents a payload has, and the spool that it becomes; `None` where it is refused.
fn take_in(format: Format, payload: &[u8], chunk: usize) -> Option<(u64, Vec<u8>)> {
    let mut intake = Intake::new(format, Vec::new());
    for bytes in payload.chunks(chunk.max(1)) {
        intake.push(bytes).ok()?;
    }
    let (summary, spool) = intake.finish().ok()?;
    assert_eq!(summary.bytes, spool.len() as u64);
    Some((summary.documents, spool))
}

fn split(documents: u64, spool: &[u8]) {
    let _ = infer_primary_key(spool);
    let mut index = Vec::new();
    let split = Split::new(spool, PrimaryKey::new("id")).write_index(Cursor::new(&mut index));
    let Ok((summary, _)) = split else { return };
    assert!(summary.documents <= documents);
    let places = IndexReader::new(Cursor::new(&index)).expect("an index");
    let places: Vec<_> = places.map(|record| record.expect("a record")).collect();
    assert_eq!(places.len() as u64, documents);
    for node in 0..NODES {
        let wants = |slot: Slot| slot.index() % NODES == node;
        let reader = || IndexReader::new(Cursor::new(&index)).expect("an index");
        let mut own = places.iter().filter(|record| wants(record.slot));
        for part in parts(&mut reader(), SHARD_BITS, 64, wants).expect("parts") {
            let frames =
                Frames::new(Cursor::new(spool), reader(), part, 1, SHARD_BITS, wants).expect("frames");
            let body: Vec<u8> = frames.flat_map(|chunk| chunk.expect("a chunk")).collect();
            assert_eq!(body.len() as u64, part.bytes);
            let sent = serde_json::Deserializer::from_slice(&body).into_iter::<Map<String, Value>>();
            let mut count = 0;
            for sent in sent {
                let mut sent = sent.expect("a document");
                let record = own.next().expect("a document of this node");
                let start = usize::try_from(record.offset).expect("within the spool");
                let text = &spool[start..start + record.len as usize];
                assert!(sent.shift_remove(INTERNAL_FIELD).is_some_and(|field| field.is_object()));
                assert_eq!(sent, serde_json::from_slice::<Map<String, Value>>(text).expect("a document"));
                count += 1;
            }
            assert_eq!(count, part.documents);
        }
        assert!(own.next().is_none(), "a document that was not sent");
    }
}
