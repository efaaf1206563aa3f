//! Merging, retention, sweeping, verification; a full disk; another tool's view of a table.

#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

mod setup;

use std::process::Command;

use lurcher_journal::{Position, Record};
use lurcher_schema::Clock;
use lurcher_store::{Retention, Store, StoreError};
use setup::{DAY, Place, all, block, files, put};

/// A record that hardly compresses, so that files have sizes to speak of.
fn bulky(place: &Place, number: u64) -> Record {
    let mut noise = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let text: String = (0..400)
        .map(|_| {
            noise ^= noise << 13;
            noise ^= noise >> 7;
            noise ^= noise << 17;
            char::from(b'a' + (noise % 26) as u8)
        })
        .collect();
    let extra = if number.is_multiple_of(5) { format!(r#","extra{}":{number}"#, number % 3) } else { String::new() };
    place.json("s", &format!(r#"{{"n":{number},"text":"{text}"{extra}}}"#))
}

#[tokio::test]
async fn merging_keeps_every_row() {
    let place = Place::new();
    let store = place.open().await;
    let records: Vec<Record> = (0..40).map(|number| bulky(&place, number)).collect();
    for (first, call) in (0..).step_by(2).zip(records.chunks(2)) {
        put(&store, first, call.to_vec()).await;
    }
    let before = all(&store).await;
    assert_eq!(store.stream("s").unwrap().files, 20);
    let done = store.maintain().await;
    assert!(done.failures.is_empty(), "{:?}", done.failures);
    assert!(done.merged >= 16, "{done:?}");
    assert!(store.stream("s").unwrap().files <= 4);
    assert_eq!(all(&store).await, before);
    let verified = store.verify().await.unwrap();
    assert_eq!((verified.rows, verified.faults.len()), (40, 0));
    // Its place in the journal is still known, and the merged files are gone from disk once they are old.
    assert_eq!(store.reached(), Position(40));
    place.advance(2 * 3_600_000_000);
    store.maintain().await;
    assert_eq!(files(&place.table("s")).len() as u64, store.stream("s").unwrap().files);
    // A day that is over becomes one file.
    place.advance(DAY);
    store.maintain().await;
    assert_eq!(store.stream("s").unwrap().files, 1);
    drop(store);
    let store = place.open().await;
    assert_eq!(all(&store).await, before);
    let rows = store.sql("SELECT sum(n) AS n, count(extra0) AS e FROM s", 1).await.unwrap().rows;
    assert_eq!((rows[0]["n"].as_i64(), rows[0]["e"].as_i64()), (Some(780), Some(3)));
}

#[tokio::test]
async fn old_days_and_too_many_bytes_go() {
    let place = Place::new();
    let mut options = place.options();
    options.retention = vec![("s".into(), Retention { days: Some(3), bytes: None })];
    options.keep = Retention { days: None, bytes: Some(40_000) };
    let store = Store::open(options).await.unwrap();
    let mut position = 0;
    for _ in 0..6 {
        let mut large = bulky(&place, position);
        large.stream = "large".into();
        let others =
            (0..20).map(|number| Record { body: bulky(&place, position * 100 + number).body, ..large.clone() });
        let records: Vec<Record> = std::iter::once(bulky(&place, position)).chain(others).collect();
        let count = records.len() as u64;
        put(&store, position, records).await;
        position += count;
        place.advance(DAY);
    }
    place.advance(-DAY);
    let done = store.maintain().await;
    assert!(done.failures.is_empty(), "{:?}", done.failures);
    assert_eq!((done.expired, done.expired_rows), (2, 2), "today and three days before it stay");
    assert!(done.evicted >= 3, "{done:?}");
    let large = store.stream("large").unwrap();
    assert!(large.bytes <= 40_000 && large.rows >= 20, "{large:?}");
    let kept = all(&store).await;
    assert_eq!(kept.last().unwrap().0, position - 1, "the newest stay");
    assert_eq!(done.swept, 0, "a query may still be reading them");
    place.advance(2 * 3_600_000_000);
    assert_eq!(store.maintain().await.swept, done.expired + done.evicted);
    assert!(store.verify().await.unwrap().faults.is_empty());
}

#[tokio::test]
async fn the_store_as_a_whole_has_a_bound() {
    let place = Place::new();
    let mut options = place.options();
    options.max_bytes = Some(30_000);
    let store = Store::open(options).await.unwrap();
    for day in 0..5 {
        let records = (0..20).map(|number| {
            let stream = if number % 2 == 0 { "a" } else { "b" };
            Record { stream: stream.into(), ..bulky(&place, day * 20 + number) }
        });
        put(&store, day * 20, records.collect()).await;
        place.advance(DAY);
    }
    let before: u64 = store.stats().bytes;
    assert!(before > 30_000);
    let done = store.maintain().await;
    let after = store.stats().bytes;
    assert!(after <= 30_000 && after > 10_000, "{before} {after}");
    assert!(done.evicted_rows > 0);
    assert!(all(&store).await.iter().all(|(position, _)| *position >= 40));
}

#[tokio::test]
async fn damage_is_found() {
    let place = Place::new();
    let store = place.open().await;
    for call in 0..4 {
        put(&store, call * 10, (call * 10..call * 10 + 10).map(|number| bulky(&place, number)).collect()).await;
    }
    let found = files(&place.table("s"));
    let damage = |at: usize, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = std::fs::read(&found[at]).unwrap();
        change(&mut bytes);
        std::fs::write(&found[at], bytes).unwrap();
    };
    damage(0, &|bytes| bytes.truncate(bytes.len() - 1));
    damage(1, &|bytes| {
        let middle = bytes.len() / 3;
        bytes[middle] ^= 1;
    });
    std::fs::remove_file(&found[2]).unwrap();
    let verified = store.verify().await.unwrap();
    assert_eq!((verified.files, verified.rows, verified.faults.len()), (1, 10, 3), "{:?}", verified.faults);
    assert!(verified.faults.iter().all(|fault| fault.stream == "s" && fault.rows == Some(10)));
    assert!(verified.faults.iter().any(|fault| fault.why.contains("cannot be found")), "{:?}", verified.faults);
}

#[tokio::test]
async fn a_full_disk_is_said_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=400k", "tmpfs"]).arg(folder.path()).output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: a_full_disk_is_said_and_loses_nothing: cannot mount a small disk here");
        return;
    }
    let place = Place::new();
    let mut options = place.options();
    options.root = folder.path().to_string_lossy().into_owned();
    let store = Store::open(options).await.unwrap();
    let mut writer = store.writer().await;
    let filler = folder.path().join("filler");
    std::fs::write(&filler, vec![1; 300 << 10]).unwrap();
    let mut failed = None;
    let mut taken = 0;
    while failed.is_none() && taken < 3000 {
        writer.take(block(taken, (taken..taken + 100).map(|number| bulky(&place, number)).collect())).await.unwrap();
        taken += 100;
        failed = writer.flush().await.err();
    }
    let outcome =
        (matches!(failed, Some(StoreError::Full { .. })), store.stats().full, writer.position() < Position(taken));
    std::fs::remove_file(&filler).unwrap();
    let again = writer.flush().await;
    let (position, rows) = (writer.position(), all(&store).await.len() as u64);
    drop((writer, store));
    let _ = Command::new("umount").arg(folder.path()).output();
    assert_eq!(outcome, (true, true, true), "{failed:?}");
    again.unwrap();
    assert_eq!((position, rows), (Position(taken), taken));
}

#[tokio::test]
async fn python_reads_the_same_rows() {
    let place = Place::new();
    let store = place.open().await;
    let records: Vec<Record> = (0..25).map(|number| bulky(&place, number)).collect();
    for (first, call) in (0..).step_by(5).zip(records.chunks(5)) {
        put(&store, first, call.to_vec()).await;
    }
    place.advance(DAY);
    store.maintain().await;
    put(&store, 25, vec![place.json("s", r#"{"n":"none","list":["x","y"],"@timestamp":"2026-11-29T10:00:00.5Z"}"#)])
        .await;
    let script = r#"
import json, sys
from deltalake import DeltaTable
table = DeltaTable(sys.argv[1])
rows = table.to_pyarrow_table(columns=["_position", "_raw", "_received", "@timestamp", "n", "list", "_date"]).to_pylist()
rows.sort(key=lambda row: row["_position"])
print(json.dumps([table.version(), [[r["_position"], r["_raw"], r["n"], r["list"], str(r["_date"]), int(r["_received"].timestamp() * 1000)] for r in rows]]))
"#;
    let output = Command::new("python3").arg("-c").arg(script).arg(place.table("s")).output();
    let output = match output {
        Ok(output) if String::from_utf8_lossy(&output.stderr).contains("No module named") => {
            eprintln!("skipped: python_reads_the_same_rows: the Python packages deltalake and pyarrow are not there");
            return;
        }
        Ok(output) => output,
        Err(error) => {
            eprintln!("skipped: python_reads_the_same_rows: {error}");
            return;
        }
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let seen: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = seen[1].as_array().unwrap();
    let expected = all(&store).await;
    assert_eq!(rows.len(), expected.len());
    for (row, (position, record)) in rows.iter().zip(&expected) {
        assert_eq!(row[0].as_u64(), Some(*position));
        assert_eq!(row[1].as_str().unwrap().as_bytes(), &record.body[..]);
        assert_eq!(row[5].as_i64(), Some(record.received.millis()));
    }
    assert_eq!(rows[7][2].as_i64(), Some(7));
    assert_eq!(rows[25][2], serde_json::Value::Null);
    assert_eq!(rows[25][3], serde_json::json!(["x", "y"]));
    assert_eq!(rows[25][4].as_str(), Some(&*date(&place)));
}

fn date(place: &Place) -> String {
    let days = place.clock.now().0.div_euclid(DAY);
    jiff::civil::date(1970, 1, 1).saturating_add(jiff::Span::new().days(days)).to_string()
}
