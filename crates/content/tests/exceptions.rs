//! What stands beside a query of Elastic's: Kibana's filters, exception lists, value lists. Each case shows the predicate
//! that a rule comes to.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::{fs, path::PathBuf};

use lurcher_content::{LoadOptions, Pack, load};
use lurcher_schema::{Schemas, Timestamp};

/// A folder of files that is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("lurcher-exceptions-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const NOW: &str = "2026-06-01T00:00:00Z";

/// A rule that finds files, with what else its table holds.
fn rule(more: &str) -> String {
    format!(
        "[metadata]\nmaturity = \"production\"\n[rule]\nname = \"R\"\nrule_id = \"r\"\ntype = \"query\"\n\
         language = \"kuery\"\nindex = [\"logs-*\"]\nrisk_score = 21\nseverity = \"low\"\nquery = 'file.name: x'\n{more}"
    )
}

fn read(folder: &Folder, rule: &str, exceptions: &str, values: &[(&str, &str)]) -> Pack {
    let path = folder.file("rule.toml", rule);
    let mut options = LoadOptions { now: Timestamp::parse(NOW), ..LoadOptions::default() };
    if !exceptions.is_empty() {
        options.exceptions.push(folder.file("lists.ndjson", exceptions));
    }
    for (name, text) in values {
        options.value_lists.push(format!("{name}={}", folder.file(&format!("{name}.txt"), text).display()));
    }
    load(&[path], &options, &Schemas::builtin().expect("the built-in packs are sound"))
}

/// The rule's filter without the query, and the reasons for its verdict.
fn shown(pack: &Pack) -> String {
    let rule = &pack.rules[0];
    let mut shown = String::new();
    if let Some(body) = &rule.body {
        shown = body.filters[0].to_string();
    }
    for reason in &rule.support.reasons {
        shown.push_str(&format!("{}: {}\n", reason.verdict.name(), reason.message));
    }
    shown.replace("all\n  ecs:file.name equals \"x\"\n", "")
}

fn filtered(name: &str, filters: &str) -> String {
    shown(&read(&Folder::new(name), &rule(filters), "", &[]))
}

#[test]
fn filters_hold_beside_the_query() {
    let filters = r#"
        [[rule.filters]]
        [rule.filters.meta]
        negate = true
        [rule.filters.query.wildcard."file.path"]
        case_insensitive = true
        value = '?:\\Windows\\Temp\\*'
        [[rule.filters]]
        [rule.filters.query.match_phrase.event]
        action = "creation"
        [[rule.filters]]
        [rule.filters.meta]
        disabled = true
        [rule.filters.query.exists]
        field = "a.b"
        [[rule.filters]]
        [rule.filters.exists]
        field = "c.d"
    "#;
    assert_eq!(
        filtered("filters", filters),
        "  not ecs:file.path is like~ \"?:\\\\windows\\\\temp\\\\*\"\n  \
         ecs:event.action equals \"creation\"\n  ecs:c.d exists\n"
    );
}

#[test]
fn a_clause_means_what_the_type_of_its_field_has_it_mean() {
    let filters = r#"
        [[rule.filters]]
        [rule.filters.query.match]
        message = "Access-Denied"
        [[rule.filters]]
        [rule.filters.query.term."source.ip"]
        value = "10.0.0.0/8"
        [[rule.filters]]
        [rule.filters.query.range."destination.port"]
        gte = 1024
        lt = 2048
        [[rule.filters]]
        [rule.filters.query.terms]
        "user.name" = ["a", "b"]
        [[rule.filters]]
        [rule.filters.query.query_string]
        query = "process.name:(a* OR /b.c/) AND NOT user.id:0"
    "#;
    assert_eq!(
        filtered("clauses", filters),
        "  any\n    ecs:message has the words \"access\"\n    ecs:message has the words \"denied\"\n  \
         ecs:source.ip lies in [10.0.0.0/8]\n  ecs:destination.port >= 1024 and < 2048\n  \
         ecs:user.name is one of [\"a\", \"b\"]\n  any\n    ecs:process.name begins with \"a\"\n    \
         ecs:process.name matches /(?s)^(?:b.c)$/\n  not ecs:user.id equals \"0\"\n"
    );
}

#[test]
fn should_counts_only_where_nothing_must_hold_or_a_number_is_given() {
    let boolean = |rest: &str| {
        filtered(
            "should",
            &format!(
                "[[rule.filters]]\n[rule.filters.query.bool]\n{rest}\n\
                 should = [{{term = {{a = \"1\"}}}}, {{term = {{a = \"2\"}}}}]\n"
            ),
        )
    };
    let any = "  any\n    ecs:a equals \"1\"\n    ecs:a equals \"2\"\n";
    assert_eq!(boolean(""), any);
    assert_eq!(boolean("must_not = {term = {b = \"3\"}}"), format!("  not ecs:b equals \"3\"\n{any}"));
    assert_eq!(boolean("filter = {term = {b = \"3\"}}"), "  ecs:b equals \"3\"\n");
    assert_eq!(boolean("minimum_should_match = 2"), "  ecs:a equals \"1\"\n  ecs:a equals \"2\"\n");
    assert_eq!(boolean("minimum_should_match = \"50%\""), any);
}

#[test]
fn what_no_event_can_answer_is_said() {
    let shown = filtered("script", "[[rule.filters]]\n[rule.filters.query.script]\nsource = \"true\"\n");
    assert_eq!(shown, "ecs:file.name equals \"x\"\napproximate: its filter `script` is not applied\n");
}

fn excepted(name: &str, item: &str, values: &[(&str, &str)]) -> String {
    let lists = format!(
        "{{\"list_id\":\"mine\",\"type\":\"detection\",\"name\":\"Mine\"}}\n\
         {{\"list_id\":\"mine\",\"item_id\":\"i\",\"name\":\"I\",{item}}}\n"
    );
    let rule = rule("[[rule.exceptions_list]]\nid = \"1\"\nlist_id = \"mine\"\ntype = \"detection\"\n");
    shown(&read(&Folder::new(name), &rule, &lists, values))
}

#[test]
fn an_exception_takes_away_the_events_that_satisfy_all_its_entries() {
    let item = r#""entries":[{"field":"file.path","type":"wildcard","operator":"included","value":"C:\\\\Temp\\\\*"},{"field":"user.name","type":"match","operator":"excluded","value":"root"},{"field":"process.name","type":"match_any","operator":"included","value":["a.exe","b.exe"]},{"field":"process.pid","type":"exists","operator":"included"}]"#;
    assert_eq!(
        excepted("entries", item, &[]),
        "  not all\n    ecs:file.path begins with \"C:\\\\Temp\\\\\"\n    not ecs:user.name equals \"root\"\n    any\n      \
         ecs:process.name equals \"a.exe\"\n      ecs:process.name equals \"b.exe\"\n    ecs:process.pid exists\n"
    );
}

#[test]
fn value_lists_are_compared_by_their_type() {
    let item = |field: &str, kind: &str| {
        format!(
            "\"entries\":[{{\"field\":\"{field}\",\"type\":\"list\",\"operator\":\"included\",\
             \"list\":{{\"id\":\"v\",\"type\":\"{kind}\"}}}}]"
        )
    };
    let values = [("v", "10.0.0.1\n\n10.0.1.0/24\n192.168.0.0-192.168.0.3\n")];
    assert_eq!(
        excepted("ranges", &item("source.ip", "ip_range"), &values),
        "  not ecs:source.ip lies in [10.0.0.1/32, 10.0.1.0/24, 192.168.0.0/30]\n"
    );
    assert_eq!(
        excepted("words", &item("process.name", "keyword"), &[("v", "a.exe\nb.exe\n")]),
        "  not ecs:process.name is one of [\"a.exe\", \"b.exe\"]\n"
    );
    assert_eq!(
        excepted("absent", &item("process.name", "keyword"), &[]),
        "ecs:file.name equals \"x\"\n\
         approximate: the exception `I` of the list `mine` is not applied: the value list `v` is not given\n"
    );
}

#[test]
fn expired_exceptions_do_not_apply_and_systems_narrow_them() {
    let entries = r#""entries":[{"field":"a","type":"match","operator":"included","value":"1"}]"#;
    let expired = format!("{entries},\"expire_time\":\"2026-05-31T23:59:59Z\"");
    assert_eq!(excepted("expired", &expired, &[]), "ecs:file.name equals \"x\"\n");
    let later = format!("{entries},\"expire_time\":\"2026-06-01T00:00:01Z\"");
    assert_eq!(excepted("later", &later, &[]), "  not ecs:a equals \"1\"\n");
    let systems = format!("{entries},\"os_types\":[\"linux\"]");
    assert_eq!(
        excepted("systems", &systems, &[]),
        "  not all\n    ecs:a equals \"1\"\n    any\n      ecs:host.os.type is one of [\"linux\"]\n      \
         ecs:host.os.name.caseless is one of [\"linux\"]\n"
    );
}

#[test]
fn a_sequence_does_not_see_excepted_events_in_any_step() {
    let rule = rule("[[rule.exceptions_list]]\nid = \"1\"\nlist_id = \"mine\"\ntype = \"detection\"\n")
        .replace("kuery", "eql")
        .replace("type = \"query\"", "type = \"eql\"")
        .replace(
            "'file.name: x'",
            "'sequence by host.id [any where a == \"1\"] [any where b == \"2\"] until [any where c == \"3\"]'",
        );
    let lists = r#"{"list_id":"mine","item_id":"i","entries":[{"field":"u","type":"match","operator":"included","value":"0"}]}"#;
    let pack = read(&Folder::new("sequence"), &rule, lists, &[]);
    let body = pack.rules[0].body.as_ref().unwrap();
    assert_eq!(body.filters.len(), 3);
    assert!(body.filters.iter().all(|filter| filter.to_string().contains("not ecs:u equals \"0\"")));
    assert_eq!(pack.checks[0].exceptions, ["mine (1)"]);
}

#[test]
fn a_list_that_is_not_given_is_named_and_an_endpoint_list_need_not_be() {
    let rule = rule(
        "[[rule.exceptions_list]]\nid = \"1\"\nlist_id = \"theirs\"\ntype = \"detection\"\n\
         [[rule.exceptions_list]]\nid = \"endpoint_list\"\nlist_id = \"endpoint_list\"\ntype = \"endpoint\"\n",
    );
    assert_eq!(
        shown(&read(&Folder::new("missing"), &rule, "", &[])),
        "ecs:file.name equals \"x\"\n\
         approximate: its exception lists are not given (`--exceptions FILE`): theirs\n"
    );
}

#[test]
fn a_file_without_lists_is_a_problem() {
    let folder = Folder::new("nothing");
    let pack = read(&folder, &rule(""), "{\"name\":\"no list\"}\n", &[]);
    assert!(pack.problems[0].message.contains("no exception list"), "{:?}", pack.problems);
}
