//! Runs a tower service on pingora's listeners.
