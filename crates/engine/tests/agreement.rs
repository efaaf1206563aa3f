//! The fast evaluator and the naive one agree, whatever the rules and events, and nothing that must not matter
//! matters: order of rows, size of batches, how much is remembered, which other rules there are, how many threads.

#![allow(clippy::unwrap_used)]

mod generate;

use std::{
    collections::BTreeSet,
    sync::{Arc, LazyLock},
};

use generate::{Document, batches, documents, predicate, rule};
use lurcher_engine::{Alert, Compiler, Route, RuleSet, Scanner, Settings, naive};
use lurcher_ir::{Predicate, Rule};
use lurcher_schema::{EventBatch, Schemas, Timestamp};
use proptest::prelude::*;

/// Read once: the packs are large.
static SCHEMAS: LazyLock<Arc<Schemas>> = LazyLock::new(|| Schemas::builtin().unwrap());

fn schemas() -> Arc<Schemas> {
    Arc::clone(&SCHEMAS)
}

fn compile(rules: &[Arc<Rule>]) -> Arc<RuleSet> {
    Compiler::new(schemas()).route(Route::Any).add_all(rules.iter().cloned()).build()
}

/// What was found: rule and record, without order.
type Hits = BTreeSet<(String, u64)>;

fn hits(alerts: &[Alert]) -> Hits {
    let pairs = alerts.iter().flat_map(|alert| {
        alert.events.iter().flatten().map(|event| (alert.rule.meta.id.to_string(), event.reference.record))
    });
    pairs.collect()
}

fn scan(rules: &Arc<RuleSet>, batches: &[EventBatch], memo_budget: usize) -> Vec<Alert> {
    let settings = Arc::new(Settings { memo_budget, ..Settings::default() });
    let mut scanner = Scanner::new(Arc::clone(rules), settings);
    let mut alerts = Vec::new();
    for batch in batches {
        scanner.scan(batch, &mut alerts);
    }
    Scanner::finish(vec![scanner], &mut alerts);
    alerts
}

fn by_the_book(predicates: &[Predicate], batches: &[EventBatch]) -> Hits {
    let schemas = schemas();
    let events = batches.iter().flat_map(|batch| (0..batch.rows()).map(|row| batch.event(row)));
    let hits = events.flat_map(|event| {
        let hits = predicates
            .iter()
            .enumerate()
            .filter(|(_, predicate)| naive::holds(predicate, &event, &schemas, Timestamp(0)));
        hits.map(|(number, _)| (number.to_string(), event.reference.record)).collect::<Vec<_>>()
    });
    hits.collect()
}

fn rules(predicates: &[Predicate]) -> Vec<Arc<Rule>> {
    predicates.iter().enumerate().map(|(number, predicate)| rule(&number.to_string(), predicate.clone())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn fast_and_naive_agree(
        predicates in prop::collection::vec(predicate(), 1..8),
        documents in documents(),
    ) {
        let batches = batches(&documents, 64);
        let found = scan(&compile(&rules(&predicates)), &batches, 1 << 20);
        prop_assert_eq!(hits(&found), by_the_book(&predicates, &batches));
    }

    #[test]
    fn what_must_not_matter_does_not(
        predicates in prop::collection::vec(predicate(), 1..6),
        unrelated in prop::collection::vec(predicate(), 0..6),
        documents in documents(),
        size in 1..5_usize,
    ) {
        let own = rules(&predicates);
        let expected = scan(&compile(&own), &batches(&documents, 64), 1 << 20);
        let ids = |alerts: &[Alert]| alerts.iter().map(|a| a.id.clone()).collect::<BTreeSet<_>>();

        let split = scan(&compile(&own), &batches(&documents, size), 1 << 20);
        prop_assert_eq!(ids(&split), ids(&expected), "splitting batches");

        let forgetful = scan(&compile(&own), &batches(&documents, size), 0);
        prop_assert_eq!(ids(&forgetful), ids(&expected), "remembering nothing");

        let mut reversed: Vec<Document> = documents.clone();
        reversed.reverse();
        let reversed = scan(&compile(&own), &batches(&reversed, size), 1 << 20);
        prop_assert_eq!(hits(&reversed), hits(&expected), "order of rows");
        prop_assert_eq!(ids(&reversed), ids(&expected), "order of rows");

        let mut more: Vec<Arc<Rule>> =
            unrelated.into_iter().enumerate().map(|(n, p)| rule(&format!("other {n}"), p)).collect();
        more.extend(own.iter().cloned());
        let mut with_others = scan(&compile(&more), &batches(&documents, 64), 1 << 20);
        with_others.retain(|alert| !alert.rule.meta.id.starts_with("other"));
        prop_assert_eq!(ids(&with_others), ids(&expected), "other rules");
    }
}

#[test]
fn threads_share_a_rule_set_and_change_nothing() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut draw = |strategy: BoxedStrategy<Predicate>| strategy.new_tree(&mut runner).unwrap().current();
    let predicates: Vec<Predicate> = (0..40).map(|_| draw(predicate())).collect();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let documents: Vec<Document> = (0..40).flat_map(|_| documents().new_tree(&mut runner).unwrap().current()).collect();
    let batches = batches(&documents, 7);
    let rules = compile(&rules(&predicates));
    let alone = hits(&scan(&rules, &batches, 1 << 20));
    let halves: Vec<&[EventBatch]> = batches.chunks(batches.len().div_ceil(2)).collect();
    let together = std::thread::scope(|scope| {
        let threads: Vec<_> = halves.iter().map(|half| scope.spawn(|| hits(&scan(&rules, half, 1 << 20)))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Hits>()
    });
    assert_eq!(together, alone);
    assert!(!alone.is_empty());
}
