//! Windows events as flat JSON, as `NXLog`, Logstash, the OTRF collectors and Azure write them, and as winlogbeat wrote
//! them before version 7.
//!
//! A key that is not known as part of the envelope is event data. Where a key can be either, what stands beside it
//! decides: `ProviderName` is event data when `SourceName` names the provider already.

use lurcher_schema::Timestamp;

use crate::{
    dialect::Marks,
    json::{Document, Member, loose_time},
    names::{self, Name},
    nested::{data, named, shipper},
    rows::Raw,
    windows::{Desk, WindowsEvent},
};

/// The alias of keys whose place depends on what stands beside them.
const BESIDE: Name = names::EVENT;

/// Where a key of a flat event goes; found once per key.
fn place(desk: &mut Desk, key: Name) -> Name {
    if let Some(known) = desk.names.alias(key) {
        return known;
    }
    let text = desk.names.text(key).to_owned();
    let alias = match text.as_str() {
        "SourceName" | "Provider_Name" => names::PROVIDER_NAME,
        "ProviderGuid" | "ProviderGUID" => names::PROVIDER_GUID,
        "Hostname" | "Computer" | "ComputerName" => names::COMPUTER,
        "RecordNumber" | "EventRecordId" => names::EVENT_RECORD_ID,
        "ActivityID" => names::ACTIVITY_ID,
        "RelatedActivityID" => names::RELATED_ACTIVITY_ID,
        "ExecutionProcessID" => names::PROCESS_ID,
        "ExecutionThreadID" => names::THREAD_ID,
        "OpcodeValue" => names::OPCODE,
        "EventLevel" => names::LEVEL,
        "EventReceivedTime"
        | "SourceModuleName"
        | "SourceModuleType"
        | "EventTypeOrignal"
        | "ERROR_EVT_UNRESOLVED"
        | "SeverityValue"
        | "@version"
        | "host"
        | "port"
        | "tags"
        | "type"
        | "@metadata"
        | "beat"
        | "agent"
        | "input"
        | "log"
        | "offset"
        | "TenantId"
        | "SourceSystem"
        | "EventLevelName"
        | "EventOriginId"
        | "ManagementGroupName"
        | "MG"
        | "_ResourceId"
        | "_id"
        | "_index"
        | "_type"
        | "_score" => desk.names.child(names::SHIPPER, &text),
        "Provider" | "ProviderName" | "Level" | "Task" | "Opcode" | "Keywords" | "EventType" | "Severity"
        | "Category" | "Domain" | "AccountName" | "AccountType" | "UserID" | "ThreadID" | "ProcessID" | "EventData"
        | "UserData" | "EventTime" | "TimeCreated" | "TimeGenerated" | "@timestamp" | "Type" => BESIDE,
        // The canonical names themselves.
        _ if key < names::EVENT_DATA => key,
        text => match text.split_once('.') {
            Some(("EventData", rest)) => desk.names.child(names::EVENT_DATA, rest),
            Some(("UserData", rest)) => desk.names.child(names::USER_DATA, rest),
            Some(("Shipper", rest)) => desk.names.child(names::SHIPPER, rest),
            _ => desk.names.child(names::EVENT_DATA, text),
        },
    };
    desk.names.set_alias(key, alias);
    alias
}

/// What else a document says, as far as a key's place depends on it.
#[derive(Default)]
#[allow(clippy::struct_excessive_bools)] // Four independent facts, each with its name.
struct Beside<'a> {
    nxlog: bool,
    /// `NXLog` resolved the user of the system part into `Domain`, `AccountName` and `AccountType`.
    resolved_user: bool,
    source_name: bool,
    execution: bool,
    /// The time that Sysmon itself puts into the data of every event.
    sysmon_time: bool,
    times: [Raw<'a>; 4],
}

impl Default for Raw<'_> {
    fn default() -> Self {
        Self::Text("")
    }
}

const TIME_CREATED: usize = 0;
const EVENT_TIME: usize = 1;
const TIMESTAMP: usize = 2;
const GENERATED: usize = 3;

/// Reads a flat event.
pub(crate) fn flat<'a>(desk: &mut Desk, document: Document<'a>) -> WindowsEvent<'a> {
    let mut event = WindowsEvent::new();
    let mut beside = Beside { nxlog: document.marks.has(Marks::NXLOG), ..Beside::default() };
    for (name, _) in &document.members {
        match desk.names.text(*name) {
            "SourceName" | "Provider_Name" => beside.source_name = true,
            "AccountType" => beside.resolved_user = beside.nxlog,
            "ExecutionProcessID" => beside.execution = true,
            "UtcTime" => beside.sysmon_time = true,
            _ => {}
        }
    }
    let mut message = None;
    for (key, member) in document.members {
        let name = place(desk, key);
        match member {
            Member::Null => {}
            Member::Plain(value) if name == names::MESSAGE => {
                message = Some(value);
                event.system(desk, name, value);
            }
            member @ (Member::Plain(_) | Member::Nested(_)) if name == BESIDE => {
                by_neighbours(desk, &mut event, &mut beside, key, member);
            }
            Member::Plain(value) if name < names::EVENT_DATA => event.system(desk, name, value),
            Member::Plain(value) if desk.names.text(name).starts_with("Shipper.") => event.shipper(desk, name, value),
            Member::Plain(value) => event.put(desk, name, value),
            member @ Member::Nested(_) => {
                if desk.names.text(name).starts_with("Shipper.") {
                    shipper(desk, &mut event, key, member);
                } else {
                    named(desk, &mut event, name, member);
                }
            }
        }
    }
    if let Some(message) = message.filter(|_| beside.nxlog && !beside.sysmon_time) {
        from_message(desk, &mut event, message);
    }
    time(desk, &mut event, &beside);
    event
}

/// `NXLog` leaves the data of an event out where one of its values is too long for it; the message still tells it, a
/// line `Name: value` for each. Of Sysmon's events it is known when that is so, since all carry their time in the data.
fn from_message<'a>(desk: &mut Desk, event: &mut WindowsEvent<'a>, message: Raw<'a>) {
    let text = message.text(&desk.scratch);
    if !text.contains("\nUtcTime:") {
        return;
    }
    let text = text.to_owned();
    let mut fields: Vec<(&str, String)> = Vec::new();
    for line in text.lines().skip(1) {
        let named = line.split_once(':').filter(|(name, rest)| {
            name.starts_with(|c: char| c.is_ascii_uppercase())
                && name.bytes().all(|b| b.is_ascii_alphanumeric())
                && (rest.is_empty() || rest.starts_with(' '))
        });
        match (named, fields.last_mut()) {
            (Some((name, rest)), _) => fields.push((name, rest.strip_prefix(' ').unwrap_or(rest).to_owned())),
            (None, Some((_, value))) => {
                value.push_str("\r\n");
                value.push_str(line);
            }
            (None, None) => {}
        }
    }
    for (name, value) in fields.iter().filter(|(name, value)| *name != "EventType" && !value.is_empty()) {
        let name = desk.names.child(names::EVENT_DATA, name);
        let value = desk.keep(value);
        event.put(desk, name, value);
    }
}

fn by_neighbours<'a>(
    desk: &mut Desk,
    event: &mut WindowsEvent<'a>,
    beside: &mut Beside<'a>,
    key: Name,
    member: Member<'a>,
) {
    let text = desk.names.text(key).to_owned();
    let value = match member {
        Member::Plain(value) => value,
        nested if matches!(text.as_str(), "EventData" | "UserData") => return data(desk, event, nested),
        nested => return shipper(desk, event, key, nested),
    };
    let content = value.text(&desk.scratch);
    let is_number = content.starts_with(|c: char| c.is_ascii_digit() || c == '-');
    let system = |name| Some(name);
    let name = match text.as_str() {
        "TimeCreated" => return beside.times[TIME_CREATED] = value,
        "EventTime" => return beside.times[EVENT_TIME] = value,
        "@timestamp" => return beside.times[TIMESTAMP] = value,
        "TimeGenerated" => return beside.times[GENERATED] = value,
        "EventData" | "UserData" => return embedded(desk, event, value),
        "Provider" | "ProviderName" if !beside.source_name => system(names::PROVIDER_NAME),
        "Level" if is_number => system(names::LEVEL),
        "Task" if is_number => system(names::TASK),
        "Opcode" if is_number => system(names::OPCODE),
        "Keywords" if is_number => system(names::KEYWORDS),
        "UserID" if beside.nxlog || content.starts_with("S-1-") => system(names::USER_ID),
        "ThreadID" => system(names::THREAD_ID),
        "ProcessID" if beside.nxlog && !beside.execution => system(names::PROCESS_ID),
        _ => None,
    };
    if let Some(name) = name {
        return event.system(desk, name, value);
    }
    let shippers = match text.as_str() {
        "Level" | "Task" | "Opcode" | "Keywords" => true,
        "Severity" | "Category" => beside.nxlog,
        "Domain" | "AccountName" | "AccountType" => beside.resolved_user,
        // Sysmon's registry events have an `EventType` of their own.
        "EventType" => matches!(
            content,
            "INFO" | "WARNING" | "ERROR" | "CRITICAL" | "VERBOSE" | "DEBUG" | "AUDIT_SUCCESS" | "AUDIT_FAILURE"
        ),
        "Type" => matches!(content, "WindowsEvent" | "SecurityEvent" | "Event"),
        _ => false,
    };
    if shippers {
        let name = desk.names.child(names::SHIPPER, &text);
        event.shipper(desk, name, value);
    } else {
        let name = desk.names.child(names::EVENT_DATA, &text);
        event.put(desk, name, value);
    }
}

/// Event data that is itself JSON in a text, as Azure's tables have it.
fn embedded<'a>(desk: &mut Desk, event: &mut WindowsEvent<'a>, value: Raw<'a>) {
    let content = value.text(&desk.scratch);
    let begins = content.trim_start().starts_with('{');
    if let Raw::Text(text) = value
        && begins
        && let Ok(inner) = crate::json::parse(text)
    {
        return data(desk, event, Member::Nested(inner));
    }
    if begins {
        // Unescaped text lies in the scratch, which is about to grow: read from a copy, keep the parts.
        let copy = content.to_owned();
        if let Ok(inner) = crate::json::parse(&copy) {
            let mut inside = WindowsEvent::new();
            data(desk, &mut inside, Member::Nested(inner));
            return event.adopt(desk, inside);
        }
    }
    event.unnamed(desk, value);
}

/// The event's time: `TimeCreated`, else `EventTime`, else what the table or shipper stamped it with.
fn time<'a>(desk: &mut Desk, event: &mut WindowsEvent<'a>, beside: &Beside<'a>) {
    let text = |at: usize| beside.times[at].text(&desk.scratch).to_owned();
    let texts = [text(TIME_CREATED), text(EVENT_TIME), text(TIMESTAMP), text(GENERATED)];
    let stamp = Timestamp::parse(&texts[TIMESTAMP]);
    let created = if texts[TIME_CREATED].is_empty() {
        match (texts[EVENT_TIME].as_str(), stamp) {
            ("", Some(stamp)) => Some(stamp),
            ("", None) => loose_time(&texts[GENERATED]),
            (local, stamp) => event_time(local, stamp),
        }
    } else {
        loose_time(&texts[TIME_CREATED])
    };
    if let Some(created) = created {
        let value = desk.keep(&created.to_string());
        event.system(desk, names::TIME_CREATED, value);
    }
    for (at, key) in [(EVENT_TIME, "EventTime"), (TIMESTAMP, "@timestamp"), (GENERATED, "TimeGenerated")] {
        let name = desk.names.child(names::SHIPPER, key);
        event.shipper(desk, name, beside.times[at]);
    }
}

/// Microseconds.
const QUARTER: i64 = 15 * 60 * 1_000_000;

/// `EventTime` of `NXLog` is the host's local time without its offset. Where a UTC stamp of the shipper is beside it,
/// at most a few minutes later, the offset is the difference in whole quarters of an hour.
fn event_time(local: &str, stamp: Option<Timestamp>) -> Option<Timestamp> {
    let time = loose_time(local)?;
    let has_offset = local.ends_with('Z') || local.rfind(['+', '-']).is_some_and(|at| at > 10);
    let Some(stamp) = stamp.filter(|_| !has_offset) else { return Some(time) };
    let quarters = (stamp.0 - time.0 + QUARTER / 2).div_euclid(QUARTER);
    // Offsets from UTC lie between -14 and +12 hours; anything else is a stamp of another day.
    if (-56..=56).contains(&quarters) { Some(Timestamp(time.0 + quarters * QUARTER)) } else { Some(time) }
}

/// Reads an event of winlogbeat before version 7.
pub(crate) fn winlogbeat6<'a>(desk: &mut Desk, document: Document<'a>) -> WindowsEvent<'a> {
    let mut event = WindowsEvent::new();
    for (key, member) in document.members {
        let text = desk.names.text(key).to_owned();
        match member {
            Member::Null => {}
            Member::Plain(value) => {
                let is_number = matches!(value, Raw::Json(_));
                let name = match text.as_str() {
                    "event_id" => names::EVENT_ID,
                    "log_name" => names::CHANNEL,
                    "source_name" => names::PROVIDER_NAME,
                    "provider_guid" => names::PROVIDER_GUID,
                    "computer_name" => names::COMPUTER,
                    "record_number" => names::EVENT_RECORD_ID,
                    "version" => names::VERSION,
                    "process_id" => names::PROCESS_ID,
                    "thread_id" => names::THREAD_ID,
                    "activity_id" => names::ACTIVITY_ID,
                    "related_activity_id" => names::RELATED_ACTIVITY_ID,
                    "message" => names::MESSAGE,
                    "@timestamp" => names::TIME_CREATED,
                    "level" if is_number => names::LEVEL,
                    "task" if is_number => names::TASK,
                    "opcode" if is_number => names::OPCODE,
                    _ => {
                        shipper(desk, &mut event, key, Member::Plain(value));
                        continue;
                    }
                };
                event.system(desk, name, value);
            }
            Member::Nested(value) => match text.as_str() {
                "event_data" => data(desk, &mut event, Member::Nested(value)),
                "user_data" => crate::json::each_member(desk, value, |desk, key, member| {
                    let parent = if key == "xml_name" {
                        desk.names.child(names::SHIPPER, "user_data")
                    } else {
                        names::USER_DATA
                    };
                    let name = desk.names.child(parent, key);
                    named(desk, &mut event, name, member);
                }),
                "user" => {
                    crate::json::each_member(desk, value.clone(), |desk, key, member| {
                        if let ("identifier", Member::Plain(sid)) = (key, member) {
                            event.system(desk, names::USER_ID, sid);
                        }
                    });
                    shipper(desk, &mut event, key, Member::Nested(value));
                }
                _ => shipper(desk, &mut event, key, Member::Nested(value)),
            },
        }
    }
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_event_times_are_set_right_by_the_shippers_stamp() {
        let at = |local: &str, stamp: &str| event_time(local, Timestamp::parse(stamp)).map(|t| t.to_string());
        let utc = "2020-09-04T20:09:55Z";
        assert_eq!(at("2020-09-04 16:09:55", "2020-09-04T20:09:57.054Z").as_deref(), Some(utc));
        assert_eq!(at("2020-09-04 20:09:55", "2020-09-04T20:09:54.9Z").as_deref(), Some(utc));
        assert_eq!(at("2020-09-04 20:09:55", "2021-01-01T00:00:00Z").as_deref(), Some(utc));
        assert_eq!(at("2020-09-04T22:09:55+02:00", "2020-09-04T23:09:54Z").as_deref(), Some(utc));
        assert_eq!(at("2020-09-04 20:09:55", "").as_deref(), Some(utc));
    }
}
