//! A log record as a document.
//!
//! If its body is an event itself (a map, JSON or event XML in a text), that is the event, untouched, and what the
//! collector knows besides stands around it: as in an export of Elasticsearch's, or, with XML or where the record names
//! a sourcetype (`com.splunk.sourcetype` and so on), as in one of Splunk's. Else the record becomes a document in ECS,
//! with the names that the collector's exporter for Elasticsearch gives in its mode `ecs`; attributes that have no
//! other name there keep theirs.

use std::{collections::HashMap, fmt::Write, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use lurcher_journal::RecordKind;
use lurcher_schema::Timestamp;
use opentelemetry_proto::tonic::{
    collector::logs::v1::ExportLogsServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value},
    logs::v1::LogRecord,
};
use serde_json::{Map, Value, json};

use crate::document::{Wrapping, check_object, quoted};

/// Attributes that have another name in ECS. They are kept under their own as well.
const RENAMED: &[(&str, &str)] = &[
    ("service.instance.id", "service.node.name"),
    ("deployment.environment", "service.environment"),
    ("cloud.platform", "cloud.service.name"),
    ("container.image.tags", "container.image.tag"),
    ("host.name", "host.hostname"),
    ("host.arch", "host.architecture"),
    ("process.executable.path", "process.executable"),
    ("process.runtime.name", "service.runtime.name"),
    ("process.runtime.version", "service.runtime.version"),
    ("os.name", "host.os.name"),
    ("os.type", "host.os.platform"),
    ("os.description", "host.os.full"),
    ("os.version", "host.os.version"),
    ("k8s.deployment.name", "kubernetes.deployment.name"),
    ("k8s.namespace.name", "kubernetes.namespace"),
    ("k8s.node.name", "kubernetes.node.name"),
    ("k8s.pod.name", "kubernetes.pod.name"),
    ("k8s.pod.uid", "kubernetes.pod.uid"),
    ("event.name", "event.action"),
    ("exception.message", "error.message"),
    ("exception.stacktrace", "error.stacktrace"),
    ("exception.type", "error.type"),
];

/// Members of an export of Splunk's that attributes do not take.
const METADATA: &[&str] = &["_raw", "_time", "host", "source", "sourcetype", "index"];

/// One record for the journal.
pub(super) struct Event {
    pub(super) stream: Arc<str>,
    pub(super) kind: RecordKind,
    pub(super) body: Bytes,
}

/// All events of a request in their order; none for a record with nothing in it.
pub(super) fn events(request: ExportLogsServiceRequest, dataset: &str) -> Vec<Option<Event>> {
    let mut maker = Maker { dataset, streams: HashMap::new() };
    let mut events = Vec::new();
    for of_resource in request.resource_logs {
        let resource = attributes(of_resource.resource.map(|resource| resource.attributes).unwrap_or_default());
        for of_scope in of_resource.scope_logs {
            let scope = of_scope.scope.unwrap_or_default();
            let mut about = attributes(scope.attributes);
            if !scope.name.is_empty() {
                about.entry("scope.name").or_insert(Value::String(scope.name));
            }
            if !scope.version.is_empty() {
                about.entry("scope.version").or_insert(Value::String(scope.version));
            }
            for log in of_scope.log_records {
                events.push(maker.event(&resource, &about, log));
            }
        }
    }
    events
}

struct Maker<'a> {
    dataset: &'a str,
    streams: HashMap<String, Arc<str>>,
}

/// All that is known beside the body; what stands nearer to the record counts first.
struct Beside<'a> {
    own: Map<String, Value>,
    scope: &'a Map<String, Value>,
    resource: &'a Map<String, Value>,
}

impl Beside<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        let places = [&self.own, self.scope, self.resource];
        places.into_iter().find_map(|place| place.get(name)?.as_str()).filter(|text| !text.is_empty())
    }

    fn all(&self) -> impl Iterator<Item = (&String, &Value)> {
        let scope = self.scope.iter().filter(|(name, _)| !self.own.contains_key(*name));
        let resource = self.resource.iter();
        let resource = resource.filter(|(name, _)| !self.own.contains_key(*name) && !self.scope.contains_key(*name));
        self.own.iter().chain(scope).chain(resource)
    }
}

impl Maker<'_> {
    fn event(&mut self, resource: &Map<String, Value>, scope: &Map<String, Value>, log: LogRecord) -> Option<Event> {
        let body = log.body.clone().and_then(|body| body.value);
        let beside = Beside { own: attributes(log.attributes.clone()), scope, resource };
        if body.is_none() && beside.own.is_empty() {
            return None;
        }
        let text = match &body {
            Some(any_value::Value::StringValue(text)) => Some(text.trim()),
            _ => None,
        };
        let xml = text.is_some_and(|text| text.starts_with('<') && text.contains("<Event"));
        if let Some(text) = text
            && (xml || beside.text("com.splunk.sourcetype").is_some())
        {
            return Some(self.splunk(text, &beside, &log));
        }
        let index = self.index(&beside);
        let source = match (&body, text) {
            (Some(any_value::Value::KvlistValue(_)), _) => body.map(|body| plain(body).to_string()),
            (_, Some(text)) if text.starts_with('{') && check_object(text.as_bytes()).is_ok() => Some(text.to_owned()),
            _ => return Some(self.made(&index, body, &beside, &log)),
        };
        let mut hit = Wrapping::new(None);
        hit.member("_index", &quoted(&index));
        put_context(&mut hit, &beside, &log);
        hit.member("_source", &source.unwrap_or_default());
        Some(Event { stream: self.stream(&index), kind: RecordKind::Json, body: hit.finish() })
    }

    fn stream(&mut self, name: &str) -> Arc<str> {
        if let Some(stream) = self.streams.get(name) {
            return Arc::clone(stream);
        }
        let stream: Arc<str> = Arc::from(name);
        self.streams.insert(name.to_owned(), Arc::clone(&stream));
        stream
    }

    /// The data stream, as the collector's exporter finds it.
    fn index(&self, beside: &Beside<'_>) -> String {
        if let Some(index) = beside.text("elasticsearch.index") {
            return index.to_owned();
        }
        let part = |name: &str, otherwise: &str| beside.text(name).unwrap_or(otherwise).to_owned();
        let dataset = part("data_stream.dataset", self.dataset);
        format!("{}-{dataset}-{}", part("data_stream.type", "logs"), part("data_stream.namespace", "default"))
    }

    fn splunk(&mut self, raw: &str, beside: &Beside<'_>, log: &LogRecord) -> Event {
        let mut event = Wrapping::new(Some(raw));
        let sourcetype = beside.text("com.splunk.sourcetype");
        let index = beside.text("com.splunk.index");
        event.text("sourcetype", sourcetype);
        event.text("source", beside.text("com.splunk.source"));
        event.text("host", beside.text("host.name"));
        event.text("index", index);
        if let Some(time) = time_of(log) {
            event.member("_time", &quoted(&time));
        }
        for (name, value) in beside.all() {
            if !METADATA.contains(&name.as_str()) && !name.starts_with("com.splunk.") {
                event.member(name, &value.to_string());
            }
        }
        let stream = match sourcetype.or(index) {
            Some(name) => name.to_owned(),
            None => self.index(beside),
        };
        Event { stream: self.stream(&stream), kind: RecordKind::Json, body: event.finish() }
    }

    /// A document of our own, in ECS.
    fn made(&mut self, index: &str, body: Option<any_value::Value>, beside: &Beside<'_>, log: &LogRecord) -> Event {
        let mut document = Map::new();
        if let Some(time) = time_of(log) {
            document.insert("@timestamp".to_owned(), Value::String(time));
        }
        match body.map(plain) {
            None => {}
            Some(Value::String(text)) => {
                document.insert("message".to_owned(), Value::String(text));
            }
            Some(other) => {
                document.insert("message".to_owned(), Value::String(other.to_string()));
            }
        }
        let mut put = |name: &str, value: Value| {
            document.entry(name).or_insert(value);
        };
        for (name, value) in beside.all() {
            put(name, value.clone());
        }
        for (own, ecs) in RENAMED {
            if let Some((_, value)) = beside.all().find(|(name, _)| name == own) {
                put(ecs, value.clone());
            }
        }
        let os = match beside.text("os.type") {
            Some("darwin") => Some("macos"),
            os => os,
        };
        if let Some(os) = os {
            put("host.os.type", json!(os));
        }
        if !log.event_name.is_empty() {
            put("event.action", json!(log.event_name));
        }
        if !log.severity_text.is_empty() {
            put("log.level", json!(log.severity_text));
        }
        if log.severity_number != 0 {
            put("event.severity", json!(log.severity_number));
        }
        for (name, id) in [("trace.id", &log.trace_id), ("span.id", &log.span_id)] {
            if !id.is_empty() {
                put(name, json!(hex(id)));
            }
        }
        // By these the document is known as one in ECS.
        let mut parts = index.splitn(3, '-');
        for name in ["data_stream.type", "data_stream.dataset", "data_stream.namespace"] {
            if let Some(part) = parts.next() {
                put(name, json!(part));
            }
        }
        let mut hit = Wrapping::new(None);
        hit.member("_index", &quoted(index));
        hit.member("_source", &Value::Object(document).to_string());
        Event { stream: self.stream(index), kind: RecordKind::Json, body: hit.finish() }
    }
}

/// What the collector knows, around an event that is not to be touched.
fn put_context(hit: &mut Wrapping, beside: &Beside<'_>, log: &LogRecord) {
    for (name, map) in [("attributes", &beside.own), ("scope", beside.scope), ("resource", beside.resource)] {
        if !map.is_empty() {
            hit.member(name, &Value::Object(map.clone()).to_string());
        }
    }
    if let Some(time) = time_of(log) {
        hit.member("time", &quoted(&time));
    }
    if !log.severity_text.is_empty() {
        hit.member("severity_text", &quoted(&log.severity_text));
    }
}

/// When it happened, else when it was seen, to the nanosecond.
fn time_of(log: &LogRecord) -> Option<String> {
    let nanos = if log.time_unix_nano > 0 { log.time_unix_nano } else { log.observed_time_unix_nano };
    if nanos == 0 {
        return None;
    }
    let seconds = i64::try_from(nanos / 1_000_000_000).ok()?;
    let whole = Timestamp(seconds.checked_mul(1_000_000)?).to_string();
    let fraction = format!("{:09}", nanos % 1_000_000_000);
    let fraction = fraction.trim_end_matches('0');
    let whole = whole.trim_end_matches('Z');
    Some(if fraction.is_empty() { format!("{whole}Z") } else { format!("{whole}.{fraction}Z") })
}

fn attributes(pairs: Vec<KeyValue>) -> Map<String, Value> {
    pairs.into_iter().filter_map(|pair| Some((pair.key, plain(pair.value?.value?)))).collect()
}

/// A value as JSON. How deep it is, is bounded by whoever decoded it.
fn plain(value: any_value::Value) -> Value {
    let of = |value: AnyValue| value.value.map_or(Value::Null, plain);
    match value {
        any_value::Value::StringValue(text) => Value::String(text),
        any_value::Value::BoolValue(truth) => Value::Bool(truth),
        any_value::Value::IntValue(number) => json!(number),
        any_value::Value::DoubleValue(number) if number.is_finite() => json!(number),
        any_value::Value::DoubleValue(number) => Value::String(number.to_string()),
        any_value::Value::ArrayValue(array) => array.values.into_iter().map(of).collect(),
        any_value::Value::KvlistValue(list) => {
            let pair = |pair: KeyValue| (pair.key, pair.value.map_or(Value::Null, of));
            Value::Object(list.values.into_iter().map(pair).collect())
        }
        any_value::Value::BytesValue(bytes) => Value::String(STANDARD.encode(bytes)),
        // A reference into a table that logs do not have.
        any_value::Value::StringValueStrindex(_) => Value::Null,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing into a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(log: &str) -> (String, Value) {
        let request = format!(
            r#"{{"resourceLogs":[{{"resource":{{"attributes":[
                {{"key":"host.name","value":{{"stringValue":"h1"}}}},{{"key":"os.type","value":{{"stringValue":"darwin"}}}}]}},
                "scopeLogs":[{{"scope":{{"name":"s"}},"logRecords":[{log}]}}]}}]}}"#
        );
        let request: ExportLogsServiceRequest = serde_json::from_str(&request).unwrap();
        let event = events(request, "generic").pop().flatten().unwrap();
        (event.stream.to_string(), serde_json::from_slice(&event.body).unwrap())
    }

    #[test]
    fn a_text_becomes_a_document_in_ecs() {
        let (stream, document) = run(
            r#"{"timeUnixNano":"1544712660300000001","observedTimeUnixNano":"1544712660300000000","severityNumber":10,
            "severityText":"Info","traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","body":{"stringValue":"hi"},
            "attributes":[{"key":"process.pid","value":{"intValue":"7"}},{"key":"host.name","value":{"stringValue":"h2"}},
            {"key":"tags","value":{"arrayValue":{"values":[{"boolValue":true},{"doubleValue":1.5}]}}}]}"#,
        );
        assert_eq!(stream, "logs-generic-default");
        assert_eq!(
            document,
            json!({"_index": "logs-generic-default", "_source": {
                "@timestamp": "2018-12-13T14:51:00.300000001Z", "message": "hi", "process.pid": 7, "host.name": "h2",
                "tags": [true, 1.5], "scope.name": "s", "os.type": "darwin", "host.hostname": "h2",
                "host.os.platform": "darwin", "host.os.type": "macos", "log.level": "Info", "event.severity": 10,
                "trace.id": "5b8efff798038103d269b633813fc60c", "span.id": "eee19b7ec3c1b174",
                "data_stream.type": "logs", "data_stream.dataset": "generic", "data_stream.namespace": "default",
            }})
        );
    }

    #[test]
    fn an_event_stays_as_it_is() {
        let (stream, document) = run(r#"{"body":{"stringValue":"{\"a\": 1.0}"},"attributes":[
            {"key":"data_stream.dataset","value":{"stringValue":"okta.system"}}]}"#);
        assert_eq!(stream, "logs-okta.system-default");
        assert_eq!(document["_source"].to_string(), r#"{"a":1.0}"#);
        assert_eq!(document["resource"]["host.name"], "h1");
        let (_, document) = run(
            r#"{"body":{"kvlistValue":{"values":[{"key":"channel","value":{"stringValue":"Security"}},{"key":"x"}]}}}"#,
        );
        assert_eq!(document["_source"], json!({"channel": "Security", "x": null}));
    }

    #[test]
    fn xml_and_splunks_names_make_an_export_of_splunks() {
        let (stream, document) =
            run(r#"{"timeUnixNano":"1000000000","body":{"stringValue":"<Event><System/></Event>"},"attributes":[
            {"key":"com.splunk.sourcetype","value":{"stringValue":"XmlWinEventLog"}}]}"#);
        assert_eq!(stream, "XmlWinEventLog");
        assert_eq!(
            document,
            json!({"_raw": "<Event><System/></Event>", "sourcetype": "XmlWinEventLog", "host": "h1",
                "_time": "1970-01-01T00:00:01Z", "scope.name": "s", "host.name": "h1", "os.type": "darwin"})
        );
    }

    #[test]
    fn a_record_of_nothing_is_none() {
        let request = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"severityNumber":1}]}]}]}"#;
        let request: ExportLogsServiceRequest = serde_json::from_str(request).unwrap();
        assert!(events(request, "x").pop().unwrap().is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            super::super::fuzz(&body);
            let decoded = <ExportLogsServiceRequest as prost::Message>::decode(body.as_slice());
            let _ = decoded.map(|request| events(request, "x"));
        }
    }
}
