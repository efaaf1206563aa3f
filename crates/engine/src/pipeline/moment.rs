//! The moment of a run, and the times that branches look at in place of the window of its schedule.

use lurcher_ir::{MOMENT, Moment};
use lurcher_schema::{Timestamp, Value};

use super::{PipelinePlan, plan::StagePlan, row::PipelineRow};
use crate::terms::Window;

/// The times that a branch looks at in a run at `now` whose schedule has it look at `window`.
pub(crate) fn own_window(moment: &Moment, window: Window, now: Timestamp) -> Window {
    let from = moment.from.as_ref().map_or(window.from, |from| from.at(now));
    let to = moment.to.as_ref().map_or(window.to, |to| to.at(now));
    if moment.beside_window {
        return Window { from: from.min(window.from), to: to.max(window.to) };
    }
    Window { from, to }
}

/// All times that branches with these moments, and others beside them, look at.
pub(crate) fn extent<'m>(moments: impl Iterator<Item = &'m Moment>, window: Window, now: Timestamp) -> Window {
    moments.fold(window, |all, moment| {
        let own = own_window(moment, window, now);
        Window { from: all.from.min(own.from), to: all.to.max(own.to) }
    })
}

impl PipelinePlan {
    /// What the rows of a branch that wait are looked at by; none: the window of the schedule.
    pub(crate) fn moment(&self, branch: usize) -> Option<&Moment> {
        let stages = self.branches.get(branch).map_or(&[][..], |plan| plan.stages.as_slice());
        match stages.iter().find(|stage| stage.needs_all_rows()) {
            Some(StagePlan::Moment(moment)) => Some(moment),
            _ => None,
        }
    }

    /// What each branch looks at in place of the window of the schedule.
    pub(crate) fn moments(&self) -> impl Iterator<Item = &Moment> {
        (0..self.branches.len()).filter_map(|branch| self.moment(branch))
    }
}

/// The moment as rows have it: in seconds since 1970.
pub(super) fn seconds(moment: Timestamp) -> Value {
    Value::Float(moment.0 as f64 / 1e6)
}

/// See [`lurcher_ir::Stage::Moment`].
pub(super) fn apply(rows: &mut [PipelineRow], moment: Timestamp) {
    let moment = seconds(moment);
    for row in rows {
        row.columns.insert(MOMENT, moment.clone());
    }
}
