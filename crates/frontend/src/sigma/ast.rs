//! The tree of a Sigma document: a detection rule, a correlation or a filter.
//!
//! It is made from YAML by [`super::parser`] and is what processing pipelines change. Field names, modifiers and values
//! stand here as written; what they mean is decided when the tree is lowered.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use lurcher_diagnostics::{Diagnostic, SourceFile, Span};
use lurcher_ir::{Comparison, SupportReason};
use lurcher_schema::LogSource;

/// One document of a Sigma file.
#[derive(Clone, Debug)]
pub struct Document {
    /// The file that it stands in; all spans point into it.
    pub file: Arc<SourceFile>,
    /// Where it stands: its first line.
    pub span: Span,
    /// Its title; may be empty.
    pub title: String,
    /// Its id; may be empty.
    pub id: String,
    /// The name by which other documents refer to it; may be empty.
    pub name: String,
    /// `level`, as written.
    pub level: String,
    /// `status`, as written.
    pub status: String,
    /// `tags`, as written.
    pub tags: Vec<String>,
    /// Whose field names it uses; empty: Sigma's own.
    pub taxonomy: String,
    /// The events that it is written for.
    pub log_source: LogSource,
    /// What it says.
    pub body: Body,
    /// What is wrong with it.
    pub diagnostics: Vec<Diagnostic>,
    /// Why it runs less than exactly, as far as that is known before it is lowered.
    pub reasons: Vec<SupportReason>,
}

/// What a document says.
#[derive(Clone, Debug)]
pub enum Body {
    /// Which events are to be found.
    Detection(Detections),
    /// Which events of other rules belong together.
    Correlation(CorrelationRule),
    /// What events of other rules must be like besides.
    Filter {
        /// The rules that it is for.
        rules: FilterTarget,
        /// The selections and the condition.
        detections: Detections,
    },
    /// Nothing that can be read; the diagnostics say why.
    Faulty,
}

/// The rules that a filter is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilterTarget {
    /// All of its log source.
    Any,
    /// Those of these ids or names.
    Named(Vec<String>),
}

/// Named selections and the conditions over them.
#[derive(Clone, Debug, Default)]
pub struct Detections {
    /// The selections, in order.
    pub selections: Vec<Selection>,
    /// The conditions; one is enough.
    pub conditions: Vec<ConditionText>,
    /// The deprecated `timeframe` of an aggregation.
    pub timeframe: Option<Duration>,
}

/// A named selection.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Its name.
    pub name: String,
    /// What events must be like.
    pub detection: Detection,
}

/// What events must be like.
#[derive(Clone, Debug)]
pub enum Detection {
    /// A field has a value, or keywords occur.
    Item(Item),
    /// Like all of these: a map.
    All(Vec<Detection>),
    /// Like at least one of these: a list.
    Any(Vec<Detection>),
}

/// A field and its values, or keywords.
#[derive(Clone, Debug)]
pub struct Item {
    /// The field; `None` for keywords, which may stand anywhere in the event.
    pub field: Option<String>,
    /// The modifiers, in order.
    pub modifiers: Vec<Modifier>,
    /// The values as written.
    pub values: Vec<Scalar>,
    /// Where the field and its modifiers stand.
    pub span: Span,
    /// The transformations of pipelines that changed it, by their ids.
    pub changed_by: BTreeSet<String>,
}

/// A value as written.
#[derive(Clone, Debug, PartialEq)]
pub struct Scalar {
    /// What it is.
    pub data: ScalarData,
    /// Where it stands.
    pub span: Span,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScalarData {
    /// `null`, or nothing.
    Null,
    /// `true` or `false` without quotes.
    Bool(bool),
    /// A number without quotes, as spelled.
    Number(String),
    /// Text.
    Text(String),
}

impl ScalarData {
    /// The text form; `None` for null.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Null => None,
            Self::Bool(truth) => Some(truth.to_string()),
            Self::Number(text) | Self::Text(text) => Some(text.clone()),
        }
    }
}

macro_rules! modifiers {
    ($($(#[$doc:meta])* $variant:ident = $($name:literal)|+,)*) => {
        /// What is said about values behind the field's name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Modifier {
            $($(#[$doc])* $variant,)*
        }

        impl Modifier {
            /// The names of all modifiers.
            pub const NAMES: &[&str] = &[$($($name),+),*];

            /// The modifier of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($($name)|+ => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// Its name; of several the first.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => [$($name),+][0],)*
                }
            }
        }
    };
}

modifiers! {
    /// The value stands anywhere in the field's.
    Contains = "contains",
    /// The field's value begins with it.
    StartsWith = "startswith",
    /// The field's value ends with it.
    EndsWith = "endswith",
    /// All values hold, not one of them.
    All = "all",
    /// The field is there, or is not.
    Exists = "exists",
    /// Case counts.
    Cased = "cased",
    /// None of the values holds.
    NotEqual = "neq",
    /// A regular expression.
    Regex = "re",
    /// Of a regular expression: case does not count.
    IgnoreCase = "i" | "ignorecase",
    /// Of a regular expression: `^` and `$` also match at line ends.
    MultiLine = "m" | "multiline",
    /// Of a regular expression: `.` also matches line ends.
    DotAll = "s" | "dotall",
    /// Each dash stands for all that the Windows command line takes for one.
    WinDash = "windash",
    /// Encoded as Base64.
    Base64 = "base64",
    /// Encoded as Base64 at each of the three places that it may have in a longer text.
    Base64Offset = "base64offset",
    /// Encoded as UTF-16, little-endian.
    Utf16Le = "utf16le" | "wide",
    /// Encoded as UTF-16, big-endian.
    Utf16Be = "utf16be",
    /// Encoded as UTF-16, little-endian, behind a byte-order mark.
    Utf16 = "utf16",
    /// A block of IP addresses.
    Cidr = "cidr",
    /// Has `%placeholders%`.
    Expand = "expand",
    /// The name of another field whose value is meant.
    FieldRef = "fieldref",
    /// Less.
    Lt = "lt",
    /// Less or equal.
    Lte = "lte",
    /// Greater.
    Gt = "gt",
    /// Greater or equal.
    Gte = "gte",
    /// The minute of a time.
    Minute = "minute",
    /// The hour of a time.
    Hour = "hour",
    /// The day of the month of a time.
    Day = "day",
    /// The ISO week of a time.
    Week = "week",
    /// The month of a time.
    Month = "month",
    /// The year of a time.
    Year = "year",
}

/// A condition and its text.
#[derive(Clone, Debug)]
pub struct ConditionText {
    /// As written.
    pub text: String,
    /// Where it stands.
    pub span: Span,
    /// The tree; `None` if it cannot be read.
    pub tree: Option<Condition>,
    /// The deprecated aggregation behind a `|`.
    pub aggregation: Option<Aggregation>,
}

/// A condition over selections (or, of a correlation, over rules).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// A selection by its name.
    Name(String, Span),
    /// Several selections by a pattern.
    Of {
        /// All of them, or at least one.
        all: bool,
        /// The pattern, `*` being any characters; `None`: all selections (`them`).
        pattern: Option<String>,
        /// Where it stands.
        span: Span,
    },
    /// All hold.
    And(Vec<Condition>),
    /// At least one holds.
    Or(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
}

/// What stood behind a `|` in conditions before there were correlations.
#[derive(Clone, Debug, PartialEq)]
pub enum Aggregation {
    /// `count() by field > 5`, `sum(field) > 5` …
    Function {
        /// Which.
        function: AggregationFunction,
        /// Over which field; `None`: events.
        field: Option<String>,
        /// For each value of which fields.
        by: Vec<String>,
        /// How the result is compared …
        comparison: Comparison,
        /// … with what.
        value: f64,
    },
    /// `near a and not b`: other selections close by.
    Near(Condition),
}

/// What is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AggregationFunction {
    /// How many events, or how many distinct values of a field.
    Count,
    /// The least value.
    Min,
    /// The greatest value.
    Max,
    /// The mean.
    Avg,
    /// The sum.
    Sum,
}

/// A correlation.
#[derive(Clone, Debug)]
pub struct CorrelationRule {
    /// Which.
    pub kind: CorrelationType,
    /// Ids or names of rules or correlations, and where they stand.
    pub rules: Vec<(String, Span)>,
    /// The fields, or aliases, that must be equal.
    pub group_by: Vec<String>,
    /// Names that stand for different fields in different rules: the alias, and for each rule its field.
    pub aliases: Vec<(String, Vec<(String, String)>)>,
    /// Within which time.
    pub timespan: Option<Duration>,
    /// When it matches.
    pub condition: CorrelationTerm,
    /// Whether its rules also alert on their own.
    pub generate: bool,
}

/// What kind a correlation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CorrelationType {
    /// How many events.
    EventCount,
    /// How many distinct values.
    ValueCount,
    /// The sum of values.
    ValueSum,
    /// Their mean.
    ValueAvg,
    /// A percentile of them.
    ValuePercentile,
    /// Their median.
    ValueMedian,
    /// Events of several rules.
    Temporal,
    /// Events of several rules, one after the other.
    TemporalOrdered,
}

impl CorrelationType {
    /// All, by name.
    pub const ALL: [(&str, Self); 8] = [
        ("event_count", Self::EventCount),
        ("value_count", Self::ValueCount),
        ("value_sum", Self::ValueSum),
        ("value_avg", Self::ValueAvg),
        ("value_percentile", Self::ValuePercentile),
        ("value_median", Self::ValueMedian),
        ("temporal", Self::Temporal),
        ("temporal_ordered", Self::TemporalOrdered),
    ];

    /// Whether it asks which rules match, rather than how much.
    pub fn is_temporal(self) -> bool {
        matches!(self, Self::Temporal | Self::TemporalOrdered)
    }
}

/// When a correlation matches.
#[derive(Clone, Debug, Default)]
pub struct CorrelationTerm {
    /// Comparisons of the count or value.
    pub comparisons: Vec<(Comparison, f64)>,
    /// The fields whose values are counted or computed with.
    pub fields: Vec<String>,
    /// The percentile, 0–100.
    pub percentile: Option<f64>,
    /// A condition over the names of rules.
    pub names: Option<Condition>,
    /// Where it stands.
    pub span: Span,
}
