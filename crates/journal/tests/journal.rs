//! What the journal promises: order, durability, followers, trimming, one holder.

#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use lurcher_journal::{
    Damage, DamageReason, Journal, JournalError, JournalOptions, Position, Record, RecordKind, verify,
};
use lurcher_schema::Timestamp;

fn record(number: u64) -> Record {
    Record {
        stream: Arc::from(format!("stream-{}", number % 3)),
        kind: [RecordKind::Json, RecordKind::Xml, RecordKind::Line][number as usize % 3],
        received: Timestamp(number as i64 * 1000),
        body: Bytes::from(format!("record {number} {}", "x".repeat(number as usize % 50))),
    }
}

fn records(numbers: std::ops::Range<u64>) -> Vec<Record> {
    numbers.map(record).collect()
}

fn small_segments() -> JournalOptions {
    JournalOptions { segment_bytes: 2000, ..JournalOptions::default() }
}

async fn read_all(journal: &Journal, from: u64) -> (Vec<(u64, Record)>, Vec<Damage>) {
    let mut reader = journal.reader(Position(from));
    let (mut records, mut lost) = (Vec::new(), Vec::new());
    while let Some(block) = reader.try_next(7, 300).await.unwrap() {
        records.extend(block.records.into_iter().map(|(position, record)| (position.0, record)));
        lost.extend(block.lost);
    }
    (records, lost)
}

fn numbered(numbers: std::ops::Range<u64>) -> Vec<(u64, Record)> {
    numbers.map(|number| (number, record(number))).collect()
}

#[tokio::test]
async fn what_was_appended_comes_back_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..4 {
        let journal = Journal::open(folder.path(), small_segments()).unwrap();
        assert_eq!(journal.end(), Position(round * 50));
        for call in 0..10 {
            let first = round * 50 + call * 5;
            let taken = journal.append(records(first..first + 5)).await.unwrap();
            assert_eq!(taken, Position(first)..Position(first + 5));
        }
    }
    let journal = Journal::open(folder.path(), small_segments()).unwrap();
    assert!(journal.stats().segments > 3);
    for from in [0, 1, 4, 77, 199, 200] {
        assert_eq!(read_all(&journal, from).await, (numbered(from..200), Vec::new()), "from {from}");
    }
    let verified = verify(folder.path()).unwrap();
    assert_eq!((verified.records, verified.end, verified.torn_bytes), (200, Position(200), 0));
    assert!(verified.damages.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_calls_share_flushes_and_stay_whole() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), JournalOptions::default()).unwrap();
    let callers: Vec<_> = (0..64)
        .map(|caller| {
            let journal = journal.clone();
            tokio::spawn(async move {
                for _ in 0..10 {
                    let taken = journal.append(vec![record(caller); 3]).await.unwrap();
                    assert_eq!(taken.end.0 - taken.start.0, 3);
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    assert_eq!(journal.end(), Position(64 * 10 * 3));
    let stats = journal.stats();
    assert!(stats.flushes <= 320, "640 calls took {} flushes", stats.flushes);
    let (read, lost) = read_all(&journal, 0).await;
    assert!(lost.is_empty());
    assert!(read.chunks(3).all(|call| call[0].1 == call[1].1 && call[1].1 == call[2].1));
}

#[tokio::test]
async fn a_reader_follows_and_ends_with_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), small_segments()).unwrap();
    let mut reader = journal.reader(Position(0));
    let waited = tokio::time::timeout(Duration::from_millis(20), reader.next(10, 1000)).await;
    assert!(waited.is_err(), "there is nothing to read yet");
    let follower = tokio::spawn(async move {
        let mut seen = Vec::new();
        while let Some(block) = reader.next(10, 1000).await.unwrap() {
            seen.extend(block.records.into_iter().map(|(position, record)| (position.0, record)));
        }
        seen
    });
    for first in (0..100).step_by(4) {
        journal.append(records(first..first + 4)).await.unwrap();
    }
    journal.close();
    assert_eq!(follower.await.unwrap(), numbered(0..100));
    assert!(matches!(journal.append(records(0..1)).await, Err(JournalError::Closed)));
}

#[tokio::test]
async fn a_reader_that_nobody_has_the_patience_for_comes_to_an_end() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), JournalOptions::default()).unwrap();
    journal.append(records(0..30_000)).await.unwrap();
    let mut reader = journal.reader(Position(29_940));
    let mut seen = Vec::new();
    // Each time the future is dropped long before the records at the end can have been reached.
    for _ in 0..1000 {
        if let Ok(block) = tokio::time::timeout(Duration::ZERO, reader.next(10, 1000)).await {
            let records = block.unwrap().unwrap().records;
            seen.extend(records.into_iter().map(|(position, record)| (position.0, record)));
        }
        if seen.len() == 60 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(seen, numbered(29_940..30_000));
}

#[tokio::test]
async fn what_is_not_flushed_is_not_seen() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), small_segments()).unwrap();
    for number in 0..200 {
        assert_eq!(journal.append_unsynced(records(number..number + 1)).await.unwrap().start, Position(number));
    }
    let seen = read_all(&journal, 0).await.0.len() as u64;
    assert_eq!(seen, journal.end().0);
    assert!(seen < 200, "only what was flushed on the way into a new segment");
    assert_eq!(journal.sync().await.unwrap(), Position(200));
    assert_eq!(read_all(&journal, 0).await, (numbered(0..200), Vec::new()));
    assert_eq!(journal.append(Vec::new()).await.unwrap(), Position(200)..Position(200));
}

#[tokio::test]
async fn trimming_deletes_whole_segments() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), small_segments()).unwrap();
    for first in (0..300).step_by(3) {
        journal.append(records(first..first + 3)).await.unwrap();
    }
    let before = journal.stats();
    let freed = journal.trim(Position(150)).unwrap();
    let after = journal.stats();
    assert!(freed > 0 && after.bytes == before.bytes - freed);
    assert!(after.begin > Position(50) && after.begin <= Position(150));
    let begin = after.begin.0;
    let (read, lost) = read_all(&journal, begin).await;
    assert_eq!((read, lost.len()), (numbered(begin..300), 0));
    let (read, lost) = read_all(&journal, 10).await;
    assert_eq!(read.len() as u64, 300 - begin);
    assert_eq!(lost[0].positions, Position(10)..Position(begin));
    assert_eq!(lost[0].reason, DamageReason::Missing);
    journal.trim(Position(u64::MAX)).unwrap();
    assert_eq!((journal.stats().segments, journal.end()), (1, Position(300)));
    drop(journal);
    assert_eq!(Journal::open(folder.path(), small_segments()).unwrap().end(), Position(300));
}

#[tokio::test]
async fn one_process_holds_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), small_segments()).unwrap();
    let second = Journal::open(folder.path(), small_segments()).unwrap_err();
    assert!(second.to_string().ends_with("another process has this journal open; stop it, or choose another folder"));
    drop(journal);
    Journal::open(folder.path(), small_segments()).unwrap();
}

#[tokio::test]
async fn positions_that_a_consumer_has_seen_are_not_given_out_again() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), small_segments()).unwrap();
    journal.append(records(0..5)).await.unwrap();
    assert_eq!(journal.skip_to(Position(3)).await.unwrap(), Position(5));
    assert_eq!(journal.skip_to(Position(100)).await.unwrap(), Position(100));
    journal.append(records(100..105)).await.unwrap();
    drop(journal);
    let journal = Journal::open(folder.path(), small_segments()).unwrap();
    assert_eq!(journal.end(), Position(105));
    let (read, lost) = read_all(&journal, 0).await;
    assert_eq!(read, [numbered(0..5), numbered(100..105)].concat());
    assert_eq!(lost.len(), 1);
    assert_eq!(lost[0].positions, Position(5)..Position(100));
}

#[tokio::test]
async fn a_deleted_segment_is_told_and_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), small_segments()).unwrap();
    for number in 0..200 {
        journal.append(records(number..number + 1)).await.unwrap();
    }
    journal.close();
    drop(journal);
    let mut files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    std::fs::remove_file(&files[1]).unwrap();
    let journal = Journal::open(folder.path(), small_segments()).unwrap();
    let (read, lost) = read_all(&journal, 0).await;
    let missing = lost[0].positions.start.0..lost[0].positions.end.0;
    assert_eq!(lost.len(), 1);
    assert_eq!(read, [numbered(0..missing.start), numbered(missing.end..200)].concat());
    assert_eq!(verify(folder.path()).unwrap().damages[0].positions, lost[0].positions);
}

#[tokio::test]
async fn a_later_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(Journal::open(folder.path(), small_segments()).unwrap());
    let path = folder.path().join("00000000000000000000.journal");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[8] = 9;
    let checksum = crc32fast::hash(&bytes[..28]);
    bytes[28..32].copy_from_slice(&checksum.to_le_bytes());
    std::fs::write(&path, &bytes).unwrap();
    let error = Journal::open(folder.path(), small_segments()).unwrap_err();
    assert!(error.to_string().contains("version 9"), "{error}");
}
