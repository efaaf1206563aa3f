//! What must hold of a server after it was killed: no acknowledged event is lost, no alert is lost or doubled.
//!
//! An event whose acknowledgement was lost may be there or not; which it is, the store says. The alerts must be those of
//! the events that are there.

use std::collections::{BTreeMap, BTreeSet};

use super::load::{Book, Fate, Mark, Part};

/// What a server has, by its own account.
#[derive(Clone, Debug, Default)]
pub(super) struct Account {
    /// The events in its store, and how often each is there.
    pub(super) stored: BTreeMap<Mark, u64>,
    /// Its alerts: their ids, and the events that each names.
    pub(super) alerts: Vec<(String, BTreeSet<Mark>)>,
}

/// Which alerts must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// All that follow from what is stored.
    All,
    /// Those of single events, which are raised on arrival. Whether a window of a scheduled rule holds events is open
    /// where the clock was wrong.
    Single,
}

/// What is wrong, in words; empty if nothing is.
pub(super) fn check(book: &Book, account: &Account, due: Due) -> Vec<String> {
    let mut faults = Faults::default();
    for (mark, fate) in book {
        let there = account.stored.contains_key(mark);
        match fate {
            Fate::Acknowledged if !there => faults.add("acknowledged and not in the store", mark),
            Fate::Refused if there => faults.add("refused and yet in the store", mark),
            _ => {}
        }
    }
    for mark in account.stored.keys().filter(|mark| !book.contains_key(mark)) {
        faults.add("in the store and never sent", mark);
    }
    let mut ids = BTreeSet::new();
    let mut found: BTreeMap<&BTreeSet<Mark>, u32> = BTreeMap::new();
    for (id, marks) in &account.alerts {
        if !ids.insert(id) {
            faults.add("an alert's id comes twice", id);
        }
        *found.entry(marks).or_default() += 1;
    }
    let expected = expected(account.stored.keys().copied());
    for marks in &expected {
        match found.get(marks) {
            None if due == Due::Single && marks.len() > 1 => {}
            None => faults.add("an alert is lost", &words(marks)),
            Some(1) => {}
            Some(_) => faults.add("an alert is doubled", &words(marks)),
        }
    }
    for marks in found.keys().filter(|marks| !expected.contains(**marks)) {
        faults.add("an alert that nothing stored explains", &words(marks));
    }
    faults.told()
}

/// The events of each alert that these events must raise.
pub(super) fn expected(stored: impl Iterator<Item = Mark>) -> BTreeSet<BTreeSet<Mark>> {
    let stored: BTreeSet<Mark> = stored.collect();
    let alert = |mark: &Mark| match mark.part() {
        Part::Alert => Some([*mark].into()),
        Part::Close => {
            let opener = mark.opener().filter(|opener| stored.contains(opener))?;
            Some([opener, *mark].into())
        }
        Part::Plain | Part::Open => None,
    };
    stored.iter().filter_map(alert).collect()
}

fn words(marks: &BTreeSet<Mark>) -> String {
    marks.iter().map(ToString::to_string).collect::<Vec<_>>().join(" + ")
}

/// Faults by kind, the first few of each by name.
#[derive(Default)]
struct Faults(BTreeMap<&'static str, (u64, Vec<String>)>);

impl Faults {
    fn add(&mut self, kind: &'static str, what: &impl ToString) {
        let (count, named) = self.0.entry(kind).or_default();
        *count += 1;
        if named.len() < 5 {
            named.push(what.to_string());
        }
    }

    fn told(self) -> Vec<String> {
        let tell = |(kind, (count, named)): (&str, (u64, Vec<String>))| {
            format!("{kind}: {count} ({}{})", named.join(", "), if count > 5 { ", …" } else { "" })
        };
        self.0.into_iter().map(tell).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(number: u32) -> Mark {
        Mark { round: 0, lane: 0, number }
    }

    fn sound() -> (Book, Account) {
        let book: Book = (0..20).map(|n| (mark(n), Fate::Acknowledged)).collect();
        let stored: BTreeMap<Mark, u64> = book.keys().map(|mark| (*mark, 1)).collect();
        let alerts = expected(stored.keys().copied()).into_iter().enumerate();
        let alerts = alerts.map(|(id, marks)| (id.to_string(), marks)).collect();
        (book, Account { stored, alerts })
    }

    #[test]
    fn a_sound_server_passes() {
        let (mut book, account) = sound();
        assert_eq!(account.alerts.len(), 2);
        assert_eq!(check(&book, &account, Due::All), [""; 0]);
        // What is not known to be taken may be there twice or not at all.
        book.insert(mark(19), Fate::Unknown);
        book.insert(mark(21), Fate::Unknown);
        let mut stored = account.stored.clone();
        stored.insert(mark(19), 2);
        assert_eq!(check(&book, &Account { stored, ..account }, Due::All), [""; 0]);
    }

    #[test]
    fn every_fault_is_told() {
        let (book, account) = sound();
        let told = |change: &dyn Fn(&mut Account)| {
            let mut account = account.clone();
            change(&mut account);
            check(&book, &account, Due::All).join("; ")
        };
        assert_eq!(
            told(&|a| a.stored.retain(|known, _| *known != mark(1))),
            "acknowledged and not in the store: 1 (torture-0-0-1)"
        );
        assert_eq!(told(&|a| a.stored.extend([(mark(99), 1)])), "in the store and never sent: 1 (torture-0-0-99)");
        assert_eq!(told(&|a| drop(a.alerts.remove(0))), "an alert is lost: 1 (torture-0-0-3)");
        let doubled = |a: &mut Account| a.alerts.push(("x".into(), [mark(5), mark(8)].into()));
        assert_eq!(told(&doubled), "an alert is doubled: 1 (torture-0-0-5 + torture-0-0-8)");
        let strange = |a: &mut Account| a.alerts.push(("x".into(), [mark(1)].into()));
        assert_eq!(told(&strange), "an alert that nothing stored explains: 1 (torture-0-0-1)");
        let twice = |a: &mut Account| a.alerts[0].0 = a.alerts[1].0.clone();
        assert_eq!(told(&twice), "an alert's id comes twice: 1 (1)");
        let (mut refused, account) = sound();
        refused.insert(mark(0), Fate::Refused);
        assert_eq!(check(&refused, &account, Due::All).join("; "), "refused and yet in the store: 1 (torture-0-0-0)");
    }
}
