//! What the writer promises: every record once, as it came, whatever happens in between.

#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

mod setup;

use std::time::Duration;

use bytes::Bytes;
use lurcher_journal::{Journal, JournalOptions, Position, Record, RecordKind};
use lurcher_schema::{Clock, Timestamp};
use lurcher_store::{Scan, Store, StoreError, TimeField};
use setup::{Place, all, block, files, put, record, scan};

fn sysmon(place: &Place, number: u64) -> Record {
    let body = format!(
        r#"{{"@timestamp":"2026-11-29T10:00:{:02}.123456Z","process":{{"name":"p{number}.exe","pid":{number}}},"tags":["a","b{number}"],"ok":true,"score":{number}.5}}"#,
        number % 60
    );
    place.json("logs-endpoint.events-default", &body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_journal_flows_into_the_tables() {
    let place = Place::new();
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), JournalOptions::default()).unwrap();
    let mut records: Vec<Record> = (0..50).map(|number| sysmon(&place, number)).collect();
    records.push(record(
        "syslog",
        RecordKind::Line,
        place.clock.now(),
        "<34>Oct 11 22:14:15 host su: 'su root' failed",
    ));
    records.push(Record { body: Bytes::from_static(b"caf\xe9 \xff"), ..records[50].clone() });
    records.push(place.json("broken", r#"{"a":"#));
    for call in records.chunks(7) {
        journal.append(call.to_vec()).await.unwrap();
    }
    let store = place.open().await;
    let mut writer = store.writer().await;
    let mut position = writer.watch();
    let reader = journal.reader(writer.position());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(async move { writer.run(reader, async { drop(stopped.await) }).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    drop(stop);
    running.await.unwrap().unwrap();
    assert_eq!(*position.borrow_and_update(), Position(53));
    let expected: Vec<(u64, Record)> = (0..).zip(records).collect();
    assert_eq!(all(&store).await, expected);
    assert_eq!(store.reached(), Position(53));

    let stream = store.stream("logs-endpoint.events-default").unwrap();
    assert_eq!((stream.rows, stream.files), (50, 1));
    assert_eq!(stream.first_event, Timestamp::parse("2026-11-29T10:00:00.123456Z"));
    let columns = ["ok", "process_name", "process_pid", "score", "tags"];
    assert_eq!(stream.columns.iter().map(|(column, _)| column.as_str()).collect::<Vec<_>>(), columns);
    assert_eq!(stream.columns[1].1, "process.name");
    assert!(store.verify().await.unwrap().faults.is_empty());
    assert!(matches!(store.stream("none"), Err(StoreError::NoStream(_))));
}

#[tokio::test]
async fn records_that_are_read_again_are_not_doubled() {
    let place = Place::new();
    let store = place.open().await;
    let busy = |number| sysmon(&place, number);
    let quiet = place.json("quiet", r#"{"a":1}"#);
    put(&store, 0, vec![busy(0), quiet.clone(), busy(2)]).await;
    put(&store, 3, (3..10).map(busy).collect()).await;
    drop(store);
    // The note is lost, so all of the journal is read again.
    std::fs::remove_file(place.folder.path().join("position")).unwrap();
    let store = place.open().await;
    let mut writer = store.writer().await;
    assert_eq!(writer.position(), Position(0));
    let mut records = vec![busy(0), quiet, busy(2)];
    records.extend((3..12).map(busy));
    for (first, call) in (0..).step_by(5).zip(records.chunks(5)) {
        writer.take(block(first, call.to_vec())).await.unwrap();
    }
    writer.flush().await.unwrap();
    assert_eq!(writer.position(), Position(12));
    assert_eq!(all(&store).await, (0..).zip(records).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_position_waits_for_the_slowest_table() {
    let place = Place::new();
    let mut options = place.options();
    options.commit_rows = 4;
    let store = Store::open(options).await.unwrap();
    let mut writer = store.writer().await;
    let mut records: Vec<Record> = (0..6).map(|number| sysmon(&place, number)).collect();
    records[2] = place.json("quiet", "{}");
    writer.take(block(0, records)).await.unwrap();
    writer.commit_due().await.unwrap();
    assert_eq!(writer.position(), Position(2), "the busy table is committed, the quiet one is not");
    assert_eq!(store.stats().waiting_rows, 1);
    writer.flush().await.unwrap();
    assert_eq!(writer.position(), Position(6));
}

#[tokio::test]
async fn a_crash_between_file_and_commit_costs_nothing() {
    let place = Place::new();
    let store = place.open().await;
    put(&store, 0, vec![place.json("s", r#"{"a":1}"#)]).await;
    // Something stands where the next entry of the log belongs, so its commit fails once the file is written.
    let entry = place.table("s").join("_delta_log/00000000000000000002.json");
    std::fs::create_dir(&entry).unwrap();
    let mut writer = store.writer().await;
    writer.take(block(1, vec![place.json("s", r#"{"a":2,"b":3}"#)])).await.unwrap();
    writer.flush().await.unwrap_err();
    assert_eq!(writer.position(), Position(1));
    assert_eq!(store.stats().failures, 1);
    assert!(files(&place.table("s")).len() >= 2, "the file is there, and in no log");
    assert_eq!(all(&store).await.len(), 1);
    drop((writer, store));

    std::fs::remove_dir(&entry).unwrap();
    let store = place.open().await;
    let mut writer = store.writer().await;
    assert_eq!(writer.position(), Position(1));
    writer.take(block(1, vec![place.json("s", r#"{"a":2,"b":3}"#)])).await.unwrap();
    writer.flush().await.unwrap();
    assert_eq!(all(&store).await.len(), 2);
    place.advance(2 * 3_600_000_000);
    assert!(store.maintain().await.swept >= 1);
    assert_eq!(files(&place.table("s")).len(), 2);
    assert_eq!(all(&store).await.len(), 2);
}

#[tokio::test]
async fn an_entry_that_a_loss_of_power_cut_short_is_written_again() {
    let place = Place::new();
    let store = place.open().await;
    put(&store, 0, vec![place.json("s", r#"{"a":1}"#)]).await;
    drop(store);
    std::fs::remove_file(place.folder.path().join("position")).unwrap();
    let entry = place.table("s").join("_delta_log/00000000000000000001.json");
    let text = std::fs::read(&entry).unwrap();
    for left in [0, text.len() / 2] {
        std::fs::write(&entry, &text[..left]).unwrap();
        let store = place.open().await;
        assert_eq!(all(&store).await, []);
        put(&store, 0, vec![place.json("s", r#"{"a":1}"#)]).await;
        assert_eq!(all(&store).await.len(), 1);
        drop(store);
        std::fs::remove_file(place.folder.path().join("position")).unwrap();
    }
}

#[tokio::test]
async fn one_process_holds_a_store() {
    let place = Place::new();
    let store = place.open().await;
    let second = Store::open(place.options()).await.unwrap_err();
    assert!(matches!(second, StoreError::Held { .. }), "{second}");
    drop(store);
    place.open().await;
}

#[tokio::test]
async fn columns_grow_up_to_their_bound() {
    let place = Place::new();
    let mut options = place.options();
    options.max_columns = 10;
    let store = Store::open(options).await.unwrap();
    let wide = |from: u64, to: u64| {
        let fields: Vec<String> = (from..to).map(|number| format!(r#""f{number:02}":{number}"#)).collect();
        place.json("s", &format!("{{{}}}", fields.join(",")))
    };
    put(&store, 0, vec![wide(0, 6)]).await;
    put(&store, 1, vec![wide(0, 30), wide(4, 8)]).await;
    let stream = store.stream("s").unwrap();
    assert_eq!(stream.columns.len(), 10);
    assert!(store.stats().unplaced >= 20, "{:?}", store.stats());
    assert_eq!(all(&store).await[1].1, wide(0, 30), "nothing of it is lost");
    let rows = store.sql(r#"SELECT "_position", f05, f07 FROM s ORDER BY "_position""#, 10).await.unwrap();
    let rows: Vec<String> = rows.rows.iter().map(|row| serde_json::to_string(row).unwrap()).collect();
    assert_eq!(rows[0], r#"{"_position":0,"f05":5}"#);
    assert_eq!(rows[2], r#"{"_position":2,"f05":5,"f07":7}"#);
}

#[tokio::test]
async fn names_that_differ_only_in_case_have_a_column_each() {
    let place = Place::new();
    let store = place.open().await;
    put(
        &store,
        0,
        vec![place.json("s", r#"{"User":"a","user":"b","USER":"c","_raw_bytes":"d","_position":"e","x.y":1,"x_y":2}"#)],
    )
    .await;
    let columns = store.stream("s").unwrap().columns;
    assert_eq!(columns.len(), 7, "{columns:?}");
    let mut names: Vec<String> = columns.iter().map(|(column, _)| column.to_lowercase()).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 7);
    put(&store, 1, vec![place.json("s", r#"{"User":"f","new":1}"#)]).await;
    assert_eq!(store.stream("s").unwrap().columns.len(), 8);
    assert_eq!(all(&store).await.len(), 2);
}

#[tokio::test]
async fn a_value_of_another_type_is_null_and_counted() {
    let place = Place::new();
    let store = place.open().await;
    put(&store, 0, vec![place.json("s", r#"{"n":1,"d":1.5,"b":true,"t":"x","l":["a"]}"#)]).await;
    let other = place.json("s", r#"{"n":"many","d":7,"b":3,"t":9,"l":"one"}"#);
    put(&store, 1, vec![other.clone()]).await;
    put(&store, 2, vec![place.json("s", r#"{"n":"42","d":"2.5","b":"false","t":null,"l":[1,null,"z"]}"#)]).await;
    assert_eq!(store.stats().misfits, 2);
    let rows = store.sql(r#"SELECT n, d, b, t, l FROM s ORDER BY "_position""#, 10).await.unwrap().rows;
    let rows: Vec<String> = rows.iter().map(|row| serde_json::to_string(row).unwrap()).collect();
    assert_eq!(rows[1], r#"{"d":7.0,"t":"9","l":["one"]}"#);
    assert_eq!(rows[2], r#"{"n":42,"d":2.5,"b":false,"l":["1","z"]}"#);
    assert_eq!(all(&store).await[1].1, other);
}

#[tokio::test]
async fn scans_go_by_stream_and_time() {
    let place = Place::new();
    let store = place.open().await;
    let mut records = Vec::new();
    for number in 0..30_u64 {
        let day = number % 3;
        let body = format!(r#"{{"@timestamp":"2026-10-{:02}T00:00:00Z","n":{number}}}"#, number + 1);
        let received = Timestamp(place.clock.now().0 + day as i64 * setup::DAY);
        records.push(record(if number % 2 == 0 { "logs-a" } else { "logs-b" }, RecordKind::Json, received, &body));
    }
    records.push(place.json("other", r#"{"n":1}"#));
    put(&store, 0, records.clone()).await;
    let positions = |records: &[(u64, Record)]| records.iter().map(|(position, _)| *position).collect::<Vec<_>>();
    let logs = vec!["logs-*".to_owned()];
    let found = scan(&store, Scan { streams: logs.clone(), ..Scan::default() }).await;
    assert_eq!(found, (0..).zip(records[..30].to_vec()).collect::<Vec<_>>());
    let now = place.clock.now();
    let from = Some(Timestamp(now.0 + setup::DAY));
    let to = Some(Timestamp(now.0 + setup::DAY + 1));
    let found = scan(&store, Scan { from, to, ..Scan::default() }).await;
    assert_eq!(positions(&found), (0..30).filter(|number| number % 3 == 1).collect::<Vec<_>>());
    let (from, to) = (Timestamp::parse("2026-10-05T00:00:00Z"), Timestamp::parse("2026-10-08T00:00:00Z"));
    let by_event = Scan { streams: logs.clone(), from, to, by: TimeField::Event, ..Scan::default() };
    assert_eq!(positions(&scan(&store, by_event).await), [4, 5, 6]);
    let limited = Scan { streams: logs, limit: Some(17), ordered: true, ..Scan::default() };
    assert_eq!(scan(&store, limited).await.len(), 17);
}

#[tokio::test]
async fn sql_reads_and_does_nothing_else() {
    let place = Place::new();
    let store = place.open().await;
    put(&store, 0, (0..20).map(|number| sysmon(&place, number)).collect()).await;
    let text = r#"SELECT process_name, count(*) AS n FROM "logs-endpoint.events-default" WHERE process_pid >= 10 GROUP BY process_name ORDER BY process_name"#;
    let answer = store.sql(text, 5).await.unwrap();
    assert_eq!(answer.columns, ["process_name", "n"]);
    assert_eq!((answer.rows.len(), answer.truncated), (5, true));
    assert_eq!(serde_json::to_string(&answer.rows[0]).unwrap(), r#"{"process_name":"p10.exe","n":1}"#);
    let plain = store.sql("SELECT count(*) AS n FROM logs_endpoint_events_default", 5).await.unwrap();
    assert_eq!((plain.rows[0]["n"].as_i64(), plain.truncated), (Some(20), false));
    for text in [
        "SELECT * FROM nothing",
        "SELEC",
        r#"DELETE FROM "logs-endpoint.events-default""#,
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
        "SELECT * FROM '/etc/passwd'",
        "COPY (SELECT 1) TO '/tmp/x.csv'",
        "SET datafusion.execution.batch_size = 1",
        "EXPLAIN ANALYZE DELETE FROM logs_endpoint_events_default",
    ] {
        let refused = store.sql(text, 5).await;
        assert!(matches!(refused, Err(StoreError::Query(_))), "{text}: {refused:?}");
    }
    assert_eq!(all(&store).await.len(), 20);
}

#[tokio::test]
async fn events_of_all_forms_have_columns() {
    let place = Place::new();
    let store = place.open().await;
    let xml = concat!(
        r#"<Event xmlns="http://schemas.microsoft.com/win/2004/08/events/event"><System><Provider Name="Microsoft-Windows-Sysmon"/>"#,
        r#"<EventID>1</EventID><TimeCreated SystemTime="2026-11-29T10:00:00.000Z"/><Channel>Microsoft-Windows-Sysmon/Operational</Channel>"#,
        r#"<Computer>pc</Computer></System><EventData><Data Name="Image">C:\a.exe</Data></EventData></Event>"#
    );
    let wrapped = r#"{"_index":"wrapped","_source":{"event":{"code":"1"}}}"#;
    let records = vec![record("xml", RecordKind::Xml, place.clock.now(), xml), place.json("wrapped", wrapped)];
    put(&store, 0, records.clone()).await;
    assert_eq!(all(&store).await, (0..).zip(records).collect::<Vec<_>>());
    let fields = |stream: &str| -> Vec<String> {
        store.stream(stream).unwrap().columns.into_iter().map(|(_, field)| field).collect()
    };
    assert!(fields("xml").iter().any(|field| field.ends_with("Image")), "{:?}", fields("xml"));
    assert!(fields("wrapped").iter().any(|field| field == "event.code"), "{:?}", fields("wrapped"));
    assert_eq!(store.stream("xml").unwrap().first_event, Timestamp::parse("2026-11-29T10:00:00Z"));
}
