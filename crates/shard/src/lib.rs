//! Slots, placement, the shard map and rebalance plans. Pure.
