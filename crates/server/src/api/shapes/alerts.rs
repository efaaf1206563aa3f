//! Alerts and what they add up to.

#![allow(dead_code, reason = "they are described, not made")]

use serde::Deserialize;
use serde_json::Value as Json;
use utoipa::ToSchema;

/// What an alert is for.
#[derive(Deserialize, ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum AlertKind {
    Finding,
    Risk,
    BuildingBlock,
    Incident,
}

/// How bad it is, from the least.
#[derive(Deserialize, ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum Severity {
    Informational,
    Low,
    Medium,
    High,
    Critical,
}

/// How far the work on an alert has come.
#[derive(Deserialize, ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum Status {
    Open,
    Acknowledged,
    Closed,
}

/// What an alert turned out to be.
#[derive(Deserialize, ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum Disposition {
    Undetermined,
    TruePositive,
    BenignPositive,
    FalsePositive,
    Duplicate,
    Test,
}

/// What alerts are sorted by; those that are equal by id.
#[derive(Deserialize, ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum SortKey {
    Time,
    Detected,
    Severity,
    RiskScore,
}

/// By what alerts are counted.
#[derive(Deserialize, ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum Facet {
    Rule,
    Severity,
    Status,
    Kind,
    Vendor,
    Assignee,
    Disposition,
    Hour,
    Day,
    Entity,
    Technique,
    Tactic,
    Story,
    Tag,
}

/// What was changed.
#[derive(Deserialize, ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum ChangedField {
    Status,
    Assignee,
    Disposition,
    Tag,
    Comment,
}

/// Which rule.
#[derive(ToSchema)]
pub(crate) struct AlertRule {
    /// The publisher's id.
    id: String,
    /// Its name, or what its name override took from the event.
    name: String,
    /// Whose format it is in.
    vendor: String,
    /// The query's language.
    language: String,
    /// The publisher's version.
    version: String,
    /// Its file.
    path: String,
}

/// Who or what an alert is about.
#[derive(ToSchema)]
pub(crate) struct Entity {
    /// The rule's name for the field.
    field: String,
    /// Its value.
    value: String,
    /// `user`, `system`, `process`, `file`, `ip`, `other`.
    #[schema(rename = "type")]
    kind: String,
    /// `victim`, `attacker`, `other`.
    role: String,
}

/// An alert as it stands.
#[derive(ToSchema)]
pub(crate) struct Alert {
    /// The same for the same rule and events, whenever they are looked at.
    id: String,
    /// When it happened.
    #[schema(format = DateTime)]
    time: String,
    /// When it was detected.
    #[schema(format = DateTime)]
    detected: String,
    /// The rule.
    rule: AlertRule,
    /// What it is for.
    kind: AlertKind,
    /// How bad it is.
    severity: Severity,
    /// 0–100.
    risk_score: f64,
    /// What happened.
    message: String,
    /// Ids of ATT&CK tactics.
    tactics: Vec<String>,
    /// Ids of ATT&CK techniques and sub-techniques.
    techniques: Vec<String>,
    /// Analytic stories.
    stories: Vec<String>,
    /// Who and what it is about.
    entities: Vec<Entity>,
    /// How many events made it.
    event_count: u64,
    /// How many further alerts it stands for.
    suppressed: u64,
    /// Until when further ones are counted in it.
    #[schema(format = DateTime, required)]
    suppression_end: Option<String>,
    /// What it is grouped by.
    group_key: String,
    /// The whole alert in the native layout, with its events; not where alerts are listed.
    document: Option<Json>,
    /// How far the work on it is.
    status: Status,
    /// Who works on it; empty: nobody.
    assignee: String,
    /// What people marked it with, in order.
    tags: Vec<String>,
    /// What it turned out to be.
    disposition: Disposition,
    /// The silence or maintenance window for which nobody was told of it.
    #[schema(required)]
    silenced_by: Option<String>,
    /// Goes up by one with every change that people make.
    revision: u64,
    /// When people last changed it; else when it was written down.
    #[schema(format = DateTime)]
    changed: String,
}

/// One thing that somebody did to an alert.
#[derive(ToSchema)]
pub(crate) struct HistoryEntry {
    /// Counts up over all alerts.
    number: u64,
    /// When.
    #[schema(format = DateTime)]
    time: String,
    /// Who.
    who: String,
    /// What was changed.
    what: ChangedField,
    /// What it was; empty: nothing.
    from: String,
    /// What it became, or the comment.
    to: String,
    /// The alert's revision after it.
    revision: u64,
}

/// An alert with its document and its history.
#[derive(ToSchema)]
pub(crate) struct AlertDetail {
    /// The same for the same rule and events, whenever they are looked at.
    id: String,
    /// When it happened.
    #[schema(format = DateTime)]
    time: String,
    /// When it was detected.
    #[schema(format = DateTime)]
    detected: String,
    /// The rule.
    rule: AlertRule,
    /// What it is for.
    kind: AlertKind,
    /// How bad it is.
    severity: Severity,
    /// 0–100.
    risk_score: f64,
    /// What happened.
    message: String,
    /// Ids of ATT&CK tactics.
    tactics: Vec<String>,
    /// Ids of ATT&CK techniques and sub-techniques.
    techniques: Vec<String>,
    /// Analytic stories.
    stories: Vec<String>,
    /// Who and what it is about.
    entities: Vec<Entity>,
    /// How many events made it.
    event_count: u64,
    /// How many further alerts it stands for.
    suppressed: u64,
    /// Until when further ones are counted in it.
    #[schema(format = DateTime, required)]
    suppression_end: Option<String>,
    /// What it is grouped by.
    group_key: String,
    /// The whole alert in the native layout, with its events; not where alerts are listed.
    document: Option<Json>,
    /// How far the work on it is.
    status: Status,
    /// Who works on it; empty: nobody.
    assignee: String,
    /// What people marked it with, in order.
    tags: Vec<String>,
    /// What it turned out to be.
    disposition: Disposition,
    /// The silence or maintenance window for which nobody was told of it.
    #[schema(required)]
    silenced_by: Option<String>,
    /// Goes up by one with every change that people make.
    revision: u64,
    /// When people last changed it; else when it was written down.
    #[schema(format = DateTime)]
    changed: String,
    /// What was done to it, oldest first.
    history: Vec<HistoryEntry>,
}

/// Which alerts. All that is stated must hold; of a list, one item must.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AlertFilter {
    /// Happened at this time or later.
    #[schema(format = DateTime)]
    from: Option<String>,
    /// Happened before this time.
    #[schema(format = DateTime)]
    until: Option<String>,
    /// Detected at this time or later.
    #[schema(format = DateTime)]
    detected_from: Option<String>,
    /// Detected before this time.
    #[schema(format = DateTime)]
    detected_until: Option<String>,
    /// At least as bad.
    severity: Option<Severity>,
    /// At least this score.
    risk_score: Option<f64>,
    /// How far the work is.
    #[serde(default)]
    #[schema(max_items = 200)]
    statuses: Vec<Status>,
    /// Who works on it; an empty text: nobody.
    #[serde(default)]
    #[schema(max_items = 200)]
    assignees: Vec<String>,
    /// What it turned out to be.
    #[serde(default)]
    #[schema(max_items = 200)]
    dispositions: Vec<Disposition>,
    /// What it is for.
    #[serde(default)]
    #[schema(max_items = 200)]
    kinds: Vec<AlertKind>,
    /// Ids of rules.
    #[serde(default)]
    #[schema(max_items = 200)]
    rules: Vec<String>,
    /// Whose rules.
    #[serde(default)]
    #[schema(max_items = 200)]
    vendors: Vec<String>,
    /// Keys of groups.
    #[serde(default)]
    #[schema(max_items = 200)]
    groups: Vec<String>,
    /// What people marked it with.
    #[serde(default)]
    #[schema(max_items = 200)]
    tags: Vec<String>,
    /// ATT&CK techniques; one stands for its sub-techniques too.
    #[serde(default)]
    #[schema(max_items = 200)]
    techniques: Vec<String>,
    /// ATT&CK tactics.
    #[serde(default)]
    #[schema(max_items = 200)]
    tactics: Vec<String>,
    /// Analytic stories.
    #[serde(default)]
    #[schema(max_items = 200)]
    stories: Vec<String>,
    /// Values of entities.
    #[serde(default)]
    #[schema(max_items = 200)]
    entities: Vec<String>,
    /// Stands anywhere in the message, the rule's name or id, or the value of an entity.
    #[schema(max_length = 1000)]
    text: Option<String>,
    /// Whether nobody was told of it because of a silence or maintenance window.
    silenced: Option<bool>,
}

/// The order of a list of alerts.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sort {
    /// By what.
    #[serde(default)]
    #[schema(nullable = false)]
    by: Option<SortKey>,
    /// Whether the largest comes first.
    #[serde(default)]
    descending: bool,
}

/// Which page.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageRequest {
    /// At most so many items.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 1000)]
    limit: u32,
    /// `next` or `previous` of another page of the same list.
    cursor: Option<String>,
}

/// What is to be changed; what is not there stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AlertChange {
    /// How far the work is.
    status: Option<Status>,
    /// Who works on it; an empty text: nobody.
    #[schema(max_length = 200)]
    assignee: Option<String>,
    /// What it turned out to be.
    disposition: Option<Disposition>,
    /// Tags to put on.
    #[serde(default)]
    #[schema(max_items = 200)]
    add_tags: Vec<String>,
    /// Tags to take off.
    #[serde(default)]
    #[schema(max_items = 200)]
    remove_tags: Vec<String>,
    /// What to say about it.
    comment: Option<String>,
}

/// Which alerts to change.
#[expect(clippy::large_enum_variant, reason = "only a shape, never made")]
#[derive(Deserialize, ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum Selection {
    /// These.
    Ids(Vec<String>),
    /// All that pass a filter.
    Filter(AlertFilter),
}

/// What a change of many did.
#[derive(ToSchema)]
pub(crate) struct BulkChange {
    /// Alerts that are different now.
    changed: Vec<String>,
    /// Alerts that were so already.
    unchanged: u64,
    /// Ids of which there is no alert.
    missing: Vec<String>,
}

/// How many alerts have one value.
#[derive(ToSchema)]
pub(crate) struct FacetCount {
    /// The value. An alert with several counts in each.
    value: String,
    /// What people call it; of rules the name.
    label: String,
    /// How many alerts.
    count: u64,
}

/// Alerts that belong together.
#[derive(ToSchema)]
pub(crate) struct AlertGroup {
    /// What they have in common.
    key: String,
    /// How many.
    count: u64,
    /// How many of them are not closed.
    unclosed: u64,
    /// When the first of them happened.
    #[schema(format = DateTime)]
    first: String,
    /// When the last of them happened.
    #[schema(format = DateTime)]
    last: String,
    /// The worst severity among them.
    severity: Severity,
    /// The highest score among them.
    risk_score: f64,
    /// How many rules.
    rules: u64,
    /// The name of one of the rules.
    rule_name: String,
}

/// The risk of an entity within a span.
#[derive(ToSchema)]
pub(crate) struct EntityRisk {
    /// The one name that the site has for it.
    normalized: String,
    /// What it is: `user`, `system`, `other`.
    #[schema(rename = "type")]
    kind: String,
    /// The sum of the calculated scores.
    score: f64,
    /// How many risk events.
    events: u64,
    /// From how many rules.
    rules: u64,
    /// When the first of them happened.
    #[schema(format = DateTime)]
    first: String,
    /// When the last of them happened.
    #[schema(format = DateTime)]
    last: String,
}

/// The risk of an entity within a span, and what it is made of.
#[derive(ToSchema)]
pub(crate) struct EntityRiskDetail {
    /// The one name that the site has for it.
    normalized: String,
    /// What it is: `user`, `system`, `other`.
    #[schema(rename = "type")]
    kind: String,
    /// The sum of the calculated scores.
    score: f64,
    /// How many risk events.
    events: u64,
    /// From how many rules.
    rules: u64,
    /// When the first of them happened.
    #[schema(format = DateTime)]
    first: String,
    /// When the last of them happened.
    #[schema(format = DateTime)]
    last: String,
    /// The ATT&CK tactics of its events, in order.
    tactics: Vec<String>,
    /// Their ATT&CK techniques.
    techniques: Vec<String>,
    /// The names that events have for it.
    names: Vec<String>,
}

/// One alert's addition to the risk of one entity.
#[derive(ToSchema)]
pub(crate) struct RiskEvent {
    /// The same for the same alert and entity.
    id: String,
    /// The alert.
    alert: String,
    /// When: the alert's time.
    #[schema(format = DateTime)]
    time: String,
    /// Who or what, as the event names it.
    object: String,
    /// The one name that the site has for it.
    normalized: String,
    /// What it is: `user`, `system`, `other`.
    #[schema(rename = "type")]
    kind: String,
    /// The field that named it.
    field: String,
    /// What the rule adds.
    score: f64,
    /// What it comes to after the site's risk factors.
    calculated: f64,
    /// What happened.
    message: String,
    /// The rule's id.
    rule_id: String,
    /// The rule's name.
    rule_name: String,
    /// Ids of ATT&CK tactics.
    tactics: Vec<String>,
    /// Ids of ATT&CK techniques.
    techniques: Vec<String>,
}

/// An incident as it stands: an alert, and what it has beyond that.
#[derive(ToSchema)]
pub(crate) struct Incident {
    /// The same for the same rule and events, whenever they are looked at.
    id: String,
    /// When it happened.
    #[schema(format = DateTime)]
    time: String,
    /// When it was detected.
    #[schema(format = DateTime)]
    detected: String,
    /// The rule.
    rule: AlertRule,
    /// What it is for.
    kind: AlertKind,
    /// How bad it is.
    severity: Severity,
    /// 0–100.
    risk_score: f64,
    /// What happened.
    message: String,
    /// Ids of ATT&CK tactics.
    tactics: Vec<String>,
    /// Ids of ATT&CK techniques and sub-techniques.
    techniques: Vec<String>,
    /// Analytic stories.
    stories: Vec<String>,
    /// Who and what it is about.
    entities: Vec<Entity>,
    /// How many events made it.
    event_count: u64,
    /// How many further alerts it stands for.
    suppressed: u64,
    /// Until when further ones are counted in it.
    #[schema(format = DateTime, required)]
    suppression_end: Option<String>,
    /// What it is grouped by.
    group_key: String,
    /// The whole alert in the native layout, with its events; not where alerts are listed.
    document: Option<Json>,
    /// How far the work on it is.
    status: Status,
    /// Who works on it; empty: nobody.
    assignee: String,
    /// What people marked it with, in order.
    tags: Vec<String>,
    /// What it turned out to be.
    disposition: Disposition,
    /// The silence or maintenance window for which nobody was told of it.
    #[schema(required)]
    silenced_by: Option<String>,
    /// Goes up by one with every change that people make.
    revision: u64,
    /// When people last changed it; else when it was written down.
    #[schema(format = DateTime)]
    changed: String,
    /// Who or what, as events name it.
    object: String,
    /// The one name that the site has for it.
    normalized: String,
    /// What it is: `user`, `system`, `other`.
    object_type: String,
    /// The sum of the calculated scores.
    score: f64,
    /// When the first of its risk events happened.
    #[schema(format = DateTime)]
    first: String,
    /// When the last of them happened.
    #[schema(format = DateTime)]
    last: String,
    /// How many risk events have contributed.
    contributions: u64,
}

/// An incident with what made it.
#[derive(ToSchema)]
pub(crate) struct IncidentDetail {
    /// The incident.
    incident: Incident,
    /// The alert that it is, with its document and its history.
    alert: AlertDetail,
    /// The contributing risk events, newest first; at most 1000.
    risk_events: Vec<RiskEvent>,
}
