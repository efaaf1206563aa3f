//! An alert that never was: for trying a target out, and for trying templates when the configuration is loaded. It has
//! every member that a native document has.

use std::collections::BTreeMap;

use lurcher_schema::Timestamp;
use serde_json::{Value, json};

use crate::letter::Letter;

/// A native document that says of itself that it is a test.
pub(crate) fn alert(now: Timestamp) -> Value {
    let time = now.to_string();
    json!({
        "id": format!("lurcher-test-{}", now.0),
        "time": time,
        "kind": "finding",
        "rule": {
            "id": "lurcher-test",
            "name": "Lurcher test alert",
            "vendor": "lurcher",
            "language": "none",
            "path": "",
            "version": "1",
            "tags": ["Test"],
        },
        "severity": "informational",
        "risk_score": 1,
        "message": "This is a test of the delivery of alerts. Nothing happened; there is nothing to do.",
        "tactics": ["TA0002"],
        "techniques": ["T1059.001"],
        "stories": ["Test"],
        "entities": [
            {"field": "user.name", "value": "nobody", "type": "user", "role": "victim"},
            {"field": "host.name", "value": "nowhere", "type": "system", "role": "victim"},
        ],
        "events": [{
            "file": "test",
            "record": "1",
            "time": time,
            "doc": {"message": "test", "user": {"name": "nobody"}, "host": {"name": "nowhere"}},
        }],
        "event_count": 1,
        "values": {},
        "suppressed": 0,
        "tags": ["test"],
        "status": "open",
        "assignee": null,
        "test": true,
    })
}

/// The same as a letter that is in no outbox.
pub(crate) fn letter(now: Timestamp) -> Letter {
    let alert = alert(now);
    let key = alert["id"].as_str().unwrap_or_default().to_owned();
    Letter { id: 0, key, attempts: 0, created: now, alert, formats: BTreeMap::new() }
}
