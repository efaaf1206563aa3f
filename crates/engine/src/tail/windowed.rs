//! A rule's hits looked at window by window, again and again, where [`RuleTail::finish`] looks at all of them once.

use lurcher_ir::Rule;
use lurcher_schema::{EventRef, Object, Timestamp};

use super::{
    RawDetail, RawMatch, Stores, apply_limits,
    rule_tail::{Kind, RuleTail, Share, correlations, rows, samples, sequences},
};
use crate::{
    pipeline::{Flow, Pile, RowPlace, extent, own_window},
    sequence::compare_hits,
    terms::Window,
};

impl RuleTail {
    /// Brings back what was sent to a file.
    pub(super) fn bring_back(&mut self, stores: &mut Stores) {
        if let Kind::Pipeline { plan, flow } = &mut self.kind {
            plan.bring_back(flow, stores);
        }
    }

    /// Puts everything in order. To be called when all hits are there; again, when there are more.
    pub(super) fn prepare(&mut self) {
        self.direct.iter_mut().for_each(|direct| direct.sort_by(|(a, ..), (b, ..)| a.compare_times(b)));
        match &mut self.kind {
            Kind::Nothing => {}
            Kind::Events { hits, .. } => hits.sort_by(|(a, _), (b, _)| a.compare_times(b)),
            Kind::Sequence { sequence, hits } => {
                hits.hits.sort_by(|a, b| compare_hits(sequence.steps.len(), a, b));
            }
            Kind::Sample { steps, hits, .. } => hits.hits.sort_by(|a, b| compare_hits(steps.len(), a, b)),
            Kind::Correlation { hits, .. } => hits.sort_by(|a, b| a.place.cmp(&b.place)),
            Kind::Pipeline { flow, .. } => {
                for pile in &mut flow.collected {
                    pile.rows.sort_by(|a, b| a.place.compare_times(&b.place));
                }
            }
            Kind::Terms(terms) => terms.prepare(),
        }
    }

    /// The time of every hit, and when it arrived if that was later; of rows in a file the first and the last.
    pub(super) fn places(&self, visit: &mut dyn FnMut(Option<Timestamp>, Option<Timestamp>)) {
        let arrival = |reference: Option<&EventRef>| self.arrivals.as_ref().and_then(|known| known.of(reference));
        let mut place = |place: &RowPlace| visit(place.time, arrival(place.reference.as_ref()));
        self.direct.iter().flatten().for_each(|(at, ..)| place(at));
        match &self.kind {
            Kind::Nothing => {}
            Kind::Events { hits, .. } => hits.iter().for_each(|(at, _)| place(at)),
            Kind::Sequence { hits, .. } | Kind::Sample { hits, .. } => {
                hits.hits.iter().for_each(|hit| visit(Some(hit.place.time), arrival(Some(&hit.place.reference))));
            }
            Kind::Correlation { hits, .. } => {
                hits.iter().for_each(|hit| visit(Some(hit.place.time), arrival(Some(&hit.place.reference))));
            }
            Kind::Pipeline { flow, .. } => {
                flow.collected.iter().flat_map(|pile| &pile.rows).for_each(|row| place(&row.place));
                flow.collected.iter().flat_map(Pile::ends).for_each(|time| visit(Some(time), None));
            }
            Kind::Terms(terms) => terms.places().for_each(place),
        }
    }

    /// How many hits lie in a window.
    pub(super) fn count(&self, window: Window) -> u64 {
        let mut hits = 0;
        self.places(&mut |time, _| hits += u64::from(window.holds(time)));
        hits
    }

    /// Whether runs that see the same events may still find different things.
    pub(super) fn depends_on_time(&self) -> bool {
        matches!(&self.kind, Kind::Terms(terms) if terms.depends_on_time()) || self.has_own_times()
    }

    /// Whether it looks at other times than the windows of its schedule.
    pub(super) fn has_own_times(&self) -> bool {
        matches!(&self.kind, Kind::Pipeline { plan, .. } if plan.moments().next().is_some())
    }

    /// All times that a run looks at whose window is this.
    pub(super) fn extent(&self, window: Window, now: Timestamp) -> Window {
        match &self.kind {
            Kind::Pipeline { plan, .. } => extent(plan.moments(), window, now),
            _ => window,
        }
    }

    /// What is found in a window at a moment, and what went wrong.
    pub(super) fn find(
        &mut self,
        rule: &Rule,
        window: Window,
        now: Timestamp,
        share: &mut Share<'_>,
    ) -> (Vec<RawMatch>, Vec<String>) {
        let arrivals = self.arrivals.as_ref();
        let arrived = |reference: Option<&EventRef>| {
            arrivals.and_then(|known| known.of(reference)).is_none_or(|arrival| arrival <= now)
        };
        let visible = |place: &RowPlace| arrived(place.reference.as_ref());
        let mut found: Vec<RawMatch> = Vec::new();
        if let Some(direct) = &self.direct {
            let rows = slice(direct, window, |(place, ..)| place.time).iter().filter(|(place, ..)| visible(place));
            found.extend(rows.map(|(place, id, row)| RawMatch::of_event(*id, row.clone(), place.time)));
        }
        let mut errors = Vec::new();
        match &mut self.kind {
            Kind::Nothing => {}
            Kind::Events { limits, hits } => {
                let hits = slice(hits, window, |(place, _)| place.time).iter().filter(|(place, _)| visible(place));
                found.extend(hits.map(|(place, id)| RawMatch::of_event(*id, Object::default(), place.time)));
                apply_limits(&mut found, limits);
            }
            Kind::Sequence { sequence, hits } => {
                let hits = slice(&hits.hits, window, |hit| Some(hit.place.time)).iter();
                let hits = hits.filter(|hit| arrived(Some(&hit.place.reference))).cloned();
                found.append(&mut sequences(sequence, hits));
            }
            Kind::Sample { steps, per_key, limits, hits } => {
                let hits = slice(&hits.hits, window, |hit| Some(hit.place.time)).iter();
                let hits = hits.filter(|hit| arrived(Some(&hit.place.reference))).cloned();
                found.append(&mut samples((steps, *per_key), limits, hits));
            }
            Kind::Correlation { correlation, hits, .. } => {
                let hits = slice(hits, window, |hit| Some(hit.place.time)).iter();
                let hits = hits.filter(|hit| arrived(Some(&hit.place.reference))).cloned();
                found.append(&mut correlations(correlation, hits.collect()));
            }
            Kind::Pipeline { plan, flow } => {
                let mut part = Flow::new(plan);
                for (branch, (own, all)) in part.collected.iter_mut().zip(&flow.collected).enumerate() {
                    let window = plan.moment(branch).map_or(window, |moment| own_window(moment, window, now));
                    let rows = slice(&all.rows, window, |row| row.place.time).iter();
                    own.rows.extend(rows.filter(|row| visible(&row.place)).cloned());
                }
                let finished = rows(plan, part, rule, (now, now, Some(window)), share);
                found.extend(finished.matches);
                errors = finished.errors;
            }
            Kind::Terms(terms) => found.append(&mut terms.find(window, now, &visible)),
        }
        (found, errors)
    }

    /// Remembers that a match was raised, so that a later run does not count the same again.
    pub(super) fn remember(&mut self, raised: Option<Reminder>) {
        if let (Kind::Terms(terms), Some((detail, time))) = (&mut self.kind, raised) {
            terms.remember(&detail, time);
        }
    }

    /// What has to be remembered of a match once it is raised.
    pub(super) fn reminder(&self, found: &RawMatch) -> Option<Reminder> {
        match (&self.kind, &found.detail) {
            (Kind::Terms(_), RawDetail::Threshold(_)) => Some((found.detail.clone(), found.time?)),
            _ => None,
        }
    }
}

/// What was counted, and the time of the last event.
pub(super) type Reminder = (RawDetail, Timestamp);

/// The part of items in order of time that lies in a window.
fn slice<T>(items: &[T], window: Window, time: impl Fn(&T) -> Option<Timestamp>) -> &[T] {
    let first = items.partition_point(|item| time(item) < Some(window.from));
    let behind = items.partition_point(|item| time(item) <= Some(window.to));
    items.get(first..behind).unwrap_or_default()
}
