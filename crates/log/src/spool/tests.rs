use std::{
    io::{self, Read, Write},
    os::unix::fs::FileExt,
};

use bytes::Bytes;

use super::*;

fn spool() -> (tempfile::TempDir, Spool) {
    let directory = tempfile::tempdir().expect("a directory");
    let spool = Spool::open_directory(directory.path().join("payloads")).expect("opens");
    (directory, spool)
}

fn files(spool: &Spool) -> usize {
    fs::read_dir(spool.directory()).expect("exists").count()
}

fn read(spool: &Spool, payload: &PayloadRef) -> Vec<u8> {
    let mut bytes = Vec::new();
    spool.open(payload).expect("opens").read_to_end(&mut bytes).expect("reads");
    bytes
}

#[derive(Debug)]
enum Failure {
    Io,
    Refused,
}

impl From<io::Error> for Failure {
    fn from(_: io::Error) -> Self {
        Self::Io
    }
}

fn feed(file: &mut SpoolFile, chunk: &[u8]) -> Result<(), Failure> {
    if chunk.first() == Some(&b'!') {
        return Err(Failure::Refused);
    }
    Ok(file.write_all(chunk)?)
}

fn end(file: SpoolFile) -> Result<PayloadRef, Failure> {
    file.finish(1).map_err(|_| Failure::Io)
}

#[test]
fn a_small_payload_touches_no_disk() {
    let (_directory, spool) = spool();
    let mut file = spool.create();
    file.write_all(&[b'x'; INLINE_LIMIT]).expect("writes");
    assert!(!file.is_file());
    let payload = file.finish(3).expect("finishes");
    assert_eq!((payload.bytes, payload.documents, payload.file()), (INLINE_LIMIT as u64, 3, None));
    assert_eq!((files(&spool), read(&spool, &payload)), (0, vec![b'x'; INLINE_LIMIT]));
}

#[test]
fn a_payload_that_is_not_as_long_as_it_was_is_not_read() {
    let (_directory, spool) = spool();
    let mut file = spool.create();
    file.write_all(&[b'x'; 2 * INLINE_LIMIT]).expect("writes");
    let payload = file.finish(3).expect("finishes");
    assert_eq!(read(&spool, &payload).len(), 2 * INLINE_LIMIT);
    let path = spool.directory().join(payload.file().expect("a file"));
    File::options().write(true).open(path).expect("there").set_len(INLINE_LIMIT as u64).expect("cut");
    assert!(matches!(spool.open(&payload), Err(SpoolError::Damaged(_))));
}

#[test]
fn a_payload_with_a_byte_that_is_another_is_found_out_by_who_reads_all_of_it() {
    let (_directory, spool) = spool();
    for bytes in [100, 2 * INLINE_LIMIT] {
        let mut file = spool.create();
        for chunk in vec![b'x'; bytes].chunks(1_000) {
            file.write_all(chunk).expect("writes");
        }
        let payload = file.finish(3).expect("finishes");
        let check = |payload: &PayloadRef| {
            let mut reader = spool.open(payload).expect("opens").checked();
            reader.read_exact(&mut [0; 10]).expect("reads");
            reader.finish()
        };
        check(&payload).expect("as it was written");
        let content = match &payload.content {
            PayloadContent::Inline { bytes } => {
                let mut other = bytes.to_vec();
                other[50] ^= 1;
                PayloadContent::Inline { bytes: other.into() }
            }
            content => {
                let path = spool.directory().join(payload.file().expect("a file"));
                let file = File::options().write(true).open(path).expect("there");
                file.write_all_at(b"y", INLINE_LIMIT as u64).expect("writes");
                content.clone()
            }
        };
        let damaged = PayloadRef { content, ..payload };
        assert!(matches!(check(&damaged), Err(SpoolError::Damaged(_))), "{bytes}");
        check(&PayloadRef { checksum: None, ..damaged }).expect("an older version's is taken as it is");
    }
}

#[test]
fn one_byte_more_makes_a_file() {
    let (_directory, spool) = spool();
    let mut file = spool.create();
    file.write_all(&[b'x'; INLINE_LIMIT]).expect("writes");
    file.write_all(b"y").expect("writes");
    assert!(file.is_file());
    let payload = file.finish(1).expect("finishes");
    assert_eq!((files(&spool), payload.bytes), (1, INLINE_LIMIT as u64 + 1));
    assert_eq!(read(&spool, &payload).last(), Some(&b'y'));
    spool.discard(&payload).expect("removes");
    spool.discard(&payload).expect("is no error twice");
    assert!(matches!(spool.open(&payload), Err(SpoolError::Gone(_))));
}

#[test]
fn an_abandoned_payload_leaves_nothing() {
    let (_directory, spool) = spool();
    let mut file = spool.create();
    file.write_all(&[b'x'; 3 * INLINE_LIMIT]).expect("writes");
    assert_eq!(files(&spool), 1);
    drop(file);
    assert_eq!(files(&spool), 0);
}

#[test]
fn sweeping_spares_what_is_in_use_and_what_is_not_ours() {
    let (_directory, spool) = spool();
    let payloads = [1, 2, 3].map(|_| {
        let mut file = spool.create();
        file.write_all(&[b'x'; 2 * INLINE_LIMIT]).expect("writes");
        file.finish(1).expect("finishes")
    });
    fs::write(spool.directory().join("README"), "ours is .payload").expect("writes");
    let in_use = HashSet::from([payloads[1].file().expect("is a file").to_owned()]);
    assert_eq!(spool.sweep(&in_use).expect("sweeps"), 2);
    assert_eq!(files(&spool), 2);
    assert_eq!(read(&spool, &payloads[1]).len(), 2 * INLINE_LIMIT);
}

#[tokio::test]
async fn pumped_chunks_arrive_in_order_whatever_their_sizes() {
    for sizes in
        [vec![], vec![10], vec![16 * 1024], vec![20_000; 3], vec![1_000; 900], vec![5, 700_000, 5, 1]]
    {
        let (_directory, spool) = spool();
        let mut pump = Pump::new(spool.create(), feed);
        let mut expected = Vec::new();
        for (number, size) in (b'a'..=b'z').cycle().zip(sizes) {
            let chunk = Bytes::from(vec![number; size]);
            expected.extend_from_slice(&chunk);
            pump.push(chunk).await.expect("pushes");
        }
        let payload = pump.finish(end).await.expect("finishes");
        assert_eq!(payload.bytes, expected.len() as u64);
        assert!(read(&spool, &payload) == expected);
    }
}

#[tokio::test]
async fn a_small_request_stays_on_its_thread() {
    let (_directory, spool) = spool();
    let here = std::thread::current().id();
    let mut pump = Pump::new(spool.create(), feed);
    pump.push(Bytes::from_static(b"{}")).await.expect("pushes");
    let there = pump.finish(|file| end(file).map(|_| std::thread::current().id())).await;
    assert_eq!(there.expect("finishes"), here);
}

#[tokio::test]
async fn a_refusal_of_the_writer_reaches_the_caller() {
    for size in [10, 300_000] {
        let (_directory, spool) = spool();
        let mut pump = Pump::new(spool.create(), feed);
        pump.push(Bytes::from(vec![b'x'; 100_000])).await.expect("pushes");
        let mut chunk = vec![b'x'; size];
        chunk[0] = b'!';
        let pushed = pump.push(chunk.into()).await;
        let ended = match pushed {
            Ok(()) => pump.finish(end).await.map(drop),
            refused => refused,
        };
        assert!(matches!(ended, Err(Failure::Refused)), "{ended:?}");
        assert_eq!(files(&spool), 0);
    }
}
