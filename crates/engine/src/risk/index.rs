//! The risk events of a run, by object, and the incidents in them.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use lurcher_ir::Rule;
use lurcher_schema::{Schemas, Timestamp};

use super::{
    ObjectType, RiskEvent, Site,
    incident::{IncidentRule, incident},
    stretches::{Stretch, Stretches},
};
use crate::Alert;

/// What is too old is forgotten at most so often, in microseconds: it costs a look at all objects.
const FORGET_EVERY: i64 = 3_600_000_000;

/// Of how many risk events of one object the evidence is kept.
const EVIDENCE: usize = 25;

/// What risk is counted for: its type and its normalised name.
type RiskObject = (ObjectType, String);

/// The risk events of a run.
#[derive(Debug)]
pub struct RiskIndex {
    site: Arc<Site>,
    /// With the rule that its incidents are alerts of.
    rules: Vec<(IncidentRule, Arc<Rule>)>,
    objects: BTreeMap<RiskObject, OfObject>,
    undated: u64,
    /// What got risk events since it was last looked for incidents that open.
    fresh: BTreeSet<RiskObject>,
    /// Where something may not have been told, longest waiting first.
    growing: VecDeque<RiskObject>,
    /// The last event of each rule's and object's incidents that are over and partly forgotten. What is left of them must not
    /// open another one.
    over: BTreeMap<(String, RiskObject), Timestamp>,
    /// What happened before this time was forgotten.
    forgotten: Timestamp,
}

/// The risk events of one object.
#[derive(Debug, Default)]
struct OfObject {
    /// In order.
    events: Vec<RiskEvent>,
    /// What has come since.
    new: Vec<RiskEvent>,
    /// By rule.
    stretches: Vec<Stretches>,
    /// Whether it waits among those that grow.
    grows: bool,
}

/// An incident that has opened or grown.
#[derive(Clone, Debug)]
pub struct RiskIncident {
    /// It as it stands.
    pub alert: Alert,
    /// The ids of the risk events that have come to it since it was last told ([`RiskEvent::id`]); some may have been told
    /// before.
    pub contributions: Vec<String>,
}

impl Default for RiskIndex {
    fn default() -> Self {
        Self::new(Arc::default())
    }
}

impl RiskIndex {
    /// An empty one, for the two rules that Splunk Enterprise Security is shipped with ([`IncidentRule::defaults`]).
    pub fn new(site: Arc<Site>) -> Self {
        Self {
            site,
            rules: IncidentRule::defaults().map(|rule| (rule.clone(), rule.rule())).to_vec(),
            objects: BTreeMap::new(),
            undated: 0,
            fresh: BTreeSet::new(),
            growing: VecDeque::new(),
            over: BTreeMap::new(),
            forgotten: Timestamp(i64::MIN),
        }
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
            if of_object.events.len() + of_object.new.len() >= EVIDENCE {
                event.event = None;
            }
            of_object.new.push(event);
        }
    }

    /// Adds a risk event of a former run as it is. What it opened was told then; how it grew may not have been.
    pub fn add(&mut self, event: RiskEvent) {
        let object = (event.kind, event.normalized.clone());
        let of_object = self.objects.entry(object.clone()).or_default();
        of_object.new.push(event);
        if !std::mem::replace(&mut of_object.grows, true) {
            self.growing.push_back(object);
        }
    }

    /// Forgets the risk events before a time, some time after they have become so old. It must lie two windows of any rule back,
    /// so that an incident that began before it is over. Says whether it was time for that.
    pub fn forget(&mut self, before: Timestamp) -> bool {
        if before.0 < self.forgotten.0.saturating_add(FORGET_EVERY) {
            return false;
        }
        self.forgotten = before;
        let Self { objects, over, rules, .. } = self;
        objects.retain(|object, of_object| {
            of_object.go_on(rules, object, over);
            let count = of_object.events.partition_point(|event| event.time < Some(before));
            if count == 0 {
                return true;
            }
            for ((rule, _), stretches) in rules.iter().zip(&mut of_object.stretches) {
                if let Some(last) = stretches.forget(&of_object.events, count) {
                    over.insert((rule.id.to_owned(), object.clone()), last);
                }
            }
            of_object.events.drain(..count);
            !of_object.events.is_empty()
        });
        over.retain(|_, last| *last >= before);
        true
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

    /// All incidents, in order of rules and objects.
    pub fn incidents(&mut self, schemas: &Schemas) -> Vec<Alert> {
        let mut incidents = Vec::new();
        for (object, of_object) in &mut self.objects {
            of_object.go_on(&self.rules, object, &self.over);
        }
        for (number, (rule, published)) in self.rules.iter().enumerate() {
            for of_object in self.objects.values() {
                let found = of_object.stretches.get(number).map(Stretches::found).unwrap_or_default();
                let events = &of_object.events;
                incidents.extend(found.iter().map(|one| incident(rule, published, one, one.events(events), schemas)));
            }
        }
        incidents
    }

    /// The incidents that have opened since this was last asked.
    pub fn opened(&mut self, schemas: &Schemas) -> Vec<RiskIncident> {
        let mut opened = Vec::new();
        for object in std::mem::take(&mut self.fresh) {
            let Some(of_object) = self.objects.get_mut(&object) else { continue };
            of_object.go_on(&self.rules, &object, &self.over);
            of_object.tell(&self.rules, schemas, Stretch::is_new, &mut opened);
            if of_object.has_grown() && !std::mem::replace(&mut of_object.grows, true) {
                self.growing.push_back(object);
            }
        }
        opened
    }

    /// The incidents that have grown since they were last told, those of objects that wait longest first, as long as
    /// `goes_on` says so.
    pub fn grown(&mut self, schemas: &Schemas, goes_on: &mut dyn FnMut() -> bool) -> Vec<RiskIncident> {
        let mut grown = Vec::new();
        while goes_on()
            && let Some(object) = self.growing.pop_front()
        {
            let Some(of_object) = self.objects.get_mut(&object) else { continue };
            of_object.grows = false;
            of_object.go_on(&self.rules, &object, &self.over);
            of_object.tell(&self.rules, schemas, Stretch::has_grown, &mut grown);
        }
        grown
    }
}

impl OfObject {
    /// Puts what has come into order, and looks for incidents in it.
    fn go_on(
        &mut self,
        rules: &[(IncidentRule, Arc<Rule>)],
        object: &RiskObject,
        over: &BTreeMap<(String, RiskObject), Timestamp>,
    ) {
        self.new.sort_by(|a, b| place(a).cmp(&place(b)));
        let Some(first) = self.new.first() else { return };
        let at = self.events.partition_point(|event| place(event) <= place(first));
        self.stretches.resize_with(rules.len(), Stretches::default);
        self.stretches.iter_mut().for_each(|stretches| stretches.make_room(&self.new, at));
        self.events.append(&mut self.new);
        // Two runs that are in order: they are merged.
        self.events[at..].sort_by(|a, b| place(a).cmp(&place(b)));
        for ((rule, _), stretches) in rules.iter().zip(&mut self.stretches) {
            let over = over.get(&(rule.id.to_owned(), object.clone())).copied();
            stretches.go_on(rule, &self.events, over);
        }
    }

    fn has_grown(&self) -> bool {
        self.stretches.iter().flat_map(Stretches::found).any(Stretch::has_grown)
    }

    /// Tells those of its incidents that are to be told.
    fn tell(
        &mut self,
        rules: &[(IncidentRule, Arc<Rule>)],
        schemas: &Schemas,
        is_wanted: impl Fn(&Stretch) -> bool,
        told: &mut Vec<RiskIncident>,
    ) {
        for ((rule, published), stretches) in rules.iter().zip(&mut self.stretches) {
            for one in stretches.found_mut().iter_mut().filter(|one| is_wanted(one)) {
                let contributions = one.tell(&self.events).iter().map(RiskEvent::id).collect();
                let alert = incident(rule, published, one, one.events(&self.events), schemas);
                told.push(RiskIncident { alert, contributions });
            }
        }
    }
}

/// What risk events of an object are ordered by.
fn place(event: &RiskEvent) -> (Option<Timestamp>, &str, &str) {
    (event.time, &event.alert, &event.field)
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use lurcher_ir::{EntityRole, EntityType, RuleMeta, Severity, Support, Threat};
    use lurcher_schema::Value;
    use proptest::prelude::*;

    use super::*;
    use crate::{AlertEntity, Match};

    const HOUR: i64 = 3_600_000;

    fn schemas() -> &'static Schemas {
        static SCHEMAS: LazyLock<Arc<Schemas>> = LazyLock::new(|| Schemas::builtin().unwrap());
        &SCHEMAS
    }

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
        let mut alert = Alert::new(&rule, schemas(), found);
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
        let found = index.incidents(schemas());
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
        let alerts: Vec<_> = (0..40 * 24)
            .step_by(3)
            .map(|h| alert(h, "a", ["TA1", "TA2", "TA3"][h as usize % 7 % 3], 30.0, "H1"))
            .collect();
        let mut whole = RiskIndex::default();
        alerts.iter().for_each(|alert| whole.take(alert));
        let mut index = RiskIndex::default();
        let mut told = BTreeSet::new();
        for alert in &alerts {
            index.take(alert);
            index.forget(Timestamp(alert.time.unwrap().0 - 14 * 24 * HOUR * 1000));
            told.extend(index.opened(schemas()).into_iter().map(|incident| incident.alert.id));
        }
        assert!(index.objects.values().all(|of_object| of_object.events.len() < 15 * 8 + 1), "it forgets");
        assert_eq!(told, whole.incidents(schemas()).into_iter().map(|alert| alert.id).collect::<BTreeSet<_>>());
    }

    proptest! {
        /// What is told bit by bit, in whatever order risk comes, is in the end what is found in all of it at once.
        #[test]
        fn the_order_in_which_risk_comes_does_not_matter(
            hours in prop::collection::vec((0_i64..240, 0_usize..5, 0_usize..4, 1_u8..60), 1..60),
            asks in prop::collection::vec(0_u8..4, 60),
        ) {
            let alerts: Vec<Alert> = hours
                .iter()
                .map(|(hour, rule, tactic, score)| {
                    let (rule, tactic) = (["a", "b", "c", "d", "e"][*rule], ["", "TA1", "TA2", "TA3"][*tactic]);
                    alert(*hour, rule, tactic, f64::from(*score), "H1")
                })
                .collect();
            let mut whole = RiskIndex::default();
            alerts.iter().for_each(|alert| whole.take(alert));
            let whole = whole.incidents(schemas());
            let mut index = RiskIndex::default();
            let mut told: BTreeMap<String, (Alert, BTreeSet<String>)> = BTreeMap::new();
            let mut tell = |incidents: Vec<RiskIncident>| {
                for RiskIncident { alert, contributions } in incidents {
                    let (known, events) = told.entry(alert.id.clone()).or_insert_with(|| (alert.clone(), BTreeSet::new()));
                    *known = alert;
                    events.extend(contributions);
                }
            };
            for (alert, ask) in alerts.iter().zip(&asks) {
                index.take(alert);
                if *ask > 0 {
                    tell(index.opened(schemas()));
                }
                if *ask > 1 {
                    tell(index.grown(schemas(), &mut || true));
                }
            }
            tell(index.opened(schemas()));
            tell(index.grown(schemas(), &mut || true));
            for alert in &whole {
                let (known, events) = &told[&alert.id];
                prop_assert_eq!(&known.message, &alert.message);
                prop_assert_eq!(&known.values, &alert.values);
                prop_assert_eq!(known.event_count, alert.event_count);
                prop_assert!(events.len() as u64 >= alert.event_count);
            }
        }
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
