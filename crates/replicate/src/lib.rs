//! Appliers: the log's entries to the nodes, in order.
