//! Correlations: events of several filters that lie close in time, key by key.
//!
//! Within a key, events stand in order of time. A *window* is a run of neighbouring events of which the last is no
//! more than the span after the first (both ends count), and which no further event at either end could join. The
//! condition is asked of windows. Windows that satisfy it and follow one another with an event in common are one
//! match, so that what goes on is one match and not one for every event.

use std::{
    fmt::{self, Display, Formatter},
    sync::Arc,
    time::Duration,
};

use crate::{FieldRef, Sources};

/// Events that lie close in time, key by key.
#[derive(Clone, Debug, PartialEq)]
pub struct Correlation {
    /// Where its events come from, at least one.
    pub inputs: Vec<CorrelationInput>,
    /// What the key is called, part by part; empty: all events have the same key.
    pub keys: Vec<Arc<str>>,
    /// The longest time from first to last event of a window; `None`: one window over everything.
    pub span: Option<Duration>,
    /// What a window must be like.
    pub condition: CorrelationCondition,
}

/// Where a correlation's events come from.
#[derive(Clone, Debug, PartialEq)]
pub enum CorrelationInput {
    /// Events that pass a filter.
    Filter {
        /// The index in [`crate::RuleBody::filters`].
        filter: usize,
        /// The events that the filter sees, which need not be those of the other inputs.
        sources: Sources,
        /// What is read of such an event: by this correlation, then by the one that this is an input of, and so on.
        reads: Vec<CorrelationRead>,
    },
    /// The matches of another correlation. Such a match has the keys and values of each of its events. Where events
    /// are counted it counts once, at the time when its condition was first satisfied; where it matters which
    /// inputs occur, it occurs at each event at which its condition holds.
    Correlation(Box<Correlation>),
}

/// What a correlation reads of an event.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct CorrelationRead {
    /// The parts of the key. An event that lacks one is passed over; of several values each is a key of its own.
    pub keys: Vec<FieldRef>,
    /// The values that are counted or computed with; empty where none are. Several fields are one tuple.
    pub values: Vec<FieldRef>,
}

/// What a window must be like.
#[derive(Clone, Debug, PartialEq)]
pub enum CorrelationCondition {
    /// A number that is computed over its events satisfies all comparisons.
    Measure {
        /// The number.
        measure: Measure,
        /// The comparisons, at least one.
        comparisons: Vec<(Comparison, f64)>,
    },
    /// Events of certain inputs occur in it.
    Occur(Occurrence),
    /// Events of certain inputs occur in it, those that must occur one after the other: each an event of its own, not
    /// earlier than that of the input before it in [`Correlation::inputs`].
    OccurInOrder(Occurrence),
}

/// A number over the events of a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Measure {
    /// How many events.
    Events,
    /// How many inputs have events.
    Inputs,
    /// How many inputs have events that follow one another as in [`CorrelationCondition::OccurInOrder`].
    InputsInOrder,
    /// How many distinct values, as text; case counts.
    Distinct,
    /// The sum of the values that are numbers; none without any.
    Sum,
    /// Their mean; none without any.
    Average,
    /// The value below which this percentage of the values that are numbers lie, between two neighbours in
    /// proportion; none without any.
    Percentile(f64),
}

/// How a number is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Less.
    Less,
    /// Less or equal.
    LessOrEqual,
    /// Greater.
    Greater,
    /// Greater or equal.
    GreaterOrEqual,
    /// Equal.
    Equal,
    /// Not equal.
    NotEqual,
}

/// Which inputs occur.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Occurrence {
    /// An event of this input, by its index.
    Input(usize),
    /// All of these.
    All(Vec<Occurrence>),
    /// At least one of these.
    Any(Vec<Occurrence>),
    /// Not this.
    Not(Box<Occurrence>),
}

impl Correlation {
    /// The longest span of its own or of a correlation within; `None` if none has any.
    pub fn longest_span(&self) -> Option<Duration> {
        let inner = self.inputs.iter().filter_map(|input| match input {
            CorrelationInput::Filter { .. } => None,
            CorrelationInput::Correlation(inner) => inner.longest_span(),
        });
        inner.chain(self.span).max()
    }

    /// The inputs that are filters, at any depth, from left to right. Their places in this order are their numbers.
    pub fn leaves(&self) -> Vec<&CorrelationInput> {
        let mut found = Vec::new();
        for input in &self.inputs {
            match input {
                CorrelationInput::Filter { .. } => found.push(input),
                CorrelationInput::Correlation(inner) => found.extend(inner.leaves()),
            }
        }
        found
    }

    /// The sources of a filter, if an input says so.
    pub fn sources(&self, filter: usize) -> Option<&Sources> {
        self.leaves().into_iter().find_map(|leaf| match leaf {
            CorrelationInput::Filter { filter: own, sources, .. } if *own == filter => Some(sources),
            _ => None,
        })
    }

    /// Every field that it reads, in order of appearance, with repetitions.
    pub fn fields<'a>(&'a self, visit: &mut dyn FnMut(&'a FieldRef)) {
        for leaf in self.leaves() {
            if let CorrelationInput::Filter { reads, .. } = leaf {
                reads.iter().flat_map(|read| read.keys.iter().chain(&read.values)).for_each(&mut *visit);
            }
        }
    }
}

impl Comparison {
    /// Whether `left` compares so with `right`.
    #[expect(clippy::float_cmp, reason = "counts are whole, and equality is what the rule asks for")]
    pub fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
            Self::Equal => left == right,
            Self::NotEqual => left != right,
        }
    }

    /// The sign.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
        }
    }
}

impl Occurrence {
    /// Whether it holds where `occurs` says which inputs occur.
    pub fn holds(&self, occurs: &dyn Fn(usize) -> bool) -> bool {
        match self {
            Self::Input(input) => occurs(*input),
            Self::All(parts) => parts.iter().all(|part| part.holds(occurs)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(occurs)),
            Self::Not(inner) => !inner.holds(occurs),
        }
    }
}

/// The textual form, as in `print`.
pub(crate) fn print_correlation(f: &mut Formatter<'_>, correlation: &Correlation, depth: usize) -> fmt::Result {
    let indent = "  ".repeat(depth);
    write!(f, "{indent}correlation")?;
    if let Some(span) = correlation.span {
        write!(f, " within {span:?}")?;
    }
    if !correlation.keys.is_empty() {
        write!(f, " by {}", correlation.keys.join(", "))?;
    }
    writeln!(f, " where {}", correlation.condition)?;
    for (number, input) in correlation.inputs.iter().enumerate() {
        match input {
            CorrelationInput::Filter { filter, sources, reads } => {
                write!(f, "{indent}  input {number}: filter {filter}")?;
                match sources {
                    Sources::Any => {}
                    Sources::LogSource(source) => write!(f, " of {source}")?,
                    Sources::Indices(patterns) => write!(f, " of {}", patterns.join(", "))?,
                }
                for (level, read) in reads.iter().enumerate() {
                    let names =
                        |fields: &[FieldRef]| fields.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                    let up = if level == 0 { String::new() } else { format!(" (level {level})") };
                    if !read.keys.is_empty() {
                        write!(f, "{up} by {}", names(&read.keys))?;
                    }
                    if !read.values.is_empty() {
                        write!(f, "{up} of {}", names(&read.values))?;
                    }
                }
                writeln!(f)?;
            }
            CorrelationInput::Correlation(inner) => {
                writeln!(f, "{indent}  input {number}:")?;
                print_correlation(f, inner, depth + 2)?;
            }
        }
    }
    Ok(())
}

impl Display for CorrelationCondition {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Measure { measure, comparisons } => {
                for (number, (comparison, value)) in comparisons.iter().enumerate() {
                    let and = if number == 0 { "" } else { " and " };
                    write!(f, "{and}{measure} {} {value}", comparison.sign())?;
                }
                Ok(())
            }
            Self::Occur(occurrence) => write!(f, "{occurrence}"),
            Self::OccurInOrder(occurrence) => write!(f, "{occurrence} in order"),
        }
    }
}

impl Display for Measure {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Events => f.write_str("events"),
            Self::Inputs => f.write_str("inputs"),
            Self::InputsInOrder => f.write_str("inputs in order"),
            Self::Distinct => f.write_str("distinct values"),
            Self::Sum => f.write_str("sum"),
            Self::Average => f.write_str("average"),
            Self::Percentile(percent) => write!(f, "percentile {percent}"),
        }
    }
}

impl Display for Occurrence {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let parts = |f: &mut Formatter<'_>, parts: &[Self], word: &str| {
            f.write_str("(")?;
            for (number, part) in parts.iter().enumerate() {
                write!(f, "{}{part}", if number == 0 { "" } else { word })?;
            }
            f.write_str(")")
        };
        match self {
            Self::Input(input) => write!(f, "input {input}"),
            Self::All(all) => parts(f, all, " and "),
            Self::Any(any) => parts(f, any, " or "),
            Self::Not(inner) => write!(f, "not {inner}"),
        }
    }
}
