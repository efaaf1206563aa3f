//! Suppression: alerts that are alike are counted, not raised again.
//!
//! Alerts are alike if the rule's suppression fields have equal values in them: those of the event, those that all
//! events of a sequence have in common, or those of the row. Of a custom query's event each value of a list counts for
//! itself: it is in a group for each. The first of a group is raised and tells how many it stands for and
//! from when to when. Within what time alerts are one, the rule says: one run (a hunt without a virtual clock is one
//! run), or a period that begins with the run that raised the first (without a clock, with its event).
//!
//! Source: Elastic's pages on alert suppression and on the fields of alerts.

use std::collections::BTreeMap;

use lurcher_ir::{MissingFields, Rule, Suppression, Tail};
use lurcher_schema::{Timestamp, Value};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::{Alert, Match, alert::SuppressionRecord, alert_id, alert_text::Values, sequence::compare_tiebreakers};

/// By what an alert is like others; `None` if its rule does not ask.
pub(crate) fn record(rule: &Rule, values: &Values<'_>, found: &Match) -> Option<SuppressionRecord> {
    let suppression = rule.meta.suppression.as_ref()?;
    let joined = matches!(rule.body.as_ref().map(|body| &body.tail), Some(Tail::Sequence(_) | Tail::Sample { .. }));
    let terms = suppression.fields.iter().map(|field| {
        let mut own = if joined { values.common(field) } else { values.all(field) };
        own.sort_by(compare_tiebreakers);
        own.dedup();
        let value = match own.len() {
            0 => Value::Null,
            1 => own.swap_remove(0),
            _ => Value::list(own),
        };
        (field.clone(), value)
    });
    let times = || found.events.iter().flatten().filter_map(|event| event.time);
    Some(SuppressionRecord { terms: terms.collect(), start: times().min(), end: times().max().max(found.last) })
}

/// An event with more combinations of values than this is in one group, that of all its values.
const MOST_GROUPS: usize = 1_000;

/// An alert as its rule makes it: for each combination of the values of its suppression's fields, if each value counts for
/// itself; else as it is.
pub(crate) fn each(alert: Alert) -> Vec<Alert> {
    let (Some(suppression), Some(record)) = (&alert.rule.meta.suppression, &alert.suppression) else {
        return vec![alert];
    };
    let lacks = record.terms.iter().any(|(_, value)| value.is_missing());
    if !suppression.each || lacks && suppression.missing == MissingFields::Raise {
        return vec![alert];
    }
    let mut groups: Vec<Vec<(String, Value)>> = vec![Vec::new()];
    for (field, value) in &record.terms {
        let values = match value {
            Value::List(values) => values.to_vec(),
            value => vec![value.clone()],
        };
        if groups.len() * values.len() > MOST_GROUPS {
            return vec![alert];
        }
        let with = |group: &Vec<(String, Value)>, value: &Value| {
            group.iter().cloned().chain([(field.clone(), value.clone())]).collect()
        };
        groups = groups.iter().flat_map(|group| values.iter().map(move |value| with(group, value))).collect();
    }
    if groups.len() < 2 {
        return vec![alert];
    }
    let of = |terms: Vec<(String, Value)>| {
        let mut own = alert.clone();
        let told: Vec<String> = terms.iter().map(|(_, value)| value.to_string()).collect();
        own.id = alert_id::of_parts(std::iter::once(alert.id.as_str()).chain(told.iter().map(String::as_str)));
        if let Some(record) = &mut own.suppression {
            record.terms = terms;
        }
        own
    };
    groups.into_iter().map(of).collect()
}

/// What became of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It was raised, and has this number.
    Raised(usize),
    /// It was counted in the one of this number.
    Counted(usize),
}

/// Takes the alerts of one rule in order and keeps those that are raised.
#[derive(Debug)]
pub(crate) struct Suppressor {
    suppression: Option<Suppression>,
    raised: BTreeMap<usize, Alert>,
    next: usize,
    /// For each tuple of values the alert that stands for it, and when that was raised.
    open: FxHashMap<Vec<Value>, (usize, Option<Timestamp>)>,
}

impl Suppressor {
    /// For a rule.
    pub(crate) fn new(rule: &Rule) -> Self {
        Self {
            suppression: rule.meta.suppression.clone(),
            raised: BTreeMap::new(),
            next: 0,
            open: FxHashMap::default(),
        }
    }

    /// A run begins: what is suppressed within one run only begins anew.
    pub(crate) fn begin_run(&mut self) {
        if self.suppression.as_ref().is_some_and(|suppression| suppression.period.is_none()) {
            self.open.clear();
        }
    }

    /// Whether an alert would only be counted.
    fn stands_in(&self, alert: &Alert, now: Option<Timestamp>) -> Option<(Vec<Value>, Option<usize>)> {
        let (suppression, record) = self.suppression.as_ref().zip(alert.suppression.as_ref())?;
        let key: Vec<Value> = record.terms.iter().map(|(_, value)| value.clone()).collect();
        if suppression.missing == MissingFields::Raise && key.iter().any(Value::is_missing) {
            return None;
        }
        let known = self.open.get(&key).filter(|(_, since)| {
            let Some((period, (since, now))) = suppression.period.zip(since.zip(now)) else { return true };
            let period = i64::try_from(period.as_micros()).unwrap_or(i64::MAX);
            now.0.saturating_sub(since.0) <= period
        });
        let number = known.map(|(number, _)| *number);
        Some((key, number))
    }

    /// Takes an alert that is raised now.
    pub(crate) fn offer(&mut self, alert: Alert, now: Option<Timestamp>) -> Fate {
        match self.stands_in(&alert, now) {
            Some((_, Some(number))) => {
                if let Some(first) = self.raised.get_mut(&number) {
                    count(first, &alert);
                }
                Fate::Counted(number)
            }
            Some((key, None)) => {
                self.open.insert(key, (self.next, now));
                self.raise(alert)
            }
            None => self.raise(alert),
        }
    }

    fn raise(&mut self, alert: Alert) -> Fate {
        let number = self.next;
        self.raised.insert(number, alert);
        self.next += 1;
        Fate::Raised(number)
    }

    /// An alert that was raised, as it stands now.
    pub(crate) fn alert(&self, number: usize) -> Option<&Alert> {
        self.raised.get(&number)
    }

    /// Forgets the alerts in which nothing can be counted any more: those of groups that were over before this time.
    pub(crate) fn forget(&mut self, now: Timestamp) {
        let period = self.suppression.as_ref().and_then(|suppression| suppression.period);
        if let Some(period) = period {
            let period = i64::try_from(period.as_micros()).unwrap_or(i64::MAX);
            self.open.retain(|_, (_, since)| since.is_none_or(|since| now.0.saturating_sub(since.0) <= period));
        }
        let open: FxHashSet<usize> = self.open.values().map(|(number, _)| *number).collect();
        self.raised.retain(|number, _| open.contains(number));
    }

    /// Whether an alert would be raised, not counted.
    pub(crate) fn would_raise(&self, alert: &Alert, now: Option<Timestamp>) -> bool {
        !matches!(self.stands_in(alert, now), Some((_, Some(_))))
    }

    /// The alerts that were raised.
    pub(crate) fn finish(self) -> Vec<Alert> {
        self.raised.into_values().collect()
    }
}

fn count(first: &mut Alert, other: &Alert) {
    first.suppressed += 1;
    if let (Some(own), Some(theirs)) = (&mut first.suppression, &other.suppression) {
        own.start = own.start.into_iter().chain(theirs.start).min();
        own.end = own.end.max(theirs.end);
    }
}
