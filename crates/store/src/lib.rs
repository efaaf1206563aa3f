//! The event store: a Delta Lake table per data stream.
