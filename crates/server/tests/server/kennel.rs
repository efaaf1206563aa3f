//! What the detector, the store and the deliveries do in these tests: little, and always the same.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use lurcher_server::{
    content::ContentKind,
    detection::{
        Backfill, Courier, Detection, DocumentForm, Enablement, Finding, Hunt, Refused, Reloaded, RuleInfo, Simulation,
        StreamInfo, Streams, TargetInfo,
    },
    jobs::Job,
};
use serde_json::{Value as Json, json};

/// Three rules, one of them broken.
pub(crate) struct Kennel {
    rules: Mutex<Vec<RuleInfo>>,
}

impl Default for Kennel {
    fn default() -> Self {
        let rule = |id: &str, vendor: &str, verdict: &str| RuleInfo {
            id: id.into(),
            name: format!("Rule {id}"),
            vendor: vendor.into(),
            enabled: true,
            verdict: verdict.into(),
            ..RuleInfo::default()
        };
        let rules = vec![rule("a", "elastic", "exact"), rule("b", "splunk", "exact"), rule("c", "sigma", "error")];
        Self { rules: Mutex::new(rules) }
    }
}

#[async_trait]
impl Detection for Kennel {
    fn rules(&self) -> Vec<RuleInfo> {
        self.rules.lock().unwrap().clone()
    }

    async fn source(&self, id: &str) -> Result<String, Refused> {
        self.rule(id).map(|rule| format!("title: {}\n", rule.name)).ok_or_else(|| Refused::Unknown(id.into()))
    }

    async fn set_enabled(&self, id: &str, change: Enablement) -> Result<(), Refused> {
        let mut rules = self.rules.lock().unwrap();
        let rule = rules.iter_mut().find(|rule| rule.id == id).ok_or_else(|| Refused::Unknown(id.into()))?;
        rule.enabled = change.enabled;
        Ok(())
    }

    async fn check(&self, _: ContentKind, _: &str, text: &[u8]) -> Vec<Finding> {
        let bad = text.windows(3).any(|window| window == b"bad");
        bad.then(|| Finding { is_error: true, message: "this is bad; make it good".into(), line: Some(2) })
            .into_iter()
            .collect()
    }

    async fn reload(&self) -> Result<Reloaded, Refused> {
        Ok(Reloaded { rules: 3, faults: vec!["c: it is broken".into()] })
    }

    async fn hunt(&self, hunt: Hunt, job: Arc<Job>) -> Result<Json, Refused> {
        if hunt.text == "broken" {
            return Err(Refused::Invalid("1:1: this is no query".into()));
        }
        while hunt.text == "for ever" && !job.is_cancelled() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let found = (0..5).take_while(|number| job.row(&json!({"event": {"number": number}}))).count();
        job.progress(1.0, 1000);
        Ok(json!({"found": found}))
    }

    async fn simulate(&self, _: Simulation, _: Arc<Job>) -> Result<Json, Refused> {
        Ok(json!({}))
    }

    async fn backfill(&self, _: Backfill, _: Arc<Job>) -> Result<Json, Refused> {
        Ok(json!({"created": 0}))
    }

    fn render(&self, document: &Json, form: DocumentForm) -> Result<Json, Refused> {
        Ok(json!({"form": form, "of": document["id"]}))
    }
}

#[async_trait]
impl Streams for Kennel {
    async fn streams(&self) -> Result<Vec<StreamInfo>, Refused> {
        Ok(vec![StreamInfo { name: "logs-x".into(), rows: 7, ..StreamInfo::default() }])
    }
}

#[async_trait]
impl Courier for Kennel {
    fn targets(&self) -> Vec<TargetInfo> {
        vec![TargetInfo { name: "chat".into(), kind: "slack".into(), ..TargetInfo::default() }]
    }

    async fn test(&self, target: &str) -> Result<(), Refused> {
        match target {
            "chat" => Err(Refused::Failed("connection refused".into())),
            other => Err(Refused::Unknown(other.into())),
        }
    }
}
