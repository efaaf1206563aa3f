//! The event store: a Delta Lake table per data stream.
//!
//! What the journal holds for days, the store holds for months: every record exactly as it came (`_raw`), beside the leaf
//! fields of its event in typed columns, in Parquet files that any other tool reads as they are (`docs/store.md`).
//!
//! * [`Store::open`] takes hold of a folder, or of a prefix in an object store.
//! * A [`Writer`] consumes the journal. The place up to which a table is complete stands in the same Delta commit as the
//!   rows (a `txn` action), so that a crash neither loses nor doubles a row.
//! * [`Store::maintain`] merges small files, deletes what is past its retention, and sweeps files that nothing refers to.
//! * [`Store::scan`] gives records back, as they came, for hunting over them; [`Store::sql`] answers a query.
//! * [`Store::verify`] reads every file and checks it against what was written.
//!
//! This crate knows no taxonomy and no rule: columns are named after raw fields.

mod columns;
mod error;
mod events;
mod file;
mod location;
mod maintenance;
mod names;
mod options;
mod query;
mod rows;
mod scan;
mod store;
mod table;
mod verify;
mod writer;

pub use error::StoreError;
pub use maintenance::Maintained;
pub use options::{Retention, StoreOptions};
pub use query::SqlRows;
pub use scan::{Scan, StoredRecords, TimeField};
pub use store::{Store, StoreStats, StreamInfo};
pub use verify::{Fault, Verification};
pub use writer::Writer;
