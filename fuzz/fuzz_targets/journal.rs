//! A journal whose last segment is anything: opening, reading and appending never panic, and what is appended comes back.

#![no_main]

use std::sync::Arc;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use lurcher_journal::{Journal, JournalOptions, Position, Record, RecordKind, verify};
use lurcher_schema::Timestamp;

fuzz_target!(|data: &[u8]| {
    let Ok(folder) = tempfile::tempdir() else { return };
    // A good header in front, unless the data is to be all of it: else hardly anything would come past it.
    let path = folder.path().join("00000000000000000000.journal");
    if data.first().is_some_and(|byte| byte % 4 != 0) {
        drop(Journal::open(folder.path(), JournalOptions::default()));
    }
    let mut bytes = std::fs::read(&path).unwrap_or_default();
    bytes.extend_from_slice(data);
    if std::fs::write(&path, bytes).is_err() {
        return;
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
        let taken = journal.append(vec![record.clone()]).await.expect("there is room");
        let mut reader = journal.reader(Position(0));
        let mut last = None;
        while let Some(block) = reader.try_next(10, 1 << 16).await.expect("files can be read") {
            last = block.records.into_iter().last().or(last);
        }
        assert_eq!(last, Some((taken.start, record)));
    });
});
