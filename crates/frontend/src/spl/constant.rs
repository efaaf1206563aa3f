//! Expressions that can be known without an event: the definitions of `iseval` macros.
//!
//! Texts, numbers, joining and arithmetic, `if`, comparisons of what is known. Anything else is not known.

use lurcher_diagnostics::SourceFile;

use super::{
    ast::{Expr, ExprKind, Operator},
    parser,
};

/// What is known.
#[derive(Clone, Debug, PartialEq)]
enum Known {
    Text(String),
    Number(f64),
    Truth(bool),
}

/// The text that an expression yields, if that can be known.
pub(super) fn text_of(definition: &str) -> Option<String> {
    let file = SourceFile::new("definition", definition);
    let (expr, diagnostics) = parser::expression(&file);
    if !diagnostics.is_empty() {
        return None;
    }
    Some(match value(&expr?)? {
        Known::Text(text) => text,
        Known::Number(number) => number.to_string(),
        Known::Truth(_) => return None,
    })
}

/// Whether an expression is true, if that can be known. A name is no number: it is what stands where a value was meant.
pub(super) fn holds(expression: &str) -> Option<bool> {
    let file = SourceFile::new("validation", expression);
    let (expr, diagnostics) = parser::expression(&file);
    if !diagnostics.is_empty() {
        return Some(false);
    }
    truth(&expr?)
}

fn value(expr: &Expr) -> Option<Known> {
    Some(match &expr.kind {
        ExprKind::Integer(number) => Known::Number(*number as f64),
        ExprKind::Float(number) => Known::Number(*number),
        ExprKind::Text(text) => Known::Text(text.to_string()),
        ExprKind::Not(inner) => Known::Truth(!truth(inner)?),
        ExprKind::And(parts) => {
            Known::Truth(parts.iter().map(truth).collect::<Option<Vec<_>>>()?.into_iter().all(|truth| truth))
        }
        ExprKind::Or(parts) => {
            Known::Truth(parts.iter().map(truth).collect::<Option<Vec<_>>>()?.into_iter().any(|truth| truth))
        }
        ExprKind::Negate(inner) => Known::Number(-number(inner)?),
        ExprKind::Binary(operator, a, b) => return binary(*operator, a, b),
        ExprKind::Call(name, arguments) => match (name.text.to_ascii_lowercase().as_str(), arguments.as_slice()) {
            ("if", [condition, then, otherwise]) => {
                return value(if truth(condition)? { then } else { otherwise });
            }
            ("case", pairs) => {
                for pair in pairs.chunks(2) {
                    if let [condition, then] = pair
                        && truth(condition)?
                    {
                        return value(then);
                    }
                }
                return None;
            }
            ("true", []) => Known::Truth(true),
            ("false", []) => Known::Truth(false),
            ("tostring", [inner]) => Known::Text(text(inner)?),
            ("tonumber", [inner]) => Known::Number(number(inner)?),
            ("lower", [inner]) => Known::Text(text(inner)?.to_lowercase()),
            ("upper", [inner]) => Known::Text(text(inner)?.to_uppercase()),
            ("isnum", [inner]) => Known::Truth(number(inner).is_some()),
            ("isint", [inner]) => Known::Truth(number(inner).is_some_and(|number| number.fract() == 0.0)),
            ("isstr", [inner]) => Known::Truth(matches!(value(inner)?, Known::Text(_))),
            ("len", [inner]) => Known::Number(text(inner)?.chars().count() as f64),
            ("isnull", [inner]) => Known::Truth(value(inner).is_none()),
            ("isnotnull", [inner]) => Known::Truth(value(inner).is_some()),
            ("match", [of, pattern]) => {
                let translated = crate::syntax::java_regex::translate(&text(pattern)?).ok()?;
                Known::Truth(regex::Regex::new(&translated.regex.pattern).ok()?.is_match(&text(of)?))
            }
            _ => return None,
        },
        _ => return None,
    })
}

fn truth(expr: &Expr) -> Option<bool> {
    match value(expr)? {
        Known::Truth(truth) => Some(truth),
        _ => None,
    }
}

fn number(expr: &Expr) -> Option<f64> {
    match value(expr)? {
        Known::Number(number) => Some(number),
        Known::Text(text) => text.trim().parse().ok(),
        Known::Truth(_) => None,
    }
}

fn text(expr: &Expr) -> Option<String> {
    match value(expr)? {
        Known::Text(text) => Some(text),
        Known::Number(number) => Some(number.to_string()),
        Known::Truth(_) => None,
    }
}

fn binary(operator: Operator, a: &Expr, b: &Expr) -> Option<Known> {
    let numbers = number(a).zip(number(b));
    let texts = || text(a).zip(text(b));
    Some(match operator {
        Operator::Concatenate => Known::Text(texts().map(|(a, b)| a + &b)?),
        Operator::Add => match numbers {
            Some((a, b)) => Known::Number(a + b),
            None => Known::Text(texts().map(|(a, b)| a + &b)?),
        },
        Operator::Subtract => Known::Number(numbers.map(|(a, b)| a - b)?),
        Operator::Multiply => Known::Number(numbers.map(|(a, b)| a * b)?),
        Operator::Divide => Known::Number(numbers.filter(|(_, b)| *b != 0.0).map(|(a, b)| a / b)?),
        Operator::Modulo => Known::Number(numbers.filter(|(_, b)| *b != 0.0).map(|(a, b)| a % b)?),
        _ => {
            let order = match numbers {
                Some((a, b)) => a.partial_cmp(&b)?,
                None => texts().map(|(a, b)| a.cmp(&b))?,
            };
            Known::Truth(match operator {
                Operator::Equal => order.is_eq(),
                Operator::NotEqual => order.is_ne(),
                Operator::Less => order.is_lt(),
                Operator::LessOrEqual => order.is_le(),
                Operator::Greater => order.is_gt(),
                _ => order.is_ge(),
            })
        }
    })
}

#[cfg(test)]
mod tests {
    use super::text_of;

    #[test]
    fn what_needs_no_event_is_known() {
        assert_eq!(text_of(r#""a"."b""#).as_deref(), Some("ab"));
        assert_eq!(text_of(r#"if(1+1=2, "field=".tostring(3), "x")"#).as_deref(), Some("field=3"));
        assert_eq!(text_of("field"), None);
        assert_eq!(text_of("("), None);
    }
}
