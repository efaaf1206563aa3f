//! How far sequences, samples and pipelines come over some events, and where they stop.
//!
//! Nothing is traced inside the engine: the rule is cut off after its first step or stage, after its second, and so on,
//! and each piece is run as a rule of its own. What the pieces yield is, by construction, what the whole would have had
//! at that point.

use std::{fmt::Write as _, sync::Arc};

use lurcher_engine::{Alert, Compiler, Scanner, Settings};
use lurcher_ir::{Pipeline, Rule, RuleBody, Sink, Tail};
use lurcher_schema::{Event, EventBatch};
use serde_json::{Value as Json, json};

use super::{Around, rule::section};
use crate::{outcome::count, why};

/// Longer pipelines are not traced stage by stage.
const MOST_STAGES: usize = 100;

/// One point of a tail.
struct Point {
    /// What happens there.
    what: String,
    /// How many rows or partial matches there are after it; `None` if that cannot be run.
    left: Option<usize>,
    /// One of those rows.
    example: Option<String>,
}

/// The alerts of a rule over these events.
pub(super) fn alerts(rule: &Arc<Rule>, batches: &[EventBatch], around: &Around<'_>) -> Vec<Alert> {
    run(rule, batches, around).unwrap_or_default()
}

/// Runs a rule; `None` if its tail failed.
fn run(rule: &Arc<Rule>, batches: &[EventBatch], around: &Around<'_>) -> Option<Vec<Alert>> {
    let rules = Compiler::new(Arc::clone(around.schemas)).route(around.route).add(Arc::clone(rule)).build();
    let settings = Settings {
        now: around.now,
        relational: Some(lurcher_query::relational()),
        tables: around.tables.clone(),
        ..Settings::default()
    };
    let mut scanner = Scanner::new(rules, Arc::new(settings));
    let mut alerts: Vec<Alert> = Vec::new();
    for batch in batches {
        scanner.scan(batch, &mut alerts);
    }
    let stats = Scanner::finish(vec![scanner], &mut alerts);
    stats.tails.failed.is_empty().then_some(alerts)
}

/// The same rule with another body.
fn with_body(rule: &Rule, body: RuleBody) -> Arc<Rule> {
    Arc::new(Rule { body: Some(body), ..rule.clone() })
}

/// The points of the tail in order.
fn points(rule: &Rule, body: &RuleBody, batches: &[EventBatch], around: &Around<'_>) -> Vec<Point> {
    let mut points: Vec<Point> = (0..body.filters.len())
        .map(|filter| {
            let alone =
                RuleBody { filters: vec![body.filters[filter].clone()], tail: Tail::Events { limits: Vec::new() } };
            let mut rule = rule.clone();
            rule.meta.sources = lurcher_engine::explain::sources_of(&rule, filter).clone();
            let found = run(&with_body(&rule, alone), batches, around);
            Point {
                what: format!("filter {filter}"),
                left: found.as_ref().map(Vec::len),
                example: found.and_then(|alerts| alerts.first().and_then(event_of)),
            }
        })
        .collect();
    match &body.tail {
        Tail::Sequence(sequence) => {
            for steps in 2..=sequence.steps.len() {
                let mut shorter = sequence.clone();
                shorter.steps.truncate(steps);
                let tail = Tail::Sequence(shorter);
                points.push(partial(rule, body, tail, format!("the first {steps} steps in order"), batches, around));
            }
        }
        Tail::Sample { steps, per_key, limits } => {
            for number in 2..=steps.len() {
                let steps = steps.iter().take(number).cloned().collect();
                let tail = Tail::Sample { steps, per_key: *per_key, limits: limits.clone() };
                points.push(partial(rule, body, tail, format!("the first {number} together"), batches, around));
            }
        }
        Tail::Pipeline(pipeline) => points.extend(stages(rule, body, pipeline, batches, around)),
        _ => {}
    }
    points
}

fn event_of(alert: &Alert) -> Option<String> {
    alert.events.iter().flatten().next().map(short)
}

/// The event by the last part of its file's path: the whole path is known where events are counted.
fn short(event: &Event) -> String {
    let name = event.reference.to_string();
    name.rsplit('/').next().unwrap_or(&name).to_owned()
}

fn partial(
    rule: &Rule,
    body: &RuleBody,
    tail: Tail,
    what: String,
    batches: &[EventBatch],
    around: &Around<'_>,
) -> Point {
    let shorter = RuleBody { filters: body.filters.clone(), tail };
    let found = run(&with_body(rule, shorter), batches, around);
    let example = found.as_ref().and_then(|alerts| alerts.first()).map(|alert| {
        let events = alert.events.iter();
        events.map(|e| e.as_ref().map_or("-".to_owned(), short)).collect::<Vec<_>>().join(", ")
    });
    Point { what, left: found.as_ref().map(Vec::len), example }
}

/// Every stage of every branch, cut off behind it.
fn stages(
    rule: &Rule,
    body: &RuleBody,
    pipeline: &Pipeline,
    batches: &[EventBatch],
    around: &Around<'_>,
) -> Vec<Point> {
    let mut points = Vec::new();
    if pipeline.branches.iter().map(|branch| branch.stages.len()).sum::<usize>() > MOST_STAGES {
        return points;
    }
    for (number, branch) in pipeline.branches.iter().enumerate() {
        for end in 1..=branch.stages.len() {
            let mut cut = Pipeline { branches: pipeline.branches.iter().take(number + 1).cloned().collect() };
            for (at, other) in cut.branches.iter_mut().enumerate() {
                other.sink = (at == number).then(|| Sink::Alerts("trace".into()));
            }
            if let Some(last) = cut.branches.last_mut() {
                last.stages.truncate(end);
            }
            let shorter = RuleBody { filters: body.filters.clone(), tail: Tail::Pipeline(cut) };
            let found = run(&with_body(rule, shorter), batches, around);
            let stage = branch.stages[end - 1].to_string();
            let words = stage.split_whitespace().collect::<Vec<_>>().join(" ");
            let branch = if pipeline.branches.len() > 1 { format!("branch {number}: ") } else { String::new() };
            points.push(Point {
                what: format!("{branch}{words}"),
                left: found.as_ref().map(Vec::len),
                example: found.and_then(|a| a.first().map(|alert| alert.values.to_json().to_string())),
            });
        }
    }
    points
}

/// How far the tail comes, for people.
pub(super) fn text(rule: &Rule, batches: &[EventBatch], around: &Around<'_>) -> String {
    let Some(body) = &rule.body else { return String::new() };
    let mut out = String::new();
    section(&mut out, "How far it comes over these events");
    let points = points(rule, body, batches, around);
    let mut stopped = false;
    for (number, point) in points.iter().enumerate() {
        let filter = number < body.filters.len();
        let noun = match (filter, &body.tail) {
            (true, _) => "event",
            (false, Tail::Pipeline(_)) => "row",
            (false, _) => "match",
        };
        let left = match point.left {
            Some(1) => format!("1 {noun}"),
            Some(left) if noun == "match" => format!("{left} matches"),
            Some(left) => count(left as u64, noun),
            None => "cannot be run".to_owned(),
        };
        // Without a filter's events a sequence cannot go on; a pipeline of several filters can.
        let needed =
            !filter || body.filters.len() == 1 || !matches!(body.tail, Tail::Pipeline(_) | Tail::Correlation(_));
        let stops = !stopped && needed && point.left == Some(0);
        let mark = if stops { "  ← it stops here" } else { "" };
        let _ = writeln!(out, "  {left:>10}  {}{mark}", why::beginning(&point.what, around.width.saturating_sub(34)));
        if stops && let Some(example) = points.get(number.wrapping_sub(1)).and_then(|before| before.example.as_ref()) {
            let _ =
                writeln!(out, "              before it: {}", why::beginning(example, around.width.saturating_sub(26)));
        }
        stopped |= stops;
    }
    out
}

/// How far the tail comes, for programs.
pub(super) fn json(rule: &Rule, batches: &[EventBatch], around: &Around<'_>) -> Json {
    let Some(body) = rule.body.as_ref().filter(|body| !matches!(body.tail, Tail::Events { .. })) else {
        return Json::Null;
    };
    let points = points(rule, body, batches, around);
    points.iter().map(|point| json!({"point": point.what, "left": point.left, "example": point.example})).collect()
}
