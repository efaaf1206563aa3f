//! The shell over a real port: keys and roles, limits, TLS, the API, events, the stop. What lies behind the seams is made up
//! here ([`kennel`]); alerts and keys are in a real database.

#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

mod access;
mod alerts;
mod backups;
mod house;
mod kennel;
mod limits;
mod live;
mod rules;
mod schemathesis;
mod stopping;
mod tls;
