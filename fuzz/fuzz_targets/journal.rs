//! A journal whose segments are anything: opening, reading and appending never panic, and what is appended comes back.
//!
//! A fuzzer does not guess checksums, so the segments are built from its bytes: sound frames, and bytes of no meaning between
//! them, cuts and flipped bits; and frames whose checksums are right and whose numbers are not. These no disk makes, and no
//! promise holds for what is behind them, but they cause no panic either.

#![no_main]

use std::sync::Arc;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use lurcher_journal::{Journal, JournalOptions, Position, Record, RecordKind, verify};
use lurcher_schema::Timestamp;

/// The fuzzer's bytes, one choice after the other; zeros when they are used up.
struct Choices<'d> {
    rest: &'d [u8],
    /// Whether a number under a good checksum is wrong.
    lied: bool,
}

impl<'d> Choices<'d> {
    fn byte(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or(0)
    }

    fn bytes(&mut self, count: usize) -> &'d [u8] {
        let (taken, rest) = self.rest.split_at(count.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    /// By how much a number is wrong.
    fn lie(&mut self) -> u32 {
        let lie = match self.byte() {
            byte @ 240.. => u32::from(byte).wrapping_sub(248),
            239 => u32::MAX,
            _ => 0,
        };
        self.lied |= lie != 0;
        lie
    }
}

/// With its checksum, over `before` too, behind it.
fn checked(before: &[u8], mut bytes: Vec<u8>) -> Vec<u8> {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(before);
    hasher.update(&bytes);
    bytes.extend(hasher.finalize().to_le_bytes());
    bytes
}

/// A segment's header, its salt 0.
fn header(first: u64, version: u32) -> Vec<u8> {
    let copy = [&b"LURCHJNL"[..], &version.to_le_bytes(), &first.to_le_bytes(), &[0; 8]].concat();
    checked(&[], copy).repeat(2)
}

fn record(choices: &mut Choices<'_>, index: u32) -> Vec<u8> {
    let (kind, name, body) = (choices.byte(), choices.byte() % 8, choices.byte() % 32);
    // A name that is longer than what there is, now and then.
    let said = u16::from(name).wrapping_add(choices.lie() as u16);
    let mut bytes = [&[kind][..], &[0; 8], &said.to_le_bytes()].concat();
    bytes.extend(choices.bytes(usize::from(name) + usize::from(body)));
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&index.to_le_bytes());
    hasher.update(&bytes);
    let length = (bytes.len() as u32).wrapping_add(choices.lie());
    [&length.to_le_bytes()[..], &hasher.finalize().to_le_bytes(), &bytes].concat()
}

fn frame(choices: &mut Choices<'_>, next: &mut u64) -> Vec<u8> {
    let count = u32::from(choices.byte() % 4);
    let records: Vec<u8> = (0..count).flat_map(|index| record(choices, index)).collect();
    let length = (records.len() as u32).wrapping_add(choices.lie());
    let said = count.wrapping_add(choices.lie());
    let first = next.wrapping_add(choices.lie().into());
    *next = first.saturating_add(said.into());
    let mut bytes = vec![0xF7, b'l', b'j', 0xA5];
    bytes.extend(length.to_le_bytes());
    bytes.extend(said.to_le_bytes());
    bytes.extend(first.to_le_bytes());
    bytes.extend(u32::from(choices.byte()).to_le_bytes());
    bytes.extend([0; 4]);
    [checked(&[0; 8], bytes), records].concat()
}

fn segment(choices: &mut Choices<'_>, next: &mut u64) -> Vec<u8> {
    let mut bytes = match choices.byte() {
        0 => Vec::new(),
        1 => header(*next, choices.byte().into()),
        2 => header(*next, 1)[..usize::from(choices.byte()) % 64].to_vec(),
        _ => header(*next, 1),
    };
    for _ in 0..choices.byte() % 8 {
        match choices.byte() {
            0 => {
                let count = choices.byte().into();
                bytes.extend(choices.bytes(count));
            }
            1 => bytes.extend([0; 40]),
            2 => bytes.truncate(bytes.len().saturating_sub(choices.byte().into())),
            3 => {
                let at = bytes.len().saturating_sub(choices.byte().into());
                bytes.get_mut(at..).and_then(<[u8]>::first_mut).into_iter().for_each(|byte| *byte ^= 1);
            }
            _ => bytes.extend(frame(choices, next)),
        }
    }
    bytes
}

fuzz_target!(|data: &[u8]| {
    let Ok(folder) = tempfile::tempdir() else { return };
    let mut choices = Choices { rest: data, lied: false };
    let mut next = 0;
    for _ in 0..=choices.byte() % 3 {
        let path = folder.path().join(format!("{next:020}.journal"));
        if std::fs::write(&path, segment(&mut choices, &mut next)).is_err() {
            return;
        }
    }
    let _ = verify(folder.path());
    let Ok(journal) = Journal::open(folder.path(), JournalOptions::default()) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let record = Record {
            stream: Arc::from("fuzz"),
            kind: RecordKind::Line,
            received: Timestamp(0),
            body: Bytes::copy_from_slice(data),
        };
        let Ok(taken) = journal.append(vec![record.clone()]).await else {
            assert!(choices.lied, "there is room");
            return;
        };
        let mut reader = journal.reader(Position(0));
        let mut last = None;
        while let Some(block) = reader.try_next(10, 1 << 16).await.expect("files can be read") {
            last = block.records.into_iter().last().or(last);
        }
        if !choices.lied {
            assert_eq!(last, Some((taken.start, record)));
        }
    });
});
