//! `lurcher hunt`: rules over logs.

use std::{
    fs::File,
    io::{self, BufWriter, IsTerminal as _, Write},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use lurcher_engine::{
    Alert, AlertSink, Compiler, LedgerEntry, RuleSet, ScanStats, Scanner, Settings, Simulation, risk::Site,
};
use lurcher_ir::Rule;
use lurcher_outputs::{Format, SplunkEdition, Writer, lookups};
use lurcher_readers::Report;
use lurcher_schema::{EventBatch, Schemas, Timestamp};

use crate::{
    arguments::{AlertFormat, Hunt, Route, SplunkMode},
    config::Config,
    inference,
    outcome::{Outcome, count, tell_input},
    risk::{self, RunRisk},
    rules,
    scan::Plan,
    simulate::{self, RunLog},
    stats::Stats,
};

/// How many alerts a thread keeps before it writes them out together.
const PENDING: usize = 256;

/// Loads rules, sweeps, writes alerts.
pub(crate) fn run(arguments: &Hunt) -> Result<Outcome, String> {
    let mut stats = Stats::start_for(arguments.input.stats.as_deref())?;
    let span = Span::new(arguments)?;
    let config = Config::load(&arguments.input.site)?;
    let (schemas, pack_faults) = rules::schemas(&config);
    let pack = rules::pack(&arguments.rules.files, &config, &schemas);
    let selection = rules::selection(&arguments.rules.selection)?;
    // Baselines fill tables; they run where there is a place for these.
    let runs = |rule: &Rule| arguments.write_lookups.is_some() || !lookups::is_baseline(rule);
    let chosen: Vec<Arc<Rule>> =
        pack.rules.iter().filter(|rule| selection.selects_rule(rule) && runs(rule)).cloned().collect();
    let written = arguments.write_lookups.as_deref().map(lookups::Written::new).transpose()?;
    if let Some(written) = &written {
        written.expect(chosen.iter().map(AsRef::as_ref));
    }
    let rule_faults = rules::tell_unrun(&pack, &chosen) || pack_faults;
    let runnable: Vec<Arc<Rule>> = chosen.iter().filter(|rule| rule.body.is_some()).cloned().collect();
    if runnable.is_empty() {
        return Err(no_rules(arguments, pack.rules.len(), chosen.len()));
    }
    stats.set("rules_not_run", chosen.len() - runnable.len());
    let runnable = rules::once(runnable, arguments.input.quiet);
    stats.set("rules", runnable.len());
    stats.set("seconds_load", stats.seconds());
    let plan = Plan::new(&arguments.input, &[])?.with_packs(&schemas);
    let rule_set = compile(runnable, &schemas, arguments.scope.route);
    let site = Arc::new(risk::site(&arguments.risk, &config)?);
    let incidents = arguments.risk.incidents || config.risk.incidents;
    let run_risk = RunRisk::new(&rule_set, Arc::clone(&site), incidents, &schemas);
    let out = Output { written, ..open(arguments, &schemas, site, &run_risk)? };
    let settings = settings(arguments, &span, rules::tables(&pack.knowledge)?, &config);
    let mut run_log = RunLog::open(arguments.ledger.as_deref(), &rule_set)?;
    let mut indicators = Scanner::new(Arc::clone(&rule_set), Arc::clone(&settings));
    simulate::read_indicators(&arguments.indicators, &mut indicators)?;
    let swept = sweep(plan, (&rule_set, &settings), &span, &out, (indicators, &mut run_log));
    let log_failed = run_log.close(&swept.scan.tails.runs);
    let (added_up, risk_faults) = run_risk.finish(&settings, arguments.scope.route);
    out.write(&added_up);
    let swept = Swept { alerts: out.count.load(Ordering::Relaxed), ..swept };
    let (failed, lookup_fault) = out.close();
    if let Some(fault) = lookup_fault {
        return Err(fault);
    }
    swept.record(&mut stats);
    let input_faults = tell_input(&swept.report, arguments.input.quiet);
    let tail_faults = tell_tails(&rule_set, &swept.scan);
    if arguments.simulate {
        simulate::tell(&rule_set, &swept.scan.tails.runs, arguments.input.quiet);
        simulate::record(&swept.scan.tails.runs, &mut stats);
    }
    if !arguments.input.quiet && arguments.format != AlertFormat::Table {
        eprintln!("{} from {}", count(swept.alerts, "alert"), count(swept.report.events, "event"));
    }
    if let Some(path) = &arguments.input.stats {
        stats.write(path)?;
    }
    if let Some(error) = failed.filter(|error| error.kind() != io::ErrorKind::BrokenPipe) {
        return Err(format!("writing alerts: {error}"));
    }
    if let Some(error) = log_failed {
        return Err(format!("writing the ledger: {error}"));
    }
    if swept.report.events == 0 {
        eprintln!("lurcher: nothing ran: there are no events in this input");
    }
    Ok(match () {
        () if swept.report.events == 0 => Outcome::NothingRan,
        () if arguments.fail_on_alert && swept.alerts > 0 => Outcome::Alerts,
        () => Outcome::of(rule_faults || input_faults || tail_faults || risk_faults),
    })
}

fn no_rules(arguments: &Hunt, loaded: usize, chosen: usize) -> String {
    if arguments.rules.files.is_empty() && loaded == 0 {
        return "no rules: name rule files or folders with -r, or set `rules` in lurcher.toml".into();
    }
    let found = count(loaded as u64, "rule");
    match (loaded, chosen) {
        (0, _) => "no rules found in what -r names".into(),
        (_, 0) => format!("no rules to run: {found} found, none of them fits the flags that choose rules"),
        _ => format!("no rules to run: {found} found, {chosen} chosen, none of them can be run"),
    }
}

pub(crate) fn compile(rules: Vec<Arc<Rule>>, schemas: &Arc<Schemas>, route: Route) -> Arc<RuleSet> {
    Compiler::new(Arc::clone(schemas)).route(engine_route(route)).add_all(rules).build()
}

/// The route as the engine knows it.
pub(crate) fn engine_route(route: Route) -> lurcher_engine::Route {
    match route {
        Route::Strict => lurcher_engine::Route::Strict,
        Route::Any => lurcher_engine::Route::Any,
    }
}

fn settings(arguments: &Hunt, span: &Span, tables: lurcher_engine::Tables, config: &Config) -> Arc<Settings> {
    Arc::new(Settings {
        now: now(),
        until: span.end(),
        max_evidence: arguments.max_evidence,
        relational: Some(lurcher_query::relational()),
        simulation: arguments.simulate.then_some(Simulation { from: span.from, to: span.to }),
        tables,
        endpoints: inference::endpoints(config),
        ..Settings::default()
    })
}

/// The time of the run. Asked for once: everything below is told what time it is.
pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// The times that the user asked for.
#[derive(Debug)]
pub(crate) struct Span {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

impl Span {
    fn new(arguments: &Hunt) -> Result<Self, String> {
        Self::of(arguments.scope.from.as_deref(), arguments.scope.to.as_deref())
    }

    /// The span of what was typed as `--from` and `--to`.
    pub(crate) fn of(from: Option<&str>, to: Option<&str>) -> Result<Self, String> {
        let parse = |flag: &str, text: Option<&str>| match text {
            None => Ok(None),
            Some(text) => Timestamp::parse(text)
                .or_else(|| Timestamp::parse(&format!("{text}T00:00:00Z")))
                .map(Some)
                .ok_or_else(|| format!("{flag} {text}: write a time as 2026-03-02T06:00:00Z, or a date")),
        };
        let span = Self { from: parse("--from", from)?, to: parse("--to", to)? };
        match (span.from, span.to) {
            (Some(from), Some(to)) if from >= to => Err(format!("no time lies from {from} to {to}")),
            _ => Ok(span),
        }
    }

    /// Where it ends, if it does.
    pub(crate) fn end(&self) -> Option<Timestamp> {
        self.to
    }

    /// Whether every event lies in it.
    pub(crate) fn is_open(&self) -> bool {
        self.from.is_none() && self.to.is_none()
    }

    /// An event without a time lies in no span.
    pub(crate) fn holds(&self, time: Option<Timestamp>) -> bool {
        time.is_some_and(|time| self.from.is_none_or(|from| time >= from) && self.to.is_none_or(|to| time < to))
    }
}

/// What a sweep came to.
struct Swept {
    report: Report,
    scan: ScanStats,
    alerts: u64,
    read_nanos: u64,
    output_nanos: u64,
}

/// One thread's scanner and the alerts that it has not written yet.
struct Worker<'o, 's> {
    scanner: Scanner,
    alerts: Pending<'o, 's>,
    scan_nanos: u64,
}

fn sweep(
    plan: Plan,
    (rules, settings): (&Arc<RuleSet>, &Arc<Settings>),
    span: &Span,
    out: &Output<'_>,
    (indicators, run_log): (Scanner, &mut RunLog<'_>),
) -> Swept {
    let worker = || Worker {
        scanner: Scanner::new(Arc::clone(rules), Arc::clone(settings)),
        alerts: Pending { kept: Vec::new(), out },
        scan_nanos: 0,
    };
    let take = |worker: &mut Worker<'_, '_>, batch: &EventBatch| {
        let start = std::time::Instant::now();
        // On a virtual clock the span is that of the runs; what lies before it is their history.
        if span.is_open() || settings.simulation.is_some() {
            worker.scanner.scan(batch, &mut worker.alerts);
        } else {
            worker.scanner.scan(&batch.filter(|row| span.holds(batch.times()[row])), &mut worker.alerts);
        }
        worker.scan_nanos += start.elapsed().as_nanos() as u64;
    };
    let start = std::time::Instant::now();
    let threads = plan.threads() as u64;
    let (workers, report) = plan.run(worker, take);
    let busy = start.elapsed().as_nanos() as u64 * threads;
    let mut scanners = vec![indicators];
    let mut scanned = 0;
    for worker in workers {
        scanned += worker.scan_nanos;
        scanners.push(worker.scanner);
        worker.alerts.flush();
    }
    let mut last = Last { alerts: Pending { kept: Vec::new(), out }, run_log };
    let total = Scanner::finish(scanners, &mut last);
    last.alerts.flush();
    Swept {
        report,
        scan: total,
        alerts: out.count.load(Ordering::Relaxed),
        read_nanos: busy.saturating_sub(scanned),
        output_nanos: out.nanos.load(Ordering::Relaxed),
    }
}

impl Swept {
    fn record(&self, stats: &mut Stats) {
        let seconds = |nanos: u64| nanos as f64 / 1e9;
        stats.set("events", self.report.events);
        stats.set("bytes", self.report.bytes);
        stats.set("candidates", self.scan.candidates);
        stats.set("matches", self.scan.matches);
        stats.set("alerts", self.alerts);
        stats.set("values", self.scan.values);
        stats.set("values_known", self.scan.values_known);
        stats.set("signatures_known", self.scan.signatures_known);
        stats.set("seconds_read", seconds(self.read_nanos));
        stats.set("seconds_normalise", seconds(self.scan.normalise_nanos));
        stats.set("seconds_index", seconds(self.scan.index_nanos));
        stats.set("seconds_evaluate", seconds(self.scan.evaluate_nanos));
        stats.set("seconds_tail", seconds(self.scan.tail_nanos));
        stats.set("seconds_output", seconds(self.output_nanos));
        stats.set("collected", self.scan.tails.collected);
        stats.set("tail_bytes", self.scan.tails.held);
        stats.set("spilled", self.scan.tails.spilled);
        stats.set("rows_spilled_bytes", self.scan.tails.rows_spilled);
        stats.set("rows_dropped", self.scan.tails.dropped.iter().map(|(_, rows)| rows).sum::<u64>());
        stats.set("problems", self.report.problems.iter().map(|problem| problem.count).sum::<u64>());
        stats.set("skipped", self.report.skipped.len());
    }
}

/// Says which rules had to give something up.
pub(crate) fn tell_tails(rules: &RuleSet, scan: &ScanStats) -> bool {
    let name = |rule: u32| rules.rules().get(rule as usize).map_or("?", |rule| rule.meta.name.as_str());
    let tails = &scan.tails;
    let given_up = [
        (&tails.undated, "left out, since they carry no time to order them by"),
        (&tails.capped, "taken with only a part of their join keys, since there were too many combinations"),
    ];
    for (rules, why) in given_up {
        for (rule, events) in rules {
            eprintln!("warning: {}: {} {why}", name(*rule), count(*events, "event"));
        }
    }
    for (rule, rows) in &tails.dropped {
        let rows = count(*rows, "row");
        eprintln!("error: {}: the earliest {rows} were dropped, since there was no room for all", name(*rule));
    }
    for (rule, message) in &tails.failed {
        eprintln!("error: {}: {message}", name(*rule));
    }
    if tails.unreadable > 0 {
        eprintln!("error: {} could not be read back from temporary files", count(tails.unreadable, "event"));
    }
    !tails.failed.is_empty() || !tails.dropped.is_empty() || tails.unreadable > 0
}

/// The writer, and what went wrong with it first.
type Sink<'s> = (Writer<'s, Box<dyn Write + Send>>, Option<io::Error>);

/// Where all threads' alerts go.
struct Output<'s> {
    writer: Mutex<Sink<'s>>,
    run_risk: &'s RunRisk<'s>,
    count: AtomicU64,
    nanos: AtomicU64,
    /// The lookups that rules write.
    written: Option<lookups::Written>,
}

fn open<'s>(
    arguments: &Hunt,
    schemas: &'s Schemas,
    site: Arc<Site>,
    run_risk: &'s RunRisk<'s>,
) -> Result<Output<'s>, String> {
    let to_terminal = arguments.output.is_none() && io::stdout().is_terminal();
    let out: Box<dyn Write + Send> = match &arguments.output {
        Some(path) => {
            Box::new(BufWriter::new(File::create(path).map_err(|error| format!("{}: {error}", path.display()))?))
        }
        None => Box::new(BufWriter::new(io::stdout())),
    };
    let format = match arguments.format {
        AlertFormat::Table => Format::Table,
        AlertFormat::Jsonl => Format::Jsonl,
        AlertFormat::Csv => Format::Csv,
        AlertFormat::Elastic => Format::Elastic,
        AlertFormat::Splunk => Format::Splunk,
        AlertFormat::Ocsf => Format::Ocsf,
        AlertFormat::Html => Format::Html,
    };
    let settings = lurcher_outputs::Settings {
        width: width(),
        colour: to_terminal && std::env::var_os("NO_COLOR").is_none(),
        splunk: match arguments.splunk_mode {
            SplunkMode::Es7 => SplunkEdition::Seven,
            SplunkMode::Es8 => SplunkEdition::Eight,
        },
        site,
        ..lurcher_outputs::Settings::default()
    };
    let writer = Writer::new(out, format, settings, schemas);
    let (count, nanos) = (AtomicU64::new(0), AtomicU64::new(0));
    Ok(Output { writer: Mutex::new((writer, None)), run_risk, count, nanos, written: None })
}

/// How many columns the terminal has; 110 where there is none.
pub(crate) fn width() -> usize {
    let asked = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    asked
        .or_else(|| terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)))
        .unwrap_or(110)
        .clamp(60, 400)
}

impl Output<'_> {
    /// Writes what rules found, and adds it to the risk of the run.
    fn take(&self, alerts: &[Alert]) {
        self.run_risk.take(alerts);
        self.write(alerts);
    }

    fn write(&self, alerts: &[Alert]) {
        let start = std::time::Instant::now();
        let mut guard = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let (writer, failed) = &mut *guard;
        for alert in alerts {
            if failed.is_none() {
                *failed = writer.write(alert).err();
            }
        }
        self.count.fetch_add(alerts.len() as u64, Ordering::Relaxed);
        self.nanos.fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
    }

    /// Writes what was kept for the end; returns what went wrong on the way, with alerts and with lookups.
    fn close(self) -> (Option<io::Error>, Option<String>) {
        let (writer, failed) = self.writer.into_inner().unwrap_or_else(PoisonError::into_inner);
        let lookups = self.written.and_then(|written| written.close().err());
        (failed.or_else(|| writer.finish().err()), lookups)
    }
}

/// Alerts on their way out.
struct Pending<'o, 's> {
    kept: Vec<Alert>,
    out: &'o Output<'s>,
}

impl Pending<'_, '_> {
    fn flush(mut self) {
        self.write();
    }

    fn write(&mut self) {
        if let Some(written) = &self.out.written {
            written.take(&mut self.kept);
        }
        self.out.take(&self.kept);
        self.kept.clear();
    }
}

/// What comes when all input is read.
struct Last<'o, 's, 'l, 'r> {
    alerts: Pending<'o, 's>,
    run_log: &'l mut RunLog<'r>,
}

impl AlertSink for Last<'_, '_, '_, '_> {
    fn alert(&mut self, alert: Alert) {
        self.alerts.alert(alert);
    }

    fn ledger(&mut self, entry: &LedgerEntry) {
        self.run_log.entry(entry);
    }
}

impl AlertSink for Pending<'_, '_> {
    fn alert(&mut self, alert: Alert) {
        self.kept.push(alert);
        if self.kept.len() >= PENDING {
            self.write();
        }
    }
}
