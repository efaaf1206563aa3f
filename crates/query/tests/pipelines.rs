//! Pipelines that need a relational engine, from events to alerts: windows, duplicates, sorts, and the events behind
//! each row.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use lurcher_engine::{Alert, Compiler, Route, Scanner, Settings, Simulation};
use lurcher_ir::{
    Aggregate, AggregateColumn, Aggregation, Branch, Case, Dedup, Expr, FieldRef, Function, GroupBy, Input, LookBack,
    Pipeline, Predicate, Rule, RuleBody, RuleMeta, Schedule, Sink, SortKey, Stage, Support, Tail, Test, Window,
    WindowSpan,
};
use lurcher_schema::{
    BatchBuilder, Origin, RawField, RelativeTime, Rounding, Schemas, Shape, Taxonomy, Timestamp, Value,
};

static SCHEMAS: LazyLock<Arc<Schemas>> = LazyLock::new(|| Schemas::builtin().unwrap_or_else(|e| panic!("{e:?}")));

/// Log-ons: time in seconds, host, user, and whether they failed.
const LOGONS: [(i64, &str, &str, &str); 8] = [
    (0, "h1", "ann", "no"),
    (10, "h1", "bob", "no"),
    (50, "h2", "ann", "no"),
    (61, "h1", "ann", "no"),
    (62, "h1", "ann", "yes"),
    (65, "h1", "ann", "no"),
    (119, "h2", "bob", "no"),
    (121, "h1", "eve", "no"),
];

fn field(name: &str) -> Expr {
    Expr::Field(FieldRef::new(Taxonomy::Raw, name))
}

fn time() -> Expr {
    Expr::call(Function::ParseInteger, [field("millis")])
}

fn column(name: &str) -> Expr {
    Expr::Column(name.into())
}

fn rule(stages: Vec<Stage>) -> Arc<Rule> {
    let failed = Predicate::test(FieldRef::new(Taxonomy::Raw, "success"), Test::equals_text("no", Case::Sensitive));
    let sink = Some(Sink::Alerts("alerts".into()));
    let branches = vec![Branch { inputs: vec![Input::Filter(0)], stages, sink }];
    let body = RuleBody { filters: vec![failed], tail: Tail::Pipeline(Pipeline { branches }) };
    let meta = RuleMeta { id: "r".into(), name: "R".to_owned(), ..RuleMeta::default() };
    Arc::new(Rule { meta, body: Some(body), support: Support::default() })
}

/// Runs the rule over the log-ons, as they stand or backwards; each alert as its events' numbers and its values.
fn run_with(stages: Vec<Stage>, backwards: bool, max_evidence: usize) -> Vec<String> {
    let mut builder = BatchBuilder::new(Shape::new([("dialect", "unknown")]), Origin::new("logons"));
    let mut order: Vec<usize> = (0..LOGONS.len()).collect();
    if backwards {
        order.reverse();
    }
    for (ordinal, number) in order.into_iter().enumerate() {
        let (seconds, host, user, success) = LOGONS[number];
        let millis = (seconds * 1000).to_string();
        let fields = [("millis", millis.as_str()), ("host", host), ("user", user), ("success", success)];
        let fields = fields.map(|(name, value)| (name, RawField::Text(value)));
        builder.push(ordinal as u64, number as u64, Some(Timestamp::from_millis(seconds * 1000)), fields);
    }
    let batch = builder.finish().unwrap_or_else(|e| panic!("{e}"));
    let rules = Compiler::new(Arc::clone(&SCHEMAS)).route(Route::Any).add(rule(stages)).build();
    let relational = Some(lurcher_query::relational());
    let settings = Arc::new(Settings { relational, max_evidence, ..Settings::default() });
    let mut scanner = Scanner::new(rules, settings);
    let mut alerts: Vec<Alert> = Vec::new();
    scanner.scan(&batch, &mut alerts);
    let stats = Scanner::finish(vec![scanner], &mut alerts);
    assert_eq!(stats.tails.failed, []);
    let show = |alert: &Alert| {
        let events: Vec<u64> = alert.events.iter().flatten().map(|event| event.reference.record).collect();
        format!("{events:?} of {} {}", alert.event_count, alert.values.to_json())
    };
    alerts.iter().map(show).collect()
}

#[track_caller]
fn check(stages: &[Stage], expected: &[&str]) {
    assert_eq!(run_with(stages.to_vec(), false, 100), expected);
    assert_eq!(run_with(stages.to_vec(), true, 100), expected, "the order of the file must not matter");
}

fn window(size: u64, slide: u64) -> Stage {
    let span = WindowSpan { time: time(), size: Duration::from_secs(size), slide: Duration::from_secs(slide) };
    let count = AggregateColumn::new("failures", Aggregate::Count, []);
    let users = AggregateColumn::new("users", Aggregate::VALUES, [field("user")]);
    Stage::Window(Window {
        keys: vec![("host".into(), field("host"))],
        aggregates: vec![count, users],
        span: Some(span),
    })
}

fn at_least(count: i64) -> Stage {
    let threshold = Expr::Literal(Value::Int(count));
    Stage::Where(Expr::call(Function::LessOrEqual, [threshold, column("failures")]))
}

#[test]
fn a_tumbling_window_counts_and_remembers_its_events() {
    check(
        &[window(60, 60), at_least(2)],
        &[
            r#"[0, 1] of 2 {"host":"h1","failures":2,"users":["ann","bob"],"window_start":0,"window_end":60000}"#,
            r#"[3, 5] of 2 {"host":"h1","failures":2,"users":["ann"],"window_start":60000,"window_end":120000}"#,
        ],
    );
}

#[test]
fn a_row_counts_in_every_sliding_window_that_it_lies_in() {
    check(
        &[window(90, 30), at_least(4), Stage::Keep(vec!["window_start".into()])],
        &[r#"[0, 1, 3, 5] of 4 {"window_start":0}"#],
    );
    check(
        &[window(120, 60), at_least(4), Stage::Keep(vec!["host".into(), "window_start".into()])],
        &[r#"[0, 1, 3, 5] of 4 {"host":"h1","window_start":0}"#],
    );
}

#[test]
fn without_a_window_there_is_one_group_for_each_key() {
    let last = AggregateColumn::new("last", Aggregate::Last, [field("user")]);
    let stage = Window { keys: vec![("host".into(), field("host"))], aggregates: vec![last], span: None };
    check(
        &[Stage::Window(stage)],
        &[r#"[0, 1, 3, 5, 7] of 5 {"host":"h1","last":"eve"}"#, r#"[2, 6] of 2 {"host":"h2","last":"bob"}"#],
    );
}

#[test]
fn a_kept_duplicate_carries_the_events_of_those_that_fell_away() {
    let user = Stage::Eval(vec![("user".into(), field("user"))]);
    check(
        &[user, Stage::Dedup(Dedup::first([column("user")]))],
        &[r#"[0, 2, 3, 5] of 4 {"user":"ann"}"#, r#"[1, 6] of 2 {"user":"bob"}"#, r#"[7] of 1 {"user":"eve"}"#],
    );
}

#[test]
fn a_sort_decides_which_rows_are_the_first() {
    let columns = Stage::Eval(vec![("user".into(), field("user")), ("at".into(), time())]);
    let sort = Stage::Sort(vec![SortKey::new(column("user"), true), SortKey::new(column("at"), false)]);
    check(
        &[columns, sort, Stage::Head(2), Stage::Drop(vec!["at".into()])],
        &[r#"[7] of 1 {"user":"eve"}"#, r#"[1] of 1 {"user":"bob"}"#],
    );
}

#[test]
fn evidence_is_cut_and_its_number_told() {
    let total = AggregateColumn::new("n", Aggregate::Count, []);
    let all = Stage::Window(Window { keys: Vec::new(), aggregates: vec![total], span: None });
    assert_eq!(run_with(vec![all], false, 2), [r#"[0, 1] of 7 {"n":7}"#]);
}

/// Many log-ons of some users, in two files that two threads read, with so much room for what is kept.
fn run_in_room(stages: Vec<Stage>, room: u64) -> (Vec<String>, lurcher_engine::TailStats) {
    let relational = Some(lurcher_query::relational());
    run_settled(rule(stages), Settings { relational, tail_budget: room, ..Settings::default() })
}

fn run_settled(rule: Arc<Rule>, settings: Settings) -> (Vec<String>, lurcher_engine::TailStats) {
    let rules = Compiler::new(Arc::clone(&SCHEMAS)).route(Route::Any).add(rule).build();
    let settings = Arc::new(settings);
    let mut alerts: Vec<Alert> = Vec::new();
    let mut scanners = Vec::new();
    for half in 0..2 {
        let mut scanner = Scanner::new(Arc::clone(&rules), Arc::clone(&settings));
        for part in 0..4 {
            let name = format!("logons {half} {part}");
            let mut builder = BatchBuilder::new(Shape::new([("dialect", "unknown")]), Origin::new(name));
            for number in 0..500 {
                let user = format!("user{}", (number * 7 + half) % 40);
                let host = format!("host{}", number % 3);
                let fields = [("host", host.as_str()), ("user", user.as_str()), ("success", "no")];
                let fields = fields.map(|(name, value)| (name, RawField::Text(value)));
                let time = Timestamp::from_millis((number * 8 + part * 2 + half) * 1000);
                builder.push(number as u64, number as u64, Some(time), fields);
            }
            scanner.scan(&builder.finish().unwrap_or_else(|e| panic!("{e}")), &mut alerts);
        }
        scanners.push(scanner);
    }
    let stats = Scanner::finish(scanners, &mut alerts).tails;
    assert_eq!(stats.failed, []);
    let show = |alert: &Alert| format!("{} {} {}", alert.id, alert.event_count, alert.values.to_json());
    (alerts.iter().map(show).collect(), stats)
}

#[test]
fn rows_beyond_the_budget_go_to_a_file_and_groups_are_the_same() {
    let counted = AggregateColumn::new("logons", Aggregate::Count, []);
    let hosts = AggregateColumn::new("hosts", Aggregate::VALUES, [field("host")]);
    let by = GroupBy { keys: vec![("user".into(), field("user"))], ..GroupBy::nothing() };
    let group = Stage::Aggregate(Aggregation { by, aggregates: vec![counted, hosts], each: Vec::new() });
    let (expected, stats) = run_in_room(vec![group.clone()], 256 << 20);
    assert_eq!((expected.len(), stats.rows_spilled), (40, 0));
    let (found, stats) = run_in_room(vec![group], 100_000);
    assert!(stats.rows_spilled > 100_000, "{stats:?}");
    assert_eq!(found, expected);
    assert_eq!(stats.dropped, []);
}

#[test]
fn rows_that_there_is_no_room_for_are_counted_and_the_latest_stay() {
    let keep = vec![Stage::Project(vec![("user".into(), field("user"))]), Stage::Tail(3)];
    let (expected, stats) = run_in_room(keep.clone(), 256 << 20);
    assert_eq!((expected.len(), stats.dropped), (3, Vec::new()));
    let (found, stats) = run_in_room(keep, 100_000);
    assert_eq!(found, expected);
    let dropped: u64 = stats.dropped.iter().map(|(_, rows)| rows).sum();
    assert!((1_000..4_000).contains(&dropped), "{dropped} of 4,000");
}

#[test]
fn rows_of_runs_on_the_virtual_clock_go_to_the_file_as_well() {
    let counted = AggregateColumn::new("logons", Aggregate::Count, []);
    let by = GroupBy { keys: vec![("user".into(), field("user"))], ..GroupBy::nothing() };
    let group = Stage::Aggregate(Aggregation { by, aggregates: vec![counted], each: Vec::new() });
    let date = |text: &str| RelativeTime::from_date_math(text, Rounding::Down).unwrap_or_else(|| panic!("{text}"));
    let mut hourly = Rule::clone(&rule(vec![group]));
    hourly.meta.schedule = Schedule {
        interval: Some(Duration::from_hours(1)),
        look_back: Some(LookBack { from: date("now-2h"), to: date("now") }),
        ..Schedule::default()
    };
    let hourly = Arc::new(hourly);
    let run = |room| {
        let relational = Some(lurcher_query::relational());
        let simulation = Some(Simulation::default());
        let (mut alerts, stats) = run_settled(
            Arc::clone(&hourly),
            Settings { relational, simulation, tail_budget: room, ..Settings::default() },
        );
        alerts.sort();
        (alerts, stats)
    };
    let (expected, stats) = run(256 << 20);
    assert!(expected.len() > 40, "{}", expected.len());
    assert_eq!(stats.rows_spilled, 0);
    let (found, stats) = run(100_000);
    assert!(stats.rows_spilled > 100_000, "{stats:?}");
    assert_eq!(found, expected);
    assert_eq!((stats.dropped, stats.unreadable), (Vec::new(), 0));
}
