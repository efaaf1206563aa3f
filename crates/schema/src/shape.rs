//! Shapes: what kind of event this is, as far as it decides what its fields mean.
//!
//! All rows of a batch have one shape. A mapping pack's entries say for which shapes they hold by naming attributes;
//! rules are specialised to a shape once, and most of them fold away there.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

/// A number that stands for one shape within this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShapeId(u32);

/// The kind of an event: a small set of named attributes.
///
/// | attribute | of | example |
/// |---|---|---|
/// | `dialect` | all | `windows`, `ecs`, `cim`, `ocsf`, `cloudtrail`, `unknown` … |
/// | `channel`, `provider`, `event_id` | Windows events, also inside ECS documents | `Security`, `Microsoft-Windows-Sysmon`, `1` |
/// | `dataset`, `module`, `index` | ECS documents | `endpoint.events.process`, `endpoint`, `logs-endpoint.events.process-default` |
/// | `category`, `type`, `os` | ECS documents without a channel | `process`, `start`, `linux`; several with commas between them |
/// | `stream` | Zeek's logs | `conn` |
/// | `record_type`, `message_type`, `syscall` | Linux audit records | `EXECVE`; `event`, `syscall`, `execve` for all of one number together |
/// | `program` | syslog and the journal | `sshd` |
/// | others | JSON of products, see `docs/taxonomies.md` | `category`, `workload`, `application` … |
/// | `class_uid` | OCSF documents | `1007` |
/// | `sourcetype`, `source` | Splunk exports | `XmlWinEventLog` |
///
/// Two shapes with the same attributes are the same shape and have the same id.
#[derive(Debug)]
pub struct Shape {
    id: ShapeId,
    attributes: Attributes,
}

type Attributes = BTreeMap<Arc<str>, Arc<str>>;

static KNOWN: LazyLock<Mutex<HashMap<Attributes, Arc<Shape>>>> = LazyLock::new(Mutex::default);

impl Shape {
    /// The shape with these attributes.
    pub fn new<'a>(attributes: impl IntoIterator<Item = (&'a str, &'a str)>) -> Arc<Self> {
        let attributes: Attributes = attributes.into_iter().map(|(k, v)| (Arc::from(k), Arc::from(v))).collect();
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let id = ShapeId(known.len() as u32);
        Arc::clone(known.entry(attributes).or_insert_with_key(|a| Arc::new(Self { id, attributes: a.clone() })))
    }

    /// Its number in this process. Never in output: it depends on what was read first.
    pub fn id(&self) -> ShapeId {
        self.id
    }

    /// One attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(AsRef::as_ref)
    }

    /// All attributes, by name.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.attributes.iter().map(|(k, v)| (k.as_ref(), v.as_ref()))
    }

    /// The dialect that the reader recognised.
    pub fn dialect(&self) -> &str {
        self.attribute("dialect").unwrap_or("unknown")
    }
}

impl PartialEq for Shape {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Shape {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_attributes_are_one_shape() {
        let a = Shape::new([("dialect", "windows"), ("event_id", "1")]);
        let b = Shape::new([("event_id", "1"), ("dialect", "windows")]);
        let c = Shape::new([("dialect", "windows"), ("event_id", "3")]);
        assert_eq!(a.id(), b.id());
        assert_ne!(a.id(), c.id());
        assert_eq!(a.attribute("event_id"), Some("1"));
    }
}
