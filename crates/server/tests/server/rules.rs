//! Rules, files of a site's own, hunts and jobs, gaps, deliveries.

use std::time::Duration;

use lurcher_server::auth::Role;
use serde_json::{Value as Json, json};

use crate::{alerts::furnished, house::House};

async fn ended(house: &House, location: &str) -> Json {
    for _ in 0..300 {
        let job = house.get(location).await.json();
        if job["ended"].is_string() {
            return job;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{location} did not end");
}

#[tokio::test]
async fn rules_are_listed_turned_off_and_read() {
    let house = House::open().await;
    let first = house.get("/api/v1/rules?limit=2").await.json();
    assert_eq!((first["total"].as_u64(), first["next"].as_str()), (Some(3), Some("b")));
    let rest = house.get("/api/v1/rules?limit=2&after=b").await.json();
    assert_eq!((rest["items"][0]["id"].as_str(), &rest["next"]), (Some("c"), &Json::Null));
    assert_eq!(house.get("/api/v1/rules?vendor=splunk&text=RULE").await.json()["total"], 1);
    assert_eq!(house.get("/api/v1/rules?colour=red").await.status, 400);
    assert_eq!(
        house
            .ask("PATCH", "/api/v1/rules/b", &house.admin, Some(json!({"enabled": false, "why": "noise"})))
            .await
            .json()["enabled"],
        false
    );
    assert_eq!(house.get("/api/v1/rules?enabled=false").await.json()["items"][0]["id"], "b");
    assert_eq!(house.get("/api/v1/rules/a/source").await.text, "title: Rule a\n");
    assert_eq!(house.get("/api/v1/rules/nobody/source").await.status, 404);
    assert_eq!(house.ask("POST", "/api/v1/admin/reload", &house.admin, None).await.json()["rules"], 3);
    house.close().await;
}

#[tokio::test]
async fn a_file_is_checked_kept_and_taken_away() {
    let house = House::open().await;
    let put = async |name: &str, text: &'static str| {
        let request = house.request("PUT", &format!("/api/v1/content/rules/{name}")).bearer_auth(&house.admin);
        house.send(request.body(text)).await
    };
    let bad = put("mine.yml", "title: x\nbad: true\n").await;
    assert_eq!(bad.status, 422);
    assert!(bad.json()["detail"].as_str().unwrap().starts_with("mine.yml:2: this is bad"), "{bad:?}");
    assert_eq!(put("mine.yml?check_only=true", "fine").await.status, 400, "the parameter is check-only");
    assert_eq!(put("mine.yml?check-only=true", "bad").await.json()["findings"][0]["line"], 2);
    assert_eq!(house.get("/api/v1/content/rules").await.json()["items"], json!([]));
    assert_eq!(put("mine.yml", "").await.status, 400);
    let taken = put("mine.yml", "title: x\n").await;
    assert_eq!((taken.status, taken.json()["reloaded"]["rules"].as_u64()), (201, Some(3)));
    assert_eq!(put("mine.yml", "title: y\n").await.status, 200);
    assert_eq!(house.get("/api/v1/content/rules/mine.yml").await.text, "title: y\n");
    assert_eq!(house.get("/api/v1/content/macros/mine.yml").await.status, 404);
    assert_eq!(house.ask("DELETE", "/api/v1/content/rules/mine.yml", &house.admin, None).await.status, 200);
    assert_eq!(house.ask("DELETE", "/api/v1/content/rules/mine.yml", &house.admin, None).await.status, 404);
    house.close().await;
}

#[tokio::test]
async fn a_hunt_runs_as_a_job_and_its_rows_are_paged() {
    let house = House::open().await;
    let begin = async |text: &str, limit: usize, key: &str| {
        let hunt = json!({"language": "eql", "text": text, "streams": ["logs-*"], "from": "2026-03-02T08:00:00Z", "limit": limit});
        let reply = house.ask("POST", "/api/v1/hunts", key, Some(hunt)).await;
        assert_eq!(reply.status, 202, "{reply:?}");
        reply.header("location").to_owned()
    };
    let location = begin("any where true", 3, &house.admin).await;
    let job = ended(&house, &location).await;
    assert_eq!(
        (job["state"].as_str(), job["rows"].as_u64(), job["truncated"].as_bool()),
        (Some("done"), Some(3), Some(true))
    );
    let page = house.get(&format!("{location}/results?limit=2")).await.json();
    assert_eq!((page["items"][1]["event"]["number"].as_u64(), page["next"].as_u64()), (Some(1), Some(2)));
    let rest = house.get(&format!("{location}/results?limit=2&offset=2")).await.json();
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next"]), (1, &Json::Null));
    let failed = ended(&house, &begin("broken", 3, &house.admin).await).await;
    assert_eq!(failed["error"], "1:1: this is no query");
    let (ann, bob) = (
        house.key(Role::Analyst).await,
        house.triage.create_key("bob", Role::Analyst.into(), None).await.unwrap().token,
    );
    let endless = begin("for ever", 1000, &ann).await;
    assert_eq!(house.ask("DELETE", &endless, &bob, None).await.status, 403, "somebody else's");
    assert_eq!(house.ask("DELETE", &endless, &ann, None).await.status, 202);
    assert_eq!(ended(&house, &endless).await["state"], "cancelled");
    assert_eq!(house.get("/api/v1/jobs").await.json()["items"].as_array().unwrap().len(), 3);
    assert_eq!(house.get("/api/v1/jobs/99").await.status, 404);
    house.close().await;
}

#[tokio::test]
async fn simulations_and_backfills_name_a_rule_and_a_span() {
    let house = furnished().await;
    let post = async |path: &str, body: Json| house.ask("POST", path, &house.admin, Some(body)).await;
    let span = json!({"from": "2026-03-01T00:00:00Z", "to": "2026-03-02T00:00:00Z"});
    let with = |more: Json| {
        let mut body = span.clone();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    assert_eq!(post("/api/v1/simulations", with(json!({"rule": "a"}))).await.status, 202);
    assert_eq!(post("/api/v1/simulations", with(json!({"text": "title: x"}))).await.status, 202);
    assert_eq!(post("/api/v1/simulations", with(json!({}))).await.status, 422);
    assert_eq!(post("/api/v1/simulations", with(json!({"rule": "nobody"}))).await.status, 422);
    assert_eq!(post("/api/v1/backfills", with(json!({"rule": "a"}))).await.status, 202);
    assert_eq!(
        post("/api/v1/backfills", json!({"rule": "a", "from": "2026-03-02T00:00:00Z", "to": "2026-03-01T00:00:00Z"}))
            .await
            .status,
        422
    );
    let fill = post("/api/v1/gaps/fill", json!({"rule": "a", "from": "2026-03-02T08:00:00Z"})).await;
    assert_eq!(fill.json()["request"]["to"], "2026-03-02T09:00:00.000001Z", "{fill:?}");
    assert_eq!(post("/api/v1/gaps/fill", json!({"rule": "b", "from": "2026-03-02T08:00:00Z"})).await.status, 404);
    assert_eq!(house.ask("DELETE", "/api/v1/quarantine/rule/c", &house.admin, None).await.status, 204);
    assert_eq!(house.get("/api/v1/quarantine").await.json()["items"], json!([]));
    house.close().await;
}

#[tokio::test]
async fn deliveries_are_tested_and_dead_letters_handled() {
    let house = House::open().await;
    assert_eq!(house.get("/api/v1/deliveries/targets").await.json()["items"][0]["name"], "chat");
    let failed = house.ask("POST", "/api/v1/deliveries/targets/chat/test", &house.admin, None).await;
    assert_eq!((failed.status, failed.json()["detail"].as_str()), (502, Some("connection refused")), "{failed:?}");
    assert_eq!(house.ask("POST", "/api/v1/deliveries/targets/nobody/test", &house.admin, None).await.status, 404);
    assert_eq!(house.get("/api/v1/deliveries/dead").await.json()["items"], json!([]));
    let requeued =
        house.ask("POST", "/api/v1/deliveries/dead/requeue", &house.admin, Some(json!({"target": "chat"}))).await;
    assert_eq!(requeued.json(), json!({"letters": 0}));
    house.close().await;
}
