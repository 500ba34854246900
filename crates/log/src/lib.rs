//! The durable, ordered write log and task store.
