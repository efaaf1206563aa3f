//! The ledger, silences, deliveries, keys and the audit log.

#![allow(dead_code, reason = "they are described, not made")]

use serde::Deserialize;
use utoipa::ToSchema;

/// One run of one rule.
#[derive(ToSchema)]
pub(crate) struct RuleRun {
    /// The rule's id.
    rule_id: String,
    /// Its name.
    rule_name: String,
    /// When it ran.
    #[schema(format = DateTime)]
    time: String,
    /// The first moment that it looked at.
    #[schema(format = DateTime)]
    from: String,
    /// The last.
    #[schema(format = DateTime)]
    to: String,
    /// Events in the window that passed the rule's filters.
    hits: u64,
    /// Alerts that it raised.
    created: u64,
    /// Alerts that were counted in others instead.
    suppressed: u64,
    /// Matches that an earlier run had found.
    known: u64,
    /// Matches beyond the most alerts that a run may raise.
    capped: u64,
    /// Events in the window that had not arrived yet.
    late: u64,
    /// How many runs after it saw the same.
    repeats: u64,
}

/// What the runs of one rule came to within a span.
#[derive(ToSchema)]
pub(crate) struct RunTotals {
    /// The rule's id.
    rule_id: String,
    /// Its name.
    rule_name: String,
    /// How many runs saw something, and how many saw the same after them.
    runs: u64,
    /// Events that passed the rule's filters.
    hits: u64,
    /// Alerts raised.
    created: u64,
    /// Alerts that were counted in others.
    suppressed: u64,
    /// Matches that were known.
    known: u64,
    /// Matches beyond the cap.
    capped: u64,
    /// Events that came late.
    late: u64,
}

/// A span that a rule should have looked at and did not.
#[derive(ToSchema)]
pub(crate) struct Gap {
    /// The rule's id; empty: all rules.
    rule_id: String,
    /// The first moment.
    #[schema(format = DateTime)]
    from: String,
    /// The last.
    #[schema(format = DateTime)]
    to: String,
    /// Why.
    reason: String,
    /// When it was looked at after all.
    #[schema(format = DateTime, required)]
    filled_at: Option<String>,
}

/// What is put aside.
#[derive(Deserialize, ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum QuarantineKind {
    Rule,
    Record,
}

/// Something that was put aside so that the rest can go on.
#[derive(ToSchema)]
pub(crate) struct Quarantine {
    /// What it is.
    kind: QuarantineKind,
    /// The rule's id, or the record's position.
    subject: String,
    /// Why.
    reason: String,
    /// When it first went wrong.
    #[schema(format = DateTime)]
    first_seen: String,
    /// When it last went wrong.
    #[schema(format = DateTime)]
    last_seen: String,
    /// How often.
    count: u64,
    /// When somebody let it go again.
    #[schema(format = DateTime, required)]
    released_at: Option<String>,
    /// Who did.
    released_by: String,
}

/// How a rule fares.
#[derive(Deserialize, ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum HealthState {
    Ok,
    Degraded,
    Failing,
    Quarantined,
    Disabled,
}

/// How a rule fares.
#[derive(ToSchema)]
pub(crate) struct RuleHealth {
    /// The rule's id.
    rule_id: String,
    /// Its name.
    rule_name: String,
    /// How it fares.
    state: HealthState,
    /// In words: the error, what is not exact.
    detail: String,
    /// When it last ran.
    #[schema(format = DateTime, required)]
    last_run: Option<String>,
    /// When it last ran well.
    #[schema(format = DateTime, required)]
    last_success: Option<String>,
    /// How long its last run took, in microseconds.
    #[schema(required)]
    last_micros: Option<u64>,
    /// How many runs have failed since the last that went well.
    failures: u64,
}

/// How a field is compared.
#[derive(Deserialize, ToSchema)]
pub(crate) enum MatchOperator {
    /// One of the field's values is this.
    #[schema(rename = "=")]
    Equal,
    /// None of the field's values is this.
    #[schema(rename = "!=")]
    NotEqual,
    /// One of the field's values fits this pattern: `*` is any run of characters, `?` any one.
    #[schema(rename = "glob")]
    Glob,
}

/// One condition on an alert. Case does not count.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Matcher {
    /// `id`, `kind`, `severity`, `message`, `group`, `rule.id`, `rule.name`, `rule.vendor`, `rule.language`, `rule.path`, `tactic`, `technique`, `story`, `entity`, `entity.TYPE`, `field.NAME`.
    #[schema(
        pattern = r"^(id|kind|severity|message|group|rule\.(id|name|vendor|language|path)|tactic|technique|story|entity|entity\..+|field\..+)$"
    )]
    field: String,
    /// How it is compared.
    op: MatchOperator,
    /// With what.
    value: String,
}

/// Alerts that nobody is told of for a while.
#[derive(ToSchema)]
pub(crate) struct Silence {
    /// Its id.
    id: String,
    /// Who made it.
    author: String,
    /// Why.
    comment: String,
    /// When it was made.
    #[schema(format = DateTime)]
    created: String,
    /// The first moment.
    #[schema(format = DateTime)]
    from: String,
    /// The first moment after it.
    #[schema(format = DateTime)]
    until: String,
    /// All of these must hold.
    matchers: Vec<Matcher>,
}

/// A silence to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSilence {
    /// Why.
    #[schema(min_length = 1)]
    comment: String,
    /// The first moment; by default now.
    #[schema(format = DateTime)]
    from: Option<String>,
    /// The first moment after it.
    #[schema(format = DateTime)]
    until: String,
    /// All of these must hold. At least one.
    #[schema(min_items = 1)]
    matchers: Vec<Matcher>,
}

/// When a maintenance window is.
#[derive(Deserialize, ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum MaintenanceSchedule {
    /// Once.
    Once {
        /// The first moment.
        #[schema(format = DateTime)]
        from: String,
        /// The first moment after it.
        #[schema(format = DateTime)]
        until: String,
    },
    /// Again and again.
    Recurring {
        /// When it begins: a cron line of five fields, in UTC.
        cron: String,
        /// How long it is.
        #[schema(minimum = 1)]
        minutes: u32,
    },
}

/// A maintenance window to be made.
#[derive(Deserialize, ToSchema)]
pub(crate) struct NewMaintenanceWindow {
    /// What it is called.
    #[schema(min_length = 1)]
    name: String,
    /// Why.
    #[serde(default)]
    comment: String,
    /// All of these must hold; none: all alerts.
    #[serde(default)]
    matchers: Vec<Matcher>,
    /// When it is.
    schedule: MaintenanceSchedule,
}

/// A time in which nobody is told.
#[derive(ToSchema)]
pub(crate) struct MaintenanceWindow {
    /// Its id.
    id: String,
    /// Who made it.
    author: String,
    /// When it was made.
    #[schema(format = DateTime)]
    created: String,
    /// What it is called.
    name: String,
    /// Why.
    comment: String,
    /// All of these must hold; none: all alerts.
    matchers: Vec<Matcher>,
    /// When it is.
    schedule: MaintenanceSchedule,
}

/// A letter that was given up.
#[derive(ToSchema)]
pub(crate) struct DeadLetter {
    /// Which letter.
    id: i64,
    /// To whom.
    target: String,
    /// The alert's id.
    alert: String,
    /// How often it was tried.
    attempts: u64,
    /// When it was put in.
    #[schema(format = DateTime)]
    created: String,
    /// When it was given up.
    #[schema(format = DateTime)]
    died: String,
    /// Why.
    error: String,
}

/// How many letters there are for one target.
#[derive(ToSchema)]
pub(crate) struct OutboxCount {
    /// To whom.
    target: String,
    /// Waiting to be sent.
    pending: u64,
    /// Given up.
    dead: u64,
    /// Taken, as far as they are still kept.
    delivered: u64,
    /// When the oldest that waits was put in.
    #[schema(format = DateTime, required)]
    oldest_pending: Option<String>,
}

/// Which dead letters.
#[derive(Deserialize, ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum DeadSelection {
    /// These.
    Ids(Vec<i64>),
    /// All for one target.
    Target(String),
}

/// A key, without its secret.
#[derive(ToSchema)]
pub(crate) struct Key {
    /// Its id; the part of a token that is no secret.
    id: String,
    /// What people call it.
    name: String,
    /// What it may be used for.
    role: crate::auth::Role,
    /// When it was made.
    #[schema(format = DateTime)]
    created: String,
    /// From when on it is good no more; null: never.
    #[schema(format = DateTime, required)]
    expires: Option<String>,
    /// When it was revoked.
    #[schema(format = DateTime, required)]
    revoked: Option<String>,
    /// When it was last used, to the minute.
    #[schema(format = DateTime, required)]
    last_used: Option<String>,
}

/// A key that was just made, with the one copy of its secret.
#[derive(ToSchema)]
pub(crate) struct NewKey {
    /// The key.
    key: Key,
    /// What is to be presented.
    token: String,
}

/// How it went.
#[derive(Deserialize, ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Ok,
    Denied,
    Failed,
}

/// A row of the audit log.
#[derive(ToSchema)]
pub(crate) struct AuditRow {
    /// Counts up without a gap.
    number: u64,
    /// When.
    #[schema(format = DateTime)]
    time: String,
    /// Who.
    who: String,
    /// The role that they had; empty: none.
    role: String,
    /// Where they came from; empty: from within.
    address: String,
    /// What they did.
    action: String,
    /// What they did it to.
    target: String,
    /// How it went.
    outcome: Outcome,
    /// More.
    detail: String,
    /// SHA-256 over all of it and the hash of the row before.
    hash: String,
}

/// What a check of the audit log found.
#[derive(ToSchema)]
pub(crate) struct AuditCheck {
    /// How many rows were looked at.
    rows: u64,
    /// The number of the last row.
    last_number: u64,
    /// The hash of the last row.
    last_hash: String,
    /// The first thing that does not fit; null: all fits.
    #[schema(required)]
    broken: Option<String>,
}

/// A hunt to be saved.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewHunt {
    /// What it is called; no two are called the same.
    #[schema(min_length = 1)]
    name: String,
    /// The query's language.
    language: String,
    /// The query.
    text: String,
    /// What it is for.
    #[serde(default)]
    description: String,
}

/// A saved hunt.
#[derive(ToSchema)]
pub(crate) struct SavedHunt {
    /// Its id.
    id: String,
    /// Who saved it first.
    author: String,
    /// When.
    #[schema(format = DateTime)]
    created: String,
    /// When it was last changed.
    #[schema(format = DateTime)]
    changed: String,
    /// What it is called; no two are called the same.
    name: String,
    /// The query's language.
    language: String,
    /// The query.
    text: String,
    /// What it is for.
    description: String,
}
