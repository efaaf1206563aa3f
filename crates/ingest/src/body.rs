//! Bodies of requests, read within limits: of size, of size unpacked, of time, and of what all requests hold together.

use std::{
    io::{self, Read},
    sync::Arc,
    time::Duration,
};

use axum::{
    body::Body,
    http::{HeaderMap, header},
};
use bytes::Bytes;
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use http_body_util::BodyExt;
use serde::Deserialize;
use tokio::{
    runtime::{Handle, RuntimeFlavor},
    sync::{OwnedSemaphorePermit, Semaphore},
};

/// Bodies are unpacked on a thread of their own from this size on.
const LARGE: usize = 64 << 10;
/// Taking a body of this size apart keeps a thread busy for milliseconds.
const LONG: usize = 1 << 20;
/// The budget is counted in pieces of this size, since a semaphore counts to 2^32 only.
const PIECE: usize = 1 << 10;
/// The largest window a zstd frame may ask memory for, as a power of two: 8 MiB, what the format tells decoders to allow.
const ZSTD_WINDOW: u32 = 23;

/// `[ingest.http]`: limits of bodies of requests, of all protocols over HTTP together.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BodyLimits {
    /// Bytes of one body as it comes over the wire. More is answered with `413`.
    pub max_body_bytes: usize,
    /// Bytes of one body when unpacked. More is answered with `413`.
    pub max_unpacked_bytes: usize,
    /// Bytes of all bodies that are held at one time. Above it requests are answered with "busy".
    pub max_held_bytes: usize,
    /// Seconds until a body must be there whole. Later it is answered with `408`.
    pub body_timeout_seconds: u64,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self {
            max_body_bytes: 100 << 20,
            max_unpacked_bytes: 100 << 20,
            max_held_bytes: 400 << 20,
            body_timeout_seconds: 60,
        }
    }
}

/// Reads bodies. Its clones share one budget: give the same one to all routers.
#[derive(Clone, Debug)]
pub struct BodyReader {
    limits: Arc<BodyLimits>,
    budget: Arc<Semaphore>,
}

/// A body, and the part of the budget that it holds until it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) bytes: Bytes,
    /// How many bytes came over the wire.
    pub(crate) wire: usize,
    _permit: OwnedSemaphorePermit,
}

/// Why there is no body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BodyFault {
    /// Longer than allowed.
    TooLarge,
    /// Not there in time.
    TooSlow,
    /// Other bodies hold the whole budget.
    Crowded,
    /// Packed in a way that nobody knows here.
    UnknownEncoding(String),
    /// Cannot be unpacked, or ended early.
    Damaged(String),
}

impl BodyReader {
    /// A reader with a budget of its own.
    pub fn new(limits: BodyLimits) -> Self {
        let pieces = (limits.max_held_bytes / PIECE).clamp(1, Semaphore::MAX_PERMITS);
        Self { limits: Arc::new(limits), budget: Arc::new(Semaphore::new(pieces)) }
    }

    /// The largest body that is taken, unpacked.
    pub(crate) fn max_unpacked(&self) -> usize {
        self.limits.max_unpacked_bytes
    }

    /// Reads and unpacks a body.
    pub(crate) async fn read(&self, headers: &HeaderMap, body: Body) -> Result<Held, BodyFault> {
        let packing = Packing::of(headers)?;
        let told = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if told.is_some_and(|length| length > self.limits.max_body_bytes) {
            return Err(BodyFault::TooLarge);
        }
        let limit = Duration::from_secs(self.limits.body_timeout_seconds);
        let (wire, mut permit) =
            tokio::time::timeout(limit, self.collect(body)).await.map_err(|_| BodyFault::TooSlow)??;
        let length = wire.len();
        let bytes = match packing {
            None => wire,
            Some(packing) if length < LARGE => self.unpack(packing, &wire, &mut permit)?,
            Some(packing) => {
                let reader = self.clone();
                let work = move || reader.unpack(packing, &wire, &mut permit).map(|bytes| (bytes, permit));
                let done = tokio::task::spawn_blocking(work).await;
                let (bytes, permit) = done.map_err(|error| BodyFault::Damaged(error.to_string()))??;
                return Ok(Held { bytes, wire: length, _permit: permit });
            }
        };
        Ok(Held { bytes, wire: length, _permit: permit })
    }

    async fn collect(&self, mut body: Body) -> Result<(Bytes, OwnedSemaphorePermit), BodyFault> {
        let mut permit = self.take(0)?;
        let mut whole = Vec::new();
        let mut first = None;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| BodyFault::Damaged(error.to_string()))?;
            let Ok(data) = frame.into_data() else { continue };
            let before = whole.len() + first.as_ref().map_or(0, Bytes::len);
            if before + data.len() > self.limits.max_body_bytes {
                return Err(BodyFault::TooLarge);
            }
            permit.merge(self.take(data.len())?);
            // A body that came in one piece is not copied.
            if before == 0 {
                first = Some(data);
                continue;
            }
            whole.extend_from_slice(&first.take().unwrap_or_default());
            whole.extend_from_slice(&data);
        }
        Ok((first.unwrap_or_else(|| Bytes::from(whole)), permit))
    }

    fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit, BodyFault> {
        let pieces = u32::try_from(bytes.div_ceil(PIECE)).map_err(|_| BodyFault::TooLarge)?;
        Arc::clone(&self.budget).try_acquire_many_owned(pieces).map_err(|_| BodyFault::Crowded)
    }

    fn unpack(&self, packing: Packing, wire: &[u8], permit: &mut OwnedSemaphorePermit) -> Result<Bytes, BodyFault> {
        if wire.is_empty() {
            return Ok(Bytes::new());
        }
        let damaged = |error: io::Error| BodyFault::Damaged(format!("{packing:?}: {error}"));
        let mut source: Box<dyn Read + '_> = match packing {
            Packing::Gzip => Box::new(MultiGzDecoder::new(wire)),
            Packing::Deflate => Box::new(ZlibDecoder::new(wire)),
            Packing::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(wire).map_err(damaged)?;
                decoder.window_log_max(ZSTD_WINDOW).map_err(damaged)?;
                Box::new(decoder)
            }
        };
        let mut whole = Vec::new();
        loop {
            let before = whole.len();
            source.by_ref().take(LARGE as u64).read_to_end(&mut whole).map_err(damaged)?;
            if whole.len() > self.limits.max_unpacked_bytes {
                return Err(BodyFault::TooLarge);
            }
            if whole.len() == before {
                return Ok(Bytes::from(whole));
            }
            permit.merge(self.take(whole.len() - before)?);
        }
    }
}

/// Does work over so many bytes without keeping the runtime's other tasks waiting, where the runtime can spare a thread.
pub(crate) fn at_length<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    let spare = Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
    if bytes > LONG && spare { tokio::task::block_in_place(work) } else { work() }
}

#[derive(Clone, Copy, Debug)]
enum Packing {
    Gzip,
    Deflate,
    Zstd,
}

impl Packing {
    fn of(headers: &HeaderMap) -> Result<Option<Self>, BodyFault> {
        let Some(value) = headers.get(header::CONTENT_ENCODING) else { return Ok(None) };
        let name = value.to_str().unwrap_or_default().trim().to_ascii_lowercase();
        match name.as_str() {
            "" | "identity" => Ok(None),
            "gzip" | "x-gzip" => Ok(Some(Self::Gzip)),
            "deflate" => Ok(Some(Self::Deflate)),
            "zstd" => Ok(Some(Self::Zstd)),
            _ => Err(BodyFault::UnknownEncoding(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn reader(held: usize) -> BodyReader {
        let limits =
            BodyLimits { max_body_bytes: 1000, max_unpacked_bytes: 5000, max_held_bytes: held, ..Default::default() };
        BodyReader::new(limits)
    }

    fn packed(encoding: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::CONTENT_ENCODING, encoding.parse().unwrap())])
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }

    #[tokio::test]
    async fn bodies_are_unpacked() {
        let reader = reader(1 << 20);
        let wire = gzip(b"abc");
        let held = reader.read(&packed("gzip"), Body::from(wire.clone())).await.unwrap();
        assert_eq!((&held.bytes[..], held.wire), (&b"abc"[..], wire.len()));
        let wire = zstd::encode_all(&b"abc"[..], 0).unwrap();
        assert_eq!(&reader.read(&packed("zstd"), Body::from(wire)).await.unwrap().bytes[..], b"abc");
        assert_eq!(&reader.read(&HeaderMap::new(), Body::from("abc")).await.unwrap().bytes[..], b"abc");
    }

    #[tokio::test]
    async fn limits_hold() {
        let reader = reader(1 << 20);
        let fault = |headers, body: Vec<u8>| {
            let reader = reader.clone();
            async move { reader.read(&headers, Body::from(body)).await.unwrap_err() }
        };
        assert_eq!(fault(HeaderMap::new(), vec![b'x'; 1001]).await, BodyFault::TooLarge);
        assert_eq!(fault(packed("gzip"), gzip(&vec![0; 100_000])).await, BodyFault::TooLarge);
        assert_eq!(fault(packed("br"), vec![1]).await, BodyFault::UnknownEncoding("br".to_owned()));
        assert!(matches!(fault(packed("gzip"), vec![1, 2, 3]).await, BodyFault::Damaged(_)));
    }

    #[tokio::test]
    async fn the_budget_comes_back_with_the_body() {
        let reader = reader(2 << 10);
        let first = reader.read(&HeaderMap::new(), Body::from(vec![0; 900])).await.unwrap();
        let _second = reader.read(&HeaderMap::new(), Body::from(vec![0; 900])).await.unwrap();
        let third = reader.read(&HeaderMap::new(), Body::from(vec![0; 900])).await;
        assert_eq!(third.unwrap_err(), BodyFault::Crowded);
        drop(first);
        assert!(reader.read(&HeaderMap::new(), Body::from(vec![0; 900])).await.is_ok());
    }
}
