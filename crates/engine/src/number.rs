//! Numbers as tests compare them: whole ones exactly, others as floating-point.

use std::cmp::Ordering;

use lurcher_schema::Value;

/// A number.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    /// A whole one.
    Int(i64),
    /// Any other; finite.
    Float(f64),
}

impl Number {
    /// The number that a value is, if it is one.
    pub(crate) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Int(n) => Some(Self::Int(*n)),
            Value::Float(n) => Some(Self::Float(*n)),
            _ => None,
        }
    }

    /// The number that a text reads as: decimal, with sign, fraction and exponent; no blanks, no words.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let first = text.bytes().next()?;
        if !(first.is_ascii_digit() || matches!(first, b'-' | b'+' | b'.')) {
            return None;
        }
        if let Ok(n) = text.parse::<i64>() {
            return Some(Self::Int(n));
        }
        let number = text.parse::<f64>().ok()?;
        number.is_finite().then_some(Self::Float(number))
    }

    /// Less, equal or greater; `None` only against NaN.
    pub(crate) fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(&b)),
            (a, b) => a.float().partial_cmp(&b.float()),
        }
    }

    /// As floating-point.
    pub(crate) fn float(self) -> f64 {
        match self {
            Self::Int(n) => n as f64,
            Self::Float(n) => n,
        }
    }
}
