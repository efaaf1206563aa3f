//! What the writer does when the disk fails it.

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use bytes::Bytes;
use lurcher_schema::Timestamp;

use crate::{
    Journal, JournalError, JournalOptions, Position, Record, RecordKind,
    disk::{Disk, LocalDisk, SegmentFile},
    verify,
};

/// What is wrong with the disk at present.
#[derive(Default)]
struct Faults {
    /// Bytes that still fit, where it is full.
    room: AtomicI64,
    full: AtomicBool,
    flush_fails: AtomicBool,
    truncate_fails: AtomicBool,
}

struct BadDisk(Arc<Faults>);
struct BadFile(Box<dyn SegmentFile>, Arc<Faults>);

impl Disk for BadDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        Ok(Box::new(BadFile(LocalDisk.create(path)?, self.0.clone())))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn SegmentFile>> {
        Ok(Box::new(BadFile(LocalDisk.open(path)?, self.0.clone())))
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        LocalDisk.sync_folder(folder)
    }
}

impl SegmentFile for BadFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if self.1.full.load(Ordering::SeqCst) {
            let room = self.1.room.fetch_sub(bytes.len() as i64, Ordering::SeqCst);
            if room < bytes.len() as i64 {
                self.1.room.store(0, Ordering::SeqCst);
                self.0.write_at(offset, &bytes[..room.max(0) as usize])?;
                return Err(io::ErrorKind::StorageFull.into());
            }
        }
        self.0.write_at(offset, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.1.flush_fails.load(Ordering::SeqCst) {
            return Err(io::Error::other("the disk lies"));
        }
        self.0.sync()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        if self.1.truncate_fails.load(Ordering::SeqCst) {
            return Err(io::Error::other("cannot cut"));
        }
        self.0.truncate(length)
    }
}

fn record(number: u64) -> Record {
    let body = Bytes::from(format!("record {number}"));
    Record { stream: Arc::from("s"), kind: RecordKind::Line, received: Timestamp(0), body }
}

fn open(folder: &Path) -> (Arc<Journal>, Arc<Faults>) {
    let faults = Arc::new(Faults::default());
    let options = JournalOptions { segment_bytes: 1000, ..JournalOptions::default() };
    (Journal::open_on(Box::new(BadDisk(faults.clone())), folder, options).unwrap(), faults)
}

async fn numbers(journal: &Journal) -> Vec<String> {
    let mut reader = journal.reader(Position(0));
    let mut bodies = Vec::new();
    while let Some(block) = reader.try_next(1000, 1 << 20).await.unwrap() {
        assert_eq!(block.lost, []);
        bodies.extend(block.records.iter().map(|(_, record)| String::from_utf8_lossy(&record.body).into_owned()));
    }
    bodies
}

/// The records that were acknowledged, and nothing else, are there: now, and when it is opened again.
async fn expect(journal: Arc<Journal>, folder: &Path, acknowledged: &[u64]) {
    let expected: Vec<String> = acknowledged.iter().map(|number| format!("record {number}")).collect();
    assert_eq!(numbers(&journal).await, expected);
    drop(journal);
    assert_eq!(verify(folder).unwrap().records, expected.len() as u64);
    let (journal, _) = open(folder);
    assert_eq!(numbers(&journal).await, expected);
}

#[tokio::test]
async fn a_full_disk_refuses_and_works_again() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, faults) = open(folder.path());
    let mut acknowledged = Vec::new();
    for number in 0..200 {
        if number % 20 == 5 {
            faults.room.store(number as i64 * 3, Ordering::SeqCst);
            faults.full.store(true, Ordering::SeqCst);
        }
        if number % 20 == 15 {
            faults.full.store(false, Ordering::SeqCst);
        }
        match journal.append(vec![record(number)]).await {
            Ok(_) => acknowledged.push(number),
            Err(JournalError::Full { .. }) => assert!(journal.stats().full),
            Err(other) => panic!("{other}"),
        }
    }
    assert!(!journal.stats().full);
    assert!(acknowledged.len() > 100 && acknowledged.len() < 200);
    expect(journal, folder.path(), &acknowledged).await;
}

#[tokio::test]
async fn a_failed_flush_claims_nothing_and_moves_to_a_new_segment() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, faults) = open(folder.path());
    let mut acknowledged = Vec::new();
    for number in 0..60 {
        faults.truncate_fails.store(number % 20 == 10, Ordering::SeqCst);
        faults.flush_fails.store(number % 10 == 0, Ordering::SeqCst);
        match journal.append(vec![record(number)]).await {
            Ok(_) => acknowledged.push(number),
            Err(JournalError::Io { action, .. }) => assert_eq!(action, "flush"),
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(acknowledged.len(), 54);
    expect(journal, folder.path(), &acknowledged).await;
}

#[tokio::test]
async fn half_a_frame_that_cannot_be_cut_off_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, faults) = open(folder.path());
    journal.append(vec![record(0)]).await.unwrap();
    faults.truncate_fails.store(true, Ordering::SeqCst);
    faults.full.store(true, Ordering::SeqCst);
    faults.room.store(40, Ordering::SeqCst);
    assert!(matches!(journal.append(vec![record(1)]).await, Err(JournalError::Full { .. })));
    faults.full.store(false, Ordering::SeqCst);
    journal.append(vec![record(2)]).await.unwrap();
    assert_eq!(journal.stats().segments, 2);
    expect(journal, folder.path(), &[0, 2]).await;
}

#[tokio::test]
async fn what_was_not_flushed_and_is_lost_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, faults) = open(folder.path());
    journal.append(vec![record(0)]).await.unwrap();
    journal.append_unsynced(vec![record(1), record(2)]).await.unwrap();
    faults.flush_fails.store(true, Ordering::SeqCst);
    let refused = journal.append(vec![record(3)]).await.unwrap_err();
    assert_eq!(refused.to_string().split(": ").last(), Some("the disk lies"));
    faults.flush_fails.store(false, Ordering::SeqCst);
    match journal.sync().await {
        Err(JournalError::Lost { positions }) => assert_eq!(positions, Position(1)..Position(3)),
        other => panic!("{other:?}"),
    }
    assert_eq!(journal.sync().await.unwrap(), Position(1));
    journal.append(vec![record(4)]).await.unwrap();
    expect(journal, folder.path(), &[0, 4]).await;
}
