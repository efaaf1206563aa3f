//! Arithmetic. Whole numbers stay whole as long as they fit; what overflows becomes a float, and what is no finite
//! number becomes null.

use std::cmp::Ordering;

use lurcher_ir::Function;
use lurcher_schema::Value;

use super::convert::text_form;

/// A number, whole or not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A whole number.
    Int(i64),
    /// A number with a fraction, or too large to be whole.
    Float(f64),
}

impl Number {
    /// The number, if the value is one.
    pub fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Int(number) => Some(Self::Int(*number)),
            Value::Float(number) => Some(Self::Float(*number)),
            _ => None,
        }
    }

    /// As a float; whole numbers beyond 2^53 are rounded.
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Int(number) => number as f64,
            Self::Float(number) => number,
        }
    }

    /// As a value; none if it is infinite or not a number.
    pub fn into_value(self) -> Option<Value> {
        match self {
            Self::Int(number) => Some(Value::Int(number)),
            Self::Float(number) => number.is_finite().then_some(Value::Float(number)),
        }
    }

    /// The order of two numbers; whole ones are compared exactly.
    pub fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(&b)),
            _ => self.as_f64().partial_cmp(&other.as_f64()),
        }
    }
}

/// A sum of fractions that carries along what rounding loses (Kahan's method), as Elasticsearch sums.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FractionSum {
    sum: f64,
    lost: f64,
}

impl FractionSum {
    /// Adds a number.
    pub(crate) fn add(&mut self, number: f64) {
        let corrected = number + self.lost;
        let sum = self.sum + corrected;
        self.lost = if sum.is_finite() { corrected - (sum - self.sum) } else { 0.0 };
        self.sum = sum;
    }

    /// The sum so far.
    pub(crate) fn value(self) -> f64 {
        self.sum
    }

    /// The sum of numbers.
    pub(crate) fn of(numbers: impl IntoIterator<Item = f64>) -> f64 {
        let mut sum = Self::default();
        numbers.into_iter().for_each(|number| sum.add(number));
        sum.value()
    }
}

pub(super) fn apply(function: &Function, values: &[Value]) -> Option<Value> {
    use Function as F;
    match (function, values) {
        (F::Negate, [value]) => match Number::of(value)? {
            Number::Int(number) => number.checked_neg().map_or(Number::Float(-(number as f64)), Number::Int),
            Number::Float(number) => Number::Float(-number),
        }
        .into_value(),
        (F::Log, [value]) => logarithm(Number::of(value)?.as_f64(), 10.0),
        (F::Log, [value, base]) => logarithm(Number::of(value)?.as_f64(), Number::of(base)?.as_f64()),
        (F::AddOrConcat, [a, b]) if matches!(a, Value::Text(_)) || matches!(b, Value::Text(_)) => {
            Some(Value::text(format!("{}{}", text_form(a)?, text_form(b)?)))
        }
        (F::Add | F::AddOrConcat | F::Multiply, [first, rest @ ..]) => {
            let mut sum = Number::of(first)?;
            for value in rest {
                sum = binary(function, sum, Number::of(value)?)?;
            }
            sum.into_value()
        }
        (_, [a, b]) => binary(function, Number::of(a)?, Number::of(b)?)?.into_value(),
        _ => None,
    }
}

fn binary(function: &Function, a: Number, b: Number) -> Option<Number> {
    use Function as F;
    if let (Number::Int(a), Number::Int(b)) = (a, b) {
        let whole = match function {
            F::Add | F::AddOrConcat => a.checked_add(b),
            F::Subtract => a.checked_sub(b),
            F::Multiply => a.checked_mul(b),
            F::DivideTruncating if b != 0 => a.checked_div(b),
            F::Modulo if b != 0 => Some(a.checked_rem(b).unwrap_or(0)),
            F::Modulo | F::DivideTruncating => return None,
            _ => None,
        };
        if let Some(whole) = whole {
            return Some(Number::Int(whole));
        }
    }
    let (a, b) = (a.as_f64(), b.as_f64());
    Some(Number::Float(match function {
        F::Add | F::AddOrConcat => a + b,
        F::Subtract => a - b,
        F::Multiply => a * b,
        F::Divide | F::DivideTruncating if b != 0.0 => a / b,
        F::Modulo if b != 0.0 => a % b,
        _ => return None,
    }))
}

#[expect(clippy::float_cmp, reason = "a base of exactly one or ten is meant")]
fn logarithm(value: f64, base: f64) -> Option<Value> {
    if value <= 0.0 || base <= 0.0 || base == 1.0 {
        return None;
    }
    // By tens, so that powers of ten come out even.
    Number::Float(if base == 10.0 { value.log10() } else { value.log10() / base.log10() }).into_value()
}
