//! Expressions over one event or one row of a pipeline: every [`Function`] as the IR documents it.
//!
//! The evaluator walks the expression; values are cheap to clone and most expressions are small, because what can be
//! said as a test of one field never comes here. It reads fields only through [`Row`], so the same code serves the
//! scanner's residual predicates, the pipelines and the naive evaluator. It knows no language: where languages differ
//! their front ends chose different functions.

mod address;
mod coding;
mod convert;
mod domain;
mod json_path;
mod list;
mod logic;
mod loose;
mod math;
mod multi;
mod number;
mod pattern;
mod place;
mod text;
mod time;
mod time_format;
mod uri;
mod zoned;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use lurcher_ir::{Expr, FieldRef, Function, ListFunction, Quantifier, Test, TextFunction};
use lurcher_schema::{Object, Taxonomy, Timestamp, Value, ValueRef};
use rustc_hash::FxHashMap;

pub use self::{
    address::version_key,
    convert::{read_number, truth},
    number::Number,
    pattern::wildcard_matches,
};
pub(crate) use self::{number::FractionSum, place::point_text};
use crate::matcher::{Found, Matcher};

/// How many combinations of single values are tried for one event; what lies beyond is counted and not tried.
pub const MAX_COMBINATIONS: usize = 10_000;

/// Where an expression's leaves come from: an event, a row of a pipeline, or both.
pub trait Row {
    /// An event's field: a single value, a list of several, an object, or null.
    fn field(&mut self, field: &FieldRef) -> Value;
    /// The whole event in a taxonomy; null without an event.
    fn event(&mut self, taxonomy: Taxonomy) -> Value;
    /// A column of the pipeline's row by its exact name; null if there is none, or outside pipelines.
    fn column(&mut self, name: &str) -> Value;
    /// The columns of the pipeline's row, if there is one.
    fn columns(&mut self) -> Option<&Object> {
        None
    }
}

/// An expression made ready to be evaluated many times (its regular expressions compiled). Shared by threads.
#[derive(Debug)]
pub struct CompiledExpr {
    expr: Expr,
    regexes: Regexes,
    capped: AtomicU64,
}

/// What the functions of one expression need that is costly to make: its regular expressions by their text, those that it
/// computes, and its tests.
#[derive(Debug, Default)]
struct Regexes {
    written: FxHashMap<Arc<str>, regex::Regex>,
    tests: FxHashMap<Test, Matcher>,
    computed: pattern::ComputedRegexes,
}

impl Regexes {
    fn get(&self, pattern: &Arc<str>) -> Option<&regex::Regex> {
        self.written.get(pattern)
    }

    /// Whether a field with this value passes one of the tests.
    fn passes(&self, test: &Test, value: &Value) -> bool {
        let mut found = Found::default();
        if let Some(matcher) = self.tests.get(test) {
            matcher.run(ValueRef::Any(value), &mut found);
        }
        !found.tests().is_empty()
    }
}

impl CompiledExpr {
    /// Makes an expression ready. A regular expression that cannot be compiled yields null wherever it is used.
    pub fn new(expr: &Expr) -> Self {
        let mut regexes = Regexes::default();
        compile_regexes(expr, &mut regexes);
        Self { expr: expr.clone(), regexes, capped: AtomicU64::new(0) }
    }

    /// The expression that it was made from.
    pub fn expr(&self) -> &Expr {
        &self.expr
    }

    /// Its value. `now` is the time of the run.
    pub fn evaluate(&self, row: &mut dyn Row, now: Timestamp) -> Value {
        Evaluation { row, now, regexes: &self.regexes }.value(&self.expr)
    }

    /// Whether it yields true, with fields of several values entering as the quantifier says. Of more than
    /// [`MAX_COMBINATIONS`] combinations of single values only the first so many are tried; [`Self::capped`] tells.
    pub fn holds(&self, quantifier: Quantifier, row: &mut dyn Row, now: Timestamp) -> bool {
        match quantifier {
            Quantifier::Whole => self.evaluate(row, now) == Value::Bool(true),
            Quantifier::AnyValue => self.holds_for_any(row, now),
        }
    }

    /// For how many events combinations were left untried.
    pub fn capped(&self) -> u64 {
        self.capped.load(Ordering::Relaxed)
    }

    fn holds_for_any(&self, row: &mut dyn Row, now: Timestamp) -> bool {
        let mut uses: Vec<Use<'_>> = Vec::new();
        self.expr.fields(&mut |field| uses.push(Use { field, values: Vec::new(), current: 0 }));
        for used in &mut uses {
            let value = row.field(used.field);
            used.values = value.elements().cloned().collect();
            if used.values.is_empty() {
                used.values.push(Value::Null);
            }
        }
        let mut choice = Choice { uses, row };
        for _ in 0..MAX_COMBINATIONS {
            let value = Evaluation { row: &mut choice, now, regexes: &self.regexes }.value(&self.expr);
            if value == Value::Bool(true) {
                return true;
            }
            if !choice.advance() {
                return false;
            }
        }
        self.capped.fetch_add(1, Ordering::Relaxed);
        false
    }
}

/// Whether equal fields mean equal results. The variable of an iteration is a column, too; such expressions are rare
/// enough to be left out.
pub(crate) fn depends_on_fields_alone(expr: &Expr) -> bool {
    !expr.any(&|part| {
        matches!(part, Expr::Event(_) | Expr::Column(_) | Expr::ForEach { .. } | Expr::Call(Function::Now, _))
    })
}

fn compile_regexes(expr: &Expr, regexes: &mut Regexes) {
    if let Expr::Call(function, _) = expr {
        regexes_of(function, &mut |regex| {
            if let Ok(compiled) = regex::Regex::new(&regex.pattern) {
                regexes.written.insert(Arc::clone(&regex.pattern), compiled);
            }
        });
        if let Function::List(ListFunction::Passes(test)) = function {
            regexes.tests.insert(Test::clone(test), Matcher::new([test.as_ref()]));
        }
    }
    expr.parts(&mut |part| compile_regexes(part, regexes));
}

/// The regular expressions of a function, to be compiled.
fn regexes_of<'f>(function: &'f Function, visit: &mut dyn FnMut(&'f lurcher_ir::Regex)) {
    match function {
        Function::Matches(regex) | Function::Replace(regex) | Function::Capture(regex, _) => visit(regex),
        Function::Loose(function) => loose::regexes(function, visit),
        Function::Text(TextFunction::Replaced(regex)) => visit(regex),
        Function::List(ListFunction::Each(function)) => regexes_of(function, visit),
        _ => {}
    }
}

/// One textual use of a field, and which of its values it has in the present combination.
struct Use<'e> {
    field: &'e FieldRef,
    values: Vec<Value>,
    current: usize,
}

/// A row whose fields have one single value for each textual use.
struct Choice<'e, 'r> {
    uses: Vec<Use<'e>>,
    row: &'r mut dyn Row,
}

impl Choice<'_, '_> {
    /// Goes to the next combination; false after the last.
    fn advance(&mut self) -> bool {
        for used in self.uses.iter_mut().rev() {
            used.current += 1;
            if used.current < used.values.len() {
                return true;
            }
            used.current = 0;
        }
        false
    }
}

impl Row for Choice<'_, '_> {
    fn field(&mut self, field: &FieldRef) -> Value {
        // A use is known by where it stands in the expression, which is borrowed for as long as the choice lives.
        let found = self.uses.iter().find(|used| std::ptr::eq(used.field, field));
        found.and_then(|used| used.values.get(used.current)).cloned().unwrap_or_default()
    }

    fn event(&mut self, taxonomy: Taxonomy) -> Value {
        self.row.event(taxonomy)
    }

    fn column(&mut self, name: &str) -> Value {
        self.row.column(name)
    }
}

/// A row in which one more column is set, for the body of a [`Expr::ForEach`].
struct WithColumn<'r> {
    name: &'r str,
    value: Value,
    row: &'r mut dyn Row,
}

impl Row for WithColumn<'_> {
    fn field(&mut self, field: &FieldRef) -> Value {
        self.row.field(field)
    }

    fn event(&mut self, taxonomy: Taxonomy) -> Value {
        self.row.event(taxonomy)
    }

    fn column(&mut self, name: &str) -> Value {
        if name == self.name { self.value.clone() } else { self.row.column(name) }
    }
}

/// One evaluation: what all parts of the expression share.
struct Evaluation<'a> {
    row: &'a mut dyn Row,
    now: Timestamp,
    regexes: &'a Regexes,
}

impl Evaluation<'_> {
    fn value(&mut self, expr: &Expr) -> Value {
        match expr {
            Expr::Literal(value) => value.clone(),
            Expr::Field(field) => self.row.field(field),
            Expr::Event(taxonomy) => self.row.event(*taxonomy),
            Expr::Column(name) => self.row.column(name),
            Expr::Call(function, arguments) => self.call(function, arguments),
            Expr::List(items) => Value::List(items.iter().map(|item| self.value(item)).collect()),
            Expr::Object(members) => {
                let members = members.iter().map(|(name, value)| (Arc::clone(name), self.value(value)));
                Value::Object(Arc::new(members.collect()))
            }
            Expr::ForEach { list, variable, body } => {
                let list = self.value(list);
                if list.is_null() {
                    return Value::Null;
                }
                let (now, regexes) = (self.now, self.regexes);
                let body = |item: &Value| {
                    let mut row = WithColumn { name: variable, value: item.clone(), row: &mut *self.row };
                    Evaluation { row: &mut row, now, regexes }.value(body)
                };
                Value::List(list::items(&list).iter().map(body).collect())
            }
        }
    }

    fn call(&mut self, function: &Function, arguments: &[Expr]) -> Value {
        if let Some(value) = self.conditional(function, arguments) {
            return value;
        }
        let values: Vec<Value> = arguments.iter().map(|argument| self.value(argument)).collect();
        apply(function, &values, self.regexes)
    }

    /// The functions that do not look at all of their arguments.
    fn conditional(&mut self, function: &Function, arguments: &[Expr]) -> Option<Value> {
        Some(match function {
            Function::And => self.kleene(arguments, false),
            Function::Or => self.kleene(arguments, true),
            Function::If | Function::Case => {
                for pair in arguments.chunks(2) {
                    match pair {
                        [condition, then] if truth(&self.value(condition)) == Some(true) => {
                            return Some(self.value(then));
                        }
                        [otherwise] => return Some(self.value(otherwise)),
                        _ => {}
                    }
                }
                Value::Null
            }
            Function::Coalesce => {
                for argument in arguments {
                    let value = self.value(argument);
                    if !value.is_null() {
                        return Some(value);
                    }
                }
                Value::Null
            }
            Function::Now => Value::Int(self.now.millis()),
            _ => return None,
        })
    }

    /// Kleene's `and` (deciding value false) and `or` (deciding value true).
    fn kleene(&mut self, arguments: &[Expr], deciding: bool) -> Value {
        let mut unknown = false;
        for argument in arguments {
            match truth(&self.value(argument)) {
                Some(value) if value == deciding => return Value::Bool(deciding),
                Some(_) => {}
                None => unknown = true,
            }
        }
        if unknown { Value::Null } else { Value::Bool(!deciding) }
    }
}

/// Applies a function to values. Null if it does not take them.
fn apply(function: &Function, values: &[Value], regexes: &Regexes) -> Value {
    use Function as F;
    let result = match function {
        F::Not | F::IsNull | F::Equal(_) | F::Less | F::LessOrEqual | F::In(_) => logic::apply(function, values),
        F::Add
        | F::AddOrConcat
        | F::Subtract
        | F::Multiply
        | F::DivideTruncating
        | F::Divide
        | F::Modulo
        | F::Negate
        | F::Log => number::apply(function, values),
        F::Concat
        | F::ConcatLenient
        | F::LengthUtf16
        | F::Length
        | F::Lower
        | F::Upper
        | F::Trim
        | F::Slice
        | F::Substring
        | F::IndexOf(_)
        | F::Between { .. }
        | F::StartsWith(_)
        | F::EndsWith(_)
        | F::ContainsNonEmpty(_) => text::apply(function, values),
        F::Like(..) | F::Matches(_) | F::Replace(_) | F::Capture(..) | F::InNetwork(_) | F::CidrMatch => {
            pattern::apply(function, values, regexes)
        }
        F::ToNumber | F::ParseInteger | F::ParseFloat | F::ToText | F::Cast(_) | F::Convert(_) => {
            convert::apply(function, values)
        }
        F::Split | F::Join | F::Append | F::Index | F::Range | F::Member(_) | F::ObjectFromPairs => {
            list::apply(function, values)
        }
        F::Loose(function) => loose::apply(function, values, regexes),
        F::List(function) => multi::apply(function, values, regexes),
        F::Number(function) => math::apply(*function, values),
        F::Time(function) => time::apply(*function, values),
        F::Zoned(zone, function) => zoned::apply(zone, *function, values),
        F::Address(function) => address::apply(*function, values),
        F::Text(function) => coding::apply(function, values, regexes),
        F::Place(function) => place::apply(*function, values),
        // Evaluated where their arguments are: see `conditional`.
        F::And | F::Or | F::If | F::Case | F::Coalesce | F::Now => None,
    };
    result.unwrap_or_default()
}

/// A span of time in whole milliseconds, the unit of the pipelines' time columns.
pub(crate) fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
