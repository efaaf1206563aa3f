//! Processing pipelines from YAML.

use std::{collections::BTreeMap, sync::Arc};

use lurcher_diagnostics::{Diagnostic, Level, SourceFile};
use lurcher_schema::LogSource;

use super::{
    ast::{Condition, Detection, ScalarData},
    parser::{Reader, first_line, key_span, names_condition},
    pipeline::{Conditions, Pipeline, ProcessingItem, Test, Transformation},
};
use crate::tree::{Data, Node, yaml};

/// How deep transformations may hold others.
const MAX_NESTED: usize = 8;

/// Reads a pipeline. `None` if there is an error among the diagnostics.
pub fn parse(file: &Arc<SourceFile>) -> (Option<Pipeline>, Vec<Diagnostic>) {
    let document = match yaml::documents(file) {
        Ok(mut documents) if !documents.is_empty() => documents.remove(0),
        Ok(_) => return (None, vec![Diagnostic::error("sigma-pipeline", "the pipeline is empty").in_file(file)]),
        Err(fault) => return (None, vec![*fault]),
    };
    let mut reader = Reader { file, diagnostics: Vec::new() };
    let pipeline = Pipeline {
        name: document.text("name"),
        priority: document.number("priority").map_or(0, |number| number as i64),
        vars: document.get("vars").map(mapping).unwrap_or_default(),
        items: items(&mut reader, &document, "transformations", 0),
    };
    if document.get("transformations").is_none() && document.get("name").is_none() {
        let span = first_line(file, document.span);
        reader.fault("sigma-pipeline", span, "this is no processing pipeline", "", "it has `transformations:`");
    }
    let faulty = reader.diagnostics.iter().any(|diagnostic| diagnostic.level == Level::Error);
    (Some(pipeline).filter(|_| !faulty), reader.diagnostics)
}

fn items(reader: &mut Reader<'_>, node: &Node, key: &str, depth: usize) -> Vec<ProcessingItem> {
    let mut found = Vec::new();
    for (number, node) in node.items(key).iter().enumerate() {
        if depth > MAX_NESTED {
            reader.fault("sigma-pipeline", node.span, "transformations are nested too deeply", "", "flatten them");
            break;
        }
        let id = match node.text("id") {
            id if id.is_empty() => format!("#{depth}.{}", number + 1),
            id => id,
        };
        let transformation = transformation(reader, node, depth);
        found.push(ProcessingItem {
            id,
            transformation,
            rule: conditions(reader, node, "rule"),
            item: conditions(reader, node, "detection_item"),
            field: conditions(reader, node, "field_name"),
        });
    }
    found
}

fn transformation(reader: &mut Reader<'_>, node: &Node, depth: usize) -> Transformation {
    let kind = node.text("type");
    let of = |key: &str| node.get(key).map(mapping).unwrap_or_default();
    match kind.as_str() {
        "field_name_mapping" => Transformation::MapFields(of("mapping")),
        "field_name_prefix_mapping" => Transformation::MapPrefixes(of("mapping")),
        "field_name_prefix" => Transformation::Affix(node.text("prefix"), String::new()),
        "field_name_suffix" => Transformation::Affix(String::new(), node.text("suffix")),
        "drop_detection_item" => Transformation::DropItem,
        "add_condition" => add_condition(reader, node),
        "change_logsource" => Transformation::ChangeLogSource(log_source(node)),
        "replace_string" => match regex(reader, node, "regex") {
            Some(regex) => {
                // Python's `\1` is the crate's `${1}`.
                let replacement = node.get("replacement").and_then(Node::scalar).unwrap_or_default();
                Transformation::ReplaceString(regex, python_replacement(&replacement))
            }
            None => Transformation::Nothing,
        },
        "map_string" => Transformation::MapString(of("mapping")),
        "set_value" => Transformation::SetValue(node.get("value").map_or(ScalarData::Null, scalar)),
        "case" => Transformation::Case(node.text("method")),
        "convert_type" => Transformation::ConvertType(node.text("target_type")),
        "value_placeholders" => Transformation::ValuePlaceholders(node.texts("include"), node.texts("exclude")),
        "wildcard_placeholders" => Transformation::WildcardPlaceholders(node.texts("include"), node.texts("exclude")),
        "hashes_fields" => Transformation::HashesFields(node.texts("valid_hash_algos"), node.text("field_prefix")),
        "set_state" => {
            let value = if node.get("value").is_some() { node.text("value") } else { node.text("val") };
            Transformation::SetState(node.text("key"), value)
        }
        "rule_failure" | "detection_item_failure" => Transformation::Fail(node.text("message")),
        "nest" => Transformation::Nest(items(reader, node, "items", depth + 1)),
        "strict_field_mapping_failure" => Transformation::FailUnmapped,
        // `regex` spells a text as an expression that finds the same, for targets that need it.
        "add_field" | "remove_field" | "set_field" | "set_custom_attribute" | "regex" => Transformation::Nothing,
        "" => {
            let span = first_line(reader.file, node.span);
            reader.fault("sigma-pipeline", span, "the transformation has no type", "", "write `type:`");
            Transformation::Nothing
        }
        _ => Transformation::Unknown(kind),
    }
}

fn add_condition(reader: &mut Reader<'_>, node: &Node) -> Transformation {
    let Some(conditions) = node.get("conditions") else {
        let span = first_line(reader.file, node.span);
        let help = "write the fields and values below `conditions:`";
        reader.fault("sigma-pipeline", span, "`add_condition` adds nothing", "", help);
        return Transformation::Nothing;
    };
    let items = match reader.detection(conditions) {
        Detection::All(items) => items,
        other => vec![other],
    };
    Transformation::AddCondition { items, name: node.text("name"), negated: node.flag("negated") }
}

fn conditions(reader: &mut Reader<'_>, node: &Node, of: &str) -> Conditions {
    let key = |what: &str| format!("{of}_{what}");
    let mut conditions = Conditions {
        all: Vec::new(),
        any: node.text(&key("cond_op")) == "or",
        negated: node.flag(&key("cond_not")),
        expression: None,
    };
    match node.get(&key("conditions")) {
        Some(Node { data: Data::List(items), .. }) => {
            for (number, item) in items.iter().enumerate() {
                conditions.all.push(((number + 1).to_string(), test(reader, item)));
            }
        }
        Some(Node { data: Data::Map(members), .. }) => {
            for (name, item) in members {
                conditions.all.push((name.clone(), test(reader, item)));
            }
        }
        _ => {}
    }
    if let Some(expression) = node.get(&key("cond_expr")) {
        let text = expression.scalar().unwrap_or_default();
        conditions.expression = names_condition(reader, expression, &text);
        if let Some(tree) = &conditions.expression {
            let names: Vec<String> = conditions.all.iter().map(|(name, _)| name.clone()).collect();
            super::parser::walk(tree, &mut |part| {
                if let Condition::Name(name, span) = part
                    && !names.contains(name)
                {
                    let message = format!("there is no condition `{name}`");
                    reader.fault("sigma-pipeline", *span, message, "", "name it among the conditions");
                }
            });
        }
    }
    conditions
}

fn test(reader: &mut Reader<'_>, node: &Node) -> Test {
    let kind = node.text("type");
    let own = |key: &str| node.text(key);
    match kind.as_str() {
        "logsource" => Test::LogSource(log_source(node)),
        "contains_detection_item" => Test::ContainsItem(own("field"), Some(own("value"))),
        "contains_field" => Test::ContainsItem(own("field"), None),
        "processing_item_applied" => Test::Applied(own("processing_item_id")),
        "processing_state" => {
            Test::State(own("key"), if node.get("val").is_some() { own("val") } else { own("value") })
        }
        "is_sigma_rule" => Test::IsRule,
        "is_sigma_correlation_rule" => Test::IsCorrelation,
        "rule_attribute" => {
            let operator = if node.get("op").is_some() { own("op") } else { "eq".to_owned() };
            Test::Attribute(own("attribute"), operator, node.texts("value"))
        }
        "tag" => Test::Tag(own("tag")),
        "match_string" => match regex(reader, node, "pattern") {
            Some(regex) => Test::MatchString(regex, own("cond") == "all"),
            None => Test::Unknown(kind),
        },
        "match_value" => Test::MatchValue(node.get("value").map_or(ScalarData::Null, scalar), own("cond") == "all"),
        "is_null" => Test::IsNull,
        "contains_wildcard" => Test::ContainsWildcard,
        "include_fields" | "exclude_fields" => {
            let names = node.texts("fields");
            let negated = kind == "exclude_fields";
            match own("mode").as_str() {
                "re" | "regex" => {
                    let regexes =
                        names.iter().filter_map(|name| regex::Regex::new(&format!("^(?:{name})")).ok()).collect();
                    Test::Fields(Vec::new(), regexes, negated)
                }
                _ => Test::Fields(names, Vec::new(), negated),
            }
        }
        _ => Test::Unknown(kind),
    }
}

fn log_source(node: &Node) -> LogSource {
    LogSource::new(&node.text("category"), &node.text("product"), &node.text("service"))
}

fn regex(reader: &mut Reader<'_>, node: &Node, key: &str) -> Option<regex::Regex> {
    let text = node.get(key).and_then(Node::scalar).unwrap_or_default();
    match regex::Regex::new(&text) {
        Ok(regex) => Some(regex),
        Err(error) => {
            let place = node.get(key).map_or(node.span, |own| key_span(reader.file, key, own.span));
            let message = format!("the regular expression is faulty: {error}");
            reader.fault("sigma-pipeline", place, message, "", "correct it");
            None
        }
    }
}

fn python_replacement(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(digit) if digit.is_ascii_digit() => {
                    out.push_str("${");
                    out.push(digit);
                    out.push('}');
                }
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            '$' => out.push_str("$$"),
            c => out.push(c),
        }
    }
    out
}

/// A map of texts, or lists of texts.
fn mapping(node: &Node) -> BTreeMap<String, Vec<String>> {
    node.members().iter().map(|(name, _)| (name.clone(), node.texts(name))).collect()
}

fn scalar(node: &Node) -> ScalarData {
    match &node.data {
        Data::Bool(truth) => ScalarData::Bool(*truth),
        Data::Number(text) => ScalarData::Number(text.clone()),
        Data::Text(text) => ScalarData::Text(text.clone()),
        _ => ScalarData::Null,
    }
}
