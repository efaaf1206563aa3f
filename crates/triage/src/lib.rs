//! What was found and what people made of it: alerts, risk, incidents, silences, ledger, keys; in SQL.
//!
//! [`Triage`] is the one way in. It is told what the detector made of a block of the journal by [`Triage::commit`], in one
//! transaction with the place in the journal; everything else is looked up and changed by people through the server.
//!
//! SQLite, in one file, is the default; PostgreSQL is for sites that outgrow it. There is one set of statements, and one
//! module, `dialect`, that knows the difference.
//!
//! This crate does not know rules, events or the engine: it takes plain structs, which the server fills.

mod alert;
mod alert_change;
mod alert_insert;
mod alert_list;
mod audit;
mod commit;
mod dialect;
mod error;
mod filter;
mod identifier;
mod incident;
mod key;
mod matcher;
mod migration;
mod open;
mod outbox;
mod page;
mod retention;
mod rfc3339;
mod risk;
mod rule_run;
mod rule_state;
mod silence;
mod sql;
mod word;

pub use alert::{
    Alert, AlertDetail, AlertKind, AlertRule, ChangedField, Disposition, Entity, Grouping, HistoryEntry, NewAlert,
    Severity, Status,
};
pub use alert_change::{AlertChange, BulkChange, Selection};
pub use alert_list::{AlertGroup, Facet, FacetCount, Sort, SortKey};
pub use audit::{AuditCheck, AuditEntry, AuditFilter, AuditRow, Outcome};
pub use commit::{AlertUpdate, Checkpoint, Commit, Committed};
pub use error::{Error, Result};
pub use filter::AlertFilter;
pub use incident::{Incident, IncidentDetail, NewIncident};
pub use key::{Key, NewKey, Role};
pub use matcher::{MatchOperator, Matcher, Recipient};
pub use open::{Limits, Triage};
pub use outbox::{DeadLetter, DeadSelection, Delivery, OutboxCount};
pub use page::{Page, PageRequest};
pub use retention::{Expired, Expiry, IntegrityCheck, copy_database};
pub use risk::{EntityRisk, EntityRiskDetail, RiskEvent, Span};
pub use rule_run::{Gap, HealthState, Quarantine, QuarantineKind, RuleHealth, RuleRun, RunTotals};
pub use rule_state::{NewHunt, RuleDecision, RuleState, SavedHunt};
pub use silence::{MaintenanceSchedule, MaintenanceWindow, NewMaintenanceWindow, NewSilence, Silence};
