//! Runs a [`RuleSet`] over batches of events. One per thread.
//!
//! A batch goes through in three steps. Each physical field's distinct values become atom sets (one number for which
//! tests they pass). Each row becomes a signature, the tuple of those numbers. Each signature has an outcome, worked
//! out when it is new and looked up when it is not. Only rows with hits are ever taken out of their batch.

use std::{collections::HashMap, sync::Arc, time::Instant};

use lurcher_ir::FieldRef;
use lurcher_schema::{Binding, Column, Event, EventBatch, FieldType, ShapeId, Taxonomy, Value};
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::{
    Alert, AlertSink, Collector, Hit, Match, RuleSet, Settings, TailStats,
    eval::Row,
    matcher::Found,
    memo::Memo,
    program::Program,
    value_cache::{ActiveField, EMPTY, ValueCache},
};

/// Runs a [`RuleSet`] over batches of events. One per thread; results do not depend on which scanner saw what.
#[derive(Debug)]
pub struct Scanner {
    rules: Arc<RuleSet>,
    settings: Arc<Settings>,
    collector: Collector,
    shapes: HashMap<ShapeId, ShapeState, FxBuildHasher>,
    found: Found,
    remembered: usize,
    stats: ScanStats,
}

/// What a scanner remembers about one shape.
#[derive(Debug)]
struct ShapeState {
    program: Arc<Program>,
    values: Vec<ValueCache>,
    memo: Memo,
}

/// What was done, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScanStats {
    /// Batches scanned.
    pub batches: u64,
    /// Events scanned.
    pub events: u64,
    /// Pairs of filter and event in which the event had one of the filter's witnesses (or the filter has none).
    pub candidates: u64,
    /// Pairs of filter and event that matched.
    pub matches: u64,
    /// Distinct values of batches that were looked at.
    pub values: u64,
    /// Of these, those that were known from an earlier batch.
    pub values_known: u64,
    /// Events whose signature was known.
    pub signatures_known: u64,
    /// Evaluations of an expression in which some combinations of fields' values were left untried because there were
    /// too many; only known at the end.
    pub capped: u64,
    /// Nanoseconds spent in specialising rules to shapes and in computing fields from raw columns.
    pub normalise_nanos: u64,
    /// Nanoseconds spent in matching values.
    pub index_nanos: u64,
    /// Nanoseconds spent in evaluating rules.
    pub evaluate_nanos: u64,
    /// Nanoseconds spent in making alerts, collecting hits, and in tails.
    pub tail_nanos: u64,
    /// What the tails did.
    pub tails: TailStats,
}

impl Scanner {
    /// A scanner with nothing collected.
    pub fn new(rules: Arc<RuleSet>, settings: Arc<Settings>) -> Self {
        let collector = Collector::new(Arc::clone(&rules), Arc::clone(&settings));
        Self {
            rules,
            settings,
            collector,
            shapes: HashMap::default(),
            found: Found::default(),
            remembered: 0,
            stats: ScanStats::default(),
        }
    }

    /// Scans a batch: alerts of rules that need a single event go to the sink at once, the rest is collected.
    pub fn scan(&mut self, batch: &EventBatch, sink: &mut dyn AlertSink) {
        self.stats.batches += 1;
        self.stats.events += batch.rows() as u64;
        self.collector.pass(batch);
        let start = Instant::now();
        if self.remembered > self.settings.memo_budget {
            self.forget();
        }
        let shape = batch.shape();
        let mut state = self.shapes.remove(&shape.id()).unwrap_or_else(|| {
            let program = self.rules.program(shape);
            let values = program.fields.iter().map(|_| ValueCache::new()).collect();
            let memo = Memo::new(&program);
            self.remembered += program.atoms + program.filters.len() + program.fields.len() * 128;
            ShapeState { program, values, memo }
        });
        self.stats.normalise_nanos += nanos(start);
        if !state.program.filters.is_empty() {
            let active = self.match_values(&mut state, batch);
            self.match_rows(&mut state, batch, &active, sink);
            self.collector.drain(sink);
        }
        self.collector.drain(sink);
        self.shapes.insert(shape.id(), state);
    }

    /// Takes every event of a batch as an indicator, for every rule that looks for indicators, whatever its filter.
    pub fn take_indicators(&mut self, batch: &EventBatch) {
        let asks = |(number, rule): (usize, &Arc<lurcher_ir::Rule>)| match &rule.body.as_ref()?.tail {
            lurcher_ir::Tail::Indicators(indicators) => {
                Some(Hit { rule: number as u32, filter: indicators.filter as u32 })
            }
            _ => None,
        };
        let hits: Vec<Hit> = self.rules.rules().iter().enumerate().filter_map(asks).collect();
        if !hits.is_empty() {
            (0..batch.rows()).for_each(|row| self.collector.take(batch, row, &hits));
        }
    }

    /// What was done so far.
    pub fn stats(&self) -> &ScanStats {
        &self.stats
    }

    /// When all input is read: runs the tails over what all scanners of the run collected.
    pub fn finish(scanners: Vec<Self>, sink: &mut dyn AlertSink) -> ScanStats {
        let mut total = ScanStats::default();
        let mut collectors = Vec::new();
        let rules = scanners.first().map(|scanner| Arc::clone(&scanner.rules));
        for scanner in scanners {
            total.add(&scanner.stats);
            collectors.push(scanner.collector);
        }
        total.capped = rules.map_or(0, |rules| rules.graph().residuals.iter().map(|r| r.expr.capped()).sum());
        let start = Instant::now();
        total.tails = Collector::finish(collectors, sink);
        total.tail_nanos += nanos(start);
        total
    }

    fn forget(&mut self) {
        self.shapes.clear();
        self.remembered = 0;
    }

    /// The first step: distinct values to atom sets, for every field that matters.
    fn match_values(&mut self, state: &mut ShapeState, batch: &EventBatch) -> Vec<ActiveField> {
        let mut active = Vec::new();
        for (number, (field, cache)) in state.program.fields.iter().zip(&mut state.values).enumerate() {
            let start = Instant::now();
            let mut take = |column: Column| {
                let (looked_at, known) = cache.counts();
                let (sets, bytes) = cache.sets(&field.matcher, &column, &mut self.found);
                self.remembered += bytes;
                self.stats.values += cache.counts().0 - looked_at;
                self.stats.values_known += cache.counts().1 - known;
                active.extend(ActiveField::new(number as u32, column, sets));
            };
            let normalised = if field.binding.is_everything() {
                // The tests that a row passes are those that any of its columns passes, so each column is a field of
                // its own here: signatures join what they find.
                batch.leaves().for_each(take);
                start
            } else {
                let column = field.binding.column(batch);
                let normalised = Instant::now();
                take(column);
                normalised
            };
            self.stats.normalise_nanos += (normalised - start).as_nanos() as u64;
            self.stats.index_nanos += nanos(normalised);
        }
        active
    }

    /// The second and third step: rows to signatures, signatures to outcomes, outcomes to alerts and hits.
    fn match_rows(
        &mut self,
        state: &mut ShapeState,
        batch: &EventBatch,
        active: &[ActiveField],
        sink: &mut dyn AlertSink,
    ) {
        let start = Instant::now();
        let mut signature: Vec<u64> = Vec::new();
        let mut previous: Vec<u64> = Vec::new();
        let mut last: Option<u32> = None;
        let rules = Arc::clone(&self.rules);
        let mut residuals = ResidualRow::new(&rules, batch);
        let mut hits = Vec::new();
        let mut emitting = 0;
        for row in 0..batch.rows() {
            signature.clear();
            for field in active {
                let set = field.set(row);
                if set != EMPTY {
                    signature.push(u64::from(field.field) << 32 | u64::from(set));
                }
            }
            let outcome = match last {
                Some(outcome) if signature == previous => {
                    self.stats.signatures_known += 1;
                    outcome
                }
                _ => self.outcome(state, &signature),
            };
            last = Some(outcome);
            std::mem::swap(&mut signature, &mut previous);
            let known = state.memo.outcome(outcome);
            self.stats.candidates += known.candidates;
            if known.decided.is_empty() && known.open.is_empty() {
                continue;
            }
            hits.clear();
            hits.extend_from_slice(&known.decided);
            if !known.open.is_empty() {
                let open = known.open.clone();
                residuals.row = row;
                self.settle(state, &previous, &open, &mut residuals, &mut hits);
            }
            if !hits.is_empty() {
                let emit = Instant::now();
                self.emit(&state.program, batch, row, &hits, sink);
                emitting += nanos(emit);
            }
        }
        self.stats.tail_nanos += emitting;
        self.stats.evaluate_nanos += nanos(start).saturating_sub(emitting);
    }

    fn outcome(&mut self, state: &mut ShapeState, signature: &[u64]) -> u32 {
        if let Some(outcome) = state.memo.known(signature) {
            self.stats.signatures_known += 1;
            return outcome;
        }
        let (outcome, bytes) = state.memo.learn(&state.program, &state.values, signature);
        self.remembered += bytes;
        outcome
    }

    /// Evaluates the expressions that filters hang on, for one row.
    fn settle(
        &self,
        state: &mut ShapeState,
        signature: &[u64],
        open: &[u32],
        row: &mut ResidualRow<'_>,
        hits: &mut Vec<u32>,
    ) {
        state.memo.load(&state.program, &state.values, signature);
        row.program = Some(Arc::clone(&state.program));
        for filter in open {
            let holds = state.memo.settle(&state.program, *filter, &mut |number| {
                let residual = &self.rules.graph().residuals[number as usize];
                let now = row.batch.times()[row.row].unwrap_or(self.settings.now);
                residual.expr.holds(residual.quantifier, row, now)
            });
            if holds {
                hits.push(*filter);
            }
        }
        state.memo.unload();
        hits.sort_unstable();
    }

    /// Whether a rule's hits are collected, not alerted at once.
    fn waits(&self, rule: u32) -> bool {
        let scheduled = || self.rules.rules().get(rule as usize).is_some_and(|rule| rule.meta.schedule.recurs());
        self.settings.simulation.is_some() || !self.rules.is_immediate(rule) || (self.settings.live && scheduled())
    }

    /// What the tails have collected, for a live run.
    pub(crate) fn collector(&mut self) -> &mut Collector {
        &mut self.collector
    }

    fn emit(&mut self, program: &Program, batch: &EventBatch, row: usize, filters: &[u32], sink: &mut dyn AlertSink) {
        self.stats.matches += filters.len() as u64;
        let mut event: Option<Event> = None;
        let mut collected = Vec::new();
        for filter in filters {
            let filter = &program.filters[*filter as usize];
            if self.waits(filter.rule) {
                collected.push(Hit { rule: filter.rule, filter: filter.filter });
                continue;
            }
            let event = event.get_or_insert_with(|| batch.event(row)).clone();
            let found = Match { events: vec![Some(event)], event_count: 1, ..Match::default() };
            sink.alert(Alert::new(&self.rules.rules()[filter.rule as usize], self.rules.schemas(), found));
        }
        if !collected.is_empty() {
            self.collector.take(batch, row, &collected);
        }
    }
}

fn nanos(since: Instant) -> u64 {
    since.elapsed().as_nanos() as u64
}

/// A row of a batch as the source of an expression's leaves. Columns are computed once per batch, when first asked
/// for.
struct ResidualRow<'a> {
    rules: &'a RuleSet,
    batch: &'a EventBatch,
    program: Option<Arc<Program>>,
    columns: FxHashMap<FieldRef, Column>,
    /// The row whose whole event was last asked for, and the event: several rules, and parts of one, ask for it in turn.
    whole: Option<(usize, Taxonomy, Value)>,
    row: usize,
}

impl<'a> ResidualRow<'a> {
    fn new(rules: &'a RuleSet, batch: &'a EventBatch) -> Self {
        Self { rules, batch, program: None, columns: FxHashMap::default(), whole: None, row: 0 }
    }

    /// Whether there are fields below this one, so that its value is the object of those.
    fn is_object(&self, field: &FieldRef) -> bool {
        let (schemas, path) = (self.rules.schemas(), field.path.as_str());
        schemas.field_type(field.taxonomy, path) == FieldType::Object
            || !schemas.members(field.taxonomy, path, self.batch.shape()).is_empty()
            || self.batch.has_below(path)
    }

    fn objects(&self, field: &FieldRef) -> Column {
        Column::from_rows(
            (0..self.batch.rows())
                .map(|row| self.rules.schemas().value(&self.batch.event(row), field.taxonomy, field.path.as_str())),
        )
    }
}

impl Row for ResidualRow<'_> {
    fn field(&mut self, field: &FieldRef) -> Value {
        if let Some(column) = self.columns.get(field) {
            return column.value(self.row);
        }
        let bound = self.program.as_ref().and_then(|program| program.residual_fields.get(field).cloned());
        let binding =
            bound.unwrap_or_else(|| self.rules.schemas().bind(field.taxonomy, field.path.as_str(), self.batch.shape()));
        let column = match &binding {
            Binding::Constant(value) => return value.clone(),
            _ if self.is_object(field) => self.objects(field),
            Binding::Missing => return Value::Null,
            Binding::Computed(_) => binding.column(self.batch),
        };
        let value = column.value(self.row);
        self.columns.insert(field.clone(), column);
        value
    }

    fn event(&mut self, taxonomy: Taxonomy) -> Value {
        if let Some((row, of, event)) = &self.whole
            && (*row, *of) == (self.row, taxonomy)
        {
            return event.clone();
        }
        let event = Value::Object(Arc::new(self.rules.schemas().normalise(&self.batch.event(self.row), taxonomy)));
        self.whole = Some((self.row, taxonomy, event.clone()));
        event
    }

    fn column(&mut self, _name: &str) -> Value {
        Value::Null
    }
}

impl ScanStats {
    fn add(&mut self, other: &Self) {
        self.batches += other.batches;
        self.events += other.events;
        self.candidates += other.candidates;
        self.matches += other.matches;
        self.values += other.values;
        self.values_known += other.values_known;
        self.signatures_known += other.signatures_known;
        self.normalise_nanos += other.normalise_nanos;
        self.index_nanos += other.index_nanos;
        self.evaluate_nanos += other.evaluate_nanos;
        self.tail_nanos += other.tail_nanos;
    }
}
