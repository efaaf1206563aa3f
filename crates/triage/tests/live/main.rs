//! The store over real databases: SQLite always, PostgreSQL where its programs are installed.

mod alerts;
mod audit;
mod commits;
mod database;
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
