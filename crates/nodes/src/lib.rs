//! Node clients as tower services: pool, health, fan-out.
