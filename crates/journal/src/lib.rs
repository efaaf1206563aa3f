//! The journal: what was acknowledged, in order, on disk.
//!
//! The one thing that must be durable before a shipper is told "taken". Everything else that the live engine keeps (tables
//! of events, state of rules, alerts) is made from it, by consumers that each remember the [`Position`] up to which
//! they have come. So a crash loses nothing: a consumer goes on where its own output says it was.
//!
//! This crate knows nothing of what is in a record.

mod record;

pub use record::{Position, Record, RecordKind};
