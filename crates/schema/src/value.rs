//! One value of an event, a literal of a rule, or a cell of a pipeline's row.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

/// A value. Cheap to clone.
///
/// Two values are equal when they have the same type and content: `Int(1) != Float(1.0) != Text("1")`. The looser
/// comparisons of the rule languages are operators of the IR, not of this type.
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// No value; the same as an absent field.
    #[default]
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A floating-point number; never NaN when it came from a reader.
    Float(f64),
    /// Text.
    Text(Arc<str>),
    /// Several values, in order.
    List(Arc<[Value]>),
    /// Named values.
    Object(Arc<Object>),
}

impl Value {
    /// A text value.
    pub fn text(text: impl Into<Arc<str>>) -> Self {
        Self::Text(text.into())
    }

    /// A list value.
    pub fn list(values: impl IntoIterator<Item = Value>) -> Self {
        Self::List(values.into_iter().collect())
    }

    /// Whether this is [`Value::Null`].
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Whether a field with this value counts as missing: null, an empty list, or a list of such.
    pub fn is_missing(&self) -> bool {
        match self {
            Self::Null => true,
            Self::List(values) => values.iter().all(Self::is_missing),
            _ => false,
        }
    }

    /// The text, if it is text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The single values of a field: itself, or the elements of a list (flattened); nothing for null.
    pub fn elements(&self) -> Elements<'_> {
        Elements { stack: vec![std::slice::from_ref(self)] }
    }

    /// The scalars in it, at any depth, in order; nothing for null.
    pub fn leaves(&self) -> Vec<Value> {
        match self {
            Self::Null => Vec::new(),
            Self::List(values) => values.iter().flat_map(Self::leaves).collect(),
            Self::Object(object) => object.iter().flat_map(|(_, value)| value.leaves()).collect(),
            scalar => vec![scalar.clone()],
        }
    }

    /// The number, if it is one.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Int(n) => Some(*n as f64),
            Self::Float(n) => Some(*n),
            _ => None,
        }
    }

    /// From JSON. Integers beyond `i64` become floats.
    pub fn from_json(json: &serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(b) => Self::Bool(*b),
            serde_json::Value::Number(n) => {
                n.as_i64().map_or_else(|| Self::Float(n.as_f64().unwrap_or(0.0)), Self::Int)
            }
            serde_json::Value::String(s) => Self::text(s.as_str()),
            serde_json::Value::Array(a) => Self::list(a.iter().map(Self::from_json)),
            serde_json::Value::Object(o) => {
                Self::Object(Arc::new(o.iter().map(|(k, v)| (Arc::from(k.as_str()), Self::from_json(v))).collect()))
            }
        }
    }

    /// As JSON.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(b) => (*b).into(),
            Self::Int(n) => (*n).into(),
            Self::Float(n) => {
                serde_json::Number::from_f64(*n).map_or(serde_json::Value::Null, serde_json::Value::Number)
            }
            Self::Text(t) => t.as_ref().into(),
            Self::List(l) => l.iter().map(Self::to_json).collect(),
            Self::Object(o) => o.to_json(),
        }
    }
}

/// The text form of a scalar as every product shows it: text as it is, `42`, `42.5`, `true`. Lists and objects as
/// JSON, null as nothing.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => Ok(()),
            Self::Bool(b) => write!(f, "{b}"),
            Self::Int(n) => write!(f, "{n}"),
            Self::Float(n) => write!(f, "{n}"),
            Self::Text(t) => f.write_str(t),
            Self::List(_) | Self::Object(_) => write!(f, "{}", self.to_json()),
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a.to_bits() == b.to_bits(),
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::List(a), Self::List(b)) => a == b,
            (Self::Object(a), Self::Object(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Self::Null => {}
            Self::Bool(b) => b.hash(state),
            Self::Int(n) => n.hash(state),
            Self::Float(n) => n.to_bits().hash(state),
            Self::Text(t) => t.hash(state),
            Self::List(l) => l.hash(state),
            Self::Object(o) => o.hash(state),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

/// Iterator over the single values of a field; see [`Value::elements`].
pub struct Elements<'a> {
    stack: Vec<&'a [Value]>,
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a Value;

    fn next(&mut self) -> Option<&'a Value> {
        while let Some(top) = self.stack.pop() {
            if let Some((first, rest)) = top.split_first() {
                self.stack.push(rest);
                match first {
                    Value::Null => {}
                    Value::List(inner) => self.stack.push(inner),
                    single => return Some(single),
                }
            }
        }
        None
    }
}

/// Named values in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Object(Vec<(Arc<str>, Value)>);

impl Object {
    /// An object of members whose names are known to differ.
    pub fn from_distinct(members: impl IntoIterator<Item = (Arc<str>, Value)>) -> Self {
        Self(members.into_iter().collect())
    }

    /// Adds members whose names differ, from each other and from those that it has.
    pub fn extend_distinct(&mut self, members: impl IntoIterator<Item = (Arc<str>, Value)>) {
        self.0.extend(members);
    }

    /// The value under exactly this name (a dot in the name is only a character).
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(key, _)| key.as_ref() == name).map(|(_, value)| value)
    }

    /// The value at a dotted path: a member of exactly that name, or step by step through inner objects. A step
    /// into a list of objects yields the list of what they hold there, as Elasticsearch flattens them.
    pub fn path(&self, path: &str) -> Option<Value> {
        if let Some(value) = self.get(path) {
            return Some(value.clone());
        }
        for (dot, _) in path.match_indices('.') {
            let found = match self.get(&path[..dot]) {
                Some(Value::Object(inner)) => inner.path(&path[dot + 1..]),
                Some(Value::List(items)) => {
                    let inner: Vec<Value> = items
                        .iter()
                        .filter_map(|item| if let Value::Object(o) = item { o.path(&path[dot + 1..]) } else { None })
                        .flat_map(|found| found.elements().cloned().collect::<Vec<_>>())
                        .collect();
                    (!inner.is_empty()).then(|| Value::list(inner))
                }
                _ => None,
            };
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// Sets a member, replacing one of the same name in its place.
    pub fn insert(&mut self, name: impl Into<Arc<str>>, value: Value) {
        let name = name.into();
        match self.0.iter_mut().find(|(key, _)| *key == name) {
            Some(slot) => slot.1 = value,
            None => self.0.push((name, value)),
        }
    }

    /// Sets the value at a dotted path, making inner objects on the way. Where a step is taken by something that is
    /// no object, the rest of the path becomes a member name with dots.
    pub fn insert_path(&mut self, path: &str, value: Value) {
        let Some((head, rest)) = path.split_once('.') else {
            return self.insert(path, value);
        };
        // Names mostly come sorted: the one that is looked for is the last, if there is one.
        match self.0.iter_mut().rev().find(|(key, _)| key.as_ref() == head) {
            None => {
                let mut inner = Object::default();
                inner.insert_path(rest, value);
                self.0.push((head.into(), Value::Object(Arc::new(inner))));
            }
            Some((_, Value::Object(inner))) => Arc::make_mut(inner).insert_path(rest, value),
            Some(_) => self.insert(path, value),
        }
    }

    /// Removes a member.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let at = self.0.iter().position(|(key, _)| key.as_ref() == name)?;
        Some(self.0.remove(at).1)
    }

    /// All members.
    pub fn iter(&self) -> std::slice::Iter<'_, (Arc<str>, Value)> {
        self.0.iter()
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As a JSON object, in order.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::Value::Object(self.0.iter().map(|(k, v)| (k.to_string(), v.to_json())).collect())
    }
}

impl FromIterator<(Arc<str>, Value)> for Object {
    fn from_iter<I: IntoIterator<Item = (Arc<str>, Value)>>(members: I) -> Self {
        let mut object = Self::default();
        for (name, value) in members {
            object.insert(name, value);
        }
        object
    }
}

impl<'a> IntoIterator for &'a Object {
    type Item = &'a (Arc<str>, Value);
    type IntoIter = std::slice::Iter<'a, (Arc<str>, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(json: &str) -> Object {
        match Value::from_json(&serde_json::from_str(json).unwrap()) {
            Value::Object(o) => Arc::unwrap_or_clone(o),
            other => panic!("not an object: {other:?}"),
        }
    }

    #[test]
    fn paths_reach_through_objects_dotted_names_and_lists() {
        let event = object(r#"{"a":{"b.c":1,"d":{"e":2}},"a.x":3,"l":[{"n":1},{"n":2},{"m":3}]}"#);
        assert_eq!(event.path("a.b.c"), Some(Value::Int(1)));
        assert_eq!(event.path("a.d.e"), Some(Value::Int(2)));
        assert_eq!(event.path("a.x"), Some(Value::Int(3)));
        assert_eq!(event.path("l.n"), Some(Value::list([Value::Int(1), Value::Int(2)])));
        assert_eq!(event.path("l.z"), None);
        assert_eq!(event.path("a.d.e.f"), None);
    }

    #[test]
    fn inserting_a_path_makes_objects() {
        let mut o = Object::default();
        o.insert_path("a.b", 1.into());
        o.insert_path("a.c", 2.into());
        o.insert_path("a.b.d", 3.into());
        assert_eq!(o.to_json().to_string(), r#"{"a":{"b":1,"c":2,"b.d":3}}"#);
    }

    #[test]
    fn elements_flatten_lists_and_skip_nulls() {
        let v = Value::list([1.into(), Value::Null, Value::list([2.into(), Value::list([])]), 3.into()]);
        assert_eq!(v.elements().cloned().collect::<Vec<_>>(), [Value::Int(1), Value::Int(2), Value::Int(3)]);
        assert!(Value::list([Value::Null]).is_missing());
    }
}
