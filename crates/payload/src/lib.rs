//! Document payloads: checked as they stream in, split by owner without copying documents. Pure.
//!
//! The way of a payload: [`Intake`] checks it chunk by chunk and writes its documents to a spool. When the write's turn
//! comes, [`Split`] reads the spool once, finds every document's id and slot and writes an [index](IndexWriter). Then
//! [`Frames`] cuts what each node is to get out of the spool, with the internal field put in.

mod format;
mod frames;
mod ids;
mod index;
mod intake;
mod lookahead;
mod rules;
mod split;

pub use self::{
    format::Format,
    frames::{First, Frames, Part, parts},
    ids::part_ids,
    index::{IndexReader, IndexWriter, Record},
    intake::{Intake, IntakeError, Summary},
    rules::{Inspection, Rules, Step, Suspect, Verdict, final_versions},
    split::{
        PrimaryKey, Split, SplitError, SplitSummary, held_places, id_hash, infer_primary_key, split_ids,
    },
};
