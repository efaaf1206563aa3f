//! Taxonomies: agreed sets of field names, and the types of their fields.

use std::{borrow::Borrow, fmt, sync::Arc};

/// A set of field names that rules are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Taxonomy {
    /// The names that readers give: for Windows events `EventID`, `Channel`, `Provider_Name`, `Computer` …, and
    /// `EventData.Image`, `UserData.…`; for JSON of an unknown kind the document's own dotted paths.
    Raw,
    /// Elastic Common Schema, with what Elastic's integrations add to it (`winlog.*`, `powershell.*` …).
    Ecs,
    /// Splunk's Common Information Model, with what Splunk's add-ons add to it.
    Cim,
    /// Open Cybersecurity Schema Framework 1.x, as Splunk's SPL2 content reads it.
    Ocsf,
    /// Sigma's own names: for Windows events those of Sysmon and of the event's own elements, `EventID`, `Image`,
    /// `CommandLine`, `TargetObject` …; for other sources what the log source's taxonomy says.
    Sigma,
}

impl Taxonomy {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Raw, Self::Ecs, Self::Cim, Self::Ocsf, Self::Sigma];

    /// The lower-case name that command lines and packs use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Ecs => "ecs",
            Self::Cim => "cim",
            Self::Ocsf => "ocsf",
            Self::Sigma => "sigma",
        }
    }

    /// The taxonomy of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.name() == name)
    }
}

impl fmt::Display for Taxonomy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A dotted field name, such as `process.parent.name`. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldPath(Arc<str>);

impl FieldPath {
    /// Stands, in every taxonomy, for every value of the event: what a search without a field looks at. No field is
    /// called so.
    pub const EVERYTHING: &'static str = "*";

    /// The path of this spelling.
    pub fn new(path: impl Into<Arc<str>>) -> Self {
        Self(path.into())
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for FieldPath {
    fn from(path: &str) -> Self {
        Self::new(path)
    }
}

impl Borrow<str> for FieldPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// What a field of a taxonomy holds, as far as it changes how a language compares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum FieldType {
    /// Whole text, compared exactly (`keyword`, `wildcard`, `constant_keyword`).
    #[default]
    Keyword,
    /// Analysed text (`text`, `match_only_text`).
    Text,
    /// A whole number.
    Integer,
    /// A number with a fraction.
    Float,
    /// True or false.
    Boolean,
    /// An IPv4 or IPv6 address.
    Ip,
    /// A point in time.
    Date,
    /// A version number, ordered part by part.
    Version,
    /// Named values.
    Object,
}
