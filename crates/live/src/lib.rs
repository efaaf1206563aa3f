//! The live engine put together.
//!
//! `lurcher-ingest` takes events in, `lurcher-journal` makes them durable, `lurcher-store` keeps them in tables,
//! `lurcher-triage` keeps what was found, `lurcher-deliver` tells others, `lurcher-server` is the door for people and
//! programs. This crate runs the rules over the journal ([`detector`]) and starts and stops everything ([`serve()`]). How
//! rules are found and loaded it does not know: it is given a [`rules::RuleSource`].

pub mod detector;
mod fill;
mod intake;
pub mod offline;
mod outbox;
pub mod rules;
mod serve;
pub mod settings;

pub use serve::{ServeOptions, Server, serve};
