//! The gate, the tidy checks and the benchmark harness.

fn main() {}
