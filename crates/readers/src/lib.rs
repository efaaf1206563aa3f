//! File formats, containers, format detection: bytes to event batches.
