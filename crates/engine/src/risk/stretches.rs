//! The stretches of one object's risk events that are incidents of one rule, kept up as events come.
//!
//! What comes in order costs a step. What comes out of order belongs to the stretch that it falls into, which it can only
//! make bigger; where it may have changed when a stretch opened, the object's events are gone through again. So the same
//! stretches are found in whatever order the events came.

use hashbrown::HashMap;
use lurcher_schema::Timestamp;
use rustc_hash::FxBuildHasher;

use super::{
    RiskEvent,
    incident::{IncidentRule, Totals, incident_id},
};

/// A stretch of an object's risk events that is an incident.
#[derive(Debug)]
pub(super) struct Stretch {
    pub(super) id: String,
    /// Where its events are among those of the object.
    begin: usize,
    end: usize,
    /// How many of them opened it.
    opening: usize,
    /// What comes up to this time belongs to it, in microseconds since 1970.
    until: i64,
    /// So many of its events, from the first on, have surely been told.
    told: usize,
    pub(super) totals: Totals,
}

impl Stretch {
    /// Whether nothing of it was told.
    pub(super) fn is_new(&self) -> bool {
        self.told == 0
    }

    /// Whether there is something that was not told.
    pub(super) fn has_grown(&self) -> bool {
        self.told < self.end - self.begin
    }

    /// Its events.
    pub(super) fn events<'e>(&self, events: &'e [RiskEvent]) -> &'e [RiskEvent] {
        &events[self.begin..self.end]
    }

    /// Those that may not have been told. From now on they are.
    pub(super) fn tell<'e>(&mut self, events: &'e [RiskEvent]) -> &'e [RiskEvent] {
        let new = &self.events(events)[self.told..];
        self.told = self.end - self.begin;
        new
    }
}

/// What one rule has made of the risk events of one object.
#[derive(Debug, Default)]
pub(super) struct Stretches {
    found: Vec<Stretch>,
    /// The first event that was not looked at; `None` if none was.
    next: Option<usize>,
    /// The first event of the window, which ends with the last one that was looked at.
    begin: usize,
    window: Window,
}

impl Stretches {
    pub(super) fn found(&self) -> &[Stretch] {
        &self.found
    }

    pub(super) fn found_mut(&mut self) -> &mut [Stretch] {
        &mut self.found
    }

    /// Says that events, in order, are about to be put among the object's from place `at` on, which is before the end of
    /// what was looked at.
    pub(super) fn make_room(&mut self, new: &[RiskEvent], at: usize) {
        let looked_at = self.next.unwrap_or(0);
        if at >= looked_at {
            return;
        }
        match self.found.last_mut() {
            Some(open) if open.end == looked_at && at >= open.begin + open.opening => {
                let of_it = new.iter().take_while(|event| micros(event) <= open.until);
                let before = open.end;
                for event in of_it {
                    open.totals.add(event);
                    open.end += 1;
                }
                open.told = open.told.min(at - open.begin);
                self.begin += open.end - before;
                self.next = Some(open.end);
            }
            _ => *self = Self::default(),
        }
    }

    /// Looks at what has come behind what was looked at; events up to `over` are not looked at.
    pub(super) fn go_on(&mut self, rule: &IncidentRule, events: &[RiskEvent], over: Option<Timestamp>) {
        let span = i64::try_from(rule.window.as_micros()).unwrap_or(i64::MAX);
        let mut next = self.next.unwrap_or_else(|| {
            self.begin = events.partition_point(|event| event.time <= over);
            self.begin
        });
        while let Some(event) = events.get(next) {
            let now = micros(event);
            next += 1;
            if let Some(open) = self.found.last_mut().filter(|open| open.end == next - 1 && now <= open.until) {
                open.totals.add(event);
                open.end = next;
                self.begin = next;
                continue;
            }
            self.window.add(event);
            while micros(&events[self.begin]) <= now.saturating_sub(span) {
                self.window.remove(&events[self.begin]);
                self.begin += 1;
            }
            if rule.holds(&self.window) {
                self.open(rule, &events[..next], now.saturating_add(span));
            }
        }
        self.next = Some(next);
    }

    /// The events of the window open an incident.
    fn open(&mut self, rule: &IncidentRule, events: &[RiskEvent], until: i64) {
        let opening = &events[self.begin..];
        let mut totals = Totals::default();
        opening.iter().for_each(|event| totals.add(event));
        let id = incident_id(rule, opening);
        let (begin, end) = (self.begin, events.len());
        self.found.push(Stretch { id, begin, end, opening: end - begin, until, told: 0, totals });
        self.begin = end;
        self.window = Window::default();
    }

    /// Says that the first so many of the events, which are two windows old, are about to go. Returns the time of the last
    /// event of the incidents that some of them belonged to, which are over.
    pub(super) fn forget(&mut self, events: &[RiskEvent], count: usize) -> Option<Timestamp> {
        let gone = self.found.iter().take_while(|stretch| stretch.begin < count).count();
        let over = self.found.drain(..gone).filter_map(|stretch| stretch.events(events).last()?.time).max();
        for stretch in &mut self.found {
            stretch.begin -= count;
            stretch.end -= count;
        }
        if let Some(next) = self.next {
            let of_window = events.get(self.begin..count.min(next)).unwrap_or_default();
            of_window.iter().for_each(|event| self.window.remove(event));
            self.begin = self.begin.saturating_sub(count);
            self.next = Some(next.saturating_sub(count));
        }
        over
    }
}

fn micros(event: &RiskEvent) -> i64 {
    event.time.unwrap_or(Timestamp(0)).0
}

/// The tactics of an event's rule.
pub(super) fn tactics(event: &RiskEvent) -> impl Iterator<Item = &str> {
    event.rule.meta.threats.iter().map(|threat| threat.tactic.0.as_str()).filter(|id| !id.is_empty())
}

type Counts = HashMap<String, usize, FxBuildHasher>;

/// What conditions look at, kept up as the window moves.
#[derive(Debug, Default)]
pub(super) struct Window {
    pub(super) score: f64,
    sources: Counts,
    tactics: Counts,
}

impl Window {
    /// How many rules its events are of.
    pub(super) fn sources(&self) -> usize {
        self.sources.len()
    }

    /// How many tactics these have.
    pub(super) fn tactics(&self) -> usize {
        self.tactics.len()
    }

    fn add(&mut self, event: &RiskEvent) {
        self.score += event.calculated;
        *self.sources.entry_ref(event.rule.meta.name.as_str()).or_default() += 1;
        for tactic in tactics(event) {
            *self.tactics.entry_ref(tactic).or_default() += 1;
        }
    }

    fn remove(&mut self, event: &RiskEvent) {
        fn less(counts: &mut Counts, name: &str) {
            if let Some(count) = counts.get_mut(name) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(name);
                }
            }
        }
        self.score -= event.calculated;
        less(&mut self.sources, &event.rule.meta.name);
        tactics(event).for_each(|tactic| less(&mut self.tactics, tactic));
    }
}
