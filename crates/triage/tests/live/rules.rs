//! What people decided about rules, saved hunts, and what was put aside.

use lurcher_triage::{Commit, Error, Gap, HealthState, NewHunt, Quarantine, QuarantineKind, RuleDecision, RuleHealth};

use super::{
    database::on_each,
    samples::{at, commit},
};

#[test]
fn decisions_about_rules_stay_until_the_next() {
    on_each("decisions_about_rules_stay_until_the_next", async |store| {
        let off = RuleDecision { enabled: Some(false), why: Some("Too noisy.".into()), notes: None };
        store.decide_rule("rule-1", "ann", &off).await.unwrap();
        store.pass(5);
        let note = RuleDecision { notes: Some("Ask the vendor.".into()), ..RuleDecision::default() };
        let state = store.decide_rule("rule-1", "bob", &note).await.unwrap();
        assert_eq!((state.enabled, state.who.as_str(), state.time), (false, "bob", at(5)));
        assert_eq!((state.why.as_str(), state.notes.as_str()), ("Too noisy.", "Ask the vendor."));
        store.decide_rule("rule-0", "bob", &RuleDecision::default()).await.unwrap();
        let all = store.rule_states().await.unwrap();
        assert_eq!((all.len(), all[0].enabled, &all[1]), (2, true, &state));
        assert!(matches!(store.decide_rule("", "ann", &off).await, Err(Error::Invalid(_))));
    });
}

#[test]
fn hunts_are_saved_under_one_name_each() {
    on_each("hunts_are_saved_under_one_name_each", async |store| {
        let hunt = |name: &str| NewHunt {
            name: name.into(),
            language: "eql".into(),
            text: "process where true".into(),
            description: String::new(),
        };
        let one = store.save_hunt(None, "ann", hunt("b")).await.unwrap();
        store.save_hunt(None, "ann", hunt("a")).await.unwrap();
        assert!(matches!(store.save_hunt(None, "ann", hunt("a")).await, Err(Error::Invalid(_))));
        assert!(matches!(store.save_hunt(Some(&one.id), "ann", hunt("a")).await, Err(Error::Invalid(_))));
        assert!(matches!(store.save_hunt(Some("nobody"), "ann", hunt("z")).await, Err(Error::Missing(_))));
        assert!(matches!(store.save_hunt(None, "ann", hunt(" ")).await, Err(Error::Invalid(_))));
        store.pass(5);
        let changed = store.save_hunt(Some(&one.id), "bob", hunt("c")).await.unwrap();
        assert_eq!((changed.author.as_str(), changed.created, changed.changed), ("ann", at(0), at(5)));
        let names: Vec<_> = store.hunts().await.unwrap().into_iter().map(|hunt| hunt.hunt.name).collect();
        assert_eq!(names, ["a", "c"]);
        store.delete_hunt(&one.id).await.unwrap();
        assert!(matches!(store.delete_hunt(&one.id).await, Err(Error::Missing(_))));
    });
}

#[test]
fn gaps_are_filled_and_quarantines_released() {
    on_each("gaps_are_filled_and_quarantines_released", async |store| {
        let gap = |filled_at: Option<i64>| Gap {
            rule_id: String::new(),
            from: at(0),
            to: at(100),
            reason: "Down.".into(),
            filled_at: filled_at.map(at),
        };
        let quarantine = |last: i64, count| Quarantine {
            kind: QuarantineKind::Rule,
            subject: "rule-1".into(),
            reason: "It ran out of memory.".into(),
            first_seen: at(last),
            last_seen: at(last),
            count,
            released_at: None,
            released_by: String::new(),
        };
        let health = |state, failures| RuleHealth {
            rule_id: "rule-1".into(),
            rule_name: "One".into(),
            state,
            detail: "memory".into(),
            last_run: Some(at(1)),
            last_success: None,
            last_micros: None,
            failures,
        };
        let first = Commit {
            gaps: vec![gap(None)],
            quarantines: vec![quarantine(1, 1)],
            health: vec![health(HealthState::Quarantined, 3), health(HealthState::Failing, 2)],
            ..commit(1, Vec::new())
        };
        store.commit(first).await.unwrap();
        assert_eq!((store.gaps(false).await.unwrap().len(), store.quarantines(false).await.unwrap().len()), (1, 1));
        assert_eq!(store.rule_health().await.unwrap(), [health(HealthState::Failing, 2)]);
        store.pass(5);
        store.release(QuarantineKind::Rule, "rule-1", "ann").await.unwrap();
        assert!(store.quarantines(false).await.unwrap().is_empty());
        assert!(matches!(store.release(QuarantineKind::Record, "7", "ann").await, Err(Error::Missing(_))));
        let second = Commit { gaps: vec![gap(Some(7))], quarantines: vec![quarantine(9, 2)], ..commit(2, Vec::new()) };
        store.commit(second).await.unwrap();
        assert_eq!((store.gaps(false).await.unwrap().len(), store.gaps(true).await.unwrap().len()), (0, 1));
        let again = store.quarantines(false).await.unwrap();
        assert_eq!((again[0].first_seen, again[0].count, again[0].released_by.as_str()), (at(1), 2, "ann"));
    });
}
