//! Nobody does what their role may not.

use lurcher_server::auth::{LADDER, Role};
use serde_json::Value as Json;

use crate::house::House;

/// An operation of the document: method, path with its parameters filled in, the role that it takes.
fn operations(document: &Json) -> Vec<(String, String, Option<Role>)> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let path =
            path.replace("{kind}", "rules").replace("{id}", "x").replace("{name}", "x").replace("{type}", "user");
        let path = path.replace("{subject}", "x");
        assert!(!path.contains('{'), "{path}");
        for (method, operation) in item.as_object().unwrap() {
            let role = operation["security"][0]["key"][0].as_str().map(|role| role.parse().unwrap());
            found.push((method.to_uppercase(), path.clone(), role));
        }
    }
    found
}

#[tokio::test]
async fn every_operation_is_refused_without_a_key_and_to_lesser_roles() {
    let house = House::open_with(|settings, _| settings.limits.wrong_keys_per_minute = 10_000).await;
    let document = house.get("/api/v1/openapi.json").await.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let all = operations(&document);
    assert!(all.len() > 60, "{}", all.len());
    let mut keys = Vec::new();
    for role in LADDER.into_iter().chain([Role::Ingest]) {
        keys.push((role, house.key(role).await));
    }
    let mut open = Vec::new();
    for (method, path, needed) in all {
        let Some(needed) = needed else {
            let reply = house.send(house.request(&method, &path)).await;
            assert!(matches!(reply.status, 200 | 503), "{method} {path} {reply:?}");
            open.push(path);
            continue;
        };
        let without = house.send(house.request(&method, &path)).await;
        assert_eq!(without.status, 401, "{method} {path} {without:?}");
        assert_eq!(without.header("content-type"), "application/problem+json");
        assert!(without.header("www-authenticate").contains("Bearer"));
        let wrong = house.ask(&method, &path, "lurcher_nobody_nothing", None).await;
        assert_eq!(wrong.status, 401, "{method} {path}");
        for (role, key) in keys.iter().filter(|(role, _)| !role.allows(needed)) {
            let refused = house.ask(&method, &path, key, None).await;
            assert_eq!(refused.status, 403, "{method} {path} as {role}: {refused:?}");
        }
    }
    open.sort();
    assert_eq!(open, ["/api/v1/openapi.json", "/health", "/ready"]);
    house.close().await;
}

#[tokio::test]
async fn the_document_refers_to_nothing_that_it_does_not_have() {
    let house = House::open().await;
    let text = house.get("/api/v1/openapi.json").await.text;
    let document: Json = serde_json::from_str(&text).unwrap();
    for reference in text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(document.pointer(reference).is_some(), "{reference}");
    }
    house.close().await;
}

#[tokio::test]
async fn a_key_works_in_every_form_until_it_is_revoked() {
    let house = House::open().await;
    let made = house
        .ask("POST", "/api/v1/keys", &house.admin, Some(serde_json::json!({"name": "soc", "role": "reader"})))
        .await;
    assert_eq!(made.status, 201, "{made:?}");
    let (id, token) =
        (made.json()["key"]["id"].as_str().unwrap().to_owned(), made.json()["token"].as_str().unwrap().to_owned());
    for request in [
        house.request("GET", "/api/v1/status").bearer_auth(&token),
        house.request("GET", "/api/v1/status").header("authorization", format!("ApiKey {token}")),
        house.request("GET", "/api/v1/status").basic_auth("anybody", Some(&token)),
    ] {
        let reply = house.send(request).await;
        assert_eq!((reply.status, reply.json()["you"]["name"].as_str()), (200, Some("soc")), "{reply:?}");
    }
    let listed = house.get("/api/v1/keys").await;
    assert!(listed.text.contains(&id) && !listed.text.contains(&token));
    assert_eq!(house.ask("DELETE", &format!("/api/v1/keys/{id}"), &house.admin, None).await.status, 200);
    assert_eq!(house.ask("GET", "/api/v1/status", &token, None).await.status, 401);
    let own = house.get("/api/v1/keys").await.json()["items"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(house.ask("DELETE", &format!("/api/v1/keys/{own}"), &house.admin, None).await.status, 409);
    house.close().await;
}

#[tokio::test]
async fn changes_and_refusals_are_in_the_audit_log_and_no_secret_is() {
    let house = House::open().await;
    let reader = house.key(Role::Reader).await;
    let request = house.request("PATCH", "/api/v1/rules/a").bearer_auth(&house.admin).header("x-request-id", "my-id.1");
    let reply = house.send(request.header("content-type", "application/json").body(r#"{"enabled":false}"#)).await;
    assert_eq!((reply.status, reply.header("x-request-id")), (200, "my-id.1"), "{reply:?}");
    assert_eq!(house.ask("PATCH", "/api/v1/rules/a", &reader, None).await.status, 403);
    assert_eq!(house.ask("GET", "/api/v1/alerts", "lurcher_x_wrong-secret", None).await.status, 401);
    let log = house.get("/api/v1/audit").await;
    let rows: Vec<(String, String, String)> = log.json()["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let text = |name: &str| row[name].as_str().unwrap().to_owned();
            (text("action"), text("outcome"), text("role"))
        })
        .collect();
    let row = |action: &str, outcome: &str, role: &str| (action.to_owned(), outcome.to_owned(), role.to_owned());
    assert_eq!(
        rows,
        [row("alerts", "denied", ""), row("changeRule", "denied", "reader"), row("changeRule", "ok", "admin")]
    );
    assert!(log.text.contains("my-id.1"));
    for secret in [&reader, &house.admin, "wrong-secret"] {
        assert!(!log.text.contains(secret));
    }
    assert_eq!(house.get("/api/v1/audit/check").await.json()["broken"], Json::Null);
    house.close().await;
}

#[tokio::test]
async fn guessing_keys_is_slowed_down() {
    let house = House::open_with(|settings, _| settings.limits.wrong_keys_per_minute = 5).await;
    for _ in 0..5 {
        assert_eq!(house.ask("GET", "/api/v1/status", "lurcher_a_b", None).await.status, 401);
    }
    let slowed = house.ask("GET", "/api/v1/status", "lurcher_a_b", None).await;
    assert_eq!(slowed.status, 429);
    assert!(slowed.header("retry-after").parse::<u64>().unwrap() >= 1);
    house.close().await;
}
