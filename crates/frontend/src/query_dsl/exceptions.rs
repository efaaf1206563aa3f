//! The items of Kibana's exception lists: what an event must be like so that a rule does not look at it.
//!
//! All entries of an item must hold for one event. An entry is `match` (the value; case counts), `match_any` (one of
//! several), `exists`, `wildcard` (a pattern), `list` (one of the values of a value list) or `nested` (one element of
//! a list satisfies several entries), each `included` or `excluded`. Source: Kibana's package
//! `securitysolution-list-utils` and its exceptions API.

use std::net::IpAddr;

use lurcher_ir::{Case, Network, Predicate, Test, fold_text};

use super::{
    Context,
    clause::{escaped, one_of, refused},
};
use crate::{
    elasticsearch::field::{Typed, networks_between},
    kql,
    tree::Node,
};

/// A value list: what `list` entries compare with.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ValueList {
    /// Its values as written, without blanks at their ends and without empty ones.
    pub values: Vec<String>,
}

/// Value lists by their ids.
pub type FindList<'a> = dyn Fn(&str) -> Option<&'a ValueList> + 'a;

/// What an event must be like for an item to apply to it; a sentence if that cannot be said.
pub fn item(node: &Node, lists: &FindList<'_>, context: &Context<'_>) -> Result<Predicate, String> {
    let mut parts = Vec::new();
    for entry in node.items("entries") {
        parts.push(self::entry(entry, "", lists, context)?);
    }
    if parts.is_empty() {
        return Err("has no entries".to_owned());
    }
    let systems: Vec<String> = node.texts("os_types");
    if !systems.is_empty() {
        // As Kibana has it: by the type, or by the lower-cased name that Elastic Defend sends.
        let fields = context.fields();
        let of = |path: &str| one_of(&fields.named(path), &systems, context);
        parts.push(Predicate::any([of("host.os.type")?, of("host.os.name.caseless")?]));
    }
    Ok(Predicate::all(parts))
}

fn entry(entry: &Node, prefix: &str, lists: &FindList<'_>, context: &Context<'_>) -> Result<Predicate, String> {
    let path = format!("{prefix}{}", entry.text("field"));
    if path.is_empty() {
        return Err("an entry names no field".to_owned());
    }
    let typed = context.fields().named(&path);
    let value =
        || entry.get("value").and_then(Node::scalar).ok_or_else(|| format!("the entry for `{path}` has no value"));
    let found = match entry.text("type").as_str() {
        "match" => typed.phrase(&value()?, 0, false, context.now).map_err(|misfit| refused(&typed, misfit))?,
        "match_any" => {
            let values = entry.texts("value").into_iter();
            let values = values
                .map(|value| typed.phrase(&value, 0, false, context.now).map_err(|misfit| refused(&typed, misfit)));
            Predicate::any(values.collect::<Result<Vec<_>, _>>()?)
        }
        "exists" => typed.exists(),
        "wildcard" => typed
            .pattern(&escaped(&value()?), Case::Sensitive, context.now)
            .map_err(|misfit| refused(&typed, misfit))?,
        "list" => {
            let list = entry.get("list").ok_or_else(|| format!("the entry for `{path}` names no value list"))?;
            let id = list.text("id");
            let values = lists(&id).ok_or_else(|| format!("the value list `{id}` is not given"))?;
            in_list(&typed, values, &list.text("type"), context)?
        }
        "nested" if prefix.is_empty() => {
            let below = format!("{path}.");
            let parts: Result<Vec<_>, _> =
                entry.items("entries").iter().map(|inner| self::entry(inner, &below, lists, context)).collect();
            kql::any_element(&typed.field, &Predicate::all(parts?))
                .ok_or_else(|| format!("the nested entry for `{path}` asks for words or dates"))?
        }
        other => return Err(format!("the entry for `{path}` is of the unknown type `{other}`")),
    };
    Ok(if entry.text("operator") == "excluded" { found.negate() } else { found })
}

fn in_list(typed: &Typed, list: &ValueList, kind: &str, context: &Context<'_>) -> Result<Predicate, String> {
    match kind {
        "ip" | "ip_range" => {
            let mut networks = Vec::new();
            for value in &list.values {
                networks
                    .extend(range(value).ok_or_else(|| format!("`{value}` in a value list is no range of addresses"))?);
            }
            Ok(if networks.is_empty() {
                Predicate::Constant(false)
            } else {
                typed.test(Test::InNetwork(networks.into()))
            })
        }
        // A list of type text is analysed: one of its values stands in the field as words.
        "text" => {
            let asked = list.values.iter().map(|value| {
                typed.matching(&fold_text(value), false, context.now).map_err(|misfit| refused(typed, misfit))
            });
            Ok(Predicate::any(asked.collect::<Result<Vec<_>, _>>()?))
        }
        _ => one_of(typed, &list.values, context),
    }
}

/// `10.0.0.1`, `10.0.0.0/8`, `10.0.0.1-10.0.0.9`.
fn range(text: &str) -> Option<Vec<Network>> {
    if let Some(network) = Network::parse(text) {
        return Some(vec![network]);
    }
    let (low, high) = text.split_once('-')?;
    let bits = |text: &str| {
        text.trim().parse::<IpAddr>().ok().map(|address| match address {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
            IpAddr::V6(v6) => v6.to_bits(),
        })
    };
    Some(networks_between(bits(low)?, bits(high)?))
}
