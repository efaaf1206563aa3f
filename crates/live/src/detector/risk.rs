//! What alerts add up to while they come: risk incidents, and the events that searches over the risk index read.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use lurcher_engine::{
    Alert,
    risk::{ObjectType, RiskEvent, RiskIncident, RiskIndex, Site},
};
use lurcher_ir::{Rule, RuleMeta, Support, Threat};
use lurcher_outputs::splunk;
use lurcher_schema::{EventBatch, Schemas, Timestamp};
use lurcher_triage::{AlertFilter, Incident, PageRequest, RiskEvent as StoredRisk, Span, Triage};
use serde_json::Value as Json;

use crate::rules::rule_id;

/// Risk of this age counts for no incident any more, in microseconds: the longest window of the incident rules.
const WINDOW: i64 = 7 * 86_400_000_000;

/// What the store remembers of risk.
#[derive(Default)]
pub(super) struct Remembered {
    events: Vec<StoredRisk>,
    incidents: Vec<Incident>,
}

impl Remembered {
    /// Of as long ago as it may count at a time.
    pub(super) async fn read(triage: &Triage, now: Timestamp) -> lurcher_triage::Result<Self> {
        let from = |windows: i64| Timestamp(now.0.saturating_sub(WINDOW * windows));
        let mut remembered = Self::default();
        let mut page = PageRequest { limit: 1000, cursor: None };
        loop {
            let part = triage.risk_events(Span { from: from(2), until: Timestamp(i64::MAX) }, &page).await?;
            remembered.events.extend(part.items);
            match part.next {
                Some(next) => page.cursor = Some(next),
                None => break,
            }
        }
        // One that began before those events may have gone on for two windows.
        let filter = AlertFilter { from: Some(from(4)), ..AlertFilter::default() };
        page.cursor = None;
        loop {
            let part = triage.incidents(&filter, None, &page).await?;
            remembered.incidents.extend(part.items.into_iter().filter(|incident| incident.first < from(2)));
            match part.next {
                Some(next) => page.cursor = Some(next),
                None => return Ok(remembered),
            }
        }
    }
}

fn object_type(name: &str) -> ObjectType {
    match name {
        "user" => ObjectType::User,
        "system" => ObjectType::System,
        _ => ObjectType::Other,
    }
}

/// The risk of the last days.
pub(super) struct LiveRisk {
    site: Arc<Site>,
    incidents: bool,
    index: RiskIndex,
    /// The alerts whose risk is counted, and when: what is found again after a restart counts once.
    counted: HashMap<String, Timestamp>,
    /// How many risk events have been made, which numbers them.
    made: u64,
}

impl LiveRisk {
    /// With the risk that the store remembers.
    pub(super) fn new(site: &Arc<Site>, incidents: bool, known: Remembered, rules: &[Arc<Rule>]) -> Self {
        let by_id: BTreeMap<String, &Arc<Rule>> = rules.iter().map(|rule| (rule_id(rule), rule)).collect();
        let mut index = RiskIndex::new(Arc::clone(site));
        let counted = known.events.iter().map(|event| (event.alert.clone(), event.time)).collect();
        for incident in &known.incidents {
            let kind = object_type(&incident.object_type);
            index.is_over(&incident.alert.found.rule.id, kind, &incident.normalized, incident.last);
        }
        for event in known.events {
            let rule = by_id.get(&event.rule_id).map_or_else(|| departed(&event), |rule| Arc::clone(rule));
            index.add(RiskEvent {
                alert: event.alert.into(),
                rule,
                time: Some(event.time),
                object: event.object,
                normalized: event.normalized,
                kind: object_type(&event.kind),
                field: event.field,
                score: event.score,
                calculated: event.calculated,
                message: event.message,
                record: None,
                event: None,
            });
        }
        Self { site: Arc::clone(site), incidents, index, counted, made: 0 }
    }

    /// Takes what alerts say about their risk objects; returns the incidents that opened.
    pub(super) fn take(&mut self, alerts: &[Alert], schemas: &Schemas, now: Timestamp) -> Vec<RiskIncident> {
        if !self.incidents || alerts.is_empty() {
            return Vec::new();
        }
        for alert in alerts {
            if self.counted.insert(alert.id.clone(), alert.time.unwrap_or(now)).is_none() {
                self.index.take(alert);
            }
        }
        let before = Timestamp(now.0.saturating_sub(WINDOW * 2));
        if self.index.forget(before) {
            self.counted.retain(|_, time| *time >= before);
        }
        detected(self.index.opened(schemas), now)
    }

    /// The incidents that have grown since they were last told, as long as `goes_on` says so.
    pub(super) fn grown(
        &mut self,
        schemas: &Schemas,
        now: Timestamp,
        goes_on: &mut dyn FnMut() -> bool,
    ) -> Vec<RiskIncident> {
        if self.incidents { detected(self.index.grown(schemas, goes_on), now) } else { Vec::new() }
    }

    /// The alerts' risk events as Splunk would have them in its risk index, for searches over it.
    pub(super) fn batch(&mut self, alerts: &[Alert], schemas: &Schemas) -> Option<EventBatch> {
        let events: Vec<Json> =
            alerts.iter().flat_map(|alert| splunk::risk_events(alert, schemas, &self.site)).collect();
        if events.is_empty() {
            return None;
        }
        let first = self.made;
        self.made += events.len() as u64;
        splunk::risk_batch(&events, first).ok()
    }
}

/// Says when incidents were found.
fn detected(mut incidents: Vec<RiskIncident>, now: Timestamp) -> Vec<RiskIncident> {
    incidents.iter_mut().for_each(|incident| incident.alert.detected = Some(now));
    incidents
}

/// A rule that is not loaded any more, as far as its risk event tells of it.
fn departed(event: &StoredRisk) -> Arc<Rule> {
    let techniques = event.techniques.iter().map(|id| (id.clone(), String::new())).collect();
    let mut threats: Vec<Threat> =
        event.tactics.iter().map(|id| Threat { tactic: (id.clone(), String::new()), ..Threat::default() }).collect();
    if let Some(first) = threats.first_mut() {
        first.techniques = techniques;
    }
    let meta =
        RuleMeta { id: event.rule_id.as_str().into(), name: event.rule_name.clone(), threats, ..RuleMeta::default() };
    Arc::new(Rule { meta, body: None, support: Support::default() })
}
