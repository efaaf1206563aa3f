//! Whatever happens to the bytes of a journal: what was acknowledged before the damage comes back, what comes back was
//! appended, and what is lost is told.

#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

use std::{ops::Range, path::Path, sync::Arc};

use bytes::Bytes;
use lurcher_journal::{Block, Journal, JournalOptions, Position, Record, RecordKind, verify};
use lurcher_schema::Timestamp;
use proptest::prelude::*;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

/// A journal's calls, each a list of bodies.
fn calls() -> impl Strategy<Value = Vec<Vec<Vec<u8>>>> {
    let body = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        // Bodies that look like frames.
        Just([0xF7, b'l', b'j', 0xA5, 1, 0, 0, 0, 1, 0, 0, 0].repeat(3)),
    ];
    proptest::collection::vec(proptest::collection::vec(body, 1..5), 1..12)
}

fn record(body: &[u8]) -> Record {
    Record {
        stream: Arc::from(if body.len().is_multiple_of(2) { "even" } else { "odd" }),
        kind: RecordKind::Line,
        received: Timestamp(body.len() as i64),
        body: Bytes::copy_from_slice(body),
    }
}

fn options() -> JournalOptions {
    JournalOptions { segment_bytes: 400, ..JournalOptions::default() }
}

/// Writes the calls one after another; gives the records, and where in which file each call's frame ends.
async fn write(folder: &Path, calls: &[Vec<Vec<u8>>]) -> (Vec<Record>, Vec<(String, u64, usize)>) {
    let journal = Journal::open(folder, options()).unwrap();
    let mut all = Vec::new();
    let mut ends = Vec::new();
    for call in calls {
        let records: Vec<Record> = call.iter().map(|body| record(body)).collect();
        all.extend(records.clone());
        journal.append(records).await.unwrap();
        let last = segments(folder).pop().unwrap();
        ends.push((last.0, last.1.len() as u64, all.len()));
    }
    (all, ends)
}

/// Names and contents of the segments.
fn segments(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = entries
        .filter(|path| path.extension().is_some_and(|extension| extension == "journal"))
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()))
        .collect();
    found.sort();
    found
}

/// Reads what is there now, and checks that records and losses together cover every position once.
async fn read(journal: &Journal) -> Block {
    let mut reader = journal.reader(Position(0));
    let mut all = Block::default();
    while let Some(block) = reader.try_next(3, 1000).await.unwrap() {
        all.records.extend(block.records);
        all.lost.extend(block.lost);
        all.next = block.next;
    }
    let mut covered: Vec<Range<u64>> = all.records.iter().map(|(position, _)| position.0..position.0 + 1).collect();
    covered.extend(all.lost.iter().map(|damage| damage.positions.start.0..damage.positions.end.0));
    covered.sort_by_key(|range| range.start);
    let mut expected = 0;
    for range in covered {
        assert_eq!(range.start, expected, "every position is yielded or told once");
        expected = range.end;
    }
    assert_eq!(Position(expected), journal.end());
    all
}

/// Opens a damaged journal, checks what it yields, and that it works on.
async fn check(folder: &Path, all: &[Record], sure: usize) -> Result<(), TestCaseError> {
    let journal = Journal::open(folder, options()).unwrap();
    let block = read(&journal).await;
    for (position, record) in &block.records {
        prop_assert_eq!(Some(record), all.get(position.0 as usize), "record {} was not appended so", position.0);
    }
    let whole = block.records.iter().enumerate().take_while(|(at, (position, _))| position.0 == *at as u64).count();
    prop_assert!(whole >= sure, "{} of {} sure records are there", whole, sure);
    let taken = journal.append(vec![record(b"later")]).await.unwrap();
    let after = read(&journal).await;
    prop_assert_eq!(after.records.last(), Some(&(taken.start, record(b"later"))));
    journal.close();
    let verified = verify(folder).unwrap();
    prop_assert_eq!(verified.records, after.records.len() as u64);
    prop_assert_eq!(verified.damages.is_empty(), after.lost.is_empty());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// A crash leaves the last segment cut anywhere, with or without rubbish behind.
    #[test]
    fn a_torn_end_is_cut(calls in calls(), cut in any::<prop::sample::Index>(), rubbish in proptest::collection::vec(any::<u8>(), 0..50)) {
        runtime().block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let (all, ends) = write(folder.path(), &calls).await;
            let (name, mut bytes) = segments(folder.path()).pop().unwrap();
            let cut = cut.index(bytes.len() + 1);
            bytes.truncate(cut);
            bytes.extend(rubbish);
            std::fs::write(folder.path().join(&name), bytes).unwrap();
            let sure = ends.iter().filter(|(file, end, _)| *file < name || (*file == name && *end <= cut as u64 && cut >= 32));
            check(folder.path(), &all, sure.map(|(.., records)| *records).max().unwrap_or(0)).await
        })?;
    }

    /// A bit flips anywhere in any segment.
    #[test]
    fn a_flipped_bit_costs_what_it_hit(calls in calls(), file in any::<prop::sample::Index>(), place in any::<prop::sample::Index>(), bit in 0_u32..8) {
        runtime().block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let (all, ends) = write(folder.path(), &calls).await;
            let mut files = segments(folder.path());
            let (name, mut bytes) = files.swap_remove(file.index(files.len()));
            let place = place.index(bytes.len());
            bytes[place] ^= 1u8 << bit;
            std::fs::write(folder.path().join(&name), bytes).unwrap();
            let before = |(file, end, _): &&(String, u64, usize)| *file < name || (*file == name && *end <= place as u64);
            let sure = ends.iter().filter(before).map(|(.., records)| *records).max().unwrap_or(0);
            check(folder.path(), &all, sure).await?;
            Ok::<(), TestCaseError>(())
        })?;
    }

    /// Bytes are gone from the middle of a segment: the length that the broken frame names reaches over what is behind it, also
    /// over what is appended afterwards, which must not go down with it.
    #[test]
    fn bytes_that_are_gone_cost_what_they_were_part_of(calls in calls(), file in any::<prop::sample::Index>(), place in any::<prop::sample::Index>(), gone in 1_usize..200) {
        runtime().block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let (all, ends) = write(folder.path(), &calls).await;
            let mut files = segments(folder.path());
            let (name, mut bytes) = files.swap_remove(file.index(files.len()));
            let place = place.index(bytes.len());
            let gone = place..bytes.len().min(place + gone);
            let last = ends.iter().filter(|(file, ..)| *file == name).max_by_key(|(_, end, _)| *end);
            let behind = last.map(|last| ends.iter().find(|(file, end, _)| *file == name && *end >= gone.end as u64 && end < &last.1));
            bytes.drain(gone.clone());
            std::fs::write(folder.path().join(&name), bytes).unwrap();
            let before = |(file, end, _): &&(String, u64, usize)| *file < name || (*file == name && *end <= place as u64 && place >= 64);
            let sure = ends.iter().filter(before).map(|(.., records)| *records).max().unwrap_or(0);
            check(folder.path(), &all, sure).await?;
            // The frames wholly behind the hole are there, if the file's header is.
            if let (Some(Some(first)), true) = (behind, place >= 64) {
                let journal = Journal::open(folder.path(), options()).unwrap();
                let yielded = read(&journal).await.records;
                let next = all.len().min(ends.iter().find(|end| end.2 > first.2).map_or(all.len(), |end| end.2));
                for position in first.2..next {
                    prop_assert!(yielded.iter().any(|(at, _)| at.0 == position as u64), "record {} behind the hole", position);
                }
            }
            Ok::<(), TestCaseError>(())
        })?;
    }

    /// Any bytes at all in place of a segment.
    #[test]
    fn rubbish_is_no_journal(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
        runtime().block_on(async {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("00000000000000000000.journal"), bytes).unwrap();
            let journal = Journal::open(folder.path(), options()).unwrap();
            assert!(read(&journal).await.records.is_empty());
            journal.append(vec![record(b"works")]).await.unwrap();
            assert_eq!(read(&journal).await.records.len(), 1);
        });
    }
}

/// After a clean close even damage to the very last records is known to be damage.
#[test]
fn the_last_records_of_a_closed_journal_are_told() {
    runtime().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &[vec![b"one".to_vec(), b"two".to_vec(), b"three".to_vec()]]).await;
        let (name, mut bytes) = segments(folder.path()).pop().unwrap();
        let at = bytes.windows(3).position(|window| window == b"two").unwrap();
        bytes[at] = b'T';
        std::fs::write(folder.path().join(&name), bytes).unwrap();
        let journal = Journal::open(folder.path(), options()).unwrap();
        assert_eq!(journal.recovery().cut, None);
        let block = read(&journal).await;
        assert_eq!(block.records.len(), 2, "the records around it are whole");
        assert_eq!(block.lost[0].positions, Position(1)..Position(2));
        let told = block.lost[0].to_string();
        assert!(told.ends_with("a record does not agree with its checksum; record 1 is lost"), "{told}");
    });
}
