//! The command line as typed. What a flag means is said once, here; `--help` and the README both come from it.

use std::{num::NonZeroUsize, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

/// One engine that runs the detection content of Splunk, Elastic and Sigma, with no SIEM.
#[derive(Debug, Parser)]
#[command(name = "lurcher", version, max_term_width = 110, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 all of it ran; 1 nothing ran (usage, no rules, no input); 2 it ran, but some input or rule \
could not be read, parsed or run, each named on standard error; 3 with --fail-on-alert, there were alerts.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run rules over logs and say what they found.
    Hunt(Hunt),
    /// Say for each rule whether it can be run exactly, and if not, why.
    Check(Check),
    /// Run one query over files.
    Query(Query),
    /// Print events, in any taxonomy.
    Event(Event),
    /// Say what is in logs: kinds of events, how many, from when to when.
    Inventory(Inventory),
    /// Run rules' tests.
    Test(Test),
    /// Say what a rule looks for, or why it does or does not fire on an event.
    Explain(Explain),
    /// Say why rules find nothing in logs: what they need and the logs lack.
    Doctor(Doctor),
    /// Take events in, run rules over them as they come and on time, keep alerts and risk, tell other systems.
    Serve(Serve),
    /// Send logs to a server as if they happened now.
    Replay(Replay),
    /// Back up, restore or check the folder of state while no server works in it.
    #[command(subcommand)]
    State(State),
}

/// `lurcher hunt`
#[derive(Debug, Args)]
pub(crate) struct Hunt {
    #[command(flatten)]
    pub(crate) input: Input,
    #[command(flatten)]
    pub(crate) rules: Rules,
    /// How to write the alerts.
    #[arg(long, value_enum, default_value_t = AlertFormat::Table)]
    pub(crate) format: AlertFormat,
    /// Write the alerts to this file instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) scope: Scope,
    /// Run every rule by its own schedule on a virtual clock, over its look-back, as it would have run live; --from and
    /// --to bound the runs, not the events.
    #[arg(long)]
    pub(crate) simulate: bool,
    /// With --simulate: write what every run saw and did to this file, one JSON object a line.
    #[arg(long, value_name = "FILE", requires = "simulate")]
    pub(crate) ledger: Option<PathBuf>,
    /// Indicators of your own for rules that look for them: every row or document of the file is one, with its fields
    /// named as in ECS (`threat.indicator.ip`).
    #[arg(long, value_name = "FILE")]
    pub(crate) indicators: Vec<PathBuf>,
    /// At most so many events in one alert; their full number is in `event_count`.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = at_least_one)]
    pub(crate) max_evidence: usize,
    /// Run baselines, and write what rules write to lookups (`outputlookup`) as CSV files into this folder.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) write_lookups: Option<PathBuf>,
    /// Exit with 3 if there are alerts.
    #[arg(long)]
    pub(crate) fail_on_alert: bool,
    /// With --format splunk: write what this release of Enterprise Security would.
    #[arg(long, value_enum, default_value_t = SplunkMode::Es8)]
    pub(crate) splunk_mode: SplunkMode,
    #[command(flatten)]
    pub(crate) risk: Risk,
}

/// What alerts add up to.
#[derive(Clone, Debug, Args)]
pub(crate) struct Risk {
    /// Also raise risk incidents: a user or system whose alerts score over 100 in 24 hours, or show three ATT&CK tactics
    /// from four rules in seven days.
    #[arg(long, help_heading = "Risk")]
    pub(crate) incidents: bool,
    /// A list of assets, as CSV with the columns of Splunk's asset list (`ip`, `mac`, `nt_host`, `dns`, `priority`,
    /// `category`, `bunit` …).
    #[arg(long, value_name = "FILE", help_heading = "Risk")]
    pub(crate) assets: Vec<PathBuf>,
    /// A list of identities, as CSV with the columns of Splunk's identity list (`identity`, `email`, `priority`,
    /// `category`, `bunit` …).
    #[arg(long, value_name = "FILE", help_heading = "Risk")]
    pub(crate) identities: Vec<PathBuf>,
}

/// `lurcher check`
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Rule files and folders.
    #[arg(required = true, value_name = "RULES")]
    pub(crate) files: Vec<PathBuf>,
    /// Further rule files and folders.
    #[arg(short = 'r', long = "rules", value_name = "RULES")]
    pub(crate) more: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) selection: Selection,
    #[command(flatten)]
    pub(crate) site: Site,
    /// How to write the verdicts.
    #[arg(long, value_enum, default_value_t = CheckFormat::Text)]
    pub(crate) format: CheckFormat,
    /// In text, also list the rules that run exactly.
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

/// `lurcher query`
#[derive(Debug, Args)]
pub(crate) struct Query {
    /// The query's language: eql, spl2 … (those without a front end yet say so).
    pub(crate) language: String,
    /// The query; `@FILE` reads it from a file.
    pub(crate) text: String,
    #[command(flatten)]
    pub(crate) input: Input,
    /// A file under a name: an index, lookup or data set that the query can use. A CSV header may carry types
    /// (`pid:integer,name`).
    #[arg(long, value_name = "NAME=FILE")]
    pub(crate) table: Vec<String>,
    /// The field that holds the time.
    #[arg(long, value_name = "FIELD")]
    pub(crate) time_field: Option<String>,
    /// The field that EQL's `process where` looks at.
    #[arg(long, value_name = "FIELD", default_value = "event.category")]
    pub(crate) category_field: String,
    /// The field that orders events of the same time.
    #[arg(long, value_name = "FIELD")]
    pub(crate) tiebreaker: Option<String>,
    /// At most so many of EQL's samples for one set of join keys.
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) max_samples_per_key: NonZeroUsize,
    /// How to write the result.
    #[arg(long, value_enum, default_value_t = QueryFormat::Table)]
    pub(crate) format: QueryFormat,
}

/// `lurcher event`
#[derive(Debug, Args)]
pub(crate) struct Event {
    #[command(flatten)]
    pub(crate) input: Input,
    /// Only the events with this number: the record id, line, index or row that alerts name.
    #[arg(long, value_name = "N")]
    pub(crate) record: Option<u64>,
    /// In which taxonomy.
    #[arg(long = "as", value_enum, value_name = "TAXONOMY", default_value_t = TaxonomyName::Raw)]
    pub(crate) taxonomy: TaxonomyName,
    /// One event a line.
    #[arg(long)]
    pub(crate) compact: bool,
}

/// `lurcher inventory`
#[derive(Debug, Args)]
pub(crate) struct Inventory {
    #[command(flatten)]
    pub(crate) input: Input,
    /// One JSON object a line instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `lurcher test`
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Rule files, test files, and folders of both.
    #[arg(required = true, value_name = "PATH")]
    pub(crate) files: Vec<PathBuf>,
    /// Further rule files and folders.
    #[arg(short = 'r', long = "rules", value_name = "RULES")]
    pub(crate) more: Vec<PathBuf>,
    /// A local copy of published attack data; the end of an address (`datasets/attack_techniques/…`) is looked for in it.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) attack_data: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) selection: Selection,
    #[command(flatten)]
    pub(crate) site: Site,
    /// How to write the report.
    #[arg(long, value_enum, default_value_t = TestFormat::Text)]
    pub(crate) format: TestFormat,
    /// Write the report to this file instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Run again whenever a rule, a test or its data changes.
    #[arg(long)]
    pub(crate) watch: bool,
    /// Only tests whose rule, test file or data has changed since this git revision.
    #[arg(long, value_name = "REVISION")]
    pub(crate) changed_since: Option<String>,
    /// Also say which rules have no test, and which cannot be run.
    #[arg(long)]
    pub(crate) coverage: bool,
    /// In text, also name the tests that passed, and all that were left out.
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// How many threads run tests.
    #[arg(long, value_name = "N", default_value_t = default_threads(), value_parser = at_least_one)]
    pub(crate) threads: usize,
}

/// `lurcher explain`
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The rule: a file, one rule of a file as FILE#ID, or an id or name among the rules of -r.
    pub(crate) rule: String,
    /// An event, as alerts name it: FILE#RECORD; or a file for all of its events. As often as needed.
    #[arg(short, long, value_name = "FILE#RECORD")]
    pub(crate) event: Vec<String>,
    /// Where the rules are, if the rule is named by its id.
    #[arg(short = 'r', long = "rules", value_name = "RULES")]
    pub(crate) rules: Vec<PathBuf>,
    /// Which events the rule sees.
    #[arg(long, value_enum, default_value_t = Route::Strict)]
    pub(crate) route: Route,
    /// How to write the explanation.
    #[arg(long, value_enum, default_value_t = ExplainFormat::Text)]
    pub(crate) format: ExplainFormat,
    #[command(flatten)]
    pub(crate) site: Site,
}

/// `lurcher doctor`
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) input: Input,
    #[command(flatten)]
    pub(crate) rules: Rules,
    #[command(flatten)]
    pub(crate) scope: Scope,
    /// How to write the report.
    #[arg(long, value_enum, default_value_t = DoctorFormat::Text)]
    pub(crate) format: DoctorFormat,
    /// In text, name everything that is lacking and every kind of event.
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

/// `lurcher serve`
#[derive(Clone, Debug, Args)]
#[cfg_attr(not(feature = "serve"), allow(dead_code, reason = "only a build with the live engine serves"))]
pub(crate) struct Serve {
    /// The folder of state; made if it is not there. Over what `[server] state` says.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) state: Option<PathBuf>,
    /// Where to listen. Over what `[server] listen` says.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<std::net::SocketAddr>,
    #[command(flatten)]
    pub(crate) rules: Rules,
    /// Which events a rule sees.
    #[arg(long, value_enum, default_value_t = Route::Strict)]
    pub(crate) route: Route,
    #[command(flatten)]
    pub(crate) risk: Risk,
    #[command(flatten)]
    pub(crate) site: Site,
}

/// `lurcher replay`
#[derive(Debug, Args)]
#[cfg_attr(not(feature = "serve"), allow(dead_code, reason = "only a build with the live engine replays"))]
pub(crate) struct Replay {
    #[command(flatten)]
    pub(crate) input: Input,
    /// A server's address (Lurcher, Elasticsearch or Splunk), a file, or `-` for standard output: what would be sent, one
    /// document a line.
    #[arg(long, value_name = "URL|FILE")]
    pub(crate) to: String,
    /// How events travel; `auto` asks the server.
    #[arg(long, value_enum, default_value_t = ReplayProtocol::Auto)]
    pub(crate) protocol: ReplayProtocol,
    /// The API key or HEC token.
    #[arg(long, value_name = "KEY", env = "LURCHER_KEY", hide_env_values = true)]
    pub(crate) key: Option<String>,
    /// Where the times go: the first event is `now`, the last one is (`end`), they stay (`none`), or the first event is
    /// at a time (RFC 3339).
    #[arg(long, value_name = "now|end|none|TIME", default_value = "now")]
    pub(crate) shift: String,
    /// So many events a second, at the distances that they had.
    #[arg(long, value_name = "N", group = "pace")]
    pub(crate) rate: Option<f64>,
    /// So many times as fast as it happened; distances shrink with it. Without any of these: 1.
    #[arg(long, value_name = "FACTOR", group = "pace")]
    pub(crate) speed: Option<f64>,
    /// As fast as the server takes them, at the distances that they had.
    #[arg(long, group = "pace")]
    pub(crate) as_fast_as_possible: bool,
    /// Only events of these dialects, channels, providers, programs, indices or source types; `*` is a wildcard.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) streams: Vec<String>,
    /// Only events at or after this time (RFC 3339, or a date).
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Only events before this time (RFC 3339, or a date).
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Over `_bulk`: all documents go to this index instead of the ones they would lie in.
    #[arg(long, value_name = "NAME")]
    pub(crate) index: Option<String>,
    /// Events in a request, at most.
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = at_least_one)]
    pub(crate) batch: usize,
    /// Requests at a time; with more than one, events may arrive out of their order.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least_one)]
    pub(crate) connections: usize,
    /// Begin again at the end, until stopped.
    #[arg(long = "loop")]
    pub(crate) r#loop: bool,
    /// Break off when the server has taken nothing for so long.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub(crate) give_up_after: u64,
    /// Certificates (PEM) that the server's may be signed by, besides those that the machine trusts.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
}

/// `lurcher state`
#[derive(Debug, Subcommand)]
#[cfg_attr(
    not(feature = "serve"),
    allow(dead_code, reason = "only a build with the live engine has a folder of state")
)]
pub(crate) enum State {
    /// Make a backup: alerts, keys, rules and lists that came over the API, positions, the settings.
    Backup {
        /// The folder that is to hold it; it must not be there yet, or be empty.
        #[arg(value_name = "FOLDER")]
        into: PathBuf,
        /// The events too: the journal, the tables, the records that rules look back at.
        #[arg(long)]
        events: bool,
        #[command(flatten)]
        place: StatePlace,
    },
    /// Put a backup into a new folder of state, every file checked first, and say what is in it.
    Restore {
        /// The folder of the backup.
        #[arg(value_name = "BACKUP")]
        backup: PathBuf,
        #[command(flatten)]
        place: StatePlace,
    },
    /// Check every file: of a backup, or of the folder of state.
    Check {
        /// The folder of a backup; without it the folder of state is checked.
        #[arg(value_name = "BACKUP")]
        backup: Option<PathBuf>,
        #[command(flatten)]
        place: StatePlace,
    },
}

/// Which folder of state.
#[derive(Clone, Debug, Args)]
#[cfg_attr(
    not(feature = "serve"),
    allow(dead_code, reason = "only a build with the live engine has a folder of state")
)]
pub(crate) struct StatePlace {
    /// The folder of state. Over what `[server] state` says.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) state: Option<PathBuf>,
    /// The server's settings; `lurcher.toml` in the current folder if it is there.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// What to read, and how.
#[derive(Clone, Debug, Args)]
pub(crate) struct Input {
    /// Files, folders, globs or archives of events; `-` is standard input. The format is found by content.
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<String>,
    /// How many threads read and scan.
    #[arg(long, value_name = "N", default_value_t = default_threads(), value_parser = at_least_one)]
    pub(crate) threads: usize,
    /// Write figures of the run to this file as JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) stats: Option<PathBuf>,
    /// No progress bar, no notes, no closing summary; faults are still named.
    #[arg(short, long)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) site: Site,
}

/// Which events rules see.
#[derive(Debug, Args)]
pub(crate) struct Scope {
    /// Which events a rule sees.
    #[arg(long, value_enum, default_value_t = Route::Strict)]
    pub(crate) route: Route,
    /// Only events at or after this time (RFC 3339, or a date).
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Only events before this time (RFC 3339, or a date).
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
}

/// Which rules.
#[derive(Clone, Debug, Args)]
pub(crate) struct Rules {
    /// Rule files and folders, in the vendors' own formats.
    #[arg(short = 'r', long = "rules", value_name = "RULES", num_args = 1..)]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) selection: Selection,
}

/// Which of the rules. Several values of one flag (repeated, or with commas where no name holds one): any of them;
/// several flags: all of them.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Selection {
    /// Only rules of this vendor: elastic, splunk, sigma.
    #[arg(long, value_name = "NAME", value_delimiter = ',', help_heading = "Choosing rules")]
    pub(crate) vendor: Vec<String>,
    /// Only rules in this language: eql, spl2 … (here and below, several with commas: any of them).
    #[arg(long, value_name = "NAME", value_delimiter = ',', help_heading = "Choosing rules")]
    pub(crate) language: Vec<String>,
    /// Only rules of at least this severity: informational, low, medium, high, critical.
    #[arg(long, value_name = "LEVEL", help_heading = "Choosing rules")]
    pub(crate) severity: Option<String>,
    /// Only rules of this status: production, experimental, deprecated …
    #[arg(long, value_name = "NAME", value_delimiter = ',', help_heading = "Choosing rules")]
    pub(crate) status: Vec<String>,
    /// Only rules for this ATT&CK technique (T1059 also means T1059.001).
    #[arg(long, value_name = "ID", value_delimiter = ',', help_heading = "Choosing rules")]
    pub(crate) technique: Vec<String>,
    /// Only rules for this ATT&CK tactic, by id or name.
    #[arg(long, value_name = "TACTIC", value_delimiter = ',', help_heading = "Choosing rules")]
    pub(crate) tactic: Vec<String>,
    /// Only rules of this analytic story.
    #[arg(long, value_name = "NAME", help_heading = "Choosing rules")]
    pub(crate) story: Vec<String>,
    /// Only rules with this tag.
    #[arg(long, value_name = "TAG", help_heading = "Choosing rules")]
    pub(crate) tag: Vec<String>,
    /// Only rules for this platform: windows, linux …
    #[arg(long, value_name = "NAME", value_delimiter = ',', help_heading = "Choosing rules")]
    pub(crate) platform: Vec<String>,
    /// Only rules whose id or name matches (`*` is a wildcard).
    #[arg(long, value_name = "PATTERN", help_heading = "Choosing rules")]
    pub(crate) id: Vec<String>,
    /// No rules whose id or name matches, whatever else is asked.
    #[arg(long, value_name = "PATTERN", help_heading = "Choosing rules")]
    pub(crate) exclude: Vec<String>,
}

/// What a site adds of its own.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Site {
    /// Settings of this site; `lurcher.toml` in the current folder if it is there.
    #[arg(long, value_name = "FILE", help_heading = "This site")]
    pub(crate) config: Option<PathBuf>,
    /// A folder of mapping packs to add to those that come with Lurcher.
    #[arg(long, value_name = "FOLDER", help_heading = "This site")]
    pub(crate) packs: Vec<PathBuf>,
    /// A macro of this site, such as `my_rule_filter=user != "backup"`; as often as needed.
    #[arg(long = "macro", value_name = "NAME=TEXT", help_heading = "This site")]
    pub(crate) macros: Vec<String>,
    /// Exception lists of Elastic's rules, as Kibana exports them: a file or folder; as often as needed.
    #[arg(long, value_name = "PATH", help_heading = "This site")]
    pub(crate) exceptions: Vec<PathBuf>,
    /// A value list that exceptions name: a file with a value a line; as often as needed.
    #[arg(long = "value-list", value_name = "NAME=FILE", help_heading = "This site")]
    pub(crate) value_lists: Vec<String>,
    /// A value of a placeholder in Sigma rules, such as `Administrators=adm_*`; as often as needed.
    #[arg(long = "placeholder", value_name = "NAME=VALUE", help_heading = "This site")]
    pub(crate) placeholders: Vec<String>,
    /// A processing pipeline for Sigma rules, as pySigma has them; as often as needed.
    #[arg(long = "sigma-pipeline", value_name = "FILE", help_heading = "This site")]
    pub(crate) sigma_pipelines: Vec<PathBuf>,
    /// A lookup of this site, a CSV file; as often as needed.
    #[arg(long = "lookup", value_name = "NAME=FILE", help_heading = "This site")]
    pub(crate) lookups: Vec<String>,
    /// A model of this site for `apply` of Splunk's searches, in the ONNX format; as often as needed.
    #[arg(long = "model", value_name = "NAME=FILE", help_heading = "This site")]
    pub(crate) models: Vec<String>,
    /// A database of the places of addresses, in MaxMind's format (GeoLite2 or GeoIP2 City, `.mmdb`).
    #[arg(long, value_name = "FILE", help_heading = "This site")]
    pub(crate) geoip: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AlertFormat {
    /// For people: grouped by severity, with the evidence that matters.
    Table,
    /// One alert a line, in Lurcher's own form.
    Jsonl,
    /// One alert a row.
    Csv,
    /// The documents that Elastic's detection engine would write.
    Elastic,
    /// The risk events and findings that Splunk Enterprise Security would write.
    Splunk,
    /// OCSF Detection Findings.
    Ocsf,
    /// A report in one file.
    Html,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReplayProtocol {
    /// HEC if the server knows it, else `_bulk`.
    Auto,
    /// Elasticsearch's `_bulk`.
    Bulk,
    /// Splunk's HTTP Event Collector.
    Hec,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Route {
    /// Those of the sources that it names, as at its vendor's.
    Strict,
    /// Every event that carries its fields.
    Any,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SplunkMode {
    /// 7.x: risk events, and a notable besides for a TTP.
    Es7,
    /// 8.x: findings or intermediate findings, never both.
    Es8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckFormat {
    /// For people.
    Text,
    /// One rule a line.
    Json,
    /// SARIF 2.1.0.
    Sarif,
    /// GitHub workflow annotations.
    Github,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TestFormat {
    /// For people.
    Text,
    /// `JUnit` XML.
    Junit,
    /// TAP 14, the Test Anything Protocol.
    Tap,
    /// One JSON object.
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExplainFormat {
    /// For people.
    Text,
    /// One JSON object a rule.
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DoctorFormat {
    /// For people.
    Text,
    /// One JSON object.
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum QueryFormat {
    /// For people.
    Table,
    /// One result a line.
    Jsonl,
    /// One result a row.
    Csv,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TaxonomyName {
    /// As it was read.
    Raw,
    /// Elastic Common Schema.
    Ecs,
    /// Splunk's Common Information Model.
    Cim,
    /// OCSF.
    Ocsf,
    /// Sigma's taxonomy.
    Sigma,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "a number from 1 on is needed".into())
}

fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Arguments::command().debug_assert();
    }
}
