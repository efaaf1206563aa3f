//! Kinds of events by the names that people use: "Sysmon 1 (process created)" instead of a set of attributes.
//!
//! The names are for people only; nothing decides by them. A shape without a name of its own here gets one made from
//! its attributes, so a new mapping pack needs no line in this file.

use std::fmt;

use lurcher_schema::Shape;

/// A kind of event: the source that people speak of, and which of its events.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Kind {
    /// `Sysmon`, `Windows Security log`, `aws:cloudtrail` …
    pub(crate) source: String,
    /// `1` of Sysmon; empty if the source has one kind only.
    pub(crate) event: String,
}

/// Channels by the names that people use; others are named by their last words.
const CHANNELS: [(&str, &str); 8] = [
    ("microsoft-windows-sysmon/operational", "Sysmon"),
    ("linux-sysmon/operational", "Sysmon for Linux"),
    ("security", "Windows Security log"),
    ("system", "Windows System log"),
    ("application", "Windows Application log"),
    ("microsoft-windows-powershell/operational", "PowerShell log"),
    ("powershellcore/operational", "PowerShell 7 log"),
    ("windows powershell", "classic PowerShell log"),
];

/// What the events are that detections ask for most.
const EVENTS: [(&str, &[(&str, &str)]); 4] = [
    (
        "Sysmon",
        &[
            ("1", "process created"),
            ("2", "file time changed"),
            ("3", "network connection"),
            ("5", "process ended"),
            ("6", "driver loaded"),
            ("7", "image loaded"),
            ("8", "remote thread"),
            ("9", "raw disk read"),
            ("10", "process accessed"),
            ("11", "file created"),
            ("12", "registry key"),
            ("13", "registry value set"),
            ("14", "registry renamed"),
            ("15", "file stream"),
            ("17", "pipe created"),
            ("18", "pipe connected"),
            ("19", "WMI filter"),
            ("20", "WMI consumer"),
            ("21", "WMI binding"),
            ("22", "DNS query"),
            ("23", "file deleted"),
            ("25", "process tampering"),
            ("26", "file deleted"),
        ],
    ),
    (
        "Windows Security log",
        &[
            ("1102", "log cleared"),
            ("4624", "logon"),
            ("4625", "failed logon"),
            ("4648", "logon with other credentials"),
            ("4657", "registry value set"),
            ("4663", "object accessed"),
            ("4672", "special privileges"),
            ("4688", "process created"),
            ("4697", "service installed"),
            ("4698", "task created"),
            ("4720", "account created"),
            ("4768", "Kerberos ticket asked for"),
            ("4769", "service ticket asked for"),
            ("5140", "share accessed"),
            ("5145", "file on share accessed"),
            ("5156", "network connection"),
        ],
    ),
    ("Windows System log", &[("7045", "service installed"), ("7036", "service changed state"), ("104", "log cleared")]),
    ("PowerShell log", &[("4103", "command"), ("4104", "script block")]),
];

impl Kind {
    /// The kind that a shape is of.
    pub(crate) fn of(shape: &Shape) -> Self {
        let attribute = |name| shape.attribute(name).filter(|text| !text.is_empty());
        if let Some(channel) = attribute("channel") {
            let event = attribute("event_id").unwrap_or_default().to_owned();
            let known = CHANNELS.iter().find(|(name, _)| name.eq_ignore_ascii_case(channel)).map(|(_, name)| *name);
            let source = known.map_or_else(
                || {
                    channel.trim_start_matches("Microsoft-Windows-").trim_end_matches("/Operational").to_owned()
                        + " log"
                },
                str::to_owned,
            );
            return Self { source, event };
        }
        let dialect = shape.dialect();
        let words = ["dataset", "sourcetype", "class_uid", "category", "service", "module", "event_type"];
        let word = words.iter().find_map(|name| attribute(name));
        match (dialect, word) {
            ("ocsf", Some(class)) => Self { source: "OCSF".to_owned(), event: format!("class {class}") },
            ("ecs", Some(dataset)) => Self { source: dataset.to_owned(), event: String::new() },
            ("ecs" | "ocsf" | "cim", None) => {
                Self { source: format!("{} documents", dialect.to_uppercase()), event: String::new() }
            }
            ("unknown", None) => Self { source: "events of an unknown kind".to_owned(), event: String::new() },
            (dialect, Some(word)) if dialect.eq_ignore_ascii_case(word) => {
                Self { source: dialect.to_owned(), event: String::new() }
            }
            (dialect, Some(word)) => Self { source: dialect.to_owned(), event: word.to_owned() },
            (dialect, None) => Self { source: dialect.to_owned(), event: String::new() },
        }
    }

    /// What the event is about, if that is known.
    fn about(&self) -> Option<&'static str> {
        let (_, events) = EVENTS.iter().find(|(source, _)| *source == self.source)?;
        events.iter().find(|(id, _)| *id == self.event).map(|(_, about)| *about)
    }
}

impl fmt::Display for Kind {
    /// `Sysmon 1 (process created)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)?;
        if !self.event.is_empty() {
            write!(f, " {}", self.event)?;
        }
        match self.about() {
            Some(about) => write!(f, " ({about})"),
            None => Ok(()),
        }
    }
}

/// The name of an event's kind.
pub(crate) fn event_name(shape: &Shape) -> String {
    Kind::of(shape).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_the_names_that_people_use() {
        for (attributes, name) in [
            (
                &[("dialect", "windows"), ("channel", "Microsoft-Windows-Sysmon/Operational"), ("event_id", "1")][..],
                "Sysmon 1 (process created)",
            ),
            (&[("dialect", "windows"), ("channel", "Security"), ("event_id", "9999")], "Windows Security log 9999"),
            (
                &[
                    ("dialect", "windows"),
                    ("channel", "Microsoft-Windows-TaskScheduler/Operational"),
                    ("event_id", "106"),
                ],
                "TaskScheduler log 106",
            ),
            (&[("dialect", "ecs"), ("dataset", "endpoint.events.process")], "endpoint.events.process"),
            (&[("dialect", "ocsf"), ("class_uid", "1007")], "OCSF class 1007"),
            (&[("dialect", "unknown")], "events of an unknown kind"),
        ] {
            assert_eq!(event_name(&Shape::new(attributes.iter().copied())), name);
        }
    }
}
