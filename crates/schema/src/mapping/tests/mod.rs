//! Tests of the mapping engine and of the packs that come with it.

mod bad_packs;
mod documentation;
mod engine;
mod events;
mod packs;
mod transforms;

use std::{
    path::PathBuf,
    sync::{Arc, LazyLock},
};

use crate::{BatchBuilder, EventBatch, Origin, RawField, Schemas, Shape, Timestamp};

/// A batch of one Windows event. `fields` are added to the usual system part.
fn windows_event(channel: &str, provider: &str, id: &str, fields: &[(&str, &str)]) -> EventBatch {
    let shape = Shape::new([("dialect", "windows"), ("channel", channel), ("provider", provider), ("event_id", id)]);
    let time = "2026-03-01T09:30:00.1234567Z";
    let system = [
        ("Provider_Name", provider),
        ("EventID", id),
        ("Version", "5"),
        ("Level", "4"),
        ("Task", "1"),
        ("Opcode", "0"),
        ("Keywords", "0x8000000000000000"),
        ("TimeCreated", time),
        ("EventRecordID", "4711"),
        ("Execution_ProcessID", "2052"),
        ("Execution_ThreadID", "3088"),
        ("Channel", channel),
        ("Computer", "ws01.corp.example"),
        ("Security_UserID", "S-1-5-18"),
    ];
    let mut builder = BatchBuilder::new(shape, Origin::new("test"));
    let all = system.iter().filter(|(name, _)| !fields.iter().any(|(own, _)| own == name)).chain(fields);
    builder.push(0, 4711, Timestamp::parse(time), all.map(|(name, value)| (*name, RawField::Text(value))));
    builder.finish().unwrap()
}

fn builtin() -> Arc<Schemas> {
    static BUILTIN: LazyLock<Arc<Schemas>> = LazyLock::new(|| Schemas::builtin().unwrap());
    Arc::clone(&BUILTIN)
}

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}
