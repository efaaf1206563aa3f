//! Silences, maintenance windows and targets: who is told of what.

use lurcher_triage::{
    AlertFilter, Error, MaintenanceSchedule, MaintenanceWindow, MatchOperator, Matcher, NewMaintenanceWindow,
    NewSilence, Silence,
};

use super::{
    database::{START, on_each},
    samples::{alert, alerts, at, commit, target},
};

fn matcher(field: &str, operator: MatchOperator, value: &str) -> Matcher {
    Matcher { field: field.into(), operator, value: value.into() }
}

use MatchOperator::{Equal, Glob, NotEqual};

#[test]
fn a_silence_holds_if_all_its_matchers_do() {
    let silence = |matchers: Vec<Matcher>| Silence {
        id: "s".into(),
        author: "ann".into(),
        comment: "why".into(),
        created: START,
        from: at(0),
        until: at(60),
        matchers,
    };
    let mut subject = alert(7);
    subject.group_key = "g".into();
    for (expected, matchers) in [
        (false, vec![]),
        (true, vec![matcher("rule.id", Equal, "rule-1")]),
        (true, vec![matcher("rule.name", Equal, "RULE NO. 1")]),
        (false, vec![matcher("rule.id", NotEqual, "rule-1")]),
        (true, vec![matcher("entity", Equal, "host-2")]),
        (false, vec![matcher("entity", NotEqual, "host-2")]),
        (true, vec![matcher("entity", NotEqual, "host-3")]),
        (true, vec![matcher("entity.system", Glob, "host-?")]),
        (false, vec![matcher("entity.user", Glob, "host-*")]),
        (true, vec![matcher("field.host.name", Glob, "*-2")]),
        (true, vec![matcher("severity", Equal, "critical"), matcher("technique", Glob, "t1105*")]),
        (false, vec![matcher("severity", Equal, "critical"), matcher("technique", Glob, "T1059*")]),
        (true, vec![matcher("kind", Equal, "finding"), matcher("message", Glob, "*no. 7.")]),
        (false, vec![matcher("story", Glob, "*")]),
        (
            true,
            vec![matcher("group", Equal, "g"), matcher("id", Equal, "00000007"), matcher("tactic", Equal, "ta0002")],
        ),
    ] {
        assert_eq!(silence(matchers.clone()).matches(&subject), expected, "{matchers:?}");
    }
    let one = silence(vec![matcher("id", Glob, "*")]);
    assert_eq!([at(-1), at(0), at(59), at(60)].map(|time| one.covers(time)), [false, true, true, false]);
}

#[test]
fn maintenance_recurs_by_its_cron_line() {
    let window = |schedule| MaintenanceWindow {
        id: "m".into(),
        author: "ann".into(),
        created: START,
        window: NewMaintenanceWindow { name: "m".into(), comment: String::new(), matchers: Vec::new(), schedule },
    };
    // 2026-03-02 is a Monday, and the clock begins at 08:00.
    let schedule = MaintenanceSchedule::Recurring { cron: "30 8 * * 1".into(), minutes: 30 };
    let covered = |seconds| window(schedule.clone()).window.schedule.covers(at(seconds));
    assert_eq!([1799, 1800, 3599, 3600].map(covered), [false, true, true, false]);
    assert_eq!([1800 + 86_400, 1800 + 7 * 86_400].map(covered), [false, true]);
    let once = MaintenanceSchedule::Once { from: at(0), until: at(10) };
    assert_eq!([-1, 0, 9, 10].map(|seconds| once.covers(at(seconds))), [false, true, true, false]);
    assert!(window(once).matches(&alert(1)));
}

#[test]
fn silenced_alerts_are_kept_and_nobody_is_told() {
    on_each("silenced_alerts_are_kept_and_nobody_is_told", async |store| {
        store.set_targets(vec![target("chat")]);
        let new = NewSilence {
            comment: "A test of the red team.".into(),
            from: None,
            until: at(100),
            matchers: vec![matcher("entity", Equal, "host-0")],
        };
        let silence = store.add_silence("ann", new).await.unwrap();
        let committed = store.commit(commit(1, alerts(0..10))).await.unwrap();
        assert_eq!((committed.new_alerts.len(), committed.letters), (10, 8));
        assert_eq!(committed.silenced, ["00000000", "00000005"]);
        let silenced = AlertFilter { silenced: Some(true), ..AlertFilter::default() };
        assert_eq!(store.count_alerts(&silenced).await.unwrap(), 2);
        assert_eq!(store.alert("00000005").await.unwrap().alert.silenced_by.as_deref(), Some(silence.id.as_str()));
        store.end_silence(&silence.id).await.unwrap();
        assert!(matches!(store.end_silence("nobody").await, Err(Error::Missing(_))));
        assert_eq!(store.commit(commit(2, alerts(10..20))).await.unwrap().letters, 10);
    });
}

#[test]
fn silences_are_listed_while_they_last() {
    on_each("silences_are_listed_while_they_last", async |store| {
        let new = |from: Option<i64>, until: i64| NewSilence {
            comment: "Why.".into(),
            from: from.map(at),
            until: at(until),
            matchers: vec![matcher("rule.id", Equal, "x")],
        };
        let first = store.add_silence("ann", new(None, 100)).await.unwrap();
        let later = store.add_silence("ann", new(Some(50), 200)).await.unwrap();
        assert_eq!(store.silences(false).await.unwrap().len(), 2);
        assert_eq!(store.silence(&first.id).await.unwrap(), first);
        // One that has not begun is gone, one that has is over.
        store.end_silence(&later.id).await.unwrap();
        store.pass(10);
        store.end_silence(&first.id).await.unwrap();
        assert_eq!((store.silences(false).await.unwrap().len(), store.silences(true).await.unwrap().len()), (0, 1));
        let long_ago = new(Some(-100), 5);
        let refused = [
            long_ago,
            NewSilence { matchers: Vec::new(), ..new(None, 100) },
            NewSilence { comment: " ".into(), ..new(None, 100) },
            NewSilence { matchers: vec![matcher("colour", Equal, "red")], ..new(None, 100) },
        ];
        for bad in refused {
            let refused = store.add_silence("ann", bad.clone()).await;
            assert!(matches!(refused, Err(Error::Invalid(_))), "{bad:?}");
        }
    });
}

#[test]
fn maintenance_windows_silence_what_they_are_about() {
    on_each("maintenance_windows_silence_what_they_are_about", async |store| {
        store.set_targets(vec![target("chat")]);
        let window = NewMaintenanceWindow {
            name: "Patch day".into(),
            comment: String::new(),
            matchers: vec![matcher("rule.vendor", Equal, "elastic")],
            schedule: MaintenanceSchedule::Recurring { cron: "0 8 * * *".into(), minutes: 10 },
        };
        let made = store.add_maintenance("ann", window.clone()).await.unwrap();
        assert_eq!(store.maintenance().await.unwrap(), std::slice::from_ref(&made));
        assert_eq!(store.commit(commit(1, alerts(0..9))).await.unwrap().letters, 6);
        store.pass(600);
        assert_eq!(store.commit(commit(2, alerts(9..18))).await.unwrap().letters, 9);
        store.remove_maintenance(&made.id).await.unwrap();
        assert!(matches!(store.remove_maintenance(&made.id).await, Err(Error::Missing(_))));
        for schedule in [
            MaintenanceSchedule::Recurring { cron: "every day".into(), minutes: 10 },
            MaintenanceSchedule::Recurring { cron: "0 8 * * *".into(), minutes: 0 },
            MaintenanceSchedule::Once { from: at(1), until: at(1) },
        ] {
            let refused = store.add_maintenance("ann", NewMaintenanceWindow { schedule, ..window.clone() }).await;
            assert!(matches!(refused, Err(Error::Invalid(_))));
        }
    });
}
