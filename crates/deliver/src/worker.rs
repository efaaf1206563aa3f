//! Delivers the letters of one target: takes what is due, sends it, notes what became of it, and rests after failures.
//!
//! A fault of the target makes the worker leave it alone for a while, longer each time, so that an outage costs a few
//! attempts and not one for every letter. A fault of one letter puts off only that letter.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use lurcher_schema::{Clock, Timestamp};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use tracing::{debug, error, info, warn};

use crate::{
    backoff::{Backoff, spread},
    counters::TargetCounters,
    fault::{Fault, Outcome},
    letter::{Letter, Outbox},
    pace::Pace,
    target::Target,
};

/// Letters that are asked for at a time.
const TAKEN: usize = 100;

/// Waits between attempts to reach an outbox that does not answer.
const OUTBOX: Backoff = Backoff { first: Duration::from_millis(100), longest: Duration::from_secs(10) };

/// What is to be noted of a letter.
#[derive(Clone, Debug)]
enum Verdict {
    Delivered,
    Failed(String, Timestamp),
    Dead(String),
}

/// Serves one target.
pub(crate) struct Worker {
    pub(crate) target: Arc<Target>,
    pub(crate) outbox: Arc<dyn Outbox>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) counters: Arc<TargetCounters>,
    pub(crate) bell: Arc<Notify>,
    pub(crate) stop: watch::Receiver<bool>,
    pub(crate) poll: Duration,
}

/// What a worker remembers between sends.
struct Memory {
    pace: Option<Pace>,
    /// Failures of the target in a row.
    failures: u32,
    /// When it may be tried again.
    rested: Instant,
    /// Outcomes that the outbox could not be told yet, by the letter's number.
    unnoted: BTreeMap<i64, Verdict>,
    outbox_failures: u32,
}

impl Worker {
    /// Runs until told to stop. What is being sent then is finished and noted.
    pub(crate) async fn run(mut self) {
        let now = Instant::now();
        let mut memory = Memory {
            pace: self.target.per_minute.map(|sends| Pace::per_minute(sends, now)),
            failures: 0,
            rested: now,
            unnoted: BTreeMap::new(),
            outbox_failures: 0,
        };
        while !self.stopping() {
            let idle = match self.round(&mut memory).await {
                Ok(worked) => {
                    memory.outbox_failures = 0;
                    if worked { Duration::ZERO } else { self.poll }
                }
                Err(error) => {
                    warn!(target_name = %self.target.name, %error, "the outbox does not answer");
                    self.counters.outbox_error(self.clock.now(), &error);
                    memory.outbox_failures = memory.outbox_failures.saturating_add(1);
                    OUTBOX.wait(memory.outbox_failures, spread(), None)
                }
            };
            let rest = memory.rested.saturating_duration_since(Instant::now());
            self.counters.paused(!rest.is_zero());
            // A bell does not end a rest.
            self.wait(rest, false).await;
            if rest.is_zero() {
                self.wait(idle, memory.outbox_failures == 0).await;
            }
        }
        if !memory.unnoted.is_empty()
            && let Err(error) = self.note(&mut memory).await
        {
            let letters = memory.unnoted.len();
            error!(target_name = %self.target.name, letters, %error, "what became of letters could not be noted; they will be sent again with the same keys");
        }
    }

    fn stopping(&self) -> bool {
        *self.stop.borrow() || self.stop.has_changed().is_err()
    }

    /// Waits, but not beyond the order to stop.
    pub(crate) async fn wait(&mut self, how_long: Duration, bell: bool) {
        if how_long.is_zero() || self.stopping() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(how_long) => {}
            () = self.bell.notified(), if bell => {}
            _ = self.stop.changed() => {}
        }
    }

    /// Takes what is due and sends it until the target fails. Whether there was anything.
    async fn round(&mut self, memory: &mut Memory) -> Result<bool, String> {
        self.note(memory).await?;
        let taken = TAKEN.max(self.target.connector.batch());
        let due = self.outbox.due(&self.target.name, self.clock.now(), taken + memory.unnoted.len()).await?;
        let due: Vec<Letter> = due.into_iter().filter(|letter| !memory.unnoted.contains_key(&letter.id)).collect();
        let worked = !due.is_empty();
        for letters in due.chunks(self.target.connector.batch().max(1)) {
            if let Some(pace) = &mut memory.pace {
                let wait = pace.take(Instant::now());
                self.wait(wait, false).await;
            }
            if self.stopping() {
                break;
            }
            let outcomes = self.attempt(letters).await;
            let target_failed = self.judge(letters, outcomes, memory);
            self.note(memory).await?;
            if target_failed {
                break;
            }
        }
        Ok(worked)
    }

    /// Sends letters. Of a batch that is refused for what one of them may have, each is sent alone.
    async fn attempt(&self, letters: &[Letter]) -> Vec<Outcome> {
        let mut outcomes = self.send(letters).await;
        if letters.len() > 1 {
            for (letter, outcome) in letters.iter().zip(&mut outcomes) {
                if matches!(outcome, Outcome::Failed(fault) if fault.of_batch)
                    && let Some(alone) = self.send(std::slice::from_ref(letter)).await.pop()
                {
                    *outcome = alone;
                }
            }
        }
        outcomes
    }

    async fn send(&self, letters: &[Letter]) -> Vec<Outcome> {
        // Connectors keep to their timeout for each exchange; this is for one that does not.
        let longest = self.target.timeout * (2 + letters.len() as u32) + Duration::from_mins(1);
        let sent = self.target.connector.send(letters, self.clock.now());
        match tokio::time::timeout(longest, sent).await {
            Ok(outcomes) => outcomes,
            Err(_) => Fault::target("the connector did not come back").for_all(letters.len()),
        }
    }

    /// Turns outcomes into what is to be noted. Whether the target as a whole failed.
    fn judge(&self, letters: &[Letter], outcomes: Vec<Outcome>, memory: &mut Memory) -> bool {
        let now = self.clock.now();
        let mut worst: Option<Fault> = None;
        let mut delivered = false;
        let outcomes = outcomes.into_iter().map(Some).chain(std::iter::repeat(None));
        for (letter, outcome) in letters.iter().zip(outcomes) {
            let outcome = outcome.unwrap_or_else(|| Outcome::Failed(Fault::letter("the connector said nothing of it")));
            let verdict = match outcome {
                Outcome::Delivered => Verdict::Delivered,
                Outcome::DeliveredExcept(recipients, refused) => {
                    warn!(target_name = %self.target.name, key = %letter.key, recipients, refused, "refused recipients");
                    self.counters.refused_recipients(recipients);
                    Verdict::Delivered
                }
                Outcome::Failed(fault) => {
                    let verdict = self.verdict(letter, &fault, now);
                    let longer = worst.as_ref().is_none_or(|worst| fault.retry_after > worst.retry_after);
                    if fault.of_target && longer {
                        worst = Some(fault);
                    }
                    verdict
                }
            };
            delivered |= matches!(verdict, Verdict::Delivered);
            self.count(letter, &verdict, now);
            memory.unnoted.insert(letter.id, verdict);
        }
        if delivered {
            memory.failures = 0;
        }
        let Some(fault) = worst else { return false };
        memory.failures = memory.failures.saturating_add(1);
        let rest = self.backoff().wait(memory.failures, spread(), fault.retry_after);
        memory.rested = Instant::now() + rest;
        info!(target_name = %self.target.name, failures = memory.failures, rest = ?rest, error = %fault.message, "the target is left alone for a while");
        true
    }

    fn backoff(&self) -> Backoff {
        Backoff { first: self.target.retry.retry_first.0, longest: self.target.retry.retry_longest.0 }
    }

    fn verdict(&self, letter: &Letter, fault: &Fault, now: Timestamp) -> Verdict {
        let attempts = letter.attempts.saturating_add(1);
        if fault.permanent {
            return Verdict::Dead(fault.message.clone());
        }
        if attempts >= self.target.retry.max_attempts {
            return Verdict::Dead(format!("given up after {attempts} attempts: {}", fault.message));
        }
        let age = Duration::from_micros(u64::try_from(now.0.saturating_sub(letter.created.0)).unwrap_or(0));
        if age >= self.target.retry.max_age.0 {
            return Verdict::Dead(format!("given up after {} min: {}", age.as_secs() / 60, fault.message));
        }
        let wait = self.backoff().wait(attempts, spread(), fault.retry_after);
        Verdict::Failed(fault.message.clone(), Timestamp(now.0.saturating_add(wait.as_micros() as i64)))
    }

    fn count(&self, letter: &Letter, verdict: &Verdict, now: Timestamp) {
        let target_name = &self.target.name;
        match verdict {
            Verdict::Delivered => {
                debug!(%target_name, key = %letter.key, "delivered");
                self.counters.delivered(now);
            }
            Verdict::Failed(error, next) => {
                debug!(%target_name, key = %letter.key, %error, %next, "not delivered");
                self.counters.failed(now, error);
            }
            Verdict::Dead(error) => {
                warn!(%target_name, key = %letter.key, %error, "a dead letter");
                self.counters.dead(now, error);
            }
        }
    }

    /// Tells the outbox what it has not been told yet.
    async fn note(&self, memory: &mut Memory) -> Result<(), String> {
        while let Some((id, verdict)) = memory.unnoted.first_key_value() {
            match verdict {
                Verdict::Delivered => self.outbox.delivered(*id).await?,
                Verdict::Failed(error, next) => self.outbox.failed(*id, error, *next).await?,
                Verdict::Dead(error) => self.outbox.dead(*id, error).await?,
            }
            memory.unnoted.pop_first();
        }
        Ok(())
    }
}
