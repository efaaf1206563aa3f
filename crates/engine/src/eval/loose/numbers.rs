//! Numbers, and what is ordered as if it were one.

use std::cmp::Ordering;

use lurcher_ir::{BitOperation, Calculation, LooseFunction, NumberForm};
use lurcher_schema::Value;

use super::{Number, number, text};
use crate::eval::convert::read_number;

/// Whole numbers up to here are exact in a fraction, too.
const MAX_BITS: u64 = (1 << 53) - 1;

pub(super) fn apply(function: &LooseFunction, values: &[Value]) -> Option<Value> {
    use LooseFunction as F;
    match (function, values) {
        (F::Number, [value]) => number(value)?.into_value(),
        (F::Add, [a, b]) => match (number(a), number(b)) {
            (Some(a), Some(b)) => add(a, b).into_value(),
            // Two texts are joined, also if one of them reads as a number: `"by " + tostring(3)`.
            _ if [a, b].iter().all(|side| matches!(side, Value::Text(_))) => {
                Some(Value::text(format!("{}{}", text(a)?, text(b)?)))
            }
            _ => None,
        },
        (F::Less, [a, b]) => Some(Value::Bool(order(a, b)?.is_lt())),
        (F::LessOrEqual, [a, b]) => Some(Value::Bool(order(a, b)?.is_le())),
        (F::Greatest, values) => extreme(values, Ordering::Greater),
        (F::Least, values) => extreme(values, Ordering::Less),
        (F::Sum, values) => {
            let mut numbers = values.iter().flat_map(Value::elements).filter_map(number);
            let first = numbers.next()?;
            numbers.fold(first, add).into_value()
        }
        (F::Mean, values) => {
            let numbers: Vec<f64> =
                values.iter().flat_map(Value::elements).filter_map(number).map(Number::as_f64).collect();
            finite(numbers.iter().sum::<f64>() / numbers.len() as f64)
        }
        (F::Round, [value]) => round(number(value)?, 0),
        (F::Round, [value, places]) => round(number(value)?, whole(number(places)?)?),
        (F::Calculate(calculation), values) => calculate(*calculation, values),
        (F::Bits(operation), values) => bits(*operation, values),
        (F::Written(form), [value]) => written(*form, number(value)?),
        (F::Bucket, [value, size]) => bucket(number(value)?, number(size)?).map(|(from, _)| from)?.into_value(),
        (F::BucketRange, [value, size]) => {
            let (from, to) = bucket(number(value)?, number(size)?)?;
            Some(Value::text(format!("{}-{}", from.into_value()?, to.into_value()?)))
        }
        (F::PowerRange, [value, first, base]) => {
            let (from, to) = power_range(number(value)?.as_f64(), number(first)?.as_f64(), number(base)?.as_f64())?;
            Some(Value::text(format!("{}-{}", from.into_value()?, to.into_value()?)))
        }
        (F::LeadingNumber, [value]) => leading_number(&text(value)?),
        (F::Kilobytes, [value]) => kilobytes(&text(value)?),
        _ => None,
    }
}

/// The whole number that it is, if it is one.
pub(super) fn whole(number: Number) -> Option<i64> {
    match number {
        Number::Int(number) => Some(number),
        Number::Float(number) => (number.fract() == 0.0 && number.abs() < 9.2e18).then_some(number as i64),
    }
}

fn finite(number: f64) -> Option<Value> {
    Number::Float(number).into_value()
}

/// A fraction without a fractional part as a whole number, so that it is written as one.
fn tidy(number: f64) -> Option<Value> {
    match whole(Number::Float(number)) {
        Some(whole) => Some(Value::Int(whole)),
        None => finite(number),
    }
}

fn add(a: Number, b: Number) -> Number {
    match (a, b) {
        (Number::Int(a), Number::Int(b)) => a.checked_add(b).map_or(Number::Float(a as f64 + b as f64), Number::Int),
        (a, b) => Number::Float(a.as_f64() + b.as_f64()),
    }
}

/// Numbers by size, if both are; else by their text forms.
fn order(a: &Value, b: &Value) -> Option<Ordering> {
    if let (Some(a), Some(b)) = (number(a), number(b)) {
        return a.compare(b);
    }
    Some(text(a)?.as_bytes().cmp(text(b)?.as_bytes()))
}

/// Numbers before texts.
fn extreme(values: &[Value], wanted: Ordering) -> Option<Value> {
    let rank = |value: &Value| u8::from(number(value).is_none());
    let compare = |a: &Value, b: &Value| match (rank(a), rank(b)) {
        (a_rank, b_rank) if a_rank != b_rank => a_rank.cmp(&b_rank),
        _ => order(a, b).unwrap_or(Ordering::Equal),
    };
    let mut best: Option<&Value> = None;
    for value in values.iter().flat_map(Value::elements) {
        if best.is_none_or(|best| compare(value, best) == wanted) {
            best = Some(value);
        }
    }
    best.cloned()
}

fn round(value: Number, places: i64) -> Option<Value> {
    if let (Number::Int(value), true) = (value, places >= 0) {
        return Some(Value::Int(value));
    }
    let scale = 10_f64.powi(i32::try_from(places.clamp(-300, 300)).ok()?);
    let value = value.as_f64();
    // A little more than the number, so that 2.675, which is stored as a little less, is rounded up as it reads.
    let scaled = value * scale;
    let rounded =
        if (scaled - scaled.trunc()).abs() + 1e-9 >= 0.5 { scaled.trunc() + scaled.signum() } else { scaled.trunc() };
    tidy(rounded / scale)
}

fn calculate(calculation: Calculation, values: &[Value]) -> Option<Value> {
    use Calculation as C;
    let a = number(values.first()?)?;
    let b = match values.get(1) {
        Some(value) => Some(number(value)?),
        None => None,
    };
    if let (Number::Int(a), Some(Number::Int(b))) = (a, b) {
        let exact = match calculation {
            C::Subtract => a.checked_sub(b),
            C::Multiply => a.checked_mul(b),
            C::Modulo if b != 0 => a.checked_rem(b),
            C::Divide if b != 0 && a.checked_rem(b) == Some(0) => a.checked_div(b),
            C::Power => u32::try_from(b).ok().and_then(|b| a.checked_pow(b)),
            _ => None,
        };
        if let Some(exact) = exact {
            return Some(Value::Int(exact));
        }
    }
    if let (Number::Int(a), None) = (a, b) {
        let exact = match calculation {
            C::Negate => a.checked_neg(),
            C::Absolute => a.checked_abs(),
            C::Ceiling | C::Floor => Some(a),
            _ => None,
        };
        if let Some(exact) = exact {
            return Some(Value::Int(exact));
        }
    }
    fraction(calculation, a.as_f64(), b.map(Number::as_f64))
}

#[expect(clippy::float_cmp, reason = "a base or divisor of exactly this is meant")]
fn fraction(calculation: Calculation, a: f64, b: Option<f64>) -> Option<Value> {
    use Calculation as C;
    finite(match (calculation, b) {
        (C::Subtract, Some(b)) => a - b,
        (C::Multiply, Some(b)) => a * b,
        (C::Divide, Some(b)) if b != 0.0 => return tidy(a / b),
        (C::Modulo, Some(b)) if b != 0.0 => a % b,
        (C::Negate, None) => -a,
        (C::Absolute, None) => a.abs(),
        (C::Ceiling, None) => return tidy(a.ceil()),
        (C::Floor, None) => return tidy(a.floor()),
        (C::Exponential, None) => a.exp(),
        (C::NaturalLogarithm, None) if a > 0.0 => a.ln(),
        (C::Logarithm, None) if a > 0.0 => a.log10(),
        (C::Logarithm, Some(b)) if a > 0.0 && b > 0.0 && b != 1.0 => a.ln() / b.ln(),
        (C::Power, Some(b)) => a.powf(b),
        (C::SquareRoot, None) if a >= 0.0 => a.sqrt(),
        (C::SignificantFigures, None) => format!("{a:.14e}").parse().ok()?,
        (C::Sine, None) => a.sin(),
        (C::Cosine, None) => a.cos(),
        (C::Tangent, None) => a.tan(),
        (C::ArcSine, None) => a.asin(),
        (C::ArcCosine, None) => a.acos(),
        (C::ArcTangent, None) => a.atan(),
        (C::ArcTangent2, Some(b)) => a.atan2(b),
        (C::HyperbolicSine, None) => a.sinh(),
        (C::HyperbolicCosine, None) => a.cosh(),
        (C::HyperbolicTangent, None) => a.tanh(),
        (C::ArcHyperbolicSine, None) => a.asinh(),
        (C::ArcHyperbolicCosine, None) => a.acosh(),
        (C::ArcHyperbolicTangent, None) => a.atanh(),
        (C::Hypotenuse, Some(b)) => a.hypot(b),
        _ => return None,
    })
}

fn bits(operation: BitOperation, values: &[Value]) -> Option<Value> {
    use BitOperation as B;
    let operands: Vec<u64> = values
        .iter()
        .map(|value| whole(number(value)?).and_then(|n| u64::try_from(n).ok()).filter(|n| *n <= MAX_BITS))
        .collect::<Option<_>>()?;
    let (first, rest) = operands.split_first()?;
    let shift = |places: u64| u32::try_from(places).ok().filter(|places| *places < 64);
    let result = match (operation, rest) {
        (B::Not, []) => !first & MAX_BITS,
        (B::And, rest) if !rest.is_empty() => rest.iter().fold(*first, |a, b| a & b),
        (B::Or, rest) if !rest.is_empty() => rest.iter().fold(*first, |a, b| a | b),
        (B::Xor, rest) if !rest.is_empty() => rest.iter().fold(*first, |a, b| a ^ b),
        (B::ShiftLeft, [places]) => shift(*places).map_or(0, |places| first.wrapping_shl(places)) & MAX_BITS,
        (B::ShiftRight, [places]) => shift(*places).map_or(0, |places| first.wrapping_shr(places)),
        _ => return None,
    };
    i64::try_from(result).ok().map(Value::Int)
}

fn written(form: NumberForm, value: Number) -> Option<Value> {
    Some(Value::text(match form {
        NumberForm::Hexadecimal => {
            let whole = whole(Number::Float(value.as_f64().trunc()))?;
            if whole < 0 { format!("-0x{:X}", whole.unsigned_abs()) } else { format!("0x{whole:X}") }
        }
        NumberForm::Binary => format!("{:b}", whole(value)?),
        NumberForm::Commas => {
            let rounded = match round(value, 2)? {
                Value::Int(whole) => whole.to_string(),
                other => format!("{:.2}", other.as_number()?),
            };
            let (sign, digits) = rounded.strip_prefix('-').map_or(("", rounded.as_str()), |rest| ("-", rest));
            let (head, tail) = digits.split_once('.').map_or((digits, None), |(head, tail)| (head, Some(tail)));
            let mut grouped = String::new();
            for (at, digit) in head.chars().enumerate() {
                if at > 0 && (head.len() - at) % 3 == 0 {
                    grouped.push(',');
                }
                grouped.push(digit);
            }
            match tail {
                Some(tail) => format!("{sign}{grouped}.{tail}"),
                None => format!("{sign}{grouped}"),
            }
        }
    }))
}

/// The ends of the bucket that a number lies in.
fn bucket(value: Number, size: Number) -> Option<(Number, Number)> {
    if let (Number::Int(value), Number::Int(size)) = (value, size) {
        if size <= 0 {
            return None;
        }
        let from = value.div_euclid(size).checked_mul(size)?;
        return Some((Number::Int(from), Number::Int(from.checked_add(size)?)));
    }
    let (value, size) = (value.as_f64(), size.as_f64());
    if size.is_nan() || size <= 0.0 {
        return None;
    }
    let from = (value / size).floor() * size;
    let tidy = |number: f64| whole(Number::Float(number)).map_or(Number::Float(number), Number::Int);
    Some((tidy(from), tidy(from + size)))
}

/// From where to where the numbers go between two powers of a base, times the first number.
fn power_range(value: f64, first: f64, base: f64) -> Option<(Number, Number)> {
    if !(value > 0.0 && first > 0.0 && base > 1.0 && value.is_finite()) {
        return None;
    }
    // Logarithms are rounded: the neighbours are tried.
    let near = ((value / first).ln() / base.ln()).floor().clamp(-1e6, 1e6) as i32;
    let at = |power: i32| first * base.powi(power);
    let power = (near - 1..=near + 1).rev().find(|power| at(*power) <= value)?;
    let tidy = |number: f64| {
        let rounded = number.round();
        if rounded != 0.0 && ((number - rounded) / rounded).abs() < 1e-12 { rounded } else { number }
    };
    let number = |number: f64| whole(Number::Float(number)).map_or(Number::Float(number), Number::Int);
    Some((number(tidy(at(power))), number(tidy(at(power + 1)))))
}

/// `1,234.5 kB` is 1234.5.
fn leading_number(text: &str) -> Option<Value> {
    let plain: String = text.trim().chars().filter(|c| *c != ',').collect();
    let end = plain
        .char_indices()
        .find(|(at, c)| !(c.is_ascii_digit() || *c == '.' || (*at == 0 && matches!(c, '-' | '+'))))
        .map_or(plain.len(), |(at, _)| at);
    read_number(plain[..end].trim_end_matches('.'))?.into_value()
}

/// `12M` is 12288; a number alone stands for kilobytes.
fn kilobytes(text: &str) -> Option<Value> {
    let text = text.trim();
    let (digits, factor) = match text.chars().next_back()?.to_ascii_lowercase() {
        'k' => (&text[..text.len() - 1], 1.0),
        'm' => (&text[..text.len() - 1], 1024.0),
        'g' => (&text[..text.len() - 1], 1024.0 * 1024.0),
        _ => (text, 1.0),
    };
    tidy(read_number(digits.trim())?.as_f64() * factor)
}
