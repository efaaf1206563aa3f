//! Runs on the virtual clock: that leaving out runs that would find the same changes nothing, whatever the rule, the
//! schedule and the order in which events come.

use std::time::Duration;

use lurcher_ir::{
    Branch, Distinct, Input, LookBack, MOMENT, Moment, NewTerms, Pipeline, Schedule, Sink, Stage, Suppression,
    Threshold,
};
use lurcher_schema::{RelativeTime, Rounding};
use rustc_hash::FxHashSet;

use super::{Spec, batches, event, raw, rule, sequence, step, *};
use crate::{Compiler, Simulation};

pub(super) fn date(text: &str) -> RelativeTime {
    RelativeTime::from_date_math(text, Rounding::Down).unwrap()
}

/// A rule that runs every so many minutes over so many.
pub(super) fn scheduled(tail: lurcher_ir::Tail, every: u64, back: u64) -> lurcher_ir::Rule {
    let mut rule = rule(tail);
    rule.meta.schedule = Schedule {
        interval: Some(Duration::from_mins(every)),
        look_back: Some(LookBack { from: date(&format!("now-{back}m")), to: RelativeTime::now() }),
        ..Schedule::default()
    };
    rule
}

pub(super) fn tails() -> Vec<lurcher_ir::Tail> {
    let key = [("u", false)];
    vec![
        lurcher_ir::Tail::Events { limits: Vec::new() },
        lurcher_ir::Tail::Sequence(sequence(vec![step(0, &key), step(1, &key)])),
        lurcher_ir::Tail::Sample { steps: vec![step(0, &key), step(1, &key)], per_key: 1, limits: Vec::new() },
        lurcher_ir::Tail::NewTerms(NewTerms { fields: vec![raw("u")], history: date("now-40m") }),
    ]
}

/// Every event from so many minutes before the run up to it, whatever the window.
pub(super) fn looking_back(minutes: u64) -> lurcher_ir::Tail {
    let from = Some(date(&format!("now-{minutes}m")));
    let moment = Moment { from, to: Some(RelativeTime::now()), beside_window: false };
    let branch = Branch {
        inputs: vec![Input::Filter(0)],
        stages: vec![Stage::Moment(moment), Stage::Drop(vec![MOMENT.into()])],
        sink: Some(Sink::Alerts("".into())),
    };
    lurcher_ir::Tail::Pipeline(Pipeline { branches: vec![branch] })
}

fn collect(rules: &Arc<RuleSet>, settings: &Arc<Settings>, files: &[(&str, Vec<Spec>)], rows: usize) -> Vec<Collector> {
    let mut collectors = Vec::new();
    for (path, events) in files {
        let mut collector = Collector::new(Arc::clone(rules), Arc::clone(settings));
        for (batch, filters) in batches(path, events, rows) {
            collector.pass(&batch);
            for (row, filters) in filters.iter().enumerate().filter(|(_, filters)| !filters.is_empty()) {
                let hits: Vec<Hit> = filters.iter().map(|filter| Hit { rule: 0, filter: *filter }).collect();
                collector.take(&batch, row, &hits);
            }
        }
        collectors.push(collector);
    }
    collectors
}

pub(super) fn compiled(rule: lurcher_ir::Rule) -> (Arc<RuleSet>, Arc<Settings>) {
    compiled_until(rule, None)
}

/// The same, with runs up to a time.
pub(super) fn compiled_until(rule: lurcher_ir::Rule, to: Option<Timestamp>) -> (Arc<RuleSet>, Arc<Settings>) {
    let rules = Compiler::new(Arc::clone(&SCHEMAS)).add(Arc::new(rule)).build();
    (rules, Arc::new(Settings { simulation: Some(Simulation { from: None, to }), ..Settings::default() }))
}

/// The ids of all alerts, sorted, and what the runs came to.
pub(super) fn replayed(rule: lurcher_ir::Rule, files: &[(&str, Vec<Spec>)], rows: usize) -> (Vec<Alert>, TailStats) {
    replayed_until(rule, files, rows, None)
}

/// The same, with runs up to a time.
pub(super) fn replayed_until(
    rule: lurcher_ir::Rule,
    files: &[(&str, Vec<Spec>)],
    rows: usize,
    to: Option<Timestamp>,
) -> (Vec<Alert>, TailStats) {
    let (rules, settings) = compiled_until(rule, to);
    let mut alerts: Vec<Alert> = Vec::new();
    let stats = Collector::finish(collect(&rules, &settings, files, rows), &mut alerts);
    alerts.sort_by(|a, b| a.id.cmp(&b.id));
    (alerts, stats)
}

/// How many different matches all runs together find, each made on its own.
fn one_by_one(rule: lurcher_ir::Rule, events: &[Spec]) -> usize {
    let (rules, settings) = compiled(rule);
    let mut collector = collect(&rules, &settings, &[("f", events.to_vec())], 100).remove(0);
    let Some(mut tail) = collector.tails.remove(&0) else { return 0 };
    let rule = &rules.rules()[0];
    let span = span(std::iter::once(&tail), collector.seen).unwrap();
    let runs = Runs::new(&rule.meta.schedule, Simulation::default(), span).unwrap();
    let fields = Fields::new(Arc::clone(rules.schemas()));
    let mut stores = Stores::of(vec![collector.store]);
    let mut share = Share { fields: &fields, stores: &mut stores, settings: &settings, end: settings.now };
    tail.prepare();
    let mut found = FxHashSet::default();
    for run in 0..runs.len() {
        let (matches, _) = tail.find(rule, runs.window(run), runs.at(run), &mut share);
        found.extend(matches.iter().map(RawMatch::key));
    }
    found.len()
}

/// Events of three hours, each told apart by a number.
pub(super) fn events() -> impl Strategy<Value = Vec<Spec>> {
    let one = (0..180_i64, prop::sample::subsequence(vec![0_u32, 1], 1..=2), prop::sample::select(vec!["x", "y"]));
    prop::collection::vec(one, 0..40).prop_map(|events| {
        let numbered = events.into_iter().enumerate().map(|(number, (minute, filters, key))| {
            let number = number.to_string();
            event(minute * 60_000 + 17, &filters, &[("u", key), ("n", number.as_str())])
        });
        numbered.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn leaving_out_runs_that_see_the_same_changes_nothing(
        events in events(), tail in 0..4_usize, every in 1..20_u64, back in 1..60_u64,
    ) {
        let rule = || scheduled(tails().swap_remove(tail), every, back);
        let (alerts, stats) = replayed(rule(), &[("f", events.clone())], 100);
        prop_assert_eq!(alerts.len(), one_by_one(rule(), &events));
        prop_assert_eq!(stats.runs.iter().map(|runs| runs.created).sum::<u64>() as usize, alerts.len());
    }

    #[test]
    fn a_rule_that_says_itself_how_far_it_looks_back_finds_what_its_runs_find(
        events in events(), every in 1..20_u64, back in 1..60_u64, own in 1..90_u64,
    ) {
        let rule = || scheduled(looking_back(own), every, back);
        let (alerts, _) = replayed(rule(), &[("f", events.clone())], 100);
        prop_assert_eq!(alerts.len(), one_by_one(rule(), &events));
    }

    #[test]
    fn how_events_are_spread_over_files_changes_nothing(
        one in events(), two in events(), tail in 0..4_usize, rows in 1..7_usize,
    ) {
        let rule = || scheduled(tails().swap_remove(tail), 5, 9);
        let ids = |files: &[(&str, Vec<Spec>)], rows| {
            replayed(rule(), files, rows).0.into_iter().map(|alert| alert.id).collect::<Vec<_>>()
        };
        let all = ids(&[("one", one.clone()), ("two", two.clone())], 100);
        prop_assert_eq!(ids(&[("two", two), ("one", one)], rows), all);
    }
}

#[test]
fn a_year_of_runs_is_not_a_year_of_work() {
    let year = 365 * 24 * 60 * 60_000;
    let events: Vec<Spec> = (0..2_000).map(|n| event(n * (year / 2_000), &[0], &[("n", &n.to_string())])).collect();
    let start = std::time::Instant::now();
    let (alerts, stats) =
        replayed(scheduled(lurcher_ir::Tail::Events { limits: Vec::new() }, 1, 9), &[("f", events)], 500);
    assert_eq!((alerts.len(), stats.runs[0].hits), (2_000, 2_000));
    assert!(stats.runs[0].runs > 500_000 && stats.runs[0].empty > 400_000, "{:?}", stats.runs);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[test]
fn times_in_a_rule_take_the_place_of_those_of_its_schedule() {
    let events: Vec<Spec> =
        [10, 30, 90].into_iter().map(|minute| event(minute * 60_000, &[0], &[("n", &minute.to_string())])).collect();
    let found = |tail| replayed_until(scheduled(tail, 60, 1), &[("f", events.clone())], 100, None).0.len();
    assert_eq!(found(lurcher_ir::Tail::Events { limits: Vec::new() }), 0);
    assert_eq!(found(looking_back(60)), 3);
    assert_eq!(found(looking_back(40)), 2);
}

#[test]
fn a_threshold_counts_distinct_values_and_suppression_counts_alerts() {
    let threshold =
        Threshold { keys: vec![raw("u")], at_least: 2, distinct: Some(Distinct { field: raw("n"), at_least: 2 }) };
    let events: Vec<Spec> = [(1, "a"), (2, "a"), (11, "b"), (12, "c"), (31, "d"), (32, "e")]
        .into_iter()
        .map(|(minute, n)| event(minute * 60_000, &[0], &[("u", "x"), ("n", n)]))
        .collect();
    let mut rule = scheduled(lurcher_ir::Tail::Threshold(threshold), 10, 10);
    let (alerts, _) = replayed(rule.clone(), &[("f", events.clone())], 100);
    assert_eq!(alerts.len(), 2);
    rule.meta.suppression = Some(Suppression {
        fields: vec!["u".into()],
        each: false,
        period: Some(Duration::from_hours(1)),
        missing: lurcher_ir::MissingFields::Suppress,
    });
    let (alerts, stats) = replayed(rule, &[("f", events)], 100);
    assert_eq!((alerts.len(), alerts[0].suppressed, stats.runs[0].suppressed), (1, 1, 1));
    let span = alerts[0].suppression.as_ref().unwrap();
    assert_eq!((span.start, span.end), (Some(Timestamp(660_000_000)), Some(Timestamp(1_920_000_000))));
}
