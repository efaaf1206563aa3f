//! The store over real databases: SQLite always, PostgreSQL where its programs are installed.

#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

mod alerts;
mod audit;
mod commits;
mod database;
mod encryption;
mod hostile;
mod keys;
mod outbox;
mod pages;
mod retention;
mod risk;
mod rules;
mod samples;
mod schema;
mod silences;
mod speed;
