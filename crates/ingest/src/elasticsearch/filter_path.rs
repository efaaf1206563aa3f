//! `filter_path`: which parts of an answer a client wants to see.
//!
//! Patterns are divided by commas, their parts by dots; `*` stands for any part of a name, `**` for any path, a leading
//! `-` takes away instead. Arrays are looked through.

use serde_json::{Map, Value};

/// A parsed `filter_path`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    include: Vec<Vec<String>>,
    exclude: Vec<Vec<String>>,
}

impl Filter {
    /// The filter that a query string asks for.
    pub(super) fn of(query: &str) -> Option<Self> {
        let mut filter = Self::default();
        for (key, value) in crate::query::parameters(query) {
            if key != "filter_path" {
                continue;
            }
            for pattern in value.split(',').map(str::trim).filter(|pattern| !pattern.is_empty()) {
                let (side, pattern) = match pattern.strip_prefix('-') {
                    Some(pattern) => (&mut filter.exclude, pattern),
                    None => (&mut filter.include, pattern),
                };
                side.push(pattern.split('.').map(str::to_owned).collect());
            }
        }
        (filter != Self::default()).then_some(filter)
    }

    pub(super) fn apply(&self, mut body: Value) -> Value {
        if !self.include.is_empty() {
            let patterns: Vec<&[String]> = self.include.iter().map(Vec::as_slice).collect();
            body = included(body, &patterns).unwrap_or_else(|| Value::Object(Map::new()));
        }
        if !self.exclude.is_empty() {
            let patterns: Vec<&[String]> = self.exclude.iter().map(Vec::as_slice).collect();
            body = excluded(body, &patterns).unwrap_or_else(|| Value::Object(Map::new()));
        }
        body
    }
}

/// What is left of the patterns below this name; an empty one has come to its end.
fn below<'a>(patterns: &[&'a [String]], name: &str) -> Vec<&'a [String]> {
    let mut left = Vec::new();
    for pattern in patterns {
        let Some((part, rest)) = pattern.split_first() else { continue };
        if part == "**" {
            left.push(*pattern);
            if let Some((next, rest)) = rest.split_first()
                && super::names::wild(next, name)
            {
                left.push(rest);
            } else if rest.is_empty() {
                left.push(rest);
            }
        } else if super::names::wild(part, name) {
            left.push(rest);
        }
    }
    left
}

fn included(value: Value, patterns: &[&[String]]) -> Option<Value> {
    match value {
        Value::Object(members) => {
            let mut kept = Map::new();
            for (name, value) in members {
                let left = below(patterns, &name);
                if left.iter().any(|pattern| pattern.is_empty()) {
                    kept.insert(name, value);
                } else if !left.is_empty()
                    && let Some(value) = included(value, &left)
                {
                    kept.insert(name, value);
                }
            }
            (!kept.is_empty()).then_some(Value::Object(kept))
        }
        Value::Array(elements) => {
            let kept: Vec<Value> = elements.into_iter().filter_map(|element| included(element, patterns)).collect();
            (!kept.is_empty()).then_some(Value::Array(kept))
        }
        _ => None,
    }
}

fn excluded(value: Value, patterns: &[&[String]]) -> Option<Value> {
    match value {
        Value::Object(members) => {
            let mut kept = Map::new();
            for (name, value) in members {
                let left = below(patterns, &name);
                if left.iter().any(|pattern| pattern.is_empty()) {
                    continue;
                }
                if let Some(value) = excluded(value, &left) {
                    kept.insert(name, value);
                }
            }
            Some(Value::Object(kept))
        }
        Value::Array(elements) => {
            Some(Value::Array(elements.into_iter().filter_map(|element| excluded(element, patterns)).collect()))
        }
        other => Some(other),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn filtered(query: &str) -> Value {
        let body = json!({"took": 3, "errors": true, "items": [
            {"index": {"_id": "a", "status": 201}},
            {"create": {"_id": "b", "status": 400, "error": {"type": "t", "reason": "r"}}},
        ]});
        Filter::of(query).unwrap().apply(body)
    }

    #[test]
    fn what_beats_ask_for() {
        assert_eq!(
            filtered("filter_path=errors%2Citems.%2A.error%2Citems.%2A.status"),
            json!({"errors": true, "items": [
                {"index": {"status": 201}},
                {"create": {"status": 400, "error": {"type": "t", "reason": "r"}}},
            ]})
        );
    }

    #[test]
    fn stars_and_minus() {
        assert_eq!(filtered("filter_path=**.type"), json!({"items": [{"create": {"error": {"type": "t"}}}]}));
        assert_eq!(filtered("filter_path=t*k"), json!({"took": 3}));
        assert_eq!(filtered("filter_path=-items"), json!({"took": 3, "errors": true}));
        assert_eq!(filtered("filter_path=nothing"), json!({}));
        assert_eq!(Filter::of("pretty&filter_path="), None);
    }
}
