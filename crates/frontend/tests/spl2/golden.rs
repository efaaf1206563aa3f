//! Queries and what they are lowered to.
