//! What EQL asks of a field beside what all languages of Elasticsearch do.

use lurcher_ir::{Case, Predicate, Test};
use lurcher_schema::{Timestamp, Value};

use super::ast::Comparison;
use crate::elasticsearch::{dates::DateError, field::Typed};

/// A comparison with a constant that is not null. `!=` is the complement of `==`: true on a missing field.
pub(super) fn compare(
    typed: &Typed,
    operator: Comparison,
    constant: &Value,
    now: Option<Timestamp>,
) -> Result<Predicate, DateError> {
    let equal = || typed.one_of(std::slice::from_ref(constant), Case::Sensitive, now);
    match operator {
        Comparison::Equal => equal(),
        Comparison::NotEqual => Ok(equal()?.negate()),
        Comparison::Greater => typed.ordered(true, false, constant, now),
        Comparison::GreaterOrEqual => typed.ordered(true, true, constant, now),
        Comparison::Less => typed.ordered(false, false, constant, now),
        Comparison::LessOrEqual => typed.ordered(false, true, constant, now),
    }
}

/// The lengths that a comparison with a number lets through.
pub(super) fn lengths(operator: Comparison, number: f64) -> Option<Test> {
    let (min, max) = match operator {
        Comparison::Equal | Comparison::NotEqual => (number.ceil(), Some(number.floor())),
        Comparison::Less => (0.0, Some(number.ceil() - 1.0)),
        Comparison::LessOrEqual => (0.0, Some(number.floor())),
        Comparison::Greater => (number.floor() + 1.0, None),
        Comparison::GreaterOrEqual => (number.ceil(), None),
    };
    let min = min.max(0.0);
    if max.is_some_and(|max| max < min) {
        return None;
    }
    Some(Test::Length { min: min as u64, max: max.map(|max| max as u64) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_whole_and_never_negative() {
        use Comparison::{Equal, Greater, Less, LessOrEqual};
        let length = |min, max| Some(Test::Length { min, max });
        assert_eq!(lengths(Greater, 3.0), length(4, None));
        assert_eq!(lengths(Greater, -1.0), length(0, None));
        assert_eq!(lengths(Less, 3.5), length(0, Some(3)));
        assert_eq!(lengths(Less, 0.0), None);
        assert_eq!(lengths(LessOrEqual, 0.0), length(0, Some(0)));
        assert_eq!(lengths(Equal, 2.0), length(2, Some(2)));
        assert_eq!(lengths(Equal, 2.5), None);
    }
}
