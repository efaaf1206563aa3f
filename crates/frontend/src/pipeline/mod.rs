//! What the piped languages share on their way to pipelines: conditions over event fields to predicates.
//!
//! Nothing here knows a language; what a condition means has been made explicit in its expression before.

pub(crate) mod predicate;
mod single;
