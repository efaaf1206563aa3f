//! The store in S3, or what speaks its protocol: `LURCHER_TEST_S3` names a bucket and a prefix (`s3://bucket/prefix`), and
//! `AWS_…` where it is and who may write there. Any small server of the protocol does, such as moto's.

#![cfg(feature = "s3")]
#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt as _;
use lurcher_journal::{Block, Position, Record, RecordKind};
use lurcher_schema::Timestamp;
use lurcher_store::{Scan, Store, StoreOptions};

fn record(number: u64) -> (Position, Record) {
    let body = Bytes::from(format!(r#"{{"n":{number}}}"#));
    let received = Timestamp(1_800_000_000_000_000);
    (Position(number), Record { stream: Arc::from("a:b"), kind: RecordKind::Json, received, body })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_lie_in_a_bucket() {
    let Ok(root) = std::env::var("LURCHER_TEST_S3") else {
        eprintln!("skipped: LURCHER_TEST_S3 names no bucket");
        return;
    };
    let root = format!("{}/{}", root.trim_end_matches('/'), std::process::id());
    for call in 0..3 {
        let store = Store::open(StoreOptions::at(&root)).await.unwrap();
        let mut writer = store.writer().await;
        assert_eq!(writer.position(), Position(call * 3));
        let records = (call * 3..call * 3 + 3).map(record).collect();
        writer.take(Block { records, next: Position(call * 3 + 3), lost: Vec::new() }).await.unwrap();
        writer.flush().await.unwrap();
    }
    let store = Store::open(StoreOptions::at(&root)).await.unwrap();
    let done = store.maintain().await;
    assert!(done.failures.is_empty(), "{done:?}");
    let batches: Vec<_> = store.scan(Scan { ordered: true, ..Scan::default() }).try_collect().await.unwrap();
    assert_eq!(batches.concat(), (0..9).map(record).collect::<Vec<_>>());
    assert!(store.verify().await.unwrap().faults.is_empty());
    assert_eq!((store.streams().unwrap()[0].rows, store.reached()), (9, Position(9)));
}
