//! What the protocol accepts and refuses, against what a real server did.

mod operations;
mod recorded;
mod robust;
