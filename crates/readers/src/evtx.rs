//! EVTX, chunk by chunk, with as much of a damaged file as can be had.
//!
//! Chunks lie at fixed places, so a damaged file header or chunk costs nothing but itself. Each chunk stands for
//! itself (strings and templates are its own), so chunks can be read side by side. Records are rendered as XML, which
//! is what Windows shows and what all other forms of an event are made from; [`crate::xml`] takes it from there.

use std::{
    error::Error,
    io::{self, Read},
    sync::Arc,
};

use evtx::{EvtxChunkData, ParserSettings};

use crate::{
    reader::{Reader, lossy},
    rows::Place,
};

/// Bytes before the first chunk.
pub(crate) const HEADER: u64 = 4096;

/// Bytes of a chunk.
pub(crate) const CHUNK: u64 = 65536;

/// Where its records begin.
const CHUNK_HEADER: usize = 512;

/// The first bytes of a chunk.
pub(crate) const CHUNK_MAGIC: &[u8] = b"ElfChnk\0";

/// Events of a chunk are numbered from the chunk's number times this.
const ORDINALS: u64 = 1 << 20;

impl Reader<'_> {
    /// Reads chunks from a source that stands at chunk `first`, to its end or up to chunk `end`.
    pub(crate) fn evtx(&mut self, source: &mut dyn Read, first: u64, end: Option<u64>) {
        let settings = Arc::new(ParserSettings::default().indent(false));
        let mut number = first;
        while end.is_none_or(|end| number < end) {
            let mut data = Vec::with_capacity(CHUNK as usize);
            let error = source.take(CHUNK).read_to_end(&mut data).err();
            self.report.bytes += data.len() as u64;
            let read = data.len();
            if read > 0 && data.iter().any(|byte| *byte != 0) {
                let whole = read == CHUNK as usize;
                // A chunk that is cut off still has the records before the cut.
                data.resize(CHUNK as usize, 0);
                if !whole && error.is_none() {
                    self.problem("evtx-truncated", place(number), "the file ends in the middle of this chunk");
                }
                self.chunk(data, number, &settings);
            }
            if let Some(error) = error {
                return self.problem("input-cut-off", place(number), format!("cannot be read further: {error}"));
            }
            if read < CHUNK as usize {
                return;
            }
            number += 1;
        }
    }

    fn chunk(&mut self, mut data: Vec<u8>, number: u64, settings: &Arc<ParserSettings>) {
        let damage = chunk_damage(&data);
        if let Some(damage) = damage {
            self.problem("evtx-chunk", place(number), format!("{damage}; its records are searched for"));
            salvage_header(&mut data);
        }
        let mut chunk = match EvtxChunkData::new(data, false) {
            Ok(chunk) => chunk,
            Err(error) => return self.problem("evtx-chunk", place(number), chain(&error)),
        };
        if damage.is_none() && !chunk.validate_header_checksum() {
            self.warning("evtx-checksum", place(number), "the checksum of the chunk's header is wrong");
        }
        let mut parsed = match chunk.parse(Arc::clone(settings)) {
            Ok(parsed) => parsed,
            Err(error) => {
                let message = format!("{}; its records are searched for", chain(&error));
                self.problem("evtx-chunk", place(number), message);
                if damage.is_some() {
                    return;
                }
                let mut data = std::mem::take(&mut chunk.data);
                salvage_header(&mut data);
                return self.chunk(data, number, settings);
            }
        };
        for (index, record) in parsed.iter().enumerate() {
            let ordinal = number * ORDINALS + index as u64;
            let rendered = record.and_then(|record| {
                let id = record.event_record_id;
                record.into_xml_bytes().map(|xml| (id, xml.data))
            });
            let (id, xml) = match rendered {
                Ok(rendered) => rendered,
                Err(error) => {
                    self.problem("evtx-record", place(number), chain(&error));
                    continue;
                }
            };
            let (text, _) = lossy(&xml);
            if let Err(message) = self.evtx_event(&text, Place { ordinal, record: id }) {
                self.problem("evtx-record", format!("{}, record {id}", place(number)), message);
            }
        }
    }
}

fn place(chunk: u64) -> String {
    format!("chunk {chunk} (byte {})", HEADER + chunk * CHUNK)
}

/// What is wrong with the header of a chunk, as far as its records cannot be found by it.
fn chunk_damage(data: &[u8]) -> Option<&'static str> {
    let number = |at: usize| {
        let bytes = data.get(at..at + 4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize)
    };
    if !data.starts_with(CHUNK_MAGIC) {
        return Some("not the beginning of a chunk");
    }
    let (last, free) = (number(44)?, number(48)?);
    let inside = CHUNK_HEADER..=CHUNK as usize;
    (!inside.contains(&free) || last > free).then_some("the chunk's header is damaged")
}

/// Writes a chunk header that allows records anywhere and knows no shared strings.
fn salvage_header(data: &mut [u8]) {
    let Some(header) = data.get_mut(..CHUNK_HEADER) else { return };
    header.fill(0);
    header[..8].copy_from_slice(CHUNK_MAGIC);
    header[16..24].fill(0xff);
    header[32..40].fill(0xff);
    header[40..44].copy_from_slice(&128_u32.to_le_bytes());
    header[44..48].copy_from_slice(&(CHUNK as u32).to_le_bytes());
    header[48..52].copy_from_slice(&(CHUNK as u32).to_le_bytes());
}

/// An error with what caused it, on one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = cause.source();
    }
    text.replace(['\n', '\r'], " ")
}

/// Moves a source over the file header.
pub(crate) fn skip_header(source: &mut dyn Read) -> io::Result<u64> {
    io::copy(&mut source.take(HEADER), &mut io::sink())
}
