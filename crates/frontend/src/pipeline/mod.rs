//! What the piped languages share on their way to pipelines: conditions over event fields to predicates, and the pieces
//! that a rule body is made of.
//!
//! Nothing here knows a language; what a condition means has been made explicit in its expression before.

mod parts;
pub(crate) mod predicate;
mod single;

pub(crate) use parts::Parts;
