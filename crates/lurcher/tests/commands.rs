//! The other commands at their edges: what they print, and how they exit. (`hunt` on bad input: `resilience.rs`.)

mod support;

use std::{
    fs,
    io::Read as _,
    process::{Command, Stdio},
};

use serde_json::Value;
use support::{example, hunt, lurcher};

/// Exit code, standard output, standard error.
fn run(arguments: &[&str]) -> (i32, String, String) {
    let output = lurcher(arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_query_answers_in_three_forms() {
    let (events, eql) = (example("events"), "process where process.name : \"bitsadmin.exe\"");
    let (code, lines, _) = run(&["query", "eql", eql, &events, "--format", "jsonl"]);
    let answers: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((code, answers.len()), (0, 4));
    assert!(answers.iter().all(|answer| answer["event"].is_object() && answer["record"].is_string()), "{lines}");
    let csv = run(&["query", "eql", eql, &events, "--format", "csv"]).1;
    assert!(csv.starts_with("file,record,") && csv.lines().count() == 5, "{csv}");
    assert!(run(&["query", "eql", eql, &events]).1.ends_with("4 answers\n"));
}

/// Source of the cases: Elasticsearch's `kql-function.csv-spec` and `qstr-function.csv-spec`.
#[test]
fn a_table_is_searched_as_an_index_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jobs.csv");
    let rows = "no:integer,jobs:keyword,title:text,change:double,at:date,big:unsigned_long\n\
                1,[Tech Lead,Analyst],The Lord of the Rings,[1.5,14.7],2026-01-02T10:00:00Z,18446744073709551615\n\
                2,Tech Lead,Lords,3,2026-01-03T10:00:00Z,2\n3,,,,,\n";
    fs::write(&file, rows).unwrap();
    let table = format!("jobs={}", file.display());
    let found = |condition: &str| {
        let query = format!("FROM jobs | WHERE {condition} | SORT no | KEEP no");
        let (code, lines, told) = run(&["query", "esql", &query, "--table", &table, "--format", "jsonl"]);
        assert_eq!(code, 0, "{condition}: {told}");
        let numbers = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["row"]["no"].as_i64());
        numbers.map(Option::unwrap).collect::<Vec<i64>>()
    };
    assert_eq!(found("KQL(\"jobs: Tech Lead and jobs: (Analyst)\")"), [1]);
    assert_eq!(found("KQL(\"change > 14\")"), [1]);
    assert_eq!(found("KQL(\"not title: lord\")"), [2, 3]);
    assert_eq!(found("KQL(\"ti*: \\\"lord of\\\"\") OR no == 3"), [1, 3]);
    assert_eq!(found("KQL(\"at >= 2026-01-03\")"), [2]);
    assert_eq!(found("QSTR(\"title: lor* AND change: [3 TO *]\")"), [1, 2]);
    assert_eq!(found("QSTR(\"rings\")"), [1]);
    assert_eq!(found("MATCH(title, \"rings of x\") AND NOT title : \"lords\""), [1]);
    assert_eq!(found("MATCH_PHRASE(title, \"the rings\")"), [1]);
    let told = run(&["query", "esql", "FROM jobs | KEEP big", "--table", &table]).2;
    assert!(told.contains("the column big has whole numbers beyond 2^63"), "{told}");
}

#[test]
fn samples_may_be_several_a_key_over_events_of_any_names_and_without_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let events = folder.path().join("events.jsonl");
    // `process_name` and `file_path` together are names of the Common Information Model.
    let event =
        |kind: &str, n: u8| format!("{{\"kind\":\"{kind}\",\"n\":{n},\"process_name\":\"p\",\"file_path\":\"f\"}}\n");
    std::fs::write(&events, event("a", 1) + &event("b", 2) + &event("a", 3) + &event("a", 4)).unwrap();
    let (query, path) = ("sample by process_name [a where true] [b where true]", events.to_str().unwrap());
    let numbers = |more: &[&str]| -> Vec<Vec<u64>> {
        let own = ["query", "eql", query, path, "--format", "jsonl", "--category-field", "kind"];
        let arguments = [&own[..], more].concat();
        let lines = run(&arguments).1;
        let samples = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let number = |event: &Value| event["event"]["n"].as_u64().unwrap();
        samples.map(|sample| sample["events"].as_array().unwrap().iter().map(number).collect()).collect()
    };
    assert_eq!(numbers(&[]), [[1, 2]]);
    assert_eq!(numbers(&["--max-samples-per-key", "2"]), [[1, 2], [3, 2]]);
    assert_eq!(numbers(&["--max-samples-per-key", "9"]), [[1, 2], [3, 2], [4, 2]]);
}

#[test]
fn a_pipeline_that_chooses_no_columns_yields_its_events_and_needs_no_sink() {
    let (code, lines, said) =
        run(&["query", "spl2", "| from read_ssa_enriched_events() | head 2", &example("events"), "--format", "jsonl"]);
    assert_eq!((code, lines.lines().count(), said.as_str()), (0, 2, ""));
    assert!(lines.starts_with("{\"event\":{\""), "{lines}");
}

#[test]
fn a_query_may_begin_with_the_field_of_the_time() {
    let (code, text, errors) =
        run(&["query", "kql", "@timestamp < \"2026-03-02T08:30:00Z\"", &example("events"), "--format", "jsonl"]);
    assert_eq!(code, 0, "{errors}");
    assert!(!text.is_empty());
    let (code, _, errors) = run(&["query", "kql", "@no-such-file", &example("events")]);
    assert_eq!(code, 1);
    assert!(errors.contains("no-such-file"), "{errors}");
}

#[test]
fn a_query_with_a_mistake_shows_it_and_runs_nothing() {
    let (code, out, said) = run(&["query", "eql", "process where process.name :: \"x\"", &example("events")]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(said.contains("query:1:29"), "{said}");
    assert_eq!(run(&["query", "cobol", "x", &example("events")]).0, 1);
}

#[test]
fn an_event_is_found_by_the_name_that_its_alert_gives_it_in_every_taxonomy() {
    let (_, alerts, _) = hunt(&[&example("events"), "-r", &example("rules")]);
    let event = &alerts[0]["events"][0];
    let name = format!("{}#{}", event["file"].as_str().unwrap(), event["record"].as_str().unwrap());
    for (taxonomy, field) in [("raw", "EventData"), ("ecs", "event"), ("cim", "dest"), ("ocsf", "class_uid")] {
        let (code, line, said) = run(&["event", &name, "--as", taxonomy, "--compact"]);
        assert_eq!((code, line.lines().count()), (0, 1), "{said}");
        assert!(!serde_json::from_str::<Value>(&line).unwrap()[field].is_null(), "{taxonomy}: {line}");
    }
    assert_eq!(run(&["event", &example("events"), "--record", "999999"]).0, 1);
    // Several names at once: each its own event.
    let (monday, tuesday) = (example("events/office-monday.xml"), example("events/office-tuesday.jsonl"));
    let two = [format!("{monday}#100019"), format!("{tuesday}#8")];
    assert_eq!(run(&["event", &two[0], &two[1], "--compact"]).1.lines().count(), 2);
}

#[test]
fn an_inventory_counts_what_there_is() {
    let (code, lines, _) = run(&["inventory", &example("events"), "--json"]);
    let events: u64 =
        lines.lines().map(|l| serde_json::from_str::<Value>(l).unwrap()["events"].as_u64().unwrap()).sum();
    assert_eq!(code, 0);
    assert!(run(&["inventory", &example("events")]).1.contains(&format!("\n{events} events of ")));
}

#[test]
fn a_check_points_at_the_fault_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let good = fs::read_to_string(example("rules/bits_notify_program.toml")).unwrap();
    fs::write(folder.path().join("bad.toml"), good.replace("process.parent.args :", "process.parent.args =:")).unwrap();
    let line = good.lines().position(|line| line.contains("process.parent.args")).unwrap() + 1;
    let check = |format: &str| run(&["check", &folder.path().to_string_lossy(), "--format", format]);
    let (code, json, _) = check("json");
    let verdict: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, &verdict["verdict"]), (2, &"error".into()));
    assert_eq!(verdict["reasons"][0]["line"], line);
    let sarif: Value = serde_json::from_str(&check("sarif").1).unwrap();
    let place = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(place["region"]["startLine"], line);
    assert!(check("github").1.starts_with("::error file="), "{}", check("github").1);
}

#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let (events, rules) = (example("events"), example("rules"));
    for arguments in [
        vec!["check", &rules, "--verbose"],
        vec!["check", &rules, "--format", "json"],
        vec!["inventory", &events],
        vec!["event", &events],
        vec!["query", "eql", "any where true", &events],
        vec!["hunt", &events, "-r", &rules, "--format", "jsonl"],
    ] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_lurcher"))
            .args(&arguments)
            .current_dir(std::env::temp_dir())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{arguments:?}: {said}");
    }
}

#[test]
fn flags_that_make_no_sense_run_nothing_and_say_why() {
    let (events, rules) = (example("events"), example("rules"));
    for (flags, why) in [
        (vec!["--from", "2026-03-05", "--to", "2026-03-01"], "no time lies from"),
        (vec!["--from", "yesterday"], "--from yesterday"),
        (vec!["--threads", "0"], "from 1 on"),
        (vec!["--macro", "nothing"], "NAME=TEXT"),
        (vec!["--severity", "huge"], "--severity huge"),
        (vec!["--vendor", "nobody"], "none of them fits"),
        (vec!["-o", "no/such/folder/alerts"], "no/such/folder"),
        (vec!["--stats", "no/such/folder/stats"], "no/such/folder"),
    ] {
        let (code, alerts, said) = hunt(&[&[events.as_str(), "-r", &rules], flags.as_slice()].concat());
        assert_eq!((code, alerts.len()), (1, 0), "{flags:?}: {said}");
        assert!(said.contains(why), "{flags:?}: {said}");
    }
}

#[test]
fn notes_are_told_once_for_all_files_and_every_rule_that_will_not_run_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for number in 1..=5 {
        fs::write(path(&format!("strange{number}.jsonl")), "{\"who\":\"ada\",\"did\":\"open\"}\n").unwrap();
    }
    fs::create_dir(path("rules")).unwrap();
    let rule = fs::read_to_string(example("rules/bits_notify_program.toml")).unwrap();
    fs::write(path("rules/good.toml"), &rule).unwrap();
    for number in 1..=5 {
        let other = format!(
            "[rule]\nname = \"Odd Log-Ons {number}\"\nrule_id = \"odd-{number}\"\ntype = \"machine_learning\"\n\
             machine_learning_job_id = [\"odd\"]\nanomaly_threshold = 50\nrisk_score = 21\nseverity = \"low\"\n"
        );
        fs::write(path(&format!("rules/other{number}.toml")), other).unwrap();
    }
    let (code, _, said) = hunt(&[&path("*.jsonl").to_string_lossy(), "-r", &path("rules").to_string_lossy()]);
    assert_eq!(code, 2, "{said}");
    assert_eq!(said.matches("note: ").count(), 1, "{said}");
    assert!(said.contains("(5 files)") && said.contains("… and 2 more"), "{said}");
    assert!((1..=5).all(|number| said.contains(&format!("other{number}.toml"))), "{said}");
    assert!(said.contains("rules: 5 of 6 rules will not run"), "{said}");
}

#[test]
fn a_macro_that_no_rule_uses_is_named() {
    let (events, rules) = (example("events"), example("rules"));
    let (code, alerts, said) = hunt(&[&events, "-r", &rules, "--macro", "bitsadmin_fetches_a_flie_filter=true"]);
    assert_eq!((code, alerts.len()), (0, 5), "{said}");
    assert!(said.contains("--macro bitsadmin_fetches_a_flie_filter: none of the rules uses"), "{said}");
    let (_, _, said) = hunt(&[&events, "-r", &rules, "--macro", "bitsadmin_fetches_a_file_filter=search *"]);
    assert!(!said.contains("--macro"), "{said}");
}

#[test]
fn figures_are_written_for_single_events_too() {
    let folder = tempfile::tempdir().unwrap();
    let stats = folder.path().join("stats.json");
    let (code, _, said) = run(&["event", &example("events"), "--record", "8", "--stats", &stats.to_string_lossy()]);
    let figures: Value = serde_json::from_str(&fs::read_to_string(&stats).unwrap()).unwrap();
    assert_eq!((code, &figures["events"], &figures["printed"]), (0, &181.into(), &1.into()), "{said}");
}
