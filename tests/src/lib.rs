//! The whole system under test.
