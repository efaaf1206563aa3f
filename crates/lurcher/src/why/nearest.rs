//! The event that came nearest to a rule, and what it lacked.

use std::collections::BTreeSet;

use lurcher_engine::explain::{self, SourceVerdict};
use lurcher_ir::Rule;
use lurcher_schema::{Event, EventBatch, Schemas, Timestamp};

use super::{Failing, event_name, listed};

/// So many events are looked at. Of more, the first ones: an explanation need not be the best there is.
const MOST: usize = 4000;

/// Why no event passed.
#[derive(Debug)]
pub(crate) enum Nearest {
    /// The rule sees none of the events.
    NotSeen {
        /// What it names and what the events are.
        verdict: SourceVerdict,
        /// The kinds of the events.
        kinds: BTreeSet<String>,
        /// The test that the first of them would fail if the rule saw it.
        failing: Option<Box<Failing>>,
    },
    /// This event came nearest.
    Event {
        /// The event.
        event: Box<Event>,
        /// Which of the rule's filters, and of how many.
        filter: (usize, usize),
        /// The test that it failed; `None` if it passes the filter, so that what is missing is another event.
        failing: Option<Box<Failing>>,
    },
}

/// Finds the event that came nearest to passing a filter of the rule that no event passes; of filters that all have
/// events, the first. `None` without events or without a body.
pub(crate) fn nearest(
    rule: &Rule,
    batches: &[EventBatch],
    schemas: &Schemas,
    any_source: bool,
    now: Timestamp,
) -> Option<Nearest> {
    let body = rule.body.as_ref()?;
    let first = batches.iter().find(|batch| batch.rows() > 0)?;
    let verdict =
        |filter: usize, batch: &EventBatch| explain::source(explain::sources_of(rule, filter), batch.shape(), schemas);
    let seen_by = |filter: usize| {
        let sees = move |batch: &&EventBatch| batch.rows() > 0 && (any_source || verdict(filter, batch).seen);
        batches.iter().filter(sees)
    };
    if (0..body.filters.len()).all(|filter| seen_by(filter).next().is_none()) {
        let kinds = batches.iter().filter(|b| b.rows() > 0).map(|b| event_name(b.shape())).collect();
        let event = first.event(0);
        let explanation = body.filters.first().map(|filter| explain::explain(filter, &event, schemas, now));
        let decisive = explanation.as_ref().filter(|own| !own.holds).and_then(|own| own.decisive().first().copied());
        let failing = decisive.map(|decisive| Box::new(Failing::new(&decisive, &event, schemas)));
        return Some(Nearest::NotSeen { verdict: verdict(0, first), kinds, failing });
    }
    let mut best: Option<(f64, Nearest)> = None;
    for (number, filter) in body.filters.iter().enumerate() {
        let mut own: Option<(f64, Event)> = None;
        let events = seen_by(number).flat_map(|batch| (0..batch.rows()).map(move |row| batch.event(row)));
        for event in events.take(MOST) {
            let progress = explain::explain(filter, &event, schemas, now).progress();
            if own.as_ref().is_none_or(|(known, _)| progress > *known) {
                own = Some((progress, event));
            }
            if progress >= 1.0 {
                break;
            }
        }
        let Some((progress, event)) = own else { continue };
        // A filter that no event passes says more than one that has its event; among those, the one that was nearer.
        let rank = if progress >= 1.0 { -1.0 } else { progress };
        if best.as_ref().is_none_or(|(known, _)| rank > *known) {
            let explanation = explain::explain(filter, &event, schemas, now);
            let failing = if explanation.holds { None } else { explanation.decisive().first().copied() };
            let failing = failing.map(|decisive| Box::new(Failing::new(&decisive, &event, schemas)));
            best =
                Some((rank, Nearest::Event { filter: (number, body.filters.len()), failing, event: Box::new(event) }));
        }
    }
    best.map(|(_, nearest)| nearest)
}

impl Nearest {
    /// In lines, without indentation.
    pub(crate) fn lines(&self) -> Vec<String> {
        match self {
            Self::NotSeen { verdict, kinds, failing } => {
                let mut lines = vec!["the rule does not see these events:".to_owned()];
                lines.push(format!("  it names       {}", listed(&verdict.wanted)));
                let belongs =
                    if verdict.belongs.is_empty() { "none that is known".to_owned() } else { listed(&verdict.belongs) };
                lines.push(format!("  they belong to {belongs}"));
                lines.push(format!("  they are       {}", kinds.iter().cloned().collect::<Vec<_>>().join(", ")));
                if let Some(failing) = failing {
                    lines.push("and if it saw them".to_owned());
                    lines.push(format!("first failure  {}", failing.headline()));
                    lines.extend(failing.lines());
                }
                lines
            }
            Self::Event { event, filter, failing } => {
                let name = event.reference.to_string();
                let mut lines = Vec::new();
                let step =
                    if filter.1 > 1 { format!(" (filter {} of {})", filter.0 + 1, filter.1) } else { String::new() };
                match failing {
                    None => {
                        lines.push(format!("{name} passes{step}, and so does an event for every other filter:"));
                        lines.push(
                            "what is missing is in how the events go together (order, keys, time, count)".to_owned(),
                        );
                    }
                    Some(failing) => {
                        lines.push(format!("nearest event  {name}, {}{step}", event_name(&event.shape)));
                        lines.push(format!("first failure  {}", failing.headline()));
                        lines.extend(failing.lines());
                    }
                }
                lines
            }
        }
    }
}
