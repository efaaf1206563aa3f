//! Functions of numbers beyond arithmetic. What is infinite or undefined is null.

use lurcher_ir::NumberFunction;
use lurcher_schema::Value;

use super::{
    convert::{read_number, text_form, truth, whole},
    number::Number,
};

pub(super) fn apply(function: NumberFunction, values: &[Value]) -> Option<Value> {
    use NumberFunction as N;
    match (function, values) {
        (N::Fits(bits), [Value::Int(number)]) => fits(*number, bits).map(Value::Int),
        (N::ToWhole(bits), [value]) => to_whole(value, bits),
        (N::ToFraction, [value]) => match value {
            Value::Bool(truth) => Some(Value::Float(f64::from(u8::from(*truth)))),
            _ => Number::Float(reading(value)?.as_f64()).into_value(),
        },
        (N::FractionText, [value]) => Number::of(value).map(|number| Value::text(fraction_text(number.as_f64()))),
        (N::Round, [value]) => round(Number::of(value)?, 0),
        (N::Round, [value, places]) => round(Number::of(value)?, whole(places)?),
        (N::RoundTo, [value, points]) => round_to(value, points),
        (N::WholeOfBase, [text, base]) => {
            let (text, base) = (text_form(text)?, whole(base)?);
            let base = u32::try_from(base).ok().filter(|base| (2..=36).contains(base))?;
            let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).filter(|_| base == 16);
            // Behind the prefix there is no sign.
            let digits = digits.filter(|digits| !digits.starts_with(['+', '-'])).unwrap_or(&text);
            i64::from_str_radix(digits, base).ok().map(Value::Int)
        }
        (N::WidthBucket, [value, from, to, count]) => {
            let [value, from, to] = [value, from, to].map(Value::as_number);
            let (value, from, to, count) = (value?, from?, to?, whole(count)?);
            (count > 0 && from < to).then_some(())?;
            Some(Value::Int(if value < from {
                0
            } else if value >= to {
                count.checked_add(1)?
            } else {
                ((value - from) / (to - from) * count as f64).floor() as i64 + 1
            }))
        }
        (N::Fits(_), _) => None,
        (_, [value]) => of_one(function, Number::of(value)?),
        (_, [a, b]) => {
            let (a, b) = (Number::of(a)?.as_f64(), Number::of(b)?.as_f64());
            let result = match function {
                N::Power => a.powf(b),
                N::ArcTangent2 => a.atan2(b),
                N::Hypotenuse => a.hypot(b),
                N::Scale => a * 2_f64.powf(b.trunc()),
                N::CopySign => a.copysign(b),
                _ => return None,
            };
            Number::Float(result).into_value()
        }
        _ => None,
    }
}

fn of_one(function: NumberFunction, number: Number) -> Option<Value> {
    use NumberFunction as N;
    if let Number::Int(whole) = number {
        match function {
            N::Absolute => return whole.checked_abs().map(Value::Int),
            N::Ceiling | N::Floor => return Some(Value::Int(whole)),
            _ => {}
        }
    }
    let x = number.as_f64();
    let result = match function {
        N::Absolute => x.abs(),
        N::Ceiling => x.ceil(),
        N::Floor => x.floor(),
        N::SquareRoot => x.sqrt(),
        N::CubeRoot => x.cbrt(),
        N::Exponential => x.exp(),
        N::NaturalLogarithm => x.ln(),
        N::Sine => x.sin(),
        N::Cosine => x.cos(),
        N::Tangent => x.tan(),
        N::ArcSine => x.asin(),
        N::ArcCosine => x.acos(),
        N::ArcTangent => x.atan(),
        N::HyperbolicSine => x.sinh(),
        N::HyperbolicCosine => x.cosh(),
        N::HyperbolicTangent => x.tanh(),
        N::ArcHyperbolicSine => x.asinh(),
        N::ArcHyperbolicCosine => x.acosh(),
        N::ArcHyperbolicTangent => x.atanh(),
        N::Sign if x == 0.0 => 0.0,
        N::Sign => x.signum(),
        N::ToDegrees => x.to_degrees(),
        N::ToRadians => x.to_radians(),
        _ => return None,
    };
    Number::Float(result).into_value()
}

/// A number, or what a text reads as.
fn reading(value: &Value) -> Option<Number> {
    match value {
        Value::Text(text) => read_number(text.trim()),
        _ => Number::of(value),
    }
}

fn fits(number: i64, bits: u8) -> Option<i64> {
    (bits >= 64 || i32::try_from(number).is_ok()).then_some(number)
}

fn to_whole(value: &Value, bits: u8) -> Option<Value> {
    if let Value::Bool(truth) = value {
        return Some(Value::Int(i64::from(*truth)));
    }
    let number = match reading(value)? {
        Number::Int(number) => number,
        Number::Float(number) => {
            // Half up, as Java's `Math.round`.
            let rounded = (number + 0.5).floor();
            (rounded.abs() < 9.3e18 && rounded >= i64::MIN as f64 && rounded < i64::MAX as f64)
                .then_some(rounded as i64)?
        }
    };
    fits(number, bits).map(Value::Int)
}

fn round(number: Number, places: i64) -> Option<Value> {
    match number {
        Number::Int(number) if places >= 0 => Some(Value::Int(number)),
        Number::Int(number) => {
            let unit = u32::try_from(-places).ok().and_then(|places| 10_i128.checked_pow(places));
            let Some(unit) = unit else { return Some(Value::Int(0)) };
            let number = i128::from(number);
            let rounded = (number.abs() + unit / 2) / unit * unit * number.signum();
            i64::try_from(rounded).ok().map(Value::Int)
        }
        Number::Float(number) if number.abs() >= 1e15 && places >= 0 => Number::Float(number).into_value(),
        Number::Float(number) => {
            let places = i32::try_from(places.clamp(-400, 400)).ok()?;
            if places > 300 {
                return Number::Float(number).into_value();
            }
            let unit = 10_f64.powi(places.abs());
            let scaled = if places >= 0 { number * unit } else { number / unit };
            let rounded = scaled.round();
            Number::Float(if places >= 0 { rounded / unit } else { rounded * unit }).into_value()
        }
    }
}

fn round_to(value: &Value, points: &Value) -> Option<Value> {
    let number = Number::of(value)?;
    let mut least: Option<(&Value, Number)> = None;
    let mut best: Option<(&Value, Number)> = None;
    for point in points.elements() {
        let own = Number::of(point)?;
        if least.is_none_or(|(_, least)| own.compare(least).is_some_and(std::cmp::Ordering::is_lt)) {
            least = Some((point, own));
        }
        if own.compare(number).is_some_and(std::cmp::Ordering::is_le)
            && best.is_none_or(|(_, best)| own.compare(best).is_some_and(std::cmp::Ordering::is_gt))
        {
            best = Some((point, own));
        }
    }
    best.or(least).map(|(point, _)| point.clone())
}

/// As Java writes a `double`: at least one digit behind the point, exponents from 10^7 and below 10^-3.
pub(super) fn fraction_text(number: f64) -> String {
    let size = number.abs();
    if number == 0.0 {
        return if number.is_sign_negative() { "-0.0".into() } else { "0.0".into() };
    }
    if (1e-3..1e7).contains(&size) {
        let text = number.to_string();
        return if text.contains('.') { text } else { format!("{text}.0") };
    }
    let text = format!("{number:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let point = if digits.contains('.') { "" } else { ".0" };
    format!("{digits}{point}E{exponent}")
}

/// `true` in any case as true, other texts as false; numbers but 0 as true.
pub(super) fn to_boolean(value: &Value) -> Option<Value> {
    match value {
        Value::Bool(_) => Some(value.clone()),
        Value::Text(_) => Some(Value::Bool(truth(value) == Some(true))),
        _ => Some(Value::Bool(Number::of(value)?.as_f64() != 0.0)),
    }
}
