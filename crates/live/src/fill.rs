//! Gaps of single rules, filled over the tables without being asked: what came too late to be looked at together, what a
//! rule that was stopped has not looked at since, what a new rule could not look back at. Each is a backfill like one over
//! the API, and listed like one. It waits until the tables have what the gap is about, and until the gap grows no more.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use lurcher_journal::Position;
use lurcher_schema::{Clock, Timestamp};
use lurcher_server::{
    detection::{Backfill, Detection},
    jobs::{Job, JobKind, JobRequest, Jobs},
    lifecycle::Stop,
};
use lurcher_triage::{Gap, QuarantineKind, Triage};
use tokio::sync::watch;

use crate::detector::{
    Figures, Service,
    gaps::{LATE, STOPPED},
    look_back::NEW_RULE,
};

/// How often gaps are looked for.
const LOOK_EVERY: Duration = Duration::from_mins(1);
/// A rule's gaps are filled at most so often: while late events keep coming, one filling serves many.
const PAUSE: Duration = Duration::from_mins(10);
/// A gap that grows all the time is filled after so many looks.
const LOOKS: u32 = 10;
/// How often it is asked whether a job has ended.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// Fills gaps.
pub(crate) struct Filler {
    pub(crate) triage: Arc<Triage>,
    pub(crate) service: Arc<Service>,
    pub(crate) jobs: Arc<Jobs>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Up to where the tables are complete.
    pub(crate) stored: watch::Receiver<Position>,
    /// How far the detector is.
    pub(crate) figures: Arc<Figures>,
    pub(crate) memory: Memory,
}

/// What is remembered from one look to the next.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// When each rule's gaps were last filled.
    tried: HashMap<String, Instant>,
    /// Each rule's span at the last look, and how often one was seen.
    seen: HashMap<String, (Span, u32)>,
    /// How far the detector was at the last look.
    reached: u64,
}

/// From and to.
type Span = (Timestamp, Timestamp);

impl Memory {
    /// Whether a rule's gaps are to be filled now.
    fn is_ripe(&mut self, rule: &str, span: Span, of_new_rule: bool) -> bool {
        let (before, looks) = self.seen.get(rule).copied().unwrap_or((span, 0));
        self.seen.insert(rule.to_owned(), (span, looks + 1));
        let settled = (looks > 0 && before == span && !of_new_rule) || looks >= LOOKS;
        settled && self.tried.get(rule).is_none_or(|tried| tried.elapsed() >= PAUSE)
    }

    fn tried(&mut self, rule: &str) {
        self.seen.remove(rule);
        self.tried.insert(rule.to_owned(), Instant::now());
    }
}

impl Filler {
    /// Until the stop.
    pub(crate) async fn run(mut self, stop: Stop) {
        let mut every = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                () = stop.begun() => return,
                _ = every.tick() => {}
            }
            tokio::select! {
                () = stop.begun() => return,
                result = self.fill() => if let Err(error) = result {
                    tracing::warn!(%error, "gaps cannot be filled now");
                },
            }
        }
    }

    async fn fill(&mut self) -> lurcher_triage::Result<()> {
        let reached = std::mem::replace(&mut self.memory.reached, self.figures.position.load(Ordering::Relaxed));
        if self.stored.borrow().0 < reached {
            return Ok(());
        }
        let gaps = self.triage.gaps(false).await?;
        let aside = self.triage.quarantines(false).await?;
        let aside: BTreeSet<String> =
            aside.into_iter().filter(|one| one.kind == QuarantineKind::Rule).map(|one| one.subject).collect();
        for (rule, (from, to)) in spans(&gaps) {
            let of_new_rule = gaps.iter().any(|gap| gap.rule_id == rule && gap.reason == NEW_RULE);
            let ripe = self.memory.is_ripe(rule, (from, to), of_new_rule);
            let runs = self.service.rule(rule).is_some_and(|rule| rule.enabled);
            if !ripe || !runs || aside.contains(rule) {
                continue;
            }
            self.memory.tried(rule);
            let to = self.service.reaches_from(rule, to).min(self.clock.now());
            let request = Backfill { rule: rule.to_owned(), from: from.to_string(), to: to.to_string() };
            tracing::info!(rule, from = request.from, to = request.to, "filling a gap");
            if let Some(job) = self.begin(request) {
                while job.view().ended.is_none() {
                    tokio::time::sleep(ASK_EVERY).await;
                }
            }
        }
        Ok(())
    }

    fn begin(&self, request: Backfill) -> Option<Arc<Job>> {
        let asked = JobRequest {
            kind: JobKind::Backfill,
            by: "lurcher".to_owned(),
            request: serde_json::to_value(&request).unwrap_or_default(),
            limit: 1000,
        };
        let service = Arc::clone(&self.service);
        self.jobs.begin(asked, move |job| async move { service.backfill(request, job).await })
    }
}

/// The span of each rule's gaps that can be filled.
fn spans(gaps: &[Gap]) -> BTreeMap<&str, Span> {
    let mut spans: BTreeMap<&str, Span> = BTreeMap::new();
    let fillable = |gap: &&Gap| [LATE, STOPPED, NEW_RULE].contains(&gap.reason.as_str()) && !gap.rule_id.is_empty();
    for gap in gaps.iter().filter(fillable) {
        let span = spans.entry(&gap.rule_id).or_insert((gap.from, gap.to));
        *span = (span.0.min(gap.from), span.1.max(gap.to));
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_of_a_rule_are_filled_together() {
        let gap = |rule: &str, from: i64, to: i64, reason: &str| Gap {
            rule_id: rule.to_owned(),
            from: Timestamp(from),
            to: Timestamp(to),
            reason: reason.to_owned(),
            filled_at: None,
        };
        let gaps = [
            gap("a", 5, 9, LATE),
            gap("a", 1, 2, STOPPED),
            gap("", 0, 100, "the server was down"),
            gap("b", 3, 4, "another reason"),
        ];
        assert_eq!(spans(&gaps), BTreeMap::from([("a", (Timestamp(1), Timestamp(9)))]));
    }

    #[test]
    fn a_gap_is_filled_when_it_grows_no_more_and_not_all_the_time() {
        let mut memory = Memory::default();
        let span = |to: i64| (Timestamp(0), Timestamp(to));
        assert!(!memory.is_ripe("a", span(1), false), "it may still grow");
        assert!(!memory.is_ripe("a", span(2), false));
        assert!(memory.is_ripe("a", span(2), false));
        memory.tried("a");
        assert!((0..5).all(|_| !memory.is_ripe("a", span(2), false)), "it was filled just now");
        let waits = (0..20).take_while(|to| !memory.is_ripe("b", span(*to), false)).count();
        assert_eq!(waits, LOOKS as usize, "one that grows all the time is filled in the end");
        let waits = (0..20).take_while(|_| !memory.is_ripe("c", span(0), true)).count();
        assert_eq!(waits, LOOKS as usize, "a new rule looks back by itself, as a rule");
    }
}
