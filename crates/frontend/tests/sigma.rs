//! Sigma from text to IR: faulty documents with their diagnostics, processing pipelines, arbitrary text, published rules.
#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

use std::{path::Path, sync::Arc};

use lurcher_diagnostics::{Level, SourceFile, render};
use lurcher_frontend::{
    Lowered,
    sigma::{Options, lower, pipeline},
};
use proptest::prelude::*;

fn said(file: &Arc<SourceFile>, lowered: &Lowered) -> String {
    let diagnostics = lowered.diagnostics.iter().map(|diagnostic| render::text(diagnostic, false) + "\n");
    let reasons = lowered.reasons.iter().map(|reason| {
        let place = reason.span.map(|span| file.slice(span)).unwrap_or_default();
        format!("{} [{}]: {} (`{place}`)\n", reason.verdict.name(), reason.code, reason.message)
    });
    diagnostics.chain(reasons).collect()
}

#[test]
fn faulty_documents_are_explained() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sigma_errors");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for path in files.iter().filter(|path| path.extension().is_some_and(|e| e == "yml")) {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let file = SourceFile::new(format!("{name}.yml"), std::fs::read_to_string(path).unwrap());
        let said = said(&file, &lower(&file, &Options::default()));
        assert!(!said.is_empty(), "{name} is not faulty");
        insta::with_settings!({snapshot_path => "sigma_errors", prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!(name, said);
        });
    }
}

const RULE: &str = r"
title: Odd tool
status: test
tags: [attack.t1059]
logsource: { category: process_creation, product: windows }
detection:
  selection:
    Image|endswith: '\tool.exe'
    Hashes|contains: 'SHA256=0011223344556677889900112233445566778899001122334455667788990011'
    User|expand: '%Admins%'
  filter:
    Company: Good
  condition: selection and not filter
";

/// What a rule becomes under a pipeline.
fn piped(transformations: &str) -> String {
    let text =
        format!("name: p\npriority: 1\nvars: {{ Admins: [anna, 'adm_*'] }}\ntransformations:\n{transformations}");
    let (pipeline, diagnostics) = pipeline::parse(&SourceFile::new("pipeline", text));
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let options = Options { pipelines: vec![Arc::new(pipeline.unwrap())], ..Options::default() };
    let file = SourceFile::new("rule", RULE);
    let lowered = lower(&file, &options);
    let body = lowered.body.as_ref().map(ToString::to_string).unwrap_or_default();
    format!("{}{body}", said(&file, &lowered))
}

const FILL: &str = "  - { type: value_placeholders }\n";

#[test]
fn placeholders_are_filled_by_variables_or_wildcards() {
    insta::assert_snapshot!(piped(FILL), @r#"
    filter 0
      all
        sigma:Image ends with~ "\\tool.exe"
        sigma:Hashes contains~ "sha256=0011223344556677889900112233445566778899001122334455667788990011"
        any
          sigma:User equals~ "anna"
          sigma:User begins with~ "adm_"
        not sigma:Company equals~ "good"
    events
    "#);
    insta::assert_snapshot!(piped("  - { type: wildcard_placeholders }\n"), @r#"
    filter 0
      all
        sigma:Image ends with~ "\\tool.exe"
        sigma:Hashes contains~ "sha256=0011223344556677889900112233445566778899001122334455667788990011"
        sigma:User exists
        not sigma:Company equals~ "good"
    events
    "#);
    insta::assert_snapshot!(piped("  - { type: wildcard_placeholders, exclude: [Admins] }\n"), @r"
    approximate [placeholder]: the placeholder `Admins` is not set, so the rule finds only what it would find whatever that stood for (`'%Admins%'`)
    filter 0
      false
    events
    ");
}

#[test]
fn fields_are_renamed_dropped_and_taken_apart() {
    insta::assert_snapshot!(piped(&format!(
        "{FILL}  - {{ type: field_name_mapping, mapping: {{ Image: process.executable, Company: [a, b] }} }}\n  - {{ type: hashes_fields, valid_hash_algos: [SHA256], field_prefix: File }}\n  - type: field_name_prefix\n    prefix: win.\n    field_name_conditions:\n      - {{ type: include_fields, fields: [User] }}\n  - type: drop_detection_item\n    field_name_conditions:\n      - {{ type: include_fields, fields: [FileSHA256] }}\n"
    )), @r#"
    filter 0
      all
        sigma:process.executable ends with~ "\\tool.exe"
        any
          sigma:win.User equals~ "anna"
          sigma:win.User begins with~ "adm_"
        not any
          sigma:a equals~ "good"
          sigma:b equals~ "good"
    events
    "#);
}

#[test]
fn conditions_decide_what_is_applied() {
    insta::assert_snapshot!(piped(&format!(
        "{FILL}  - id: index\n    type: add_condition\n    conditions: {{ EventID: 1, Channel: Sysmon }}\n    rule_conditions:\n      - {{ type: logsource, category: process_creation }}\n      - {{ type: tag, tag: attack.t1059 }}\n  - type: add_condition\n    negated: true\n    conditions: {{ Never: x }}\n    rule_conditions:\n      - {{ type: processing_item_applied, processing_item_id: index }}\n      - {{ type: logsource, product: linux }}\n    rule_cond_op: and\n  - type: replace_string\n    regex: '^\\\\\\\\(.*)$'\n    replacement: 'X:\\\\\\\\\\1'\n    rule_conditions:\n      first: {{ type: is_sigma_rule }}\n      second: {{ type: is_sigma_correlation_rule }}\n    rule_cond_expr: first and not second\n"
    )), @r#"
    filter 0
      all
        sigma:EventID equals~ 1
        sigma:Channel equals~ "sysmon"
        sigma:Image ends with~ "\\tool.exe"
        sigma:Hashes contains~ "sha256=0011223344556677889900112233445566778899001122334455667788990011"
        any
          sigma:User equals~ "anna"
          sigma:User begins with~ "adm_"
        not sigma:Company equals~ "good"
    events
    "#);
}

#[test]
fn what_is_not_known_is_said() {
    insta::assert_snapshot!(piped(&format!("{FILL}  - {{ type: query_expression_placeholders }}\n  - {{ type: rule_failure, message: not for us, rule_conditions: [{{ type: logsource, product: windows }}] }}\n")), @r#"
    approximate [pipeline]: the pipeline's transformation `query_expression_placeholders` is not known and not applied (`title: Odd tool`)
    unsupported [pipeline]: not for us (`title: Odd tool`)
    filter 0
      all
        sigma:Image ends with~ "\\tool.exe"
        sigma:Hashes contains~ "sha256=0011223344556677889900112233445566778899001122334455667788990011"
        any
          sigma:User equals~ "anna"
          sigma:User begins with~ "adm_"
        not sigma:Company equals~ "good"
    events
    "#);
}

proptest! {
    /// Whatever a text holds, reading it ends, and every place lies within it.
    #[test]
    fn no_text_breaks_the_reader(
        field in r"[a-zA-Z|]{0,12}",
        value in r#"[a-z%*?\\/\-'"\[\]{}():&#|>\u{2013}\n ]{0,30}"#,
        condition in r"[a-z1_ *()|<>=&]{0,30}",
        rest in r#"[a-z:\-'"|>\[\]{}&*#!=\\ \n\u{e9}]{0,60}"#,
    ) {
        let text = format!("title: x\nlogsource: {{ category: a }}\ndetection:\n  a:\n    {field}: {value}\n  condition: {condition}\n{rest}\n");
        let file = SourceFile::new("x", text);
        let lowered = lower(&file, &Options::default());
        for label in lowered.diagnostics.iter().flat_map(|d| &d.labels) {
            prop_assert!(label.span.end as usize <= file.text().len());
        }
        let _ = pipeline::parse(&SourceFile::new("x", rest));
    }
}

/// What SigmaHQ publishes is read without an error, but for rules that were given up.
#[test]
fn published_rules_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/rules/sigma");
    if !folder.exists() {
        eprintln!("skipped: ../shared/data is absent");
        return;
    }
    let (mut read, mut faulty) = (0, Vec::new());
    let mut open = vec![folder];
    while let Some(folder) = open.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "yml") {
                let file = SourceFile::new(path.display().to_string(), std::fs::read_to_string(&path).unwrap());
                let lowered = lower(&file, &Options::default());
                read += 1;
                if lowered.diagnostics.iter().any(|diagnostic| diagnostic.level == Level::Error) {
                    faulty.push(path.display().to_string());
                }
            }
        }
    }
    faulty.retain(|path| !path.contains("/unsupported/") && !path.contains("/deprecated/"));
    assert!(read > 2000 && faulty.is_empty(), "{read} read; {faulty:?}");
}

#[test]
fn conditions_look_at_what_became_of_an_item() {
    // The second mapping leaves alone what the first one has renamed; values are compared as what they are.
    insta::assert_snapshot!(piped(&format!(
        "{FILL}  - {{ id: own, type: field_name_mapping, mapping: {{ Image: image }} }}\n  - type: field_name_suffix\n    suffix: .other\n    field_name_cond_not: true\n    field_name_conditions:\n      - {{ type: processing_item_applied, processing_item_id: own }}\n  - type: set_value\n    value: best\n    detection_item_conditions:\n      - {{ type: match_value, value: Good, cond: any }}\n"
    )), @r#"
    filter 0
      all
        sigma:image ends with~ "\\tool.exe"
        sigma:Hashes.other contains~ "sha256=0011223344556677889900112233445566778899001122334455667788990011"
        any
          sigma:User.other equals~ "anna"
          sigma:User.other begins with~ "adm_"
        not sigma:Company.other equals~ "best"
    events
    "#);
    let strict = format!(
        "{FILL}  - {{ type: field_name_mapping, mapping: {{ Image: image, User: user }} }}\n  - {{ type: strict_field_mapping_failure }}\n"
    );
    insta::assert_snapshot!(piped(&strict), @r#"
    unsupported [pipeline]: the pipeline asks for a name of each field and gives none to `Company`, `Hashes` (`title: Odd tool`)
    filter 0
      all
        sigma:image ends with~ "\\tool.exe"
        sigma:Hashes contains~ "sha256=0011223344556677889900112233445566778899001122334455667788990011"
        any
          sigma:user equals~ "anna"
          sigma:user begins with~ "adm_"
        not sigma:Company equals~ "good"
    events
    "#);
}

#[test]
fn prose_in_a_rule_that_says_that_it_cannot_be_run_is_no_error() {
    let rule = |status: &str| {
        format!(
            "title: t\nstatus: {status}\nlogsource: {{ category: test }}\ndetection:\n  a: {{ x: 1 }}\n  condition: write x from a to list; then if a -> alert\n"
        )
    };
    let verdict = |status: &str| {
        let file = SourceFile::new("rule", rule(status));
        let lowered = lower(&file, &Options::default());
        let errors = lowered.diagnostics.iter().filter(|d| d.level == lurcher_diagnostics::Level::Error).count();
        (lowered.body.is_some(), errors, lowered.reasons.len())
    };
    assert_eq!(verdict("unsupported"), (false, 0, 1));
    assert_eq!(verdict("test"), (false, 1, 0));
}
