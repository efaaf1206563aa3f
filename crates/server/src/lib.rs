//! The live engine: intake, detection on time, alerts, API.
//!
//! The shell of it is here: settings, the port with TLS and limits, keys and roles, the REST API with its OpenAPI document,
//! events as they happen, counts, health, the folder of state, backups. What it shows and changes lies behind seams: alerts
//! in `lurcher-triage`; rules at work, stored events and deliveries behind the traits in [`detection`].

mod api;
pub mod auth;
pub mod backup;
pub mod content;
pub mod detection;
pub mod disk;
pub mod events;
pub mod health;
pub mod http;
pub mod jobs;
pub mod lifecycle;
pub mod logs;
pub mod metrics;
mod problem;
pub mod settings;
mod shell;
pub mod state;
pub mod watch;

pub use api::Parts;
pub use shell::routes;
