//! Risk incidents: objects whose risk adds up.
//!
//! The two rules that Splunk Enterprise Security 7 is shipped with ("Default risk incident rules"), evaluated over
//! every position of their window instead of once an hour, so that what is found does not depend on when a schedule
//! happens to run: an incident opens with the risk event that fulfils the condition together with those of the same
//! object within the window before it. What comes within one window after the opening belongs to it (Splunk throttles
//! by object for as long); after that a new one may open.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use lurcher_ir::{AlertKind, Entity, EntityRole, EntityType, Message, Rule, RuleMeta, Severity, Support, Threat};
use lurcher_schema::{Object, Schemas, Timestamp, Value};

use super::{ObjectType, RiskEvent, Site};
use crate::{Alert, Match, alert_id};

/// What is too old is forgotten at most so often, in microseconds: it costs a look at all events of the object.
const FORGET_EVERY: i64 = 3_600_000_000;

/// How many of the rules that contributed are named in an incident's sentence.
const NAMED: usize = 5;

/// Of how many risk events of one object the evidence is kept.
const EVIDENCE: usize = 100;

/// When an object's risk is an incident.
#[derive(Clone, Debug, PartialEq)]
pub struct IncidentRule {
    /// A stable id.
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
    /// How far back risk events count.
    pub window: Duration,
    /// What must have come together.
    pub condition: Condition,
}

/// What must have come together in a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Condition {
    /// The scores sum to more than this.
    ScoreAbove(f64),
    /// At least so many ATT&CK tactics, from at least so many rules.
    Tactics {
        /// Distinct tactics.
        tactics: usize,
        /// Distinct rules.
        sources: usize,
    },
}

impl IncidentRule {
    /// The two rules that Splunk Enterprise Security is shipped with.
    pub fn defaults() -> [Self; 2] {
        const HOUR: u64 = 3600;
        [
            Self {
                id: "7d3e2b54-2c0a-4b5e-8a39-6a4c1d5f0e01",
                name: "Risk Threshold Exceeded for Object Over 24 Hour Period",
                window: Duration::from_secs(24 * HOUR),
                condition: Condition::ScoreAbove(100.0),
            },
            Self {
                id: "7d3e2b54-2c0a-4b5e-8a39-6a4c1d5f0e02",
                name: "ATT&CK Tactic Threshold Exceeded for Object Over Previous 7 Days",
                window: Duration::from_secs(7 * 24 * HOUR),
                condition: Condition::Tactics { tactics: 3, sources: 4 },
            },
        ]
    }

    fn rule(&self) -> Arc<Rule> {
        let score = matches!(self.condition, Condition::ScoreAbove(_));
        let meta = RuleMeta {
            id: self.id.into(),
            name: self.name.to_owned(),
            vendor: "splunk",
            language: "spl",
            kind: "Correlation".into(),
            description: "Risk events of one object that together pass a threshold.".into(),
            severity: if score { Severity::Medium } else { Severity::High },
            message: Message { template: "$risk_object_type$ $risk_object$".to_owned() },
            alert_kind: AlertKind::Finding,
            entities: [("user", EntityType::User), ("system", EntityType::System), ("other", EntityType::Other)]
                .map(|(field, kind)| Entity { field: field.to_owned(), kind, role: EntityRole::Victim, score: None })
                .to_vec(),
            ..RuleMeta::default()
        };
        Arc::new(Rule { meta, body: None, support: Support::default() })
    }

    fn holds(&self, window: &Running<'_>) -> bool {
        match self.condition {
            Condition::ScoreAbove(score) => window.score > score,
            Condition::Tactics { tactics, sources } => {
                window.tactics.len() >= tactics && window.sources.len() >= sources
            }
        }
    }
}

/// The risk events of a run.
#[derive(Debug, Default)]
pub struct RiskIndex {
    site: Arc<Site>,
    objects: BTreeMap<RiskObject, Vec<RiskEvent>>,
    undated: u64,
    /// What got risk events since incidents were last looked for.
    fresh: BTreeSet<RiskObject>,
    /// The last event of each rule's and object's incidents that are over and partly forgotten. What is left of them must not
    /// open another one.
    over: BTreeMap<(String, RiskObject), Timestamp>,
}

/// What risk is counted for: its type and its normalised name.
type RiskObject = (ObjectType, String);

impl RiskIndex {
    /// An empty one.
    pub fn new(site: Arc<Site>) -> Self {
        Self { site, ..Self::default() }
    }

    /// Adds what an alert says about its risk objects.
    pub fn take(&mut self, alert: &Alert) {
        for mut event in self.site.events(alert) {
            if event.time.is_none() {
                self.undated += 1;
                continue;
            }
            let object = (event.kind, event.normalized.clone());
            self.fresh.insert(object.clone());
            let of_object = self.objects.entry(object).or_default();
            if of_object.len() >= EVIDENCE {
                event.event = None;
            }
            of_object.push(event);
        }
    }

    /// Adds a risk event as it is.
    pub fn add(&mut self, event: RiskEvent) {
        self.objects.entry((event.kind, event.normalized.clone())).or_default().push(event);
    }

    /// Forgets the risk events before a time, some time after they have become so old. It must lie two windows of any rule back,
    /// so that an incident that began before it is over.
    pub fn forget(&mut self, before: Timestamp, rules: &[IncidentRule]) {
        let overdue = Timestamp(before.0.saturating_sub(FORGET_EVERY));
        let Self { objects, over, .. } = self;
        objects.retain(|object, events| {
            if events.iter().all(|event| event.time >= Some(overdue)) {
                return true;
            }
            in_order(events);
            for rule in rules {
                let key = (rule.id.to_owned(), object.clone());
                let begun = windows(rule, events, over.get(&key).copied()).into_iter();
                let begun =
                    begun.filter(|stretch| stretch.events.first().is_some_and(|event| event.time < Some(before)));
                if let Some(last) = begun.filter_map(|stretch| stretch.events.last()?.time).max() {
                    over.insert(key, last);
                }
            }
            events.retain(|event| event.time >= Some(before));
            !events.is_empty()
        });
        over.retain(|_, last| *last >= before);
    }

    /// Says that a rule's incident of an object, whose first events are not here, is over with an event at this time.
    pub fn is_over(&mut self, rule: &str, kind: ObjectType, normalized: &str, last: Timestamp) {
        let known = self.over.entry((rule.to_owned(), (kind, normalized.to_owned()))).or_insert(last);
        *known = last.max(*known);
    }

    /// How many risk events carry no time and can be in no incident.
    pub fn undated(&self) -> u64 {
        self.undated
    }

    /// The incidents that these rules find, in order of rules and objects.
    pub fn incidents(&mut self, rules: &[IncidentRule], schemas: &Schemas) -> Vec<Alert> {
        self.fresh = self.objects.keys().cloned().collect();
        self.fresh_incidents(rules, schemas)
    }

    /// The same for the objects of which an alert said something since this was last asked.
    pub fn fresh_incidents(&mut self, rules: &[IncidentRule], schemas: &Schemas) -> Vec<Alert> {
        let fresh = std::mem::take(&mut self.fresh);
        let mut incidents = Vec::new();
        for object in &fresh {
            self.objects.get_mut(object).into_iter().for_each(|events| in_order(events));
        }
        for rule in rules {
            let published = rule.rule();
            for (object, events) in fresh.iter().filter_map(|object| Some((object, self.objects.get(object)?))) {
                let over = self.over.get(&(rule.id.to_owned(), object.clone())).copied();
                let found = windows(rule, events, over).into_iter();
                incidents.extend(found.map(|found| incident(rule, &published, &found, schemas)));
            }
        }
        incidents
    }
}

/// A stretch of an object's risk events that is an incident, and how many of them opened it.
struct Stretch<'e> {
    events: &'e [RiskEvent],
    opening: usize,
}

fn in_order(events: &mut [RiskEvent]) {
    events.sort_by(|a, b| (a.time, &a.alert, &a.field).cmp(&(b.time, &b.alert, &b.field)));
}

/// The stretches of an object's risk events that are incidents, of those that come after a time.
fn windows<'e>(rule: &IncidentRule, events: &'e [RiskEvent], after: Option<Timestamp>) -> Vec<Stretch<'e>> {
    let span = i64::try_from(rule.window.as_micros()).unwrap_or(i64::MAX);
    let at = |event: &RiskEvent| event.time.unwrap_or(Timestamp(0)).0;
    let mut found = Vec::new();
    let mut begin = events.partition_point(|event| event.time <= after);
    let mut next = begin;
    let mut window = Running::default();
    while let Some(event) = events.get(next) {
        let now = at(event);
        window.add(event);
        while at(&events[begin]) <= now.saturating_sub(span) {
            window.remove(&events[begin]);
            begin += 1;
        }
        next += 1;
        if rule.holds(&window) {
            let end = events.partition_point(|event| at(event) <= now.saturating_add(span));
            found.push(Stretch { events: &events[begin..end], opening: next - begin });
            (begin, next, window) = (end, end, Running::default());
        }
    }
    found
}

/// What conditions look at, kept up as the window moves.
#[derive(Default)]
struct Running<'e> {
    score: f64,
    sources: HashMap<&'e str, usize>,
    tactics: HashMap<&'e str, usize>,
}

impl<'e> Running<'e> {
    fn add(&mut self, event: &'e RiskEvent) {
        self.score += event.calculated;
        *self.sources.entry(&event.rule.meta.name).or_default() += 1;
        for tactic in tactics(event) {
            *self.tactics.entry(tactic).or_default() += 1;
        }
    }

    fn remove(&mut self, event: &'e RiskEvent) {
        fn less<'e>(counts: &mut HashMap<&'e str, usize>, name: &'e str) {
            if let Some(count) = counts.get_mut(name) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(name);
                }
            }
        }
        self.score -= event.calculated;
        less(&mut self.sources, &event.rule.meta.name);
        tactics(event).for_each(|tactic| less(&mut self.tactics, tactic));
    }
}

fn tactics(event: &RiskEvent) -> impl Iterator<Item = &str> {
    event.rule.meta.threats.iter().map(|threat| threat.tactic.0.as_str()).filter(|id| !id.is_empty())
}

/// What a stretch of risk events comes to.
struct Totals<'e> {
    score: f64,
    /// The rules, and how many risk events each made.
    sources: BTreeMap<&'e str, usize>,
    tactics: BTreeSet<&'e str>,
    techniques: BTreeSet<&'e str>,
    stories: BTreeSet<&'e str>,
    alerts: BTreeSet<&'e str>,
}

impl<'e> Totals<'e> {
    fn of(events: &'e [RiskEvent]) -> Self {
        let threats = || events.iter().flat_map(|event| &event.rule.meta.threats);
        let mut sources = BTreeMap::new();
        for event in events {
            *sources.entry(event.rule.meta.name.as_str()).or_default() += 1;
        }
        Self {
            score: events.iter().map(|event| event.calculated).sum(),
            sources,
            tactics: events.iter().flat_map(tactics).collect(),
            techniques: threats().flat_map(|threat| &threat.techniques).map(|(id, _)| id.as_str()).collect(),
            stories: events.iter().flat_map(|event| &event.rule.meta.stories).map(String::as_str).collect(),
            alerts: events.iter().map(|event| event.alert.as_str()).collect(),
        }
    }

    /// The columns of the incident's row.
    fn row(&self, events: &[RiskEvent]) -> Object {
        let list = |texts: &BTreeSet<&str>| Value::list(texts.iter().map(|text| Value::text(*text)));
        let time = |event: Option<&RiskEvent>| {
            event.and_then(|event| event.time).map_or(Value::Null, |time| Value::text(time.to_string()))
        };
        let mut row = Object::default();
        if let Some(last) = events.last() {
            row.insert("risk_object", Value::text(last.object.as_str()));
            row.insert("normalized_risk_object", Value::text(last.normalized.as_str()));
            row.insert("risk_object_type", Value::text(last.kind.name()));
            row.insert(last.kind.name(), Value::text(last.object.as_str()));
            if let Some(record) = &last.record {
                row.insert("risk_object_priority", Value::text(record.priority.name()));
            }
        }
        // Scores are whole numbers but for factors.
        let score = if self.score.fract() == 0.0 { Value::Int(self.score as i64) } else { Value::Float(self.score) };
        row.insert("risk_score", score);
        row.insert("risk_event_count", Value::Int(events.len() as i64));
        row.insert("source_count", Value::Int(self.sources.len() as i64));
        row.insert("source", list(&self.sources.keys().copied().collect()));
        row.insert("mitre_tactic_id_count", Value::Int(self.tactics.len() as i64));
        row.insert("mitre_tactic_id", list(&self.tactics));
        row.insert("mitre_technique_id", list(&self.techniques));
        row.insert("analyticstories", list(&self.stories));
        row.insert("info_min_time", time(events.first()));
        row.insert("info_max_time", time(events.last()));
        row.insert("contributing_alerts", list(&self.alerts));
        row
    }

    /// What it comes to in a sentence: whose risk, how much of it, and from which rules, those with most risk events first.
    fn sentence(&self, condition: Condition, events: &[RiskEvent]) -> String {
        let object = events.last().map(|event| format!("{} {}", event.kind.name(), event.object)).unwrap_or_default();
        let counted = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        let much = match condition {
            Condition::ScoreAbove(_) => {
                // To two places, as factors may leave fractions.
                let score = (self.score * 100.0).round() / 100.0;
                format!("risk score {score} from {}", counted(events.len(), "risk event"))
            }
            Condition::Tactics { .. } => counted(self.tactics.len(), "ATT&CK tactic"),
        };
        let mut sources: Vec<(&str, usize)> = self.sources.iter().map(|(name, count)| (*name, *count)).collect();
        sources.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let of_rules = match condition {
            Condition::ScoreAbove(_) => "of",
            Condition::Tactics { .. } => "from",
        };
        let named: Vec<String> = sources
            .iter()
            .take(NAMED)
            .map(|(name, count)| if *count == 1 { (*name).to_owned() } else { format!("{name} ({count}×)") })
            .collect();
        let more = match sources.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!("{object}: {much} {of_rules} {}: {}{more}", counted(sources.len(), "rule"), named.join(", "))
    }
}

fn incident(rule: &IncidentRule, published: &Arc<Rule>, found: &Stretch<'_>, schemas: &Schemas) -> Alert {
    let Stretch { events, opening } = found;
    let total = Totals::of(events);
    let mut rule_of_incident = Rule::clone(published);
    rule_of_incident.meta.threats = threats(events);
    // It is about its object; whom else the events name is not at risk because of it.
    let kind = events.last().map_or("", |event| event.kind.name());
    rule_of_incident.meta.entities.retain(|entity| entity.field == kind);
    rule_of_incident.meta.stories = total.stories.iter().map(|story| (*story).to_owned()).collect();
    let evidence: BTreeMap<_, _> = events
        .iter()
        .filter_map(|event| event.event.as_ref())
        .map(|event| ((event.time, event.reference.clone()), event.clone()))
        .collect();
    let found = Match {
        events: evidence.into_values().map(Some).collect(),
        event_count: total.alerts.len() as u64,
        values: total.row(events),
        ..Match::default()
    };
    let mut alert = Alert::new(&Arc::new(rule_of_incident), schemas, found);
    // It grows and stays the same incident: what opened it tells it from others.
    let opened = events.iter().take(*opening).map(|event| event.alert.as_str());
    let object = events.last().map_or("", |event| event.normalized.as_str());
    alert.id = alert_id::of_parts([rule.id, kind, object].into_iter().chain(opened));
    alert.time = events.last().and_then(|event| event.time);
    alert.message = total.sentence(rule.condition, events);
    alert.risk_score = total.score.min(100.0);
    if let Condition::ScoreAbove(_) = rule.condition {
        alert.severity = match total.score {
            score if score < 250.0 => Severity::Medium,
            score if score < 500.0 => Severity::High,
            _ => Severity::Critical,
        };
    }
    alert
}

/// The tactics and techniques of all rules that contributed, each once.
fn threats(events: &[RiskEvent]) -> Vec<Threat> {
    let mut threats: Vec<Threat> = Vec::new();
    for threat in events.iter().flat_map(|event| &event.rule.meta.threats) {
        match threats.iter_mut().find(|known| known.tactic == threat.tactic && known.framework == threat.framework) {
            Some(known) => {
                let new = threat.techniques.iter().filter(|technique| !known.techniques.contains(technique)).cloned();
                let new: Vec<_> = new.collect();
                known.techniques.extend(new);
            }
            None => threats.push(threat.clone()),
        }
    }
    threats
}

#[cfg(test)]
mod tests {
    use lurcher_ir::Severity;

    use super::*;
    use crate::AlertEntity;

    const HOUR: i64 = 3_600_000;

    fn alert(hours: i64, rule: &str, tactic: &str, score: f64, host: &str) -> Alert {
        let meta = RuleMeta {
            id: rule.into(),
            name: rule.to_owned(),
            kind: "TTP".into(),
            risk_score: score,
            threats: vec![Threat { tactic: (tactic.into(), String::new()), ..Threat::default() }],
            ..RuleMeta::default()
        };
        let rule = Arc::new(Rule { meta, body: None, support: Support::default() });
        let mut found = Match { event_count: 1, ..Match::default() };
        found.values.insert("hour", Value::Int(hours));
        let mut alert = Alert::new(&rule, &Schemas::builtin().unwrap(), found);
        alert.time = Some(Timestamp::from_millis(hours * HOUR));
        alert.entities = vec![AlertEntity {
            field: "dest".into(),
            value: host.into(),
            kind: EntityType::System,
            role: EntityRole::Victim,
            score: None,
        }];
        alert
    }

    fn incidents(site: Site, alerts: &[Alert]) -> Vec<String> {
        let mut index = RiskIndex::new(Arc::new(site));
        for alert in alerts {
            index.take(alert);
        }
        let found = index.incidents(&IncidentRule::defaults(), &Schemas::builtin().unwrap());
        found.iter().map(|incident| format!("{} {}", incident.severity, incident.message)).collect()
    }

    #[test]
    fn scores_of_one_object_add_up_within_a_day() {
        let day: Vec<_> = [(0, "a"), (10, "b"), (23, "c")].map(|(h, rule)| alert(h, rule, "", 40.0, "H1")).into();
        let found = incidents(Site::default(), &day);
        assert_eq!(found, ["medium system H1: risk score 120 from 3 risk events of 3 rules: a, b, c"]);
        let spread: Vec<_> = [0, 12, 24].map(|h| alert(h, "a", "", 40.0, "H1")).into();
        assert_eq!(incidents(Site::default(), &spread), Vec::<String>::new(), "the first is a whole day old by then");
        let others: Vec<_> = ["H1", "H2", "H3"].map(|host| alert(0, "a", "", 40.0, host)).into();
        assert_eq!(incidents(Site::default(), &others), Vec::<String>::new());
    }

    #[test]
    fn exactly_the_threshold_is_not_above_it() {
        let alerts: Vec<_> = [0, 1].map(|h| alert(h, "a", "", 50.0, "H1")).into();
        assert_eq!(incidents(Site::default(), &alerts), Vec::<String>::new());
    }

    #[test]
    fn what_follows_within_the_window_belongs_to_the_incident() {
        let hours = [0, 1, 2, 20, 26, 40];
        let found = incidents(Site::default(), &hours.map(|h| alert(h, "a", "", 51.0, "H1")));
        assert_eq!(
            found,
            [
                "medium system H1: risk score 204 from 4 risk events of 1 rule: a (4×)",
                "medium system H1: risk score 102 from 2 risk events of 1 rule: a (2×)"
            ]
        );
    }

    #[test]
    fn forgetting_opens_no_incident_a_second_time() {
        let (rules, schemas) = (IncidentRule::defaults(), Schemas::builtin().unwrap());
        let alerts: Vec<_> = (0..40 * 24)
            .step_by(3)
            .map(|h| alert(h, "a", ["TA1", "TA2", "TA3"][h as usize % 7 % 3], 30.0, "H1"))
            .collect();
        let ids = |alerts: Vec<Alert>| alerts.into_iter().map(|alert| alert.id).collect::<BTreeSet<_>>();
        let mut whole = RiskIndex::default();
        alerts.iter().for_each(|alert| whole.take(alert));
        let mut index = RiskIndex::default();
        let mut told = BTreeSet::new();
        for alert in &alerts {
            index.take(alert);
            index.forget(Timestamp(alert.time.unwrap().0 - 14 * 24 * HOUR * 1000), &rules);
            told.extend(ids(index.fresh_incidents(&rules, &schemas)));
        }
        assert!(index.objects.values().all(|events| events.len() < 15 * 8 + 1), "it forgets");
        assert_eq!(told, ids(whole.incidents(&rules, &schemas)));
    }

    #[test]
    fn three_tactics_from_four_rules_in_a_week() {
        let day = 24;
        let alerts = [(0, "a", "TA1"), (day, "b", "TA2"), (2 * day, "c", "TA2"), (6 * day, "d", "TA3")]
            .map(|(h, rule, tactic)| alert(h, rule, tactic, 1.0, "H1"));
        assert_eq!(incidents(Site::default(), &alerts), ["high system H1: 3 ATT&CK tactics from 4 rules: a, b, c, d"]);
        assert_eq!(incidents(Site::default(), &alerts[..3]), Vec::<String>::new());
    }

    #[test]
    fn names_of_one_object_are_one_and_factors_change_scores() {
        let mut site = Site::default();
        let attributes = vec![("category".to_owned(), vec!["domain_controller".to_owned()])];
        let record = super::super::Record { name: "h1".into(), attributes, ..Default::default() };
        site.directory.insert(ObjectType::System, ["h1", "10.0.0.5"], record);
        let alerts = [alert(0, "a", "", 30.0, "H1"), alert(1, "b", "", 30.0, "10.0.0.5")];
        assert_eq!(incidents(site.clone(), &alerts), Vec::<String>::new());
        site.factors.push(super::super::RiskFactor {
            name: "servers".into(),
            operation: super::super::FactorOperation::Multiply,
            factor: 2.0,
            when: vec![("dest_category".into(), vec!["domain*".into()])],
        });
        assert_eq!(
            incidents(site, &alerts),
            ["medium system 10.0.0.5: risk score 120 from 2 risk events of 2 rules: a, b"]
        );
    }

    #[test]
    fn hunting_searches_and_correlations_add_no_risk() {
        for kind in ["Hunting", "correlation"] {
            let mut one = alert(0, "a", "", 100.0, "H1");
            let mut rule = Rule::clone(&one.rule);
            rule.meta.kind = kind.into();
            one.rule = Arc::new(rule);
            assert!(Site::default().events(&one).is_empty());
        }
        assert_eq!(alert(0, "a", "", 1.0, "H1").severity, Severity::Low);
    }
}
