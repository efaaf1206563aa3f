//! What clients are told as it happens: alerts, changes to them, health of rules, the ledger.
//!
//! The latest events are kept, so that a client that was cut off goes on where it was. Their ids hold when the server was
//! started; a client that comes with an id from before, or with one that is no longer kept, is told that it missed some
//! and has to read the lists again.

use std::{collections::VecDeque, sync::Arc};

use lurcher_schema::{Clock, Timestamp};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;
use utoipa::ToSchema;

use crate::auth::Role;

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Topic {
    /// A new alert.
    Alert,
    /// An alert was changed by somebody.
    AlertChange,
    /// A rule's health changed, or the set of rules.
    RuleHealth,
    /// A run of a rule.
    Ledger,
    /// An entity's risk, or an incident.
    Risk,
    /// A hunt, a simulation or a backfill came further.
    Job,
}

impl Topic {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Alert, Self::AlertChange, Self::RuleHealth, Self::Ledger, Self::Risk, Self::Job];

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::AlertChange => "alert-change",
            Self::RuleHealth => "rule-health",
            Self::Ledger => "ledger",
            Self::Risk => "risk",
            Self::Job => "job",
        }
    }

    /// The least role that is told.
    pub fn role(self) -> Role {
        match self {
            Self::Alert | Self::AlertChange | Self::RuleHealth | Self::Ledger | Self::Risk => Role::Reader,
            Self::Job => Role::Analyst,
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Happening {
    /// When the server was started, which it shares with all others of this run.
    pub run: Timestamp,
    /// One more than that of the one before.
    pub number: u64,
    /// What it is about.
    pub topic: Topic,
    /// What happened; JSON.
    pub data: Arc<str>,
}

impl Happening {
    /// What a client sends back to go on after it.
    pub fn id(&self) -> String {
        format!("{}-{}", self.run.0, self.number)
    }
}

/// Tells clients, and keeps the latest for those that were cut off.
#[derive(Debug)]
pub struct Events {
    run: Timestamp,
    kept: usize,
    state: Mutex<State>,
    live: broadcast::Sender<Happening>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    latest: VecDeque<Happening>,
}

/// From where a client listens on.
#[derive(Debug)]
pub struct Subscription {
    /// Whether something happened of which the client is not told any more.
    pub missed: bool,
    /// What happened since it was cut off.
    pub backlog: Vec<Happening>,
    /// What happens from now on.
    pub live: broadcast::Receiver<Happening>,
}

impl Events {
    /// Keeps so many.
    pub fn new(clock: &dyn Clock, kept: usize) -> Self {
        let (live, _) = broadcast::channel(1024);
        Self { run: clock.now(), kept: kept.max(1), state: Mutex::default(), live }
    }

    /// Tells everybody who listens.
    pub fn publish(&self, topic: Topic, data: &impl Serialize) {
        let data = match serde_json::to_string(data) {
            Ok(data) => data.into(),
            Err(error) => {
                tracing::error!(%error, topic = topic.name(), "an event could not be written");
                return;
            }
        };
        let mut state = self.state.lock();
        let happening = Happening { run: self.run, number: state.next, topic, data };
        state.next += 1;
        if state.latest.len() >= self.kept {
            state.latest.pop_front();
        }
        state.latest.push_back(happening.clone());
        // Under the lock, so that a subscription misses none between its backlog and what is live. Nobody may listen.
        let _ = self.live.send(happening);
    }

    /// Listens from now on, or from after the event with this id.
    pub fn subscribe(&self, last: Option<&str>) -> Subscription {
        let state = self.state.lock();
        let live = self.live.subscribe();
        let Some(last) = last else { return Subscription { missed: false, backlog: Vec::new(), live } };
        let number = last
            .split_once('-')
            .and_then(|(run, number)| (run.parse() == Ok(self.run.0)).then(|| number.parse::<u64>().ok()).flatten());
        let oldest = state.latest.front().map_or(state.next, |oldest| oldest.number);
        match number {
            Some(number) if number < state.next && number + 1 >= oldest => {
                let backlog = state.latest.iter().filter(|kept| kept.number > number).cloned().collect();
                Subscription { missed: false, backlog, live }
            }
            _ => Subscription { missed: true, backlog: state.latest.iter().cloned().collect(), live },
        }
    }
}

#[cfg(test)]
mod tests {
    use lurcher_schema::VirtualClock;

    use super::*;

    fn numbers(subscription: &Subscription) -> Vec<u64> {
        subscription.backlog.iter().map(|happening| happening.number).collect()
    }

    #[test]
    fn who_was_cut_off_goes_on_where_it_was() {
        let events = Events::new(&VirtualClock::at(Timestamp(7)), 3);
        for number in 0..5 {
            events.publish(Topic::Alert, &number);
        }
        let resumed = events.subscribe(Some("7-2"));
        assert!(!resumed.missed);
        assert_eq!(numbers(&resumed), [3, 4]);
        assert!(numbers(&events.subscribe(Some("7-4"))).is_empty());
        for stale in ["7-0", "6-4", "nonsense", "7-99", "", "7-18446744073709551615"] {
            let subscription = events.subscribe(Some(stale));
            assert!(subscription.missed, "{stale}");
            assert_eq!(numbers(&subscription), [2, 3, 4]);
        }
        let mut fresh = events.subscribe(None);
        assert!(!fresh.missed && fresh.backlog.is_empty());
        events.publish(Topic::Ledger, &"x");
        assert_eq!(fresh.live.try_recv().map(|happening| happening.id()), Ok("7-5".into()));
    }
}
