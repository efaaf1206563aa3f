//! What the logs hold: kinds of events, when they happened, which raw fields they carry, and which rules fire on them.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use lurcher_engine::{Alert, AlertSink, Compiler, Route, RuleSet, Scanner, Settings, Tables};
use lurcher_ir::Rule;
use lurcher_readers::Report;
use lurcher_schema::{EventBatch, Schemas, Shape, ShapeId, Timestamp};

use crate::{hunt::Span, scan::Plan, why::Kind};

/// What the logs hold.
pub(super) struct Survey {
    /// What each shape has, by kind.
    pub(super) shapes: Vec<ShapeSeen>,
    /// How many alerts each rule raised, in the order of the rules.
    pub(super) alerts: Vec<u64>,
    /// The rules, compiled.
    pub(super) rules: Arc<RuleSet>,
    /// Events that were looked at.
    pub(super) events: u64,
    /// Events outside the times that were asked for.
    pub(super) outside: u64,
    /// From when to when the events outside are; `None` without such.
    pub(super) outside_times: Option<(Timestamp, Timestamp)>,
    /// Events without a time.
    pub(super) undated: u64,
    /// What reading came to.
    pub(super) report: Report,
}

/// Events of one shape.
pub(super) struct ShapeSeen {
    pub(super) shape: Arc<Shape>,
    pub(super) kind: Kind,
    pub(super) events: u64,
    pub(super) first: Option<Timestamp>,
    pub(super) last: Option<Timestamp>,
    /// Raw fields that some event carries.
    pub(super) raw: HashSet<Arc<str>>,
}

impl ShapeSeen {
    fn new(shape: &Arc<Shape>) -> Self {
        Self {
            shape: Arc::clone(shape),
            kind: Kind::of(shape),
            events: 0,
            first: None,
            last: None,
            raw: HashSet::new(),
        }
    }

    /// Whether some event carries a raw field: under its name, as a part of an object, or as an object with parts.
    pub(super) fn has(&self, name: &str) -> bool {
        self.raw.contains(name)
            || name.rmatch_indices('.').any(|(dot, _)| self.raw.contains(&name[..dot]))
            || self.raw.iter().any(|raw| raw.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
    }

    fn add(&mut self, batch: &EventBatch) {
        let times = || batch.times().iter().flatten().copied();
        self.events += batch.rows() as u64;
        self.first = self.first.into_iter().chain(times().min()).min();
        self.last = self.last.max(times().max());
        for name in batch.field_names() {
            if !self.raw.contains(name) {
                self.raw.insert(name.into());
            }
        }
    }

    fn merge(&mut self, other: Self) {
        self.events += other.events;
        self.first = self.first.into_iter().chain(other.first).min();
        self.last = self.last.max(other.last);
        self.raw.extend(other.raw);
    }
}

/// One thread's share.
struct Worker {
    scanner: Scanner,
    counts: Counts,
    seen: HashMap<ShapeId, ShapeSeen>,
    outside: u64,
    outside_times: Option<(Timestamp, Timestamp)>,
    undated: u64,
}

/// The span that holds both.
fn both(a: Option<(Timestamp, Timestamp)>, b: Option<(Timestamp, Timestamp)>) -> Option<(Timestamp, Timestamp)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
    }
}

/// Counts alerts by the address of their rule, and forgets them.
#[derive(Default)]
struct Counts(HashMap<usize, u64>);

fn address(rule: &Arc<Rule>) -> usize {
    Arc::as_ptr(rule) as usize
}

impl AlertSink for Counts {
    fn alert(&mut self, alert: Alert) {
        *self.0.entry(address(&alert.rule)).or_default() += 1 + alert.suppressed;
    }
}

impl Survey {
    /// Reads everything once.
    pub(super) fn take(
        plan: Plan,
        (rules, tables): (&[Arc<Rule>], Tables),
        schemas: &Arc<Schemas>,
        route: Route,
        span: &Span,
    ) -> Self {
        let set = Compiler::new(Arc::clone(schemas)).route(route).add_all(rules.iter().cloned()).build();
        let settings = Arc::new(Settings {
            now: crate::hunt::now(),
            until: span.end(),
            max_evidence: 1,
            tables,
            relational: Some(lurcher_query::relational()),
            ..Settings::default()
        });
        let worker = || Worker {
            scanner: Scanner::new(Arc::clone(&set), Arc::clone(&settings)),
            counts: Counts::default(),
            seen: HashMap::new(),
            outside: 0,
            outside_times: None,
            undated: 0,
        };
        let take = |worker: &mut Worker, batch: &EventBatch| {
            let kept = if span.is_open() { None } else { Some(batch.filter(|row| span.holds(batch.times()[row]))) };
            let kept = kept.as_ref().unwrap_or(batch);
            worker.outside += (batch.rows() - kept.rows()) as u64;
            let outside = batch.times().iter().flatten().filter(|time| !span.is_open() && !span.holds(Some(**time)));
            worker.outside_times = outside.fold(worker.outside_times, |known, time| both(known, Some((*time, *time))));
            worker.undated += batch.times().iter().filter(|time| time.is_none()).count() as u64;
            if kept.rows() > 0 {
                let shape = kept.shape();
                worker.seen.entry(shape.id()).or_insert_with(|| ShapeSeen::new(shape)).add(kept);
                worker.scanner.scan(kept, &mut worker.counts);
            }
        };
        let (workers, report) = plan.run(worker, take);
        let (mut scanners, mut counts) = (Vec::new(), Counts::default());
        let mut seen: HashMap<ShapeId, ShapeSeen> = HashMap::new();
        let (mut outside, mut outside_times, mut undated) = (0, None, 0);
        for worker in workers {
            scanners.push(worker.scanner);
            outside += worker.outside;
            outside_times = both(outside_times, worker.outside_times);
            undated += worker.undated;
            for (address, alerts) in worker.counts.0 {
                *counts.0.entry(address).or_default() += alerts;
            }
            for (id, shape) in worker.seen {
                match seen.get_mut(&id) {
                    Some(known) => known.merge(shape),
                    None => drop(seen.insert(id, shape)),
                }
            }
        }
        Scanner::finish(scanners, &mut counts);
        let mut shapes: Vec<ShapeSeen> = seen.into_values().collect();
        shapes.sort_by(|a, b| b.events.cmp(&a.events).then_with(|| a.kind.cmp(&b.kind)));
        Self {
            events: shapes.iter().map(|shape| shape.events).sum(),
            shapes,
            alerts: rules.iter().map(|rule| counts.0.get(&address(rule)).copied().unwrap_or(0)).collect(),
            rules: set,
            outside,
            outside_times,
            undated,
            report,
        }
    }
}
