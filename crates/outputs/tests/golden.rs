//! The wire shapes, as they stand: a change here is a change for everybody who reads our output.

use std::{path::PathBuf, sync::Arc};

use insta::assert_snapshot;
use lurcher_engine::{Alert, AlertEntity, Detail, Match};
use lurcher_ir::{
    AlertKind, Case, Entity, EntityRole, EntityType, FieldRef, Limit, Message, Predicate, Rule, RuleBody, RuleMeta,
    Severity, Sources, Support, Tail, Test, Threat,
};
use lurcher_outputs::{
    Format, Settings, SplunkEdition, Writer,
    answers::{self, Answer},
};
use lurcher_schema::{Event, EventRef, Object, Origin, Schemas, Shape, Taxonomy, Timestamp, Value};

/// The built-in packs, and those for the events of these tests.
fn schemas() -> Arc<Schemas> {
    let packs = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/packs");
    let (schemas, diagnostics) = Schemas::with_packs(&[packs]);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    schemas
}

fn event(record: u64, at: &str, image: &str, command_line: &str) -> Event {
    let fields =
        [("Code", "1"), ("At", at), ("Host", "PC-7"), ("User", "ada"), ("Image", image), ("CommandLine", command_line)];
    Event {
        shape: Shape::new([("dialect", "golden")]),
        reference: EventRef { origin: Origin::new("monday.jsonl"), ordinal: record, record },
        time: Timestamp::parse(at),
        raw: fields.into_iter().map(|(name, value)| (Arc::from(name), Value::text(value))).collect(),
    }
}

fn download() -> Event {
    let line = r"bitsadmin /transfer job http://files.example/a.exe C:\Temp\a.exe";
    event(7, "2026-03-02T08:15:30.250Z", r"C:\Windows\System32\bitsadmin.exe", line)
}

fn start() -> Event {
    event(9, "2026-03-02T08:16:02Z", r"C:\Temp\a.exe", r"C:\Temp\a.exe -q <script>alert('1')</script>")
}

fn meta(vendor: &'static str, language: &'static str, name: &str) -> RuleMeta {
    let threat = |tactic: (&str, &str), techniques: &[(&str, &str)]| Threat {
        framework: "MITRE ATT&CK".to_owned(),
        tactic: (tactic.0.to_owned(), tactic.1.to_owned()),
        techniques: techniques.iter().map(|(id, name)| ((*id).to_owned(), (*name).to_owned())).collect(),
    };
    RuleMeta {
        id: format!("{vendor}-1").into(),
        name: name.to_owned(),
        vendor,
        language,
        kind: if vendor == "splunk" { "TTP" } else { "eql" }.to_owned(),
        path: format!("rules/{vendor}"),
        version: "3".to_owned(),
        description: "Looks for a download by an odd program.".to_owned(),
        severity: Severity::High,
        risk_score: 73.0,
        message: Message { template: "$process_name$ fetched a file".to_owned() },
        threats: vec![
            threat(("TA0003", "Persistence"), &[("T1197", "BITS Jobs")]),
            threat(("TA0002", "Execution"), &[("T1059", "Interpreter"), ("T1059.001", "PowerShell")]),
        ],
        stories: vec!["BITS Jobs".to_owned()],
        kill_chain: vec!["Installation".to_owned()],
        platforms: vec!["endpoint".to_owned()],
        sources: Sources::Indices(vec!["logs-*".to_owned()]),
        entities: vec![Entity {
            field: "dest".to_owned(),
            kind: EntityType::System,
            role: EntityRole::Victim,
            score: None,
        }],
        ..RuleMeta::default()
    }
}

fn rule(meta: RuleMeta) -> Arc<Rule> {
    let field = |path: &str| FieldRef::new(Taxonomy::Ecs, path);
    let filter = Predicate::all([
        Predicate::test(field("event.category"), Test::equals_text("process", Case::Sensitive)),
        Predicate::test(field("process.name"), Test::equals_text("bitsadmin.exe", Case::Insensitive)),
        Predicate::test(field("process.command_line"), Test::Contains("transfer".into(), Case::Insensitive)),
    ]);
    let body = RuleBody { filters: vec![filter], tail: Tail::Events { limits: Vec::new() } };
    Arc::new(Rule { meta, body: Some(body), support: Support::default() })
}

fn alert(id: &str, rule: &Arc<Rule>, events: Vec<Option<Event>>) -> Alert {
    let entity = |field: &str, value: &str, kind, role| AlertEntity {
        field: field.to_owned(),
        value: value.to_owned(),
        kind,
        role,
        score: None,
    };
    Alert {
        id: id.to_owned(),
        rule: Arc::clone(rule),
        name: rule.meta.name.clone(),
        time: events.iter().flatten().filter_map(|event| event.time).max(),
        kind: AlertKind::Finding,
        severity: rule.meta.severity,
        risk_score: rule.meta.risk_score,
        message: "bitsadmin.exe fetched a file on PC-7".to_owned(),
        entities: vec![
            entity("dest", "PC-7", EntityType::System, EntityRole::Victim),
            entity("process_name", "bitsadmin.exe", EntityType::Process, EntityRole::Attacker),
        ],
        event_count: events.iter().flatten().count() as u64,
        events,
        join_keys: Vec::new(),
        values: Object::default(),
        suppressed: 0,
        suppression: None,
        detail: Detail::None,
        detected: None,
    }
}

fn single() -> Alert {
    alert("a1", &rule(meta("splunk", "spl2", "Odd Download")), vec![Some(download())])
}

fn sequence() -> Alert {
    let rule = rule(RuleMeta { severity: Severity::Critical, ..meta("elastic", "eql", "Download, Then Start") });
    alert("a2", &rule, vec![Some(download()), None, Some(start())])
}

fn written(format: Format, settings: Settings, alerts: &[Alert]) -> String {
    let schemas = schemas();
    let out = Writer::new(Vec::new(), format, settings, &schemas).write_all(alerts).expect("a vector takes all");
    String::from_utf8(out).expect("UTF-8")
}

/// JSON lines, spread out to be read.
fn spread(lines: &str) -> String {
    let values = serde_json::Deserializer::from_str(lines).into_iter::<serde_json::Value>();
    let pretty = values.map(|value| serde_json::to_string_pretty(&value.expect("JSON")).expect("JSON"));
    pretty.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_native_line_has_its_members_in_order() {
    let mut alert = single();
    alert.values.insert("count", Value::Int(2));
    let text = written(Format::Jsonl, Settings::default(), &[alert]);
    assert!(
        text.starts_with(r#"{"id":"a1","time":"2026-03-02T08:15:30.250Z","kind":"finding","rule":{"id":"splunk-1","#)
    );
    assert_eq!(text.lines().count(), 1);
    assert_snapshot!(spread(&text));
}

#[test]
fn a_sequence_s_line_leaves_absent_events_out() {
    let text = written(Format::Jsonl, Settings::default(), &[sequence()]);
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let records: Vec<_> = json["events"].as_array().expect("events").iter().map(|e| e["record"].as_str()).collect();
    assert_eq!(records, [Some("7"), Some("9")]);
    assert_eq!(json["event_count"], 2);
}

#[test]
fn the_table_is_grouped_by_severity() {
    let mut many: Vec<Alert> = (0..7).map(|i| Alert { id: format!("m{i}"), ..single() }).collect();
    many.push(sequence());
    assert_snapshot!(written(Format::Table, Settings { per_rule: 2, ..Settings::default() }, &many));
}

#[test]
fn an_empty_table_says_so() {
    assert_eq!(written(Format::Table, Settings::default(), &[]), "No alerts.\n");
}

#[test]
fn csv_has_a_row_for_each_alert() {
    assert_snapshot!(written(Format::Csv, Settings::default(), &[single(), sequence()]));
}

#[test]
fn elastic_copies_the_event() {
    assert_snapshot!(spread(&written(Format::Elastic, Settings::default(), &[single()])));
}

#[test]
fn elastic_makes_a_shell_and_building_blocks_of_a_sequence() {
    let text = written(Format::Elastic, Settings::default(), &[sequence()]);
    let documents: Vec<serde_json::Value> = text.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    let of = |name: &str| documents.iter().map(|d| d.get(name).cloned().unwrap_or_default()).collect::<Vec<_>>();
    assert_eq!(of("kibana.alert.uuid"), ["a2", "a2-0", "a2-1"]);
    assert_eq!(of("kibana.alert.group.id"), ["a2", "a2", "a2"]);
    assert_eq!(of("kibana.alert.group.index"), [serde_json::Value::Null, 0.into(), 1.into()]);
    assert_eq!(of("kibana.alert.depth"), [2, 1, 1]);
    // The shell has what the events have in common, and nothing else.
    let shell = &documents[0];
    assert_eq!(shell["host"]["name"], "PC-7");
    assert_eq!(shell["process"], serde_json::Value::Null);
}

#[test]
fn splunk_makes_risk_events_and_notables() {
    let seven = Settings { splunk: SplunkEdition::Seven, ..Settings::default() };
    assert_snapshot!(spread(&written(Format::Splunk, seven, &[single()])));
    let count = |alert: Alert, splunk| {
        let text = written(Format::Splunk, Settings { splunk, ..Settings::default() }, &[alert]);
        (text.matches(r#""index":"risk""#).count(), text.matches(r#""index":"notable""#).count())
    };
    assert_eq!(count(single(), SplunkEdition::Seven), (1, 1));
    assert_eq!(count(single(), SplunkEdition::Eight), (0, 1));
    assert_eq!(count(Alert { kind: AlertKind::Risk, ..single() }, SplunkEdition::Eight), (1, 0));
    let mut hunting = single();
    let mut rule = Rule::clone(&hunting.rule);
    rule.meta.kind = "Hunting".into();
    hunting.rule = Arc::new(rule);
    assert_eq!(count(hunting, SplunkEdition::Seven), (0, 0));
}

#[test]
fn ocsf_is_a_detection_finding() {
    let settings = Settings { version: "0.0.0".to_owned(), ..Settings::default() };
    assert_snapshot!(spread(&written(Format::Ocsf, settings, &[single()])));
}

#[test]
fn the_report_fetches_nothing_and_escapes_everything() {
    let mut alert = sequence();
    alert.message = "<img src=x onerror=alert(1)> & \"more\"".to_owned();
    let page = written(Format::Html, Settings::default(), &[alert, single()]);
    assert!(!page.contains("<img") && !page.contains("<script"));
    assert!(page.contains("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;"));
    assert!(!page.contains("src=\"") && !page.contains("href=") && !page.contains("url("));
    let body = page.split_once("<body>").expect("a body").1;
    assert_snapshot!(body);
}

fn answer(events: Vec<Option<Event>>, tail: &Tail) -> Answer {
    let found =
        Match { event_count: events.len() as u64, join_keys: vec![Value::text("PC-7")], events, ..Match::default() };
    Answer::new(&found, tail, &schemas())
}

fn lines(answers: &[Answer], write: impl Fn(&mut Vec<u8>, &[Answer])) -> String {
    let mut out = Vec::new();
    write(&mut out, answers);
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn answers_are_events_sequences_or_rows() {
    let single = Tail::Events { limits: vec![Limit::Head(1)] };
    let sample = Tail::Sample { steps: Vec::new(), per_key: 1, limits: Vec::new() };
    let mut row = Object::default();
    row.insert("host", Value::text("PC-7"));
    row.insert("count", Value::Int(2));
    row.insert("user", Value::Null);
    let all =
        [answer(vec![Some(download())], &single), answer(vec![Some(download()), None], &sample), answers::row(&row)];
    assert_snapshot!(lines(&all, |out, all| answers::write_jsonl(out, all).expect("written")));
    let rows = [answers::row(&row), answers::row(&Object::default())];
    assert_snapshot!(lines(&rows, |out, all| answers::write_csv(out, all).expect("written")), @r"
    host,count,user
    PC-7,2,
    ,,
    ");
    assert_snapshot!(lines(&rows, |out, all| answers::write_table(out, all, 40).expect("written")), @r"
    host  count  user
    PC-7  2

    2 answers
    ");
}
