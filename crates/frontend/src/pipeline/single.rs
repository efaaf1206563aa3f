//! Leaves that take one value of a field and are null of several: as tests of the field, together with the test that it
//! has exactly one value.
//!
//! Front ends write such a leaf with [`ListFunction::Single`] around the field, often within a reading (as number, time,
//! address). Without both it is a leaf that [`super::predicate`] knows.

use lurcher_ir::{
    AddressFunction, Bound, Expr, FieldRef, Function, ListFunction, LooseFunction, Network, NumberFunction, Predicate,
    Test, TextFunction, TimeFunction,
};
use lurcher_schema::{Timestamp, Value};

/// The expression without the demand for single values, and the fields that it was made of. Readings that tests do
/// themselves are gone, too.
pub(super) fn bare(expr: &Expr, fields: &mut Vec<FieldRef>) -> Expr {
    match expr {
        Expr::Call(Function::List(ListFunction::Single), arguments) => match arguments.as_slice() {
            [Expr::Field(field)] => {
                fields.push(field.clone());
                Expr::Field(field.clone())
            }
            _ => expr.clone(),
        },
        Expr::Call(function, arguments) => {
            let reading = matches!(
                function,
                Function::Number(NumberFunction::ToWhole(_) | NumberFunction::ToFraction)
                    | Function::Text(TextFunction::ToBoolean)
                    | Function::Loose(LooseFunction::Number)
            );
            match arguments.as_slice() {
                [inner] if reading && is_single(inner) => bare(inner, fields),
                _ => Expr::Call(function.clone(), arguments.iter().map(|part| bare(part, fields)).collect()),
            }
        }
        other => other.clone(),
    }
}

/// Whether this is a function whose value is decided by tests of one field.
pub(super) fn is_leaf(function: &Function) -> bool {
    matches!(
        function,
        Function::Equal(_)
            | Function::Less
            | Function::LessOrEqual
            | Function::In(_)
            | Function::Like(..)
            | Function::Matches(_)
            | Function::InNetwork(_)
            | Function::StartsWith(_)
            | Function::EndsWith(_)
            | Function::ContainsNonEmpty(_)
            | Function::Text(TextFunction::Contains)
    )
}

/// Whether every part of a predicate is a test.
pub(super) fn is_plain(predicate: &Predicate) -> bool {
    match predicate {
        Predicate::Constant(_) | Predicate::Test { .. } => true,
        Predicate::Holds { .. } => false,
        Predicate::All(parts) | Predicate::Any(parts) => parts.iter().all(is_plain),
        Predicate::Not(inner) => is_plain(inner),
    }
}

/// `predicate`, of fields with exactly one value.
pub(super) fn guarded(mut fields: Vec<FieldRef>, predicate: Predicate) -> Predicate {
    fields.dedup();
    let guards = fields.into_iter().map(|field| Predicate::test(field, Test::Single));
    Predicate::all(guards.chain([predicate]))
}

fn is_single(expr: &Expr) -> bool {
    matches!(expr, Expr::Call(Function::List(ListFunction::Single), _))
}

/// The field of a reading of one value.
fn read(expr: &Expr, wanted: &Function) -> Option<FieldRef> {
    let Expr::Call(function, arguments) = expr else { return None };
    match arguments.as_slice() {
        [Expr::Call(Function::List(ListFunction::Single), inner)] if function == wanted => match inner.as_slice() {
            [Expr::Field(field)] => Some(field.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// A comparison of a field that is read as a time, or as an address, with constants.
pub(super) fn read_leaf(function: &Function, arguments: &[Expr], wanted: bool) -> Option<Predicate> {
    let time = Function::Time(TimeFunction::Read);
    let address = Function::Address(AddressFunction::Address);
    if let (Function::Less | Function::LessOrEqual | Function::Equal(_), [left, right]) = (function, arguments) {
        let (field, literal, upper) = match (left, right) {
            (left, Expr::Literal(Value::Int(millis))) => (read(left, &time), millis, true),
            (Expr::Literal(Value::Int(millis)), right) => (read(right, &time), millis, false),
            _ => (None, &0, true),
        };
        if let Some(field) = field {
            return Some(guarded(vec![field.clone()], moment(&field, function, *literal, upper, wanted)));
        }
    }
    let (Function::Equal(_) | Function::In(_), [subject, constants @ ..]) = (function, arguments) else {
        return None;
    };
    let field = read(subject, &address)?;
    let network = |constant: &Expr| match constant {
        Expr::Literal(Value::Text(text)) => Network::parse(text),
        _ => None,
    };
    let networks: Vec<Network> = constants.iter().map(network).collect::<Option<_>>()?;
    let test = Predicate::test(field.clone(), Test::InNetwork(networks.into()));
    Some(guarded(vec![field], if wanted { test } else { test.negate() }))
}

/// A time against a constant in milliseconds. The reading cuts finer digits off, so the moment lasts for a millisecond.
fn moment(field: &FieldRef, function: &Function, millis: i64, upper: bool, wanted: bool) -> Predicate {
    let at = |millis: i64, inclusive: bool| {
        Some(Bound { value: Value::Int(millis), time: Some(Timestamp::from_millis(millis)), inclusive })
    };
    let next = millis.saturating_add(1);
    let test = match (function, upper) {
        (Function::Less, true) => Test::Range { low: None, high: at(millis, false) },
        (Function::Less, false) => Test::Range { low: at(next, true), high: None },
        (Function::LessOrEqual, true) => Test::Range { low: None, high: at(next, false) },
        (Function::LessOrEqual, false) => Test::Range { low: at(millis, true), high: None },
        _ => Test::Range { low: at(millis, true), high: at(next, false) },
    };
    let test = Predicate::test(field.clone(), test);
    if wanted { test } else { test.negate() }
}
