//! What a listener counts, for whoever shows metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts of one protocol since the start. They only grow, but for `connections`.
#[derive(Debug, Default)]
pub struct Counters {
    /// Events that the intake took.
    pub accepted: AtomicU64,
    /// Events, or whole requests, that were turned away though they were sound: the intake was busy, the shipper had no
    /// right, a limit was reached.
    pub refused: AtomicU64,
    /// Events, or whole requests, that could not be understood.
    pub malformed: AtomicU64,
    /// Bytes of bodies, datagrams, streams and files, as they came over the wire.
    pub bytes: AtomicU64,
    /// Events known to be lost before they were taken: datagrams that the kernel dropped or the intake had no place
    /// for. Protocols on which a sender can be told to wait never count here.
    pub dropped: AtomicU64,
    /// Connections, or files, open now.
    pub connections: AtomicU64,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, count: usize) {
        counter.fetch_add(count as u64, Ordering::Relaxed);
    }
}

/// Counts a connection for as long as it lives.
#[derive(Debug)]
pub(crate) struct Connected(std::sync::Arc<Counters>);

impl Connected {
    pub(crate) fn new(counters: &std::sync::Arc<Counters>) -> Self {
        counters.connections.fetch_add(1, Ordering::Relaxed);
        Self(std::sync::Arc::clone(counters))
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
