//! Predicates: what an event must be like. Always true or false.

use std::sync::Arc;

use lurcher_schema::{FieldPath, Taxonomy, Timestamp, Value};

use crate::{Case, Expr, Near, Network, Phrase, Regex, Wildcard, WildcardPiece, pattern::fold_text};

/// A field of a taxonomy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldRef {
    /// Whose name it is.
    pub taxonomy: Taxonomy,
    /// The name.
    pub path: FieldPath,
}

impl FieldRef {
    /// The field of that name.
    pub fn new(taxonomy: Taxonomy, path: impl Into<Arc<str>>) -> Self {
        Self { taxonomy, path: FieldPath::new(path) }
    }
}

/// What an event must be like.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Predicate {
    /// Always so.
    Constant(bool),
    /// A test of one field.
    Test {
        /// Which field.
        field: FieldRef,
        /// What its values must be like.
        test: Test,
    },
    /// An expression yields `true` (not `false`, not null). For what no [`Test`] can say: arithmetic, functions of
    /// two fields.
    Holds {
        /// The expression, over event fields only.
        expr: Expr,
        /// How fields with several values enter it.
        fields: Quantifier,
    },
    /// All hold; true if there are none.
    All(Vec<Predicate>),
    /// At least one holds; false if there are none.
    Any(Vec<Predicate>),
    /// It does not hold.
    Not(Box<Predicate>),
}

/// How a field with several values enters an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quantifier {
    /// The expression is evaluated for every combination of single values, one for each *textual use* of a field;
    /// one combination that yields `true` is enough. A missing field enters once, as null.
    AnyValue,
    /// The field enters once, as it is: a single value, a list, or null.
    Whole,
}

/// What one value must be like. Unless said otherwise, tests of text see numbers and booleans in their text form.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Test {
    /// There is a value at all.
    Exists,
    /// There is exactly one value, however often it stands there.
    Single,
    /// It is this value. Text is compared by `case` (numbers and booleans of the event by their text form). A number
    /// is compared as a number, also with text that reads as one. A boolean also equals the text `true`/`false`, in
    /// any case.
    Equals(Value, Case),
    /// It equals one of these, each as for [`Test::Equals`].
    OneOf(Arc<[Value]>, Case),
    /// It begins with this text.
    Prefix(Arc<str>, Case),
    /// It ends with this text.
    Suffix(Arc<str>, Case),
    /// It has this text in it.
    Contains(Arc<str>, Case),
    /// It is matched as a whole by the pattern.
    Wildcard(Wildcard, Case),
    /// The expression is found in it (anchors and flags are in the expression).
    Regex(Regex),
    /// It is an IP address in one of these blocks.
    InNetwork(Arc<[Network]>),
    /// It lies between the bounds, either of which may be absent.
    Range {
        /// The lower bound.
        low: Option<Bound>,
        /// The upper bound.
        high: Option<Bound>,
    },
    /// Its length, in UTF-16 code units, lies between these, both included.
    Length {
        /// At least.
        min: u64,
        /// At most.
        max: Option<u64>,
    },
    /// Its words, found by [`crate::words`] and folded, have this phrase in them.
    Phrase(Phrase),
    /// It is nearly this text; case counts.
    Near(Near),
}

/// An end of a range. What it is compared with is decided by the bound: numbers with numbers and text that reads as
/// one, text byte by byte with text, times with text that reads as RFC 3339 and numbers as milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Bound {
    /// The value at this end.
    pub value: Value,
    /// If set, this point in time is meant and `value` is how the rule wrote it.
    pub time: Option<Timestamp>,
    /// Whether the end itself lies within.
    pub inclusive: bool,
}

impl Predicate {
    /// A test of a field.
    pub fn test(field: FieldRef, test: Test) -> Self {
        Self::Test { field, test }
    }

    /// The negation; a double one falls away, constants are turned round.
    #[must_use]
    pub fn negate(self) -> Self {
        match self {
            Self::Not(inner) => *inner,
            Self::Constant(truth) => Self::Constant(!truth),
            other => Self::Not(Box::new(other)),
        }
    }

    /// The conjunction, flattened, with constants folded.
    pub fn all(parts: impl IntoIterator<Item = Predicate>) -> Self {
        let mut kept = Vec::new();
        for part in parts {
            match part {
                Self::Constant(true) => {}
                Self::Constant(false) => return Self::Constant(false),
                Self::All(inner) => kept.extend(inner),
                other => kept.push(other),
            }
        }
        match kept.len() {
            0 => Self::Constant(true),
            1 => kept.remove(0),
            _ => Self::All(kept),
        }
    }

    /// The disjunction, flattened, with constants folded.
    pub fn any(parts: impl IntoIterator<Item = Predicate>) -> Self {
        let mut kept = Vec::new();
        for part in parts {
            match part {
                Self::Constant(false) => {}
                Self::Constant(true) => return Self::Constant(true),
                Self::Any(inner) => kept.extend(inner),
                other => kept.push(other),
            }
        }
        match kept.len() {
            0 => Self::Constant(false),
            1 => kept.remove(0),
            _ => Self::Any(kept),
        }
    }

    /// Every field that is read, in order of appearance, with repetitions.
    pub fn fields<'a>(&'a self, visit: &mut dyn FnMut(&'a FieldRef)) {
        match self {
            Self::Constant(_) => {}
            Self::Test { field, .. } => visit(field),
            Self::Holds { expr, .. } => expr.fields(visit),
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.fields(visit)),
            Self::Not(inner) => inner.fields(visit),
        }
    }
}

impl Test {
    /// The cheapest test that a whole-value wildcard pattern amounts to: `abc` equals, `abc*` begins with, `*abc*`
    /// contains, `*` exists.
    #[allow(clippy::needless_pass_by_value, reason = "callers make the pattern for this")]
    pub fn from_wildcard(pattern: Wildcard, case: Case) -> Self {
        use WildcardPiece::{Any, Literal};
        match pattern.pieces.as_ref() {
            [] => Self::Equals(Value::text(""), case),
            [Any] => Self::Exists,
            [Literal(text)] => Self::Equals(Value::Text(fold(text, case)), case),
            [Literal(text), Any] => Self::Prefix(fold(text, case), case),
            [Any, Literal(text)] => Self::Suffix(fold(text, case), case),
            [Any, Literal(text), Any] => Self::Contains(fold(text, case), case),
            _ => {
                let pieces = pattern.pieces.iter().map(|piece| match piece {
                    Literal(text) => Literal(fold(text, case)),
                    other => other.clone(),
                });
                Self::Wildcard(Wildcard::new(pieces), case)
            }
        }
    }

    /// Equality with a text; the text is folded if case does not count.
    pub fn equals_text(text: &str, case: Case) -> Self {
        Self::Equals(Value::Text(fold(text, case)), case)
    }
}

/// The form in which tests keep their texts: folded if case does not count.
fn fold(text: &str, case: Case) -> Arc<str> {
    match case {
        Case::Sensitive => text.into(),
        Case::Insensitive => fold_text(text).into(),
    }
}
