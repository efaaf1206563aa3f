//! The representation that every rule of every language is brought to, and its meaning.
//!
//! A [`Rule`] is metadata and a [`RuleBody`]; a body is *event predicates plus a tail*. What differs between
//! languages (nulls, case, wildcards, several values in a field) is explicit in the operators here, never a default
//! of whoever evaluates them. This crate names no language and no vendor, reads nothing and runs nothing.
//!
//! # Meaning
//!
//! * A [`Predicate`] is true or false for an event, never unknown. Languages with three truth values are brought
//!   to two by their front end.
//! * A [`Test`] looks at one field. A field has zero, one or several values; a test other than [`Test::Exists`] and [`Test::Single`] is
//!   true if *any* single value satisfies it, so it is false on a missing field, and its negation is true there.
//! * An [`Expr`] yields a [`lurcher_schema::Value`]; null stands for "unknown". [`Function`] says for each function
//!   what null does. Truth is three-valued: `and`, `or` and `not` are Kleene's.

mod aggregate;
mod body;
mod correlation;
mod expr;
mod functions;
mod late;
mod loose;
mod model;
mod pattern;
mod pipeline;
mod predicate;
mod print;
mod record;
mod rule;
mod stage;
mod terms;
mod words;

pub use aggregate::{
    Aggregate, AggregateColumn, AggregateEach, Collect, CollectOrder, GroupBy, ListKeys, NullKeys, PercentileMethod,
};
pub use body::{Key, Limit, RuleBody, Sequence, Step, Tail};
pub use correlation::{
    Comparison, Correlation, CorrelationCondition, CorrelationInput, CorrelationRead, Measure, Occurrence,
};
pub use expr::{Expr, Function, ValueType};
pub use functions::{
    AddressFunction, DigestAlgorithm, DomainPart, Interval, ListFunction, NumberFunction, PlaceFunction, TextFunction,
    TimeFunction, TimePart, TimeUnit, UriPart, ZoneFunction,
};
pub use late::{Format, MOMENT, Moment, Piece, Quoting, Reader, Repeat, Selected, SharedReader};
pub use loose::{BitOperation, Calculation, JsonOperation, LooseFunction, NumberForm, RegexUse, Sides};
pub use model::{Model, model_number, predicted};
pub use pattern::{Case, Network, Regex, RegexDialect, Wildcard, WildcardPiece, fold_char, fold_text};
pub use pipeline::{Branch, Input, Pipeline, Sink};
pub use predicate::{Bound, FieldRef, Predicate, Quantifier, Test};
pub use record::{AgentFact, Locate, PlaceFact, Recognize, TextTable, Titles};
pub use rule::{
    AlertKind, Entity, EntityRole, EntityType, LookBack, Message, MissingFields, Overflow, OverrideMapping, RiskSource,
    Rule, RuleMeta, Schedule, Severity, Sources, Support, SupportReason, Suppression, Threat, Verdict,
};
pub use stage::{
    Aggregation, Anomaly, ColumnPattern, Completion, Dedup, Expand, ForEachColumn, Join, JoinKind, Judge, Lookup,
    LookupKey, LookupMatch, LookupOutput, LookupRows, MadeName, NamePiece, Pivot, Running, Semi, SortKey, Stage,
    Transaction, Window, WindowSpan,
};
pub use terms::{Distinct, Indicators, NewTerms, Pairing, Threshold};
pub use words::{LONGEST_WORD, Near, Phrase, Word, words};
