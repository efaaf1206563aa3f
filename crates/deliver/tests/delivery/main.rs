//! Targets and the courier against real counterparts on loopback: web servers that fail in all ways, a mail server, syslog
//! receivers, Kafka's mock cluster, files. One test program, so that everything is linked once.

#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

mod bulk;
mod courier;
mod files;
mod kafka;
mod mail;
mod outbox;
mod syslog;
mod tls;
mod web;
mod webhook;
