//! What the API asks of the rules: which there are, and what they or a query find among stored events.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use futures::StreamExt as _;
use lurcher_engine::{Alert, AlertSink, Compiler, LedgerEntry, Match, Route, Scanner, Settings, Simulation as Clocked};
use lurcher_ir::{Rule, Schedule, Tail};
use lurcher_outputs::{answers::Answer, native::AlertLine};
use lurcher_readers::ReadOptions;
use lurcher_schema::{Clock, Timestamp};
use lurcher_store::{Scan, Store, TimeField};
use lurcher_triage::{Commit, Gap, RuleDecision, Triage};
use serde_json::{Value as Json, json};

use super::{
    Detector, feed,
    findings::{Findings, new_alert, risk_events},
    joined::Joiner,
};
use crate::rules::{Loaded, RuleSource, RuleText, rule_id};
use lurcher_server::{
    content::ContentKind,
    detection::{
        Backfill, Detection, DocumentForm, Enablement, Finding, Hunt, Refused, Reloaded, RuleInfo, Simulation,
    },
    jobs::Job,
};

/// Rules at work, and stored events.
#[derive(Debug)]
pub struct Service {
    /// The detector.
    pub detector: Detector,
    /// Where alerts and decisions are.
    pub triage: Arc<Triage>,
    /// Where stored events are.
    pub store: Arc<Store>,
    /// Where rules come from.
    pub source: Arc<dyn RuleSource>,
    /// The folder of rules that came over the API.
    pub own_rules: std::path::PathBuf,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// The rules that were turned off.
    pub disabled: parking_lot::RwLock<BTreeSet<String>>,
}

fn failed(error: impl std::fmt::Display) -> Refused {
    Refused::Failed(error.to_string())
}

fn time(text: &str) -> Result<Timestamp, Refused> {
    Timestamp::parse(text).ok_or_else(|| Refused::Invalid(format!("{text} is no time: write 2026-03-02T06:00:00Z")))
}

#[async_trait]
impl Detection for Service {
    fn rules(&self) -> Vec<RuleInfo> {
        let loaded = self.detector.loaded();
        let disabled = self.disabled.read();
        let own = self.own_rules.to_string_lossy();
        loaded.rules.iter().map(|rule| info(rule, !disabled.contains(&rule_id(rule)), &own)).collect()
    }

    async fn source(&self, id: &str) -> Result<String, Refused> {
        let rule = self.find(id)?;
        tokio::fs::read_to_string(&rule.meta.path).await.map_err(|error| failed(format!("{}: {error}", rule.meta.path)))
    }

    async fn set_enabled(&self, id: &str, change: Enablement) -> Result<(), Refused> {
        self.find(id)?;
        let decision = RuleDecision { enabled: Some(change.enabled), why: Some(change.why), notes: None };
        self.triage.decide_rule(id, &change.who, &decision).await.map_err(failed)?;
        if change.enabled {
            self.disabled.write().remove(id);
        } else {
            self.disabled.write().insert(id.to_owned());
        }
        self.detector.reload().await.map(drop)
    }

    async fn check(&self, kind: ContentKind, name: &str, text: &[u8]) -> Vec<Finding> {
        let (source, name, text) = (Arc::clone(&self.source), name.to_owned(), text.to_vec());
        let checked = tokio::task::spawn_blocking(move || source.check(kind, &name, &text)).await;
        checked.unwrap_or_else(|_| {
            let message = "the file makes lurcher fail: please report it".to_owned();
            vec![Finding { is_error: true, message, line: None }]
        })
    }

    async fn reload(&self) -> Result<Reloaded, Refused> {
        let loaded = self.detector.reload().await?;
        let runs = loaded.rules.iter().filter(|rule| rule.body.is_some()).count() as u64;
        Ok(Reloaded { rules: runs, faults: loaded.faults.clone() })
    }

    async fn hunt(&self, hunt: Hunt, job: Arc<Job>) -> Result<Json, Refused> {
        let loaded = self.detector.loaded();
        let text = RuleText::Query { language: &hunt.language, text: &hunt.text };
        let rules = self.source.rules_of(text, &loaded.schemas).map_err(Refused::Invalid)?;
        let rule = rules.first().cloned().ok_or_else(|| Refused::Invalid("there is no query".to_owned()))?;
        let (from, to) = (hunt.from.as_deref().map(time).transpose()?, hunt.to.as_deref().map(time).transpose()?);
        let scan = Scan { streams: hunt.streams, from, to, by: TimeField::Event, limit: None, ordered: false };
        let now = to.unwrap_or_else(|| self.clock.now());
        let settings = Settings { now, until: Some(now), ..loaded.settings.clone() };
        let most = Swept { most: Some(hunt.limit), ..Swept::default() };
        let swept = self.sweep(rules, Route::Any, (settings, scan), most, &loaded, &job).await?;
        let tail = rule.body.as_ref().map_or(Tail::Events { limits: Vec::new() }, |body| body.tail.clone());
        let mut alerts = swept.alerts;
        alerts.sort_by_cached_key(|alert| alert.time);
        // The job takes as many as were asked for, and notes that there are more.
        for alert in alerts {
            let Alert { events, event_count, join_keys, values, .. } = alert;
            let found = Match { events, event_count, join_keys, values, ..Match::default() };
            if !job.row(&Answer::new(&found, &tail, &loaded.schemas)) {
                break;
            }
        }
        Ok(json!({ "events": swept.events, "unreadable": swept.unreadable, "faults": swept.faults }))
    }

    async fn simulate(&self, simulation: Simulation, job: Arc<Job>) -> Result<Json, Refused> {
        let loaded = self.detector.loaded();
        let rules = match (&simulation.rule, &simulation.text) {
            (Some(id), None) => vec![self.find(id)?],
            (None, Some(text)) => {
                self.source.rules_of(RuleText::File(text), &loaded.schemas).map_err(Refused::Invalid)?
            }
            _ => return Err(Refused::Invalid("name a rule, or give the text of one".to_owned())),
        };
        let span = (time(&simulation.from)?, time(&simulation.to)?);
        let most = Swept { most: Some(simulation.limit), ..Swept::default() };
        let mut swept = self.on_the_virtual_clock(rules, span, most, &loaded, &job).await?;
        swept.alerts.sort_by_cached_key(|alert| (alert.detected, alert.time));
        for alert in &swept.alerts {
            if !job.row(&AlertLine::new(alert, &loaded.schemas)) {
                break;
            }
        }
        let sum = |of: fn(&LedgerEntry) -> u64| swept.ledger.iter().map(of).sum::<u64>();
        Ok(json!({
            "events": swept.events, "alerts": swept.found, "runs_with_hits": swept.ledger.len(),
            "suppressed": sum(|entry| entry.suppressed), "capped": sum(|entry| entry.capped), "faults": swept.faults,
        }))
    }

    async fn backfill(&self, backfill: Backfill, job: Arc<Job>) -> Result<Json, Refused> {
        let loaded = self.detector.loaded();
        let began = self.clock.now();
        let span = (time(&backfill.from)?, time(&backfill.to)?);
        let rule = vec![self.find(&backfill.rule)?];
        let swept = self.on_the_virtual_clock(rule, span, Swept::default(), &loaded, &job).await?;
        for alert in &swept.alerts {
            if !job.row(&AlertLine::new(alert, &loaded.schemas)) {
                break;
            }
        }
        let rules = Compiler::new(Arc::clone(&loaded.schemas)).add(self.find(&backfill.rule)?).build();
        let mut findings = Findings::new(&rules);
        findings.now = self.clock.now();
        swept.ledger.iter().for_each(|entry| findings.ledger(entry));
        let risk = swept.alerts.iter().flat_map(|alert| risk_events(alert, &loaded.site, findings.now)).collect();
        let laid_out = |alert: &Alert| new_alert(alert, &loaded.schemas, &loaded.site, findings.now);
        let commit = Commit {
            consumer: "backfill".to_owned(),
            alerts: swept.alerts.iter().map(laid_out).collect(),
            runs: findings.runs.into_values().collect(),
            risk_events: risk,
            ..Commit::default()
        };
        let committed = self.triage.commit(commit).await.map_err(failed)?;
        self.detector.count_risk_of(swept.alerts);
        if swept.faults.is_empty() && !job.is_cancelled() {
            self.fill(&backfill.rule, span, began).await?;
        }
        Ok(
            json!({ "events": swept.events, "found": swept.found, "new": committed.new_alerts.len(), "faults": swept.faults }),
        )
    }

    fn render(&self, document: &Json, form: DocumentForm) -> Result<Json, Refused> {
        let forms = document.get("forms");
        let form = match form {
            DocumentForm::Native => {
                let mut native = document.clone();
                if let Some(members) = native.as_object_mut() {
                    members.remove("forms");
                }
                return Ok(native);
            }
            DocumentForm::Elastic => "elastic",
            DocumentForm::Splunk => "splunk",
            DocumentForm::Ocsf => "ocsf",
        };
        let rendered = forms.and_then(|forms| forms.get(form)).cloned();
        rendered.ok_or_else(|| Refused::Unknown(format!("the alert was not kept in the layout {form}")))
    }
}

/// What a sweep over stored events came to.
#[derive(Default)]
struct Swept {
    alerts: Vec<Alert>,
    /// So many alerts are wanted, the first ones; beyond, one more is kept, which says that there are more.
    most: Option<usize>,
    /// How many there were.
    found: u64,
    ledger: Vec<LedgerEntry>,
    events: u64,
    unreadable: u64,
    faults: Vec<String>,
}

impl AlertSink for Swept {
    fn alert(&mut self, alert: Alert) {
        self.found += 1;
        self.alerts.push(alert);
        // A query may find every event there is: memory is bounded whatever it finds.
        if let Some(most) = self.most.filter(|most| self.alerts.len() > most * 2 + 1000) {
            self.alerts.sort_by_cached_key(|alert| (alert.detected, alert.time));
            self.alerts.truncate(most + 1);
        }
    }

    fn ledger(&mut self, entry: &LedgerEntry) {
        self.ledger.push(*entry);
    }
}

impl Service {
    /// Up to when runs may look at what happened at a time.
    pub(crate) fn reaches_from(&self, rule: &str, at: Timestamp) -> Timestamp {
        let Ok(rule) = self.find(rule) else { return at };
        let back = rule.meta.schedule.look_back.as_ref().map_or(0, |back| at.0.saturating_sub(back.from.at(at).0));
        let step = rule.meta.schedule.interval.map_or(0, |step| i64::try_from(step.as_micros()).unwrap_or(i64::MAX));
        Timestamp(at.0.saturating_add(back.max(0)).saturating_add(step))
    }

    /// Notes that a rule has looked at a span: its gaps within it are filled, but for those that opened since it began.
    async fn fill(&self, rule: &str, (from, to): (Timestamp, Timestamp), began: Timestamp) -> Result<(), Refused> {
        let gaps = self.triage.gaps(false).await.map_err(failed)?;
        let within = |gap: &Gap| gap.rule_id == rule && gap.from >= from && gap.to.0 <= to.0.saturating_add(1);
        let filled = gaps.into_iter().filter(within).map(|gap| Gap { filled_at: Some(self.clock.now()), ..gap });
        let gaps: Vec<Gap> = filled.collect();
        if gaps.is_empty() {
            return Ok(());
        }
        let commit =
            Commit { consumer: "gaps".to_owned(), position: began.0.unsigned_abs(), gaps, ..Commit::default() };
        self.triage.commit(commit).await.map_err(failed).map(drop)
    }

    fn find(&self, id: &str) -> Result<Arc<Rule>, Refused> {
        let loaded = self.detector.loaded();
        let found = loaded.rules.iter().find(|rule| rule_id(rule) == id).cloned();
        found.ok_or_else(|| Refused::Unknown(format!("there is no rule {id}")))
    }

    /// Rules over stored events by their schedules. Events before the span are looked back at.
    async fn on_the_virtual_clock(
        &self,
        rules: Vec<Arc<Rule>>,
        (from, to): (Timestamp, Timestamp),
        swept: Swept,
        loaded: &Arc<Loaded>,
        job: &Arc<Job>,
    ) -> Result<Swept, Refused> {
        let earliest = rules.iter().map(|rule| looks_back_to(rule, from)).min().unwrap_or(from);
        let scan = Scan { from: Some(earliest), to: Some(to), by: TimeField::Event, ordered: true, ..Scan::default() };
        let simulation = Some(Clocked { from: Some(from), to: Some(to) });
        let settings = Settings { now: to, simulation, ..loaded.settings.clone() };
        self.sweep(rules, loaded.route, (settings, scan), swept, loaded, job).await
    }

    async fn sweep(
        &self,
        rules: Vec<Arc<Rule>>,
        route: Route,
        (settings, scan): (Settings, Scan),
        mut swept: Swept,
        loaded: &Arc<Loaded>,
        job: &Arc<Job>,
    ) -> Result<Swept, Refused> {
        let rules = Compiler::new(Arc::clone(&loaded.schemas)).route(route).add_all(rules).build();
        let (from, to) = (scan.from, scan.to);
        let mut scanner = Scanner::new(Arc::clone(&rules), Arc::new(settings));
        let options = ReadOptions { now: self.clock.now(), unknown_is_mapped: true, ..ReadOptions::default() };
        let rows: u64 = self.store.streams().map_err(failed)?.iter().map(|stream| stream.rows).sum();
        let mut records = self.store.scan(scan);
        let mut joiner = Joiner::default();
        let mut read = 0;
        loop {
            let next = records.next().await.transpose().map_err(failed)?;
            let batch = next.as_deref().unwrap_or_default();
            read += batch.len() as u64;
            let joined = if next.is_some() { joiner.take(batch) } else { joiner.let_go(Timestamp(i64::MAX)) };
            let inside = |time: Option<Timestamp>| {
                time.is_none_or(|time| from.is_none_or(|from| time >= from) && to.is_none_or(|to| time < to))
            };
            tokio::task::block_in_place(|| {
                let report = feed::read(&joined.ready, &options, &mut |events| {
                    let times = events.times();
                    let events = if times.iter().all(|time| inside(*time)) {
                        events
                    } else {
                        events.filter(|row| inside(times[row]))
                    };
                    swept.events += events.rows() as u64;
                    scanner.scan(&events, &mut swept);
                });
                swept.unreadable += report.errors();
            });
            job.progress(read as f64 / rows.max(1) as f64, swept.events);
            if job.is_cancelled() || next.is_none() {
                break;
            }
        }
        let stats = tokio::task::block_in_place(|| Scanner::finish(vec![scanner], &mut swept));
        let named = |(rule, error): (u32, String)| {
            let name = rules.rules().get(rule as usize).map_or("", |rule| rule.meta.name.as_str());
            format!("{name}: {error}")
        };
        swept.faults = stats.tails.failed.into_iter().map(named).collect();
        Ok(swept)
    }
}

/// The earliest moment that a run at a time, or its history, looks at.
fn looks_back_to(rule: &Rule, at: Timestamp) -> Timestamp {
    let window = rule.meta.schedule.look_back.as_ref().map_or(at, |back| back.from.at(at));
    match rule.body.as_ref().map(|body| &body.tail) {
        Some(Tail::NewTerms(terms)) => terms.history.at(at).min(window),
        // What the rule says itself about time takes the place of its schedule's.
        Some(Tail::Pipeline(pipeline)) => {
            let own = pipeline.moments().filter_map(|moment| moment.from.as_ref()).map(|from| from.at(at)).min();
            own.map_or(window, |own| own.min(window))
        }
        _ => window,
    }
}

fn info(rule: &Rule, enabled: bool, own: &str) -> RuleInfo {
    let meta = &rule.meta;
    let ids = |of: &dyn Fn(&lurcher_ir::Threat) -> Vec<String>| -> Vec<String> {
        let all: BTreeSet<String> = meta.threats.iter().flat_map(of).filter(|id| !id.is_empty()).collect();
        all.into_iter().collect()
    };
    RuleInfo {
        id: rule_id(rule),
        name: meta.name.clone(),
        vendor: meta.vendor.to_owned(),
        language: meta.language.to_owned(),
        kind: meta.kind.clone(),
        version: meta.version.clone(),
        path: meta.path.clone(),
        own: meta.path.starts_with(own),
        severity: meta.severity.name().to_owned(),
        risk_score: meta.risk_score,
        tactics: ids(&|threat| vec![threat.tactic.0.clone()]),
        techniques: ids(&|threat| threat.techniques.iter().map(|(id, _)| id.clone()).collect()),
        stories: meta.stories.clone(),
        schedule: schedule(&meta.schedule),
        enabled,
        verdict: rule.support.verdict().name().to_owned(),
        reasons: rule.support.reasons.iter().map(|reason| reason.message.clone()).collect(),
    }
}

/// A schedule in words.
fn schedule(schedule: &Schedule) -> String {
    if !schedule.recurs() {
        return "arrival".to_owned();
    }
    let when = match (&schedule.cron, schedule.interval) {
        (Some(_), _) => "by its cron line".to_owned(),
        (None, Some(interval)) => format!("every {} s", interval.as_secs()),
        (None, None) => String::new(),
    };
    format!("{when}, {} to {}", schedule.from, schedule.to)
}
