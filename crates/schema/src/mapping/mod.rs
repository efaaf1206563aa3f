//! Mapping packs: which raw field, through which transforms, is a taxonomy's field.
//!
//! Packs are TOML files under `schemas/`, compiled in, and folders of the user's own; `docs/mapping-packs.md` says
//! how to write one. [`Schemas`] holds all of them and binds a field to the shape of an event; the [`Binding`] then
//! computes columns. Nothing here knows a vendor or a log source: that is all in the packs.

mod binding;
mod expression;
mod objects;
mod pack;
mod provenance;
mod schemas;
mod text;
mod transform;

pub use binding::{Binding, Computation};
pub use provenance::Provenance;
pub use schemas::Schemas;

#[cfg(test)]
mod tests;
