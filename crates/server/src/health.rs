//! What each part of the server says about itself, for `/ready` and `/api/v1/status`.

use std::collections::BTreeMap;

use parking_lot::RwLock;
use serde::Serialize;
use utoipa::ToSchema;

/// How a part does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "state", content = "reason", rename_all = "lowercase")]
pub enum Condition {
    /// It does its work.
    Ready,
    /// It does its work, but somebody should look.
    Degraded(String),
    /// It does not do its work (yet).
    Unready(String),
}

/// The parts and how they do.
#[derive(Debug, Default)]
pub struct Health(RwLock<BTreeMap<&'static str, Condition>>);

impl Health {
    /// Says how a part does. A change is logged.
    pub fn set(&self, part: &'static str, condition: Condition) {
        let before = self.0.write().insert(part, condition.clone());
        if before.as_ref() == Some(&condition) {
            return;
        }
        match &condition {
            Condition::Ready if before.is_some() => tracing::info!(part, "ready"),
            Condition::Ready => {}
            Condition::Degraded(reason) => tracing::warn!(part, reason, "degraded"),
            Condition::Unready(reason) => tracing::warn!(part, reason, "not ready"),
        }
    }

    /// All parts.
    pub fn parts(&self) -> BTreeMap<&'static str, Condition> {
        self.0.read().clone()
    }

    /// Whether every part does its work.
    pub fn is_ready(&self) -> bool {
        self.0.read().values().all(|condition| !matches!(condition, Condition::Unready(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_part_that_does_not_work_is_enough() {
        let health = Health::default();
        health.set("store", Condition::Ready);
        health.set("disk", Condition::Degraded("nearly full".into()));
        assert!(health.is_ready());
        health.set("detector", Condition::Unready("loads rules".into()));
        assert!(!health.is_ready());
        assert_eq!(
            serde_json::to_value(health.parts()).unwrap()["detector"],
            serde_json::json!({"state": "unready", "reason": "loads rules"})
        );
    }
}
