//! `lurcher explain`: what a rule looks for, and why it does or does not fire on an event.
//!
//! | what | file |
//! |---|---|
//! | which rules and events are meant | here |
//! | a rule on its own: words, sources, plan, IR | `rule` |
//! | a rule on events: the source, the first test that failed, every test | `event`, `tree` |
//! | how far sequences and pipelines come | `tail` |
//!
//! Truth comes from the naive evaluator and from running the rule; nothing here decides anything itself.

mod correlation;
mod event;
mod rule;
mod tail;
mod tree;

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use lurcher_content::Pack;
use lurcher_engine::{Route, Tables};
use lurcher_ir::Rule;
use lurcher_readers::{Input, ReadOptions, read};
use lurcher_schema::{EventBatch, Schemas, Timestamp};
use serde_json::Value as Json;

use crate::{
    arguments::{Explain, ExplainFormat},
    config::Config,
    outcome::{Outcome, tell_input, written},
    rules,
};

/// More rules than this at once explain nothing.
const MOST_RULES: usize = 20;

/// What explanations are made with.
pub(crate) struct Around<'a> {
    pub(crate) schemas: &'a Arc<Schemas>,
    pub(crate) route: Route,
    pub(crate) now: Timestamp,
    pub(crate) tables: Tables,
    pub(crate) width: usize,
}

/// Explains rules, on their own or on events.
pub(crate) fn run(arguments: &Explain) -> Result<Outcome, String> {
    let config = Config::load(&arguments.site)?;
    let (schemas, pack_faults) = rules::schemas(&config);
    let (found, tables) = find(arguments, &config, &schemas)?;
    let mut faults = pack_faults;
    let mut batches = Vec::new();
    for name in &arguments.event {
        let (found, bad) = events(name)?;
        batches.extend(found);
        faults |= bad;
    }
    let newest = batches.iter().flat_map(EventBatch::times).flatten().max().copied();
    let around = Around {
        schemas: &schemas,
        route: match arguments.route {
            crate::arguments::Route::Strict => Route::Strict,
            crate::arguments::Route::Any => Route::Any,
        },
        now: newest.unwrap_or(Timestamp(0)),
        tables,
        width: crate::hunt::width().min(100),
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut result = Ok(());
    for (number, rule) in found.iter().enumerate() {
        let text = match arguments.format {
            ExplainFormat::Json => format!("{}\n", json(rule, &batches, &around)),
            ExplainFormat::Text => {
                let between = if number > 0 { "\n" } else { "" };
                format!("{between}{}", text(rule, &batches, &around))
            }
        };
        result = result.and_then(|()| out.write_all(text.as_bytes()));
    }
    written(result.and_then(|()| out.flush()))?;
    Ok(Outcome::of(faults || found.iter().any(|rule| rule.body.is_none())))
}

fn text(rule: &Arc<Rule>, batches: &[EventBatch], around: &Around<'_>) -> String {
    if batches.is_empty() { rule::text(rule, around) } else { event::text(rule, batches, around) }
}

fn json(rule: &Arc<Rule>, batches: &[EventBatch], around: &Around<'_>) -> Json {
    if batches.is_empty() { rule::json(rule, around) } else { event::json(rule, batches, around) }
}

/// The rules that are meant, with the tables that they look things up in: those of a file, one of them by `#id`, or by id or name among those of `-r`.
fn find(arguments: &Explain, config: &Config, schemas: &Schemas) -> Result<(Vec<Arc<Rule>>, Tables), String> {
    let meant = arguments.rule.as_str();
    let (path, id) = match meant.rsplit_once('#') {
        _ if Path::new(meant).exists() => (Some(meant), None),
        Some((path, id)) if Path::new(path).exists() => (Some(path), Some(id)),
        _ => (None, Some(meant)),
    };
    let mut paths: Vec<PathBuf> = path.iter().map(PathBuf::from).collect();
    if path.is_none() {
        paths.extend(arguments.rules.iter().cloned());
        if paths.is_empty() && config.rules.is_empty() {
            return Err(format!("there is no file {meant}; to name a rule by its id, say with -r where the rules are"));
        }
    }
    let pack = rules::pack(&paths, config, schemas);
    rules::tell_problems(&pack);
    let chosen = choose(&pack, id);
    if chosen.iter().any(|rule| rule.body.is_none()) {
        rules::tell_errors(&pack);
    }
    match chosen.len() {
        0 => Err(match id {
            Some(id) => format!("none of the {} rules found has the id or name {id}", pack.rules.len()),
            None => format!("there is no rule in {meant}"),
        }),
        n if n > MOST_RULES => Err(format!("{meant} has {n} rules: say which with {meant}#ID")),
        _ => Ok((chosen, rules::tables(&pack.knowledge)?)),
    }
}

fn choose(pack: &Pack, id: Option<&str>) -> Vec<Arc<Rule>> {
    let Some(id) = id else { return pack.rules.clone() };
    let is = |text: &str| text.eq_ignore_ascii_case(id);
    pack.rules.iter().filter(|rule| is(&rule.meta.id) || is(&rule.meta.name)).cloned().collect()
}

/// The events of `FILE#RECORD`, or all of `FILE`; and whether some could not be read.
fn events(name: &str) -> Result<(Vec<EventBatch>, bool), String> {
    let (file, record) =
        match name.rsplit_once('#').and_then(|(file, record)| Some((file, record.parse::<u64>().ok()?))) {
            Some((file, record)) if !Path::new(name).exists() => (file, Some(record)),
            _ => (name, None),
        };
    let container = if Path::new(file).exists() { file } else { file.split('!').next().unwrap_or(file) };
    let mut batches = Vec::new();
    let report = read(&Input::File(container.into()), &ReadOptions::default(), &mut |batch| {
        if container != file && batch.origin().path != file {
            return;
        }
        batches.push(match record {
            Some(record) => batch.filter(|row| batch.reference(row).record == record),
            None => batch,
        });
    });
    batches.retain(|batch| batch.rows() > 0);
    let faults = tell_input(&report, true);
    if batches.is_empty() {
        return Err(format!("there is no event {name}"));
    }
    Ok((batches, faults))
}
