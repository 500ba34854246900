//! The filters as a gateway puts them together.

mod registry;
mod seams;
