//! Which product wrote a JSON document, told by the keys at its top level.
//!
//! A row of the table names keys that only one product's documents have together. What the document says of its own
//! kind (a category, a table, a stream) becomes attributes of its shape, so that mapping packs can choose by it. The
//! fields stay as they are: what they mean is the packs' business.

use std::{collections::HashMap, sync::LazyLock};

/// One kind of document.
#[derive(Debug)]
pub(crate) struct Vendor {
    /// The shape's attribute `dialect`.
    pub(crate) dialect: &'static str,
    /// Keys that must all be there.
    keys: &'static [&'static str],
    /// Attributes that the keys alone decide.
    pub(crate) fixed: &'static [(&'static str, &'static str)],
    /// Attributes, and the fields that they are read from; the first that there is counts.
    pub(crate) attributes: &'static [(&'static str, &'static [&'static str])],
    /// Where the event's time stands; the first that can be read counts.
    pub(crate) times: &'static [&'static str],
    /// Members that are kept as one JSON value each: free-form objects, whose own fields would be thousands, and
    /// which rules also search as a whole.
    pub(crate) whole: &'static [&'static str],
}

const NOTHING: Vendor = Vendor { dialect: "", keys: &[], fixed: &[], attributes: &[], times: &[], whole: &[] };

const ZEEK_TIMES: &[&str] = &["ts", "@timestamp"];
const AZURE_TIMES: &[&str] = &["time", "TimeGenerated", "@timestamp", "eventTimestamp"];
const FDR_EVENT: &[(&str, &[&str])] = &[("event", &["event_simpleName"]), ("platform", &["event_platform"])];
const S1_EVENT: &[(&str, &[&str])] =
    &[("event", &["event.type"]), ("category", &["event.category"]), ("os", &["endpoint.os"])];

/// All kinds. Of several that fit, the first counts.
static VENDORS: &[Vendor] = &[
    Vendor {
        dialect: "cloudtrail",
        keys: &["eventVersion", "eventSource", "eventName", "awsRegion"],
        attributes: &[("provider", &["eventSource"])],
        times: &["eventTime", "@timestamp"],
        whole: &["requestParameters", "responseElements", "additionalEventData", "serviceEventDetails"],
        ..NOTHING
    },
    Vendor { dialect: "okta", keys: &["eventType", "published", "outcome", "actor"], times: &["published"], ..NOTHING },
    Vendor {
        dialect: "azure",
        keys: &["category", "operationName", "properties"],
        attributes: &[("category", &["category"]), ("action", &["properties.ActionType"])],
        times: AZURE_TIMES,
        ..NOTHING
    },
    Vendor {
        dialect: "azure",
        keys: &["category", "operationName", "resourceId", "time"],
        attributes: &[("category", &["category"]), ("action", &["properties.ActionType"])],
        times: AZURE_TIMES,
        ..NOTHING
    },
    Vendor {
        dialect: "azure",
        keys: &["createdDateTime", "userPrincipalName", "appDisplayName", "status"],
        fixed: &[("category", "SignInLogs"), ("layout", "graph")],
        times: &["createdDateTime"],
        ..NOTHING
    },
    Vendor {
        dialect: "azure",
        keys: &["activityDisplayName", "activityDateTime", "targetResources"],
        fixed: &[("category", "AuditLogs"), ("layout", "graph")],
        times: &["activityDateTime"],
        ..NOTHING
    },
    Vendor {
        dialect: "azure",
        keys: &["riskEventType", "userPrincipalName", "detectedDateTime"],
        fixed: &[("category", "UserRiskEvents"), ("layout", "graph")],
        times: &["detectedDateTime", "activityDateTime"],
        ..NOTHING
    },
    Vendor {
        dialect: "m365",
        keys: &["CreationTime", "Operation", "Workload", "UserId"],
        attributes: &[("workload", &["Workload"]), ("record_type", &["RecordType"])],
        times: &["CreationTime"],
        ..NOTHING
    },
    Vendor {
        dialect: "m365",
        keys: &["OfficeWorkload", "Operation", "TimeGenerated", "UserId"],
        fixed: &[("layout", "table")],
        attributes: &[("workload", &["OfficeWorkload"]), ("record_type", &["RecordType"])],
        times: &["TimeGenerated"],
        ..NOTHING
    },
    Vendor {
        dialect: "azure_table",
        keys: &["TimeGenerated", "Type", "TenantId", "Category", "OperationName"],
        attributes: &[("table", &["Type"])],
        times: AZURE_TIMES,
        ..NOTHING
    },
    Vendor { dialect: "github", keys: &["action", "_document_id"], times: &["@timestamp", "created_at"], ..NOTHING },
    Vendor {
        dialect: "github",
        keys: &["action", "actor", "created_at"],
        times: &["@timestamp", "created_at"],
        ..NOTHING
    },
    Vendor {
        dialect: "google_workspace",
        keys: &["id", "actor", "events"],
        attributes: &[("application", &["id.applicationName"])],
        times: &["id.time"],
        ..NOTHING
    },
    Vendor { dialect: "gcp", keys: &["protoPayload", "logName"], times: &["timestamp", "receiveTimestamp"], ..NOTHING },
    Vendor {
        dialect: "gcp",
        keys: &["data", "attributes", "publish_time"],
        fixed: &[("layout", "pubsub")],
        times: &["data.timestamp", "publish_time"],
        ..NOTHING
    },
    Vendor {
        dialect: "kubernetes",
        keys: &["auditID", "verb", "stage"],
        times: &["requestReceivedTimestamp", "stageTimestamp"],
        ..NOTHING
    },
    Vendor {
        dialect: "crowdstrike_fdr",
        keys: &["event_simpleName", "aid"],
        attributes: FDR_EVENT,
        times: &["timestamp", "ContextTimeStamp", "_time"],
        ..NOTHING
    },
    Vendor {
        dialect: "sentinel_one",
        keys: &["event.type", "src.process.name"],
        attributes: S1_EVENT,
        times: &["event.time", "timestamp"],
        ..NOTHING
    },
    Vendor {
        dialect: "sentinel_one",
        keys: &["event.type", "endpoint.name"],
        attributes: S1_EVENT,
        times: &["event.time", "timestamp"],
        ..NOTHING
    },
    Vendor {
        dialect: "defender_xdr",
        keys: &["DeviceName", "ActionType", "Timestamp"],
        attributes: &[("action", &["ActionType"])],
        times: &["Timestamp"],
        ..NOTHING
    },
    Vendor {
        dialect: "journald",
        keys: &["__REALTIME_TIMESTAMP", "MESSAGE"],
        attributes: &[("program", &["SYSLOG_IDENTIFIER", "_COMM"])],
        times: &["_SOURCE_REALTIME_TIMESTAMP", "__REALTIME_TIMESTAMP"],
        ..NOTHING
    },
    Vendor {
        dialect: "syslog",
        keys: &["Facility", "SyslogMessage", "ProcessName"],
        fixed: &[("layout", "azure")],
        attributes: &[("program", &["ProcessName"])],
        times: &["EventTime", "TimeGenerated"],
        ..NOTHING
    },
    Vendor {
        dialect: "suricata",
        keys: &["timestamp", "event_type", "flow_id"],
        attributes: &[("event", &["event_type"])],
        times: &["timestamp"],
        ..NOTHING
    },
    Vendor {
        dialect: "esf",
        keys: &["schema_version", "event_type", "event", "process"],
        attributes: &[("event", &["event_type"])],
        times: &["time"],
        ..NOTHING
    },
    Vendor {
        dialect: "opencanary",
        keys: &["logtype", "node_id", "src_host"],
        times: &["utc_time", "local_time"],
        ..NOTHING
    },
    Vendor { dialect: "bitbucket", keys: &["auditType", "affectedObjects"], times: &["timestamp"], ..NOTHING },
    zeek(&["ts", "_path"]),
    zeek(&["ts", "@stream"]),
    zeek(&["@stream", "@system"]),
    zeek_stream(&["ts", "uid", "conn_state"], "conn"),
    zeek_stream(&["ts", "uid", "trans_id", "query"], "dns"),
    zeek_stream(&["ts", "uid", "trans_depth"], "http"),
    zeek_stream(&["ts", "uid", "cipher", "server_name"], "ssl"),
    zeek_stream(&["ts", "uid", "request_type", "cipher"], "kerberos"),
    zeek_stream(&["ts", "uid", "named_pipe", "operation"], "dce_rpc"),
    zeek_stream(&["ts", "uid", "action", "name", "size"], "smb_files"),
    zeek_stream(&["ts", "uid", "share_type"], "smb_mapping"),
    zeek_stream(&["ts", "fuid", "source", "analyzers"], "files"),
];

const fn zeek(keys: &'static [&'static str]) -> Vendor {
    Vendor {
        dialect: "zeek",
        keys,
        fixed: &[],
        attributes: &[("stream", &["_path", "@stream"])],
        times: ZEEK_TIMES,
        whole: &[],
    }
}

/// Without its path in it, a record of Zeek's tells its stream by its fields.
const fn zeek_stream(keys: &'static [&'static str], stream: &'static str) -> Vendor {
    Vendor {
        dialect: "zeek",
        keys,
        fixed: match stream.as_bytes() {
            b"conn" => &[("stream", "conn")],
            b"dns" => &[("stream", "dns")],
            b"http" => &[("stream", "http")],
            b"ssl" => &[("stream", "ssl")],
            b"kerberos" => &[("stream", "kerberos")],
            b"dce_rpc" => &[("stream", "dce_rpc")],
            b"smb_files" => &[("stream", "smb_files")],
            b"smb_mapping" => &[("stream", "smb_mapping")],
            _ => &[("stream", "files")],
        },
        attributes: &[],
        times: ZEEK_TIMES,
        whole: &[],
    }
}

/// Where documents and lines of a dialect carry the time of the event and the times at which it was passed on, by the full
/// names of their fields. Times that are part of what happened (when a file was made) are not among them.
pub fn time_fields(dialect: &str) -> Vec<&'static str> {
    let common: &[&str] = match dialect {
        "windows" => &["TimeCreated", "EventTime", "EventReceivedTime", "@timestamp", "TimeGenerated", "UtcTime"],
        "ecs" => &[
            "@timestamp",
            "event.created",
            "event.ingested",
            "event.start",
            "event.end",
            "winlog.time_created",
            "winlog.event_data.UtcTime",
        ],
        "azure" => &["@timestamp", "_time", "properties.createdDateTime", "properties.activityDateTime"],
        "cim" => &["_time", "@timestamp", "_indextime"],
        "ocsf" => &["time", "time_dt", "metadata.logged_time", "metadata.logged_time_dt", "metadata.processed_time"],
        "unknown" => {
            &["@timestamp", "timestamp", "Timestamp", "time", "_time", "TimeGenerated", "eventTime", "_indextime"]
        }
        _ => &["@timestamp", "_time", "_indextime"],
    };
    let own = VENDORS.iter().filter(|vendor| vendor.dialect == dialect).flat_map(|vendor| vendor.times);
    let mut fields: Vec<&str> = common.iter().chain(own).copied().collect();
    fields.sort_unstable();
    fields.dedup();
    fields
}

/// A number of one bit for each key that the table names.
struct Bits {
    keys: HashMap<&'static str, u128>,
    /// For each row what it needs.
    needed: Vec<u128>,
}

static BITS: LazyLock<Bits> = LazyLock::new(|| {
    let mut keys = HashMap::new();
    let needed = VENDORS
        .iter()
        .map(|vendor| {
            vendor.keys.iter().fold(0, |all, key| {
                let next = keys.len();
                all | *keys.entry(*key).or_insert_with(|| 1_u128.checked_shl(next as u32).unwrap_or(0))
            })
        })
        .collect();
    Bits { keys, needed }
});

/// The bit of a top-level key; none for a key that tells nothing.
pub(crate) fn bit(key: &str) -> u128 {
    BITS.keys.get(key).copied().unwrap_or(0)
}

/// The kind of a document whose keys have these bits together.
pub(crate) fn of(bits: u128) -> Option<&'static Vendor> {
    if bits == 0 {
        return None;
    }
    BITS.needed.iter().position(|needed| bits & needed == *needed).and_then(|at| VENDORS.get(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialect(keys: &[&str]) -> Option<(&'static str, &'static [(&'static str, &'static str)])> {
        of(keys.iter().fold(0, |bits, key| bits | bit(key))).map(|vendor| (vendor.dialect, vendor.fixed))
    }

    #[test]
    fn every_key_has_a_bit_of_its_own() {
        assert!(BITS.keys.len() <= 128, "{} keys", BITS.keys.len());
        assert!(BITS.keys.values().all(|bit| bit.is_power_of_two()));
    }

    #[test]
    fn keys_tell_the_product() {
        assert_eq!(
            dialect(&["eventVersion", "eventSource", "eventName", "awsRegion", "x"]).map(|d| d.0),
            Some("cloudtrail")
        );
        assert_eq!(dialect(&["ts", "uid", "id.orig_h", "conn_state"]), Some(("zeek", [("stream", "conn")].as_slice())));
        assert_eq!(dialect(&["category", "operationName", "time", "properties"]).map(|d| d.0), Some("azure"));
        assert_eq!(dialect(&["ts", "uid"]), None);
        assert_eq!(dialect(&["action", "user"]), None);
    }
}
