//! Tails from hits to alerts: what is joined by what, in which order, and that nothing else matters.

use std::{sync::LazyLock, time::Duration};

use lurcher_ir::{Branch, Expr, Input, Key, Pipeline, Rule, RuleBody, RuleMeta, Sequence, Sink, Stage, Step, Tail};
use lurcher_schema::{BatchBuilder, Origin, RawField, Schemas, Shape, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::Compiler;

mod live;
mod replay;

static SCHEMAS: LazyLock<Arc<Schemas>> = LazyLock::new(|| Schemas::builtin().unwrap());

/// One event: its time in milliseconds, its fields, and the filters that it passes.
#[derive(Clone, Debug)]
struct Spec {
    time: Option<i64>,
    fields: Vec<(&'static str, String)>,
    filters: Vec<u32>,
}

fn event(time: i64, filters: &[u32], fields: &[(&'static str, &str)]) -> Spec {
    let fields = fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Spec { time: Some(time), fields, filters: filters.to_vec() }
}

fn raw(name: &str) -> FieldRef {
    FieldRef::new(Taxonomy::Raw, name)
}

fn step(filter: usize, keys: &[(&str, bool)]) -> Step {
    let keys = keys.iter().map(|(name, optional)| Key { field: raw(name), optional: *optional });
    Step { filter, keys: keys.collect(), missing: false }
}

fn sequence(steps: Vec<Step>) -> Sequence {
    Sequence { steps, until: None, max_span: Some(Duration::from_secs(10)), limits: Vec::new() }
}

fn rule(tail: Tail) -> Rule {
    let exists = |name: &str| lurcher_ir::Predicate::test(raw(name), lurcher_ir::Test::Exists);
    let body = RuleBody { filters: vec![exists("a"), exists("b"), exists("c")], tail };
    let meta =
        RuleMeta { id: "r".into(), name: "R".to_owned(), tiebreaker: Some("tie".to_owned()), ..RuleMeta::default() };
    Rule { meta, body: Some(body), support: lurcher_ir::Support::default() }
}

fn pipeline(stages: Vec<Stage>) -> Tail {
    let sink = Some(Sink::Alerts("alerts".into()));
    Tail::Pipeline(Pipeline { branches: vec![Branch { inputs: vec![Input::Filter(0)], stages, sink }] })
}

/// One file of events, read into batches of this many rows.
fn batches(path: &str, events: &[Spec], rows: usize) -> Vec<(EventBatch, Vec<Vec<u32>>)> {
    let origin = Origin::new(path);
    let mut ordinal = 0;
    let mut made = Vec::new();
    for chunk in events.chunks(rows.max(1)) {
        let mut builder = BatchBuilder::new(Shape::new([("dialect", "unknown")]), Arc::clone(&origin));
        for event in chunk {
            let fields = event.fields.iter().map(|(name, value)| {
                (*name, if value.starts_with('[') { RawField::Json(value) } else { RawField::Text(value) })
            });
            builder.push(ordinal, ordinal, event.time.map(Timestamp::from_millis), fields);
            ordinal += 1;
        }
        made.push((builder.finish().unwrap(), chunk.iter().map(|event| event.filters.clone()).collect()));
    }
    made
}

/// Runs a rule over files, each read by a thread of its own; each alert as `file#record … [keys] {values}`.
fn run_files(rule: Rule, files: &[(&str, &[Spec])], settings: Settings, rows: usize) -> (Vec<String>, TailStats) {
    let rules = Compiler::new(Arc::clone(&SCHEMAS)).add(Arc::new(rule)).build();
    let settings = Arc::new(settings);
    let mut collectors = Vec::new();
    let mut alerts: Vec<Alert> = Vec::new();
    for (path, events) in files {
        let mut collector = Collector::new(Arc::clone(&rules), Arc::clone(&settings));
        for (batch, filters) in batches(path, events, rows) {
            for (row, filters) in filters.iter().enumerate().filter(|(_, filters)| !filters.is_empty()) {
                let hits: Vec<Hit> = filters.iter().map(|filter| Hit { rule: 0, filter: *filter }).collect();
                collector.take(&batch, row, &hits);
            }
            collector.drain(&mut alerts);
        }
        collectors.push(collector);
    }
    let stats = Collector::finish(collectors, &mut alerts);
    (alerts.iter().map(show).collect(), stats)
}

fn run(tail: Tail, events: &[Spec]) -> Vec<String> {
    run_files(rule(tail), &[("f", events)], Settings::default(), 2).0
}

fn show(alert: &Alert) -> String {
    let events: Vec<String> =
        alert.events.iter().map(|e| e.as_ref().map_or("-".to_owned(), |e| e.reference.to_string())).collect();
    let mut parts = vec![events.join(" ")];
    if !alert.join_keys.is_empty() {
        parts.push(Value::list(alert.join_keys.clone()).to_string());
    }
    if !alert.values.is_empty() {
        parts.push(alert.values.to_json().to_string());
    }
    parts.join(" ")
}

#[test]
fn a_sequence_joins_by_keys_across_files_in_order_of_time() {
    let tail = || Tail::Sequence(sequence(vec![step(0, &[("u", false)]), step(1, &[("v", false)])]));
    let first = [event(2000, &[1], &[("v", "x")]), event(9000, &[1], &[("v", "y")])];
    let second = [event(1000, &[0], &[("u", "x")]), event(3000, &[0], &[("u", "Y")])];
    let files: [(&str, &[Spec]); 2] = [("one", &first), ("two", &second)];
    assert_eq!(run_files(rule(tail()), &files, Settings::default(), 9).0, [r#"two#0 one#0 ["x"]"#]);
}

#[test]
fn each_value_of_a_key_field_is_a_key() {
    let steps = vec![step(0, &[("u", false)]), step(1, &[("u", false)])];
    let events = [
        event(1, &[0], &[("u", r#"["x","y","x"]"#)]),
        event(2, &[1], &[("u", "y")]),
        event(3, &[1], &[("u", r#"["x","z"]"#)]),
    ];
    assert_eq!(run(Tail::Sequence(sequence(steps)), &events), [r#"f#0 f#1 ["y"]"#, r#"f#0 f#2 ["x"]"#]);
}

#[test]
fn a_missing_key_passes_the_event_over_unless_it_is_optional() {
    let events = [event(1, &[0], &[("a", "1")]), event(2, &[1], &[("a", "1")])];
    let steps = |optional| vec![step(0, &[("u", optional)]), step(1, &[("u", optional)])];
    assert_eq!(run(Tail::Sequence(sequence(steps(false))), &events), Vec::<String>::new());
    assert_eq!(run(Tail::Sequence(sequence(steps(true))), &events), ["f#0 f#1 [null]"]);
}

#[test]
fn events_that_can_only_refute_or_end_a_match_are_not_kept() {
    let absent = Step { missing: true, ..step(1, &[("u", false)]) };
    let until = Some(step(2, &[("u", false)]));
    let steps = vec![step(0, &[("u", false)]), absent, step(0, &[("u", false)])];
    let tail = Tail::Sequence(Sequence { until, ..sequence(steps) });
    let event = |time, filter| event(time, &[filter], &[("u", "x")]);
    let events = [event(1, 0), event(2, 0), event(3, 1), event(4, 1), event(5, 0), event(6, 2), event(7, 0)];
    // Without a budget in memory, what is kept is what goes to the file.
    let settings = Settings { tail_budget: 0, ..Settings::default() };
    let (alerts, stats) = run_files(rule(tail), &[("f", &events)], settings, 9);
    assert_eq!(alerts, [r#"f#0 - f#1 ["x"]"#]);
    assert_eq!((stats.collected, stats.spilled), (7, 4));
}

#[test]
fn equal_times_are_ordered_by_the_tiebreaker_then_by_place() {
    let steps = || Tail::Sequence(sequence(vec![step(0, &[]), step(1, &[])]));
    let events = [event(1, &[1], &[("tie", "2")]), event(1, &[0], &[("tie", "1")])];
    assert_eq!(run(steps(), &events), ["f#1 f#0"]);
    let events = [event(1, &[1], &[("a", "2")]), event(1, &[0], &[("a", "1")])];
    assert_eq!(run(steps(), &events), Vec::<String>::new());
}

#[test]
fn events_without_a_time_are_counted_and_passed_over() {
    let mut events = [event(1, &[0], &[("a", "1")]), event(2, &[1], &[("a", "1")])];
    events[1].time = None;
    let tail = Tail::Sequence(sequence(vec![step(0, &[]), step(1, &[])]));
    let (alerts, stats) = run_files(rule(tail), &[("f", &events)], Settings::default(), 2);
    assert_eq!(alerts, Vec::<String>::new());
    assert_eq!(stats.undated, [(0, 1)]);
}

#[test]
fn limits_keep_the_first_or_last_in_order_of_time() {
    let events: Vec<Spec> = [5, 3, 9, 1].iter().map(|time| event(*time, &[0], &[("a", "1")])).collect();
    let tail = |limits| Tail::Events { limits };
    assert_eq!(run(tail(vec![Limit::Head(2)]), &events), ["f#3", "f#1"]);
    assert_eq!(run(tail(vec![Limit::Tail(2)]), &events), ["f#0", "f#2"]);
    assert_eq!(run(tail(vec![Limit::Tail(3), Limit::Head(1)]), &events), ["f#1"]);
}

#[test]
fn a_sample_takes_one_event_for_each_step() {
    let steps = vec![step(0, &[("u", false)]), step(1, &[("u", false)])];
    let tail = Tail::Sample { steps, per_key: 1, limits: Vec::new() };
    let events = [event(2, &[1], &[("u", "x")]), event(5, &[0, 1], &[("u", "x")]), event(7, &[0], &[("u", "y")])];
    assert_eq!(run(tail, &events), [r#"f#1 f#0 ["x"]"#]);
}

#[test]
fn rows_that_need_no_others_are_alerts_at_once() {
    let stages = vec![
        Stage::Eval(vec![("u".into(), Expr::Field(raw("u"))), ("l".into(), Expr::Field(raw("l")))]),
        Stage::Where(Expr::call(
            lurcher_ir::Function::Not,
            [Expr::call(lurcher_ir::Function::IsNull, [Expr::Column("u".into())])],
        )),
        Stage::Rename(vec![("u".into(), "user".into())]),
        Stage::Expand(lurcher_ir::Expand::all("l")),
    ];
    let events = [event(2, &[0], &[("u", "x"), ("l", "[1,2]")]), event(1, &[0], &[("l", "[1]")])];
    let expected = [r#"f#0 {"user":"x","l":1}"#, r#"f#0 {"user":"x","l":2}"#];
    assert_eq!(run(pipeline(stages), &events), expected);
}

#[test]
fn stages_that_need_all_rows_see_them_in_order_of_time() {
    let first_seen = lurcher_ir::Anomaly::FirstSeen { inputs: vec![Expr::Field(raw("u"))], output: "new".into() };
    let stages = vec![
        Stage::Eval(vec![("u".into(), Expr::Field(raw("u")))]),
        Stage::Anomaly(first_seen),
        Stage::Where(Expr::Column("new".into())),
        Stage::Keep(vec!["u".into()]),
        Stage::Head(2),
    ];
    let events: Vec<Spec> =
        [(9, "x"), (4, "y"), (3, "x"), (2, "y"), (8, "z")].iter().map(|(t, u)| event(*t, &[0], &[("u", u)])).collect();
    assert_eq!(run(pipeline(stages), &events), [r#"f#3 {"u":"y"}"#, r#"f#2 {"u":"x"}"#]);
}

#[test]
fn branches_read_filters_and_earlier_branches() {
    let mark = |text: &str| Stage::Eval(vec![("from".into(), Expr::Literal(Value::text(text)))]);
    let branch =
        |inputs, stages, sink: bool| Branch { inputs, stages, sink: sink.then(|| Sink::Alerts("alerts".into())) };
    let branches = vec![
        branch(vec![Input::Filter(0)], vec![mark("first")], false),
        branch(vec![Input::Filter(1)], vec![mark("second"), Stage::Head(1)], false),
        branch(vec![Input::Branch(0), Input::Branch(1)], vec![], true),
    ];
    let events = [event(1, &[0], &[("a", "1")]), event(3, &[1], &[("a", "1")]), event(2, &[1], &[("a", "1")])];
    let expected = [r#"f#0 {"from":"first"}"#, r#"f#2 {"from":"second"}"#];
    assert_eq!(run(Tail::Pipeline(Pipeline { branches }), &events), expected);
}

#[test]
fn a_stage_without_a_relational_engine_fails_by_name() {
    let stages = vec![Stage::Dedup(lurcher_ir::Dedup::first([Expr::Field(raw("u"))]))];
    let events = [event(1, &[0], &[("u", "x")])];
    let (alerts, stats) = run_files(rule(pipeline(stages)), &[("f", &events)], Settings::default(), 2);
    assert_eq!(alerts, Vec::<String>::new());
    assert_eq!(stats.failed, [(0, "R: the run has no relational engine".to_owned())]);
}

fn specs() -> impl Strategy<Value = Vec<Spec>> {
    let spec = (0..30_i64, prop::sample::subsequence(vec![0_u32, 1, 2], 0..=3), prop::sample::select(vec!["x", "y"]))
        .prop_map(|(time, filters, key)| event(time * 500, &filters, &[("u", key), ("pad", "some more text")]));
    prop::collection::vec(spec, 0..30)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// The invariant of sweeps: threads, files' order, batches and spilling change nothing.
    #[test]
    fn how_events_are_spread_and_kept_changes_nothing(
        one in specs(), two in specs(), rows in 1..7_usize, sample in any::<bool>(),
    ) {
        let key = [("u", false)];
        let steps = vec![step(0, &key), step(1, &key), step(2, &key)];
        let tail = || if sample {
            Tail::Sample { steps: steps.clone(), per_key: 1, limits: Vec::new() }
        } else {
            Tail::Sequence(sequence(steps.clone()))
        };
        let files: [(&str, &[Spec]); 2] = [("one", &one), ("two", &two)];
        let turned: [(&str, &[Spec]); 2] = [("two", &two), ("one", &one)];
        let all = run_files(rule(tail()), &files, Settings::default(), 100).0;
        prop_assert_eq!(&run_files(rule(tail()), &turned, Settings::default(), rows).0, &all);
        let nothing_in_memory = Settings { tail_budget: 0, ..Settings::default() };
        let (spilled, stats) = run_files(rule(tail()), &files, nothing_in_memory, rows);
        prop_assert_eq!(&spilled, &all);
        prop_assert_eq!(stats.unreadable, 0);
    }
}
