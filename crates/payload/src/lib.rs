//! Document payloads: checked as they stream in, split by owner without copying documents. Pure.
