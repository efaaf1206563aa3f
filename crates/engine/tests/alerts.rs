//! What an alert says: its id, its texts, its entities, its severity; and which rules a scanner gives which events.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use lurcher_engine::{
    Alert, Compiler, FilterPlan, Match, Route, Scanner, Settings,
    explain::{Reason, explain},
};
use lurcher_ir::{
    Case, Entity, EntityRole, EntityType, FieldRef, OverrideMapping, Predicate, Rule, RuleBody, RuleMeta, Sequence,
    Severity, Sources, Step, Support, Tail, Test,
};
use lurcher_schema::{BatchBuilder, Event, EventBatch, Origin, RawField, Schemas, Shape, Taxonomy, Timestamp, Value};

fn batch(attributes: &[(&str, &str)], path: &str, events: &[&[(&str, &str)]]) -> EventBatch {
    let mut builder = BatchBuilder::new(Shape::new(attributes.iter().copied()), Origin::new(path));
    for (row, event) in events.iter().enumerate() {
        let time = Timestamp(1_000_000 * row as i64);
        let fields = event.iter().map(|(name, value)| (*name, RawField::Text(value)));
        builder.push(row as u64, row as u64 + 1, Some(time), fields);
    }
    builder.finish().unwrap()
}

fn event(fields: &[(&str, &str)]) -> Event {
    batch(&[("dialect", "unknown")], "a.json", &[fields]).event(0)
}

fn raw(name: &str) -> FieldRef {
    FieldRef::new(Taxonomy::Raw, name)
}

fn rule(predicate: Predicate, change: impl FnOnce(&mut RuleMeta)) -> Arc<Rule> {
    let mut meta = RuleMeta { id: "r".into(), name: "A rule".into(), risk_score: 21.0, ..RuleMeta::default() };
    change(&mut meta);
    let body = RuleBody { filters: vec![predicate], tail: Tail::Events { limits: Vec::new() } };
    Arc::new(Rule { meta, body: Some(body), support: Support::default() })
}

fn user_exists() -> Predicate {
    Predicate::test(raw("user"), Test::Exists)
}

fn alert(rule: &Arc<Rule>, event: Event) -> Alert {
    let found = Match { events: vec![Some(event)], event_count: 1, ..Match::default() };
    Alert::new(rule, &Schemas::builtin().unwrap(), found)
}

#[test]
fn messages_are_filled_from_the_row_then_from_the_event() {
    let rule = rule(user_exists(), |meta| {
        meta.message.template = "$user$ ran {{ process }} on $dest$ for $5, $$, ${x}$".into();
    });
    let mut found = Match { events: vec![Some(event(&[("user", "eve"), ("process", "p")]))], ..Match::default() };
    found.values.insert("process", Value::list(["q".into(), 7.into()]));
    let alert = Alert::new(&rule, &Schemas::builtin().unwrap(), found);
    assert_eq!(alert.message, "eve ran q, 7 on - for $5, $$, ${x}$");
}

#[test]
fn a_rule_without_a_message_gets_a_sentence() {
    assert_eq!(alert(&rule(user_exists(), |_| {}), event(&[("user", "eve")])).message, "A rule: one event matched.");
}

#[test]
fn entities_are_those_that_have_values() {
    let entity = |field: &str| Entity {
        field: field.into(),
        kind: EntityType::User,
        role: EntityRole::Victim,
        score: Some(8.0),
    };
    let rule = rule(user_exists(), |meta| meta.entities = vec![entity("user"), entity("dest"), entity("user")]);
    let entities = alert(&rule, event(&[("user", "eve")])).entities;
    assert_eq!(entities.iter().map(|e| (e.field.as_str(), e.value.as_str())).collect::<Vec<_>>(), [("user", "eve")]);
}

#[test]
fn the_highest_override_that_fits_wins() {
    let map = |equals: &str, then: Value| OverrideMapping { field: "level".into(), equals: equals.into(), then };
    let rule = rule(user_exists(), |meta| {
        meta.severity_mapping = vec![map("9", "critical".into()), map("9", "low".into()), map("8", "high".into())];
        // Of scores the first mapping counts, and only the field's own number.
        let of = |field: &str| OverrideMapping { field: field.into(), ..map("7", Value::Int(99)) };
        meta.risk_score_mapping = vec![of("level"), of("other")];
        meta.name_override = Some("title".into());
    });
    let high = alert(&rule, event(&[("user", "eve"), ("level", "9"), ("other", "50"), ("title", "T")]));
    assert_eq!((high.severity, high.risk_score, high.name.as_str()), (Severity::Critical, 9.0, "T"));
    let none = alert(&rule, event(&[("user", "eve"), ("level", "900")]));
    assert_eq!((none.severity, none.risk_score, none.name.as_str()), (Severity::Low, 21.0, "A rule"));
}

#[test]
fn ids_tell_what_happened_not_where_it_was_read() {
    let windows = [("dialect", "windows"), ("channel", "Security"), ("event_id", "4688")];
    let fields = [("EventID", "4688"), ("EventRecordID", "7"), ("EventData.NewProcessName", "a.exe")];
    let mut shipped = fields.to_vec();
    shipped.extend([("Message", "A new process"), ("Shipper.port", "9"), ("Keywords", "0x80")]);
    shipped.reverse();
    let id = |path: &str, fields: &[(&str, &str)]| {
        alert(&rule(user_exists(), |_| {}), batch(&windows, path, &[fields]).event(0)).id
    };
    assert_eq!(id("a.evtx", &fields), id("b.json", &shipped));
    let mut other = fields;
    other[1].1 = "8";
    assert_ne!(id("a.evtx", &fields), id("a.evtx", &other));
    let newer = rule(user_exists(), |meta| meta.version = "2".into());
    assert_ne!(alert(&newer, batch(&windows, "a.evtx", &[&fields]).event(0)).id, id("a.evtx", &fields));
    assert_eq!(id("a.evtx", &fields).len(), 32);
}

#[test]
fn ids_do_not_depend_on_how_many_events_an_alert_shows() {
    let filter = user_exists();
    let step = |filter: usize| Step { filter, keys: Vec::new(), missing: false };
    let sequence = Sequence { steps: vec![step(0), step(0)], until: None, max_span: None, limits: Vec::new() };
    let body = RuleBody { filters: vec![filter], tail: Tail::Sequence(sequence) };
    let meta = RuleMeta { id: "r".into(), ..RuleMeta::default() };
    let rule = Arc::new(Rule { meta, body: Some(body), support: Support::default() });
    let events = batch(&[("dialect", "unknown")], "a.json", &[&[("user", "eve")], &[("user", "bob")]]);
    let run = |max_evidence: usize| {
        let rules = Compiler::new(Schemas::builtin().unwrap()).route(Route::Any).add(Arc::clone(&rule)).build();
        let mut scanner = Scanner::new(rules, Arc::new(Settings { max_evidence, ..Settings::default() }));
        let mut alerts: Vec<Alert> = Vec::new();
        scanner.scan(&events, &mut alerts);
        Scanner::finish(vec![scanner], &mut alerts);
        alerts.remove(0)
    };
    let (one, all) = (run(1), run(100));
    assert_eq!((one.events.len(), all.events.len()), (1, 2));
    assert_eq!(one.id, all.id);
}

#[test]
fn strict_routing_gives_a_rule_only_the_sources_that_it_names() {
    let elastic = rule(user_exists(), |meta| meta.sources = Sources::Indices(vec!["logs-endpoint.*".into()]));
    let scan = |route, index: &str| {
        let rules = Compiler::new(Schemas::builtin().unwrap()).route(route).add(Arc::clone(&elastic)).build();
        let batch = batch(&[("dialect", "unknown"), ("index", index)], "a", &[&[("user", "eve")], &[("x", "y")]]);
        let mut alerts: Vec<Alert> = Vec::new();
        let mut scanner = Scanner::new(Arc::clone(&rules), Arc::new(Settings::default()));
        scanner.scan(&batch, &mut alerts);
        let stats = Scanner::finish(vec![scanner], &mut alerts);
        assert_eq!(stats.matches, alerts.len() as u64);
        (alerts.len(), rules.plan(0, batch.shape()).remove(&0).unwrap())
    };
    let witnessed = FilterPlan::Witnessed(vec![(raw("user"), Test::Exists)]);
    assert_eq!(scan(Route::Strict, "logs-endpoint.events.process-default"), (1, witnessed.clone()));
    assert_eq!(scan(Route::Strict, "winlogbeat-default"), (0, FilterPlan::NotRouted));
    assert_eq!(scan(Route::Any, "winlogbeat-default"), (1, witnessed));
}

#[test]
fn a_plan_says_what_a_shape_decides() {
    let missing = FieldRef::new(Taxonomy::Ecs, "no.such.field");
    let predicates = [
        Predicate::test(missing.clone(), Test::Exists),
        Predicate::test(missing, Test::Exists).negate(),
        user_exists().negate(),
    ];
    let rules = predicates.map(|predicate| rule(predicate, |_| {}));
    let set = Compiler::new(Schemas::builtin().unwrap()).add_all(rules).build();
    let shape = Shape::new([("dialect", "windows"), ("event_id", "1")]);
    let plans = [0, 1, 2].map(|rule| set.plan(rule, &shape).remove(&0).unwrap());
    assert_eq!(plans, [FilterPlan::Never, FilterPlan::Always, FilterPlan::Unwitnessed]);
    assert_eq!(set.unwitnessed(&shape), [1, 2]);
    assert_eq!(set.raw_fields(&shape), ["user".into()]);
}

#[test]
fn an_explanation_shows_every_part_with_its_value() {
    let predicate = Predicate::all([
        Predicate::test(raw("user"), Test::equals_text("EVE", Case::Insensitive)),
        Predicate::test(raw("dest"), Test::Exists).negate(),
    ]);
    let explained = explain(&predicate, &event(&[("user", "eve")]), &Schemas::builtin().unwrap(), Timestamp(0));
    assert!(explained.holds);
    let Reason::All(parts) = explained.reason else { panic!("not a conjunction") };
    assert!(matches!(&parts[0].reason, Reason::Test { value, .. } if *value == Value::text("eve")));
    let Reason::Not(inner) = &parts[1].reason else { panic!("not a negation") };
    assert!(parts[1].holds && !inner.holds);
}
