//! `lurcher doctor`: why nothing matched, the most important reason first.
//!
//! | step | file |
//! |---|---|
//! | sweep the logs once: which kinds of events, when, with which raw fields; and which rules fire | `survey` |
//! | for each rule that did not: could it fire on this data at all, and if not, why | `diagnosis` |
//! | say it, ranked | `report` |
//!
//! A rule that could fire and did not is left at that: `lurcher explain` says what the nearest event lacked.

mod diagnosis;
mod report;
mod survey;

use std::{
    io::{self, Write as _},
    sync::Arc,
};

use lurcher_engine::Route;
use lurcher_ir::Rule;

use crate::{
    arguments::{Doctor, DoctorFormat},
    config::Config,
    outcome::{Outcome, tell_input, written},
    rules,
    scan::Plan,
};

/// Reads everything once and says what is wrong.
pub(crate) fn run(arguments: &Doctor) -> Result<Outcome, String> {
    let config = Config::load(&arguments.input.site)?;
    let (schemas, pack_faults) = rules::schemas(&config);
    let pack = rules::pack(&arguments.rules.files, &config, &schemas);
    rules::tell_problems(&pack);
    let selection = rules::selection(&arguments.rules.selection)?;
    let chosen: Vec<Arc<Rule>> = pack.rules.iter().filter(|rule| selection.selects_rule(rule)).cloned().collect();
    if chosen.is_empty() {
        return Err("no rules: name rule files or folders with -r, or set `rules` in lurcher.toml".into());
    }
    let route = match arguments.scope.route {
        crate::arguments::Route::Strict => Route::Strict,
        crate::arguments::Route::Any => Route::Any,
    };
    let span = crate::hunt::Span::of(arguments.scope.from.as_deref(), arguments.scope.to.as_deref())?;
    let plan = Plan::new(&arguments.input, &[])?;
    let survey = survey::Survey::take(plan, (&chosen, rules::tables(&pack.knowledge)?), &schemas, route, &span);
    let input_faults = tell_input(&survey.report, true);
    let findings = diagnosis::Findings::new(&chosen, &survey, &schemas, route);
    let text = match arguments.format {
        DoctorFormat::Text => report::text(&findings, &survey, crate::hunt::width().min(100), arguments.verbose),
        DoctorFormat::Json => format!("{}\n", report::json(&findings, &survey)),
    };
    let mut out = io::stdout().lock();
    written(out.write_all(text.as_bytes()).and_then(|()| out.flush()))?;
    if survey.events == 0 {
        eprintln!("lurcher: nothing ran: there are no events in this input");
        return Ok(Outcome::NothingRan);
    }
    Ok(Outcome::of(input_faults || pack_faults || !findings.unrun.is_empty() || !pack.problems.is_empty()))
}
