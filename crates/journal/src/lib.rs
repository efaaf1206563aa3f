//! The journal: what was acknowledged, in order, on disk.
//!
//! The one thing that must be durable before a shipper is told "taken". Everything else that the live engine keeps (tables
//! of events, state of rules, alerts) is made from it, by consumers that each remember the [`Position`] up to which
//! they have come. So a crash loses nothing: a consumer goes on where its own output says it was.
//!
//! A folder of segment files that only grow at their end. [`Journal::append`] gathers what is appended at the same time into
//! one write and one flush; a [`Reader`] follows behind what is durable; [`Journal::trim`] deletes the segments that
//! every consumer is done with. How a segment is laid out is said in `format.rs`.
//!
//! ```
//! use std::sync::Arc;
//! use bytes::Bytes;
//! use lurcher_journal::{Journal, JournalOptions, Position, Record, RecordKind};
//! use lurcher_schema::Timestamp;
//!
//! # let folder = tempfile::tempdir().unwrap();
//! # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
//! # runtime.block_on(async {
//! let journal = Journal::open(folder.path(), JournalOptions::default()).unwrap();
//! let record = Record {
//!     stream: Arc::from("logs"),
//!     kind: RecordKind::Line,
//!     received: Timestamp(0),
//!     body: Bytes::from_static(b"a line"),
//! };
//! let taken = journal.append(vec![record.clone()]).await.unwrap();
//! assert_eq!(taken, Position(0)..Position(1));
//! let block = journal.reader(Position(0)).next(100, 1 << 20).await.unwrap().unwrap();
//! assert_eq!(block.records, [(Position(0), record)]);
//! # });
//! ```
//!
//! This crate knows nothing of what is in a record.

mod disk;
mod error;
mod format;
mod journal;
mod reader;
mod record;
mod recovery;
mod segment;
mod verify;
mod writer;

pub use error::{Damage, DamageReason, JournalError};
pub use journal::{Journal, JournalOptions, JournalStats};
pub use reader::{Block, Reader};
pub use record::{Position, Record, RecordKind};
pub use recovery::Recovery;
pub use verify::{Verification, verify};
