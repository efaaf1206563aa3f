//! What a run is told from outside: the time, and how much it may keep.

use std::sync::Arc;

use lurcher_schema::Timestamp;

use crate::{Endpoints, Relational, Tables, schedule::Simulation};

/// The settings of one run, shared by its scanners.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The time of the run, for rules that ask what time it is. Injected, so that a run can be repeated.
    pub now: Timestamp,
    /// Where a run over everything ends, for rules that count times back from there; `None`: with the last event. A run by a
    /// schedule counts from when it is.
    pub until: Option<Timestamp>,
    /// An alert shows at most so many of the events that made it.
    pub max_evidence: usize,
    /// About how many bytes of events all tails together keep in memory; what does not fit goes to a temporary file.
    pub tail_budget: u64,
    /// At most so many bytes of values and signatures are remembered by each scanner. A small number costs time and
    /// changes no result.
    pub memo_budget: usize,
    /// Groups, sorts and finds duplicates for pipelines. Without one, rules that need it fail, and it is said of each.
    pub relational: Option<Arc<dyn Relational>>,
    /// The tables that rules look things up in, and the models that they judge by. A rule that names one that is not here
    /// does not run, and it is said of it.
    pub tables: Tables,
    /// The language models that rules ask. A rule that names one that is not here does not run, and it is said of it.
    pub endpoints: Endpoints,
    /// Rules run by their schedules on a virtual clock; `None`: once, over everything.
    pub simulation: Option<Simulation>,
    /// Rules run by their schedules as time goes on, and what needs no schedule is told at once: for [`crate::Live`].
    pub live: bool,
}

impl Default for Settings {
    /// Now is 1970; 100 events an alert; 256 MiB for tails; 64 MiB of memory for each scanner; no
    /// relational engine, no tables, no models to ask, no virtual clock.
    fn default() -> Self {
        Self {
            now: Timestamp(0),
            until: None,
            max_evidence: 100,
            tail_budget: 256 << 20,
            memo_budget: 64 << 20,
            relational: None,
            tables: Tables::default(),
            endpoints: Endpoints::default(),
            simulation: None,
            live: false,
        }
    }
}
