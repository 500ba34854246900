//! Memory stays flat whatever the size of a payload. Alone in its process, because it looks at the whole of it.
#![cfg(target_os = "linux")]

use std::{
    fs::{self, File},
    io::{self, Write},
};

use miroir_payload::{Format, Frames, IndexReader, Intake, PrimaryKey, Split, parts};

/// The most memory the process has had so far, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("the process's status");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a peak");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

/// Streams a generated payload of so many bytes through everything, for three nodes.
fn stream(bytes: u64) -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let (spool, index) = (folder.path().join("payload"), folder.path().join("index"));
    let mut intake = Intake::new(Format::Json, File::create(&spool)?);
    let (mut sent, mut documents) = (0, 0);
    let text = "Lorem ipsum dolor sit amet, \\\"consectetur\\\" adipiscing elit. ".repeat(8);
    let mut chunk = b"[".to_vec();
    while sent < bytes {
        if documents > 0 {
            chunk.push(b',');
        }
        write!(chunk, "{{\"id\":{documents},\"overview\":\"{text}\",\"genres\":[\"Drama\",\"Crime\"]}}")?;
        documents += 1;
        if chunk.len() > 16 * 1024 {
            intake.push(&chunk).expect("a payload");
            sent += chunk.len() as u64;
            chunk.clear();
        }
    }
    chunk.push(b']');
    intake.push(&chunk).expect("a payload");
    let (summary, _) = intake.finish().expect("a payload");
    assert_eq!(summary.documents, documents);

    let split = Split::new(File::open(&spool)?, PrimaryKey::new("id"));
    let (summary, _) = split.write_index(File::create(&index)?).expect("an index");
    assert_eq!(summary.documents, documents);

    let mut found = 0;
    for node in 0..3 {
        let wants = |slot: miroir_shard::Slot| slot.index() % 3 == node;
        for part in parts(&mut IndexReader::new(File::open(&index)?)?, 8, 90_000_000, wants)? {
            let reader = IndexReader::new(File::open(&index)?)?;
            let frames = Frames::new(File::open(&spool)?, reader, part, 0, 8, wants)?;
            let len = frames.map(|chunk| chunk.map(|chunk| chunk.len() as u64)).sum::<io::Result<u64>>()?;
            assert_eq!(len, part.bytes);
            found += part.documents;
        }
    }
    assert_eq!(found, documents);
    Ok(())
}

fn assert_flat(megabytes: u64) {
    let before = peak();
    stream(megabytes * 1_000_000).expect("a run");
    let more = peak() - before;
    assert!(more < 8 * 1024, "{more} KiB more for {megabytes} MB");
}

#[test]
fn sixty_four_megabytes_take_less_than_eight() {
    assert_flat(64);
}

/// By hand: `cargo test --release -p miroir-payload --test memory -- --ignored`
#[test]
#[ignore = "writes 1 GB to the temporary directory"]
fn a_gigabyte_takes_less_than_eight_megabytes() {
    assert_flat(1000);
}
