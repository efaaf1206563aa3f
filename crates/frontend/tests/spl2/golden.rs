//! A folder of queries, each with what it is lowered to.

use std::path::Path;

use lurcher_diagnostics::{Level, SourceFile};
use lurcher_frontend::spl2::{Finding, Options, lower};

fn options() -> Options {
    let texts = |items: &[&str]| items.iter().map(ToString::to_string).collect();
    let finding = Finding {
        name: "A \"test\"".into(),
        id: "0-1".into(),
        risk_score: 49.0,
        confidence: 70.0,
        impact: 70.0,
        stories: texts(&["One", "Two"]),
        kill_chain: texts(&["Exploitation"]),
        nist: texts(&["DE.AE"]),
        cis: texts(&["CIS 10"]),
        evidence: texts(&["process.cmd_line", "process.pid"]),
        ..Finding::default()
    };
    Options { finding, ..Options::default() }
}

#[test]
fn queries_become_predicates_and_stages() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spl2_golden");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for path in files.iter().filter(|path| path.extension().is_some_and(|e| e == "spl2")) {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let file = SourceFile::new(&*name, std::fs::read_to_string(path).unwrap());
        let lowered = lower(&file, &options(), crate::schemas());
        assert!(lowered.diagnostics.iter().all(|d| d.level == Level::Note), "{name}: {:?}", lowered.diagnostics);
        let mut shown = lowered.body.expect("it can run").to_string();
        for reason in &lowered.reasons {
            shown = format!("{shown}\n{}: {}: {}", reason.verdict.name(), reason.code, reason.message);
        }
        insta::with_settings!({snapshot_path => "../spl2_golden", prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!(name, shown);
        });
    }
}

#[test]
fn a_users_condition_joins_the_last_where() {
    let file = SourceFile::new("query", "from source | eval n = process.pid | where n > 4 | fields n | into sink;");
    let filter = SourceFile::new("filter", "NOT n = 7");
    let options = Options { filter: Some(filter), ..Options::default() };
    let lowered = lower(&file, &options, crate::schemas());
    insta::assert_snapshot!(lowered.body.unwrap(), @r#"
    filter 0
      all
        ocsf:process.pid > 4
        ocsf:process.pid exists
        not ocsf:process.pid equals 7
    branch 0 from filter 0
      project
        $n = ocsf:process.pid
      into alerts "sink"
    "#);
    let faulty = Options { filter: Some(SourceFile::new("filter", "n = = 7")), ..Options::default() };
    let lowered = lower(&file, &faulty, crate::schemas());
    assert!(lowered.body.is_none());
    assert_eq!(lowered.diagnostics[0].file.as_ref().unwrap().name(), "filter");
}

#[test]
fn a_template_and_its_expanded_form_are_the_same() {
    let head = "$main = from source | eval timestamp = time | eval process_cmd_line = process.cmd_line \
                | eval actor_user = actor.user | where process_cmd_line LIKE \"%x%\" ";
    let report = "| eval devices = [{\"hostname\": device.hostname, \"type_id\": 0, \"uuid\": device.uuid}], \
        time = timestamp, evidence = {\"process.cmd_line\": process_cmd_line, \"process.pid\": process.pid, \
        \"sourceType\": metadata.source_type, \"source\": metadata.source}, \
        message = \"A \\\"test\\\" has been triggered on \" + device.hostname + \" by \" + \"Unknown\" + \".\", \
        users = [{\"name\": \"Unknown\", \"uuid\": actor_user.uuid, \"uid\": actor_user.uid}], activity_id = 1, \
        cis_csc = [{\"control\": \"CIS 10\", \"version\": 8}], analytic_stories = [\"One\", \"Two\"], \
        class_name = \"Detection Report\", confidence = 70, confidence_id = 3, duration = 0, impact = 70, impact_id = 4, \
        kill_chain = [{\"phase\": \"Exploitation\", \"phase_id\": 4}], nist = [\"DE.AE\"], risk_level = \"Medium\", \
        category_uid = 2, class_uid = 102001, risk_level_id = 2, risk_score = 49, severity_id = 0, \
        rule = {\"name\": \"A \\\"test\\\"\", \"uid\": \"0-1\", \"type\": \"Streaming\"}, \
        metadata = {\"customer_uid\": metadata.customer_uid, \"product\": {\"name\": \"Behavior Analytics\", \
        \"vendor_name\": \"Splunk\"}, \"version\": \"1.0.0-rc.2\", \"logged_time\": time()}, type_uid = 10200101, \
        start_time = timestamp, end_time = timestamp \
        | fields metadata, rule, activity_id, analytic_stories, cis_csc, category_uid, class_name, class_uid, confidence, \
        confidence_id, devices, duration, time, evidence, impact, impact_id, kill_chain, message, nist, observables, \
        risk_level, risk_level_id, risk_score, severity_id, type_uid, users, start_time, end_time | into sink;";
    let body = |query: String| lower(&SourceFile::new("query", query), &options(), crate::schemas()).body;
    let template = body(format!("{head}--finding_report--"));
    assert!(template.is_some());
    assert_eq!(template, body(format!("{head}{report}")));
}
