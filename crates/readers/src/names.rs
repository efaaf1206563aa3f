//! Raw field names, each known by a number.
//!
//! A name is met once per field of every event, so what depends only on the name (where it goes, whether anyone wants
//! it, what it says about the dialect) is found once and kept beside it.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;

use crate::{Wanted, dialect::Marks};

/// A raw field name by number, or a key on the way to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Name(u32);

impl Name {
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// The parent of names without a dot of ours.
const ROOT: u32 = u32::MAX;

/// More names than this are forgotten between events: keys made of data must not fill the memory.
const MANY: usize = 1 << 17;

macro_rules! well_known {
    ($($id:ident = $text:literal,)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        #[repr(u32)]
        enum Order { $($id,)* COUNT }
        $(pub(crate) const $id: Name = Name(Order::$id as u32);)*
        const WELL_KNOWN: [&str; Order::COUNT as usize] = [$($text,)*];
    };
}

well_known! {
    PROVIDER_NAME = "Provider_Name",
    PROVIDER_GUID = "Provider_Guid",
    EVENT_SOURCE_NAME = "EventSourceName",
    EVENT_ID = "EventID",
    VERSION = "Version",
    LEVEL = "Level",
    TASK = "Task",
    OPCODE = "Opcode",
    KEYWORDS = "Keywords",
    TIME_CREATED = "TimeCreated",
    EVENT_RECORD_ID = "EventRecordID",
    ACTIVITY_ID = "Correlation_ActivityID",
    RELATED_ACTIVITY_ID = "Correlation_RelatedActivityID",
    PROCESS_ID = "Execution_ProcessID",
    THREAD_ID = "Execution_ThreadID",
    CHANNEL = "Channel",
    COMPUTER = "Computer",
    USER_ID = "Security_UserID",
    MESSAGE = "Message",
    EVENT_DATA = "EventData",
    USER_DATA = "UserData",
    SHIPPER = "Shipper",
    SYSTEM = "System",
    RENDERING_INFO = "RenderingInfo",
    TIMESTAMP = "@timestamp",
    TIME = "time",
    SPLUNK_TIME = "_time",
    SOURCETYPE = "sourcetype",
    SOURCE = "source",
    CLASS_UID = "class_uid",
    OCSF_ACTIVITY = "activity_id",
    DEVICE_OS = "device.os.type",
    EVENT_DATASET = "event.dataset",
    EVENT_MODULE = "event.module",
    EVENT_CATEGORY = "event.category",
    EVENT_TYPE = "event.type",
    HOST_OS_TYPE = "host.os.type",
    STREAM_TYPE = "data_stream.type",
    STREAM_DATASET = "data_stream.dataset",
    STREAM_NAMESPACE = "data_stream.namespace",
    AGENT_TYPE = "agent.type",
    METADATA_BEAT = "@metadata.beat",
    SPACES = "kibana.space_ids",
    ALERT_RULE = "kibana.alert.rule.uuid",
    ALERT_RULE_ID = "kibana.alert.rule.rule_id",
    SIGNAL_RULE = "signal.rule.id",
    ENDGAME = "endgame.metadata.type",
    WINLOG_CHANNEL = "winlog.channel",
    WINLOG_PROVIDER = "winlog.provider_name",
    WINLOG_EVENT_ID = "winlog.event_id",
    TIMESTAMP_PLAIN = "timestamp",
    TIMESTAMP_CAPITAL = "Timestamp",
    TIME_GENERATED = "TimeGenerated",
    EVENT_TIME_AWS = "eventTime",
    RAW = "_raw",
    INDEX = "_index",
    SOURCE_DOCUMENT = "_source",
    RESULT = "result",
    EVENT = "Event",
}

#[derive(Debug)]
struct Entry {
    parent: u32,
    key_at: u32,
    full: Box<str>,
    marks: Marks,
    wanted: bool,
    /// Where a key of this name goes in a Windows event; found when first asked for.
    alias: Option<Name>,
    /// The event that had it last, and how often by then.
    seen: (u64, u32),
}

/// All names met so far by one reader.
pub(crate) struct Names {
    table: HashTable<u32>,
    entries: Vec<Entry>,
    wanted: Option<Wanted>,
    event: u64,
}

impl Names {
    pub(crate) fn new(wanted: Option<Wanted>) -> Self {
        let mut names = Self { table: HashTable::new(), entries: Vec::new(), wanted, event: 0 };
        names.reset();
        names
    }

    fn reset(&mut self) {
        self.table.clear();
        self.entries.clear();
        for text in WELL_KNOWN {
            self.root(text);
        }
    }

    /// Begins an event; says whether all names but the well-known ones have been forgotten.
    pub(crate) fn start_event(&mut self) -> bool {
        self.event += 1;
        let many = self.entries.len() > MANY;
        if many {
            self.reset();
        }
        many
    }

    /// The name that is just this key.
    pub(crate) fn root(&mut self, key: &str) -> Name {
        self.find(ROOT, key)
    }

    /// The name `parent.key`.
    pub(crate) fn child(&mut self, parent: Name, key: &str) -> Name {
        self.find(parent.0, key)
    }

    fn find(&mut self, parent: u32, key: &str) -> Name {
        let hash = FxBuildHasher.hash_one((parent, key));
        let entries = &self.entries;
        let same = |at: &u32| {
            let entry = &entries[*at as usize];
            entry.parent == parent && &entry.full[entry.key_at as usize..] == key
        };
        if let Some(at) = self.table.find(hash, same) {
            return Name(*at);
        }
        let full: Box<str> = match self.entries.get(parent as usize) {
            Some(parent) => [&parent.full, ".", key].concat().into(),
            None => key.into(),
        };
        let entry = Entry {
            parent,
            key_at: (full.len() - key.len()) as u32,
            marks: if parent == ROOT { Marks::of(key) } else { Marks::default() },
            wanted: self.wanted.as_ref().is_none_or(|wanted| wanted(&full)),
            full,
            alias: None,
            seen: (0, 0),
        };
        let at = self.entries.len() as u32;
        self.entries.push(entry);
        let entries = &self.entries;
        self.table.insert_unique(hash, at, |at| {
            let entry = &entries[*at as usize];
            FxBuildHasher.hash_one((entry.parent, &entry.full[entry.key_at as usize..]))
        });
        Name(at)
    }

    /// The full text.
    pub(crate) fn text(&self, name: Name) -> &str {
        &self.entries[name.index()].full
    }

    /// The last key alone.
    pub(crate) fn key(&self, name: Name) -> &str {
        let entry = &self.entries[name.index()];
        &entry.full[entry.key_at as usize..]
    }

    /// What a top-level key says about the dialect.
    pub(crate) fn marks(&self, name: Name) -> Marks {
        self.entries[name.index()].marks
    }

    pub(crate) fn wanted(&self, name: Name) -> bool {
        self.entries[name.index()].wanted
    }

    pub(crate) fn alias(&self, name: Name) -> Option<Name> {
        self.entries[name.index()].alias
    }

    pub(crate) fn set_alias(&mut self, name: Name, alias: Name) {
        self.entries[name.index()].alias = Some(alias);
    }

    /// The name under which a further value of the same name in the same event is kept: `X`, `X_1`, `X_2` …
    pub(crate) fn numbered(&mut self, name: Name) -> Name {
        let event = self.event;
        let entry = &mut self.entries[name.index()];
        if entry.seen.0 != event {
            entry.seen = (event, 0);
            return name;
        }
        entry.seen.1 += 1;
        let key = format!("{}_{}", &entry.full[entry.key_at as usize..], entry.seen.1);
        let parent = entry.parent;
        self.find(parent, &key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_number_whatever_the_way_to_it() {
        let mut names = Names::new(None);
        let data = names.child(EVENT_DATA, "Image");
        assert_eq!(names.text(data), "EventData.Image");
        assert_eq!(names.key(data), "Image");
        assert_eq!(names.child(EVENT_DATA, "Image"), data);
        assert_eq!(names.root("Channel"), CHANNEL);
    }

    #[test]
    fn repeated_names_of_one_event_are_numbered() {
        let mut names = Names::new(None);
        let data = names.child(EVENT_DATA, "LogonGuid");
        for _ in 0..2 {
            names.start_event();
            let (first, second) = (names.numbered(data), names.numbered(data));
            assert_eq!((names.text(first), names.text(second)), ("EventData.LogonGuid", "EventData.LogonGuid_1"));
        }
    }
}
