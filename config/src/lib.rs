//! The configuration file: parsed, checked, and turned into runtime types.
