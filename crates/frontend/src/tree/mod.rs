//! One tree for what TOML, YAML and JSON files hold, with the place of every value.
//!
//! The vendors' layouts, and the languages that are written in YAML, are read from this tree, so that a layout is described once whatever it is written in, and so
//! that every complaint about a value can point at it. Numbers keep their spelling: the version `1.10` is no float.

pub mod yaml;

use std::sync::Arc;

use lurcher_diagnostics::Span;
use lurcher_schema::{Object, Value};

/// A value and where it stands in its file.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where the value stands, quotes and block headers included.
    pub span: Span,
    /// What it is.
    pub data: Data,
}

/// What a [`Node`] holds.
#[derive(Clone, Debug)]
pub enum Data {
    /// Nothing.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number, as spelled.
    Number(String),
    /// Text, after unquoting.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// Named values, in the order of the parser.
    Map(Vec<(String, Node)>),
}

impl Node {
    /// The member of this name, if this is a map that has it and it is not null.
    pub fn get(&self, name: &str) -> Option<&Node> {
        match &self.data {
            Data::Map(members) => {
                members.iter().find(|(key, node)| key == name && !matches!(node.data, Data::Null)).map(|(_, n)| n)
            }
            _ => None,
        }
    }

    /// The member at this path of names.
    pub fn at(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self, |node, name| node.get(name))
    }

    /// The scalar as text: numbers as spelled, booleans as `true` and `false`.
    pub fn scalar(&self) -> Option<String> {
        match &self.data {
            Data::Bool(b) => Some(b.to_string()),
            Data::Number(text) | Data::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    /// The text of the scalar member of this name, without white space at its ends; empty if there is none.
    pub fn text(&self, name: &str) -> String {
        self.get(name).and_then(Node::scalar).map(|text| text.trim().to_owned()).unwrap_or_default()
    }

    /// The texts of the member of this name: the scalars of a list, or a single scalar. Empty ones are left out.
    pub fn texts(&self, name: &str) -> Vec<String> {
        let Some(node) = self.get(name) else { return Vec::new() };
        let scalars = match &node.data {
            Data::List(items) => items.iter().filter_map(Node::scalar).collect(),
            _ => node.scalar().into_iter().collect::<Vec<_>>(),
        };
        scalars.into_iter().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).collect()
    }

    /// The number of the member of this name, also if it is spelled as text.
    pub fn number(&self, name: &str) -> Option<f64> {
        let number = self.get(name)?.scalar()?.trim().parse::<f64>().ok()?;
        number.is_finite().then_some(number)
    }

    /// The truth of the member of this name; false if there is none.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.get(name), Some(Node { data: Data::Bool(true), .. }))
    }

    /// The items of the member of this name; nothing if it is no list.
    pub fn items(&self, name: &str) -> &[Node] {
        match self.get(name) {
            Some(Node { data: Data::List(items), .. }) => items,
            _ => &[],
        }
    }

    /// The members, if this is a map.
    pub fn members(&self) -> &[(String, Node)] {
        match &self.data {
            Data::Map(members) => members,
            _ => &[],
        }
    }

    /// As a value of the IR's metadata.
    pub fn to_value(&self) -> Value {
        match &self.data {
            Data::Null => Value::Null,
            Data::Bool(b) => Value::Bool(*b),
            Data::Number(text) => match (text.parse::<i64>(), text.parse::<f64>()) {
                (Ok(whole), _) => Value::Int(whole),
                (_, Ok(number)) => Value::Float(number),
                _ => Value::text(text.as_str()),
            },
            Data::Text(text) => Value::text(text.as_str()),
            Data::List(items) => Value::list(items.iter().map(Node::to_value)),
            Data::Map(_) => Value::Object(Arc::new(self.without(&[]))),
        }
    }

    /// The members but those of these names, as an object.
    pub fn without(&self, names: &[&str]) -> Object {
        self.members()
            .iter()
            .filter(|(key, node)| !names.contains(&key.as_str()) && !matches!(node.data, Data::Null))
            .map(|(key, node)| (Arc::from(key.as_str()), node.to_value()))
            .collect()
    }
}
