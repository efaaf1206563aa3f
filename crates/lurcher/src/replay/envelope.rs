//! What is sent for an event: a line pair of `_bulk`, an object of the HTTP Event Collector, or the one line of a file
//! that reads as what a server makes of either.
//!
//! The document itself is never changed. Windows events travel as event XML, lines of logs as lines; what `_bulk` can
//! only carry as a document stands in its `message`.

use lurcher_readers::RecordForm;
use lurcher_schema::Timestamp;
use serde_json::{Value, json, value::RawValue};

use super::{order::Item, shift::on_one_line};

/// How events travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Bulk,
    Hec,
}

/// An event with its times moved.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moved<'a> {
    pub(super) item: &'a Item,
    pub(super) text: &'a str,
    pub(super) time: Option<Timestamp>,
    /// The index that the user wants.
    pub(super) index: Option<&'a str>,
}

impl Moved<'_> {
    /// Its part of a request's body.
    pub(super) fn parcel(self, protocol: Protocol) -> String {
        match protocol {
            Protocol::Bulk => {
                let (index, document) = self.hit();
                format!("{}\n{document}\n", json!({"create": {"_index": index}}))
            }
            Protocol::Hec => self.splunk().to_json() + "\n",
        }
    }

    /// The line that stands for it in a file.
    pub(super) fn line(self, protocol: Protocol) -> String {
        match protocol {
            Protocol::Bulk => {
                let (index, document) = self.hit();
                format!("{{\"_index\":{},\"_source\":{document}}}\n", Value::from(index))
            }
            Protocol::Hec if self.item.form == RecordForm::Json => on_one_line(self.text) + "\n",
            Protocol::Hec => {
                let event = self.splunk();
                let mut line = json!({"_raw": self.text});
                for (name, value) in [("sourcetype", event.sourcetype), ("source", event.source), ("host", event.host)]
                {
                    if let Some(value) = value {
                        line[name] = value.into();
                    }
                }
                format!("{line}\n")
            }
        }
    }

    /// Index and document for `_bulk`. Of an export's hit that is what it holds.
    fn hit(self) -> (String, String) {
        let mut index = self.index.unwrap_or(&self.item.index).to_owned();
        if index.is_empty() {
            index = format!("replay-{}", self.item.dialect);
        }
        if self.item.form == RecordForm::Json {
            let document = exported(self.text);
            return (index, on_one_line(document.as_deref().map_or(self.text, RawValue::get)));
        }
        let document = match self.time {
            Some(time) => json!({"@timestamp": time.to_string(), "message": self.text}),
            None => json!({"message": self.text}),
        };
        (index, document.to_string())
    }

    fn splunk(self) -> Splunk {
        let named = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let mut event = Splunk {
            event: Value::from(self.text).to_string(),
            time: self.time.filter(|time| time.0 >= 0),
            sourcetype: named(&self.item.sourcetype),
            source: named(&self.item.source),
            host: None,
        };
        match self.item.form {
            RecordForm::Json => event.event = on_one_line(self.text),
            RecordForm::Xml => {
                let of = |element: &str| {
                    let (_, rest) = self.text.split_once(element)?;
                    named(rest.split_once('<')?.0)
                };
                event.sourcetype = Some("XmlWinEventLog".to_owned());
                event.source = of("<Channel>").map(|channel| format!("XmlWinEventLog:{channel}"));
                event.host = of("<Computer>");
            }
            RecordForm::Line => {
                let sourcetype = match self.item.dialect.as_str() {
                    "auditd" => "linux_audit",
                    "access" => "access_combined",
                    "w3c" => "iis",
                    _ => "syslog",
                };
                event.sourcetype = Some(sourcetype.to_owned());
            }
        }
        event
    }
}

/// The document of `{"_index":…,"_source":{…}}`.
fn exported(text: &str) -> Option<Box<RawValue>> {
    #[derive(serde::Deserialize)]
    struct Hit {
        #[serde(rename = "_source")]
        source: Box<RawValue>,
    }
    let is_hit = text.contains("\"_index\"") && text.contains("\"_source\"");
    let hit: Hit = is_hit.then(|| serde_json::from_str(text).ok()).flatten()?;
    Some(hit.source)
}

/// An event of the HTTP Event Collector.
#[derive(Debug)]
struct Splunk {
    /// JSON.
    event: String,
    time: Option<Timestamp>,
    sourcetype: Option<String>,
    source: Option<String>,
    host: Option<String>,
}

impl Splunk {
    fn to_json(&self) -> String {
        let mut out = String::from("{");
        if let Some(Timestamp(micros)) = self.time {
            out.push_str(&format!("\"time\":{}.{:06},", micros / 1_000_000, micros % 1_000_000));
        }
        for (name, value) in [("host", &self.host), ("source", &self.source), ("sourcetype", &self.sourcetype)] {
            if let Some(value) = value {
                out.push_str(&format!("\"{name}\":{},", Value::from(value.as_str())));
            }
        }
        out.push_str("\"event\":");
        out.push_str(&self.event);
        out.push('}');
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::order::tests::item;

    fn moved(item: &Item) -> Moved<'_> {
        Moved { item, text: &item.text, time: item.time, index: None }
    }

    #[test]
    fn documents_go_as_they_are() {
        let document = item(RecordForm::Json, "ecs", "{\"a\": 1.0,\n\"a\":2}");
        assert_eq!(
            moved(&document).parcel(Protocol::Bulk),
            "{\"create\":{\"_index\":\"replay-ecs\"}}\n{\"a\": 1.0, \"a\":2}\n"
        );
        assert_eq!(moved(&document).parcel(Protocol::Hec), "{\"time\":12.500000,\"event\":{\"a\": 1.0, \"a\":2}}\n");
        assert_eq!(moved(&document).line(Protocol::Hec), "{\"a\": 1.0, \"a\":2}\n");
        let mut hit = item(RecordForm::Json, "ecs", "{\"_index\":\".ds-logs-a-1\",\"_source\":{\"a\":1}}");
        hit.index = "logs-a".to_owned();
        assert_eq!(moved(&hit).parcel(Protocol::Bulk), "{\"create\":{\"_index\":\"logs-a\"}}\n{\"a\":1}\n");
    }

    #[test]
    fn event_xml_and_lines_go_as_text() {
        let xml = "<Event><System><Channel>Security</Channel><Computer>PC1</Computer></System></Event>";
        let event = item(RecordForm::Xml, "windows", xml);
        assert_eq!(
            moved(&event).parcel(Protocol::Hec),
            format!(
                "{{\"time\":12.500000,\"host\":\"PC1\",\"source\":\"XmlWinEventLog:Security\",\
                 \"sourcetype\":\"XmlWinEventLog\",\"event\":\"{xml}\"}}\n"
            )
        );
        let line = item(RecordForm::Line, "auditd", "type=A");
        assert_eq!(moved(&line).line(Protocol::Hec), "{\"_raw\":\"type=A\",\"sourcetype\":\"linux_audit\"}\n");
        assert_eq!(
            moved(&line).line(Protocol::Bulk),
            "{\"_index\":\"replay-auditd\",\"_source\":{\"@timestamp\":\"1970-01-01T00:00:12.500Z\",\"message\":\"type=A\"}}\n"
        );
    }
}
