//! Runs tests: each rule is compiled once for all of its tests, and rules are shared out to threads.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use lurcher_content::{Mark, TestCase};
use lurcher_engine::{Alert, Compiler, Route, RuleSet, Scanner, Settings, Tables};
use lurcher_ir::Rule;
use lurcher_schema::{EventBatch, Schemas, Timestamp};

use super::{
    TestResult, Verdict,
    data::{self, Finder, NoData},
    judge,
    select::{self, Chosen},
};

/// Tests share nothing but the mappings, so little is remembered from one to the next.
const MEMO: usize = 8 << 20;

/// A rule and its tests, each with its place among all tests.
type Group = (Option<Arc<Rule>>, Vec<(usize, TestCase)>);

/// Runs all tests; the results are in their order.
pub(super) fn all(
    tests: Vec<Chosen>,
    (schemas, tables): (&Arc<Schemas>, &Tables),
    finder: &Finder,
    threads: usize,
) -> Vec<TestResult> {
    let mut groups: Vec<Group> = Vec::new();
    let mut places: HashMap<Option<*const Rule>, usize> = HashMap::new();
    for (number, test) in tests.into_iter().enumerate() {
        let place = *places.entry(test.rule.as_ref().map(Arc::as_ptr)).or_insert_with(|| {
            groups.push((test.rule.clone(), Vec::new()));
            groups.len() - 1
        });
        groups[place].1.push((number, test.case));
    }
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, TestResult)>> = Mutex::default();
    let work = || {
        while let Some((rule, cases)) = groups.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut runner = Runner { rule: rule.clone(), schemas, tables, finder, compiled: HashMap::new() };
            for (number, case) in cases {
                let result = runner.run(case);
                done.lock().unwrap_or_else(PoisonError::into_inner).push((*number, result));
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads.min(groups.len()) {
            scope.spawn(work);
        }
        work();
    });
    let mut results = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Runs the tests of one rule.
struct Runner<'a> {
    rule: Option<Arc<Rule>>,
    schemas: &'a Arc<Schemas>,
    tables: &'a Tables,
    finder: &'a Finder,
    compiled: HashMap<Route, Arc<RuleSet>>,
}

impl Runner<'_> {
    fn run(&mut self, case: &TestCase) -> TestResult {
        let start = Instant::now();
        let mut result = TestResult {
            case: case.clone(),
            rule: self.rule.clone(),
            verdict: Verdict::Passed,
            events: 0,
            alerts: 0,
            time: start.elapsed(),
        };
        result.verdict = match &case.mark {
            Mark::Skip(reason) => Verdict::Skipped(reason.clone()),
            Mark::Run => self.verdict(case, &mut result),
            Mark::Pending(reason) => match self.verdict(case, &mut result) {
                Verdict::Failed(_) => Verdict::Pending(reason.clone()),
                other => other,
            },
        };
        result.time = start.elapsed();
        result
    }

    fn verdict(&mut self, case: &TestCase, result: &mut TestResult) -> Verdict {
        let Some(rule) = self.rule.clone() else {
            return Verdict::Unrun("its rule is not among the rules given".to_owned());
        };
        if rule.body.is_none() {
            return Verdict::Unrun(format!("its rule cannot be run: {}", select::reason(&rule)));
        }
        let batches = match data::events(case, self.finder) {
            Ok(batches) => batches,
            Err(NoData::Absent(reason)) => return Verdict::Skipped(reason),
            Err(NoData::Faulty(reason)) => return Verdict::Unrun(reason),
        };
        result.events = batches.iter().map(|batch| batch.rows() as u64).sum();
        let now = newest(&batches);
        let (alerts, faults) = self.scan(&rule, case, &batches, now);
        result.alerts = alerts.len() as u64;
        if let Some(fault) = faults {
            return Verdict::Unrun(fault);
        }
        match judge::judge(case, &rule, &alerts, &batches, self.schemas, now) {
            None => Verdict::Passed,
            Some(failure) => Verdict::Failed(failure),
        }
    }

    /// The alerts, and why the tail failed, if it did.
    fn scan(
        &mut self,
        rule: &Arc<Rule>,
        case: &TestCase,
        batches: &[EventBatch],
        now: Timestamp,
    ) -> (Vec<Alert>, Option<String>) {
        let route = if case.any_source { Route::Any } else { Route::Strict };
        let rules = self
            .compiled
            .entry(route)
            .or_insert_with(|| Compiler::new(Arc::clone(self.schemas)).route(route).add(Arc::clone(rule)).build());
        let settings = Settings {
            now,
            memo_budget: MEMO,
            relational: Some(lurcher_query::relational()),
            tables: self.tables.clone(),
            ..Settings::default()
        };
        let mut scanner = Scanner::new(Arc::clone(rules), Arc::new(settings));
        let mut alerts: Vec<Alert> = Vec::new();
        for batch in batches {
            scanner.scan(batch, &mut alerts);
        }
        let stats = Scanner::finish(vec![scanner], &mut alerts);
        alerts.sort_by_cached_key(|alert| {
            alert.events.first().and_then(|event| event.as_ref().map(|event| (event.time, event.reference.clone())))
        });
        (alerts, stats.tails.failed.first().map(|(_, message)| message.clone()))
    }
}

/// The time of the newest event: a test is run as if it had just happened, so that its result never changes.
fn newest(batches: &[EventBatch]) -> Timestamp {
    batches.iter().flat_map(EventBatch::times).flatten().max().copied().unwrap_or(Timestamp(0))
}
