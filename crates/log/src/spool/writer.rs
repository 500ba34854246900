//! Writing a payload.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
};

use xxhash_rust::xxh3::xxh3_64;

use super::{INLINE_LIMIT, SUFFIX, Spool, SpoolError, checksum::Checksum};
use crate::payload_ref::{PayloadContent, PayloadRef};

/// How much is written to the file at once.
const BUFFER: usize = 256 * 1024;

/// A payload that is being written. Dropped before it is finished, it leaves nothing behind.
///
/// It blocks as files do, from the moment on that [`SpoolFile::is_file`] says so.
#[derive(Debug)]
pub struct SpoolFile {
    spool: Spool,
    bytes: u64,
    held: Held,
}

#[derive(Debug)]
enum Held {
    Memory(Vec<u8>),
    File {
        name: String,
        file: BufWriter<File>,
        /// Of what was written.
        checksum: Checksum,
    },
    Finished,
}

// === impl SpoolFile ===

impl SpoolFile {
    pub(super) fn new(spool: Spool) -> Self {
        Self { spool, bytes: 0, held: Held::Memory(Vec::new()) }
    }

    /// How much was written.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether the payload has outgrown memory, so that writing and finishing it may block.
    pub fn is_file(&self) -> bool {
        matches!(self.held, Held::File { .. })
    }

    /// Makes the payload durable; `documents` is how many it holds.
    ///
    /// An inline payload becomes durable together with its entry.
    pub fn finish(mut self, documents: u64) -> Result<PayloadRef, SpoolError> {
        let (checksum, content) = match &mut self.held {
            Held::Memory(bytes) => {
                (xxh3_64(bytes), PayloadContent::Inline { bytes: std::mem::take(bytes).into() })
            }
            Held::File { name, file, checksum } => {
                self.spool.failpoints.io("spool.flush")?;
                file.flush()?;
                self.spool.failpoints.io("spool.sync")?;
                file.get_ref().sync_all()?;
                // The file's name is durable only once its directory is.
                File::open(self.spool.directory())?.sync_all()?;
                self.spool.failpoints.io("spool.synced")?;
                (checksum.get(), PayloadContent::File { name: name.clone() })
            }
            Held::Finished => (0, PayloadContent::Removed),
        };
        self.held = Held::Finished;
        Ok(PayloadRef { bytes: self.bytes, documents, checksum: Some(checksum), content })
    }

    fn spill(&mut self) -> io::Result<()> {
        let Held::Memory(bytes) = &self.held else { return Ok(()) };
        let name = format!("{}{SUFFIX}", uuid::Uuid::now_v7().simple());
        let file = File::create_new(self.spool.path(&name))?;
        let mut file = BufWriter::with_capacity(BUFFER, file);
        let written = file.write_all(bytes);
        let mut checksum = Checksum::default();
        checksum.update(bytes);
        // From here on dropping this removes the file.
        self.held = Held::File { name, file, checksum };
        written
    }
}

impl Write for SpoolFile {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if let Held::Memory(bytes) = &mut self.held {
            if bytes.len() + data.len() <= INLINE_LIMIT {
                bytes.extend_from_slice(data);
                self.bytes += data.len() as u64;
                return Ok(data.len());
            }
            self.spill()?;
        }
        let Held::File { file, checksum, .. } = &mut self.held else {
            return Err(io::Error::other("the payload is finished"));
        };
        self.spool.failpoints.io("spool.write")?;
        let written = file.write(data)?;
        checksum.update(&data[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.held {
            Held::File { file, .. } => file.flush(),
            _ => Ok(()),
        }
    }
}

impl Drop for SpoolFile {
    fn drop(&mut self) {
        let Held::File { name, file, .. } = std::mem::replace(&mut self.held, Held::Finished) else { return };
        // What is still in the buffer is not worth writing.
        drop(file.into_parts());
        if let Err(error) = self.spool.remove(&name) {
            tracing::warn!(file = name, %error, "could not remove an unfinished payload");
        }
    }
}
