//! The gateway program.
