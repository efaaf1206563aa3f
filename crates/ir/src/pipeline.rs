//! Pipelines: branches of stages over rows.

use std::sync::Arc;

use crate::{Moment, Stage};

/// Stages over rows. A row is named columns; it remembers the event or events that went into it.
#[derive(Clone, Debug, PartialEq)]
pub struct Pipeline {
    /// The branches; each may read those before it. Rows of a branch with a sink become matches.
    pub branches: Vec<Branch>,
}

impl Pipeline {
    /// Whether its rows stand for groups of events, be it for groups of one, rather than for single events.
    pub fn groups(&self) -> bool {
        let mut stages = self.branches.iter().flat_map(|branch| &branch.stages);
        stages.any(|stage| matches!(stage, Stage::Aggregate(_) | Stage::Pivot(_) | Stage::Transaction(_)))
    }

    /// The ranges of time that branches look at in place of the window of a schedule.
    pub fn moments(&self) -> impl Iterator<Item = &Moment> {
        let stages = self.branches.iter().flat_map(|branch| &branch.stages);
        stages.filter_map(|stage| if let Stage::Moment(moment) = stage { Some(moment) } else { None })
    }
}

/// A run of stages.
#[derive(Clone, Debug, PartialEq)]
pub struct Branch {
    /// Where its rows come from, all of them together (a bag union).
    pub inputs: Vec<Input>,
    /// What is done with them.
    pub stages: Vec<Stage>,
    /// Where they go; `None` if only other branches read them.
    pub sink: Option<Sink>,
}

/// Where a branch's rows come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The events that pass this filter: one row each, without columns.
    Filter(usize),
    /// The rows of an earlier branch.
    Branch(usize),
    /// The rows of a named table that the run is given, in its order, with its columns; no events. A run without such a
    /// table says so, and the pipeline yields nothing.
    Table(Arc<str>),
    /// So many rows without columns and events.
    Rows(u64),
}

/// Where rows go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sink {
    /// They are matches. The name is the one that the query gives its sink.
    Alerts(Arc<str>),
    /// Nowhere.
    Null,
}
