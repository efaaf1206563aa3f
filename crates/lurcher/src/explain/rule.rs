//! A rule on its own: what it looks for in plain words, over which sources, what an alert says, how it is decided for
//! each kind of event, and its IR.

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc, time::Duration};

use lurcher_engine::{Compiler, FilterPlan};
use lurcher_ir::{EntityRole, Rule, RuleBody, Sequence, Sources, Step, Tail};
use serde_json::{Value as Json, json};

use super::{Around, correlation, tree};
use crate::why::{self, Kind};

/// So many groups of kinds are shown in a plan.
const GROUPS: usize = 12;
/// So many kinds are named in a group.
const KINDS: usize = 6;
/// So many witnesses are named.
const WITNESSES: usize = 3;

/// The explanation for people.
pub(super) fn text(rule: &Arc<Rule>, around: &Around<'_>) -> String {
    let width = around.width;
    let mut out = heading(rule, width);
    let meta = &rule.meta;
    if !meta.description.is_empty() {
        section(&mut out, "What it is about");
        out.push_str(&why::wrapped(&meta.description, 2, width));
    }
    section(&mut out, "Where it looks");
    let correlates = matches!(rule.body.as_ref().map(|body| &body.tail), Some(Tail::Correlation(_)));
    let looks = if correlates && meta.sources == Sources::Any {
        "Each of the rules that it correlates sees the events of its own log source.".to_owned()
    } else {
        sources(&meta.sources)
    };
    out.push_str(&why::wrapped(&looks, 2, width));
    if let Some(line) = schedule(rule) {
        out.push_str(&why::wrapped(&line, 2, width));
    }
    let Some(body) = &rule.body else {
        section(&mut out, "Why it cannot be run");
        for reason in &rule.support.reasons {
            out.push_str(&why::wrapped(&format!("{}: {}", reason.verdict.name(), reason.message), 2, width));
        }
        return out;
    };
    section(&mut out, "What it looks for");
    out.push_str(&looks_for(body, width));
    section(&mut out, "What an alert says");
    out.push_str(&alert(rule, width));
    let plan = plan(rule, around);
    section(&mut out, "How each kind of event is decided");
    out.push_str(&plan_text(&plan, body.filters.len(), width));
    section(&mut out, "Intermediate form");
    for line in body.to_string().lines() {
        let _ = writeln!(out, "  {}", why::cut(line, width - 2));
    }
    out
}

/// Name, language, severity, verdict, place.
pub(super) fn heading(rule: &Rule, width: usize) -> String {
    let meta = &rule.meta;
    let mut out = format!("{}\n", why::cut(&meta.name, width));
    // Sigma is both.
    let language = if meta.vendor == meta.language { String::new() } else { format!(" {}", meta.language) };
    let _ = writeln!(
        out,
        "  {}{language} · {}, risk {} · {}",
        meta.vendor,
        meta.severity,
        meta.risk_score,
        rule.support.verdict().name()
    );
    let _ = writeln!(out, "  {}#{}", meta.path, meta.id);
    for reason in rule.support.reasons.iter().filter(|_| rule.body.is_some()) {
        out.push_str(&why::wrapped(&format!("{}: {}", reason.verdict.name(), reason.message), 2, width));
    }
    out
}

/// A heading below the first.
pub(super) fn section(out: &mut String, title: &str) {
    let _ = writeln!(out, "\n{title}");
}

/// The sources that a rule names.
pub(super) fn sources(sources: &Sources) -> String {
    match sources {
        Sources::Any => "It names no source: it sees every event that carries its fields.".to_owned(),
        Sources::Indices(patterns) => format!("In the indices {}.", patterns.join(", ")),
        Sources::LogSource(source) => format!("In the log source {source}."),
    }
}

fn schedule(rule: &Rule) -> Option<String> {
    let schedule = &rule.meta.schedule;
    let interval = schedule.interval?;
    let end = if schedule.to.is_empty() { "now" } else { &schedule.to };
    Some(format!(
        "At its vendor's it runs every {} over what came from {} to {end}; a hunt looks at all times.",
        span(interval),
        if schedule.from.is_empty() { "the last run" } else { &schedule.from }
    ))
}

/// `5 minutes`, `90 seconds`, `1 hour`.
pub(super) fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let (number, unit) = match seconds {
        0 => return format!("{} ms", span.as_millis()),
        s if s.is_multiple_of(86_400) => (s / 86_400, "day"),
        s if s.is_multiple_of(3600) => (s / 3600, "hour"),
        s if s.is_multiple_of(60) => (s / 60, "minute"),
        s => (s, "second"),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

/// The filters as sentences, and what is done with the events that pass.
fn looks_for(body: &RuleBody, width: usize) -> String {
    let filter = |number: usize, indent: usize| {
        body.filters.get(number).map_or_else(String::new, |filter| tree::wanted(filter, indent, width))
    };
    let mut out = String::new();
    match &body.tail {
        Tail::Events { limits } => {
            out.push_str("  Every single event that has\n");
            out.push_str(&filter(0, 2));
            for limit in limits {
                let _ = writeln!(out, "  and of these only {limit:?}");
            }
        }
        Tail::Sequence(sequence) => {
            out.push_str(&order(sequence));
            steps(&sequence.steps, &filter, &mut out);
            if let Some(until) = &sequence.until {
                out.push_str("  unless before that comes an event that has\n");
                out.push_str(&filter(until.filter, 4));
            }
        }
        Tail::Sample { steps: all, .. } => {
            out.push_str("  These events, in any order, with the same keys:\n");
            steps(all, &filter, &mut out);
        }
        Tail::Correlation(correlation) => {
            for (number, predicate) in body.filters.iter().enumerate() {
                let _ = writeln!(out, "  Filter {number}: events that have");
                out.push_str(&tree::wanted(predicate, 4, width));
            }
            out.push_str(&correlation::words(correlation, 2, width));
        }
        tail => {
            for (number, predicate) in body.filters.iter().enumerate() {
                let _ = writeln!(out, "  Filter {number}: events that have");
                out.push_str(&tree::wanted(predicate, 4, width));
            }
            out.push_str("  With the events that pass:\n");
            for line in tail.to_string().lines() {
                let _ = writeln!(out, "    {}", why::cut(line, width - 4));
            }
        }
    }
    out
}

fn order(sequence: &Sequence) -> String {
    let within = sequence.max_span.map_or_else(String::new, |time| format!(" within {}", span(time)));
    format!("  These events, one after the other{within}:\n")
}

fn steps(steps: &[Step], filter: &dyn Fn(usize, usize) -> String, out: &mut String) {
    for (number, step) in steps.iter().enumerate() {
        let keys: Vec<&str> = step.keys.iter().map(|key| key.field.path.as_str()).collect();
        let by = if keys.is_empty() { String::new() } else { format!(", by {}", keys.join(", ")) };
        let kind = if step.missing { "no event that has" } else { "an event that has" };
        let _ = writeln!(out, "  {}. {kind}{by}", number + 1);
        out.push_str(&filter(step.filter, 5));
    }
}

/// What an alert says and whom it is about.
fn alert(rule: &Rule, width: usize) -> String {
    let meta = &rule.meta;
    let message = match meta.message.template.trim() {
        "" => format!("{}: … matched.", meta.name),
        template => template.to_owned(),
    };
    let mut out = why::wrapped(&message, 2, width);
    let _ = writeln!(
        out,
        "  a {}, severity {}, risk score {}",
        meta.alert_kind.name().replace('_', " "),
        meta.severity,
        meta.risk_score
    );
    for entity in &meta.entities {
        let role = match entity.role {
            EntityRole::Victim => "who or what is attacked",
            EntityRole::Attacker => "what attacks",
            EntityRole::Other => "also named",
        };
        let _ = writeln!(out, "  {} ({}): {role}", entity.field, entity.kind.name());
    }
    let techniques: Vec<String> = meta
        .threats
        .iter()
        .flat_map(|threat| &threat.techniques)
        .map(|(id, name)| format!("{id} {name}").trim().to_owned())
        .collect();
    if !techniques.is_empty() {
        out.push_str(&why::wrapped(&format!("ATT&CK: {}", techniques.join(", ")), 2, width));
    }
    out
}

/// For each filter: the kinds of events by how they are decided.
type Plan = BTreeMap<u32, BTreeMap<Decision, Vec<Kind>>>;

/// How a kind of event is decided; in the order in which it is told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Decision {
    Witnessed(String),
    Always,
    Unwitnessed,
    Never,
    NotRouted,
}

fn plan(rule: &Arc<Rule>, around: &Around<'_>) -> Plan {
    let rules = Compiler::new(Arc::clone(around.schemas)).route(around.route).add(Arc::clone(rule)).build();
    let mut plan = Plan::new();
    for shape in around.schemas.known_shapes() {
        for (filter, decided) in rules.plan(0, &shape) {
            let decision = match decided {
                FilterPlan::NotRouted => Decision::NotRouted,
                FilterPlan::Never => Decision::Never,
                FilterPlan::Always => Decision::Always,
                FilterPlan::Unwitnessed => Decision::Unwitnessed,
                FilterPlan::Witnessed(tests) => {
                    let mut sentences: Vec<String> =
                        tests.iter().map(|(field, test)| format!("{} {}", field.path, why::test(test))).collect();
                    sentences.sort();
                    sentences.dedup();
                    let more = sentences.len().saturating_sub(WITNESSES);
                    sentences.truncate(WITNESSES);
                    if more > 0 {
                        sentences.push(format!("{more} more"));
                    }
                    Decision::Witnessed(sentences.join(", or "))
                }
            };
            let kinds = plan.entry(filter).or_default().entry(decision).or_default();
            let kind = Kind::of(&shape);
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
    }
    plan
}

fn plan_text(plan: &Plan, filters: usize, width: usize) -> String {
    let mut out = String::new();
    for (filter, decisions) in plan {
        if filters > 1 {
            let _ = writeln!(out, "  filter {filter}");
        }
        for (decision, kinds) in decisions.iter().take(GROUPS) {
            // "Sysmon" says nothing beside "Sysmon 1".
            let general = |kind: &&Kind| {
                !kind.event.is_empty() || !kinds.iter().any(|own| own.source == kind.source && !own.event.is_empty())
            };
            let names: Vec<String> = kinds.iter().filter(general).map(ToString::to_string).collect();
            let many = names.len();
            let mut named = names.iter().take(KINDS).cloned().collect::<Vec<_>>().join(", ");
            if many > KINDS {
                let _ = write!(named, " and {} more", many - KINDS);
            }
            let line = match decision {
                Decision::Witnessed(tests) => format!("{named}: looked at only where {tests}"),
                Decision::Always => format!("{named}: always"),
                Decision::Unwitnessed => format!("{named}: every event is looked at, which is slow"),
                Decision::Never => {
                    format!("{many} other kinds that Lurcher knows: never, they lack its fields or contradict it")
                }
                Decision::NotRouted => format!("{many} kinds that Lurcher knows: not among its sources"),
            };
            out.push_str(&why::wrapped(&line, 2, width));
        }
        if decisions.len() > GROUPS {
            let _ = writeln!(out, "  … and {} more ways", decisions.len() - GROUPS);
        }
    }
    out
}

/// The rule for programs.
pub(super) fn summary(rule: &Rule) -> Json {
    let meta = &rule.meta;
    json!({
        "id": meta.id.as_ref(),
        "name": meta.name,
        "path": meta.path,
        "vendor": meta.vendor,
        "language": meta.language,
        "severity": meta.severity.name(),
        "risk_score": meta.risk_score,
        "verdict": rule.support.verdict().name(),
        "reasons": rule.support.reasons.iter().map(|r| r.message.clone()).collect::<Vec<_>>(),
    })
}

/// The explanation for programs.
pub(super) fn json(rule: &Arc<Rule>, around: &Around<'_>) -> Json {
    let plan: Vec<Json> = if rule.body.is_some() { plan(rule, around) } else { Plan::new() }
        .into_iter()
        .map(|(filter, decisions)| {
            let decisions: Vec<Json> = decisions
                .into_iter()
                .map(|(decision, kinds)| {
                    let (how, witnesses) = match decision {
                        Decision::Witnessed(tests) => ("witnessed", Some(tests)),
                        Decision::Always => ("always", None),
                        Decision::Unwitnessed => ("unwitnessed", None),
                        Decision::Never => ("never", None),
                        Decision::NotRouted => ("not_routed", None),
                    };
                    let kinds: Vec<String> = kinds.iter().map(ToString::to_string).collect();
                    json!({"decided": how, "witnesses": witnesses, "kinds": kinds})
                })
                .collect();
            json!({"filter": filter, "by_kind": decisions})
        })
        .collect();
    json!({
        "rule": summary(rule),
        "description": rule.meta.description,
        "sources": sources(&rule.meta.sources),
        "message": rule.meta.message.template,
        "ir": rule.body.as_ref().map(ToString::to_string),
        "plan": plan,
    })
}
