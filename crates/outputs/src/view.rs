//! What a person is shown of an alert: when, where, who, what, and the few fields that matter.
//!
//! Which fields matter is read off the rule: those that it tests, as far as the event has values for them, the
//! longest first, since a command line or a path says more than an event code; a value is shown once, under the first
//! name that has it. Nothing depends on a vendor's field names but where host and user are found, and what tells most of
//! an event that no rule asked anything of: those that an incident is made of.

use std::collections::BTreeMap;

use lurcher_engine::Alert;
use lurcher_ir::{EntityType, FieldRef, Predicate, Rule, Severity};
use lurcher_schema::{Event, EventRef, Schemas, Taxonomy, Timestamp};

use crate::{native, text::plain};

/// How many fields are shown of an event.
const FIELDS: usize = 3;
/// How many events are shown of an alert.
const EVENTS: usize = 6;
/// Longer values are cut: even a wide terminal shows only so much.
const VALUE: usize = 2000;

/// Where an event's host is found, the best first.
const HOST: [(Taxonomy, &str); 6] = [
    (Taxonomy::Ecs, "host.name"),
    (Taxonomy::Cim, "dest"),
    (Taxonomy::Ocsf, "device.hostname"),
    (Taxonomy::Sigma, "Computer"),
    (Taxonomy::Raw, "Computer"),
    (Taxonomy::Raw, "host.name"),
];
/// Where an event's user is found, the best first.
const USER: [(Taxonomy, &str); 4] = [
    (Taxonomy::Ecs, "user.name"),
    (Taxonomy::Cim, "user"),
    (Taxonomy::Ocsf, "actor.user.name"),
    (Taxonomy::Sigma, "User"),
];

/// What tells most of an event of its kind.
const TELLING: [(Taxonomy, &str); 7] = [
    (Taxonomy::Cim, "process"),
    (Taxonomy::Cim, "registry_path"),
    (Taxonomy::Cim, "file_path"),
    (Taxonomy::Cim, "query"),
    (Taxonomy::Cim, "url"),
    (Taxonomy::Cim, "ScriptBlockText"),
    (Taxonomy::Cim, "signature"),
];

/// What is shown of one alert. All texts are safe to print.
#[derive(Clone, Debug)]
pub(crate) struct AlertView {
    pub(crate) rule: RuleView,
    pub(crate) time: Option<Timestamp>,
    pub(crate) host: String,
    pub(crate) user: String,
    pub(crate) message: String,
    /// What a row of several events says, where these say nothing.
    pub(crate) row: Vec<(String, String)>,
    pub(crate) events: Vec<EventView>,
    /// What orders alerts of the same time: their events; the id where events are not enough.
    pub(crate) order: (Vec<EventRef>, String),
    pub(crate) event_count: u64,
    pub(crate) suppressed: u64,
}

/// What is shown of a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RuleView {
    /// So that the greatest comes first.
    pub(crate) severity: std::cmp::Reverse<Severity>,
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) path: String,
    pub(crate) vendor: &'static str,
    pub(crate) language: &'static str,
    pub(crate) techniques: Vec<String>,
    pub(crate) description: String,
    pub(crate) references: Vec<String>,
    pub(crate) false_positives: Vec<String>,
    pub(crate) building_block: bool,
}

/// What is shown of one event.
#[derive(Clone, Debug)]
pub(crate) struct EventView {
    pub(crate) time: Option<Timestamp>,
    /// File and record.
    pub(crate) place: String,
    pub(crate) fields: Vec<(String, String)>,
}

impl AlertView {
    pub(crate) fn new(alert: &Alert, schemas: &Schemas) -> Self {
        let entity = |kind| alert.entities.iter().find(|e| e.kind == kind).map(|e| plain(&e.value));
        let events: Vec<&Event> = alert.events.iter().flatten().collect();
        // One event speaks for itself. What is made of several is about whom its row names; else their first is shown, or
        // none where the row names others and they do not agree.
        let find = |places: &[(Taxonomy, &str)], kind| {
            let mut named = events.iter().filter_map(|event| place(event, places, schemas)).map(|text| plain(&text));
            if alert.event_count <= 1 {
                return named.next().or_else(|| entity(kind));
            }
            entity(kind).or_else(|| {
                let first = named.next()?;
                (alert.entities.is_empty() || named.all(|other| other == first)).then_some(first)
            })
        };
        let host = find(&HOST, EntityType::System).unwrap_or_default();
        let user = find(&USER, EntityType::User).unwrap_or_default();
        let asked = alert.rule.body.is_some();
        let tested = if asked {
            tested_fields(&alert.rule)
        } else {
            TELLING.map(|(taxonomy, name)| FieldRef::new(taxonomy, name)).to_vec()
        };
        let most = if asked { FIELDS } else { 1 };
        let shown = [host.as_str(), user.as_str(), ""];
        let mut views: Vec<EventView> = events
            .iter()
            .take(EVENTS)
            .map(|event| EventView {
                time: event.time,
                place: plain(&event.reference.to_string()),
                fields: telling_fields(event, &tested, &shown, schemas, most),
            })
            .collect();
        let mut row = Vec::new();
        // Where the events say nothing (a row of counts), the row speaks.
        if views.iter().all(|view| view.fields.is_empty()) && !alert.values.is_empty() {
            let columns = alert.values.iter().filter(|(_, value)| !value.is_missing());
            let columns = columns.map(|(name, value)| (plain(name), plain(&value.to_string())));
            let fields = columns.filter(|(_, text)| !shown.contains(&text.as_str())).take(FIELDS).collect();
            match views.as_mut_slice() {
                [] => views.push(EventView { time: alert.time, place: String::new(), fields }),
                [only] => only.fields = fields,
                _ => row = fields,
            }
        }
        Self {
            rule: RuleView::new(alert),
            time: alert.time,
            host,
            user,
            // Where the rule has no message, the engine's sentence only repeats the rule's name.
            message: if alert.rule.meta.message.template.is_empty() { String::new() } else { plain(&alert.message) },
            order: (events.iter().take(EVENTS).map(|event| event.reference.clone()).collect(), alert.id.clone()),
            row,
            events: views,
            event_count: alert.event_count,
            suppressed: alert.suppressed,
        }
    }
}

impl RuleView {
    fn new(alert: &Alert) -> Self {
        let meta = &alert.rule.meta;
        Self {
            severity: std::cmp::Reverse(alert.severity),
            name: plain(&alert.name),
            id: plain(&meta.id),
            path: plain(&meta.path),
            vendor: meta.vendor,
            language: meta.language,
            techniques: native::techniques(&alert.rule),
            description: plain(&meta.description),
            references: meta.references.iter().map(|text| plain(text)).collect(),
            false_positives: meta.false_positives.iter().map(|text| plain(text)).collect(),
            building_block: alert.kind == lurcher_ir::AlertKind::BuildingBlock,
        }
    }
}

/// The event's host, if it has one.
pub(crate) fn host(event: &Event, schemas: &Schemas) -> Option<String> {
    place(event, &HOST, schemas)
}

/// The event's user, if it has one.
pub(crate) fn user(event: &Event, schemas: &Schemas) -> Option<String> {
    place(event, &USER, schemas)
}

fn place(event: &Event, places: &[(Taxonomy, &str)], schemas: &Schemas) -> Option<String> {
    places.iter().find_map(|(taxonomy, path)| {
        let value = schemas.value(event, *taxonomy, path);
        let text = value.elements().next()?.to_string();
        (!text.is_empty()).then_some(text)
    })
}

/// The fields that a rule asks something of, those it only rules out last.
fn tested_fields(rule: &Rule) -> Vec<FieldRef> {
    let Some(body) = &rule.body else { return Vec::new() };
    let (mut wanted, mut unwanted) = (Vec::new(), Vec::new());
    for filter in &body.filters {
        collect(filter, false, &mut wanted, &mut unwanted);
    }
    for field in unwanted {
        if !wanted.contains(&field) {
            wanted.push(field);
        }
    }
    wanted
}

fn collect(predicate: &Predicate, negated: bool, wanted: &mut Vec<FieldRef>, unwanted: &mut Vec<FieldRef>) {
    match predicate {
        Predicate::Not(inner) => collect(inner, !negated, wanted, unwanted),
        Predicate::All(parts) | Predicate::Any(parts) => {
            for part in parts {
                collect(part, negated, wanted, unwanted);
            }
        }
        other => other.fields(&mut |field| {
            let list = if negated { &mut *unwanted } else { &mut *wanted };
            if !list.contains(field) {
                list.push(field.clone());
            }
        }),
    }
}

fn telling_fields(
    event: &Event,
    tested: &[FieldRef],
    shown: &[&str],
    schemas: &Schemas,
    most: usize,
) -> Vec<(String, String)> {
    let mut found: Vec<(usize, String, String)> = Vec::new();
    for (order, field) in tested.iter().enumerate() {
        // A constant of this kind of event (its category, its platform) tells nobody anything.
        if schemas.bind(field.taxonomy, field.path.as_str(), &event.shape).as_constant().is_some() {
            continue;
        }
        let value = schemas.value(event, field.taxonomy, field.path.as_str());
        let texts: Vec<String> = value.elements().take(20).map(ToString::to_string).collect();
        let text: String = plain(&texts.join(" ").chars().take(VALUE).collect::<String>());
        let known = |other: &str| other.eq_ignore_ascii_case(&text);
        if shown.iter().any(|other| known(other)) || found.iter().any(|(_, _, other)| known(other)) {
            continue;
        }
        found.push((order, field.path.to_string(), text));
    }
    found.sort_by_key(|(order, _, text)| (std::cmp::Reverse(text.chars().count().min(120)), *order));
    found.truncate(most);
    found.into_iter().map(|(_, name, text)| (name, text)).collect()
}

/// All alerts of a run, grouped for reading.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) groups: BTreeMap<RuleView, Group>,
    hosts: std::collections::BTreeSet<String>,
}

/// The alerts of one rule at one severity.
#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(crate) count: u64,
    pub(crate) first: Option<Timestamp>,
    pub(crate) last: Option<Timestamp>,
    pub(crate) hosts: BTreeMap<String, u64>,
    /// The first ones, in order of time.
    pub(crate) alerts: Vec<AlertView>,
}

impl Report {
    pub(crate) fn add(&mut self, view: AlertView, keep: usize) {
        if !view.host.is_empty() {
            self.hosts.insert(view.host.clone());
        }
        let group = self.groups.entry(view.rule.clone()).or_default();
        group.count += 1;
        if let Some(time) = view.time {
            group.first = Some(group.first.map_or(time, |first| first.min(time)));
            group.last = Some(group.last.map_or(time, |last| last.max(time)));
        }
        if !view.host.is_empty() {
            *group.hosts.entry(view.host.clone()).or_default() += 1;
        }
        // The first in order of time and event, whatever order the threads bring them in.
        let key = |view: &AlertView| (view.time, view.order.clone(), view.message.clone());
        let at = group.alerts.partition_point(|other| key(other) <= key(&view));
        if at < keep {
            group.alerts.insert(at, view);
            group.alerts.truncate(keep);
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.groups.values().map(|group| group.count).sum()
    }

    pub(crate) fn of_severity(&self, severity: Severity) -> u64 {
        self.groups.iter().filter(|(rule, _)| rule.severity.0 == severity).map(|(_, group)| group.count).sum()
    }

    /// Whether another rule has the same name: then the file must tell them apart.
    pub(crate) fn is_ambiguous(&self, rule: &RuleView) -> bool {
        self.groups.keys().any(|other| other.name == rule.name && other.path != rule.path)
    }

    /// `12 alerts: 1 critical, 11 high · 3 rules · 2 hosts`.
    pub(crate) fn summary(&self) -> String {
        let plural = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
        if self.groups.is_empty() {
            return "No alerts.".to_owned();
        }
        let severities: Vec<String> = Severity::ALL
            .into_iter()
            .rev()
            .map(|severity| (self.of_severity(severity), severity))
            .filter(|(count, _)| *count > 0)
            .map(|(count, severity)| format!("{count} {severity}"))
            .collect();
        let rules: std::collections::BTreeSet<_> = self.groups.keys().map(|rule| (&rule.id, &rule.path)).collect();
        format!(
            "{}: {} · {} · {}",
            plural(self.count() as usize, "alert"),
            severities.join(", "),
            plural(rules.len(), "rule"),
            plural(self.hosts.len(), "host"),
        )
    }
}

/// `2026-03-02 08:15:30`, in UTC.
pub(crate) fn clock(time: Option<Timestamp>) -> String {
    let Some(time) = time else { return "no time".to_owned() };
    Timestamp(time.0.div_euclid(1_000_000) * 1_000_000).to_string().replace('T', " ").trim_end_matches('Z').to_owned()
}
