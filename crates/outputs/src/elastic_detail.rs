//! What Elastic's alert documents hold besides the event and the rule: what a threshold counted, which terms are new,
//! which indicators fit, what was suppressed, and when the rule ran.
//!
//! Field names as in Elastic's alert schema, 9.x.

use lurcher_engine::{Alert, Detail, Enrichment, SuppressionRecord, ThresholdDetail};
use lurcher_ir::Tail;
use lurcher_schema::{Schemas, Taxonomy, Value};
use serde_json::{Map, Value as Json, json};

/// The object of an indicator that is shown where the rule does not say.
const INDICATOR: &str = "threat.indicator";

/// The members `kibana.alert.*` that only some alerts have.
pub(crate) fn members(alert: &Alert) -> Map<String, Json> {
    let mut members = Map::new();
    match &alert.detail {
        Detail::Threshold(threshold) => {
            members.insert("kibana.alert.threshold_result".into(), threshold_result(threshold));
        }
        Detail::NewTerms(terms) => {
            members.insert("kibana.alert.new_terms".into(), terms.iter().map(Value::to_json).collect());
        }
        Detail::None | Detail::Indicators(_) => {}
    }
    if let Some(suppression) = &alert.suppression {
        suppressed(alert, suppression, &mut members);
    }
    if let Some(detected) = alert.detected {
        members.insert("kibana.alert.rule.execution.timestamp".into(), detected.to_string().into());
        members.insert("kibana.alert.rule.execution.type".into(), "scheduled".into());
    }
    members
}

fn terms(terms: &[(String, Value)]) -> Json {
    terms.iter().map(|(field, value)| json!({"field": field, "value": value.to_json()})).collect()
}

fn threshold_result(threshold: &ThresholdDetail) -> Json {
    let cardinality = threshold.cardinality.iter().map(|(field, value)| json!({"field": field, "value": value}));
    json!({
        "terms": terms(&threshold.terms),
        "cardinality": cardinality.collect::<Vec<Json>>(),
        "count": threshold.count,
        "from": threshold.from.map(|time| time.to_string()),
    })
}

fn suppressed(alert: &Alert, suppression: &SuppressionRecord, members: &mut Map<String, Json>) {
    members.insert("kibana.alert.suppression.terms".into(), terms(&suppression.terms));
    for (name, time) in [("start", suppression.start), ("end", suppression.end)] {
        if let Some(time) = time {
            members.insert(format!("kibana.alert.suppression.{name}"), time.to_string().into());
        }
    }
    members.insert("kibana.alert.suppression.docs_count".into(), alert.suppressed.into());
}

/// The row of an alert as a document: what a threshold counted by, as nested fields; a pipeline's columns as they are.
pub(crate) fn row(alert: &Alert) -> Json {
    let Detail::Threshold(threshold) = &alert.detail else { return alert.values.to_json() };
    let mut row = lurcher_schema::Object::default();
    for (field, value) in &threshold.terms {
        row.insert_path(field, value.clone());
    }
    row.to_json()
}

/// An event's document with the columns that a query computed of it, under their whole names where the event has no such
/// member. What the event has, a column of that name takes the place of.
pub(crate) fn with_columns(alert: &Alert, mut event: Json) -> Json {
    const METADATA: [&str; 6] = ["_id", "_index", "_version", "_source", "_score", "_ignored"];
    let Json::Object(columns) = alert.values.to_json() else { return event };
    let columns = columns.into_iter().filter(|(name, value)| !value.is_null() && !METADATA.contains(&name.as_str()));
    for (name, value) in columns {
        if let Some(own) = event.pointer_mut(&format!("/{}", name.replace('.', "/"))) {
            if !same(own, &value) {
                *own = value;
            }
        } else if let Some(members) = event.as_object_mut() {
            members.insert(name, value);
        }
    }
    event
}

/// Whether a column only repeats the event's value: a query sees lists sorted and each value once, a list of one as its
/// value, and times in its own form.
fn same(own: &Json, column: &Json) -> bool {
    let list = |value: &Json| {
        let items = value.as_array().map_or_else(|| vec![value.clone()], Clone::clone);
        let mut texts: Vec<String> = items.iter().map(plain).collect();
        texts.sort();
        texts.dedup();
        texts
    };
    own.is_object() || list(own) == list(column)
}

fn plain(value: &Json) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    lurcher_schema::Timestamp::parse(&text).filter(|_| text.contains('T')).map_or(text, |time| time.to_string())
}

/// Puts the indicators that an event fits into its document, as `threat.enrichments`.
pub(crate) fn enrich(alert: &Alert, source: &mut Json, schemas: &Schemas) {
    let Detail::Indicators(enrichments) = &alert.detail else { return };
    let path = match alert.rule.body.as_ref().map(|body| &body.tail) {
        Some(Tail::Indicators(indicators)) => indicators.object.path.as_str(),
        _ => INDICATOR,
    };
    let entries: Vec<Json> = enrichments.iter().map(|found| enrichment(found, path, schemas)).collect();
    if let (Some(members), false) = (source.as_object_mut(), entries.is_empty()) {
        let threat = members.entry("threat").or_insert_with(|| json!({}));
        if let Json::Object(threat) = threat {
            let known = threat.entry("enrichments").or_insert_with(|| json!([]));
            if let Json::Array(known) = known {
                known.extend(entries);
            }
        }
    }
}

fn enrichment(found: &Enrichment, path: &str, schemas: &Schemas) -> Json {
    let value = |path: &str| schemas.value(&found.indicator, Taxonomy::Ecs, path).to_json();
    let whole = schemas.normalise(&found.indicator, Taxonomy::Ecs);
    let indicator = whole.path(path).map_or(Json::Null, |object| object.to_json());
    let mut entry = json!({
        "indicator": indicator,
        "matched": {
            "atomic": found.value.to_json(),
            "field": found.field,
            "id": found.indicator.reference.to_string(),
            "index": found.index,
            "type": "indicator_match_rule",
        },
    });
    let feed = value("threat.feed.name");
    if !feed.is_null() {
        entry["feed"] = json!({"name": feed});
    }
    entry
}
