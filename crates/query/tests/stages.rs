//! Every stage of pipelines by an example: what it does with nulls, lists and rows without partners, and which events
//! stand behind its rows. Each pipeline runs over its events as they stand and backwards, and must not show it.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use lurcher_engine::{Alert, Compiler, Route, Scanner, Settings, Table, Tables};
use lurcher_ir::{
    Aggregate, AggregateColumn, AggregateEach, Aggregation, Branch, Case, Collect, CollectOrder, ColumnPattern, Dedup,
    Expand, Expr, FieldRef, ForEachColumn, Function, GroupBy, Input, Join, JoinKind, Judge, ListKeys, Lookup,
    LookupKey, LookupMatch, LookupOutput, LookupRows, MadeName, Model, NamePiece, NullKeys, Pipeline, Pivot, Predicate,
    Rule, RuleBody, RuleMeta, Running, Semi, Sink, SortKey, Stage, Support, Tail, Test, Transaction, model_number,
};
use lurcher_schema::{BatchBuilder, Origin, RawField, Schemas, Shape, Taxonomy, Timestamp, Value};
use serde_json::{Value as Json, json};

static SCHEMAS: LazyLock<Arc<Schemas>> = LazyLock::new(|| Schemas::builtin().unwrap_or_else(|e| panic!("{e:?}")));

fn field(name: &str) -> Expr {
    Expr::Field(FieldRef::new(Taxonomy::Raw, name))
}

fn column(name: &str) -> Expr {
    Expr::Column(name.into())
}

fn number(number: i64) -> Expr {
    Expr::Literal(Value::Int(number))
}

/// Makes columns of these fields.
fn columns(names: &[&str]) -> Stage {
    Stage::Eval(names.iter().map(|name| ((*name).into(), field(name))).collect())
}

fn keep(names: &[&str]) -> Stage {
    Stage::Keep(names.iter().map(|name| ColumnPattern::parse(name)).collect())
}

fn by(names: &[&str]) -> GroupBy {
    GroupBy { keys: names.iter().map(|name| ((*name).into(), field(name))).collect(), ..GroupBy::nothing() }
}

fn branch(inputs: Vec<Input>, stages: Vec<Stage>) -> Branch {
    Branch { inputs, stages, sink: None }
}

/// The tables of every run.
/// A model that says which of two numbers is greater, and by how much.
#[derive(Debug)]
struct Greater([Arc<str>; 2]);

impl Model for Greater {
    fn inputs(&self) -> &[Arc<str>] {
        &self.0
    }

    fn outputs(&self) -> &[Arc<str>] {
        &self.0
    }

    fn judge(&self, inputs: &[Value]) -> Result<Vec<Value>, String> {
        let numbers: Option<Vec<f64>> = inputs.iter().map(model_number).collect();
        let Some([a, b]) = numbers.as_deref() else { return Err("two numbers".to_owned()) };
        Ok(vec![Value::text(if a > b { "first" } else { "second" }), Value::Float((a - b).abs())])
    }
}

fn tables() -> Tables {
    let mut tables = Tables::default();
    tables.insert_model("greater", Arc::new(Greater(["a".into(), "b".into()])));
    let text = |cells: &[&str]| cells.iter().map(|cell| Value::text(*cell)).collect::<Vec<_>>();
    let columns = |names: &[&str]| names.iter().map(|name| Arc::from(*name)).collect::<Vec<Arc<str>>>();
    let tools =
        [text(&["psexec*", "lateral", "high"]), text(&["*.tmp", "odd", "low"]), text(&["PSEXEC.exe", "tool", "mid"])];
    tables.insert("tools", Table::new(columns(&["image", "kind", "level"]), tools));
    let nets = [text(&["10.0.0.0/8", "inside"]), text(&["10.1.0.0/16", "lab"])];
    tables.insert("nets", Table::new(columns(&["net", "zone"]), nets));
    tables
}

/// What a pipeline finds in events, one a second: each row with its event's numbers, and the errors.
fn run_branches(mut branches: Vec<Branch>, events: &[Json], backwards: bool) -> Vec<String> {
    if let Some(last) = branches.last_mut() {
        last.sink = Some(Sink::Alerts("alerts".into()));
        // Rows that wait for no others are matches as they come; this puts them in order.
        last.stages.push(Stage::Head(1_000));
    }
    let filters = vec![Predicate::Constant(true), Predicate::test(FieldRef::new(Taxonomy::Raw, "right"), Test::Exists)];
    let body = RuleBody { filters, tail: Tail::Pipeline(Pipeline { branches }) };
    let meta = RuleMeta { id: "r".into(), name: "R".to_owned(), ..RuleMeta::default() };
    let rule = Arc::new(Rule { meta, body: Some(body), support: Support::default() });
    let mut builder = BatchBuilder::new(Shape::new([("dialect", "unknown")]), Origin::new("events"));
    let mut order: Vec<usize> = (0..events.len()).collect();
    if backwards {
        order.reverse();
    }
    for (ordinal, number) in order.into_iter().enumerate() {
        let members = events[number].as_object().unwrap_or_else(|| panic!("an object")).iter();
        let texts: Vec<(String, String, bool)> = members
            .map(|(name, value)| match value {
                Json::String(text) => (name.clone(), text.clone(), false),
                other => (name.clone(), other.to_string(), true),
            })
            .collect();
        let fields = texts.iter().map(|(name, text, is_json)| {
            (name.as_str(), if *is_json { RawField::Json(text) } else { RawField::Text(text) })
        });
        builder.push(ordinal as u64, number as u64, Some(Timestamp::from_millis(number as i64 * 1000)), fields);
    }
    let batch = builder.finish().unwrap_or_else(|e| panic!("{e}"));
    let rules = Compiler::new(Arc::clone(&SCHEMAS)).route(Route::Any).add(rule).build();
    let relational = Some(lurcher_query::relational());
    let settings = Arc::new(Settings { relational, tables: tables(), ..Settings::default() });
    let mut scanner = Scanner::new(rules, settings);
    let mut alerts: Vec<Alert> = Vec::new();
    if batch.rows() > 0 {
        scanner.scan(&batch, &mut alerts);
    }
    let stats = Scanner::finish(vec![scanner], &mut alerts);
    let show = |alert: &Alert| {
        let mut events: Vec<u64> = alert.events.iter().flatten().map(|event| event.reference.record).collect();
        events.sort_unstable();
        format!("{events:?} {}", alert.values.to_json())
    };
    alerts.iter().map(show).chain(stats.tails.failed.into_iter().map(|(_, why)| why)).collect()
}

#[track_caller]
fn check_branches(branches: &[Branch], events: &Json, expected: &[&str]) {
    let events = events.as_array().map_or(&[][..], Vec::as_slice);
    assert_eq!(run_branches(branches.to_vec(), events, false), expected);
    assert_eq!(run_branches(branches.to_vec(), events, true), expected, "the order of the file must not matter");
}

/// One branch over all events.
#[track_caller]
fn check(stages: &[Stage], events: &Json, expected: &[&str]) {
    check_branches(&[branch(vec![Input::Filter(0)], stages.to_vec())], events, expected);
}

fn people() -> Json {
    json!([
        {"user": "ann", "host": ["h1", "h2"], "n": 3},
        {"user": "bob", "host": "h1", "n": "10"},
        {"host": "h2", "n": 5},
        {"user": "ann", "host": "h1"},
    ])
}

#[test]
fn aggregation_groups_by_null_or_not_and_by_a_list_or_each_of_its_values() {
    let count = || vec![AggregateColumn::new("count", Aggregate::Count, [])];
    let aggregate = |nulls, lists, key| {
        Stage::Aggregate(Aggregation { by: GroupBy { nulls, lists, ..by(&[key]) }, aggregates: count(), each: vec![] })
    };
    check(
        &[aggregate(NullKeys::Group, ListKeys::Whole, "user")],
        &people(),
        &[r#"[0, 3] {"user":"ann","count":2}"#, r#"[1] {"user":"bob","count":1}"#, r#"[2] {"user":null,"count":1}"#],
    );
    check(
        &[aggregate(NullKeys::Drop, ListKeys::Whole, "user")],
        &people(),
        &[r#"[0, 3] {"user":"ann","count":2}"#, r#"[1] {"user":"bob","count":1}"#],
    );
    check(
        &[aggregate(NullKeys::Drop, ListKeys::Each, "host")],
        &people(),
        &[r#"[0, 1, 3] {"host":"h1","count":3}"#, r#"[0, 2] {"host":"h2","count":2}"#],
    );
}

#[test]
fn aggregates_have_filters_of_their_own_and_may_count_each_value_of_a_list() {
    let ann = Expr::call(Function::Equal(Case::Sensitive), [field("user"), Expr::Literal("ann".into())]);
    let plain = |name: &str, function, argument: &str| AggregateColumn::new(name, function, [field(argument)]);
    let aggregates = vec![
        AggregateColumn { filter: Some(ann.clone()), ..AggregateColumn::new("of_ann", Aggregate::Count, []) },
        AggregateColumn { filter: Some(ann), ..plain("hosts_of_ann", Aggregate::VALUES, "host") },
        AggregateColumn { elements: true, ..plain("each", Aggregate::Count, "host") },
        plain("whole", Aggregate::Count, "host"),
        plain("sum", Aggregate::Sum, "n"),
        plain("latest", Aggregate::Latest, "n"),
        plain("most", Aggregate::LooseMax, "n"),
    ];
    check(
        &[Stage::Aggregate(Aggregation { by: GroupBy::nothing(), aggregates, each: vec![] })],
        &people(),
        &[r#"[0, 1, 2, 3] {"of_ann":2,"hosts_of_ann":["h1","h2"],"each":5,"whole":4,"sum":18,"latest":5,"most":10}"#],
    );
}

#[test]
fn aggregating_nothing_yields_one_row_without_keys_and_none_with() {
    let aggregates = || {
        vec![AggregateColumn::new("n", Aggregate::Count, []), AggregateColumn::new("max", Aggregate::Max, [field("n")])]
    };
    let nobody = Stage::Where(Expr::Literal(false.into()));
    let global = Stage::Aggregate(Aggregation { by: GroupBy::nothing(), aggregates: aggregates(), each: vec![] });
    let grouped = Stage::Aggregate(Aggregation { by: by(&["user"]), aggregates: aggregates(), each: vec![] });
    let expected = [r#"[] {"n":0,"max":null}"#];
    check(&[nobody.clone(), global.clone()], &people(), &expected);
    check(&[global], &json!([]), &expected);
    check(&[nobody, grouped], &people(), &[]);
}

#[test]
fn aggregates_over_all_columns_that_fit() {
    let collect = Collect { distinct: true, order: CollectOrder::Text, limit: None, lone: true };
    let each = AggregateEach {
        columns: ColumnPattern::parse("*"),
        function: Aggregate::Collect(collect),
        name: ColumnPattern::parse("all_*"),
        elements: true,
    };
    let by = GroupBy { keys: vec![("user".into(), column("user"))], nulls: NullKeys::Drop, lists: ListKeys::Each };
    check(
        &[Stage::Fields(Taxonomy::Raw), Stage::Aggregate(Aggregation { by, aggregates: vec![], each: vec![each] })],
        &people(),
        &[
            r#"[0, 3] {"user":"ann","all_host":["h1","h2"],"all_n":3}"#,
            r#"[1] {"user":"bob","all_host":"h1","all_n":"10"}"#,
        ],
    );
}

#[test]
fn inline_aggregates_join_the_result_back_to_every_row() {
    let inline = |nulls| {
        let by = GroupBy { nulls, ..by(&["user"]) };
        let aggregates = vec![AggregateColumn::new("rows", Aggregate::Count, [])];
        [Stage::Inline(Aggregation { by, aggregates, each: vec![] })]
    };
    let row = |n, user: &str, rows| format!(r#"[{n}] {{"user":{user},"rows":{rows}}}"#);
    let with =
        |of_null| [row(0, "\"ann\"", "2"), row(1, "\"bob\"", "1"), row(2, "null", of_null), row(3, "\"ann\"", "2")];
    check(&inline(NullKeys::Group), &people(), &with("1").each_ref().map(String::as_str));
    check(&inline(NullKeys::Drop), &people(), &with("null").each_ref().map(String::as_str));
}

#[test]
fn running_aggregates_look_at_the_rows_so_far() {
    let running = |change: &dyn Fn(&mut Running)| {
        let mut running = Running {
            by: GroupBy::nothing(),
            aggregates: vec![AggregateColumn::new("sum", Aggregate::Sum, [field("n")])],
            window: None,
            global: true,
            span: None,
            current: true,
            reset_before: None,
            reset_after: None,
            reset_on_change: false,
        };
        change(&mut running);
        let events = json!([{"k":"a","n":1}, {"k":"b","n":2}, {"k":"a","n":3}, {"k":"a","n":4}, {"k":"b","n":5}]);
        let events = events.as_array().map_or(&[][..], Vec::as_slice);
        let stages = vec![Stage::Running(running)];
        let rows = run_branches(vec![branch(vec![Input::Filter(0)], stages)], events, true);
        rows.iter()
            .map(|row| row.split(':').next_back().unwrap_or_default().replace('}', ""))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let time = || Expr::call(Function::Multiply, [field("n"), number(1000)]);
    assert_eq!(running(&|_| {}), "1 3 6 10 15");
    assert_eq!(running(&|r| r.current = false), "null 1 3 6 10");
    assert_eq!(running(&|r| r.by = by(&["k"])), "1 2 4 8 7");
    assert_eq!(running(&|r| r.window = Some(2)), "1 3 5 7 9");
    assert_eq!(running(&|r| (r.window, r.current) = (Some(2), false)), "null 1 3 5 7");
    assert_eq!(running(&|r| (r.window, r.by) = (Some(2), by(&["k"]))), "1 2 3 7 5");
    assert_eq!(running(&|r| (r.window, r.by, r.global) = (Some(2), by(&["k"]), false)), "1 2 4 7 7");
    assert_eq!(running(&|r| r.span = Some((time(), Duration::from_secs(2)))), "1 3 6 9 12");
    assert_eq!(running(&|r| (r.reset_on_change, r.by) = (true, by(&["k"]))), "1 2 3 7 5");
    let three = || Some(Expr::call(Function::Equal(Case::Sensitive), [field("n"), number(3)]));
    assert_eq!(running(&|r| r.reset_before = three()), "1 3 3 7 12");
    assert_eq!(running(&|r| r.reset_after = three()), "1 3 6 4 9");
}

fn two_sides() -> Json {
    json!([
        {"id": "1", "name": "left one"},
        {"id": 2, "name": "left two"},
        {"name": "left without id"},
        {"right": "x", "key": 1, "name": "first"},
        {"right": "y", "key": "1"},
        {"right": "z", "key": "9"},
    ])
}

/// The rows of the right side as branch 0, and a branch over the left ones.
fn sides(stages: Vec<Stage>) -> Vec<Branch> {
    let lefts = Stage::Where(Expr::call(Function::IsNull, [field("right")]));
    let right = branch(vec![Input::Filter(1)], vec![columns(&["key", "right", "name"])]);
    let left = [lefts, columns(&["id", "name"])].into_iter().chain(stages).collect();
    vec![right, branch(vec![Input::Filter(0)], left)]
}

#[test]
fn joins_keep_what_their_kind_says_and_the_events_of_both_sides() {
    let join = |kind, most, overwrite| {
        let keys = vec![(column("id"), column("key"))];
        sides(vec![Stage::Join(Join { branch: 0, kind, keys, most, overwrite }), keep(&["id", "name", "right"])])
    };
    let first = r#"[0, 3] {"id":"1","name":"first","right":"x"}"#;
    check_branches(&join(JoinKind::Inner, Some(1), true), &two_sides(), &[first]);
    check_branches(
        &join(JoinKind::Inner, None, false),
        &two_sides(),
        &[r#"[0, 3] {"id":"1","name":"left one","right":"x"}"#, r#"[0, 4] {"id":"1","name":"left one","right":"y"}"#],
    );
    let left = [first, r#"[1] {"id":2,"name":"left two"}"#, r#"[2] {"id":null,"name":"left without id"}"#];
    check_branches(&join(JoinKind::Left, Some(1), true), &two_sides(), &left);
    let alone = [r#"[4] {"name":null,"right":"y"}"#, r#"[5] {"name":null,"right":"z"}"#];
    check_branches(&join(JoinKind::Full, Some(1), true), &two_sides(), &[&left[..], &alone].concat());
}

#[test]
fn a_nested_query_is_an_or_over_its_rows_of_an_and_over_their_columns() {
    let semi = |case, wildcards, negated| {
        let columns = vec![("key".into(), field("id")), ("name".into(), field("name"))];
        sides(vec![Stage::Semi(Semi { branch: 0, columns, case, wildcards, negated }), keep(&["name"])])
    };
    let events = json!([
        {"id": "1", "name": "Ann"},
        {"id": "2", "name": "bob"},
        {"id": "3"},
        {"right": "", "key": "1", "name": "ann"},
        {"right": "", "name": "b*"},
        {"right": ""},
    ]);
    let names = |names: &[(usize, &str)]| -> Vec<String> {
        names.iter().map(|(number, name)| format!(r#"[{number}] {{"name":{name}}}"#)).collect()
    };
    let expect = |branches: &[Branch], rows: &[(usize, &str)]| {
        check_branches(branches, &events, &names(rows).iter().map(String::as_str).collect::<Vec<_>>());
    };
    expect(&semi(Case::Sensitive, false, false), &[]);
    expect(&semi(Case::Insensitive, false, false), &[(0, "\"Ann\"")]);
    expect(&semi(Case::Insensitive, true, false), &[(0, "\"Ann\""), (1, "\"bob\"")]);
    expect(&semi(Case::Insensitive, true, true), &[(2, "null")]);
}

#[test]
fn rows_and_columns_of_another_branch_are_put_behind_and_beside() {
    check_branches(
        &sides(vec![Stage::Reverse, Stage::Append(0), keep(&["name"]), Stage::Head(4)]),
        &two_sides(),
        &[
            r#"[2] {"name":"left without id"}"#,
            r#"[1] {"name":"left two"}"#,
            r#"[0] {"name":"left one"}"#,
            r#"[3] {"name":"first"}"#,
        ],
    );
    let beside = |overwrite| {
        sides(vec![Stage::AppendColumns { branch: 0, overwrite }, keep(&["name", "right"]), Stage::Head(1)])
    };
    check_branches(&beside(true), &two_sides(), &[r#"[0, 3] {"name":"first","right":"x"}"#]);
    check_branches(&beside(false), &two_sides(), &[r#"[0, 3] {"name":"left one","right":"x"}"#]);
}

fn lookup(table: &str, key: (&str, &str), matching: LookupMatch) -> Lookup {
    Lookup {
        table: table.into(),
        keys: vec![LookupKey { column: key.0.into(), value: field(key.1), matching }],
        condition: None,
        outputs: None,
        most: 100,
        rows: LookupRows::List,
        overwrite: true,
        least: 0,
        default: None,
    }
}

#[test]
fn a_look_up_finds_by_equality_pattern_or_network() {
    let events = json!([{"image": "psexec.exe", "ip": "10.1.2.3"}, {"image": "x.tmp", "ip": "8.8.8.8"}, {}]);
    let found = |lookup: Lookup, expected: &[&str]| check(&[Stage::Lookup(lookup)], &events, expected);
    let equal = |case| lookup("tools", ("image", "image"), LookupMatch::Equal(case));
    let nothing = r#"{"kind":null,"level":null}"#;
    let (one, two) = (format!("[1] {nothing}"), format!("[2] {nothing}"));
    found(equal(Case::Sensitive), &[&format!("[0] {nothing}"), &one, &two]);
    found(equal(Case::Insensitive), &[r#"[0] {"kind":"tool","level":"mid"}"#, &one, &two]);
    let wildcard = lookup("tools", ("image", "image"), LookupMatch::Wildcard(Case::Insensitive));
    found(
        wildcard.clone(),
        &[r#"[0] {"kind":["lateral","tool"],"level":["high","mid"]}"#, r#"[1] {"kind":"odd","level":"low"}"#, &two],
    );
    let output = vec![LookupOutput { column: "kind".into(), name: "is".into() }];
    let first = Lookup { outputs: Some(output), most: 1, least: 1, default: Some("no".into()), ..wildcard };
    found(first.clone(), &[r#"[0] {"is":"lateral"}"#, r#"[1] {"is":"odd"}"#, r#"[2] {"is":"no"}"#]);
    let two = Lookup { most: 9, least: 2, ..first };
    found(two, &[r#"[0] {"is":["lateral","tool"]}"#, r#"[1] {"is":["odd","no"]}"#, r#"[2] {"is":["no","no"]}"#]);
    let networks = Lookup { rows: LookupRows::Each, ..lookup("nets", ("net", "ip"), LookupMatch::Network) };
    let outside = [r#"[1] {"zone":null}"#, r#"[2] {"zone":null}"#];
    found(networks, &[&[r#"[0] {"zone":"inside"}"#, r#"[0] {"zone":"lab"}"#][..], &outside].concat());
}

#[test]
fn a_look_up_may_ask_a_condition_of_each_row_that_it_would_make() {
    let events = json!([{"image": "A"}, {"image": "x"}, {}]);
    let image = [LookupOutput { column: "image".into(), name: "other".into() }];
    let after = Expr::call(Function::Less, [field("image"), column("other")]);
    let asked = Lookup {
        keys: Vec::new(),
        condition: Some(after),
        outputs: Some(image.to_vec()),
        rows: LookupRows::Each,
        ..lookup("tools", ("image", "image"), LookupMatch::Equal(Case::Sensitive))
    };
    let none = [r#"[1] {"other":null}"#, r#"[2] {"other":null}"#];
    let each = [r#"[0] {"other":"psexec*"}"#, r#"[0] {"other":"PSEXEC.exe"}"#];
    check(&[Stage::Lookup(asked.clone())], &events, &[&each[..], &none].concat());
    // Only rows that meet the condition count.
    let first = Lookup { most: 1, rows: LookupRows::List, ..asked };
    check(&[Stage::Lookup(first)], &events, &[&each[..1], &none].concat());
}

#[test]
fn a_look_up_may_only_fill_in_what_is_null() {
    let events = json!([{"image": "x.tmp", "kind": "mine"}, {"image": "x.tmp"}]);
    let fill =
        Lookup { overwrite: false, ..lookup("tools", ("image", "image"), LookupMatch::Wildcard(Case::Sensitive)) };
    check(
        &[columns(&["kind"]), Stage::Lookup(fill), keep(&["kind"])],
        &events,
        &[r#"[0] {"kind":"mine"}"#, r#"[1] {"kind":"odd"}"#],
    );
}

#[test]
fn a_table_that_is_not_there_is_named() {
    let missing = lookup("assets", ("image", "image"), LookupMatch::Equal(Case::Sensitive));
    check(&[Stage::Lookup(missing)], &json!([]), &["R: there is no table `assets` in this run"]);
    let input = branch(vec![Input::Table("assets".into())], vec![]);
    check_branches(&[input], &json!([{}]), &["R: there is no table `assets` in this run"]);
}

#[test]
fn rows_may_come_from_a_table_or_from_nowhere() {
    let table = branch(vec![Input::Table("nets".into())], vec![keep(&["zone"])]);
    check_branches(&[table], &json!([]), &[r#"[] {"zone":"inside"}"#, r#"[] {"zone":"lab"}"#]);
    let counted = Running {
        by: GroupBy::nothing(),
        aggregates: vec![AggregateColumn::new("n", Aggregate::Count, [])],
        window: None,
        global: true,
        span: None,
        current: true,
        reset_before: None,
        reset_after: None,
        reset_on_change: false,
    };
    let rows = branch(vec![Input::Rows(2)], vec![Stage::Running(counted)]);
    check_branches(&[rows], &json!([]), &[r#"[] {"n":1}"#, r#"[] {"n":2}"#]);
}

#[test]
fn gaps_are_filled() {
    let events = json!([{"a": "x"}, {"b": "y"}, {"a": "z", "b": []}]);
    let fill = Stage::FillNull { columns: vec!["b".into(), "c".into()], value: 0.into() };
    check(
        &[columns(&["a", "b"]), fill],
        &events,
        &[r#"[0] {"a":"x","b":0,"c":0}"#, r#"[1] {"a":null,"b":"y","c":0}"#, r#"[2] {"a":"z","b":0,"c":0}"#],
    );
    let all = Stage::FillNull { columns: vec![ColumnPattern::parse("*")], value: "-".into() };
    check(
        &[Stage::Fields(Taxonomy::Raw), all],
        &events,
        &[r#"[0] {"a":"x","b":"-"}"#, r#"[1] {"b":"y","a":"-"}"#, r#"[2] {"a":"z","b":"-"}"#],
    );
    let down = Stage::FillDown(vec!["a".into()]);
    check(&[columns(&["a"]), down], &events, &[r#"[0] {"a":"x"}"#, r#"[1] {"a":"x"}"#, r#"[2] {"a":"z"}"#]);
}

#[test]
fn lists_become_rows_and_rows_lists() {
    let events = json!([{"k": "a", "v": ["x", "y", "z"]}, {"k": "a"}, {"k": "b", "v": "w"}]);
    let expand = Stage::Expand(Expand { column: "v".into(), limit: Some(2) });
    check(
        &[columns(&["k", "v"]), expand.clone()],
        &events,
        &[
            r#"[0] {"k":"a","v":"x"}"#,
            r#"[0] {"k":"a","v":"y"}"#,
            r#"[1] {"k":"a","v":null}"#,
            r#"[2] {"k":"b","v":"w"}"#,
        ],
    );
    check(
        &[columns(&["k", "v"]), expand, Stage::Collapse("v".into())],
        &events,
        &[r#"[0, 1] {"k":"a","v":["x","y"]}"#, r#"[2] {"k":"b","v":"w"}"#],
    );
}

#[test]
fn values_become_columns_and_columns_rows() {
    let events = json!([
        {"t": 1, "k": "b", "n": 5}, {"t": 1, "k": "a", "n": 1}, {"t": 2, "k": "b", "n": 2}, {"t": 2, "n": 9},
    ]);
    let pivot = |null: Option<&str>, most, other: Option<&str>| {
        Stage::Pivot(Pivot {
            keys: vec!["t".into()],
            names: "k".into(),
            values: vec!["n".into()],
            separator: ": ".into(),
            null: null.map(Arc::from),
            most,
            other: other.map(Arc::from),
            missing: 0.into(),
        })
    };
    let columns = columns(&["t", "k", "n"]);
    check(
        &[columns.clone(), pivot(None, None, None)],
        &events,
        &[r#"[0, 1] {"t":1,"a":1,"b":5}"#, r#"[2, 3] {"t":2,"a":0,"b":2}"#],
    );
    check(
        &[columns.clone(), pivot(Some("NULL"), Some(1), Some("OTHER"))],
        &events,
        &[r#"[0, 1] {"t":1,"NULL":0,"OTHER":6}"#, r#"[2, 3] {"t":2,"NULL":9,"OTHER":2}"#],
    );
    let unpivot = Stage::Unpivot { keep: vec!["t".into()], name: "column".into(), value: "value".into() };
    check(
        &[columns, unpivot, Stage::Head(2)],
        &events,
        &[r#"[0] {"t":1,"column":"k","value":"b"}"#, r#"[0] {"t":1,"column":"n","value":5}"#],
    );
}

#[test]
fn columns_are_kept_dropped_renamed_and_set_by_pattern() {
    let events = json!([{"p.a": 1, "p.b": 2, "q": 3}]);
    let all = Stage::Fields(Taxonomy::Raw);
    check(&[all.clone(), keep(&["q", "p.*"])], &events, &[r#"[0] {"q":3,"p.a":1,"p.b":2}"#]);
    check(&[all.clone(), Stage::Drop(vec![ColumnPattern::parse("*.b")])], &events, &[r#"[0] {"p.a":1,"q":3}"#]);
    let rename =
        Stage::Rename(vec![(ColumnPattern::parse("p.*"), ColumnPattern::parse("*")), ("a".into(), "q".into())]);
    check(&[all.clone(), rename], &events, &[r#"[0] {"q":1,"b":2}"#]);
    let twice = MadeName(vec![NamePiece::Text("twice_".into()), NamePiece::Whole]);
    let each = Stage::ForEachColumn(ForEachColumn {
        columns: vec![ColumnPattern::parse("p.*")],
        texts: vec![("TEXT".into(), MadeName(vec![NamePiece::Text("of ".into()), NamePiece::Segment(0)]))],
        reads: vec![("FIELD".into(), MadeName(vec![NamePiece::Whole])), ("SEEN".into(), twice.clone())],
        sets: vec![
            (twice, Expr::call(Function::Add, [column("FIELD"), column("FIELD")])),
            (MadeName(vec![NamePiece::Matched]), Expr::List(vec![column("TEXT"), column("SEEN")])),
        ],
    });
    let expected = r#"[0] {"p.a":1,"p.b":2,"q":3,"twice_p.a":2,"a":["of a",2],"twice_p.b":4,"b":["of b",4]}"#;
    check(&[all, each], &events, &[expected]);
}

#[test]
fn rows_are_ordered_cut_and_freed_of_duplicates() {
    let events = json!([{"n": "10"}, {"n": "9"}, {}, {"n": 9}, {"n": "x"}]);
    let sort = |descending, nulls_first, loose| {
        [columns(&["n"]), Stage::Sort(vec![SortKey { expr: column("n"), descending, nulls_first, loose }])]
    };
    let order = |stages: &[Stage], expected: &str| {
        let events = events.as_array().map_or(&[][..], Vec::as_slice);
        let rows = run_branches(vec![branch(vec![Input::Filter(0)], stages.to_vec())], events, true);
        let numbers = rows.iter().map(|row| row.split(" {").next().unwrap_or_default());
        assert_eq!(numbers.collect::<Vec<_>>().join(""), expected);
    };
    order(&sort(false, false, true), "[1][3][0][4][2]");
    order(&sort(true, true, true), "[2][4][0][1][3]");
    order(&[columns(&["n"]), Stage::Tail(2)], "[3][4]");
    order(&[columns(&["n"]), Stage::Reverse, Stage::Head(2)], "[4][3]");
    let text = || Expr::call(Function::ToText, [field("n")]);
    order(&[Stage::Dedup(Dedup::first([text()]))], "[0][1, 3][2][4]");
    order(&[Stage::Dedup(Dedup { keys: vec![text()], keep: 2, consecutive: false })], "[0][1][2][3][4]");
    order(&[Stage::Dedup(Dedup { keys: vec![text()], keep: 1, consecutive: true })], "[0][1][2][3][4]");
}

#[test]
fn a_transaction_groups_rows_from_the_last_to_the_first() {
    let is =
        |text: &str| Some(Expr::call(Function::Equal(Case::Sensitive), [field("what"), Expr::Literal(text.into())]));
    let transaction = |change: &dyn Fn(&mut Transaction)| {
        let mut words = Transaction {
            keys: vec![("user".into(), field("user"))],
            time: None,
            starts: None,
            ends: None,
            max_span: None,
            max_pause: None,
            max_events: None,
            keep_incomplete: false,
            lists: false,
            duration: "duration".into(),
            count: "eventcount".into(),
            complete: "closed_txn".into(),
        };
        change(&mut words);
        [columns(&["what"]), Stage::Transaction(words)]
    };
    let events = json!([
        {"user": "ann", "what": "in"},
        {"user": "bob", "what": "in"},
        {"user": "ann", "what": "use"},
        {"user": "ann", "what": "out"},
        {"user": "bob", "what": "use"},
        {"what": "use"},
        {"user": "ann", "what": "in"},
    ]);
    check(
        &transaction(&|_| {}),
        &events,
        &[
            r#"[0, 2, 3, 6] {"user":"ann","what":["in","out","use"],"duration":6,"eventcount":4,"closed_txn":1}"#,
            r#"[1, 4] {"user":"bob","what":["in","use"],"duration":3,"eventcount":2,"closed_txn":1}"#,
        ],
    );
    check(
        &transaction(&|words| (words.starts, words.ends) = (is("in"), is("out"))),
        &events,
        &[r#"[0, 2, 3] {"user":"ann","what":["in","out","use"],"duration":3,"eventcount":3,"closed_txn":1}"#],
    );
    check(
        &transaction(&|words| (words.max_pause, words.lists) = (Some(Duration::from_secs(2)), true)),
        &events,
        &[
            r#"[0, 2, 3] {"user":"ann","what":["in","use","out"],"duration":3,"eventcount":3,"closed_txn":1}"#,
            r#"[1] {"user":"bob","what":"in","duration":0,"eventcount":1,"closed_txn":1}"#,
            r#"[4] {"user":"bob","what":"use","duration":0,"eventcount":1,"closed_txn":1}"#,
            r#"[6] {"user":"ann","what":"in","duration":0,"eventcount":1,"closed_txn":1}"#,
        ],
    );
}

#[test]
fn a_model_judges_by_numbers_and_is_silent_where_one_is_missing() {
    let events = json!([{"a": 3, "b": "1.5"}, {"a": 1, "b": true}, {"a": 1}, {"a": "x", "b": 1}]);
    let judge = |model: &str, outputs: &[&str]| {
        let outputs = outputs.iter().map(|name| (*name).into()).collect();
        Stage::Judge(Judge { model: model.into(), inputs: vec![field("a"), field("b")], outputs })
    };
    let nothing = r#"{"which":null,"by":null}"#;
    check(
        &[judge("greater", &["which", "by"])],
        &events,
        &[
            r#"[0] {"which":"first","by":1.5}"#,
            r#"[1] {"which":"second","by":0.0}"#,
            &format!("[2] {nothing}"),
            &format!("[3] {nothing}"),
        ],
    );
    check(&[judge("other", &["x", "y"])], &json!([]), &["R: there is no model `other` in this run"]);
    check(&[judge("greater", &["x"])], &json!([]), &["R: the model `greater` takes 2 fields and says 2 things"]);
}
