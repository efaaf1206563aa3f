//! Points on earth. Shapes are not handled: no rule language asks for more of events than where they were.

use lurcher_ir::PlaceFunction;
use lurcher_schema::Value;

use super::{convert::text_form, math::fraction_text, number::Number};

/// The earth's mean radius in metres.
const RADIUS: f64 = 6_371_008.771_4;

pub(super) fn apply(function: PlaceFunction, values: &[Value]) -> Option<Value> {
    match (function, values) {
        (PlaceFunction::Point, [point]) => {
            let (x, y) = read(point)?;
            Some(Value::text(point_text(x, y)))
        }
        (PlaceFunction::X, [point]) => Number::Float(read(point)?.0).into_value(),
        (PlaceFunction::Y, [point]) => Number::Float(read(point)?.1).into_value(),
        (PlaceFunction::Distance, [a, b]) => Number::Float(distance(read(a)?, read(b)?)).into_value(),
        _ => None,
    }
}

/// A point in its plain spelling.
pub(crate) fn point_text(x: f64, y: f64) -> String {
    format!("POINT ({} {})", fraction_text(x), fraction_text(y))
}

/// Reads `POINT(x y)`, `y,x` as documents have it, or an object of `lat` and `lon`.
fn read(value: &Value) -> Option<(f64, f64)> {
    if let Value::Object(object) = value {
        let number = |name: &str| match object.get(name)? {
            Value::Text(text) => text.trim().parse().ok(),
            other => other.as_number(),
        };
        return Some((number("lon")?, number("lat")?));
    }
    let text = text_form(value)?;
    let text = text.trim();
    let lower = text.to_ascii_lowercase();
    let (first, second, swapped) = if let Some(rest) = lower.strip_prefix("point") {
        let inside = rest.trim().strip_prefix('(')?.strip_suffix(')')?.trim();
        let (x, y) = inside.split_once(char::is_whitespace)?;
        (x.to_owned(), y.trim().to_owned(), false)
    } else {
        let (lat, lon) = text.split_once(',')?;
        (lat.trim().to_owned(), lon.trim().to_owned(), true)
    };
    let (first, second): (f64, f64) = (first.parse().ok()?, second.parse().ok()?);
    (first.is_finite() && second.is_finite()).then_some(if swapped { (second, first) } else { (first, second) })
}

/// The haversine formula.
fn distance((x1, y1): (f64, f64), (x2, y2): (f64, f64)) -> f64 {
    let (a, b) = (y1.to_radians(), y2.to_radians());
    let (dy, dx) = ((b - a) / 2.0, ((x2 - x1).to_radians()) / 2.0);
    let h = dy.sin().powi(2) + a.cos() * b.cos() * dx.sin().powi(2);
    2.0 * RADIUS * h.sqrt().min(1.0).asin()
}
