//! `correlation:` to the tree of [`super::ast`].

use lurcher_diagnostics::{Diagnostic, Span};
use lurcher_ir::Comparison;

use super::{
    ast::{Condition, CorrelationRule, CorrelationTerm, CorrelationType},
    parser::{Reader, first_line, key_span, list, names_condition, timespan, walk},
};
use crate::{
    syntax::closest,
    tree::{Data, Node},
};

/// The keys of a correlation.
const KEYS: [&str; 7] = ["type", "rules", "aliases", "group-by", "timespan", "condition", "generate"];

/// Reads a correlation; `None` if it cannot be run, which has been said.
pub(super) fn parse(reader: &mut Reader<'_>, node: &Node) -> Option<CorrelationRule> {
    let head = first_line(reader.file, node.span);
    if !matches!(node.data, Data::Map(_)) {
        reader.fault(
            "sigma-correlation",
            node.span,
            "a correlation is a map",
            "",
            "write `type:` and `rules:` below it",
        );
        return None;
    }
    for (key, value) in node.members() {
        if !KEYS.contains(&key.as_str()) {
            let place = key_span(reader.file, key, value.span);
            let diagnostic =
                Diagnostic::warning("sigma-correlation", format!("a correlation has no `{key}`")).at(place, "");
            reader.push(match closest(key, KEYS) {
                Some(known) => diagnostic.with_help(format!("did you mean `{known}`?")),
                None => diagnostic,
            });
        }
    }
    let before = reader.diagnostics.iter().filter(|d| d.level == lurcher_diagnostics::Level::Error).count();
    let kind = kind(reader, node, head);
    let term = term(reader, node, kind, head);
    let rules = rules(reader, node, term.as_ref(), head);
    let timespan = span(reader, node, head);
    let group_by = node.texts("group-by");
    let aliases = aliases(reader, node);
    let generate = match node.get("generate").map(|node| (&node.data, node.span)) {
        None => false,
        Some((Data::Bool(truth), _)) => *truth,
        Some((_, span)) => {
            reader.fault("sigma-correlation", span, "`generate` is true or false", "", "write `true` or `false`");
            false
        }
    };
    let faults = reader.diagnostics.iter().filter(|d| d.level == lurcher_diagnostics::Level::Error).count();
    let condition = term.unwrap_or_default();
    (faults == before).then_some(CorrelationRule {
        kind: kind?,
        rules,
        group_by,
        aliases,
        timespan,
        condition,
        generate,
    })
}

fn kind(reader: &mut Reader<'_>, node: &Node, head: Span) -> Option<CorrelationType> {
    let names = CorrelationType::ALL.map(|(name, _)| name);
    let Some(value) = node.get("type") else {
        reader.fault(
            "sigma-correlation-type",
            head,
            "the correlation has no type",
            "",
            format!("write `type:` with one of {}", list(&names)),
        );
        return None;
    };
    let name = value.scalar().unwrap_or_default().to_lowercase();
    let known = CorrelationType::ALL.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind);
    if known.is_none() {
        let help = match closest(&name, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the types are {}", list(&names)),
        };
        reader.fault(
            "sigma-correlation-type",
            value.span,
            format!("there is no correlation of type `{name}`"),
            "",
            help,
        );
    }
    known
}

fn rules(reader: &mut Reader<'_>, node: &Node, term: Option<&CorrelationTerm>, head: Span) -> Vec<(String, Span)> {
    let rules: Vec<(String, Span)> = match node.get("rules") {
        Some(Node { data: Data::List(items), .. }) => {
            items.iter().filter_map(|item| Some((item.scalar()?.trim().to_owned(), item.span))).collect()
        }
        Some(single) => single.scalar().map(|text| (text.trim().to_owned(), single.span)).into_iter().collect(),
        None => Vec::new(),
    };
    let named = named_rules(term.and_then(|term| term.names.as_ref()));
    if rules.is_empty() {
        if named.is_empty() {
            let help = "list ids or names of rules below `rules:`";
            reader.fault("sigma-correlation-rules", head, "the correlation names no rules", "", help);
        }
        return named;
    }
    if !named.is_empty() {
        for (name, span) in &named {
            if !rules.iter().any(|(rule, _)| rule == name) {
                let known: Vec<&str> = rules.iter().map(|(rule, _)| rule.as_str()).collect();
                let help = match closest(name, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("the rules are {}", list(&known)),
                };
                reader.fault("sigma-correlation-rules", *span, format!("`rules:` does not list `{name}`"), "", help);
            }
        }
        for (rule, span) in &rules {
            if !named.iter().any(|(name, _)| name == rule) {
                let help = "name it, or take it out of the list";
                reader.fault(
                    "sigma-correlation-rules",
                    *span,
                    format!("the condition does not name `{rule}`"),
                    "",
                    help,
                );
            }
        }
    }
    rules
}

/// The names in a condition, each once, in order.
fn named_rules(condition: Option<&Condition>) -> Vec<(String, Span)> {
    let mut named: Vec<(String, Span)> = Vec::new();
    if let Some(condition) = condition {
        walk(condition, &mut |part| {
            if let Condition::Name(name, span) = part
                && !named.iter().any(|(known, _)| known == name)
            {
                named.push((name.clone(), *span));
            }
        });
    }
    named
}

fn span(reader: &mut Reader<'_>, node: &Node, head: Span) -> Option<std::time::Duration> {
    let Some(value) = node.get("timespan") else {
        let help = "write `timespan:` with a number and s, m, h or d, such as `5m`";
        reader.fault("sigma-timespan", head, "the correlation has no timespan", "", help);
        return None;
    };
    let found = value.scalar().and_then(|text| timespan(&text));
    if found.is_none() {
        let help = "write a number above zero and s, m, h or d, such as `5m`";
        reader.fault("sigma-timespan", value.span, "this is no length of time", "", help);
    }
    found
}

fn aliases(reader: &mut Reader<'_>, node: &Node) -> Vec<(String, Vec<(String, String)>)> {
    let Some(node) = node.get("aliases") else { return Vec::new() };
    let mut aliases = Vec::new();
    if !matches!(node.data, Data::Map(_)) {
        let help = "write each alias with, below it, the field for each rule";
        reader.fault("sigma-correlation-aliases", node.span, "aliases are a map", "", help);
    }
    for (alias, fields) in node.members() {
        if !matches!(fields.data, Data::Map(_)) {
            let help = "below it, write for each rule the field that it stands for";
            reader.fault("sigma-correlation-aliases", fields.span, format!("the alias `{alias}` is no map"), "", help);
            continue;
        }
        let fields =
            fields.members().iter().filter_map(|(rule, field)| Some((rule.clone(), field.scalar()?))).collect();
        aliases.push((alias.clone(), fields));
    }
    aliases
}

/// The condition. `None`: there is none, which only those over rules may do without.
fn term(reader: &mut Reader<'_>, node: &Node, kind: Option<CorrelationType>, head: Span) -> Option<CorrelationTerm> {
    let Some(node) = node.get("condition") else {
        if kind.is_some_and(|kind| !kind.is_temporal()) {
            let help = "write `condition:` with a comparison, such as `gte: 10`";
            reader.fault("sigma-correlation-condition", head, "the correlation has no condition", "", help);
        }
        return None;
    };
    if let Some(text) = node.scalar() {
        if kind.is_some_and(|kind| !kind.is_temporal()) {
            let help =
                "write a comparison, such as `gte: 10`; names of rules stand in conditions of temporal correlations";
            reader.fault("sigma-correlation-condition", node.span, "this condition is no comparison", "", help);
            return None;
        }
        let names = names_condition(reader, node, &text);
        return Some(CorrelationTerm { names, span: node.span, ..CorrelationTerm::default() });
    }
    let mut term = CorrelationTerm { span: node.span, ..CorrelationTerm::default() };
    for (key, value) in node.members() {
        let comparison = match key.as_str() {
            "lt" => Comparison::Less,
            "lte" => Comparison::LessOrEqual,
            "gt" => Comparison::Greater,
            "gte" => Comparison::GreaterOrEqual,
            "eq" => Comparison::Equal,
            "neq" => Comparison::NotEqual,
            "field" => {
                term.fields = node.texts("field");
                continue;
            }
            "percentile" => {
                term.percentile = node.number("percentile").filter(|percent| (0.0..=100.0).contains(percent));
                if term.percentile.is_none() {
                    reader.fault(
                        "sigma-correlation-condition",
                        value.span,
                        "a percentile lies between 0 and 100",
                        "",
                        "write a number such as `95`",
                    );
                }
                continue;
            }
            _ => {
                let known = ["lt", "lte", "gt", "gte", "eq", "neq", "field", "percentile"];
                let place = key_span(reader.file, key, value.span);
                let help = match closest(key, known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("a condition has {}", list(&known)),
                };
                reader.fault("sigma-correlation-condition", place, format!("a condition has no `{key}`"), "", help);
                continue;
            }
        };
        match node.number(key) {
            Some(number) => term.comparisons.push((comparison, number)),
            None => reader.fault("sigma-correlation-condition", value.span, "this is no number", "", "write a number"),
        }
    }
    let place = first_line(reader.file, node.span);
    if term.comparisons.is_empty() {
        let help = "write a comparison, such as `gte: 10`";
        reader.fault("sigma-correlation-condition", place, "the condition compares nothing", "", help);
    }
    let needs_field = kind.is_some_and(|kind| !kind.is_temporal() && kind != CorrelationType::EventCount);
    if needs_field && term.fields.is_empty() {
        let help = "write `field:` beside the comparison";
        reader.fault("sigma-correlation-field", place, "the condition does not say which field's values", "", help);
    }
    Some(term)
}
