//! Live runs: that in the end they find what the virtual clock finds, however events come in, and that they do not wait
//! for runs that they do not need.

use std::time::Duration;

use lurcher_ir::{
    Correlation, CorrelationCondition, CorrelationInput, CorrelationRead, Measure, Suppression, Threshold,
};

use super::{
    replay::{compiled, events, looking_back, replayed, replayed_until, scheduled, tails},
    *,
};
use crate::LedgerEntry;

/// What a live run says, in order.
#[derive(Default)]
struct Told {
    alerts: Vec<Alert>,
    counted: Vec<(String, u64)>,
    ledger: Vec<LedgerEntry>,
}

impl AlertSink for Told {
    fn alert(&mut self, alert: Alert) {
        self.alerts.push(alert);
    }

    fn counted(&mut self, alert: &Alert) {
        self.counted.push((alert.id.clone(), alert.suppressed));
    }

    fn ledger(&mut self, entry: &LedgerEntry) {
        self.ledger.push(*entry);
    }
}

impl Told {
    fn ids(&self) -> Vec<String> {
        let mut ids: Vec<String> = self.alerts.iter().map(|alert| alert.id.clone()).collect();
        ids.sort();
        ids
    }
}

const LATENESS: Duration = Duration::from_hours(24);

fn live(rule: Rule) -> Live {
    let (rules, settings) = compiled(rule);
    Live::new(rules, &settings, Timestamp(0), LATENESS)
}

/// Feeds events in blocks of these sizes; each block arrives with its last event. Runs are made as soon as they are due.
fn feed(live: &mut Live, events: &[Spec], blocks: &[usize]) -> Told {
    feed_with_time(live, events, blocks, &[true])
}

/// The same; after some of the blocks there is time for the runs that are due, and after others there is not.
fn feed_with_time(live: &mut Live, events: &[Spec], blocks: &[usize], time: &[bool]) -> Told {
    let mut told = Told::default();
    let mut time = time.iter().copied().cycle();
    let mut sizes = blocks.iter().copied().cycle();
    let mut rest = events;
    let mut from = 0;
    let (batch, filters) = batches("s", events, events.len()).into_iter().next().unzip();
    while !rest.is_empty() {
        let (block, after) = rest.split_at(sizes.next().unwrap_or(1).clamp(1, rest.len()));
        let received = block.iter().filter_map(|event| event.time).max().unwrap_or(0);
        live.pass(Timestamp::from_millis(received), &mut told);
        if time.next() == Some(true) {
            live.make_some(&mut told, &mut |_| true);
        }
        for row in from..from + block.len() {
            let (Some(batch), Some(filters)) = (&batch, &filters) else { break };
            let filters: &Vec<Vec<u32>> = filters;
            let hits: Vec<Hit> = filters[row].iter().map(|filter| Hit { rule: 0, filter: *filter }).collect();
            live.scanner.collector().take(batch, row, &hits);
        }
        live.look_at_new(&mut told);
        from += block.len();
        rest = after;
    }
    live.advance(end(events), &mut told);
    told
}

/// Three hours after the last event.
fn end(events: &[Spec]) -> Timestamp {
    Timestamp::from_millis(events.iter().filter_map(|event| event.time).max().unwrap_or(0) + 3 * 3_600_000)
}

fn in_order(mut events: Vec<Spec>) -> Vec<Spec> {
    events.sort_by_key(|event| event.time);
    events
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn what_comes_in_order_is_found_as_on_the_virtual_clock(
        events in events(), tail in 0..6_usize, every in 1..20_u64, back in 1..60_u64, most in 1..6_u64,
    ) {
        let events = in_order(events);
        let mut tails = tails();
        tails.push(Tail::Threshold(Threshold { keys: vec![raw("u")], at_least: 2, distinct: None }));
        tails.push(looking_back(back / 2 + every));
        let mut rule = scheduled(tails.swap_remove(tail), every, back);
        rule.meta.schedule.max_alerts = (most < 5).then_some(most * 2);
        let (alerts, stats) = replayed_until(rule.clone(), &[("s", events.clone())], 100, Some(end(&events)));
        let told = feed(&mut live(rule), &events, &[1]);
        prop_assert_eq!(told.ids(), alerts.into_iter().map(|alert| alert.id).collect::<Vec<_>>());
        let created = told.ledger.iter().map(|entry| entry.created).sum::<u64>();
        prop_assert_eq!(created, stats.runs.iter().map(|runs| runs.created).sum::<u64>());
    }

    #[test]
    fn how_many_come_together_changes_nothing(
        events in events(), tail in 0..2_usize, every in 1..20_u64, blocks in prop::collection::vec(1..9_usize, 1..5),
    ) {
        let events = in_order(events);
        let rule = || scheduled(tails().swap_remove(tail), every, every + 5);
        let one_by_one = feed(&mut live(rule()), &events, &[1]).ids();
        let together = feed(&mut live(rule()), &events, &blocks).ids();
        prop_assert_eq!(together, one_by_one);
    }

    #[test]
    fn when_runs_are_made_changes_nothing(
        events in events(), delays in prop::collection::vec(0..40_000_i64, 40), tail in 0..6_usize, every in 1..4_u64,
        back in 1..6_u64, time in prop::collection::vec(any::<bool>(), 1..8),
    ) {
        // A quarter of an hour, in which events come up to 40 seconds late.
        let mut arriving: Vec<(i64, Spec)> = Vec::new();
        for (mut event, delay) in events.into_iter().zip(delays) {
            event.time = event.time.map(|time| time / 12);
            arriving.push((event.time.unwrap_or(0) + delay, event));
        }
        arriving.sort_by_key(|(arrival, _)| *arrival);
        let events: Vec<Spec> = arriving.into_iter().map(|(_, event)| event).collect();
        let rule = || {
            let mut tails = tails();
            tails.push(Tail::Threshold(Threshold { keys: vec![raw("u")], at_least: 2, distinct: None }));
            tails.push(looking_back(back / 2 + every));
            scheduled(tails.swap_remove(tail), every, back)
        };
        let at_once = feed(&mut live(rule()), &events, &[1]);
        let late = feed_with_time(&mut live(rule()), &events, &[1], &time);
        prop_assert_eq!(late.ids(), at_once.ids());
        let lines = |told: &Told| {
            let lines = told.ledger.iter().map(|entry| (entry.time, entry.late, entry.created, entry.hits, entry.known));
            lines.collect::<BTreeSet<_>>()
        };
        prop_assert_eq!(lines(&late), lines(&at_once));
    }

    #[test]
    fn single_events_are_found_whatever_order_they_come_in(events in events(), every in 1..20_u64) {
        let rule = || scheduled(Tail::Events { limits: Vec::new() }, every, every);
        let ordered = feed(&mut live(rule()), &in_order(events.clone()), &[1]).ids();
        prop_assert_eq!(feed(&mut live(rule()), &events, &[3]).ids(), ordered);
    }
}

#[test]
fn an_event_is_alerted_before_its_run_is_due() {
    let mut live = live(scheduled(Tail::Events { limits: Vec::new() }, 5, 9));
    let mut told = Told::default();
    let (batch, _) = batches("s", &[event(61_000, &[0], &[("n", "1")])], 1).remove(0);
    live.advance(Timestamp::from_millis(61_500), &mut told);
    live.scanner.collector().take(&batch, 0, &[Hit { rule: 0, filter: 0 }]);
    live.look_at_new(&mut told);
    assert_eq!(told.alerts.len(), 1);
    assert_eq!(told.alerts[0].detected, Some(Timestamp::from_millis(61_500)));
    assert_eq!(live.due(), Some(Timestamp::from_millis(300_000)));
    live.advance(Timestamp::from_millis(600_000), &mut told);
    assert_eq!((told.alerts.len(), told.ledger.len()), (1, 2), "{:?}", told.ledger);
    assert_eq!((told.ledger[0].created, told.ledger[0].hits, told.ledger[1].known), (1, 1, 1));
}

#[test]
fn a_sequence_is_alerted_when_it_is_complete_even_if_its_first_part_came_last() {
    let rule = || scheduled(Tail::Sequence(sequence(vec![step(0, &[("u", false)]), step(1, &[("u", false)])])), 5, 9);
    let first = event(60_000, &[0], &[("u", "x")]);
    let second = event(62_000, &[1], &[("u", "x")]);
    let told = feed(&mut live(rule()), &[first.clone(), second.clone()], &[1]);
    assert_eq!((told.alerts.len(), told.alerts[0].detected), (1, Some(Timestamp::from_millis(62_000))));
    let told = feed(&mut live(rule()), &[second, first], &[1]);
    assert_eq!((told.alerts.len(), told.alerts[0].detected), (1, Some(Timestamp::from_millis(62_000 + 3 * 3_600_000))));
}

#[test]
fn a_late_event_makes_the_run_look_again_that_would_have_seen_it() {
    let threshold = Tail::Threshold(Threshold { keys: vec![raw("u")], at_least: 2, distinct: None });
    let events =
        [event(60_000, &[0], &[("u", "x")]), event(3_600_000, &[0], &[("u", "y")]), event(61_000, &[0], &[("u", "x")])];
    let mut live = live(scheduled(threshold, 5, 5));
    let told = feed(&mut live, &events, &[1]);
    assert_eq!(told.alerts.len(), 1);
    assert_eq!(told.alerts[0].event_count, 2);
    let late: Vec<&LedgerEntry> = told.ledger.iter().filter(|entry| entry.late > 0).collect();
    assert_eq!((late.len(), late[0].time, late[0].created), (1, Timestamp::from_millis(300_000), 1));
    assert_eq!(live.health()[0].late, 1);
}

#[test]
fn what_a_group_counts_is_told_as_it_comes() {
    let mut rule = scheduled(Tail::Events { limits: Vec::new() }, 5, 9);
    rule.meta.suppression = Some(Suppression {
        fields: vec!["u".into()],
        each: false,
        period: Some(Duration::from_hours(1)),
        missing: lurcher_ir::MissingFields::Suppress,
    });
    let events: Vec<Spec> =
        (0..4).map(|n| event(60_000 * n + 1000, &[0], &[("u", "x"), ("n", &n.to_string())])).collect();
    let told = feed(&mut live(rule), &events, &[1]);
    assert_eq!(told.alerts.len(), 1);
    assert_eq!(told.counted.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(told.counted.iter().all(|(id, _)| *id == told.alerts[0].id));
}

#[test]
fn a_correlation_that_goes_on_is_one_alert_and_the_same_as_in_a_file() {
    let read = CorrelationRead { keys: vec![raw("u")], values: Vec::new() };
    let correlation = Correlation {
        inputs: vec![CorrelationInput::Filter {
            filter: 0,
            sources: lurcher_ir::Sources::default(),
            reads: vec![read],
        }],
        keys: vec!["u".into()],
        span: Some(Duration::from_mins(5)),
        condition: CorrelationCondition::Measure {
            measure: Measure::Events,
            comparisons: vec![(lurcher_ir::Comparison::GreaterOrEqual, 3.0)],
        },
    };
    let rule = || rule(Tail::Correlation(correlation.clone()));
    let events: Vec<Spec> =
        (0..200).map(|n| event(60_000 * n + 1000, &[0], &[("u", "x"), ("n", &n.to_string())])).collect();
    let told = feed(&mut live(rule()), &events, &[1]);
    let (whole, _) = replayed(rule(), &[("s", events)], 100);
    assert_eq!(told.ids(), whole.into_iter().map(|alert| alert.id).collect::<Vec<_>>());
    assert_eq!(told.alerts.len(), 1);
    assert!(told.alerts[0].detected < Some(Timestamp::from_millis(5 * 60_000)), "{:?}", told.alerts[0].detected);
}

#[test]
fn what_no_run_can_see_any_more_is_forgotten_and_new_terms_remember() {
    let events: Vec<Spec> = (0..2_000)
        .map(|n| event(60_000 * n, &[0], &[("u", ["x", "y"][(n % 2) as usize]), ("n", &n.to_string())]))
        .collect();
    for tail in tails() {
        let terms = matches!(tail, Tail::NewTerms(_));
        let (rules, settings) = compiled(scheduled(tail, 5, 9));
        let mut live = Live::new(rules, &settings, Timestamp(0), Duration::from_mins(1));
        let told = feed(&mut live, &events, &[10]);
        assert!(live.health().iter().all(|rule| rule.held == 0), "{:?}", live.health());
        assert!(!terms || told.alerts.len() == 2, "{}", told.alerts.len());
    }
}

#[test]
fn a_rule_that_keeps_too_much_is_stopped_and_says_so() {
    let rule = scheduled(
        Tail::NewTerms(lurcher_ir::NewTerms { fields: vec![raw("n")], history: super::replay::date("now-7d") }),
        5,
        9,
    );
    let (rules, settings) = compiled(rule);
    let settings = Settings { tail_budget: 4 * 96 * 100, ..(*settings).clone() };
    let mut live = Live::new(rules, &settings, Timestamp(0), LATENESS);
    let events: Vec<Spec> = (0..500).map(|n| event(60_000 * n, &[0], &[("n", &n.to_string())])).collect();
    feed(&mut live, &events, &[7]);
    let health = live.health();
    assert!(health[0].stopped.as_ref().is_some_and(|why| why.contains("memory")), "{health:?}");
    assert_eq!(health[0].held, 0);
}

#[test]
fn rules_that_keep_too_much_together_lose_those_that_keep_most() {
    let terms = || lurcher_ir::NewTerms { fields: vec![raw("n")], history: super::replay::date("now-7d") };
    let rules = (0..8).map(|_| Arc::new(scheduled(Tail::NewTerms(terms()), 5, 9)));
    let rules = Compiler::new(Arc::clone(&SCHEMAS)).add_all(rules).build();
    // Far less than a quarter for each.
    let events: Vec<Spec> = (0..500).map(|n| event(60_000 * n, &[0], &[("n", &n.to_string())])).collect();
    let all = |budget: u64| {
        let settings = Settings { tail_budget: budget, ..Settings::default() };
        let mut live = Live::new(Arc::clone(&rules), &settings, Timestamp(0), LATENESS);
        let mut told = Told::default();
        for chunk in events.chunks(50) {
            let received = chunk.iter().filter_map(|event| event.time).max().unwrap_or(0);
            live.advance(Timestamp::from_millis(received), &mut told);
            let (batch, _) = batches("s", chunk, chunk.len()).remove(0);
            for row in 0..chunk.len() {
                let hits: Vec<Hit> = (0..8).map(|rule| Hit { rule, filter: 0 }).collect();
                live.scanner.collector().take(&batch, row, &hits);
            }
            live.look_at_new(&mut told);
        }
        live.health()
    };
    let held = |health: &[crate::RuleHealth]| health.iter().map(|health| health.held_bytes).sum::<u64>();
    let free = all(u64::MAX);
    assert!(free.iter().all(|health| health.stopped.is_none()));
    let budget = held(&free) / 2;
    let bounded = all(budget);
    let stopped = bounded.iter().filter(|health| health.stopped.is_some()).count();
    assert!((1..8).contains(&stopped) && held(&bounded) <= budget, "{bounded:?}");
}
