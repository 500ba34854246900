//! `cargo bench -p miroir-payload`: megabytes per second of CPU time of each step a payload takes, so that what else the
//! machine does matters little.

use std::{
    hint::black_box,
    io::{self, Cursor, IoSlice, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use miroir_payload::{Format, Frames, IndexReader, Intake, PrimaryKey, Split, parts};
use miroir_shard::{Sequence, Slot, internal_field};

const BITS: u32 = 8;
const BYTES: usize = 64_000_000;
const ROUNDS: usize = 5;
const NETWORK_CHUNK: usize = 16 * 1024;

fn main() -> io::Result<()> {
    let ndjson = movies(BYTES);
    let json = [b"[".to_vec(), ndjson.trim_ascii_end().replace(b'\n', b','), b"]".to_vec()].concat();
    let csv = csv(BYTES / 4);
    let spool = intake(Format::Ndjson, &ndjson);
    let index = split(&spool);
    let documents = IndexReader::new(Cursor::new(&index[..]))?.documents();
    println!("{documents} documents, {} bytes each on average", spool.len() as u64 / documents.max(1));

    measure("intake, NDJSON", ndjson.len(), || intake(Format::Ndjson, &ndjson).len());
    measure("intake, JSON array", json.len(), || intake(Format::Json, &json).len());
    measure("intake, CSV", csv.len(), || intake(Format::Csv { delimiter: b',' }, &csv).len());
    measure("split", spool.len(), || split(&spool).len());
    measure("frames for 3 nodes", spool.len(), || frames(&spool, &index, |chunk| chunk.len()));
    measure("all together, NDJSON", ndjson.len(), || {
        let spool = intake(Format::Ndjson, &ndjson);
        frames(&spool, &split(&spool), |chunk| chunk.len())
    });
    for (name, len) in [("movies", 0), ("4 KB more", 4_000), ("16 KB more", 16_000), ("64 KB more", 64_000)] {
        compare_with_slices(name, len)?;
    }
    Ok(())
}

trait Replace {
    fn replace(&self, from: u8, to: u8) -> Vec<u8>;
}

impl Replace for [u8] {
    fn replace(&self, from: u8, to: u8) -> Vec<u8> {
        self.iter().map(|byte| if *byte == from { to } else { *byte }).collect()
    }
}

fn measure(name: &str, bytes: usize, mut run: impl FnMut() -> usize) {
    let best = (0..ROUNDS)
        .map(|_| {
            let start = cpu_seconds();
            black_box(run());
            cpu_seconds() - start
        })
        .fold(f64::INFINITY, f64::min);
    println!("{name:40} {:7.0} MB/s", bytes as f64 / best / 1e6);
}

/// The CPU time of this thread so far, or the time of day where the system does not tell.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = stat.and_then(|stat| stat.split_whitespace().next()?.parse::<u64>().ok());
    let today = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    nanoseconds.map_or_else(today, |nanoseconds| nanoseconds as f64 / 1e9)
}

/// Documents like those of the movies data set, which are `more` bytes longer.
fn movies_with(bytes: usize, more: usize) -> Vec<u8> {
    const OVERVIEW: &str = "Framed in the 1940s for the double murder of his wife and her lover, upstanding banker \
        begins a new life at the \\\"Shawshank\\\" prison, where he puts his accounting skills to work for an amoral \
        warden and comes to be admired by the other inmates for his integrity and unquenchable sense of hope.";
    let padding = "x".repeat(more);
    let mut out = Vec::with_capacity(bytes + 1024);
    let mut id = 0;
    while out.len() < bytes {
        let _ = writeln!(
            out,
            "{{\"id\":{id},\"title\":\"Movie number {id}\",\"overview\":\"{}{padding}\",\"genres\":[\"Drama\",\"Crime\"],\
             \"poster\":\"https://image.tmdb.org/t/p/w500/{id}.jpg\",\"release_date\":{},\"rating\":{}.5}}",
            &OVERVIEW[..180 + id % 100],
            id * 86_400,
            id % 10
        );
        id += 1;
    }
    out
}

fn movies(bytes: usize) -> Vec<u8> {
    movies_with(bytes, 0)
}

fn csv(bytes: usize) -> Vec<u8> {
    let mut out = b"id,title,overview,year:number,seen:boolean\n".to_vec();
    let mut id = 0;
    while out.len() < bytes {
        let _ = writeln!(
            out,
            "{id},Movie {id},\"A long, quoted text about a movie, number {id}\",{},true",
            1900 + id % 100
        );
        id += 1;
    }
    out
}

fn intake(format: Format, payload: &[u8]) -> Vec<u8> {
    let mut intake = Intake::new(format, Vec::with_capacity(payload.len() * 2));
    payload.chunks(NETWORK_CHUNK).for_each(|chunk| intake.push(chunk).expect("a payload"));
    intake.finish().expect("a payload").1
}

fn split(spool: &[u8]) -> Vec<u8> {
    let split = Split::new(spool, PrimaryKey::new("id"));
    split.write_index(Cursor::new(Vec::new())).expect("an index").1.into_inner()
}

fn frames(spool: &[u8], index: &[u8], mut send: impl FnMut(Bytes) -> usize) -> usize {
    let reader = || IndexReader::new(Cursor::new(index)).expect("an index");
    let mut sent = 0;
    for node in 0..3 {
        let wants = |slot: Slot| slot.index() % 3 == node;
        for part in parts(&mut reader(), BITS, u64::MAX, wants).expect("parts") {
            let frames = Frames::new(Cursor::new(spool), reader(), part, 1, BITS, wants).expect("frames");
            sent += frames.map(|chunk| send(chunk.expect("a chunk"))).sum::<usize>();
        }
    }
    sent
}

/// Whether to copy documents into chunks, or to send slices of what was read with the field between them.
fn compare_with_slices(name: &str, more: usize) -> io::Result<()> {
    let spool = movies_with(BYTES / 2, more);
    let index = split(&spool);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut out = TcpStream::connect(listener.local_addr()?)?;
    let (mut input, _) = listener.accept()?;
    let drain = thread::spawn(move || {
        let mut buffer = vec![0; 1 << 20];
        while input.read(&mut buffer).is_ok_and(|len| len > 0) {}
    });
    measure(&format!("to a socket, chunks ({name})"), spool.len(), || {
        frames(&spool, &index, |chunk| out.write_all(&chunk).map_or(0, |()| chunk.len()))
    });
    measure(&format!("to a socket, slices ({name})"), spool.len(), || {
        slices(&spool, &index, &mut out).unwrap_or(0)
    });
    drop(out);
    drain.join().expect("a reader");
    Ok(())
}

/// Sends what [`frames`] sends as slices of windows of the spool, 64 a call.
fn slices(spool: &[u8], index: &[u8], out: &mut TcpStream) -> io::Result<usize> {
    const WINDOW: u64 = 256 * 1024;
    let mut sent = 0;
    for node in 0..3 {
        let mut window = Bytes::new();
        let mut base = 0;
        let mut queue: Vec<Bytes> = Vec::new();
        for (ordinal, record) in IndexReader::new(Cursor::new(index))?.enumerate() {
            let record = record?;
            if record.slot.index() % 3 != node {
                continue;
            }
            let end = record.offset + u64::from(record.len) + 1;
            if end > base + window.len() as u64 {
                base = record.offset;
                let until = (base + WINDOW).max(end).min(spool.len() as u64);
                window = Bytes::copy_from_slice(&spool[base as usize..until as usize]);
            }
            let field =
                internal_field(record.slot, BITS, Sequence { task: 1, ordinal: ordinal as u32 }, None);
            let lead = [b"{", field.as_bytes(), b","].concat();
            queue.push(lead.into());
            queue.push(window.slice((record.offset - base) as usize + 1..(end - base) as usize));
            if queue.len() >= 64 {
                sent += send(&mut queue, out)?;
            }
        }
        sent += send(&mut queue, out)?;
    }
    Ok(sent)
}

fn send(queue: &mut Vec<Bytes>, out: &mut TcpStream) -> io::Result<usize> {
    let mut slices: Vec<IoSlice<'_>> = queue.iter().map(|bytes| IoSlice::new(bytes)).collect();
    let mut slices = &mut slices[..];
    let mut sent = 0;
    while !slices.is_empty() {
        let len = out.write_vectored(slices)?;
        IoSlice::advance_slices(&mut slices, len);
        sent += len;
    }
    queue.clear();
    Ok(sent)
}
