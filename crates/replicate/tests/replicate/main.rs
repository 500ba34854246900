//! Replication on a real log, against nodes in memory that fail on purpose.

mod damaged;
mod fake;
mod faults;
mod firsts;
mod indexes;
mod moving;
mod refused;
mod rig;
mod simulation;
mod writes;
