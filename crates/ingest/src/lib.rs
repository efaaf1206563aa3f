//! The protocols that shippers speak, each answering as its original does.
//!
//! A listener takes bytes, makes [`Record`]s of them, hands these to the [`Intake`] and answers its shipper only when
//! the intake has answered: what is acknowledged is durable. It knows neither where records go nor what is in them.
//!
//! [`Record`]: lurcher_journal::Record

mod intake;

pub use intake::{Gate, Intake, Refusal};
