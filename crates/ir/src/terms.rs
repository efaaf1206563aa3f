//! Tails that compare single values of events: thresholds, new terms, indicators.

use std::fmt::{self, Display, Formatter};

use lurcher_schema::RelativeTime;

use crate::{FieldRef, Sources, print::list};

/// The events that pass filter 0, counted by the tuple of their values; each tuple that comes often enough is a match,
/// with its values, `count`, and the number of distinct values as its row.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// The fields. An event that lacks one of them is not counted; each value of a list counts for itself. Without
    /// fields all events are counted together.
    pub keys: Vec<FieldRef>,
    /// How many events it takes.
    pub at_least: u64,
    /// How many distinct values of another field it takes besides.
    pub distinct: Option<Distinct>,
}

/// So many distinct values of a field.
#[derive(Clone, Debug, PartialEq)]
pub struct Distinct {
    /// The field.
    pub field: FieldRef,
    /// How many.
    pub at_least: u64,
}

/// The first event that passes filter 0 with a tuple of values that no event within the history before it has. Each
/// value of a list makes a tuple of its own; an event that lacks a field has none.
#[derive(Clone, Debug, PartialEq)]
pub struct NewTerms {
    /// The fields.
    pub fields: Vec<FieldRef>,
    /// Where the history begins, relative to the time of the run.
    pub history: RelativeTime,
}

/// The events that pass filter 0 and have values in common with an indicator: an event that passes another filter and
/// is of other sources.
#[derive(Clone, Debug, PartialEq)]
pub struct Indicators {
    /// The index of the indicators' filter.
    pub filter: usize,
    /// Where indicators come from.
    pub sources: Sources,
    /// What must be equal: all pairings of at least one of these.
    pub alternatives: Vec<Vec<Pairing>>,
    /// The object of the indicator that goes into the alert.
    pub object: FieldRef,
}

/// A field of the event and one of the indicator.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pairing {
    /// The event's field.
    pub field: FieldRef,
    /// The indicator's field. They pair if a value of the one equals a value of the other; where either is missing
    /// they do not.
    pub indicator: FieldRef,
    /// They must not pair. Where this is so of a whole alternative, they must not with any indicator there is.
    pub negated: bool,
}

impl Display for Threshold {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "threshold {}", self.at_least)?;
        if !self.keys.is_empty() {
            f.write_str(" by ")?;
        }
        list(f, &self.keys)?;
        writeln!(f)?;
        self.distinct.iter().try_for_each(|distinct| writeln!(f, "  distinct {} {}", distinct.at_least, distinct.field))
    }
}

impl Display for NewTerms {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("new terms ")?;
        list(f, &self.fields)?;
        writeln!(f, " since {}", self.history)
    }
}

impl Display for Indicators {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "indicators from filter {}", self.filter)?;
        if let Sources::Indices(patterns) = &self.sources {
            writeln!(f, "  of {}", patterns.join(", "))?;
        }
        for alternative in &self.alternatives {
            f.write_str("  ")?;
            for (number, Pairing { field, indicator, negated }) in alternative.iter().enumerate() {
                let (and, sign) = (if number == 0 { "" } else { " and " }, if *negated { "!=" } else { "==" });
                write!(f, "{and}{field} {sign} {indicator}")?;
            }
            writeln!(f)?;
        }
        writeln!(f, "  shown {}", self.object)
    }
}
