//! Alerts over the API: lists, pages, changes, documents; and that what is answered is what the document says.

use lurcher_schema::Timestamp;
use lurcher_server::auth::Role;
use lurcher_triage::{
    AlertKind, AlertRule, Commit, Entity, Gap, HealthState, NewAlert, Quarantine, QuarantineKind, RiskEvent,
    RuleHealth, RuleRun, Severity,
};
use serde_json::{Value as Json, json};

use crate::house::House;

const NOW: &str = "2026-03-02T08:00:00Z";

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn alert(number: u64) -> NewAlert {
    NewAlert {
        id: format!("alert-{number}"),
        time: Timestamp(time(NOW).0 + number as i64),
        detected: time(NOW),
        rule: AlertRule { id: "a".into(), name: "Rule a".into(), vendor: "elastic".into(), ..AlertRule::default() },
        kind: AlertKind::Finding,
        severity: if number == 0 { Severity::Critical } else { Severity::Low },
        risk_score: 20.5,
        message: format!("it happened {number} times"),
        tactics: vec!["TA0003".into()],
        techniques: vec!["T1197".into()],
        stories: vec![],
        entities: vec![Entity {
            field: "host.name".into(),
            value: "ws01".into(),
            kind: "system".into(),
            role: "victim".into(),
        }],
        event_count: 1,
        suppressed: 0,
        suppression_end: None,
        group_key: String::new(),
        document: json!({"id": format!("alert-{number}"), "events": [{"doc": {"x": 1}}]}),
    }
}

/// A server with something of everything.
pub(crate) async fn furnished() -> House {
    let house = House::open_with(|settings, _| settings.limits.wrong_keys_per_minute = 1_000_000).await;
    let risk = RiskEvent {
        id: "r".into(),
        alert: "alert-0".into(),
        time: time(NOW),
        object: "ws01".into(),
        normalized: "ws01".into(),
        kind: "system".into(),
        score: 20.0,
        calculated: 40.0,
        ..RiskEvent::default()
    };
    let run = RuleRun {
        rule_id: "a".into(),
        rule_name: "Rule a".into(),
        time: time(NOW),
        from: time(NOW),
        to: time(NOW),
        hits: 3,
        ..RuleRun::default()
    };
    let gap = Gap {
        rule_id: "a".into(),
        from: time(NOW),
        to: time("2026-03-02T09:00:00Z"),
        reason: "it was down".into(),
        filled_at: None,
    };
    let aside = Quarantine {
        kind: QuarantineKind::Rule,
        subject: "c".into(),
        reason: "it broke".into(),
        first_seen: time(NOW),
        last_seen: time(NOW),
        count: 1,
        released_at: None,
        released_by: String::new(),
    };
    let health = RuleHealth {
        rule_id: "a".into(),
        rule_name: "Rule a".into(),
        state: HealthState::Ok,
        detail: String::new(),
        last_run: Some(time(NOW)),
        last_success: None,
        last_micros: Some(5),
        failures: 0,
    };
    let commit = Commit {
        consumer: "detector".into(),
        position: 9,
        alerts: (0..5).map(alert).collect(),
        risk_events: vec![risk],
        runs: vec![run],
        gaps: vec![gap],
        quarantines: vec![aside],
        health: vec![health],
        ..Commit::default()
    };
    house.triage.commit(commit).await.unwrap();
    house
}

#[tokio::test]
async fn alerts_are_listed_in_pages_filtered_and_counted() {
    let house = furnished().await;
    let mut seen = Vec::new();
    let mut path = "/api/v1/alerts?limit=2&sort=time&ascending=true".to_owned();
    loop {
        let page = house.get(&path).await.json();
        seen.extend(page["items"].as_array().unwrap().iter().map(|alert| alert["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/v1/alerts?limit=2&sort=time&ascending=true&cursor={next}");
    }
    assert_eq!(seen, ["alert-0", "alert-1", "alert-2", "alert-3", "alert-4"]);
    for (query, expected) in [
        ("severity=critical", 1),
        ("severity=low&status=open,closed", 5),
        ("status=closed", 0),
        ("entity=WS01&technique=T1197&rule=a,b", 5),
        ("text=happened%203", 1),
        ("until=2026-03-02T08:00:00Z", 0),
    ] {
        let found = house.get(&format!("/api/v1/alerts?{query}")).await.json();
        assert_eq!(found["items"].as_array().unwrap().len(), expected, "{query}");
    }
    for query in
        ["severity=awful", "status=open,shut", "from=yesterday", "limit=0", "limit=x", "sort=beauty", "cursor=zzz"]
    {
        let refused = house.get(&format!("/api/v1/alerts?{query}")).await;
        assert!(matches!(refused.status, 400 | 422), "{query} {refused:?}");
    }
    let facets = house.get("/api/v1/alerts/facets?by=severity").await.json();
    assert_eq!(facets["total"], 5);
    assert_eq!(facets["items"][0], json!({"value": "critical", "label": "", "count": 1}));
    let search = json!({"filter": {"severity": "critical"}, "page": {"limit": 1}});
    assert_eq!(
        house.ask("POST", "/api/v1/alerts/search", &house.admin, Some(search)).await.json()["items"][0]["id"],
        "alert-0"
    );
    let list = json!({"filter": [null, null]});
    assert_eq!(house.ask("POST", "/api/v1/alerts/search", &house.admin, Some(list)).await.status, 422, "no object");
    assert_eq!(house.get("/api/v1/groups").await.json()["items"][0]["count"], 5);
    house.close().await;
}

#[tokio::test]
async fn work_on_an_alert_is_kept_and_told() {
    let house = furnished().await;
    let key = house.key(Role::Analyst).await;
    let mut told = house.events.subscribe(None);
    let change = json!({"status": "acknowledged", "assignee": "ann", "add_tags": ["phish"], "comment": "mine"});
    let changed = house.ask("PATCH", "/api/v1/alerts/alert-1", &key, Some(change.clone())).await;
    assert_eq!((changed.status, &changed.json()["status"]), (200, &json!("acknowledged")), "{changed:?}");
    let happening = told.live.try_recv().unwrap();
    assert_eq!(happening.topic.name(), "alert-change");
    assert!(happening.data.contains(r#""assignee":"ann""#));
    let stale = house.request("PATCH", "/api/v1/alerts/alert-1").bearer_auth(&key).header("if-match", "\"0\"");
    let stale = house.send(stale.header("content-type", "application/json").body(r#"{"status":"closed"}"#)).await;
    assert_eq!(stale.status, 409, "{stale:?}");
    assert_eq!(
        house.ask("POST", "/api/v1/alerts/alert-1/comments", &key, Some(json!({"text": "done"}))).await.status,
        200
    );
    let history = house.get("/api/v1/alerts/alert-1/history").await.json();
    let what: Vec<&str> =
        history["items"].as_array().unwrap().iter().map(|entry| entry["what"].as_str().unwrap()).collect();
    assert!(what.contains(&"status") && what.contains(&"tag") && what.last() == Some(&"comment"), "{history}");
    let bulk = json!({"which": {"ids": ["alert-2", "alert-3", "nobody"]}, "change": {"status": "closed", "disposition": "false_positive"}});
    let done = house.ask("POST", "/api/v1/alerts/bulk", &key, Some(bulk)).await.json();
    assert_eq!((done["changed"].as_array().unwrap().len(), &done["missing"]), (2, &json!(["nobody"])));
    assert_eq!(
        house.get("/api/v1/alerts?status=closed&disposition=false_positive").await.json()["items"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(house.get("/api/v1/alerts/nobody").await.status, 404);
    let native = house.get("/api/v1/alerts/alert-1/document").await.json();
    assert_eq!(native["events"][0]["doc"]["x"], 1);
    assert_eq!(
        house.get("/api/v1/alerts/alert-1/document?form=ocsf").await.json(),
        json!({"form": "ocsf", "of": "alert-1"})
    );
    assert_eq!(house.get("/api/v1/alerts/alert-1/document?form=cobol").await.status, 400);
    house.close().await;
}

#[tokio::test]
async fn what_is_answered_has_the_members_that_the_document_states() {
    let house = furnished().await;
    let until = "until=2026-03-03T00:00:00Z";
    let silence = json!({"comment": "patching", "until": "2099-01-01T00:00:00Z", "matchers": [{"field": "rule.id", "op": "=", "value": "a"}]});
    let silence = house.ask("POST", "/api/v1/silences", &house.admin, Some(silence)).await.json();
    let window = json!({"name": "patch day", "schedule": {"recurring": {"cron": "0 3 * * 2", "minutes": 60}}});
    assert_eq!(house.ask("POST", "/api/v1/maintenance", &house.admin, Some(window)).await.status, 201);
    let hunt = json!({"name": "bits", "language": "eql", "text": "any where true"});
    assert_eq!(house.ask("POST", "/api/v1/saved-hunts", &house.admin, Some(hunt)).await.status, 201);
    let document = house.get("/api/v1/openapi.json").await.json();
    for (template, path) in [
        ("/api/v1/alerts", "/api/v1/alerts".to_owned()),
        ("/api/v1/alerts/{id}", "/api/v1/alerts/alert-1".into()),
        ("/api/v1/groups", "/api/v1/groups".into()),
        ("/api/v1/risk/entities", format!("/api/v1/risk/entities?{until}")),
        ("/api/v1/risk/entities/{type}/{name}", format!("/api/v1/risk/entities/system/ws01?{until}")),
        ("/api/v1/risk/entities/{type}/{name}/timeline", format!("/api/v1/risk/entities/system/ws01/timeline?{until}")),
        ("/api/v1/ledger", format!("/api/v1/ledger?{until}")),
        ("/api/v1/ledger/totals", format!("/api/v1/ledger/totals?{until}")),
        ("/api/v1/gaps", "/api/v1/gaps".into()),
        ("/api/v1/quarantine", "/api/v1/quarantine".into()),
        ("/api/v1/rules/{id}/health", "/api/v1/rules/a/health".into()),
        ("/api/v1/silences", "/api/v1/silences".into()),
        ("/api/v1/silences/{id}", format!("/api/v1/silences/{}", silence["id"].as_str().unwrap())),
        ("/api/v1/maintenance", "/api/v1/maintenance".into()),
        ("/api/v1/saved-hunts", "/api/v1/saved-hunts".into()),
        ("/api/v1/deliveries/targets", "/api/v1/deliveries/targets".into()),
        ("/api/v1/keys", "/api/v1/keys".into()),
        ("/api/v1/audit", "/api/v1/audit".into()),
        ("/api/v1/audit/check", "/api/v1/audit/check".into()),
        ("/api/v1/rules", "/api/v1/rules".into()),
        ("/api/v1/streams", "/api/v1/streams".into()),
        ("/api/v1/status", "/api/v1/status".into()),
        ("/ready", "/ready".into()),
    ] {
        let reply = house.get(&path).await;
        assert_eq!(reply.status, 200, "{path} {reply:?}");
        let schema = &document["paths"][template]["get"]["responses"]["200"]["content"]["application/json"]["schema"];
        let fault = unlike(&document, schema, &reply.json(), template);
        assert_eq!(fault, None, "{}", reply.text);
    }
    house.close().await;
}

/// Where a value has other members than its schema, or lacks some; as far as that needs no validator.
fn unlike(document: &Json, schema: &Json, value: &Json, place: &str) -> Option<String> {
    if let Some(name) = schema["$ref"].as_str() {
        let schema = document.pointer(name.trim_start_matches('#')).unwrap_or_else(|| panic!("{name} is not there"));
        return unlike(document, schema, value, place);
    }
    if let Some(any) = schema["oneOf"].as_array() {
        let faults: Vec<_> = any.iter().map(|schema| unlike(document, schema, value, place)).collect();
        return if faults.iter().any(Option::is_none) { None } else { faults.into_iter().flatten().next() };
    }
    if let Some(items) = value.as_array() {
        return items.iter().find_map(|item| unlike(document, &schema["items"], item, &format!("{place}[]")));
    }
    if let Some(words) = schema["enum"].as_array() {
        return (!words.contains(value)).then(|| format!("{place}: {value} is none of {words:?}"));
    }
    let named =
        |kind: &str| schema["type"] == *kind || schema["type"].as_array().is_some_and(|all| all.contains(&json!(kind)));
    let kind = match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(number) if named("number") || number.is_f64() => "number",
        Json::Number(_) => "integer",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    };
    if schema.as_object().is_some_and(|schema| schema.contains_key("type")) && !named(kind) {
        return Some(format!("{place}: {value} is no {}", schema["type"]));
    }
    let (Some(members), Some(properties)) = (value.as_object(), schema["properties"].as_object()) else { return None };
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str);
    let lacking = required.into_iter().find(|name| !members.contains_key(*name));
    lacking.map(|name| format!("{place} lacks {name}")).or_else(|| {
        members.iter().find_map(|(name, value)| match properties.get(name) {
            Some(schema) => unlike(document, schema, value, &format!("{place}.{name}")),
            None => Some(format!("{place} has {name}, which is not stated")),
        })
    })
}
