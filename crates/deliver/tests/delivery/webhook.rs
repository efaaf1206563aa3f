//! Webhooks: what is sent, that it is signed, what answers mean, and the shapes of Slack, Teams and PagerDuty.

use std::time::Duration;

use lurcher_deliver::{Target, send_test};
use lurcher_schema::{Clock, SystemClock};
use serde_json::{Value, json};

use crate::{
    outbox::{MemoryOutbox, State, alert, configuration, start, target},
    web::{Asked, Reply, Web},
};

/// Delivers one alert and says what the server was asked.
async fn deliver(table: &str, path: &str, alert: Value) -> Asked {
    let web = Web::replying([]).await;
    let outbox = MemoryOutbox::new();
    outbox.put("t", alert);
    let running = start(&outbox, &[format!("name = \"t\"\nurl = \"{}{path}\"\n{table}", web.url)]);
    outbox.settled("t").await;
    running.stop().await;
    let asked = web.asked();
    assert_eq!(asked.len(), 1);
    asked.into_iter().next().unwrap()
}

#[tokio::test]
async fn the_native_document_with_its_key() {
    let asked = deliver(
        "type = \"webhook\"\nmethod = \"PUT\"\nheaders = { X-Team = \"soc\" }\nkinds = [\"finding\"]",
        "/hook?a=1",
        alert("a1"),
    )
    .await;
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("PUT", "/hook?a=1"));
    assert_eq!(asked.json(), alert("a1"));
    assert_eq!(asked.header("idempotency-key"), "t-a1");
    assert_eq!(asked.header("webhook-id"), "t-a1");
    assert_eq!(asked.header("x-team"), "soc");
    assert_eq!(asked.header("content-type"), "application/json");
    assert_eq!(asked.header("webhook-signature"), "");
    assert!(asked.header("user-agent").starts_with("lurcher/"));
}

#[tokio::test]
async fn a_signature_covers_key_time_and_body() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    use hmac::{Hmac, KeyInit, Mac};

    let asked = deliver("type = \"webhook\"\nsecret = \"hunter2\"", "/", alert("a1")).await;
    let seconds: i64 = asked.header("webhook-timestamp").parse().unwrap();
    assert!((SystemClock.now().0 / 1_000_000 - seconds).abs() < 60);
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"hunter2").unwrap();
    mac.update(format!("t-a1.{seconds}.").as_bytes());
    mac.update(&asked.body);
    let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    assert_eq!(asked.header("webhook-signature"), expected);
}

#[tokio::test]
async fn a_template_makes_the_body() {
    let table = r#"
        type = "webhook"
        link = "https://lurcher.example/alerts/{{ id }}"
        template = '{"title": {{ rule.name }}, "where": {{ link }}, "all": {{ alert }}, "to": {{ target }}}'
    "#;
    let body = deliver(table, "/", alert("a1")).await.json();
    assert_eq!(body["title"], "Credential <dumping>");
    assert_eq!(body["where"], "https://lurcher.example/alerts/a1");
    assert_eq!(body["all"], alert("a1"));
    assert_eq!(body["to"], "t");
    let text = "type = \"webhook\"\ncontent_type = \"text/plain\"\ntemplate = \"{{ severity }}: {{ message }}\"";
    let asked = deliver(text, "/", alert("a1")).await;
    assert_eq!(asked.body, b"high: procdump *wrote* lsass.dmp & more");
    assert_eq!(asked.header("content-type"), "text/plain");
}

#[test]
fn bad_options_are_refused_when_the_configuration_is_loaded() {
    for (table, part) in [
        ("template = \"{{ nope }}\"", "template: line 1: no alert has `nope`"),
        ("template = \"{\\\"a\\\": \"", "template: what it makes of an alert is no JSON"),
        ("template_file = \"/no/such.j2\"", "template_file: cannot read /no/such.j2"),
        ("secret = \"whsec_?\"", "secret: what follows `whsec_`"),
        ("secret = { env = \"LURCHER_NO_SUCH\" }", "secret: the environment variable LURCHER_NO_SUCH is not set"),
        ("headers = { \"a b\" = \"c\" }", "headers: `a b`"),
        ("tls = { ca = \"/no/such.pem\" }", "tls.ca: /no/such.pem"),
        ("link = \"{{\"", "link: line 1"),
    ] {
        let config = configuration(&format!("name = \"t\"\ntype = \"webhook\"\nurl = \"https://x/\"\n{table}"));
        let problem = Target::new(&config).unwrap_err().to_string();
        assert!(problem.starts_with("deliver \"t\": ") && problem.contains(part), "{problem}");
    }
    let config = configuration("name = \"t\"\ntype = \"slack\"\nurl = \"http://chat.corp/hunter2\"");
    let problem = Target::new(&config).unwrap_err().to_string();
    assert!(problem.contains("in the clear") && !problem.contains("hunter2"), "{problem}");
}

#[tokio::test]
async fn what_answers_mean() {
    for (status, dead) in
        [(400, true), (401, true), (404, true), (410, true), (408, false), (429, false), (500, false), (503, false)]
    {
        let web = Web::replying([Reply::Status(status, "because".into())]).await;
        let outbox = MemoryOutbox::new();
        let id = outbox.put("t", alert("a1"));
        let table = format!("name = \"t\"\ntype = \"webhook\"\nurl = \"{}\"\nretry_first = \"10ms\"", web.url);
        let running = start(&outbox, &[table]);
        outbox.settled("t").await;
        match outbox.state(id) {
            State::Dead(error) => assert!(dead && error.contains("because"), "{status}: {error}"),
            State::Delivered => {
                assert!(!dead, "{status}");
                assert_eq!(outbox.history(id).0, 1, "{status}");
            }
            State::Waiting => unreachable!(),
        }
        running.stop().await;
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = Web::replying([]).await;
    let web = Web::replying([Reply::Redirect(elsewhere.url.clone())]).await;
    let target = target(&format!("name = \"t\"\ntype = \"webhook\"\nurl = \"{}\"", web.url));
    let fault = send_test(&target, SystemClock.now()).await.unwrap_err();
    assert!(fault.permanent && fault.message.contains("redirects are not followed"), "{fault}");
    assert!(elsewhere.asked().is_empty());
}

#[tokio::test]
async fn a_server_that_stalls_or_is_away_passes_for_a_while() {
    let web = Web::replying([Reply::Stall(Duration::from_secs(30))]).await;
    let stalling = target(&format!("name = \"t\"\ntype = \"webhook\"\nurl = \"{}\"\ntimeout = \"200ms\"", web.url));
    let fault = send_test(&stalling, SystemClock.now()).await.unwrap_err();
    assert!(!fault.permanent && fault.of_target && fault.message.contains("in time"), "{fault}");
    assert!(!fault.message.contains("127.0.0.1") || !fault.message.contains("http://"), "no URL: {fault}");
    let away = target("name = \"t\"\ntype = \"webhook\"\nurl = \"http://127.0.0.1:1/hunter2\"");
    let fault = send_test(&away, SystemClock.now()).await.unwrap_err();
    assert!(!fault.permanent && fault.of_target && !fault.message.contains("hunter2"), "{fault}");
    assert!(away.check(SystemClock.now()).await.is_err());
    assert!(stalling.check(SystemClock.now()).await.is_ok());
}

/// Sizes and members as Slack's "Block Kit reference" has them.
#[tokio::test]
async fn a_message_for_slack() {
    let mut long = alert("a1");
    long["rule"]["name"] = "n".repeat(500).into();
    long["message"] = "<!channel> ".repeat(900).into();
    for alert in [alert("a1"), long, json!({"id": "bare", "kind": "finding"})] {
        let body = deliver("type = \"slack\"\nlink = \"https://l/{{ id }}\"", "/services/T/B/x", alert).await.json();
        let members: Vec<&String> = body.as_object().unwrap().keys().collect();
        assert_eq!(members, ["text", "blocks"]);
        let blocks = body["blocks"].as_array().unwrap();
        assert!(!blocks.is_empty() && blocks.len() <= 50);
        for block in blocks {
            let length = |text: &Value| text["text"].as_str().unwrap().chars().count();
            match block["type"].as_str().unwrap() {
                "header" => {
                    assert_eq!(block["text"]["type"], "plain_text");
                    assert!((1..=150).contains(&length(&block["text"])));
                }
                "section" => {
                    if let Some(fields) = block["fields"].as_array() {
                        assert!((1..=10).contains(&fields.len()));
                        assert!(fields.iter().all(|field| (1..=2000).contains(&length(field))));
                    } else {
                        assert!((1..=3000).contains(&length(&block["text"])));
                        assert!(!block["text"]["text"].as_str().unwrap().contains('<'), "a mention of everybody");
                    }
                }
                "actions" => assert_eq!(block["elements"][0]["type"], "button"),
                "context" => assert!((1..=10).contains(&block["elements"].as_array().unwrap().len())),
                other => panic!("{other}"),
            }
        }
    }
}

/// Members as the schema of Adaptive Cards 1.4 and Microsoft's page on Workflows have them.
#[tokio::test]
async fn a_card_for_teams() {
    let mut long = alert("a1");
    long["message"] = "[click](https://evil.example) ".repeat(5000).into();
    for alert in [alert("a1"), long] {
        let asked = deliver("type = \"teams\"\nlink = \"https://l/{{ id }}\"", "/", alert).await;
        assert!(asked.body.len() < 28 * 1024, "{}", asked.body.len());
        let body = asked.json();
        assert_eq!(body["type"], "message");
        let attachment = &body["attachments"][0];
        assert_eq!(attachment["contentType"], "application/vnd.microsoft.card.adaptive");
        let card = &attachment["content"];
        assert_eq!((card["type"].as_str(), card["version"].as_str()), (Some("AdaptiveCard"), Some("1.4")));
        for element in card["body"].as_array().unwrap() {
            match element["type"].as_str().unwrap() {
                "TextBlock" => {
                    let text = element["text"].as_str().unwrap();
                    assert!(!text.contains("](") || text.contains("\\]("), "a link: {text}");
                }
                "FactSet" => {
                    for fact in element["facts"].as_array().unwrap() {
                        assert!(fact["title"].is_string() && fact["value"].is_string());
                    }
                }
                other => panic!("{other}"),
            }
        }
        assert_eq!(card["actions"][0]["type"], "Action.OpenUrl");
        assert_eq!(card["actions"][0]["url"], "https://l/a1");
    }
}

/// Members and sizes as PagerDuty's "Send an alert event" has them.
#[tokio::test]
async fn an_event_for_pagerduty() {
    let mut long = alert(&"i".repeat(400));
    long["message"] = "m".repeat(5000).into();
    for alert in [alert("a1"), long] {
        let table = "type = \"pagerduty\"\nrouting_key = \"0123456789abcdef0123456789abcdef\"\nlink = \"https://l/{{ id|cut(9) }}\"";
        let body = deliver(table, "/v2/enqueue", alert.clone()).await.json();
        assert_eq!(body["routing_key"], "0123456789abcdef0123456789abcdef");
        assert_eq!(body["event_action"], "trigger");
        let key = body["dedup_key"].as_str().unwrap();
        assert!(key.chars().count() <= 255);
        assert_eq!(key.chars().next(), alert["id"].as_str().unwrap().chars().next());
        let payload = &body["payload"];
        assert!((1..=1024).contains(&payload["summary"].as_str().unwrap().chars().count()));
        assert_eq!((payload["source"].as_str(), payload["severity"].as_str()), (Some("ws01"), Some("error")));
        assert_eq!(payload["timestamp"], "2026-01-02T03:04:05.678Z");
        assert!(payload["custom_details"].is_object());
        assert!(body["links"][0]["href"].is_string() && body["links"][0]["text"].is_string());
    }
}

#[tokio::test]
async fn a_private_authority_is_trusted_and_nobody_else() {
    let authority = crate::tls::authority();
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, &authority.ca_pem).unwrap();
    let port = crate::tls::https(&authority).await;
    let table = |tls: &str| format!("name = \"t\"\ntype = \"webhook\"\nurl = \"https://localhost:{port}/\"\n{tls}");
    let trusting = target(&table(&format!("tls = {{ ca = {:?} }}", ca.display().to_string())));
    assert_eq!(send_test(&trusting, SystemClock.now()).await, Ok(()));
    let other = crate::tls::authority();
    std::fs::write(&ca, &other.ca_pem).unwrap();
    let distrusting = target(&table(&format!("tls = {{ ca = {:?} }}", ca.display().to_string())));
    let fault = send_test(&distrusting, SystemClock.now()).await.unwrap_err();
    assert!(fault.message.contains("certificate"), "{fault}");
    assert_eq!(send_test(&target(&table("tls = { insecure = true }")), SystemClock.now()).await, Ok(()));
}
