//! Alerts in the Common Event Format of ArcSight: one line that any SIEM reads.
//!
//! Source: Micro Focus, "ArcSight Common Event Format (CEF) Implementation Standard", version 25 (header and extension
//! escapes, extension names and their longest values).

use std::fmt::Write;

use lurcher_schema::Timestamp;
use serde_json::Value;

use crate::{
    filter::Severity,
    summary::{Summary, cut},
};

/// The line of an alert. `link` is left out if empty.
pub(crate) fn line(alert: &Value, link: &str) -> String {
    let summary = Summary::of(alert);
    let severity = match summary.severity {
        Severity::Informational => 1,
        Severity::Low => 3,
        Severity::Medium => 5,
        Severity::High => 8,
        Severity::Critical => 10,
    };
    let mut line = format!(
        "CEF:0|Lurcher|Lurcher|{}|{}|{}|{severity}|",
        env!("CARGO_PKG_VERSION"),
        header(if summary.rule_id.is_empty() { "unknown" } else { summary.rule_id }),
        header(&cut(summary.rule, 512)),
    );
    let mut first = true;
    let mut put = |name: &str, value: &str, longest: usize| {
        if !value.is_empty() {
            let blank = if first { "" } else { " " };
            first = false;
            // Writing to a String cannot fail.
            let _ = write!(line, "{blank}{name}={}", extension(&cut(value, longest)));
        }
    };
    put("externalId", summary.id, 64);
    if let Some(time) = Timestamp::parse(summary.time) {
        put("rt", &time.millis().to_string(), 32);
    }
    put("cat", summary.kind, 1023);
    put("msg", summary.message, 1023);
    put("cnt", &summary.events.to_string(), 16);
    let named = |role: &str, kind: &str| {
        summary
            .entities
            .iter()
            .find(|entity| entity.kind == kind && (entity.role == "attacker") == (role == "attacker"))
    };
    for (name, role, kind, longest) in [
        ("duser", "victim", "user", 1023),
        ("dhost", "victim", "system", 1023),
        ("suser", "attacker", "user", 1023),
        ("shost", "attacker", "system", 1023),
    ] {
        put(name, named(role, kind).map_or("", |entity| entity.value), longest);
    }
    for (name, role) in [("dst", "victim"), ("src", "attacker")] {
        let address =
            named(role, "ip").map(|entity| entity.value).filter(|value| value.parse::<std::net::Ipv4Addr>().is_ok());
        put(name, address.unwrap_or_default(), 15);
    }
    for (number, label, value) in [
        (1, "vendor", summary.vendor.to_owned()),
        (2, "tactics", summary.tactics.join(",")),
        (3, "techniques", summary.techniques.join(",")),
        (4, "entities", summary.entity_line(50)),
    ] {
        if !value.is_empty() {
            put(&format!("cs{number}Label"), label, 1023);
            put(&format!("cs{number}"), &value, 4000);
        }
    }
    put("cfp1Label", "riskScore", 1023);
    put("cfp1", &summary.risk_score.to_string(), 32);
    put("request", link, 1023);
    line
}

/// In the header, pipes and backslashes are escaped and there are no lines.
fn header(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace(['\n', '\r'], " ")
}

/// In the extension, equal signs, backslashes and line breaks are escaped.
fn extension(text: &str) -> String {
    text.replace('\\', "\\\\").replace('=', "\\=").replace('\r', "\\r").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_escapes_what_would_end_a_field() {
        let alert = json!({
            "id": "a1", "time": "2026-01-02T03:04:05.678Z", "kind": "finding", "severity": "high", "risk_score": 73.5,
            "rule": {"id": "r|1", "name": "Back\\slash | pipe\nline", "vendor": "sigma"},
            "message": "cmd=whoami\nC:\\x", "event_count": 2, "techniques": ["T1059", "T1003.001"],
            "entities": [{"type": "user", "role": "victim", "value": "alice"}, {"type": "ip", "role": "attacker", "value": "10.0.0.1"},
                         {"type": "ip", "role": "victim", "value": "::1"}],
        });
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            line(&alert, "https://x/?a=1"),
            format!(
                r"CEF:0|Lurcher|Lurcher|{version}|r\|1|Back\\slash \| pipe line|8|externalId=a1 rt=1767323045678 cat=finding msg=cmd\=whoami\nC:\\x cnt=2 duser=alice src=10.0.0.1 cs1Label=vendor cs1=sigma cs3Label=techniques cs3=T1059,T1003.001 cs4Label=entities cs4=user alice, ip 10.0.0.1, ip ::1 cfp1Label=riskScore cfp1=73.5 request=https://x/?a\=1"
            )
        );
    }

    #[test]
    fn an_empty_alert_has_a_line() {
        assert!(line(&Value::Null, "").starts_with("CEF:0|Lurcher|Lurcher|"));
    }
}
