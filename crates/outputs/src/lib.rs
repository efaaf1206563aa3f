//! Alerts and query results as text: the native line format, tables, CSV, HTML, and the documents that Elastic,
//! Splunk and OCSF products would have written.
//!
//! Every wire shape is a plain struct with a golden test. [`Writer`] is the door: it streams what can be streamed and
//! keeps a few lines of each alert for what must be grouped. Nothing here reads a clock, asks for the terminal's
//! width, or judges anything: what an alert says was settled by the engine.

pub mod answers;
pub mod delimited;
pub mod elastic;
mod elastic_detail;
mod html;
pub mod lookups;
pub mod native;
pub mod ocsf;
pub mod splunk;
mod table;
mod text;
mod view;
mod writer;

pub use writer::{Format, Settings, SplunkEdition, Writer};
