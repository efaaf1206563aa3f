//! What is read from rule files, in each vendor's layouts. The files stand beside this one, in `files/`.

use std::{fs, path::PathBuf, sync::Arc};

use lurcher_content::{CheckRecord, LoadOptions, Pack, load};
use lurcher_ir::{AlertKind, EntityRole, EntityType, Rule, Severity, Sources};
use lurcher_schema::Schemas;

fn files(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/files").join(name)
}

fn read(paths: &[PathBuf], options: &LoadOptions) -> Pack {
    load(paths, options, &Schemas::builtin().expect("the built-in mapping packs are sound"))
}

fn pack() -> Pack {
    read(&[files("")], &LoadOptions::default())
}

fn rule<'a>(pack: &'a Pack, name: &str) -> (&'a Arc<Rule>, &'a CheckRecord) {
    let at = pack.rules.iter().position(|rule| rule.meta.name == name).expect("the rule");
    (&pack.rules[at], &pack.checks[at])
}

/// Writes a rule file into a folder of its own and reads it.
fn read_text(name: &str, text: &str) -> Pack {
    let folder = std::env::temp_dir().join(format!("lurcher-rule-files-{}-{name}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join(name);
    fs::write(&path, text).expect("a file");
    let pack = read(&[path], &LoadOptions::default());
    fs::remove_dir_all(folder).expect("removed");
    pack
}

#[test]
fn a_folder_is_read_whole_and_what_is_no_rule_is_counted() {
    let pack = pack();
    let names: Vec<&str> = pack.rules.iter().map(|rule| rule.meta.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "Odd Program",
            "Odd Program, Exported",
            "Odd Query",
            "Odd Program",
            "Odd Stream, Built",
            "Odd Stream - Of Events",
            "Odd Search"
        ]
    );
    let skipped: Vec<_> = pack.skipped.iter().map(|(kind, count)| (*kind, *count)).collect();
    assert_eq!(skipped, [("exception list", 1), ("export summary", 1), ("other", 1), ("story", 1)]);
    assert_eq!(pack.problems, []);
}

#[test]
fn elastic_toml() {
    let pack = pack();
    let (rule, check) = rule(&pack, "Odd Program");
    let meta = &rule.meta;
    assert_eq!((meta.vendor, meta.language, meta.kind.as_str()), ("elastic", "eql", "eql"));
    assert_eq!((meta.severity, meta.risk_score), (Severity::Medium, 47.0));
    assert_eq!((meta.status.as_str(), meta.created.as_str()), ("production", "2026/01/05"));
    assert_eq!(meta.sources, Sources::Indices(vec!["winlogbeat-*".into(), "logs-windows.*".into()]));
    assert_eq!(meta.schedule.interval.map(|d| d.as_secs()), Some(900));
    assert_eq!((meta.schedule.from.as_str(), meta.schedule.max_alerts), ("now-9m", Some(33)));
    assert_eq!(meta.alert_kind, AlertKind::BuildingBlock);
    assert_eq!(meta.name_override.as_deref(), Some("process.name"));
    assert_eq!(meta.platforms, ["endpoint", "windows"]);
    assert_eq!(meta.data_sources, ["Sysmon", "windows"]);
    assert_eq!(meta.cve, ["CVE-2026-12345"]);
    assert_eq!(meta.threats[0].tactic.0, "TA0002");
    assert_eq!(meta.threats[0].techniques.iter().map(|t| t.0.as_str()).collect::<Vec<_>>(), ["T1059", "T1059.003"]);
    assert_eq!(meta.severity_mapping[0].equals, "9");
    assert_eq!(meta.extra.get("timeline_id").and_then(|v| v.as_text()), Some("kept"));
    // The filter beside the query is part of the rule: its field is read too.
    assert_eq!((check.verdict, check.reasons.len()), ("exact", 0));
    assert!(check.fields.iter().any(|field| field == "process.executable"), "{:?}", check.fields);
}

#[test]
fn elastic_exports_and_what_is_not_done_beside_their_queries() {
    let pack = pack();
    let (exported, check) = rule(&pack, "Odd Program, Exported");
    assert_eq!(exported.meta.version, "4");
    assert!(exported.body.is_some());
    assert_eq!(check.verdict, "approximate");
    let codes: Vec<&str> = check.reasons.iter().map(|reason| reason.code.as_str()).collect();
    assert_eq!(codes, ["exceptions"]);
    let (kuery, check) = rule(&pack, "Odd Query");
    assert!(kuery.body.is_some());
    assert_eq!((check.verdict, check.fields.as_slice()), ("exact", ["process.name".to_owned()].as_slice()));
}

#[test]
fn splunk_s_old_layout() {
    let pack = pack();
    let (rule, check) = rule(&pack, "Odd Stream - Of Events");
    let meta = &rule.meta;
    assert_eq!((meta.vendor, meta.language, meta.kind.as_str()), ("splunk", "spl2", "TTP"));
    assert_eq!((meta.severity, meta.risk_score), (Severity::Medium, 56.0));
    assert_eq!(meta.message.template, "$process_name$ ran on $dest_device_id$");
    assert_eq!(meta.authors, ["Ada Example", "The Lurcher authors"]);
    assert_eq!((meta.stories.len(), meta.nist.len(), meta.cis.len(), meta.cve.len()), (1, 1, 1, 1));
    let parts: Vec<_> = meta.entities.iter().map(|e| (e.field.as_str(), e.kind, e.role)).collect();
    assert_eq!(
        parts,
        [
            ("dest_user_id", EntityType::User, EntityRole::Victim),
            ("process_name", EntityType::Process, EntityRole::Attacker)
        ]
    );
    assert_eq!(meta.threats.iter().map(|t| t.tactic.0.as_str()).collect::<Vec<_>>(), ["TA0003", "TA0005"]);
    assert_eq!(check.verdict, "exact", "{:?}", check.reasons);
    assert_eq!(check.sources, ["Endpoint_Processes"]);
}

#[test]
fn splunk_s_built_streaming_detections() {
    let pack = pack();
    let (rule, check) = rule(&pack, "Odd Stream, Built");
    let meta = &rule.meta;
    // The stated severity wins over the one that the score would give; the row has the message.
    assert_eq!((meta.severity, meta.risk_score), (Severity::Low, 49.0));
    assert_eq!(meta.message.template, "$message$");
    assert_eq!(meta.stories, ["Odd Things"]);
    assert_eq!(meta.kill_chain, ["Installation"]);
    assert_eq!(meta.entities.iter().map(|e| e.field.as_str()).collect::<Vec<_>>(), ["device.hostname"]);
    assert_eq!(check.verdict, "exact", "{:?}", check.reasons);
}

#[test]
fn splunk_s_layout_with_rba() {
    let pack = pack();
    let (rule, check) = rule(&pack, "Odd Search");
    let meta = &rule.meta;
    assert_eq!((meta.severity, meta.risk_score), (Severity::High, 64.0));
    assert_eq!(meta.alert_kind, AlertKind::Risk);
    assert_eq!(meta.entities.iter().map(|e| e.score).collect::<Vec<_>>(), [Some(30.0), Some(64.0), None]);
    assert_eq!((check.language, check.verdict), ("spl", "exact"));
}

#[test]
fn sigma() {
    let pack = pack();
    let found = pack.rules.iter().find(|rule| rule.meta.vendor == "sigma").expect("the rule");
    assert_eq!((found.meta.severity, found.meta.status.as_str()), (Severity::High, "test"));
    assert_eq!(found.meta.cve, ["CVE-2026-12345"]);
    assert_eq!(found.meta.threats[0].techniques[0].0, "T1059.003");
}

#[test]
fn a_filter_macro_of_the_user_becomes_part_of_the_rule() {
    let with = |macros: Vec<String>| {
        let pack =
            read(&[files("splunk_old.yml")], &LoadOptions { macros, threads: Some(1), ..LoadOptions::default() });
        pack.rules[0].body.clone()
    };
    let name = "odd_stream___of_events_filter";
    assert_ne!(with(vec![format!("{name}=process_name != \"allowed.exe\"")]), with(Vec::new()));
    assert_eq!(with(vec![format!("{name}=search *")]), with(Vec::new()));
    // In a folder of macros it works the same.
    let folder = pack();
    let (rule, _) = rule(&folder, "Odd Stream - Of Events");
    assert_eq!(rule.body, with(vec![format!("{name}=process_name != \"allowed.exe\"")]));
}

#[test]
fn faults_of_a_query_point_into_the_rule_file() {
    let toml = fs::read_to_string(files("elastic.toml")).expect("the file");
    let pack = read_text("bad.toml", &toml.replace("user.name :", "user.name :: "));
    assert_eq!(pack.checks[0].verdict, "error");
    let reason = &pack.checks[0].reasons[0];
    let line = toml.lines().position(|line| line.contains("user.name :")).expect("the line") + 1;
    assert_eq!(reason.line as usize, line, "{reason:?}");
    assert!((16..=19).contains(&reason.column), "{reason:?}");

    let yaml = fs::read_to_string(files("splunk_old.yml")).expect("the file");
    let pack = read_text("bad.yml", &yaml.replace("| where process_name=\"odd.exe\"", "| where process_name=)"));
    let reason = &pack.checks[0].reasons[0];
    let line = yaml.lines().position(|line| line.contains("process_name=\"odd.exe\"")).expect("the line") + 1;
    assert_eq!((pack.checks[0].verdict, reason.line as usize), ("error", line), "{reason:?}");
    assert!(pack.rules[0].body.is_none());
}

#[test]
fn a_faulty_file_is_still_a_rule() {
    let pack = read_text("bad.toml", "[rule]\nname = \"Half a Rule\"\nrule_id = \"x-1\"\nquery = '''\n");
    assert_eq!((pack.rules[0].meta.name.as_str(), &*pack.rules[0].meta.id), ("Half a Rule", "x-1"));
    assert_eq!((pack.checks[0].verdict, pack.checks[0].reasons[0].code.as_str()), ("error", "rule-toml"));
    let pack = read_text("bad.yml", "name: Half\nid: x-2\nsearch: 'open\n");
    assert_eq!((pack.checks[0].verdict, pack.checks[0].reasons[0].code.as_str()), ("error", "rule-yaml"));
    let pack = read_text("none.toml", "[rule]\nname = \"No Query\"\ntype = \"eql\"\n");
    let codes: Vec<_> = pack.checks[0].reasons.iter().map(|reason| reason.message.as_str()).collect();
    assert_eq!(codes, ["the rule has no rule_id", "the rule has no query"]);
}

#[test]
fn files_that_the_user_names_must_be_rules() {
    let pack = read(&[files("README.md"), files("absent.yml")], &LoadOptions::default());
    let problems: Vec<_> = pack.problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(problems.len(), 2);
    assert!(problems.contains(&"it is no rule file of a kind that is known"), "{problems:?}");
}

#[test]
fn the_bundled_examples_run_exactly() {
    let pack = read(&[PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples")], &LoadOptions::default());
    assert!(pack.rules.len() >= 2);
    for check in &pack.checks {
        assert_eq!((check.verdict, check.reasons.as_slice()), ("exact", [].as_slice()), "{}", check.path);
    }
}
