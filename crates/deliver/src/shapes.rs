//! The messages that Slack, Microsoft Teams and PagerDuty understand, within the limits that they document: they refuse a
//! message whole for one text that is too long.
//!
//! Sources: Slack, "Block Kit reference" (header 150 characters, section 3000, fields 10 of 2000); Microsoft, "Create incoming
//! webhooks with Workflows" and the Adaptive Cards schema 1.4 (28 KB a message); PagerDuty, "Events API v2: Send an alert
//! event" (summary 1024 characters, `dedup_key` 255, 512 KB an event).

use lurcher_schema::Timestamp;
use serde_json::{Value, json};

use crate::{
    filter::Severity,
    letter::Letter,
    summary::{Summary, cut},
};

/// A message of blocks for an incoming webhook.
pub(crate) fn slack(alert: &Value, link: &str) -> Value {
    let summary = Summary::of(alert);
    let title = format!("{}: {}", summary.severity_name().to_uppercase(), summary.rule);
    let field =
        |name: &str, value: &str| json!({"type": "mrkdwn", "text": cut(&format!("*{name}*\n{}", mrkdwn(value)), 2000)});
    let mut fields = vec![
        field("Severity", &format!("{} (risk {})", summary.severity_name(), summary.risk_score)),
        field("Time", summary.time),
    ];
    for (name, value) in facts(&summary) {
        fields.push(field(name, &value));
    }
    fields.truncate(10);
    let mut blocks =
        vec![json!({"type": "header", "text": {"type": "plain_text", "text": cut(&title, 150), "emoji": false}})];
    if !summary.message.is_empty() {
        let text = cut(&mrkdwn(summary.message), 3000);
        blocks.push(json!({"type": "section", "text": {"type": "mrkdwn", "text": text}}));
    }
    blocks.push(json!({"type": "section", "fields": fields}));
    if !link.is_empty() {
        let button =
            json!({"type": "button", "text": {"type": "plain_text", "text": "Open alert"}, "url": cut(link, 3000)});
        blocks.push(json!({"type": "actions", "elements": [button]}));
    }
    let origin = format!("{} rule {} · alert {}", summary.vendor, summary.rule_id, summary.id);
    blocks.push(
        json!({"type": "context", "elements": [{"type": "plain_text", "text": cut(&origin, 2000), "emoji": false}]}),
    );
    // The text is what notifications and screen readers show.
    json!({"text": cut(&mrkdwn(&title), 3000), "blocks": blocks})
}

/// What Slack would take for markup, mentions and links, as the characters that they are.
fn mrkdwn(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A message with an adaptive card.
pub(crate) fn teams(alert: &Value, link: &str) -> Value {
    let summary = Summary::of(alert);
    let colour = match summary.severity {
        Severity::Critical | Severity::High => "attention",
        Severity::Medium => "warning",
        Severity::Low | Severity::Informational => "accent",
    };
    let mut body = vec![json!({
        "type": "TextBlock", "size": "large", "weight": "bolder", "wrap": true, "color": colour,
        "text": cut(&plain_card(&format!("{}: {}", summary.severity_name().to_uppercase(), summary.rule)), 300),
    })];
    if !summary.message.is_empty() {
        body.push(json!({"type": "TextBlock", "wrap": true, "text": cut(&plain_card(summary.message), 3000)}));
    }
    let mut rows = vec![
        ("Severity", format!("{} (risk {})", summary.severity_name(), summary.risk_score)),
        ("Time", summary.time.to_owned()),
    ];
    rows.extend(facts(&summary));
    rows.push(("Rule", format!("{} {}", summary.vendor, summary.rule_id)));
    rows.push(("Alert", summary.id.to_owned()));
    let rows: Vec<Value> =
        rows.iter().map(|(name, value)| json!({"title": name, "value": cut(&plain_card(value), 1000)})).collect();
    body.push(json!({"type": "FactSet", "facts": rows}));
    let mut card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": body,
    });
    if !link.is_empty() {
        card["actions"] = json!([{"type": "Action.OpenUrl", "title": "Open alert", "url": cut(link, 2000)}]);
    }
    json!({
        "type": "message",
        "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": null, "content": card}],
    })
}

/// What a card would take for Markdown (links above all), as the characters that they are.
fn plain_card(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '[' | ']' | '*' | '_' | '`') {
            plain.push('\\');
        }
        plain.push(c);
    }
    plain
}

/// An event that opens an incident, or joins the one with the same key.
pub(crate) fn pagerduty(letter: &Letter, routing_key: &str, link: &str, now: Timestamp) -> Value {
    let summary = Summary::of(&letter.alert);
    let severity = match summary.severity {
        Severity::Critical => "critical",
        Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Informational => "info",
    };
    let title = if summary.message.is_empty() {
        summary.rule.to_owned()
    } else {
        format!("{}: {}", summary.rule, summary.message)
    };
    let source = summary.entities.iter().find(|entity| entity.kind == "system" && !entity.value.is_empty());
    let time = if summary.time.is_empty() { now.to_string() } else { summary.time.to_owned() };
    let details = json!({
        "alert_id": summary.id, "rule_id": summary.rule_id, "rule": summary.rule, "vendor": summary.vendor,
        "message": cut(summary.message, 4000), "risk_score": summary.risk_score, "severity": summary.severity_name(),
        "tactics": summary.tactics, "techniques": summary.techniques,
        "entities": cut(&summary.entity_line(50), 4000), "event_count": summary.events,
    });
    let mut event = json!({
        "routing_key": routing_key,
        "event_action": "trigger",
        "dedup_key": cut(letter.alert_id(), 255),
        "client": "Lurcher",
        "payload": {
            "summary": cut(&title, 1024),
            "source": cut(source.map_or("lurcher", |entity| entity.value), 255),
            "severity": severity,
            "timestamp": time,
            "group": summary.vendor,
            "class": cut(summary.rule, 255),
            "custom_details": details,
        },
    });
    if !link.is_empty() {
        event["client_url"] = link.into();
        event["links"] = json!([{"href": link, "text": "Open alert"}]);
    }
    event
}

/// What else there is to say, if anything.
fn facts(summary: &Summary<'_>) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if !summary.entities.is_empty() {
        facts.push(("About", summary.entity_line(8)));
    }
    if !summary.tactics.is_empty() {
        facts.push(("Tactics", summary.tactics.join(", ")));
    }
    if !summary.techniques.is_empty() {
        facts.push(("Techniques", summary.techniques.join(", ")));
    }
    if summary.events > 0 {
        facts.push(("Events", summary.events.to_string()));
    }
    facts
}
