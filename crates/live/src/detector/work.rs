//! The detector's thread: block after block, wish after wish.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use lurcher_engine::{RuleHealth, risk::RiskIncident};
use lurcher_journal::{Block, Position, Reader, Record};
use lurcher_schema::Timestamp;
use lurcher_triage::{Commit, HealthState, Quarantine, QuarantineKind, RuleHealth as StoredHealth};
use serde_json::json;
use tokio::{runtime::Handle, sync::mpsc};

use super::{
    CONSUMER, DetectorOptions, DetectorParts, SLOW, Wish,
    findings::Finding,
    gaps::{ALIVE, Gaps},
    kept::{Kept, SHORT},
    look_back::{Found, LookBack, Search, search, search_rest},
    risk::Remembered,
    scribe::{Page, Scribe},
    state::{Panicked, State},
};
use crate::rules::{Loaded, disabled, rule_id};
use lurcher_server::events::Topic;

/// The name under which it is kept how far the kept records are whole.
const KEPT: &str = "detector-kept";
/// How often the kept records are made durable, and rules' health is written down.
const HOUSEKEEPING: Duration = Duration::from_secs(5);

/// So long runs are made before it is looked whether records have come.
const RUNS_AT_ONCE: Duration = Duration::from_millis(50);

/// Of so many objects it is told how their incidents have grown, each time that the house is kept: what is said of an incident
/// is long.
const GROWTH_AT_ONCE: usize = 8;

/// How often what runs say is written down while others wait.
const PAGE_EVERY: Duration = Duration::from_millis(200);

/// Why a record is passed over from now on.
const POISON: &str = "the engine failed at it: a fault of lurcher, please report it with the record";

/// The detector at work.
pub(super) struct Work {
    parts: DetectorParts,
    options: DetectorOptions,
    runtime: Handle,
    wishes: mpsc::UnboundedReceiver<Wish>,
    back: mpsc::WeakUnboundedSender<Wish>,
    loaded: Arc<parking_lot::RwLock<Arc<Loaded>>>,
    state: State,
    kept: Kept,
    look_back: LookBack,
    gaps: Gaps,
    reader: Reader,
    /// The first record that was not taken.
    position: Position,
    /// The first record that is not dealt with whole: runs that were due before those behind it may still wait.
    settled: Position,
    /// The blocks that were taken while runs wait: what time it was after each, and where it began.
    blocks: VecDeque<(Timestamp, Position)>,
    /// Records before this one are taken one by one, since the engine fails at one of them.
    careful_until: Position,
    /// Up to when all runs that were due have surely been made, and what they found is written down.
    made: Timestamp,
    poison: BTreeSet<Position>,
    aside: Vec<Quarantine>,
    health: BTreeMap<u32, (HealthState, String)>,
    last_commit: Instant,
    last_housekeeping: Instant,
    fingerprint: u64,
    stopping: bool,
    scribe: Scribe,
}

/// What to do next.
enum Next {
    Block(Block),
    Wish(Option<Wish>),
    Time,
    Closed,
}

impl Work {
    pub(super) fn begin(
        parts: DetectorParts,
        options: DetectorOptions,
        runtime: Handle,
        (wishes, back): (mpsc::UnboundedReceiver<Wish>, mpsc::WeakUnboundedSender<Wish>),
        loaded: Arc<parking_lot::RwLock<Arc<Loaded>>>,
    ) -> Result<Self, String> {
        let kept = runtime.block_on(async { Kept::open(&options.kept) }).map_err(|error| error.to_string())?;
        let place = runtime.block_on(parts.triage.checkpoint(CONSUMER)).map_err(|error| error.to_string())?;
        let position = Position(place.map_or(parts.journal.begin().0, |place| place.position));
        if position > parts.journal.end() {
            // The journal was lost or is older than the alerts: positions that are taken must not be given out again.
            runtime.block_on(parts.journal.skip_to(position)).map_err(|error| error.to_string())?;
        }
        let current = Arc::clone(&loaded.read());
        let now = parts.clock.now();
        let alive = runtime.block_on(parts.triage.checkpoint(ALIVE)).map_err(|error| error.to_string())?;
        let alive = alive.and_then(|alive| i64::try_from(alive.position).ok()).map(Timestamp);
        let untouched = parts.journal.end() == Position(0) && parts.store.reached() == Position(0);
        let scribe = Scribe::start(&parts, &runtime)?;
        let mut work = Self {
            look_back: LookBack::open(&options.kept, untouched, !kept.is_empty()),
            gaps: Gaps::after(alive, now),
            state: State::new(&current, &BTreeSet::new(), Remembered::default(), now, &options),
            reader: parts.journal.reader(position),
            fingerprint: parts.source.fingerprint(),
            parts,
            options,
            runtime,
            wishes,
            back,
            loaded,
            kept,
            position,
            settled: position,
            blocks: VecDeque::new(),
            careful_until: Position(0),
            made: alive.unwrap_or(Timestamp(i64::MIN)),
            poison: BTreeSet::new(),
            aside: Vec::new(),
            health: BTreeMap::new(),
            last_commit: Instant::now(),
            last_housekeeping: Instant::now(),
            stopping: false,
            scribe,
        };
        let whole = work.kept_until()?;
        work.rebuild(whole)?;
        work.look_back();
        work.beat();
        Ok(work)
    }

    /// Up to where the kept records are surely whole, and what was put aside because the engine fails at it.
    fn kept_until(&mut self) -> Result<Position, String> {
        let text = |error: lurcher_triage::Error| error.to_string();
        let triage = Arc::clone(&self.parts.triage);
        let place = self.runtime.block_on(triage.checkpoint(KEPT)).map_err(text)?;
        for aside in self.runtime.block_on(triage.quarantines(false)).map_err(text)? {
            if aside.kind == QuarantineKind::Record && aside.reason == POISON {
                self.poison.extend(aside.subject.parse().map(Position));
            }
        }
        Ok(Position(place.map_or(0, |place| place.position)).min(self.position))
    }

    pub(super) fn run(&mut self) {
        while !self.stopping {
            let next = self.next();
            let start = Instant::now();
            match next {
                Next::Block(block) => self.take(block),
                Next::Wish(Some(wish)) => self.fulfil(wish),
                Next::Wish(None) | Next::Closed => self.stopping = true,
                Next::Time => {}
            }
            told_if_slow("records were taken", start);
            let start = Instant::now();
            self.pass_time();
            told_if_slow("runs were made", start);
            let due = self.state.waits_since().or(self.state.due());
            self.parts.figures.due.store(due.map_or(i64::MAX, |due| due.0), Ordering::Release);
            if self.last_housekeeping.elapsed() >= HOUSEKEEPING {
                let start = Instant::now();
                self.keep_house();
                told_if_slow("the house was kept", start);
            }
        }
        self.keep_house();
    }

    /// Waits for records, for a wish, or until something is due.
    fn next(&mut self) -> Next {
        let now = self.parts.clock.now();
        let grace = self.options.grace.as_micros() as i64;
        let due = self.state.due().map_or(i64::MAX, |due| due.0.saturating_add(grace).saturating_sub(now.0));
        let wait = match self.state.waits_since() {
            Some(_) => Duration::ZERO,
            None => Duration::from_micros(due.clamp(1_000, 500_000) as u64),
        };
        let most = if self.is_careful() { 1 } else { self.options.block_records };
        let Self { runtime, reader, wishes, options, .. } = self;
        runtime.block_on(async {
            tokio::select! {
                biased;
                wish = wishes.recv() => Next::Wish(wish),
                block = reader.next(most, options.block_bytes) => match block {
                    Ok(Some(block)) => Next::Block(block),
                    Ok(None) => Next::Closed,
                    Err(error) => {
                        tracing::error!(%error, "the journal cannot be read");
                        tokio::time::sleep(Duration::from_secs(1)).await;
                        Next::Time
                    }
                },
                () = tokio::time::sleep(wait) => Next::Time,
            }
        })
    }

    /// Takes a block. If the engine fails at it, its records are taken again one by one; one that it fails at alone is put
    /// aside.
    fn take(&mut self, block: Block) {
        for lost in &block.lost {
            tracing::error!(%lost, "a part of the journal is damaged; its records are lost");
        }
        let records: Vec<(Position, Record)> =
            block.records.into_iter().filter(|(position, _)| !self.poison.contains(position)).collect();
        if self.take_records(&records).is_err() {
            match records.as_slice() {
                [(position, record)] => {
                    tracing::error!(position = position.0, stream = %record.stream, "the engine fails at this record; put aside");
                    self.poison.insert(*position);
                    self.put_aside(*position, POISON);
                }
                _ => {
                    tracing::error!(
                        records = records.len(),
                        "the engine failed at one of these records; looking for it"
                    );
                    self.careful_until = self.careful_until.max(block.next);
                }
            }
            return self.go_back();
        }
        self.blocks.push_back((self.state.now(), self.position));
        self.position = block.next;
        if self.is_careful() {
            self.make_all();
        }
        self.commit();
        if let Some((_, last)) = records.last() {
            self.parts.figures.reached.store(last.received.0.unsigned_abs(), Ordering::Relaxed);
        }
    }

    fn is_careful(&self) -> bool {
        self.position < self.careful_until
    }

    fn take_records(&mut self, records: &[(Position, Record)]) -> Result<(), Panicked> {
        let taken = self.state.take(records, self.parts.clock.now())?;
        self.kept.keep(taken, records);
        let written = self.runtime.block_on(self.kept.write());
        written.unwrap_or_else(|error| tracing::error!(%error, "a record that rules look back at is not kept"));
        Ok(())
    }

    /// Builds the state anew, and goes on from where all is told. What was found since then is found again.
    fn go_back(&mut self) {
        self.position = self.settled;
        self.rebuild_or_log();
    }

    fn put_aside(&mut self, position: Position, reason: &str) {
        let now = self.parts.clock.now();
        self.parts.figures.unreadable.fetch_add(1, Ordering::Relaxed);
        self.aside.push(Quarantine {
            kind: QuarantineKind::Record,
            subject: position.0.to_string(),
            reason: reason.to_owned(),
            first_seen: now,
            last_seen: now,
            count: 1,
            released_at: None,
            released_by: String::new(),
        });
    }

    /// Notes what time it is, once all records that are there have been taken, and makes some of the runs that are due.
    fn pass_time(&mut self) {
        let clock = self.parts.clock.now();
        let now = Timestamp(clock.0.saturating_sub(self.options.grace.as_micros() as i64));
        let passes =
            self.reader.position() >= self.parts.journal.end() && self.state.due().is_some_and(|due| due <= now);
        let mut made = if passes { self.state.pass(now, clock) } else { Ok(()) };
        let waits = self.state.waits_since().is_some();
        if made.is_ok() && waits {
            let start = Instant::now();
            let (mut last, mut slow) = (start, Vec::new());
            made = self.state.make_some(clock, &mut |rule| {
                let took = last.elapsed();
                if took >= SLOW {
                    slow.push((rule, took));
                }
                last = Instant::now();
                start.elapsed() < RUNS_AT_ONCE
            });
            for (rule, took) in slow {
                let name = self.state.rule(rule).map_or("", |rule| rule.meta.name.as_str());
                tracing::debug!(rule = name, seconds = took.as_secs_f64(), "a run took long");
            }
        }
        if made.is_err() {
            tracing::error!("the engine failed in a scheduled run; its state is built anew");
            return self.go_back();
        }
        // Between runs that find nothing there is no haste.
        let pressing = self.state.waits_since().is_none() || !self.state.findings.alerts.is_empty();
        if (passes || waits) && (pressing || self.last_commit.elapsed() >= PAGE_EVERY) {
            self.commit();
        }
    }

    /// Makes all runs that wait, so that all is told that was found in what was taken.
    fn make_all(&mut self) {
        if self.state.make_some(self.parts.clock.now(), &mut |_| true).is_err() {
            tracing::error!("the engine failed in a scheduled run; its state is built anew");
            return self.go_back();
        }
        self.commit();
    }

    /// Up to where everything is dealt with whole: before the block in which the first run became due that waits.
    fn place(&mut self) -> Position {
        let Some(due) = self.state.waits_since() else {
            self.blocks.clear();
            return self.position;
        };
        while self.blocks.front().is_some_and(|(passed, _)| *passed < due) {
            self.blocks.pop_front();
        }
        self.blocks.front().map_or(self.position, |(_, began)| *began)
    }

    /// Has what was found written down, and the place.
    fn commit(&mut self) {
        self.last_commit = Instant::now();
        self.settled = self.place();
        let figures = Arc::clone(&self.parts.figures);
        figures.events.fetch_add(std::mem::take(&mut self.state.events), Ordering::Relaxed);
        self.look_back.mute(&mut self.state);
        for (record, why) in std::mem::take(&mut self.state.unreadable) {
            self.put_aside(Position(record), &why);
        }
        let findings = &mut self.state.findings;
        let alerts = std::mem::take(&mut findings.alerts);
        let incidents = std::mem::take(&mut self.state.incidents);
        let commit = Commit {
            consumer: CONSUMER.to_owned(),
            position: self.settled.0,
            updates: std::mem::take(&mut findings.updates).into_values().collect(),
            runs: std::mem::take(&mut findings.runs).into_values().collect(),
            risk_events: std::mem::take(&mut self.state.risk_events),
            quarantines: std::mem::take(&mut self.aside),
            ..Commit::default()
        };
        self.write(commit, (alerts, incidents), true);
        if !self.stopping {
            self.made = self.made.max(self.state.made());
        }
    }

    /// Hands over what is to be written down.
    fn write(&mut self, commit: Commit, (alerts, incidents): (Vec<Finding>, Vec<RiskIncident>), moves: bool) {
        let loaded = Arc::clone(&self.loaded.read());
        let Self { scribe, wishes, back, .. } = self;
        let page = Page { commit, alerts, incidents, loaded, moves };
        if !scribe.write(page, &mut || wants_to_stop(wishes, back)) {
            self.stopping = true;
        }
    }

    /// Waits until all is written down.
    fn flush(&mut self) {
        let Self { scribe, wishes, back, .. } = self;
        if !scribe.flush(&mut || wants_to_stop(wishes, back)) {
            self.stopping = true;
        }
    }

    fn fulfil(&mut self, wish: Wish) {
        match wish {
            Wish::Stop => self.stopping = true,
            Wish::Health(answer) => {
                // Whoever asked may have gone away.
                let _ = answer.send(self.state.health());
            }
            Wish::Found(found) => self.graft(*found),
            Wish::Backfilled(alerts) => {
                self.state.count_risk_of(&alerts);
                self.commit();
            }
            Wish::Reload(answer) => {
                let _ = answer.send(self.reload());
            }
        }
    }

    /// Loads the rules anew; half-written settings do not take away those that are at work.
    fn reload(&mut self) -> Result<Arc<Loaded>, String> {
        self.fingerprint = self.parts.source.fingerprint();
        let loaded = self.parts.source.load().map(Arc::new).inspect_err(|fault| {
            tracing::error!(%fault, "the rules cannot be loaded anew; those that are at work stay");
        })?;
        for fault in &loaded.faults {
            tracing::warn!(%fault, "a rule or file cannot be used");
        }
        *self.loaded.write() = Arc::clone(&loaded);
        self.make_all();
        self.note_made();
        self.rebuild_or_log();
        self.look_back();
        self.beat();
        self.parts.events.publish(Topic::RuleHealth, &json!({ "reloaded": self.state.rules() }));
        Ok(loaded)
    }

    fn rebuild_or_log(&mut self) {
        // All that was kept so far is whole, as long as this process lives.
        if let Err(error) = self.rebuild(self.position) {
            tracing::error!(%error, "the state of the rules could not be built whole");
        }
    }

    /// Notes up to when all runs that were due have been made, of a state that is sound; whether that is all the time there
    /// was.
    fn note_made(&mut self) -> bool {
        let past = Timestamp(self.parts.clock.now().0.saturating_sub(self.options.grace.as_micros() as i64));
        let rests = self.state.waits_since().is_none()
            && self.state.due().is_none_or(|due| due > past)
            && self.position >= self.parts.journal.end();
        if rests {
            self.made = self.made.max(past);
        }
        rests
    }

    /// Builds the state of the rules from the records that were kept before a place, and those of the journal from there up
    /// to the present one, with the runs that were made since.
    fn rebuild(&mut self, whole: Position) -> Result<(), String> {
        let start = Instant::now();
        let text = |error: lurcher_triage::Error| error.to_string();
        self.blocks.clear();
        self.flush();
        let Self { runtime, parts, kept, options, .. } = self;
        runtime.block_on(kept.write()).map_err(|error| error.to_string())?;
        runtime.block_on(kept.sync()).map_err(|error| error.to_string())?;
        let mut disabled = runtime.block_on(disabled(&parts.triage)).map_err(text)?;
        let clock = parts.clock.now();
        let known = runtime.block_on(Remembered::read(&parts.triage, clock)).map_err(text)?;
        let loaded = Arc::clone(&self.loaded.read());
        self.gaps.started(clock);
        self.gaps.add(self.look_back.sort_out(&loaded, &mut disabled, options.lateness, clock));
        let mut replay = kept.all(whole);
        let mut records = runtime.block_on(replay.next(options.block_records)).map_err(|error| error.to_string())?;
        let first = records.first().map_or(clock, |(_, record)| record.received);
        let mut state = State::new(&loaded, &disabled, known, first.min(clock), options);
        let mut count = 0;
        while !records.is_empty() {
            count += records.len();
            records.retain(|(position, _)| !self.poison.contains(position));
            if state.take(&records, clock).is_err() {
                return Err("the engine failed at records that were kept".to_owned());
            }
            records = runtime.block_on(replay.next(options.block_records)).map_err(|error| error.to_string())?;
        }
        drop(replay);
        self.state = state;
        // What lies behind the kept records stands in the journal. What of it was kept before may not have been durable.
        self.reader = self.parts.journal.reader(whole.max(self.parts.journal.begin()));
        while self.reader.position() < self.position {
            let most = usize::try_from(self.position.0 - self.reader.position().0).unwrap_or(usize::MAX);
            let next = self.reader.try_next(self.options.block_records.min(most), self.options.block_bytes);
            let Some(block) = self.runtime.block_on(next).map_err(|error| error.to_string())? else { break };
            count += block.records.len();
            let records: Vec<(Position, Record)> =
                block.records.into_iter().filter(|(position, _)| !self.poison.contains(position)).collect();
            if self.take_records(&records).is_err() {
                return Err("the engine failed at records that it took before".to_owned());
            }
        }
        self.reader = self.parts.journal.reader(self.position);
        if self.state.make_some(clock, &mut |_| true).is_err() {
            return Err("the engine failed in a run that it had made before".to_owned());
        }
        self.look_back.hush(&mut self.state, false);
        let made = self.made;
        if made > self.state.made() {
            let arrived = std::mem::take(&mut self.state.findings.alerts);
            let risk = std::mem::take(&mut self.state.risk_events);
            if self.state.advance(made, clock).is_err() {
                return Err("the engine failed in a run that it had made before".to_owned());
            }
            self.look_back.hush(&mut self.state, true);
            self.state.findings.alerts.splice(0..0, arrived);
            self.state.risk_events.splice(0..0, risk);
        }
        self.look_back.is_built();
        self.state.missed();
        self.health.clear();
        self.parts.figures.rules.store(self.state.rules() as u64, Ordering::Relaxed);
        tracing::info!(
            rules = self.state.rules(),
            records = count,
            seconds = start.elapsed().as_secs_f64(),
            "rules at work"
        );
        self.commit();
        Ok(())
    }

    /// Makes the kept records durable, forgets those that are too old, writes down how rules fare, and looks whether the
    /// files of rules have changed.
    fn keep_house(&mut self) {
        self.last_housekeeping = Instant::now();
        self.tell_growth();
        let position = self.position;
        let Self { runtime, kept, .. } = self;
        if let Err(error) = runtime.block_on(kept.sync()) {
            tracing::error!(%error, "the records that rules look back at cannot be written down");
            return;
        }
        if !self.stopping {
            self.look_back();
        }
        self.beat();
        let health = self.changed_health();
        let quarantines = std::mem::take(&mut self.aside);
        let commit =
            Commit { consumer: KEPT.to_owned(), position: position.0, health, quarantines, ..Commit::default() };
        self.write(commit, Default::default(), false);
        // What was not written down must stay in the journal.
        self.flush();
        if self.stopping {
            return;
        }
        let figures = Arc::clone(&self.parts.figures);
        // Rules that are new may still have to look at what came in before.
        let needed = self.look_back.holds().map_or(self.settled, |before| before.min(self.settled));
        figures.settled.store(needed.0, Ordering::Relaxed);
        let now = self.parts.clock.now().0;
        let before = |age: Duration| Timestamp(now.saturating_sub(i64::try_from(age.as_micros()).unwrap_or(i64::MAX)));
        let lateness = self.options.lateness;
        let longest = self.state.longest().max(SHORT);
        if let Err(error) = self.kept.trim(before(SHORT + lateness), before(longest + lateness)) {
            tracing::warn!(%error, "old records cannot be trimmed");
        }
        figures.kept_bytes.store(self.kept.bytes(), Ordering::Relaxed);
        if self.parts.source.fingerprint() != self.fingerprint {
            tracing::info!("files of rules have changed");
            // What is wrong has been said in the log.
            let _ = self.reload();
        }
    }

    /// Tells how incidents have grown: of a few objects, those that have waited longest; of all when the detector ends.
    fn tell_growth(&mut self) {
        let mut objects = 0..if self.stopping { usize::MAX } else { GROWTH_AT_ONCE };
        self.state.look_at_growth(&mut || objects.next().is_some());
        if !self.state.incidents.is_empty() {
            self.commit();
        }
    }

    /// Has rules that are new look back, in the background.
    fn look_back(&mut self) {
        let loaded = Arc::clone(&self.loaded.read());
        if let Some(wanted) = self.look_back.next(&loaded, self.position, self.parts.clock.now()) {
            self.search(wanted);
        }
    }

    fn search(&self, wanted: Search) {
        let (journal, store) = (Arc::clone(&self.parts.journal), Arc::clone(&self.parts.store));
        let (back, lateness) = (self.back.clone(), self.options.lateness);
        self.runtime.spawn(async move {
            let records = search(&wanted, &journal, &store, lateness).await;
            if let Some(back) = back.upgrade() {
                // If the detector has ended, nobody waits for it.
                let _ = back.send(Wish::Found(Box::new(Found { search: wanted, records })));
            }
        });
    }

    /// Goes on with rules that have looked back, as if they had always been there.
    fn graft(&mut self, found: Found) {
        let Found { mut search, mut records } = found;
        if !self.look_back.ends(&search) {
            return;
        }
        if let Ok(records) = &mut records
            && self.look_back.go_on(&mut search, records, self.position)
        {
            return self.search(search);
        }
        let Self { runtime, kept, parts, position, options, .. } = self;
        let grafted = records.and_then(|mut records| {
            runtime.block_on(async {
                records.append(&mut search_rest(&search, &parts.journal, *position, options.lateness).await?);
                kept.graft(records).await.map_err(|error| error.to_string())
            })
        });
        if let Err(error) = &grafted {
            tracing::error!(%error, "rules that are new begin without what came before them");
        }
        let filled = self.look_back.learn(&search, grafted.is_ok(), self.parts.clock.now());
        self.gaps.add(filled);
        self.make_all();
        self.note_made();
        self.rebuild_or_log();
        self.beat();
        self.look_back();
    }

    /// Notes that the detector is at work, and what it has not looked at in time or has looked at since.
    fn beat(&mut self) {
        let now = self.parts.clock.now();
        self.gaps.beat(now);
        for (rule, first, last) in self.state.missed() {
            self.gaps.late(&rule, first, last);
        }
        for health in self.state.health().iter().filter(|health| health.stopped.is_some()) {
            if let Some(rule) = self.state.rule(health.rule) {
                self.gaps.stopped(&rule_id(rule), now);
            }
        }
        if self.note_made() {
            self.gaps.caught_up(now);
        }
        let position = u64::try_from(self.made.0).unwrap_or(0);
        let gaps = self.gaps.take();
        self.write(
            Commit { consumer: ALIVE.to_owned(), position, gaps, ..Commit::default() },
            Default::default(),
            false,
        );
    }

    /// Says, to whoever looks for where memory goes, which rules hold most of it.
    fn tell_memory(&self, all: &[RuleHealth]) {
        if !tracing::enabled!(tracing::Level::DEBUG) {
            return;
        }
        let mut most: Vec<&RuleHealth> = all.iter().filter(|health| health.held_bytes > 0).collect();
        most.sort_by_key(|health| std::cmp::Reverse(health.held_bytes));
        let sum: u64 = most.iter().map(|health| health.held_bytes).sum();
        tracing::debug!(rules = most.len(), bytes = sum, "rules hold hits");
        for health in most.iter().take(10) {
            let name = self.state.rule(health.rule).map_or("", |rule| rule.meta.name.as_str());
            tracing::debug!(rule = name, hits = health.held, bytes = health.held_bytes, "of these");
        }
    }

    /// How those rules fare that fare otherwise than when they were last looked at.
    fn changed_health(&mut self) -> Vec<StoredHealth> {
        let now = self.parts.clock.now();
        let mut changed = Vec::new();
        let all = self.state.health();
        self.tell_memory(&all);
        for health in all {
            let state = match (&health.stopped, &health.error) {
                (Some(why), _) => (HealthState::Quarantined, why.clone()),
                (None, Some(error)) => (HealthState::Failing, error.clone()),
                (None, None) => (HealthState::Ok, String::new()),
            };
            if self.health.get(&health.rule).unwrap_or(&(HealthState::Ok, String::new())) == &state {
                continue;
            }
            self.health.insert(health.rule, state.clone());
            let Some(rule) = self.state.rule(health.rule) else { continue };
            let (id, name) = (rule_id(rule), rule.meta.name.clone());
            if state.0 == HealthState::Quarantined {
                tracing::error!(rule = %name, why = %state.1, "a rule is stopped");
                self.aside.push(Quarantine {
                    kind: QuarantineKind::Rule,
                    subject: id.clone(),
                    reason: state.1.clone(),
                    first_seen: now,
                    last_seen: now,
                    count: 1,
                    released_at: None,
                    released_by: String::new(),
                });
            }
            let stored = StoredHealth {
                rule_id: id,
                rule_name: name,
                state: state.0,
                detail: state.1,
                last_run: health.last_run,
                last_success: None,
                last_micros: None,
                failures: u64::from(state.0 == HealthState::Failing),
            };
            self.parts.events.publish(Topic::RuleHealth, &stored);
            changed.push(stored);
        }
        changed
    }
}

/// Tells, to whoever looks for what holds the detector up, that something took long.
fn told_if_slow(what: &str, start: Instant) {
    let took = start.elapsed();
    if took >= SLOW {
        tracing::debug!(seconds = took.as_secs_f64(), "{what}");
    }
}

/// Whether somebody wants the detector to end, asked while it waits for the scribe. Other wishes wait on.
fn wants_to_stop(wishes: &mut mpsc::UnboundedReceiver<Wish>, back: &mpsc::WeakUnboundedSender<Wish>) -> bool {
    match wishes.try_recv() {
        Ok(Wish::Stop) | Err(mpsc::error::TryRecvError::Disconnected) => true,
        Ok(wish) => {
            // If nobody can wish any more, nobody waits for an answer.
            back.upgrade().is_none_or(|back| back.send(wish).is_err())
        }
        Err(mpsc::error::TryRecvError::Empty) => false,
    }
}
