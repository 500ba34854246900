//! `miroir`.

use std::process::ExitCode;

fn main() -> ExitCode {
    miroir::commands::run()
}
