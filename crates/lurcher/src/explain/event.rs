//! A rule on events: whether it sees them, whether it fires, the first test that failed, and every test.

use std::{collections::BTreeSet, fmt::Write as _, sync::Arc};

use lurcher_engine::{
    Alert, Compiler, Route,
    explain::{self, Explanation, SourceVerdict},
};
use lurcher_ir::{Rule, Tail};
use lurcher_schema::{Event, EventBatch, Taxonomy};
use serde_json::{Value as Json, json};

use super::{
    Around,
    rule::{heading, section, summary},
    tail, tree,
};
use crate::why::{self, Failing, Kind, Nearest, event_name, nearest, other_kind};

/// So many events are explained one by one.
const ONE_BY_ONE: usize = 3;
/// Where an event's host is found.
const HOST: [(Taxonomy, &str); 4] = [
    (Taxonomy::Ecs, "host.name"),
    (Taxonomy::Cim, "dest"),
    (Taxonomy::Ocsf, "device.hostname"),
    (Taxonomy::Raw, "Computer"),
];

/// What became of one event in one filter.
struct Judged<'r> {
    filter: usize,
    seen: SourceVerdict,
    explanation: Explanation<'r>,
}

/// The explanation for people.
pub(super) fn text(rule: &Arc<Rule>, batches: &[EventBatch], around: &Around<'_>) -> String {
    let mut out = heading(rule, around.width);
    let Some(body) = &rule.body else {
        out.push_str("\nIt cannot be run, so nothing can be said about events.\n");
        return out;
    };
    let alerts = tail::alerts(rule, batches, around);
    let events: usize = batches.iter().map(EventBatch::rows).sum();
    let plain = matches!(body.tail, Tail::Events { .. });
    if events <= ONE_BY_ONE {
        for event in batches.iter().flat_map(|batch| (0..batch.rows()).map(move |row| batch.event(row))) {
            out.push_str(&one(rule, &event, &alerts, around));
        }
    } else {
        out.push_str(&many(rule, batches, &alerts, around));
    }
    if !plain {
        out.push_str(&tail::text(rule, batches, around));
    }
    for alert in alerts.iter().take(1) {
        section(&mut out, "What the alert says");
        out.push_str(&why::wrapped(&alert.message, 2, around.width));
    }
    out
}

/// One event.
fn one(rule: &Rule, event: &Event, alerts: &[Alert], around: &Around<'_>) -> String {
    let mut out = format!("\n{}\n  {}\n", event.reference, about(event, around));
    let judged = judge(rule, event, around);
    let of_it = |alert: &&Alert| alert.events.iter().flatten().any(|own| own.reference == event.reference);
    let fires = alerts.iter().find(of_it);
    let single = judged.len() == 1;
    let plain = single && matches!(rule.body.as_ref().map(|body| &body.tail), Some(Tail::Events { .. }));
    let passes: Vec<String> = judged.iter().filter(|j| j.explanation.holds).map(|j| j.filter.to_string()).collect();
    let seen = around.route == Route::Any || judged.iter().all(|judged| judged.seen.seen);
    let result = match fires {
        Some(alert) if alert.event_count == 1 => "The rule FIRES on this event.".to_owned(),
        Some(alert) => format!("The rule FIRES: this is one of the {} events of an alert.", alert.event_count),
        None if passes.is_empty() && single => "The rule does NOT fire on this event.".to_owned(),
        None if passes.is_empty() => "This event passes none of the rule's filters.".to_owned(),
        None if !seen => "The rule does NOT fire on this event, though its tests hold.".to_owned(),
        None if plain => "All tests of the rule hold for this event, yet there is no alert.".to_owned(),
        None if single => "This event passes the rule's filter; alone it makes no alert.".to_owned(),
        None => format!("This event passes filter {}; alone it makes no alert.", passes.join(", ")),
    };
    let _ = writeln!(out, "\n{result}");
    if let Some(unseen) = judged.iter().find(|judged| !judged.seen.seen) {
        out.push_str(&not_seen(&unseen.seen, !passes.is_empty(), around));
    } else if passes.is_empty() {
        out.push_str(&wrong_kind(rule, event, around));
    }
    if passes.is_empty()
        && let Some(other) = other_kind(rule, event, around.schemas, around.now)
    {
        section(&mut out, "Near miss");
        out.push_str(&other.text(2, around.width));
    }
    for judged in &judged {
        let title = if single { String::new() } else { format!(" of filter {}", judged.filter) };
        if let Some(failing) = first_failure(judged, event, around) {
            section(&mut out, &format!("First test{title} that failed"));
            failing_text(&failing, &mut out, around.width);
        }
    }
    for judged in &judged {
        let title = if single { "Every test".to_owned() } else { format!("Every test of filter {}", judged.filter) };
        section(&mut out, &title);
        out.push_str(&tree::judged(&judged.explanation, 2, around.width));
    }
    out
}

fn judge<'r>(rule: &'r Rule, event: &Event, around: &Around<'_>) -> Vec<Judged<'r>> {
    let filters = rule.body.iter().flat_map(|body| &body.filters).enumerate();
    filters
        .map(|(filter, predicate)| Judged {
            filter,
            seen: explain::source(explain::sources_of(rule, filter), &event.shape, around.schemas),
            explanation: explain::explain(predicate, event, around.schemas, around.now),
        })
        .collect()
}

fn first_failure(judged: &Judged<'_>, event: &Event, around: &Around<'_>) -> Option<Failing> {
    if judged.explanation.holds {
        return None;
    }
    let decisive = judged.explanation.decisive();
    decisive.first().map(|decisive| Failing::new(decisive, event, around.schemas))
}

fn failing_text(failing: &Failing, out: &mut String, width: usize) {
    let _ = writeln!(out, "  {}", why::cut(&failing.headline(), width - 2));
    for line in failing.lines().iter().flat_map(|line| line.split('\n')) {
        let _ = writeln!(out, "    {}", why::cut(line, width - 4));
    }
}

/// What the event is: kind, time, host.
fn about(event: &Event, around: &Around<'_>) -> String {
    let mut words = vec![event_name(&event.shape)];
    words.extend(event.time.map(|time| time.to_string()));
    let hosts = HOST.iter().map(|(taxonomy, field)| around.schemas.value(event, *taxonomy, field));
    words.extend(hosts.into_iter().find(|host| !host.is_missing()).map(|host| host.to_string()));
    words.join(" · ")
}

/// That and why the rule does not see the event.
fn not_seen(verdict: &SourceVerdict, holds: bool, around: &Around<'_>) -> String {
    let mut out = String::new();
    section(&mut out, "It does not see this event");
    let mut list = |title: &str, words: &[String], none: &str| {
        let text = if words.is_empty() { none.to_owned() } else { why::listed(words) };
        let wrapped = why::wrapped(&text, 20, around.width);
        let _ = writeln!(out, "  {title:18}{}", wrapped.trim());
    };
    list("the rule names", &verdict.wanted, "nothing");
    list("the event is of", &verdict.belongs, "no source that a mapping pack names");
    let advice = match (around.route, holds) {
        (Route::Any, _) => "With --route any that does not matter.",
        (Route::Strict, true) => "With --route any it would fire.",
        (Route::Strict, false) => "With --route any it would see it, and still not fire: a test fails too.",
    };
    let _ = writeln!(out, "  {advice}");
    out
}

/// That no event of this kind can match, and which kinds can.
fn wrong_kind(rule: &Rule, event: &Event, around: &Around<'_>) -> String {
    let rules = Compiler::new(Arc::clone(around.schemas)).route(around.route).add(Arc::new(rule.clone())).build();
    if !rules.live(&event.shape).is_empty() {
        return String::new();
    }
    let shapes = around.schemas.known_shapes();
    let live = shapes.iter().filter(|shape| !rules.live(shape).is_empty());
    let kinds: BTreeSet<Kind> = live.map(|shape| Kind::of(shape)).collect();
    // "Sysmon" says nothing beside "Sysmon 1".
    let general = |kind: &&Kind| {
        !kind.event.is_empty() || !kinds.iter().any(|other| other.source == kind.source && !other.event.is_empty())
    };
    let named: Vec<String> = kinds.iter().filter(general).map(ToString::to_string).collect();
    let mut out = String::new();
    section(&mut out, "It is the wrong kind of event");
    let can = if named.is_empty() { "no kind of event that Lurcher knows".to_owned() } else { named.join(", ") };
    let text = format!("No {} event can match this rule. What can: {can}.", event_name(&event.shape));
    out.push_str(&why::wrapped(&text, 2, around.width));
    out
}

/// Many events: how many pass each filter, and what the nearest one lacks.
fn many(rule: &Arc<Rule>, batches: &[EventBatch], alerts: &[Alert], around: &Around<'_>) -> String {
    let events: usize = batches.iter().map(EventBatch::rows).sum();
    let mut out = format!("\n{events} events\n");
    let _ = match alerts.len() {
        0 => writeln!(out, "\nThe rule does NOT fire on these events."),
        1 => writeln!(out, "\nThe rule FIRES once on these events."),
        n => writeln!(out, "\nThe rule FIRES {n} times on these events."),
    };
    if alerts.is_empty()
        && let Some(nearest) = nearest(rule, batches, around.schemas, around.route == Route::Any, around.now)
    {
        match &nearest {
            Nearest::NotSeen { verdict, .. } => out.push_str(&not_seen(verdict, false, around)),
            // An event for every filter: where the tail stops says more.
            Nearest::Event { failing: None, .. } => {}
            Nearest::Event { .. } => {
                section(&mut out, "What came nearest");
                for line in nearest.lines().iter().flat_map(|line| line.split('\n')) {
                    let _ = writeln!(out, "  {}", why::cut(line, around.width - 2));
                }
            }
        }
    }
    out
}

/// The explanation for programs.
pub(super) fn json(rule: &Arc<Rule>, batches: &[EventBatch], around: &Around<'_>) -> Json {
    let alerts = tail::alerts(rule, batches, around);
    let events = batches.iter().flat_map(|batch| (0..batch.rows()).map(move |row| batch.event(row)));
    let events: Vec<Json> = events
        .map(|event| {
            let filters: Vec<Json> = judge(rule, &event, around)
                .iter()
                .map(|judged| {
                    let failing = first_failure(judged, &event, around);
                    json!({
                        "filter": judged.filter,
                        "holds": judged.explanation.holds,
                        "source": {"seen": judged.seen.seen, "wanted": judged.seen.wanted, "belongs": judged.seen.belongs},
                        "first_failure": failing.as_ref().map(Failing::to_json),
                        "tests": tree::json(&judged.explanation),
                    })
                })
                .collect();
            let fires = alerts.iter().any(|a| a.events.iter().flatten().any(|own| own.reference == event.reference));
            json!({
                "event": event.reference.to_string(),
                "kind": event_name(&event.shape),
                "time": event.time.map(|time| time.to_string()),
                "fires": fires,
                "other_kind": (!fires).then(|| other_kind(rule, &event, around.schemas, around.now)).flatten()
                    .map(|other| other.to_json()),
                "filters": filters,
            })
        })
        .collect();
    json!({
        "rule": summary(rule),
        "alerts": alerts.len(),
        "events": events,
        "tail": tail::json(rule, batches, around),
    })
}
