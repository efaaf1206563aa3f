//! Values to atom sets: which tests of a field a value passes, remembered where values recur.

use hashbrown::HashMap;
use lurcher_schema::{Column, MISSING, Value, ValueRef};
use rustc_hash::FxBuildHasher;

use crate::matcher::{Found, Matcher};

/// Longer texts hardly ever recur across batches, and cost as much to hash as to search.
const LONGEST_REMEMBERED: usize = 192;
/// After so many values, a field of which fewer than one in [`LEAST_KNOWN`] was known is no longer remembered.
const TRIAL: u64 = 8192;
const LEAST_KNOWN: u64 = 8;

/// The number of the empty atom set.
pub(crate) const EMPTY: u32 = 0;

/// One field's atom sets and remembered values.
#[derive(Debug)]
pub(crate) struct ValueCache {
    sets: Vec<Box<[u32]>>,
    by_set: HashMap<Box<[u32]>, u32, FxBuildHasher>,
    by_text: HashMap<Box<str>, u32, FxBuildHasher>,
    looked_at: u64,
    known: u64,
}

impl ValueCache {
    /// One that remembers nothing.
    pub(crate) fn new() -> Self {
        let mut by_set: HashMap<Box<[u32]>, u32, FxBuildHasher> = HashMap::default();
        by_set.insert(Box::default(), EMPTY);
        Self { sets: vec![Box::default()], by_set, by_text: HashMap::default(), looked_at: 0, known: 0 }
    }

    /// The tests of an atom set.
    pub(crate) fn tests(&self, set: u32) -> &[u32] {
        &self.sets[set as usize]
    }

    /// How many values were looked at, and how many of them were known.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.looked_at, self.known)
    }

    /// The atom set of each distinct value of a column, and about how many bytes more are remembered now.
    pub(crate) fn sets(&mut self, matcher: &Matcher, column: &Column, found: &mut Found) -> (Vec<u32>, usize) {
        let mut bytes = 0;
        let sets =
            (0..column.values.len()).map(|at| self.set(matcher, column.values.get(at), found, &mut bytes)).collect();
        (sets, bytes)
    }

    fn set(&mut self, matcher: &Matcher, value: ValueRef<'_>, found: &mut Found, bytes: &mut usize) -> u32 {
        self.looked_at += 1;
        let text = match value {
            ValueRef::Text(text) => Some(text),
            ValueRef::Any(Value::Text(text)) => Some(text.as_ref()),
            ValueRef::Any(_) => None,
        };
        let remembered = text.filter(|text| text.len() <= LONGEST_REMEMBERED && self.pays());
        if let Some(set) = remembered.and_then(|text| self.by_text.get(text)) {
            self.known += 1;
            return *set;
        }
        match text {
            Some(text) => matcher.run(ValueRef::Text(text), found),
            None => matcher.run(value, found),
        }
        let set = self.intern(found.tests(), bytes);
        found.clear();
        if let Some(text) = remembered {
            *bytes += text.len() + 48;
            self.by_text.insert(text.into(), set);
        }
        set
    }

    fn pays(&self) -> bool {
        self.looked_at < TRIAL || self.known * LEAST_KNOWN >= self.looked_at
    }

    fn intern(&mut self, tests: &[u32], bytes: &mut usize) -> u32 {
        if let Some(set) = self.by_set.get(tests) {
            return *set;
        }
        let set = self.sets.len() as u32;
        *bytes += tests.len() * 8 + 96;
        self.sets.push(tests.into());
        self.by_set.insert(tests.into(), set);
        set
    }
}

/// A column whose values pass some test: for each row the number of its atom set.
#[derive(Debug)]
pub(crate) struct ActiveField {
    /// The field's index in the program.
    pub(crate) field: u32,
    column: Column,
    sets: Vec<u32>,
}

impl ActiveField {
    /// `None` if no value passes any test, so that the field is of no interest in this batch.
    pub(crate) fn new(field: u32, column: Column, sets: Vec<u32>) -> Option<Self> {
        sets.iter().any(|set| *set != EMPTY).then_some(Self { field, column, sets })
    }

    /// The atom set of a row's value.
    #[inline]
    pub(crate) fn set(&self, row: usize) -> u32 {
        match self.column.keys[row] {
            MISSING => EMPTY,
            key => self.sets[key as usize],
        }
    }
}
