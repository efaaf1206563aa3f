//! Things told apart by number: equal things get the same one.

use std::hash::{BuildHasher, Hash};

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;

/// Gives equal things the same number, counted from 0.
#[derive(Debug)]
pub(crate) struct Interner<T> {
    items: Vec<T>,
    table: HashTable<u32>,
}

impl<T: Hash + Eq> Interner<T> {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self { items: Vec::new(), table: HashTable::new() }
    }

    /// The number of a thing; a new one if it has not been seen.
    pub(crate) fn intern(&mut self, item: T) -> u32 {
        let hash = FxBuildHasher.hash_one(&item);
        if let Some(id) = self.table.find(hash, |id| self.items[*id as usize] == item) {
            return *id;
        }
        let id = self.items.len() as u32;
        self.items.push(item);
        let items = &self.items;
        self.table.insert_unique(hash, id, |id| FxBuildHasher.hash_one(&items[*id as usize]));
        id
    }

    /// All things, by number.
    pub(crate) fn into_items(self) -> Vec<T> {
        self.items
    }
}
