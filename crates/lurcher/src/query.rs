//! `lurcher query`: one query over files.

use std::{io::Write as _, sync::Arc};

use lurcher_content::Knowledge;
use lurcher_diagnostics::{Level, SourceFile};
use lurcher_engine::{Alert, Match, Scanner, Settings};
use lurcher_frontend::{Language, Lowered, Options, spl};
use lurcher_ir::{Rule, RuleMeta, Support, Tail};
use lurcher_outputs::answers::{self, Answer};
use lurcher_schema::Schemas;

use crate::{
    arguments::{Query, QueryFormat, Route},
    config::Config,
    hunt, inference,
    outcome::{self, Outcome, tell_input},
    rules,
    scan::Plan,
    stats::Stats,
    tables,
};

/// Runs the query and writes what it yields.
pub(crate) fn run(arguments: &Query) -> Result<Outcome, String> {
    let mut stats = Stats::start_for(arguments.input.stats.as_deref())?;
    let config = Config::load(&arguments.input.site)?;
    let (schemas, pack_faults) = rules::schemas(&config);
    let (tables, columns) = tables::load(&arguments.table)?;
    let knowledge = knowledge(arguments, &config)?;
    let Some(rule) = rule(arguments, (&config, &knowledge), &schemas, columns)? else { return Ok(Outcome::NothingRan) };
    // A query that reads no events needs no input; one of a language without tables reads them as events.
    let reads_events = rule.body.as_ref().is_none_or(|body| !body.filters.is_empty());
    let has_tables = [Language::Esql, Language::Spl].iter().any(|language| rule.meta.language == language.name());
    let more = if has_tables { Vec::new() } else { table_files(&arguments.table) };
    let plan = if reads_events { Plan::new(&arguments.input, &more)? } else { Plan::empty(&arguments.input) };
    let plan = plan.with_packs(&schemas);
    let tables = if is_spl(arguments) {
        rules::tables(&knowledge)?
    } else {
        let mut tables = tables;
        rules::add_known(&mut tables, &knowledge)?;
        tables
    };
    let rule_set = hunt::compile(vec![Arc::clone(&rule)], &schemas, Route::Any);
    let settings = Arc::new(Settings {
        now: hunt::now(),
        relational: Some(lurcher_query::relational()),
        tables,
        endpoints: inference::endpoints(&config),
        ..Settings::default()
    });
    let worker = || (Scanner::new(Arc::clone(&rule_set), Arc::clone(&settings)), Vec::new());
    let (workers, report) =
        plan.run(worker, |(scanner, alerts): &mut (Scanner, Vec<Alert>), batch| scanner.scan(batch, alerts));
    let (scanners, found): (Vec<Scanner>, Vec<Vec<Alert>>) = workers.into_iter().unzip();
    let mut at_once: Vec<Alert> = found.into_iter().flatten().collect();
    let key = |alert: &Alert| {
        alert.events.first().and_then(|event| event.as_ref().map(|event| (event.time, event.reference.clone())))
    };
    at_once.sort_by_cached_key(key);
    let mut alerts = at_once;
    let scan = Scanner::finish(scanners, &mut alerts);
    let tail_faults = hunt::tell_tails(&rule_set, &scan);
    write(arguments, &rule, alerts, &schemas)?;
    stats.set("events", report.events);
    stats.set("bytes", report.bytes);
    let input_faults = tell_input(&report, arguments.input.quiet);
    if let Some(path) = &arguments.input.stats {
        stats.write(path)?;
    }
    Ok(Outcome::of(pack_faults || input_faults || tail_faults))
}

/// Whether what stands behind an `@` means a file. A query may begin with `@timestamp`: with a comparison in it, only what
/// is there is a file.
fn is_path(text: &str) -> bool {
    !text.contains([':', '<', '>', '=', ' ']) || std::path::Path::new(text).exists()
}

/// The query as a rule; `None` if it has errors, which have been shown.
fn rule(
    arguments: &Query,
    (config, knowledge): (&Config, &Arc<Knowledge>),
    schemas: &Arc<Schemas>,
    tables: tables::Columns,
) -> Result<Option<Arc<Rule>>, String> {
    let (name, text) = match arguments.text.strip_prefix('@').filter(|path| is_path(path)) {
        Some(path) => (path.to_owned(), std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?),
        None => ("query".to_owned(), arguments.text.clone()),
    };
    let file = SourceFile::new(name, text);
    let language = Language::from_name(&arguments.language).ok_or_else(|| {
        let known: Vec<&str> = Language::ALL.into_iter().map(Language::name).collect();
        format!("there is no language {}: write one of {}", arguments.language, known.join(", "))
    })?;
    let options = Options {
        category_field: Some(arguments.category_field.clone()),
        samples_per_key: Some(arguments.max_samples_per_key.get()),
        now: Some(hunt::now()),
        ad_hoc: true,
        tables,
        endpoints: inference::names(config),
        knowledge: Some(Arc::clone(knowledge) as Arc<dyn spl::Knowledge>),
        ..Options::default()
    };
    let Lowered { body, reasons, diagnostics, .. } = language.lower(&file, &options, schemas);
    let diagnostics: Vec<_> = diagnostics.into_iter().map(|diagnostic| diagnostic.in_file(&file)).collect();
    rules::tell(&diagnostics);
    for reason in &reasons {
        eprintln!("{}: {}", reason.verdict.name(), reason.message);
    }
    if body.is_none() || diagnostics.iter().any(|diagnostic| diagnostic.level == Level::Error) {
        return Ok(None);
    }
    let meta = RuleMeta {
        id: "query".into(),
        name: "query".into(),
        language: language.name(),
        timestamp_override: arguments.time_field.clone(),
        tiebreaker: arguments.tiebreaker.clone(),
        ..RuleMeta::default()
    };
    Ok(Some(Arc::new(Rule { meta, body, support: Support { reasons } })))
}

/// The macros and lookups that an SPL search may name: the site's, and the tables of the command line.
fn knowledge(arguments: &Query, config: &Config) -> Result<Arc<Knowledge>, String> {
    let mut knowledge = Knowledge::default();
    for (name, text) in &config.macros {
        let fault = |text| format!("--macro {text}: write it as NAME=TEXT");
        knowledge.macros.insert_definition(&format!("{name}={text}")).map_err(fault)?;
    }
    let lookups = config.lookups.iter().map(|(name, file)| format!("{name}={}", file.display()));
    let tables = arguments.table.iter().filter(|_| is_spl(arguments)).cloned();
    for lookup in lookups.chain(tables) {
        knowledge.lookups.insert(&lookup).map_err(|text| format!("{text}: NAME=FILE, and the file must be there"))?;
    }
    knowledge.models.read_by(Some(rules::MODEL_READER));
    rules::model_files(config).into_iter().for_each(|file| knowledge.models.insert(file));
    knowledge.places.clone_from(&config.geoip);
    Ok(Arc::new(knowledge))
}

fn is_spl(arguments: &Query) -> bool {
    Language::from_name(&arguments.language) == Some(Language::Spl)
}

/// The files of `NAME=FILE`.
fn table_files(tables: &[String]) -> Vec<String> {
    tables.iter().filter_map(|table| table.split_once('=')).map(|(_, file)| file.to_owned()).collect()
}

fn write(arguments: &Query, rule: &Rule, alerts: Vec<Alert>, schemas: &Schemas) -> Result<(), String> {
    let tail = rule.body.as_ref().map_or(Tail::Events { limits: Vec::new() }, |body| body.tail.clone());
    let answers: Vec<Answer> = alerts
        .into_iter()
        .map(|alert| {
            let Alert { events, event_count, join_keys, values, .. } = alert;
            let found = Match { events, event_count, join_keys, values, ..Match::default() };
            Answer::new(&found, &tail, schemas)
        })
        .collect();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let written = match arguments.format {
        QueryFormat::Jsonl => answers::write_jsonl(&mut out, &answers),
        QueryFormat::Csv => answers::write_csv(&mut out, &answers),
        QueryFormat::Table => answers::write_table(&mut out, &answers, hunt::width()),
    };
    outcome::written(written.and_then(|()| out.flush()))
}
