//! One Windows event in its canonical raw form, whatever it came in.
//!
//! All values are text. The system part has fixed names (`Provider_Name`, `EventID`, `Channel` …), the data part is
//! `EventData.<Name>` (unnamed data: `EventData.param1` …) or `UserData.<Name>`, and what only the shipper added is
//! `Shipper.<key>`. So that EVTX, XML and JSON of one event come out equal:
//!
//! - empty values are absent;
//! - a value that is wholly an upper-case GUID without braces, as some exporters write it, is written as Windows
//!   renders it: lower case, in braces;
//! - `TimeCreated` is RFC 3339 in UTC with whole microseconds, the coarsest that all formats carry;
//! - whole numbers in `Keywords` are written in hex, as Windows renders them;
//! - a name that comes twice is numbered: `X`, `X_1`.
//!
//! Everything else is kept to the letter.

use lurcher_schema::Timestamp;

use crate::{
    names::{self, Name, Names},
    rows::{Field, Place, Raw, Rows},
};

/// What an event is made with: the names and the text that had to be unescaped.
pub(crate) struct Desk {
    pub(crate) names: Names,
    pub(crate) scratch: String,
}

impl Desk {
    /// Keeps text in the scratch.
    pub(crate) fn keep(&mut self, text: &str) -> Raw<'static> {
        let from = self.scratch.len();
        self.scratch.push_str(text);
        Raw::Scratch(from as u32, self.scratch.len() as u32)
    }
}

/// A Windows event being put together.
pub(crate) struct WindowsEvent<'a> {
    fields: Vec<Field<'a>>,
    channel: Raw<'a>,
    provider: Raw<'a>,
    event_id: Raw<'a>,
    pub(crate) time: Option<Timestamp>,
    /// The event's own `EventRecordID`.
    pub(crate) record_id: Option<u64>,
    unnamed: u32,
}

impl<'a> WindowsEvent<'a> {
    pub(crate) fn new() -> Self {
        Self {
            fields: Vec::with_capacity(48),
            channel: Raw::Text(""),
            provider: Raw::Text(""),
            event_id: Raw::Text(""),
            time: None,
            record_id: None,
            unnamed: 0,
        }
    }

    /// Whether there is nothing in it that makes it an event.
    pub(crate) fn is_bare(&self) -> bool {
        self.event_id == Raw::Text("") && self.provider == Raw::Text("") && self.channel == Raw::Text("")
    }

    /// A value of the system part, by its canonical name.
    pub(crate) fn system(&mut self, desk: &mut Desk, name: Name, value: Raw<'a>) {
        let text = value.text(&desk.scratch);
        if text.is_empty() {
            return;
        }
        let value = match name {
            names::CHANNEL => {
                self.channel = value;
                value
            }
            names::PROVIDER_NAME => {
                self.provider = value;
                value
            }
            names::EVENT_ID => {
                self.event_id = value;
                value
            }
            names::TIME_CREATED => {
                self.time = Timestamp::parse(text);
                self.time.map_or(value, |time| desk.keep(&time.to_string()))
            }
            names::EVENT_RECORD_ID => {
                self.record_id = text.trim().parse().ok();
                value
            }
            names::KEYWORDS => {
                let number = text.parse::<i64>().map(i64::cast_unsigned).or_else(|_| text.parse::<u64>());
                number.map_or(value, |number| desk.keep(&format!("0x{number:x}")))
            }
            _ => canonical(desk, value),
        };
        self.fields.push((name, as_text(value)));
    }

    /// A value of the system part by the names of its element and attribute (`Provider`, `Name`).
    pub(crate) fn system_element(&mut self, desk: &mut Desk, element: &str, attribute: Option<&str>, value: Raw<'a>) {
        let name = system_name(&mut desk.names, element, attribute);
        self.system(desk, name, value);
    }

    /// A value of the data part, or any other that is kept as it is.
    pub(crate) fn put(&mut self, desk: &mut Desk, name: Name, value: Raw<'a>) {
        if value.text(&desk.scratch).is_empty() {
            return;
        }
        let name = desk.names.numbered(name);
        let value = canonical(desk, value);
        self.fields.push((name, as_text(value)));
    }

    /// A value of an unnamed `Data` element. Empty ones count, so that the others keep their numbers.
    pub(crate) fn unnamed(&mut self, desk: &mut Desk, value: Raw<'a>) {
        self.unnamed += 1;
        let name = desk.names.child(names::EVENT_DATA, &format!("param{}", self.unnamed));
        self.put(desk, name, value);
    }

    /// A value that only the shipper added; keeps its JSON type.
    pub(crate) fn shipper(&mut self, desk: &mut Desk, name: Name, value: Raw<'a>) {
        if !value.text(&desk.scratch).is_empty() {
            self.fields.push((name, value));
        }
    }

    /// Takes over the fields of an event read from a copy that is about to go.
    pub(crate) fn adopt(&mut self, desk: &mut Desk, other: WindowsEvent<'_>) {
        for (name, value) in other.fields {
            let value = match value {
                Raw::Scratch(from, to) => Raw::Scratch(from, to),
                Raw::ScratchJson(from, to) => Raw::ScratchJson(from, to),
                Raw::Text(text) | Raw::Json(text) => desk.keep(text),
            };
            self.fields.push((name, value));
        }
    }

    /// Hands the event over.
    pub(crate) fn finish(self, desk: &Desk, rows: &mut Rows<'_>, place: Place) {
        let text = |value: Raw<'a>| value.text(&desk.scratch);
        let attributes = [
            ("dialect", "windows"),
            ("channel", text(self.channel)),
            ("provider", text(self.provider)),
            ("event_id", text(self.event_id)),
        ];
        // A shape names only what the event has.
        let mut named = [("", ""); 4];
        let mut len = 0;
        for attribute in attributes {
            if !attribute.1.is_empty() {
                named[len] = attribute;
                len += 1;
            }
        }
        rows.push(&desk.names, &named[..len], place, self.time, &self.fields, &desk.scratch);
    }
}

fn as_text(value: Raw<'_>) -> Raw<'_> {
    match value {
        Raw::Json(text) => Raw::Text(text),
        Raw::ScratchJson(from, to) => Raw::Scratch(from, to),
        other => other,
    }
}

/// The GUID rule; see the module.
fn canonical<'a>(desk: &mut Desk, value: Raw<'a>) -> Raw<'a> {
    let text = value.text(&desk.scratch);
    if text.len() != 36 || !is_upper_guid(text.as_bytes()) {
        return value;
    }
    let braced = format!("{{{}}}", text.to_ascii_lowercase());
    desk.keep(&braced)
}

fn is_upper_guid(text: &[u8]) -> bool {
    text.iter().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => matches!(byte, b'0'..=b'9' | b'A'..=b'F'),
    })
}

/// The canonical name of an element of the system part, or of one of its attributes. Names that Windows does not
/// have are kept as `Element_Attribute`.
fn system_name(names: &mut Names, element: &str, attribute: Option<&str>) -> Name {
    let way = names.child(names::SYSTEM, element);
    let way = attribute.map_or(way, |attribute| names.child(way, attribute));
    if let Some(known) = names.alias(way) {
        return known;
    }
    let name = match (element, attribute) {
        ("TimeCreated", Some(_)) => names::TIME_CREATED,
        ("Provider", Some("EventSourceName")) => names::EVENT_SOURCE_NAME,
        ("EventID" | "EventId", None) => names::EVENT_ID,
        (element, None) => names.root(element),
        // Sysmon for Linux writes `UserId`.
        ("Security", Some(attribute)) if attribute.eq_ignore_ascii_case("UserID") => names::USER_ID,
        (element, Some(attribute)) => names.root(&format!("{element}_{attribute}")),
    };
    names.set_alias(way, name);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guids_get_braces_and_nothing_else_changes() {
        let mut desk = Desk { names: Names::new(None), scratch: String::new() };
        let mut canon = |text: &str| {
            let value = canonical(&mut desk, Raw::Text(text));
            value.text(&desk.scratch).to_owned()
        };
        assert_eq!(canon("365ABB72-B167-5CD9-0000-001062160C00"), "{365abb72-b167-5cd9-0000-001062160c00}");
        for same in ["{365ABB72-B167-5CD9-0000-001062160C00}", "365abb72-b167-5cd9-0000-001062160c00", " a ", "-"] {
            assert_eq!(canon(same), same);
        }
    }
}
