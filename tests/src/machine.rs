//! The machine as one process sees it, with a disk that is full or slow and a wall clock that is wrong.
//!
//! What the process asks of the C library is answered by `machine.c`, which is loaded before that: so no more is needed than a
//! C compiler, which the build of the program takes too, and nothing else of the machine is touched.

use std::{
    fs::File,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

const SOURCE: &str = include_str!("machine.c");
/// The places of the numbers in the file that the library reads.
const FULL: u64 = 0;
const SYNC: u64 = 8;
const CLOCK: u64 = 16;

/// What a process is shown of its machine.
#[derive(Debug)]
pub struct Machine {
    library: PathBuf,
    path: PathBuf,
    file: File,
}

impl Machine {
    /// A machine with which nothing is wrong yet, kept in this directory under a name.
    pub(crate) fn new(directory: &Path, name: &str) -> Self {
        let library = library(directory);
        let path = directory.join(format!("{name}.machine"));
        let open = File::options().create(true).truncate(true).write(true).open(&path);
        let file = open.expect("the file is created");
        file.set_len(CLOCK + 8).expect("there is room for three numbers");
        Self { library, path, file }
    }

    /// Has a process see it.
    pub(crate) fn shows(&self, command: &mut Command) {
        command.env("LD_PRELOAD", &self.library).env("MIROIR_MACHINE", &self.path);
    }

    /// Whether there is no room for anything that is written.
    pub fn set_full(&self, full: bool) {
        self.set(FULL, full.into());
    }

    /// How much longer it takes until what was written is on the disk.
    pub fn set_sync(&self, longer: Duration) {
        self.set(SYNC, i64::try_from(longer.as_millis()).expect("a short time"));
    }

    /// By how many seconds the wall clock is wrong.
    pub fn set_clock(&self, ahead: i64) {
        self.set(CLOCK, ahead);
    }

    fn set(&self, place: u64, value: i64) {
        self.file.write_all_at(&value.to_ne_bytes(), place).expect("the number is written");
    }
}

/// Where the compiled library is; it is compiled once for each directory.
fn library(directory: &Path) -> PathBuf {
    let (source, library) = (directory.join("machine.c"), directory.join("machine.so"));
    if !library.exists() {
        std::fs::write(&source, SOURCE).expect("the source is written");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]).args([&library, &source]).arg("-ldl");
        let compiled = compiler.status().expect("there is a C compiler `cc`");
        assert!(compiled.success(), "machine.c does not compile");
    }
    library
}
