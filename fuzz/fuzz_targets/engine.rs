//! The fast evaluator and the naive one agree on whatever the generators of the engine's property tests make; the fuzzer's
//! bytes are their seed, and it keeps the seeds that reach new code.

#![no_main]

use std::{
    collections::BTreeSet,
    sync::{Arc, LazyLock},
};

use generate::{batches, documents, predicate, rule};
use libfuzzer_sys::fuzz_target;
use lurcher_engine::{Alert, Compiler, Route, Scanner, Settings, naive};
use lurcher_schema::{Schemas, Timestamp};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

#[path = "../../crates/engine/tests/generate/mod.rs"]
mod generate;

/// Read once: the packs are large.
static SCHEMAS: LazyLock<Arc<Schemas>> = LazyLock::new(|| Schemas::builtin().expect("the built-in packs are tested"));

fuzz_target!(|data: &[u8]| {
    // A seed, and not the choices themselves (`PassThrough`): when those are used up proptest sees zeros for ever, and a
    // generator that tries again until it likes a number never ends.
    let mut seed = [0; 32];
    seed.iter_mut().zip(data).for_each(|(seed, byte)| *seed = *byte);
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let Ok(input) = (proptest::collection::vec(predicate(), 1..4), documents()).new_tree(&mut runner) else { return };
    let (predicates, documents) = input.current();
    let schemas = Arc::clone(&SCHEMAS);

    let rules = predicates.iter().enumerate().map(|(number, p)| rule(&number.to_string(), p.clone()));
    let set = Compiler::new(Arc::clone(&schemas)).route(Route::Any).add_all(rules).build();
    let mut scanner = Scanner::new(set, Arc::new(Settings::default()));
    let mut alerts: Vec<Alert> = Vec::new();
    let batches = batches(&documents, 4);
    for batch in &batches {
        scanner.scan(batch, &mut alerts);
    }
    let fast: BTreeSet<(String, u64)> = alerts
        .iter()
        .flat_map(|a| a.events.iter().flatten().map(|event| (a.rule.meta.id.to_string(), event.reference.ordinal)))
        .collect();

    let mut by_the_book = BTreeSet::new();
    for event in batches.iter().flat_map(|batch| (0..batch.rows()).map(|row| batch.event(row))) {
        for (number, predicate) in predicates.iter().enumerate() {
            if naive::holds(predicate, &event, &schemas, Timestamp(0)) {
                by_the_book.insert((number.to_string(), event.reference.ordinal));
            }
        }
    }
    assert_eq!(fast, by_the_book);
});
