//! The program itself, built here so that tests have its path and can start, stop and kill it.

use std::process::ExitCode;

fn main() -> ExitCode {
    miroir::commands::run()
}
