//! Rules that are new look back: at what came before they were there.
//!
//! A rule that counts, waits for a second event or knows what is new has to know its window and its history from its first
//! run on. What of that lies in the tables and in the journal is searched for records that pass its filters, those are
//! grafted onto the records that rules kept something of ([`super::kept`]), and the state of all rules is built from there
//! as ever: as if the rule had always been there. Its first run finds what its window holds; what it would have found
//! earlier is not told.
//!
//! Until then such a rule waits, and no record is missed meanwhile: the search ends at the detector's place. Rules that look
//! back minutes do not wait for those that look back weeks. Which rules have looked back is kept in a file, so that a rule
//! that was changed while the server was down is a new one too.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures::StreamExt as _;
use lurcher_engine::{Alert, AlertSink, Compiler, Live, LookedBack, RuleSet, id_of_parts};
use lurcher_ir::Rule;
use lurcher_journal::{Journal, Position, Record};
use lurcher_readers::{ReadOptions, record_number};
use lurcher_schema::Timestamp;
use lurcher_store::{Scan, Store, TimeField};
use lurcher_triage::Gap;

use super::{
    feed,
    findings::Finding,
    joined::{Joined, Joiner},
    state::State,
};
use crate::rules::{Loaded, rule_id};

/// Rules that look back no further than this wait for no others.
const GROUPS: [Duration; 3] = [Duration::from_hours(3), Duration::from_hours(36), Duration::from_hours(24 * 8)];
/// Records that are looked at together.
const BLOCK: (usize, usize) = (8192, 16 << 20);
/// What came in during a search is searched in the background too if it is more than so many records, a few times.
const MOST_REST: u64 = 50_000;
const ROUNDS: u32 = 5;
/// A search that finds more than so many bytes is given up.
const MOST_BYTES: usize = 512 << 20;
/// The file of the rules that have looked back.
const FILE: &str = "rules.json";

/// Why a window was not looked at.
pub(crate) const NEW_RULE: &str = "the rule is new, and has not looked at what came before it";

/// Which rules have looked back, and which wait for it.
#[derive(Debug)]
pub(super) struct LookBack {
    file: PathBuf,
    /// The rules that have, with what they were then.
    known: BTreeMap<String, String>,
    /// Nothing was known at the start: neither rules nor records.
    unknown: bool,
    waiting: BTreeMap<String, Waiting>,
    /// The search that is under way, and its place: up to where it looks.
    search: Option<(u64, Position)>,
    searches: u64,
    /// Rules that were just given what they look back at.
    fresh: BTreeMap<String, Waiting>,
    /// Those whose runs have not caught up yet with the time from which on they are there.
    young: BTreeMap<String, Waiting>,
}

/// A rule that waits.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    rule: Arc<Rule>,
    fingerprint: String,
    /// Since when.
    since: Timestamp,
    back: LookedBack,
}

/// What is to be searched, and by whom.
#[derive(Debug)]
pub(super) struct Search {
    number: u64,
    rules: Vec<Arc<Rule>>,
    loaded: Arc<Loaded>,
    /// From when on records came in that matter.
    reach: Timestamp,
    now: Timestamp,
    /// Before this place.
    before: Position,
    /// From this place of the journal on, where a search before this one has come to.
    after: Option<Position>,
    /// What those before this one have found.
    found: Vec<(Position, Record)>,
    round: u32,
}

/// What came of a search.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) search: Search,
    pub(super) records: Result<Vec<(Position, Record)>, String>,
}

impl LookBack {
    /// With what the file in this folder says. `untouched` says that there is nothing to look back at: no record was
    /// ever taken in.
    pub(super) fn open(folder: &Path, untouched: bool, has_kept: bool) -> Self {
        let file = folder.join(FILE);
        let read = fs::read(&file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        // Records were kept by a program that wrote no such file: its rules have seen what they look back at.
        let unknown = read.is_none() && (untouched || has_kept);
        Self {
            file,
            known: read.unwrap_or_default(),
            unknown,
            waiting: BTreeMap::new(),
            search: None,
            searches: 0,
            fresh: BTreeMap::new(),
            young: BTreeMap::new(),
        }
    }

    /// Finds the rules that have to look back first; adds them to those that do not run. Returns the gaps that this leaves
    /// for now.
    pub(super) fn sort_out(
        &mut self,
        loaded: &Arc<Loaded>,
        idle: &mut BTreeSet<String>,
        lateness: Duration,
        now: Timestamp,
    ) -> Vec<Gap> {
        let run = |rule: &&Arc<Rule>| rule.body.is_some() && !idle.contains(&rule_id(rule));
        let running: Vec<(String, String, &Arc<Rule>)> =
            loaded.rules.iter().filter(run).map(|rule| (rule_id(rule), fingerprint(rule), rule)).collect();
        if std::mem::take(&mut self.unknown) {
            self.known = running.iter().map(|(id, fingerprint, _)| (id.clone(), fingerprint.clone())).collect();
            self.save();
        }
        let count = self.known.len();
        let there: BTreeMap<&str, &str> = running.iter().map(|(id, print, _)| (id.as_str(), print.as_str())).collect();
        self.known.retain(|id, known| there.get(id.as_str()) == Some(&known.as_str()));
        if self.known.len() != count {
            self.save();
        }
        let new: Vec<_> = running.into_iter().filter(|(id, _, _)| !self.known.contains_key(id)).collect();
        let set = compiled(loaded, new.iter().map(|(_, _, rule)| Arc::clone(rule)));
        let mut waiting = BTreeMap::new();
        let mut gaps = Vec::new();
        for (number, (id, fingerprint, rule)) in (0..).zip(new) {
            let back = LookedBack::of(&set, number, now);
            let Some(back) = back else {
                self.known.insert(id, fingerprint);
                continue;
            };
            let lateness = i64::try_from(lateness.as_micros()).unwrap_or(i64::MAX);
            let back = LookedBack { reach: Timestamp(back.reach.0.saturating_sub(lateness)), ..back };
            let same = self.waiting.remove(&id).filter(|known| known.fingerprint == fingerprint);
            let one = same.unwrap_or_else(|| {
                gaps.push(gap(&id, back, now, None));
                Waiting { rule: Arc::clone(rule), fingerprint, since: now, back }
            });
            idle.insert(id.clone());
            waiting.insert(id, one);
        }
        self.waiting = waiting;
        if self.known.len() != count {
            self.save();
        }
        gaps
    }

    /// The next search, if one is to begin. `before` is the detector's place.
    pub(super) fn next(&mut self, loaded: &Arc<Loaded>, before: Position, now: Timestamp) -> Option<Search> {
        if self.search.is_some() || self.waiting.is_empty() {
            return None;
        }
        let depth = |one: &Waiting| {
            let micros = u64::try_from(one.since.0.saturating_sub(one.back.reach.0)).unwrap_or(0);
            GROUPS.iter().position(|group| Duration::from_micros(micros) <= *group).unwrap_or(GROUPS.len())
        };
        let shallowest = self.waiting.values().map(depth).min()?;
        let group = self.waiting.values().filter(|one| depth(one) == shallowest);
        let rules: Vec<Arc<Rule>> = group.clone().map(|one| Arc::clone(&one.rule)).collect();
        let reach = group.map(|one| one.back.reach).min()?;
        self.searches += 1;
        self.search = Some((self.searches, before));
        let loaded = Arc::clone(loaded);
        let (number, found) = (self.searches, Vec::new());
        Some(Search { number, rules, loaded, reach, now, before, after: None, found, round: 0 })
    }

    /// Goes on with a search that has ended, if so much came in meanwhile that the detector is not to wait for it.
    pub(super) fn go_on(&mut self, ended: &mut Search, found: &mut Vec<(Position, Record)>, to: Position) -> bool {
        let goes_on = to.0.saturating_sub(ended.before.0) > MOST_REST && ended.round < ROUNDS;
        if goes_on {
            // The journal is held from where this search begins.
            self.search = Some((ended.number, ended.before));
            ended.after = Some(ended.before);
            ended.before = to;
            ended.round += 1;
            ended.found = std::mem::take(found);
        }
        goes_on
    }

    /// Where the journal is still needed from.
    pub(super) fn holds(&self) -> Option<Position> {
        self.search.map(|(_, before)| before)
    }

    /// Whether this search is the one that is waited for; it ends now.
    pub(super) fn ends(&mut self, search: &Search) -> bool {
        let current = self.search.is_some_and(|(number, _)| number == search.number);
        if current {
            self.search = None;
        }
        current
    }

    /// The rules of a search have looked back, or cannot; the gaps that are no more.
    pub(super) fn learn(&mut self, search: &Search, looked: bool, now: Timestamp) -> Vec<Gap> {
        let mut gaps = Vec::new();
        for rule in &search.rules {
            let id = rule_id(rule);
            // One that was changed meanwhile waits for a search of its own.
            let same = self.waiting.get(&id).is_some_and(|one| one.fingerprint == fingerprint(rule));
            let Some(one) = same.then(|| self.waiting.remove(&id)).flatten() else { continue };
            self.known.insert(id.clone(), one.fingerprint.clone());
            if looked {
                gaps.push(gap(&id, one.back, one.since, Some(now)));
                self.fresh.insert(id, one);
            }
        }
        self.save();
        gaps
    }

    /// Takes away what was found while the state was built again: it was told when it was found. Of rules that were just
    /// given what they look back at that is told which their first run would find; or what came in since they are there,
    /// but for `runs`, which look at what came before.
    pub(super) fn hush(&self, state: &mut State, runs: bool) {
        let Self { fresh, .. } = self;
        let findings = &mut state.findings;
        let told = |one: &Waiting, found: &Finding| {
            found.time() >= one.back.window || (!runs && found.detected() >= one.since)
        };
        findings.alerts.retain(|found| fresh.get(&found.rule()).is_some_and(|one| told(one, found)));
        let told: BTreeSet<&str> = findings.alerts.iter().map(|found| found.alert.id.as_str()).collect();
        findings.updates.retain(|id, _| told.contains(id.as_str()));
        findings.runs.retain(|(rule, time), _| fresh.get(rule).is_some_and(|one| *time >= one.since));
        state.risk_events.retain(|event| told.contains(event.alert.as_str()));
        if fresh.is_empty() {
            state.incidents.clear();
        }
    }

    /// The state is built.
    pub(super) fn is_built(&mut self) {
        self.young.append(&mut self.fresh);
    }

    /// Takes away what rules find in runs that are made up for from before they were there.
    pub(super) fn mute(&mut self, state: &mut State) {
        if self.young.is_empty() {
            return;
        }
        let early = |found: &Finding| {
            let young = self.young.get(&found.rule());
            young.is_some_and(|one| found.time() < one.back.window && found.detected() < one.since)
        };
        let muted: BTreeSet<String> =
            state.findings.alerts.iter().filter(|found| early(found)).map(|found| found.alert.id.clone()).collect();
        state.findings.alerts.retain(|found| !muted.contains(&found.alert.id));
        state.risk_events.retain(|event| !muted.contains(&event.alert));
        let made = state.made();
        self.young.retain(|_, one| one.since > made);
    }

    fn save(&self) {
        let draft = self.file.with_extension("new");
        let bytes = serde_json::to_vec(&self.known).unwrap_or_default();
        let written = fs::write(&draft, bytes)
            .and_then(|()| fs::File::open(&draft)?.sync_all())
            .and_then(|()| fs::rename(&draft, &self.file));
        if let Err(error) = written {
            tracing::warn!(%error, file = %self.file.display(), "which rules have looked back is not kept");
        }
    }
}

fn gap(rule: &str, back: LookedBack, since: Timestamp, filled_at: Option<Timestamp>) -> Gap {
    Gap { rule_id: rule.to_owned(), from: back.window, to: since, reason: NEW_RULE.to_owned(), filled_at }
}

/// What tells a rule from what it was before it was changed: all that decides what it finds.
fn fingerprint(rule: &Rule) -> String {
    let meta = &rule.meta;
    let body = rule.body.as_ref().map(ToString::to_string).unwrap_or_default();
    let around = format!("{:?} {:?} {:?} {:?}", meta.schedule, meta.suppression, meta.sources, meta.timestamp_override);
    id_of_parts([body.as_str(), around.as_str()])
}

fn compiled(loaded: &Loaded, rules: impl Iterator<Item = Arc<Rule>>) -> Arc<RuleSet> {
    Compiler::new(Arc::clone(&loaded.schemas)).route(loaded.route).add_all(rules).build()
}

/// Finds the records that rules keep something of.
struct Finder<'s> {
    search: &'s Search,
    rules: Arc<RuleSet>,
    reaches: Vec<Timestamp>,
    options: ReadOptions,
    joiner: Joiner,
    found: Vec<(Position, Record)>,
    bytes: usize,
}

/// Tells nobody.
struct Nobody;

impl AlertSink for Nobody {
    fn alert(&mut self, _: Alert) {}
}

impl<'s> Finder<'s> {
    fn new(search: &'s Search, lateness: Duration) -> Self {
        let rules = compiled(&search.loaded, search.rules.iter().cloned());
        let lateness = i64::try_from(lateness.as_micros()).unwrap_or(i64::MAX);
        let reach = |number: u32| LookedBack::of(&rules, number, search.now).map_or(search.now, |back| back.reach);
        let reaches =
            (0..rules.rules().len() as u32).map(|number| Timestamp(reach(number).0.saturating_sub(lateness))).collect();
        let options = ReadOptions { now: search.now, unknown_is_mapped: true, ..ReadOptions::default() };
        Self { search, rules, reaches, options, joiner: Joiner::default(), found: Vec::new(), bytes: 0 }
    }

    fn take(&mut self, records: &[(Position, Record)]) -> Result<(), String> {
        let joined = self.joiner.take(records);
        self.look_at(&joined)
    }

    /// All records have been taken.
    fn finish(mut self) -> Result<Vec<(Position, Record)>, String> {
        let rest = self.joiner.let_go(Timestamp(i64::MAX));
        self.look_at(&rest)?;
        Ok(self.found)
    }

    /// Looks at records. The engine is asked about each block alone and at one time, so nothing is due and nothing grows.
    fn look_at(&mut self, joined: &Joined<'_>) -> Result<(), String> {
        let Self { search, rules, reaches, options, found, bytes, .. } = self;
        let work = || {
            let mut live = Live::new(Arc::clone(rules), &search.loaded.settings, search.now, Duration::ZERO);
            feed::read(&joined.ready, options, &mut |batch| live.take(&batch, search.now, &mut Nobody));
            live.taken()
        };
        let taken = catch_unwind(AssertUnwindSafe(work));
        let taken = taken.map_err(|_| "the engine failed at a record; please report it".to_owned())?;
        let mut rules_of: BTreeMap<u64, BTreeSet<u32>> = BTreeMap::new();
        for event in taken {
            let place = Position(record_number(event.ordinal));
            let parts = joined.parts.get(&place).map_or_else(|| vec![place], |parts| parts.to_vec());
            for part in parts {
                rules_of.entry(part.0).or_default().extend(&event.rules);
            }
        }
        for (position, record) in joined.ready.iter() {
            let Some(rules) = rules_of.get(&position.0) else { continue };
            let reached = |rule: &u32| reaches.get(*rule as usize).is_some_and(|reach| record.received >= *reach);
            if rules.iter().any(reached) {
                *bytes += record.body.len() + size_of::<Record>();
                found.push((*position, record.clone()));
            }
        }
        if *bytes > MOST_BYTES {
            return Err(format!("more than {} MiB of records pass the rules' filters", MOST_BYTES >> 20));
        }
        Ok(())
    }
}

/// Searches the journal and, for what is not in it any more, the tables.
pub(super) async fn search(
    search: &Search,
    journal: &Arc<Journal>,
    store: &Arc<Store>,
    lateness: Duration,
) -> Result<Vec<(Position, Record)>, String> {
    let mut finder = Finder::new(search, lateness);
    if let Some(after) = search.after {
        in_journal(&mut finder, journal, after, search.before).await?;
        let mut found = finder.finish()?;
        found.extend(search.found.iter().cloned());
        return Ok(found);
    }
    let first = in_journal(&mut finder, journal, journal.begin(), search.before).await?;
    let scan = Scan { from: Some(search.reach), by: TimeField::Received, ..Scan::default() };
    let mut records = store.scan(scan);
    while let Some(batch) = records.next().await {
        let mut batch = batch.map_err(|error| error.to_string())?;
        batch.retain(|(position, _)| *position < first);
        tokio::task::block_in_place(|| finder.take(&batch))?;
    }
    finder.finish()
}

/// Searches what came in between a search's end and a place.
pub(super) async fn search_rest(
    search: &Search,
    journal: &Arc<Journal>,
    to: Position,
    lateness: Duration,
) -> Result<Vec<(Position, Record)>, String> {
    let mut finder = Finder::new(search, lateness);
    in_journal(&mut finder, journal, search.before, to).await?;
    finder.finish()
}

/// Looks at the records of the journal from a place on; returns that of the first that was there.
async fn in_journal(
    finder: &mut Finder<'_>,
    journal: &Arc<Journal>,
    from: Position,
    to: Position,
) -> Result<Position, String> {
    let mut reader = journal.reader(from);
    let mut first = None;
    while reader.position() < to {
        let block = reader.try_next(BLOCK.0, BLOCK.1).await.map_err(|error| error.to_string())?;
        let Some(mut block) = block else { break };
        block.records.retain(|(position, _)| *position < to);
        first = first.or_else(|| block.records.first().map(|(position, _)| *position));
        tokio::task::block_in_place(|| finder.take(&block.records))?;
    }
    Ok(first.unwrap_or(to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_rules_have_looked_back_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let mut back = LookBack::open(folder.path(), true, false);
        assert!(back.unknown && back.holds().is_none());
        back.known.insert("a".to_owned(), "1".to_owned());
        back.save();
        let back = LookBack::open(folder.path(), false, true);
        assert!(!back.unknown);
        assert_eq!(back.known.get("a").map(String::as_str), Some("1"));
        // A folder of state without its kept records, as a backup restores it: its rules look back again.
        let bare = tempfile::tempdir().unwrap();
        assert!(!LookBack::open(bare.path(), false, false).unknown);
    }
}
