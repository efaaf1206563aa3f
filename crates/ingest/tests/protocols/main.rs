//! The protocols over real sockets, against clients of our own and, in `shippers`, against the shippers that people run.

#![allow(clippy::unwrap_used)]

mod elasticsearch;
mod files;
mod hec;
mod kafka;
mod mutations;
mod otlp;
mod plain;
mod server;
mod shippers;
mod syslog;
