//! One event in every form that it can come in, and inputs that are damaged in every way: what is read, and what is
//! said about the rest. The events are made up.

#![allow(clippy::unwrap_used)] // A fixture that cannot be written fails the test.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use lurcher_readers::{Gravity, Input, ReadOptions, Report, discover, read, read_one, units};
use lurcher_schema::Event;
use tempfile::TempDir;

const XML: &str = r#"<Event xmlns="http://schemas.microsoft.com/win/2004/08/events/event"><System><Provider Name="Microsoft-Windows-Sysmon" Guid="{5770385f-c22a-43e0-bf4c-06f5698ffbd9}"/><EventID>1</EventID><Level>4</Level><Keywords>0x8000000000000000</Keywords><TimeCreated SystemTime="2026-01-02T03:04:05.1234567Z"/><EventRecordID>77</EventRecordID><Execution ProcessID="12" ThreadID="34"/><Channel>Microsoft-Windows-Sysmon/Operational</Channel><Computer>PC1</Computer><Security UserID="S-1-5-18"/></System><EventData><Data Name="RuleName"></Data><Data Name="ProcessGuid">{0197231e-5d9c-6929-4111-000000000d00}</Data><Data Name="Image">C:\Tools\a &amp; b.exe</Data><Data Name="CommandLine">"a" &lt;b&gt; &#xe9; </Data><Data>first</Data><Data></Data><Data>third</Data></EventData></Event>"#;

const DUMP: &str = r##"{"Event":{"#attributes":{"xmlns":"x"},"System":{"Provider":{"#attributes":{"Name":"Microsoft-Windows-Sysmon","Guid":"5770385F-C22A-43E0-BF4C-06F5698FFBD9"}},"EventID":1,"Level":4,"Keywords":"0x8000000000000000","TimeCreated":{"#attributes":{"SystemTime":"2026-01-02T03:04:05.123456Z"}},"EventRecordID":77,"Correlation":null,"Execution":{"#attributes":{"ProcessID":12,"ThreadID":34}},"Channel":"Microsoft-Windows-Sysmon/Operational","Computer":"PC1","Security":{"#attributes":{"UserID":"S-1-5-18"}}},"EventData":{"RuleName":"","ProcessGuid":"0197231E-5D9C-6929-4111-000000000D00","Image":"C:\\Tools\\a & b.exe","CommandLine":"\"a\" <b> \u00e9 ","Data":{"#text":["first",null,"third"]}}}}"##;

/// The same as another converter writes it.
const AT_SIGNS: &str = r##"{"Event":{"@xmlns":"x","System":{"Provider":{"@Name":"Microsoft-Windows-Sysmon","@Guid":"{5770385f-c22a-43e0-bf4c-06f5698ffbd9}"},"EventID":"1","Level":"4","Keywords":"0x8000000000000000","TimeCreated":{"@SystemTime":"2026-01-02T03:04:05.1234567Z"},"EventRecordID":"77","Execution":{"@ProcessID":"12","@ThreadID":"34"},"Channel":"Microsoft-Windows-Sysmon/Operational","Computer":"PC1","Security":{"@UserID":"S-1-5-18"}},"EventData":{"Data":[{"@Name":"RuleName"},{"@Name":"ProcessGuid","#text":"{0197231e-5d9c-6929-4111-000000000d00}"},{"@Name":"Image","#text":"C:\\Tools\\a & b.exe"},{"@Name":"CommandLine","#text":"\"a\" <b> é "},"first",null,"third"]}}}"##;

const BEAT: &str = r#"{"@timestamp":"2026-01-02T03:04:05.123456Z","event_id":1,"log_name":"Microsoft-Windows-Sysmon/Operational","source_name":"Microsoft-Windows-Sysmon","provider_guid":"{5770385f-c22a-43e0-bf4c-06f5698ffbd9}","computer_name":"PC1","record_number":"77","process_id":12,"thread_id":34,"level":"Information","user":{"identifier":"S-1-5-18","name":"SYSTEM"},"event_data":{"ProcessGuid":"{0197231e-5d9c-6929-4111-000000000d00}","Image":"C:\\Tools\\a & b.exe","CommandLine":"\"a\" <b> é ","param1":"first","param3":"third"}}"#;

const FLAT: &str = r#"{"EventTime":"2026-01-02 04:04:05","EventReceivedTime":"2026-01-02 04:04:06","@timestamp":"2026-01-02T03:04:06.500Z","EventID":1,"Channel":"Microsoft-Windows-Sysmon/Operational","SourceName":"Microsoft-Windows-Sysmon","ProviderGuid":"{5770385f-c22a-43e0-bf4c-06f5698ffbd9}","Hostname":"PC1","RecordNumber":77,"ExecutionProcessID":12,"ThreadID":34,"Keywords":-9223372036854775808,"SeverityValue":2,"Severity":"INFO","Domain":"NT AUTHORITY","AccountName":"SYSTEM","AccountType":"User","UserID":"S-1-5-18","EventType":"INFO","Opcode":"Info","ProcessGuid":"{0197231e-5d9c-6929-4111-000000000d00}","Image":"C:\\Tools\\a & b.exe","CommandLine":"\"a\" <b> é ","ProcessId":"5"}"#;

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

fn read_with(path: &Path, options: &ReadOptions) -> (Vec<Event>, Report) {
    let mut events = Vec::new();
    let report = read(&Input::File(path.to_owned()), options, &mut |batch| {
        events.extend((0..batch.rows()).map(|row| batch.event(row)));
    });
    events.sort_by(|a, b| a.reference.cmp(&b.reference));
    assert_eq!(report.events, events.len() as u64);
    (events, report)
}

fn read_bytes(bytes: impl AsRef<[u8]>) -> (Vec<Event>, Report) {
    let folder = Folder::new();
    read_with(&folder.write("input", bytes), &ReadOptions::default())
}

fn one(bytes: impl AsRef<[u8]>) -> Event {
    let (mut events, report) = read_bytes(bytes);
    assert_eq!((events.len(), report.errors()), (1, 0), "{:?}", report.problems);
    events.remove(0)
}

fn field(event: &Event, name: &str) -> String {
    event.raw.get(name).map(ToString::to_string).unwrap_or_default()
}

fn records(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.reference.record).collect()
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

/// Raw fields in order of name, without what only the shipper added.
fn fields(event: &Event) -> Vec<String> {
    let mut fields: Vec<String> = event.raw.iter().map(|(name, value)| format!("{name} = {value:?}")).collect();
    fields.retain(|field| !field.starts_with("Shipper."));
    fields.sort();
    fields
}

#[test]
fn data_that_the_shipper_left_out_is_read_from_the_message() {
    let record = r#"{"@timestamp":"2026-01-02T03:04:06.500Z","EventID":20,"Channel":"Microsoft-Windows-Sysmon/Operational","SourceName":"Microsoft-Windows-Sysmon","Hostname":"PC1","RecordNumber":78,"SourceModuleType":"im_msvistalog","EventType":"WmiConsumerEvent","Message":"WmiEventConsumer activity detected:\r\nRuleName: -\r\nEventType: WmiConsumerEvent\r\nUtcTime: 2026-01-02 03:04:05.123\r\nOperation: Created\r\nUser: CORP\\ann\r\nDestination: \"if x\r\n  y = 1\r\nend if\""}"#;
    let event = one(record);
    let text = |name: &str| event.raw.get(name).map(ToString::to_string).unwrap_or_default();
    assert_eq!(text("EventData.User"), "CORP\\ann");
    assert_eq!(text("EventData.Operation"), "Created");
    assert_eq!(text("EventData.Destination"), "\"if x\r\n  y = 1\r\nend if\"");
    let told = record.replace("\"EventID\":20", "\"UtcTime\":\"2026-01-02 03:04:05.123\",\"EventID\":20");
    assert_eq!(one(told).raw.get("EventData.User"), None, "data that is there is not read a second time");
}

#[test]
fn an_event_is_the_same_in_every_form() {
    let event = one(XML);
    assert_eq!(
        event.shape.attributes().collect::<Vec<_>>(),
        [
            ("channel", "Microsoft-Windows-Sysmon/Operational"),
            ("dialect", "windows"),
            ("event_id", "1"),
            ("provider", "Microsoft-Windows-Sysmon")
        ]
    );
    assert_eq!(event.time.map(|t| t.to_string()).as_deref(), Some("2026-01-02T03:04:05.123456Z"));
    assert_eq!(event.reference.record, 77);
    for (name, value) in [
        ("EventData.Image", r"C:\Tools\a & b.exe"),
        ("EventData.CommandLine", "\"a\" <b> é "),
        ("EventData.param1", "first"),
        ("EventData.param2", ""),
        ("EventData.param3", "third"),
        ("EventData.RuleName", ""),
        ("Execution_ThreadID", "34"),
    ] {
        assert_eq!(field(&event, name), value, "{name}");
    }
    for (form, text) in [
        ("evtx_dump", DUMP.to_owned()),
        ("attributes behind @", AT_SIGNS.to_owned()),
        ("a document of events", format!("<?xml version='1.0'?>\n<Events>\n{XML}\n</Events>")),
        ("pretty-printed", XML.replace("><", ">\n  <").replace(">\n  </Data>", "></Data>")),
        ("behind a syslog header", format!("<13>Jan  2 03:04:05 PC1 agent: {XML}\r\n")),
        ("in _raw", serde_json::json!({"result": {"_raw": XML, "sourcetype": "XmlWinEventLog"}}).to_string()),
        ("in _raw as JSON", serde_json::json!({"_raw": DUMP, "host": "x"}).to_string()),
        ("in a syslog record", serde_json::json!({"Facility": "user", "SyslogMessage": XML}).to_string()),
    ] {
        assert_eq!(fields(&one(&text)), fields(&event), "{form}");
    }
}

#[test]
fn shippers_forms_have_the_same_data_and_keep_their_own_apart() {
    let event = one(XML);
    let beat = one(BEAT);
    for (name, value) in event.raw.iter().filter(|(name, _)| !["Level", "Keywords"].contains(&name.as_ref())) {
        assert_eq!(beat.raw.get(name), Some(value), "{name}");
    }
    assert_eq!(field(&beat, "Shipper.user.name"), "SYSTEM");
    assert_eq!(beat.shape, event.shape);
    let flat = one(FLAT);
    assert_eq!(flat.shape, event.shape);
    for (name, value) in [
        ("EventData.Image", r"C:\Tools\a & b.exe"),
        ("EventData.ProcessId", "5"),
        ("Keywords", "0x8000000000000000"),
        ("Security_UserID", "S-1-5-18"),
        ("Shipper.AccountName", "SYSTEM"),
        ("Shipper.EventType", "INFO"),
        ("TimeCreated", "2026-01-02T03:04:05Z"),
    ] {
        assert_eq!(field(&flat, name), value, "{name}");
    }
}

#[test]
fn data_in_user_data_and_repeated_names_are_kept() {
    let event = one(
        "<Event><System><EventID>2</EventID></System><UserData><Rule xmlns='y'><Name>a</Name><In><Port>1</Port></In>\
         </Rule></UserData><RenderingInfo><Message>Hello</Message></RenderingInfo></Event>",
    );
    assert_eq!(
        fields(&event),
        [
            r#"EventID = Text("2")"#,
            r#"Message = Text("Hello")"#,
            r#"UserData.In.Port = Text("1")"#,
            r#"UserData.Name = Text("a")"#
        ]
    );
    let event =
        one("<Event><System><EventID>3</EventID></System><EventData><Data Name='G'>1</Data><Data Name='G'>2</Data>\
         <Binary>0A</Binary></EventData></Event>");
    assert_eq!(
        fields(&event)[..3],
        [r#"EventData.Binary = Text("0A")"#, r#"EventData.G = Text("1")"#, r#"EventData.G_1 = Text("2")"#]
    );
}

#[test]
fn documents_of_other_dialects_keep_their_paths_and_types() {
    let event = one(
        r#"{"_index":".ds-logs-endpoint.events.process-default-2026.01.31-000001","_source":{"@timestamp":"2026-01-02T03:04:05Z","event":{"category":["process"],"dataset":"endpoint.events.process","module":"endpoint"},"process":{"pid":4,"args":["a","b"]},"x":[{"y":1}],"z":null}}"#,
    );
    let attributes: Vec<_> = event.shape.attributes().collect();
    assert_eq!(
        attributes,
        [
            ("category", "process"),
            ("dataset", "endpoint.events.process"),
            ("dialect", "ecs"),
            ("index", "logs-endpoint.events.process-default"),
            ("module", "endpoint")
        ]
    );
    let raw = event.raw.to_json();
    assert_eq!(raw["process.pid"], 4);
    assert_eq!(raw["process.args"], serde_json::json!(["a", "b"]));
    assert_eq!(raw["x"], serde_json::json!([{"y": 1}]));
    assert!(raw.get("z").is_none());

    let event = one(
        r#"{"@timestamp":"2026-01-02T03:04:05Z","agent":{"type":"winlogbeat"},"winlog":{"channel":"Security","event_id":"4688","provider_name":"P"}}"#,
    );
    assert_eq!(event.shape.attribute("index"), Some("winlogbeat-default"));
    assert_eq!(event.shape.attribute("event_id"), Some("4688"));

    let event = one(r#"{"class_uid":1007,"metadata":{"version":"1.1.0"},"time":1767323045000}"#);
    assert_eq!(event.shape.attribute("class_uid"), Some("1007"));
    assert_eq!(event.time.map(|t| t.to_string()).as_deref(), Some("2026-01-02T03:04:05Z"));

    let event = one("_time,dest,process_name,sourcetype\n1767323045.5,PC1,a.exe,s\n");
    assert_eq!((event.shape.dialect(), event.shape.attribute("sourcetype")), ("cim", Some("s")));
    assert_eq!(event.time.map(|t| t.to_string()).as_deref(), Some("2026-01-02T03:04:05.500Z"));

    let (events, report) = read_bytes("{\"ts\":1767323045,\"uid\":\"x\"}\n{\"ts\":1}\n");
    assert_eq!(events[0].shape.dialect(), "unknown");
    let notes: Vec<_> = report.problems.iter().map(|p| (p.code, p.gravity, p.count)).collect();
    assert_eq!(notes, [("unknown-dialect", Gravity::Note, 1)]);
}

/// As the HTTP Event Collector keeps an event that is an object: Splunk's search finds it by its host, its index and its
/// indexed fields, too, and its time is the one that the sender gave.
#[test]
fn what_splunk_says_beside_json_in_raw_is_kept() {
    let wrap = |raw: &str| {
        serde_json::json!({"_raw": raw, "_time": 1_767_323_045.5, "host": "h1", "source": "s", "sourcetype": "st", "index": "main",
            "color": "yellow", "n": [1, 2], "a": "outer", "_cd": "1:2", "items{}.x": "y"})
        .to_string()
    };
    let event = one(wrap(r#"{"a":1,"log_level":"INFO"}"#));
    assert_eq!(event.time.map(|t| t.to_string()).as_deref(), Some("2026-01-02T03:04:05.500Z"));
    assert_eq!(
        event.raw.to_json(),
        serde_json::json!({"a": 1, "log_level": "INFO", "host": "h1", "source": "s", "sourcetype": "st", "index": "main",
            "color": "yellow", "n": [1, 2]})
    );
    let attributes: Vec<_> = event.shape.attributes().collect();
    assert_eq!(attributes, [("dialect", "unknown"), ("source", "s"), ("sourcetype", "st")]);

    // A document in a known dialect keeps its own time, and its own meaning of Splunk's names.
    let event = one(wrap(r#"{"@timestamp":"2026-02-03T04:05:06Z","ecs":{"version":"8"},"event":{"kind":"event"}}"#));
    assert_eq!(event.time.map(|t| t.to_string()).as_deref(), Some("2026-02-03T04:05:06Z"));
    assert_eq!((field(&event, "host"), field(&event, "color")), (String::new(), "yellow".to_owned()));
    let event = one(wrap(r#"{"ecs":{"version":"8"},"@timestamp":null,"event":{"kind":"event"}}"#));
    assert_eq!(event.time.map(|t| t.to_string()).as_deref(), Some("2026-01-02T03:04:05.500Z"));

    // An object is not given a text of the same name.
    let event = one(wrap(r#"{"host":{"name":"inner"}}"#));
    assert_eq!((field(&event, "host"), field(&event, "host.name")), (String::new(), "inner".to_owned()));

    // Each of several events that one holds.
    let folder = Folder::new();
    let path = folder.write("input", wrap(r#"{"Records":[{"b":1},{"b":2,"host":"own"}]}"#));
    let (events, _) = read_with(&path, &ReadOptions::default());
    let hosts: Vec<String> = events.iter().map(|event| field(event, "host")).collect();
    assert_eq!(hosts, ["h1", "own"]);
    let mut texts = Vec::new();
    for unit in units(&[Input::File(path)], &ReadOptions::default()).0 {
        unit.read_originals(&ReadOptions::default(), &mut |original| texts.push(original.text.to_owned()));
    }
    assert_eq!(texts.len(), 2);
    for (text, event) in texts.iter().zip(&events) {
        let again = one(text);
        assert_eq!((fields(&again), again.time), (fields(event), event.time), "{text}");
    }
}

#[test]
fn records_are_lines_indices_and_rows() {
    let (events, _) = read_bytes("{\"a\":1}\n\n{\"a\":2}\r\n");
    assert_eq!(records(&events), [1, 3]);
    let (events, _) = read_bytes("[{\"a\":1},\n {\"a\":2}\n]");
    assert_eq!(records(&events), [0, 1]);
    let (events, _) = read_bytes("{\n \"a\":1}\n{\n \"a\":2}{\"a\":3}");
    assert_eq!(records(&events), [0, 1, 2]);
    let (events, _) = read_bytes("no:integer,name:keyword\n1,a\n,b\n");
    assert_eq!(records(&events), [1, 2]);
    assert_eq!(events[0].raw.to_json(), serde_json::json!({"no": 1, "name": "a"}));
}

#[test]
fn containers_are_opened_however_they_are_called() {
    let zip = |members: &[(&str, &[u8])]| {
        let mut out = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, bytes) in members {
            out.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            out.write_all(bytes).unwrap();
        }
        out.finish().unwrap().into_inner()
    };
    let tar = |name: &str, bytes: &[u8]| {
        let mut out = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        out.append_data(&mut header, name, bytes).unwrap();
        out.into_inner().unwrap()
    };
    let mut bz2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bz2.write_all(DUMP.as_bytes()).unwrap();
    let utf16: Vec<u8> = format!("\u{feff}{XML}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let folder = Folder::new();
    let expected = fields(&one(XML));
    for (name, bytes, member) in [
        ("gz", gz(DUMP.as_bytes()), ""),
        ("zst", zstd::encode_all(DUMP.as_bytes(), 1).unwrap(), ""),
        ("bz2", bz2.finish().unwrap(), ""),
        ("utf16", utf16, ""),
        ("bom", [b"\xef\xbb\xbf", DUMP.as_bytes()].concat(), ""),
        ("tar.gz", gz(&tar("f/x.json", DUMP.as_bytes())), "!f/x.json"),
        ("zip", zip(&[("f/x.json", DUMP.as_bytes()), ("v.mp4", b"\0\0\0\x18ftypmp42")]), "!f/x.json"),
        ("nested", gz(&zip(&[("in.zip", &zip(&[("x", &gz(XML.as_bytes()))]))])), "!in.zip!x"),
    ] {
        let path = folder.write(name, bytes);
        let (events, report) = read_with(&path, &ReadOptions::default());
        assert_eq!((events.len(), report.errors()), (1, 0), "{name}: {:?}", report.problems);
        assert_eq!(fields(&events[0]), expected, "{name}");
        assert_eq!(events[0].reference.origin.path, format!("{}{member}", path.display()));
        if name == "zip" {
            assert_eq!(report.skipped[0].reason, "video (MP4)");
        }
    }
    let path = folder.write("cut.gz", &gz(DUMP.repeat(50).as_bytes())[..200]);
    let (_, report) = read_with(&path, &ReadOptions::default());
    assert_eq!(report.problems.iter().map(|p| (p.code, p.count)).collect::<Vec<_>>(), [("input-cut-off", 1)]);
}

#[test]
fn damage_is_named_and_costs_only_itself() {
    let codes = |report: &Report| {
        report
            .problems
            .iter()
            .filter(|p| p.gravity != Gravity::Note)
            .map(|p| (p.code, p.place.clone()))
            .collect::<Vec<_>>()
    };
    let place = |text: &str| text.to_owned();

    let (events, report) = read_bytes("{\"a\":1}\n{\"a\":\n{\"a\":3}\nnot json\n{\"a\":5}");
    assert_eq!(records(&events), [1, 3, 5]);
    assert_eq!(codes(&report), [("json-syntax", place("line 2")), ("json-syntax", place("line 4"))]);

    let (events, report) = read_bytes(b"{\"a\":\"\xff\"}\n{\"a\":\"b\"}\n");
    assert_eq!(field(&events[0], "a"), "\u{fffd}");
    assert_eq!(codes(&report), [("not-utf8", place("line 1"))]);
    assert_eq!(report.errors(), 0);

    let (events, report) = read_bytes("[\n{\"a\":1},\n{\"a\":[},\n{\"a\":3}\n]");
    assert_eq!(events.iter().map(|e| field(e, "a")).collect::<Vec<_>>(), ["1", "3"]);
    assert_eq!(codes(&report), [("json-syntax", place("byte 11"))]);

    let cut = &XML[..XML.len() - 30];
    let (events, report) = read_bytes(format!("{cut}\n{XML}\n{cut}"));
    assert_eq!(events.len(), 1);
    assert_eq!(report.errors(), 2, "{:?}", report.problems);

    let (_, report) = read_bytes("");
    assert_eq!(codes(&report), [("empty-input", place(""))]);

    let (events, report) = read_bytes("{".repeat(500_000));
    assert_eq!((events.len(), report.errors()), (0, 1));

    let (events, report) = read_bytes("Jan  1 00:00:00 host app: text\nmore\n");
    assert_eq!((events.len(), report.errors()), (0, 0));
    assert_eq!((report.skipped[0].reason.as_str(), report.skipped[0].lines), ("unrecognised format (text)", 2));
}

#[test]
fn a_line_over_the_limit_is_left_out() {
    let folder = Folder::new();
    let path = folder.write("lines", format!("{{\"a\":1}}\n{{\"a\":\"{}\"}}\n{{\"a\":3}}\n", "x".repeat(1 << 20)));
    let (events, report) = read_with(&path, &ReadOptions { max_line: 1000, ..ReadOptions::default() });
    assert_eq!(records(&events), [1, 3]);
    assert!(report.problems.iter().any(|p| (p.code, p.place.as_str()) == ("line-too-long", "line 2")));
}

/// How a file is cut changes neither its events nor their numbers.
#[test]
fn pieces_make_the_whole() {
    let folder = Folder::new();
    let line = |n: usize| format!("{{\"n\":{n},\"t\":\"{}\"}}\n{}", "x".repeat(n % 97), "\n".repeat(n % 3));
    let lines = (0..9000).map(line).collect::<Vec<_>>().concat();
    let events = format!("{XML}\n").repeat(600);
    for (name, text) in [("lines", lines), ("xml", events)] {
        let path = folder.write(name, text);
        let whole = read_with(&path, &ReadOptions::default());
        let cut = ReadOptions { piece_bytes: 65536, batch_rows: 7, ..ReadOptions::default() };
        assert!(units(&[Input::File(path.clone())], &cut).0.len() > 5);
        let pieces = read_with(&path, &cut);
        let numbers = |(events, _): &(Vec<Event>, Report)| {
            events.iter().map(|e| (e.reference.ordinal, e.reference.record, e.raw.clone())).collect::<Vec<_>>()
        };
        assert!(numbers(&whole) == numbers(&pieces), "{name}");
    }
}

#[test]
fn single_events_are_found_by_record() {
    let folder = Folder::new();
    let path = folder.write("x", format!("{DUMP}\n{BEAT}\n"));
    let (events, _) = read_one(&Input::File(path), None, 2, &ReadOptions::default());
    assert_eq!(events.len(), 1);
    assert_eq!(field(&events[0], "Shipper.level"), "Information");
}

#[test]
fn unwanted_columns_are_left_out_when_asked() {
    let folder = Folder::new();
    let path = folder.write("x", DUMP);
    let options = ReadOptions {
        columns: Some(std::sync::Arc::new(|name: &str| name == "EventData.Image")),
        ..ReadOptions::default()
    };
    let (events, _) = read_with(&path, &options);
    assert_eq!(fields(&events[0]), [r#"EventData.Image = Text("C:\\Tools\\a & b.exe")"#]);
    assert_eq!(events[0].shape.attribute("event_id"), Some("1"));
}

#[test]
fn a_folder_with_a_bad_file_is_read_but_for_it() {
    let folder = Folder::new();
    folder.write("a.json", DUMP);
    folder.write("b.evtx", b"ElfFile\0 and then nothing");
    folder.write("c.zip", b"PK\x03\x04 broken");
    let found = discover(&[folder.0.path().to_string_lossy()]);
    let (units, mut report) = units(&found.inputs, &ReadOptions::default());
    for unit in &units {
        report.merge(unit.read(&ReadOptions::default(), &mut |_| {}));
    }
    assert_eq!(report.events, 1);
    assert_eq!(report.damaged().len(), 2);
}

/// Gzip within gzip within zip: a few thousand bytes that would be gigabytes.
#[test]
fn an_input_that_unpacks_without_end_is_given_up() {
    let folder = Folder::new();
    let options = ReadOptions { max_unpacked: 1 << 20, max_ratio: 20, max_members: 100, ..ReadOptions::default() };
    let zeros = gz(&vec![b'a'; 8 << 20]);
    let path = folder.write("bomb", gz(&zeros));
    let (events, report) = read_with(&path, &options);
    assert!(events.is_empty());
    assert_eq!(report.problems.iter().map(|p| (p.code, p.count)).collect::<Vec<_>>(), [("input-cut-off", 1)]);
    assert!(report.problems[0].message.contains("unpacks to more than"), "{:?}", report.problems);

    let mut archive = tar::Builder::new(Vec::new());
    for index in 0..200 {
        let mut header = tar::Header::new_gnu();
        header.set_size(0);
        header.set_cksum();
        archive.append_data(&mut header, format!("{index}"), &b""[..]).unwrap();
    }
    let path = folder.write("many.tar", archive.into_inner().unwrap());
    let (_, report) = read_with(&path, &options);
    assert!(report.problems.iter().any(|p| p.code == "archive-too-large"), "{:?}", report.problems);
}

#[test]
fn the_note_on_unknown_dialects_is_for_those_without_a_pack() {
    let read = |unknown_is_mapped| {
        let folder = Folder::new();
        let options = ReadOptions { unknown_is_mapped, ..ReadOptions::default() };
        read_with(&folder.write("x", r#"{"app":"vault"}"#), &options).1.problems.len()
    };
    assert_eq!((read(false), read(true)), (1, 0));
}
