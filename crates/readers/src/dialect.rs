//! Which dialect a document speaks, told by its top-level keys.
//!
//! Every key carries its [`Marks`] (found once per key, see [`crate::names`]), so the decision for a document is the
//! union of a few bits and one look at them.

use crate::vendor::{self, Vendor};

/// What top-level keys say about a document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    known: u32,
    /// The bits of [`vendor::bit`].
    vendor: u128,
}

macro_rules! marks {
    ($($(#[$doc:meta])* $id:ident = $bit:literal,)*) => {
        $($(#[$doc])* pub(crate) const $id: Marks = Marks { known: 1 << $bit, vendor: 0 };)*
    };
}

/// Objects that only documents in ECS have; written with dots, their members stand at the top level.
const ECS_OBJECTS: &[&str] = &["agent", "data_stream", "ecs", "endgame", "event", "kibana", "winlog"];

impl Marks {
    marks! {
        /// `Event`: the root of a nested Windows event.
        EVENT = 0,
        /// `System`: its first part, for tools that leave the root out.
        SYSTEM = 1,
        /// `EventID`.
        EVENT_ID = 2,
        /// The channel or provider of a flat Windows event.
        FLAT_SOURCE = 3,
        /// `event_id`, as winlogbeat 6 names it.
        BEAT_EVENT_ID = 4,
        /// `log_name`, as winlogbeat 6 names it.
        BEAT_LOG = 5,
        /// `@timestamp`.
        TIMESTAMP = 6,
        /// Marks of ECS documents.
        ECS = 7,
        /// `class_uid`.
        CLASS_UID = 8,
        /// `metadata`, `time`, `category_uid` and the like of OCSF.
        OCSF = 9,
        /// `_source` of an exported hit.
        HIT = 10,
        /// `result` of a Splunk export.
        RESULT = 11,
        /// `_raw` of a Splunk export.
        RAW = 12,
        /// Splunk's own fields on every event.
        SPLUNK = 13,
        /// A field that only the Common Information Model names so.
        CIM = 14,
        /// `dest`, `src`, `user` and the like: common words, CIM only together with another.
        CIM_COMMON = 15,
        /// `EventData`.
        EVENT_DATA = 16,
        /// `NXLog`'s own fields.
        NXLOG = 17,
        /// A name under which services wrap the events that they deliver together.
        LIST = 18,
    }

    pub(crate) fn of(key: &str) -> Self {
        Self { vendor: vendor::bit(key), ..Self::known(key) }
    }

    fn known(key: &str) -> Self {
        match key {
            "Event" => Self::EVENT,
            "System" => Self::SYSTEM,
            "EventID" => Self::EVENT_ID,
            "Channel" | "SourceName" | "ProviderName" | "Provider_Name" | "Provider" => Self::FLAT_SOURCE,
            "event_id" => Self::BEAT_EVENT_ID,
            "log_name" => Self::BEAT_LOG,
            "@timestamp" => Self::TIMESTAMP,
            "ecs"
            | "agent"
            | "winlog"
            | "endgame"
            | "kibana"
            | "data_stream"
            | "event"
            | "ecs.version"
            | "agent.type"
            | "event.kind"
            | "event.category"
            | "event.dataset"
            | "event.module"
            | "event.action"
            | "event.code"
            | "winlog.channel"
            | "winlog.event_id"
            | "data_stream.dataset" => Self::ECS,
            "class_uid" => Self::CLASS_UID,
            "metadata" | "metadata.version" | "time" | "category_uid" | "activity_id" | "type_uid" => Self::OCSF,
            "_source" => Self::HIT,
            "result" => Self::RESULT,
            "_raw" => Self::RAW,
            "sourcetype" | "_time" | "_indextime" | "_bkt" | "_cd" | "splunk_server" => Self::SPLUNK,
            "process_name"
            | "parent_process_name"
            | "process_path"
            | "parent_process_path"
            | "parent_process"
            | "process_exec"
            | "parent_process_exec"
            | "process_guid"
            | "parent_process_guid"
            | "process_hash"
            | "registry_path"
            | "registry_key_name"
            | "registry_value_name"
            | "registry_value_data"
            | "file_create_time"
            | "src_user"
            | "dest_port"
            | "src_port"
            | "dest_ip"
            | "src_ip"
            | "dvc"
            | "vendor_product"
            | "user_category"
            | "EventCode" => Self::CIM,
            "dest" | "src" | "user" | "process" | "file_name" | "file_path" | "app" | "action" | "signature"
            | "signature_id" | "process_id" | "parent_process_id" => Self::CIM_COMMON,
            "EventData" => Self::EVENT_DATA,
            "Records" | "records" | "value" | "Events" | "events" | "items" | "logs" | "resources" => Self::LIST,
            "SourceModuleName" | "SourceModuleType" | "EventReceivedTime" => Self::NXLOG,
            _ if ECS_OBJECTS
                .iter()
                .any(|object| key.strip_prefix(object).is_some_and(|rest| rest.starts_with('.'))) =>
            {
                Self::ECS
            }
            _ => Self::default(),
        }
    }

    #[must_use]
    pub(crate) fn with(self, other: Self) -> Self {
        Self { known: self.known | other.known, vendor: self.vendor | other.vendor }
    }

    pub(crate) fn has(self, all: Self) -> bool {
        self.known & all.known == all.known
    }
}

/// How a document is to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Dialect {
    /// `{"Event":{"System":…}}`.
    WindowsNested,
    /// `{"System":…,"EventData":…}`.
    WindowsParts,
    /// One level of keys.
    WindowsFlat,
    /// Winlogbeat before version 7.
    Winlogbeat6,
    /// Elastic Common Schema.
    Ecs,
    /// `{"_index":…,"_source":{…}}`.
    Hit,
    /// `{"result":{…}}`.
    SplunkResult,
    /// Has `_raw`.
    SplunkRaw,
    /// Common Information Model names.
    Cim,
    /// Open Cybersecurity Schema Framework.
    Ocsf,
    /// Another product's own.
    Vendor(&'static Vendor),
    /// None of these.
    Unknown,
}

impl Dialect {
    /// The decision. The order counts: wrappings first, then the dialects with the surest marks.
    pub(crate) fn of(marks: Marks) -> Self {
        let has = |all| marks.has(all);
        let has_both = |a: Marks, b: Marks| marks.has(a.with(b));
        if has(Marks::HIT) {
            Self::Hit
        } else if has(Marks::EVENT) {
            Self::WindowsNested
        } else if has_both(Marks::SYSTEM, Marks::EVENT_DATA) {
            Self::WindowsParts
        } else if has(Marks::RAW) {
            Self::SplunkRaw
        } else if has_both(Marks::TIMESTAMP, Marks::ECS) {
            Self::Ecs
        } else if has_both(Marks::BEAT_EVENT_ID, Marks::BEAT_LOG) {
            Self::Winlogbeat6
        } else if has_both(Marks::EVENT_ID, Marks::FLAT_SOURCE) {
            Self::WindowsFlat
        } else if has_both(Marks::CLASS_UID, Marks::OCSF) {
            Self::Ocsf
        } else if let Some(vendor) = vendor::of(marks.vendor) {
            Self::Vendor(vendor)
        } else if has(Marks::RESULT) {
            Self::SplunkResult
        } else if has_both(Marks::CIM, Marks::CIM_COMMON)
            || (has(Marks::SPLUNK) && (has(Marks::CIM) || has(Marks::CIM_COMMON)))
        {
            Self::Cim
        } else if has(Marks::SYSTEM) {
            Self::WindowsParts
        } else {
            Self::Unknown
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_tell_the_dialect() {
        let of = |keys: &[&str]| Dialect::of(keys.iter().fold(Marks::default(), |m, k| m.with(Marks::of(k))));
        assert!(matches!(of(&["Event"]), Dialect::WindowsNested));
        assert!(matches!(of(&["@timestamp", "EventID", "Channel", "host"]), Dialect::WindowsFlat));
        assert!(matches!(of(&["@timestamp", "event_id", "log_name", "beat"]), Dialect::Winlogbeat6));
        assert!(matches!(of(&["@timestamp", "event", "host"]), Dialect::Ecs));
        assert!(matches!(of(&["_index", "_source"]), Dialect::Hit));
        assert!(matches!(of(&["class_uid", "metadata", "time"]), Dialect::Ocsf));
        assert!(matches!(of(&["dest", "process_name"]), Dialect::Cim));
        assert!(matches!(of(&["ts", "uid", "proto"]), Dialect::Unknown));
        assert!(matches!(of(&["preview", "result"]), Dialect::SplunkResult));
    }
}
