//! The stores that hold what tails keep: one of each thread of a sweep, one of each epoch of a live run.

use std::collections::BTreeMap;

use lurcher_schema::{Event, EventRef, Timestamp};

use super::{EventId, EventStore, Extent};

/// Stores by number, and how many events could not be read back.
#[derive(Debug, Default)]
pub(crate) struct Stores {
    stores: BTreeMap<u32, EventStore>,
    pub(super) lost: u64,
}

impl Stores {
    /// Of these, numbered from 0.
    #[cfg(test)]
    pub(crate) fn of(stores: Vec<EventStore>) -> Self {
        Self { stores: (0..).zip(stores).collect(), lost: 0 }
    }

    /// Adds a store under a number.
    pub(super) fn put(&mut self, number: u32, store: EventStore) {
        self.stores.insert(number, store);
    }

    /// Takes one out.
    pub(super) fn take(&mut self, number: u32) -> Option<EventStore> {
        self.stores.remove(&number)
    }

    /// The numbers of those that are here, ascending.
    pub(super) fn numbers(&self) -> Vec<u32> {
        self.stores.keys().copied().collect()
    }

    /// About how many bytes they hold in memory.
    pub(super) fn held(&self) -> u64 {
        self.stores.values().map(EventStore::held).sum()
    }

    /// Sends so many of the oldest events to the file.
    pub(super) fn send_away(&mut self, most: usize) {
        if let Some(store) = self.stores.values_mut().find(|store| store.can_send()) {
            store.send_away(most);
        }
    }

    /// What a store's file holds there; none if it cannot be read back.
    pub(crate) fn read_block(&mut self, store: u32, extent: Extent) -> Option<Vec<u8>> {
        self.stores.get_mut(&store)?.read_block(extent)
    }

    /// The name of a kept event.
    pub(crate) fn reference(&self, id: EventId) -> Option<EventRef> {
        self.stores.get(&id.store)?.reference(id)
    }

    /// When a kept event happened.
    pub(super) fn time(&self, id: EventId) -> Option<Timestamp> {
        self.stores.get(&id.store)?.time(id)
    }

    /// Counts rows that could not be read back.
    pub(crate) fn lose(&mut self, rows: usize) {
        self.lost += rows as u64;
    }

    /// A kept event; one that cannot be read back is counted.
    pub(crate) fn get(&mut self, id: EventId) -> Option<Event> {
        let event = self.stores.get_mut(&id.store).and_then(|store| store.get(id));
        self.lost += u64::from(event.is_none());
        event
    }
}
