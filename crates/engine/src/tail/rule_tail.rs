//! One rule's tail: what it keeps of its hits, and what it finds in them at the end.

use std::sync::Arc;

use lurcher_ir::{
    Correlation, CorrelationInput, CorrelationRead, FieldRef, Key, Limit, Predicate, Rule, RuleBody, Sequence, Step,
    Tail,
};
use lurcher_schema::{Object, Taxonomy, Timestamp, Value};
use rustc_hash::FxHashSet;

use super::{
    EventId, EventStore, Fields, Hand, RawMatch, Stores, apply_limits, arrival::Arrivals, aside::Waiting,
    fields::read_time, terms_tail::TermsTail,
};
use crate::{
    Settings,
    correlation::{Correlated, CorrelationHit, Read, correlate},
    pipeline::{FinishSeat, Flow, Gathered, PipelinePlan, RowPlace, RowSource},
    sample::Sampler,
    sequence::{Automaton, Completed, KeyTuple, Place, StepHit, compare_hits},
    terms::Window,
};

/// How many tuples of join keys one event may stand under; what lies beyond is counted and dropped.
const MOST_KEYS: usize = 1_000;

/// A hit takes at least about so much memory.
const HIT_BYTES: u64 = 96;

/// What a rule keeps.
#[derive(Debug)]
pub(super) struct RuleTail {
    pub(super) order: OrderFields,
    pub(super) kind: Kind,
    /// Rows that are matches as they are, where matches are not sent at once.
    pub(super) direct: Option<Vec<(RowPlace, EventId, Object)>>,
    /// When late events arrived; `None` where that does not matter.
    pub(super) arrivals: Option<Arrivals>,
    /// About how much memory its hits take, the events aside.
    pub(super) bytes: u64,
    /// How many of the hits, and of the direct rows, a live run has looked at.
    pub(super) settled: (usize, usize),
    /// Of a live run: the times of the hits that it has not looked at.
    pub(super) fresh: Vec<Option<Timestamp>>,
    pub(super) live: bool,
    /// Of a live run: what came while a run that is due waits to be made.
    pub(super) waiting: Waiting,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// Nothing can be collected.
    Nothing,
    Events {
        limits: Vec<Limit>,
        hits: Vec<(RowPlace, EventId)>,
    },
    Sequence {
        sequence: Sequence,
        hits: StepHits,
    },
    Sample {
        steps: Vec<Step>,
        per_key: usize,
        limits: Vec<Limit>,
        hits: StepHits,
    },
    Correlation {
        correlation: Correlation,
        hits: Vec<CorrelationHit<EventId>>,
        keys: FxHashSet<KeyTuple>,
    },
    Pipeline {
        plan: Arc<PipelinePlan>,
        flow: Flow,
    },
    Terms(TermsTail),
}

/// Hits of steps, with each tuple of keys held once. An event that can only end or refute a match is never shown, so
/// of it nothing is kept but its place and keys: a step that must be missing may fit nearly every event there is.
#[derive(Debug, Default)]
pub(super) struct StepHits {
    pub(super) hits: Vec<StepHit<Option<EventId>>>,
    pub(super) keys: FxHashSet<KeyTuple>,
}

/// What orders the rule's events.
#[derive(Clone, Debug)]
pub(super) struct OrderFields {
    /// The fields that the time is taken from, the first that has one; if none has, the event's own time.
    times: Vec<FieldRef>,
    tiebreaker: Option<FieldRef>,
}

/// What came of taking a hit.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Rows that are matches at once.
    pub(super) matches: Vec<Object>,
    pub(super) undated: u64,
    pub(super) capped: u64,
    /// About how much memory what was kept takes, the event aside.
    pub(super) bytes: u64,
    /// How much of that rows take, which can be sent away.
    pub(super) rows: u64,
}

/// What a tail found.
#[derive(Debug, Default)]
pub(super) struct Finished {
    pub(super) matches: Vec<RawMatch>,
    pub(super) errors: Vec<String>,
    pub(super) capped: u64,
    /// Rows that there was no room for.
    pub(super) dropped: u64,
}

/// What all tails share when they finish.
pub(super) struct Share<'a> {
    pub(super) fields: &'a Fields,
    pub(super) stores: &'a mut Stores,
    pub(super) settings: &'a Settings,
    /// Where a run over everything ends.
    pub(super) end: Timestamp,
}

impl RuleTail {
    /// For a rule; `settings` say whether its hits will be gone through run by run.
    pub(super) fn new(rule: &Rule, settings: &Settings) -> Self {
        let kind = match rule.body.as_ref().map(|body| &body.tail) {
            None => Kind::Nothing,
            Some(Tail::Events { limits }) => Kind::Events { limits: limits.clone(), hits: Vec::new() },
            Some(Tail::Sequence(sequence)) => Kind::Sequence { sequence: sequence.clone(), hits: StepHits::default() },
            Some(Tail::Sample { steps, per_key, limits }) => Kind::Sample {
                steps: steps.clone(),
                per_key: *per_key,
                limits: limits.clone(),
                hits: StepHits::default(),
            },
            Some(Tail::Correlation(correlation)) => {
                Kind::Correlation { correlation: correlation.clone(), hits: Vec::new(), keys: FxHashSet::default() }
            }
            Some(Tail::Pipeline(pipeline)) => {
                let plan = Arc::new(PipelinePlan::new(pipeline, settings));
                let flow = Flow::new(&plan);
                Kind::Pipeline { plan, flow }
            }
            Some(tail) => TermsTail::new(tail).map_or(Kind::Nothing, Kind::Terms),
        };
        let simulated = settings.simulation.is_some();
        let later = simulated || rule.meta.suppression.is_some() || (settings.live && rule.meta.schedule.recurs());
        Self {
            order: OrderFields::new(rule),
            kind,
            direct: later.then(Vec::new),
            arrivals: simulated.then(|| Arrivals::new(rule)),
            bytes: 0,
            settled: (0, 0),
            fresh: Vec::new(),
            live: settings.live,
            waiting: Waiting::Nothing,
        }
    }

    /// One that takes nothing any more.
    pub(super) fn stopped(rule: &Rule, settings: &Settings) -> Self {
        Self { kind: Kind::Nothing, direct: None, live: false, ..Self::new(rule, settings) }
    }

    /// Whether it may find something, or has something to say, without any event.
    pub(super) fn runs_without_events(&self) -> bool {
        matches!(&self.kind, Kind::Pipeline { plan, .. } if plan.runs_without_events())
    }

    pub(super) fn take(&mut self, filter: usize, hand: &mut Hand<'_>, now: Timestamp) -> Taken {
        if let Some(aside) = self.aside(now) {
            return aside.take(filter, hand, now);
        }
        let mut taken = Taken::default();
        if let Some(arrivals) = &mut self.arrivals {
            arrivals.note(self.order.time(hand), hand);
        }
        if self.live {
            self.fresh.push(self.order.time(hand));
        }
        match &mut self.kind {
            Kind::Nothing => {}
            Kind::Terms(terms) => terms.take(filter, self.order.row_place(hand), hand, &mut taken),
            Kind::Events { hits, .. } => {
                hits.push((self.order.row_place(hand), hand.id()));
                taken.bytes += size_of::<(RowPlace, EventId)>() as u64;
            }
            Kind::Sequence { sequence, hits } => {
                let until = sequence.until.iter().map(|step| (sequence.steps.len(), step, false));
                let steps = sequence.steps.iter().enumerate().map(|(number, step)| (number, step, !step.missing));
                hits.take(filter, steps.chain(until), |hand| self.order.place(hand), hand, &mut taken);
            }
            Kind::Sample { steps, hits, .. } => {
                let steps = steps.iter().enumerate().map(|(number, step)| (number, step, true));
                // On a virtual clock an event lies in a run's window or it does not; else samples know no time.
                let timeless = self.arrivals.is_none();
                let place = |hand: &mut Hand<'_>| self.order.place(hand).or_else(|| timeless.then(|| undated(hand)));
                hits.take(filter, steps, place, hand, &mut taken);
            }
            Kind::Correlation { correlation, hits, keys } => {
                take_correlated(correlation, filter, (hits, keys), &self.order, hand, &mut taken);
            }
            Kind::Pipeline { plan, .. } if plan.fault.is_some() => {}
            Kind::Pipeline { plan, flow } => {
                let place = self.order.row_place(hand);
                plan.enter(filter, &place, hand, now, flow);
                taken.rows = std::mem::take(&mut flow.bytes);
                taken.bytes += taken.rows;
                match &mut self.direct {
                    Some(direct) => {
                        let kept = flow.matches.drain(..).map(|row| (row.place, hand.id(), row.columns));
                        direct.extend(kept);
                    }
                    None => taken.matches = flow.matches.drain(..).map(|row| row.columns).collect(),
                }
            }
        }
        self.bytes += taken.bytes.max(HIT_BYTES);
        taken
    }

    /// Sends the rows that wait to a store's file. Returns how many bytes of memory that frees.
    pub(super) fn send_rows_away(&mut self, store: &mut EventStore) -> u64 {
        match &mut self.kind {
            Kind::Pipeline { flow, .. } => {
                let full = flow.collected.iter_mut().filter(|pile| !pile.rows.is_empty());
                full.map(|pile| pile.send_away(store)).sum()
            }
            _ => 0,
        }
    }

    /// Says that the events were kept by this store.
    pub(super) fn set_store(&mut self, store: u32) {
        self.direct.iter_mut().flatten().for_each(|(_, id, _)| id.store = store);
        match &mut self.kind {
            Kind::Nothing => {}
            Kind::Events { hits, .. } => hits.iter_mut().for_each(|(_, id)| id.store = store),
            Kind::Sequence { hits, .. } | Kind::Sample { hits, .. } => {
                hits.hits.iter_mut().filter_map(|hit| hit.event.as_mut()).for_each(|id| id.store = store);
            }
            Kind::Correlation { hits, .. } => hits.iter_mut().for_each(|hit| hit.event.store = store),
            Kind::Pipeline { flow, .. } => {
                flow.collected.iter_mut().for_each(|pile| pile.set_store(store));
            }
            Kind::Terms(terms) => terms.events().for_each(|id| id.store = store),
        }
    }

    /// Adds what another thread collected for the same rule, or what lay aside.
    pub(super) fn merge(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.fresh.extend(other.fresh);
        self.direct.iter_mut().zip(other.direct).for_each(|(own, more)| own.extend(more));
        self.arrivals.iter_mut().zip(other.arrivals).for_each(|(own, more)| own.merge(more));
        match (&mut self.kind, other.kind) {
            (Kind::Events { hits, .. }, Kind::Events { hits: more, .. }) => hits.extend(more),
            (
                Kind::Sequence { hits, .. } | Kind::Sample { hits, .. },
                Kind::Sequence { hits: more, .. } | Kind::Sample { hits: more, .. },
            ) => hits.hits.extend(more.hits),
            (Kind::Correlation { hits, .. }, Kind::Correlation { hits: more, .. }) => hits.extend(more),
            (Kind::Pipeline { flow, .. }, Kind::Pipeline { flow: more, .. }) => {
                for (pile, more) in flow.collected.iter_mut().zip(more.collected) {
                    pile.merge(more);
                }
            }
            (Kind::Terms(terms), Kind::Terms(more)) => terms.merge(more),
            _ => {}
        }
    }

    /// What is found in everything.
    pub(super) fn finish(self, rule: &Rule, share: &mut Share<'_>) -> Finished {
        let direct = self.direct.unwrap_or_default().into_iter();
        let mut direct: Vec<_> =
            direct.map(|(place, id, row)| (place.clone(), RawMatch::of_event(id, row, place.time))).collect();
        let mut finished = match self.kind {
            Kind::Nothing => Finished::default(),
            Kind::Events { limits, mut hits } => {
                hits.sort_by(|(a, _), (b, _)| a.compare_times(b));
                apply_limits(&mut hits, &limits);
                let matches = hits.into_iter().map(|(place, id)| RawMatch::of_event(id, Object::default(), place.time));
                Finished { matches: matches.collect(), ..Finished::default() }
            }
            Kind::Sequence { sequence, mut hits } => {
                hits.hits.sort_by(|a, b| compare_hits(sequence.steps.len(), a, b));
                Finished { matches: sequences(&sequence, hits.hits.into_iter()), ..Finished::default() }
            }
            Kind::Sample { steps, per_key, limits, hits } => {
                Finished { matches: samples((&steps, per_key), &limits, hits.hits.into_iter()), ..Finished::default() }
            }
            Kind::Correlation { correlation, hits, .. } => {
                Finished { matches: correlations(&correlation, hits), ..Finished::default() }
            }
            Kind::Pipeline { plan, flow } => rows(&plan, flow, rule, (share.settings.now, share.end, None), share),
            Kind::Terms(mut terms) => {
                terms.prepare();
                Finished { matches: terms.find_all(), ..Finished::default() }
            }
        };
        if !direct.is_empty() {
            direct.sort_by(|(a, _), (b, _)| a.compare_times(b));
            finished.matches.splice(0..0, direct.into_iter().map(|(_, found)| found));
        }
        finished
    }
}

/// The sequences among hits, which come in order.
pub(super) fn sequences(sequence: &Sequence, hits: impl Iterator<Item = StepHit<Option<EventId>>>) -> Vec<RawMatch> {
    let mut automaton = Automaton::new(sequence);
    let mut completed: Vec<_> = hits.flat_map(|hit| automaton.push(hit)).collect();
    completed.extend(automaton.finish());
    completed.sort_by(Completed::compare);
    let found = completed.into_iter().map(|found| (found.key, found.events.into_iter().map(Option::flatten).collect()));
    joined(found.collect(), &sequence.limits)
}

/// The samples among hits, so many a key.
pub(super) fn samples(
    (steps, per_key): (&[Step], usize),
    limits: &[Limit],
    hits: impl Iterator<Item = StepHit<Option<EventId>>>,
) -> Vec<RawMatch> {
    let mut sampler = Sampler::new(steps.len(), per_key);
    hits.for_each(|hit| sampler.push(hit));
    let found = sampler.finish().into_iter().map(|sample| (sample.key, sample.events));
    joined(found.collect(), limits)
}

fn joined(mut found: Vec<(KeyTuple, Vec<Option<EventId>>)>, limits: &[Limit]) -> Vec<RawMatch> {
    apply_limits(&mut found, limits);
    let matches =
        found.into_iter().map(|(key, events)| RawMatch { events, join_keys: key.to_vec(), ..RawMatch::default() });
    matches.collect()
}

/// The place of an event without a time, where time does not count.
fn undated(hand: &Hand<'_>) -> Place {
    Place { time: Timestamp(0), tiebreaker: Value::Null, reference: hand.reference() }
}

/// The correlations among hits.
pub(super) fn correlations(correlation: &Correlation, hits: Vec<CorrelationHit<EventId>>) -> Vec<RawMatch> {
    let row = |found: Correlated<EventId>| {
        let satisfied = found.events.iter().filter(|(place, _)| place.time <= found.first).count();
        let mut values = Object::default();
        for (name, value) in correlation.keys.iter().zip(found.key.iter()) {
            values.insert(Arc::clone(name), value.clone());
        }
        RawMatch {
            time: found.events.last().map(|(place, _)| place.time),
            events: found.events.into_iter().map(|(_, id)| Some(id)).collect(),
            join_keys: found.key.to_vec(),
            values,
            identified_by: Some(satisfied),
            ..RawMatch::default()
        }
    };
    correlate(correlation, hits).into_iter().map(row).collect()
}

/// What a pipeline makes of the rows that were collected. The times: what an event without a time is judged by, and what
/// times in the rule are counted from; and the window of the schedule, if there is one.
pub(super) fn rows(
    plan: &PipelinePlan,
    mut flow: Flow,
    rule: &Rule,
    (now, moment, window): (Timestamp, Timestamp, Option<Window>),
    share: &mut Share<'_>,
) -> Finished {
    if let Some(why) = &plan.fault {
        return Finished { errors: vec![format!("{}: {why}", rule.meta.name)], ..Finished::default() };
    }
    let mut seat = FinishSeat {
        fields: share.fields,
        stores: &mut *share.stores,
        relational: share.settings.relational.as_deref(),
        now,
        moment,
        window,
        gathered: Gathered::default(),
        capped: 0,
        room: share.settings.tail_budget,
        dropped: 0,
        said: Vec::new(),
    };
    let errors = plan.finish(&mut flow, &mut seat);
    let errors = errors.into_iter().map(|error| error.message).chain(std::mem::take(&mut seat.said));
    let (capped, dropped) = (seat.capped, seat.dropped);
    let errors = errors.map(|error| format!("{}: {error}", rule.meta.name)).collect();
    let matches = flow.matches.into_iter().map(|row| RawMatch {
        events: row.events().iter().copied().map(Some).collect(),
        time: row.place.time,
        values: row.columns,
        ..RawMatch::default()
    });
    Finished { matches: matches.collect(), errors, capped, dropped }
}

/// Keeps what a correlation reads of an event that passed one of its filters.
fn take_correlated(
    correlation: &Correlation,
    filter: usize,
    (hits, known): (&mut Vec<CorrelationHit<EventId>>, &mut FxHashSet<KeyTuple>),
    order: &OrderFields,
    hand: &mut Hand<'_>,
    taken: &mut Taken,
) {
    let mut place: Option<Place> = None;
    for (leaf, input) in correlation.leaves().into_iter().enumerate() {
        let CorrelationInput::Filter { filter: own, reads, .. } = input else { continue };
        if *own != filter {
            continue;
        }
        if place.is_none() {
            place = order.place(hand);
        }
        let Some(place) = &place else {
            taken.undated += 1;
            return;
        };
        let mut share = |tuples: Vec<Vec<Value>>| -> Vec<KeyTuple> {
            tuples.into_iter().map(|tuple| shared(known, tuple)).collect()
        };
        let read = |read: &CorrelationRead| {
            let keys = share(field_tuples(&read.keys, hand, taken));
            let values =
                if read.values.is_empty() { Vec::new() } else { share(field_tuples(&read.values, hand, taken)) };
            Read { keys, values }
        };
        let read: Vec<Read> = reads.iter().map(read).collect();
        hits.push(CorrelationHit { place: place.clone(), leaf, read, event: hand.id() });
    }
}

/// The tuple as it is held once for all hits.
fn shared(known: &mut FxHashSet<KeyTuple>, tuple: Vec<Value>) -> KeyTuple {
    if let Some(shared) = known.get(tuple.as_slice()) {
        return Arc::clone(shared);
    }
    let tuple = KeyTuple::from(tuple);
    known.insert(Arc::clone(&tuple));
    tuple
}

/// The combinations of the fields' values as text, none if one is missing.
fn field_tuples(fields: &[FieldRef], hand: &mut Hand<'_>, taken: &mut Taken) -> Vec<Vec<Value>> {
    let keys: Vec<Key> = fields.iter().map(|field| Key { field: field.clone(), optional: false }).collect();
    let as_text = |value: Value| match value {
        Value::Text(_) | Value::Null => value,
        other => Value::text(other.to_string()),
    };
    let tuples = key_tuples(&keys, hand, taken);
    tuples.into_iter().map(|tuple| tuple.into_iter().map(as_text).collect()).collect()
}

impl StepHits {
    fn take<'s>(
        &mut self,
        filter: usize,
        steps: impl Iterator<Item = (usize, &'s Step, bool)>,
        order: impl Fn(&mut Hand<'_>) -> Option<Place>,
        hand: &mut Hand<'_>,
        taken: &mut Taken,
    ) {
        let mut place: Option<Place> = None;
        for (number, step, shown) in steps.filter(|(_, step, _)| step.filter == filter) {
            let keys = key_tuples(&step.keys, hand, taken);
            if keys.is_empty() {
                continue;
            }
            if place.is_none() {
                place = order(hand);
            }
            let Some(place) = &place else {
                taken.undated += 1;
                return;
            };
            let event = shown.then(|| hand.id());
            for key in keys {
                let key = shared(&mut self.keys, key);
                taken.bytes += size_of::<StepHit<Option<EventId>>>() as u64;
                self.hits.push(StepHit { place: place.clone(), step: number, key, event });
            }
        }
    }
}

/// All tuples of single values of the key fields; none if a key that is not optional is missing.
fn key_tuples(keys: &[Key], hand: &mut Hand<'_>, taken: &mut Taken) -> Vec<Vec<Value>> {
    let mut tuples: Vec<Vec<Value>> = vec![Vec::new()];
    for key in keys {
        let value = hand.field(&key.field);
        let mut values: Vec<Value> = Vec::new();
        for single in value.elements() {
            if !values.contains(single) {
                values.push(single.clone());
            }
        }
        if values.is_empty() && key.optional {
            values.push(Value::Null);
        }
        tuples = tuples
            .iter()
            .flat_map(|tuple| values.iter().map(|value| tuple.iter().chain([value]).cloned().collect()))
            .collect();
        if tuples.len() > MOST_KEYS {
            tuples.truncate(MOST_KEYS);
            taken.capped += 1;
        }
    }
    tuples
}

impl OrderFields {
    /// By the field that the rule's vendor orders events by, if the event has it, else by the taxonomy's own time.
    fn new(rule: &Rule) -> Self {
        let Some(taxonomy) = rule.body.as_ref().and_then(taxonomy) else {
            return Self { times: Vec::new(), tiebreaker: None };
        };
        let field = |name: &str| FieldRef::new(taxonomy, name);
        let times = match taxonomy {
            Taxonomy::Ecs => {
                rule.meta.timestamp_override.as_deref().into_iter().chain(["@timestamp"]).map(field).collect()
            }
            _ => Vec::new(),
        };
        Self { times, tiebreaker: rule.meta.tiebreaker.as_deref().map(field) }
    }

    fn time(&self, hand: &mut Hand<'_>) -> Option<Timestamp> {
        let own = hand.batch.times().get(hand.row).copied().flatten();
        self.times.iter().find_map(|field| read_time(&hand.field(field))).or(own)
    }

    fn tiebreaker(&self, hand: &mut Hand<'_>) -> Value {
        self.tiebreaker.as_ref().map(|field| hand.field(field)).unwrap_or_default()
    }

    fn place(&self, hand: &mut Hand<'_>) -> Option<Place> {
        let time = self.time(hand)?;
        Some(Place { time, tiebreaker: self.tiebreaker(hand), reference: hand.reference() })
    }

    fn row_place(&self, hand: &mut Hand<'_>) -> RowPlace {
        RowPlace {
            rank: 0,
            time: self.time(hand),
            tiebreaker: self.tiebreaker(hand),
            reference: Some(hand.reference()),
            position: 0,
        }
    }
}

/// The taxonomy that a rule speaks: that of its first field.
pub(super) fn taxonomy(body: &RuleBody) -> Option<Taxonomy> {
    let mut found = None;
    let mut visit = |field: &FieldRef| found = found.or(Some(field.taxonomy));
    body.filters.iter().for_each(|filter: &Predicate| filter.fields(&mut |field| visit(field)));
    body.tail.fields().into_iter().for_each(visit);
    found
}
