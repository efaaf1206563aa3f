//! `[triage]`: how alerts, and what people make of them, are kept.

use lurcher_schema::Timestamp;
use lurcher_triage::{Expiry, Grouping};
use serde::Deserialize;

use super::{Fault, Span};

/// How alerts are kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TriageSettings {
    /// The variable of the environment that holds the URL of a PostgreSQL database, `postgres://USER:PASSWORD@HOST/NAME`.
    /// Without it alerts are in one file in the folder of state.
    pub postgres_env: Option<String>,
    /// By what alerts are grouped: `"rule_and_entity"`, `"rule"` or `{ entity = { within_seconds = 3600 } }`.
    pub grouping: Grouping,
    /// How long alerts are kept after they were detected; here and below `"0s"` means without end.
    pub keep_alerts: Span,
    /// Whether alerts that are not closed are kept whatever their age.
    pub keep_unclosed: bool,
    /// How long what adds to risk is kept.
    pub keep_risk: Span,
    /// How long runs of rules, filled gaps and ended silences are kept.
    pub keep_runs: Span,
    /// How long letters are kept that were delivered or given up.
    pub keep_letters: Span,
    /// How long the audit log is kept.
    pub keep_audit: Span,
}

impl Default for TriageSettings {
    fn default() -> Self {
        let days = |days: u64| Span::seconds(days * 86_400);
        Self {
            postgres_env: None,
            grouping: Grouping::default(),
            keep_alerts: days(365),
            keep_unclosed: true,
            keep_risk: days(90),
            keep_runs: days(30),
            keep_letters: days(30),
            keep_audit: days(365),
        }
    }
}

impl TriageSettings {
    /// What is too old now.
    pub fn expiry(&self, now: Timestamp) -> Expiry {
        let before = |kept: Span| {
            let micros = i64::try_from(kept.0.as_micros()).unwrap_or(i64::MAX);
            (micros > 0).then(|| Timestamp(now.0.saturating_sub(micros)))
        };
        Expiry {
            alerts: before(self.keep_alerts),
            keep_unclosed: self.keep_unclosed,
            risk_events: before(self.keep_risk),
            runs: before(self.keep_runs),
            letters: before(self.keep_letters),
            audit: before(self.keep_audit),
        }
    }

    /// The URL of the database: of the environment if the settings say so, else of this file.
    pub fn url(&self, file: &std::path::Path) -> Result<String, String> {
        match &self.postgres_env {
            None => Ok(format!("sqlite:{}", file.display())),
            Some(name) => std::env::var(name).map_err(|_| {
                format!(
                    "[triage] postgres_env: the environment has no {name}: set it to postgres://USER:PASSWORD@HOST/NAME"
                )
            }),
        }
    }

    /// What is wrong with it.
    pub(super) fn check(&self, faults: &mut Vec<Fault>) {
        if self.postgres_env.as_ref().is_some_and(|name| name.contains("://")) {
            let way_out = "put the URL into a variable of the environment and name that here";
            // The URL itself is not repeated: it holds a password.
            faults.push(Fault::new("triage", "postgres_env", "is a URL, not the name of a variable", way_out));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_old_is_counted_from_now() {
        let settings = TriageSettings { keep_runs: Span::seconds(0), ..TriageSettings::default() };
        let expiry = settings.expiry(Timestamp(400 * 86_400_000_000));
        assert_eq!(expiry.alerts, Some(Timestamp(35 * 86_400_000_000)));
        assert_eq!(expiry.runs, None, "without end");
    }

    #[test]
    fn a_password_is_not_repeated() {
        let settings =
            TriageSettings { postgres_env: Some("postgres://u:hunter2@h/n".into()), ..TriageSettings::default() };
        let mut faults = Vec::new();
        settings.check(&mut faults);
        assert!(faults.len() == 1 && !format!("{faults:?}").contains("hunter2"));
        let absent =
            TriageSettings { postgres_env: Some("LURCHER_NO_SUCH_VARIABLE".into()), ..TriageSettings::default() };
        assert!(absent.url("x".as_ref()).unwrap_err().contains("LURCHER_NO_SUCH_VARIABLE"));
        assert_eq!(TriageSettings::default().url("x".as_ref()), Ok("sqlite:x".into()));
    }
}
