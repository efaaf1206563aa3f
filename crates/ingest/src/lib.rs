//! The protocols that shippers speak, each answering as its original does.
//!
//! A listener takes bytes, makes [`Record`]s of them, hands these to the [`Intake`] and answers its shipper only when
//! the intake has answered: what is acknowledged is durable. It knows neither where records go nor what is in them.
//!
//! Protocols over HTTP are routers that share one port: [`elasticsearch::router`], [`hec::router`], [`otlp::router`],
//! [`http::router`]. Those that listen or fetch by themselves are tasks that run until they are told to stop:
//! [`syslog::udp`], [`syslog::stream`], [`otlp::grpc`], [`files`], [`stdin`] and [`kafka`], each with a `run`.
//! [`start`] starts all that a configuration names.
//!
//! [`Record`]: lurcher_journal::Record

mod body;
mod counters;
mod credentials;
mod document;
pub mod elasticsearch;
pub mod files;
pub mod hec;
pub mod http;
mod intake;
pub mod kafka;
mod listen;
pub mod options;
pub mod otlp;
mod query;
mod reception;
mod split;
mod start;
pub mod stdin;
pub mod syslog;
mod tls;

pub use body::{BodyLimits, BodyReader};
pub use counters::Counters;
pub use intake::{Gate, Intake, Refusal};
pub use options::Options;
pub use reception::{Failure, Reception, Stop};
pub use start::{Started, start};
pub use tls::TlsOptions;
