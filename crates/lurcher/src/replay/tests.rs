//! Every dialect there and back: what is read of an event's text, sent or written and read again, is the same event, but
//! for its moved times. The events are made up in the shape of the real ones.

use std::{fs, path::Path};

use lurcher_readers::{Input, ReadOptions, RecordForm, read_stream, units};
use lurcher_schema::{Event, EventBatch, Timestamp};

use super::{
    envelope::{Moved, Protocol},
    order::{Item, tests::item},
    shift::{self, Known},
};

const DAY: i64 = 86_400_000_000;

const XML: &str = r#"<Event xmlns="http://schemas.microsoft.com/win/2004/08/events/event"><System><Provider Name="Microsoft-Windows-Sysmon" Guid="{5770385f-c22a-43e0-bf4c-06f5698ffbd9}"/><EventID>1</EventID><TimeCreated SystemTime="2026-01-02T03:04:05.1234567Z"/><EventRecordID>77</EventRecordID><Channel>Microsoft-Windows-Sysmon/Operational</Channel><Computer>PC1</Computer></System><EventData><Data Name="UtcTime">2026-01-02 03:04:05.123</Data><Data Name="Image">C:\a &amp; b.exe</Data><Data>first</Data></EventData></Event>"#;

/// What reads back as it was, by name. `{XML}` and `{XMLTEXT}` stand for event XML, the latter inside a JSON string.
const FIXTURES: &[(&str, &str)] = &[
    ("event XML", "{XML}"),
    ("a document of event XML", "<?xml version=\"1.0\"?>\n<Events>\n{XML}\n{XML}</Events>\n"),
    ("event XML in syslog", "<13>Jan  2 03:04:05 pc agent: {XML}\n"),
    (
        "evtx_dump",
        r##"{"Event":{"#attributes":{"xmlns":"x"},"System":{"Provider":{"#attributes":{"Name":"P"}},"EventID":1,"TimeCreated":{"#attributes":{"SystemTime":"2026-01-02T03:04:05.123456Z"}},"EventRecordID":77,"Correlation":null,"Channel":"C","Computer":"PC1"},"EventData":{"UtcTime":"2026-01-02 03:04:05.123","Image":"C:\\a & b.exe","Data":{"#text":["first",null,"third"]}}}}"##,
    ),
    (
        "named items",
        r##"{"Event":{"System":{"EventID":"1","TimeCreated":{"@SystemTime":"2026-01-02T03:04:05.1234567Z"},"Channel":"C"},"EventData":{"Data":[{"@Name":"UtcTime","#text":"2026-01-02 03:04:05.123"},{"@Name":"Image","#text":"a"}]}}}"##,
    ),
    (
        "winlogbeat 6",
        r#"{"@timestamp":"2026-01-02T03:04:05.123456Z","event_id":1,"log_name":"C","record_number":"77","level":"Information","event_data":{"Image":"a"}}"#,
    ),
    (
        "NXLog",
        r#"{"EventTime":"2026-01-02 04:04:05","EventReceivedTime":"2026-01-02 04:04:06","@timestamp":"2026-01-02T03:04:06.500Z","EventID":1,"Channel":"C","SourceName":"P","Keywords":-9223372036854775808,"SourceModuleName":"in","Image":"a"}"#,
    ),
    (
        "Azure's table of events",
        r#"{"TimeGenerated":"2026-01-02T03:04:05Z","EventID":1,"Channel":"C","EventData":"{\"UtcTime\":\"2026-01-02 03:04:05.123\",\"Image\":\"a\"}"}"#,
    ),
    ("event XML in a message", "{\"@timestamp\":\"2026-01-02T03:04:05Z\",\"message\":\"{XMLTEXT}\"}"),
    ("event XML from Splunk", "{\"_time\":\"2026-01-02T03:04:05Z\",\"sourcetype\":\"x\",\"_raw\":\"{XMLTEXT}\"}"),
    (
        "ECS",
        r#"{"@timestamp":"2026-01-02T03:04:05.678Z","event":{"kind":"event","category":["process"],"type":["start"],"created":"2026-01-02T03:04:06Z"},"agent":{"type":"endpoint"},"process":{"pid":4,"args":["a", "b"]},"n":1.0}"#,
    ),
    (
        "flat ECS",
        r#"{"@timestamp":"2026-01-02T03:04:05.678Z","event.category":"process","data_stream.dataset":"x.y","winlog.channel":"C","winlog.event_data.UtcTime":"2026-01-02 03:04:05.123"}"#,
    ),
    (
        "a hit",
        r#"{"_index":".ds-logs-a.b-default-2026.01.02-000001","_id":"1","_source":{"@timestamp":"2026-01-02T03:04:05.678Z","event":{"kind":"event"}}}"#,
    ),
    (
        "a result of Splunk's",
        r#"{"preview":false,"result":{"_time":"2026-01-02T03:04:05.000+00:00","dest":"a","process_name":"b"}}"#,
    ),
    (
        "CIM",
        r#"{"_time":"1767323045.5","sourcetype":"st","source":"s","dest":"a","process_name":"b","_raw":"no time in here"}"#,
    ),
    ("CIM in a table", "_time,dest,process_name,pid:integer\n2026-01-02T03:04:05Z,\"a,\"\"b\",c.exe,12\n"),
    (
        "OCSF",
        r#"{"class_uid":1007,"activity_id":1,"time":1767323045123,"metadata":{"version":"1.1.0"},"device":{"os":{"type":"Linux"}}}"#,
    ),
    (
        "auditd from Splunk",
        r#"{"_raw":"type=LOGIN msg=audit(1767323045.123:4): pid=1","sourcetype":"linux_audit","host":"h"}"#,
    ),
    (
        "CloudTrail",
        r#"{"Records":[{"eventVersion":"1.08","eventTime":"2026-01-02T03:04:05Z","eventSource":"iam.amazonaws.com","eventName":"CreateUser","awsRegion":"us-east-1","requestParameters":{"userName":"eve"}},{"eventVersion":"1.08","eventTime":"2026-01-02T03:04:06Z","eventSource":"iam.amazonaws.com","eventName":"DeleteUser","awsRegion":"us-east-1","requestParameters":null}]}"#,
    ),
    (
        "CloudTrail in a hit",
        r#"{"_index":"a","_source":{"Records":[{"eventVersion":"1.08","eventTime":"2026-01-02T03:04:05Z","eventSource":"iam.amazonaws.com","eventName":"CreateUser","awsRegion":"us-east-1"}]}}"#,
    ),
    (
        "Okta",
        "[\n{\"published\":\"2026-01-02T03:04:05.000Z\",\n\"eventType\":\"user.session.start\",\"actor\":{\"id\":\"1\"},\"outcome\":{\"result\":\"FAILURE\"}}\n]",
    ),
    (
        "Entra",
        r#"{"time":"2026-01-02T03:04:05Z","category":"SignInLogs","operationName":"Sign-in activity","properties":{"createdDateTime":"2026-01-02T03:04:04Z"}}"#,
    ),
    (
        "Entra from Graph",
        r#"{"createdDateTime":"2026-01-02T03:04:05Z","userPrincipalName":"a","appDisplayName":"b","status":{"errorCode":0}}"#,
    ),
    (
        "Microsoft 365",
        r#"{"CreationTime":"2026-01-02T03:04:05","Operation":"New-InboxRule","Workload":"Exchange","UserId":"a","RecordType":1}"#,
    ),
    (
        "a table of Azure's",
        r#"{"TimeGenerated":"2026-01-02T03:04:05Z","Type":"AuditLogs","TenantId":"t","Category":"c","OperationName":"o"}"#,
    ),
    (
        "GitHub",
        r#"{"action":"repo.create","_document_id":"d","@timestamp":1767323045123,"created_at":1767323045123,"actor":"a"}"#,
    ),
    (
        "Google Workspace",
        r#"{"id":{"time":"2026-01-02T03:04:05.000Z","applicationName":"login"},"actor":{"email":"a"},"events":[{"name":"x"}]}"#,
    ),
    (
        "Google Cloud",
        r#"{"protoPayload":{"methodName":"x"},"logName":"l","timestamp":"2026-01-02T03:04:05.123456789Z","receiveTimestamp":"2026-01-02T03:04:06Z"}"#,
    ),
    (
        "Google Cloud by Pub/Sub",
        r#"{"data":{"timestamp":"2026-01-02T03:04:05Z"},"attributes":{"a":"b"},"publish_time":"2026-01-02T03:04:06Z"}"#,
    ),
    (
        "Kubernetes",
        r#"{"auditID":"a","verb":"get","stage":"ResponseComplete","requestReceivedTimestamp":"2026-01-02T03:04:05.123456Z","stageTimestamp":"2026-01-02T03:04:05.2Z"}"#,
    ),
    (
        "CrowdStrike",
        r#"{"event_simpleName":"ProcessRollup2","aid":"a","timestamp":"1767323045123","event_platform":"Win"}"#,
    ),
    ("SentinelOne", r#"{"event.type":"Process Creation","src.process.name":"a","event.time":1767323045123}"#),
    ("Defender", r#"{"Timestamp":"2026-01-02T03:04:05.1234567Z","DeviceName":"a","ActionType":"ProcessCreated"}"#),
    ("journald", r#"{"__REALTIME_TIMESTAMP":"1767323045123456","MESSAGE":"m","SYSLOG_IDENTIFIER":"su"}"#),
    (
        "syslog in a table of Azure's",
        r#"{"Facility":"auth","SyslogMessage":"m","ProcessName":"su","EventTime":"2026-01-02T03:04:05Z","TimeGenerated":"2026-01-02T03:04:06Z"}"#,
    ),
    ("Suricata", r#"{"timestamp":"2026-01-02T03:04:05.123456+0000","event_type":"alert","flow_id":1}"#),
    (
        "macOS",
        r#"{"schema_version":1,"event_type":9,"event":{"exec":{}},"process":{"a":1},"time":"2026-01-02T03:04:05.123456789Z"}"#,
    ),
    (
        "OpenCanary",
        r#"{"logtype":1,"node_id":"n","src_host":"h","utc_time":"2026-01-02 03:04:05.123456","local_time":"2026-01-02 04:04:05.123456"}"#,
    ),
    ("Bitbucket", r#"{"auditType":{"action":"x"},"affectedObjects":[],"timestamp":1767323045123}"#),
    ("Zeek's JSON", r#"{"_path":"conn","ts":1767323045.123456,"uid":"C1","id.orig_h":"1.2.3.4"}"#),
    (
        "Zeek's columns",
        "#separator \\x09\n#path\tdns\n#fields\tts\tuid\ttrans_id\tquery\tTTLs\n#types\ttime\tstring\tcount\tstring\tvector[interval]\n1767323045.123456\tC1\t7\ta.example\\x2c\t1.0,2.0\n",
    ),
    ("another product", r#"{"time":"2026-01-02T03:04:05Z","a":{"b.c":[1, {"d":null}]},"e":true,"sourcetype":"st"}"#),
    ("another product, without a time", r#"{"a":"2026-01-02T03:04:05Z"}"#),
    ("syslog", "<34>1 2026-01-02T03:04:05.123Z h su 7 ID [a b=\"]\"] hello\n<34>1 - - - - - - no time\n"),
    ("old syslog", "Jan  2 03:04:05 web1 sshd[12]: Accepted x\n<86>Jan 12 03:04:05 web1 su: a: b\n"),
    ("syslog with ISO times", "2026-01-02T03:04:05.1+02:00 web1 kernel: [1.2] x\n"),
    (
        "auditd",
        "type=SYSCALL msg=audit(1767323045.123:4): arch=c000003e syscall=59\ntype=EXECVE msg=audit(1767323045.123:4): argc=1 a0=\"sh\"\ntype=PROCTITLE msg=audit(1767323045.123:4): proctitle=\"sh\"\n",
    ),
    ("auditd in syslog", "Jan  2 03:04:05 h audit: type=1300 audit(1767323045.123:4): a=1\n"),
    (
        "a web server",
        "10.0.0.1 - ada [02/Jan/2026:03:04:05 +0100] \"GET /a?b=c HTTP/1.1\" 200 512 \"-\" \"curl \\\"x\\\"\"\n",
    ),
    (
        "IIS",
        "#Software: Microsoft Internet Information Services 10.0\n#Version: 1.0\n#Date: 2026-01-02 03:00:00\n#Fields: date time c-ip cs-method\n2026-01-02 03:04:05 1.2.3.4 GET\n",
    ),
    ("IIS without dates", "#Date: 2026-01-02 03:00:00\n#Fields: time c-ip\n03:04:05 1.2.3.4\n"),
];

fn options() -> ReadOptions {
    ReadOptions { now: Timestamp::parse("2026-02-01T00:00:00Z").unwrap(), ..ReadOptions::default() }
}

fn events(text: &str) -> Vec<Event> {
    let mut events = Vec::new();
    let mut take = |batch: EventBatch| events.extend((0..batch.rows()).map(|row| batch.event(row)));
    let report = read_stream("x", &mut text.as_bytes(), &options(), &mut take);
    assert_eq!(report.errors(), 0, "{:?}", report.problems);
    events.sort_by(|a, b| a.reference.cmp(&b.reference));
    events
}

/// What makes an event: its kind, its time, its raw fields. Of a moved event the fields that are times are left out.
fn told(event: &Event, moved: bool) -> String {
    let shape: Vec<_> = event.shape.attributes().map(|(name, value)| format!("{name}={value}")).collect();
    let time = event.time.map(|time| time.0 - if moved { DAY } else { 0 });
    let mut fields: Vec<String> = event.raw.iter().map(|(name, value)| format!("{name}={value}")).collect();
    fields.sort();
    format!("{shape:?} {time:?} {fields:#?}")
}

fn items(path: &Path) -> Vec<Item> {
    let (units, _) = units(&[Input::File(path.to_owned())], &options());
    let mut items = Vec::new();
    for unit in &units {
        unit.read_originals(&options(), &mut |original| {
            let dialect = original.attribute("dialect").unwrap_or_default();
            let mut item = item(original.form, dialect, original.text);
            item.time = original.time;
            let told = |name| original.attribute(name).unwrap_or_default().to_owned();
            (item.index, item.sourcetype, item.source) = (told("index"), told("sourcetype"), told("source"));
            items.push(item);
        });
    }
    items
}

/// The lines of a file of what would be sent over HEC, with all times moved.
fn sent(items: &[Item], by: i64) -> String {
    let line = |item: &Item| {
        let known = Known { form: item.form, dialect: &item.dialect, time: item.time };
        let text = shift::moved(known, &item.text, by);
        let text = text.as_deref().unwrap_or(&item.text);
        Moved { item, text, time: item.time, index: None }.line(Protocol::Hec)
    };
    items.iter().map(line).collect()
}

fn fixture(text: &str) -> String {
    let xml_text = serde_json::Value::from(XML).to_string();
    text.replace("{XMLTEXT}", xml_text.trim_matches('"')).replace("{XML}", XML)
}

#[test]
fn every_dialect_reads_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in FIXTURES {
        let text = fixture(text);
        let path = folder.path().join("x");
        fs::write(&path, &text).unwrap();
        let before: Vec<String> = events(&text).iter().map(|event| told(event, false)).collect();
        assert!(!before.is_empty(), "{name}");
        let after: Vec<String> = events(&sent(&items(&path), 0)).iter().map(|event| told(event, false)).collect();
        assert_eq!(after, before, "{name}");
    }
}

/// The dates of the fixtures, a day on.
fn a_day_later(text: &str) -> String {
    text.replace("17673230", "17674094").replace("2026-01-02", "2026-01-03")
}

#[test]
fn every_dialect_moves_its_times_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in FIXTURES {
        let text = fixture(text);
        let path = folder.path().join("x");
        fs::write(&path, &text).unwrap();
        let is_line = items(&path).iter().any(|item| item.form == RecordForm::Line);
        // What is no time: the member of the one document without any.
        let keeps = |line: String| if name.contains("without a time") { line } else { a_day_later(&line) };
        let before: Vec<_> =
            events(&text).iter().map(|event| keeps(told(event, false)).replace("02/Jan", "03/Jan")).collect();
        let after: Vec<String> = events(&sent(&items(&path), DAY)).iter().map(|event| told(event, false)).collect();
        let times = |events: &[Event]| events.iter().map(|event| event.time).collect::<Vec<_>>();
        let moved: Vec<_> = times(&events(&text)).into_iter().map(|t| t.map(|t| Timestamp(t.0 + DAY))).collect();
        assert_eq!(times(&events(&sent(&items(&path), DAY))), moved, "{name}");
        // The event's own time in the text of the comparison is in microseconds, which the day changes elsewhere.
        let bare = |text: &String| {
            text.split_once("] ").map(|(shape, rest)| (shape.to_owned(), rest.split_once(' ').map(|r| r.1.to_owned())))
        };
        assert_eq!(
            after.iter().map(bare).collect::<Vec<_>>(),
            before.iter().map(bare).collect::<Vec<_>>(),
            "{name} {is_line}"
        );
    }
}

/// `_bulk` carries documents: event XML stands in a message, which the readers take it out of.
#[test]
fn event_xml_reads_back_from_a_document() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    fs::write(&path, XML).unwrap();
    let lines: String = items(&path)
        .iter()
        .map(|item| Moved { item, text: &item.text, time: item.time, index: None }.line(Protocol::Bulk))
        .collect();
    assert_eq!(told(&events(&lines)[0], false), told(&events(XML)[0], false));
}

/// A stream of Zeek's that its columns do not tell is told by a member more.
#[test]
fn streams_of_zeek_keep_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let text = "#separator \\x09\n#path\tweird\n#fields\tts\tname\n#types\ttime\tstring\n1767323045.5\tx\n";
    fs::write(&path, text).unwrap();
    let after = events(&sent(&items(&path), 0));
    assert_eq!(after[0].shape.attribute("stream"), Some("weird"));
    assert_eq!(after[0].raw.to_json().to_string(), r#"{"_path":"weird","ts":1767323045.5,"name":"x"}"#);
}
