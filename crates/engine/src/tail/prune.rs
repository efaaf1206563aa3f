//! What a live run forgets: hits that no later run can look at, and with them the epochs of events.

use lurcher_ir::Tail;
use lurcher_schema::Timestamp;
use rustc_hash::FxHashSet;

use super::{
    EventId,
    aside::Waiting,
    rule_tail::{Kind, RuleTail},
    terms_tail::TermsTail,
};
use crate::{pipeline::RowPlace, sequence::KeyTuple};

impl RuleTail {
    /// How many hits there are.
    pub(super) fn len(&self) -> usize {
        let own = match &self.kind {
            Kind::Nothing => 0,
            Kind::Events { hits, .. } => hits.len(),
            Kind::Sequence { hits, .. } | Kind::Sample { hits, .. } => hits.hits.len(),
            Kind::Correlation { hits, .. } => hits.len(),
            Kind::Pipeline { flow, .. } => flow.collected.iter().map(|pile| pile.rows.len()).sum(),
            Kind::Terms(terms) => terms.len(),
        };
        own + self.direct.as_ref().map_or(0, Vec::len)
    }

    /// Forgets the hits before a time; of new terms, all but the last sighting of each tuple. They are in order.
    pub(super) fn forget(&mut self, before: Timestamp) {
        let had = self.len() as u64;
        if had == 0 {
            self.bytes = 0;
            return;
        }
        let stays = |place: &RowPlace| place.time >= Some(before);
        self.direct.iter_mut().for_each(|direct| direct.retain(|(place, ..)| stays(place)));
        match &mut self.kind {
            Kind::Nothing => {}
            Kind::Events { hits, .. } => hits.retain(|(place, _)| stays(place)),
            Kind::Sequence { hits, .. } | Kind::Sample { hits, .. } => {
                hits.hits.retain(|hit| hit.place.time >= before);
                forget_keys(&mut hits.keys);
            }
            Kind::Correlation { hits, keys, .. } => {
                hits.retain(|hit| hit.place.time >= before);
                forget_keys(keys);
            }
            Kind::Pipeline { flow, .. } => {
                flow.collected.iter_mut().for_each(|pile| pile.rows.retain(|row| stays(&row.place)));
            }
            Kind::Terms(terms) => terms.forget(before),
        }
        self.bytes = self.bytes / had * self.len() as u64;
        self.settle();
    }

    /// Says that all hits there are have been looked at.
    pub(super) fn settle(&mut self) {
        let direct = self.direct.as_ref().map_or(0, Vec::len);
        self.settled = (self.len() - direct, direct);
    }

    /// The stores that hold events of it.
    pub(super) fn stores(&self, found: &mut FxHashSet<u32>) {
        if let Waiting::RunAndHits(aside) = &self.waiting {
            aside.hits.stores(found);
        }
        let mut see = |id: &EventId| {
            found.insert(id.store);
        };
        self.direct.iter().flatten().for_each(|(_, id, _)| see(id));
        match &self.kind {
            Kind::Nothing => {}
            Kind::Events { hits, .. } => hits.iter().for_each(|(_, id)| see(id)),
            Kind::Sequence { hits, .. } | Kind::Sample { hits, .. } => {
                hits.hits.iter().filter_map(|hit| hit.event.as_ref()).for_each(see);
            }
            Kind::Correlation { hits, .. } => hits.iter().for_each(|hit| see(&hit.event)),
            Kind::Pipeline { flow, .. } => {
                for row in flow.collected.iter().flat_map(|pile| &pile.rows) {
                    row.own.iter().chain(&row.merged).for_each(&mut see);
                }
            }
            Kind::Terms(terms) => terms.kept().for_each(|id| see(&id)),
        }
    }
}

/// Forgets the tuples that no hit holds any more.
fn forget_keys(keys: &mut FxHashSet<KeyTuple>) {
    keys.retain(|key| std::sync::Arc::strong_count(key) > 1);
}

impl TermsTail {
    fn len(&self) -> usize {
        self.hits.len() + self.indicators.len()
    }

    /// The events that are kept for it.
    fn kept(&self) -> impl Iterator<Item = EventId> {
        self.hits.iter().chain(&self.indicators).filter(|hit| !hit.is_history()).map(|hit| hit.event)
    }

    fn forget(&mut self, before: Timestamp) {
        let (from, now) = (before, before);
        match &self.tail {
            Tail::NewTerms(terms) => {
                // History begins so long before the window; what is before that is forgotten whole.
                let history = terms.history.at(now).min(from);
                self.hits.retain(|hit| hit.place.time >= Some(history));
                let old = self.hits.partition_point(|hit| hit.place.time < Some(before));
                let mut known = FxHashSet::default();
                let mut last = vec![true; old];
                for (number, hit) in self.hits.iter_mut().enumerate().take(old).rev() {
                    // The last sighting of the same values says all that the earlier ones do.
                    last[number] = known.insert(hit.values.clone());
                    hit.become_history();
                }
                let mut number = 0;
                self.hits.retain(|_| {
                    number += 1;
                    number > old || last[number - 1]
                });
            }
            _ => self.hits.retain(|hit| hit.place.time >= Some(before)),
        }
        self.history.retain(|_, last| *last >= before);
    }
}
