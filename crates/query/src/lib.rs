//! The only crate that knows DataFusion: relational stages.
