//! Holds alerts against what a test expects of them.

use std::collections::BTreeSet;

use lurcher_content::{Expected, TestCase, fields};
use lurcher_engine::{Alert, explain};
use lurcher_ir::{EntityRole, Rule, Tail};
use lurcher_outputs::native::AlertLine;
use lurcher_schema::{EventBatch, Schemas, Taxonomy, Timestamp, Value, star_match};

use super::Failure;
use crate::{
    outcome::count,
    why::{Failing, cut, nearest, shown},
};

/// So many unexpected alerts are explained.
const EXPLAINED: usize = 2;
/// So many events of an alert are named.
const NAMED: usize = 5;

/// What differs; `None` if nothing does.
pub(super) fn judge(
    case: &TestCase,
    rule: &Rule,
    alerts: &[Alert],
    batches: &[EventBatch],
    schemas: &Schemas,
    now: Timestamp,
) -> Option<Failure> {
    let expected = &case.expected;
    let mut failure = Failure::default();
    let came = alerts.len() as u64;
    let too_few = came < expected.min;
    let too_many = expected.max.is_some_and(|max| came > max);
    if too_few || too_many {
        let got = if came == 0 { "none".to_owned() } else { came.to_string() };
        failure.differences.push(format!("expected {}, got {got}", wanted(expected)));
    }
    let found: Vec<AlertFields<'_>> = alerts.iter().map(|alert| AlertFields::new(alert, schemas)).collect();
    if came > 0 {
        described(expected, &found, &mut failure);
    }
    for alert in &found {
        for (field, value) in &expected.fields {
            failure.differences.extend(alert.difference(field, value).map(|said| format!("{}: {said}", alert.name())));
        }
    }
    if expected.objects_filled && !alerts.is_empty() {
        objects(rule, alerts, &mut failure);
    }
    // Of a rule without a tail every event stands for itself: those that came explain nothing about those that did not.
    let explicable = came == 0 || !matches!(rule.body.as_ref().map(|body| &body.tail), Some(Tail::Events { .. }));
    if too_few
        && explicable
        && let Some(nearest) = nearest(rule, batches, schemas, case.any_source, now)
    {
        failure.why = nearest.lines();
    }
    if too_many {
        for alert in found.iter().take(EXPLAINED) {
            failure.why.extend(alert.reasons(rule, now));
        }
    }
    (!failure.differences.is_empty()).then_some(failure)
}

fn wanted(expected: &Expected) -> String {
    match (expected.min, expected.max) {
        (0, Some(0)) => "no alert".to_owned(),
        (min, Some(max)) if min == max => count(min, "alert"),
        (0, Some(max)) => format!("at most {}", count(max, "alert")),
        (min, Some(max)) => format!("{min} to {}", count(max, "alert")),
        (min, None) => format!("at least {}", count(min, "alert")),
    }
}

/// Each description wants an alert of its own.
fn described(expected: &Expected, found: &[AlertFields<'_>], failure: &mut Failure) {
    let mut left: Vec<&AlertFields<'_>> = found.iter().collect();
    for (number, description) in expected.alerts.iter().enumerate() {
        let differences = |alert: &AlertFields<'_>| -> Vec<String> {
            description.iter().filter_map(|(field, value)| alert.difference(field, value)).collect()
        };
        if let Some(at) = left.iter().position(|alert| differences(alert).is_empty()) {
            left.remove(at);
            continue;
        }
        let nearest = found.iter().map(differences).min_by_key(Vec::len);
        let but = nearest.map_or_else(String::new, |but| format!("; in the nearest {}", but.join(", ")));
        failure.differences.push(format!("no alert left fits description {} of the test{but}", number + 1));
    }
}

/// Splunk's criterion: every risk object filled in every alert, the threat objects in some.
fn objects(rule: &Rule, alerts: &[Alert], failure: &mut Failure) {
    for entity in &rule.meta.entities {
        let empty = |alert: &&Alert| {
            !alert.entities.iter().any(|own| own.field == entity.field && !own.value.eq_ignore_ascii_case("null"))
        };
        let empty = alerts.iter().filter(empty).count();
        let (kind, wrong) = match entity.role {
            EntityRole::Victim => ("risk object", empty > 0),
            EntityRole::Attacker => ("threat object", empty == alerts.len()),
            EntityRole::Other => continue,
        };
        if wrong {
            let of = count(alerts.len() as u64, "alert");
            failure.differences.push(format!("the {kind} {} is not filled in {empty} of {of}", entity.field));
        }
    }
}

/// The fields of an alert by all the names that a test may use.
struct AlertFields<'a> {
    alert: &'a Alert,
    schemas: &'a Schemas,
    document: serde_json::Value,
    taxonomies: Vec<Taxonomy>,
}

impl<'a> AlertFields<'a> {
    fn new(alert: &'a Alert, schemas: &'a Schemas) -> Self {
        let document = serde_json::to_value(AlertLine::new(alert, schemas)).unwrap_or_default();
        let own: BTreeSet<Taxonomy> = alert.rule.body.iter().flat_map(fields).map(|field| field.taxonomy).collect();
        let mut taxonomies: Vec<Taxonomy> = own.into_iter().collect();
        taxonomies.extend(Taxonomy::ALL.into_iter().filter(|other| !taxonomies.contains(other)).collect::<Vec<_>>());
        Self { alert, schemas, document, taxonomies }
    }

    /// Which events made it.
    fn name(&self) -> String {
        let events: Vec<String> =
            self.alert.events.iter().flatten().take(NAMED).map(|event| event.reference.to_string()).collect();
        format!("the alert for {}", events.join(", "))
    }

    /// The values under a name: a column of the row, a member of the alert as `--format jsonl` writes it, or a field
    /// of its events in the rule's taxonomy (then in the others).
    fn values(&self, field: &str) -> Vec<Value> {
        if field == "events" {
            let records = self.alert.events.iter().flatten().map(|event| event.reference.record);
            return records.map(|record| Value::Int(record as i64)).collect();
        }
        if let Some(value) = self.alert.values.get(field).filter(|value| !value.is_missing()) {
            return value.elements().cloned().collect();
        }
        let member = field.split('.').try_fold(&self.document, |json, name| match json {
            serde_json::Value::Array(items) => items.get(name.parse::<usize>().ok()?),
            json => json.get(name),
        });
        if let Some(member) = member.filter(|member| !member.is_null()) {
            return Value::from_json(member).elements().cloned().collect();
        }
        for taxonomy in &self.taxonomies {
            let events = self.alert.events.iter().flatten();
            let values = events.map(|event| self.schemas.value(event, *taxonomy, field));
            let found: Vec<Value> = values
                .filter(|value| !value.is_missing())
                .flat_map(|v| v.elements().cloned().collect::<Vec<_>>())
                .collect();
            if !found.is_empty() {
                return found;
            }
        }
        Vec::new()
    }

    /// How the field differs from what is wanted.
    fn difference(&self, field: &str, wanted: &Value) -> Option<String> {
        let found = self.values(field);
        if found.is_empty() {
            return Some(format!("{field} is missing"));
        }
        let all = wanted.elements().all(|wanted| wanted.is_null() || found.iter().any(|own| same(wanted, own)));
        // Of events all have to be named, so that a surplus one shows.
        let surplus = field == "events" && !wanted.is_null() && found.len() != wanted.elements().count();
        if all && !surplus {
            return None;
        }
        let found: Vec<String> = found.iter().take(NAMED).map(shown).collect();
        Some(format!("{field} is {}, not {}", found.join(", "), shown(wanted)))
    }

    /// Why it came: the tests that its first event passed.
    fn reasons(&self, rule: &Rule, now: Timestamp) -> Vec<String> {
        let (Some(body), Some(event)) = (&rule.body, self.alert.events.iter().flatten().next()) else {
            return Vec::new();
        };
        let mut lines = vec![format!("{} came because", self.name())];
        let holding = body.filters.iter().map(|filter| explain::explain(filter, event, self.schemas, now));
        let Some(explanation) = holding.into_iter().find(|explanation| explanation.holds) else { return lines };
        for decisive in explanation.decisive() {
            let story = Failing::new(&decisive, event, self.schemas);
            let value = story.fields.first().map(|field| shown(&field.value)).unwrap_or_default();
            lines.push(format!("  {}: the event has {value}", cut(&story.headline(), 90)));
        }
        lines
    }
}

/// Whether a value is the wanted one: numbers as numbers, text as it is, with `*` for anything.
fn same(wanted: &Value, own: &Value) -> bool {
    if let (Some(wanted), Some(own)) = (wanted.as_number(), own.as_number()) {
        return (wanted - own).abs() < 1e-9;
    }
    let (wanted, own) = (wanted.to_string(), own.to_string());
    wanted == own || (wanted.contains('*') && star_match(&wanted, &own))
}
