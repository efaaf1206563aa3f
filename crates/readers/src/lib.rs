//! Bytes to [`EventBatch`]es: inputs, containers, formats and dialects, all found by content.
//!
//! The way through: [`discover`] turns what the user typed into [`Input`]s; [`units`] cuts them into [`Unit`]s that can
//! be read side by side; [`Unit::read`] hands over batches and returns a [`Report`]. [`read`] does one input whole,
//! [`read_one`] finds a single event, [`read_stream`] reads what is no file, [`read_records`] what came one by one.
//!
//! ```
//! use lurcher_readers::{ReadOptions, discover, units};
//!
//! let options = ReadOptions::default();
//! let found = discover(&["no/such/folder"]);
//! assert_eq!(found.problems[0].code, "no-such-input");
//! let (units, mut report) = units(&found.inputs, &options);
//! for unit in &units {
//!     report.merge(unit.read(&options, &mut |batch| println!("{} events", batch.rows())));
//! }
//! assert_eq!(report.events, 0);
//! ```
//!
//! What comes out depends on neither the number of threads nor on how files were cut: which events there are, their
//! raw fields, their [`record`](lurcher_schema::EventRef::record) and their
//! [`ordinal`](lurcher_schema::EventRef::ordinal). Only how they are grouped into batches does.
//!
//! This crate knows no taxonomy: what a raw field means is said by the mapping packs of `lurcher-schema`.
//!
//! [`EventBatch`]: lurcher_schema::EventBatch

mod budget;
mod container;
mod detect;
mod dialect;
mod evtx;
mod flat;
mod input;
mod json;
mod logs;
mod names;
mod nested;
mod options;
mod original;
mod places;
mod reader;
mod records;
mod report;
mod rows;
mod table;
mod text;
mod unit;
mod vendor;
mod window;
mod windows;
mod wrapping;
mod xml;

pub use input::{Discovery, Input, discover};
pub use logs::{AuditPart, audit_part};
pub use options::{ReadOptions, Wanted};
pub use original::Original;
pub use records::{RawRecord, RecordForm, read_records, record_number};
pub use report::{Gravity, Problem, Report, Skipped};
pub use unit::{Unit, read, read_one, read_stream, units};
pub use vendor::time_fields;
