//! Models that judge rows: what a pipeline asks of one, whoever computes it.

use std::{fmt::Debug, sync::Arc};

use lurcher_schema::Value;

/// A model that was learned elsewhere: from fields of a row to what it says of it.
pub trait Model: Debug + Send + Sync {
    /// The names of the fields that it judges by, in the order in which it takes them.
    fn inputs(&self) -> &[Arc<str>];

    /// The names of the fields that hold what it says, in order; at least one. See [`predicted`].
    fn outputs(&self) -> &[Arc<str>];

    /// What it says of a row: a value for each output.
    ///
    /// # Errors
    ///
    /// It cannot be computed for these values: one is missing, or no number where it takes numbers.
    fn judge(&self, inputs: &[Value]) -> Result<Vec<Value>, String>;
}

/// The name of the field for what a model says of something: `predicted(NAME)`, as Splunk's machine-learning toolkit has
/// it. A name that has the form already, such as `IsOutlier(bytes)`, stands as it is.
pub fn predicted(name: &str) -> Arc<str> {
    let formed = name.split_once('(').is_some_and(|(word, rest)| !word.is_empty() && rest.ends_with(')'));
    if formed { name.into() } else { format!("predicted({name})").into() }
}

/// A value as models take numbers: a text that reads as one is one, truth is 1 and its contrary 0.
pub fn model_number(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(true) => Some(1.0),
        Value::Bool(false) => Some(0.0),
        Value::Text(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        other => other.as_number(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_the_form_stands_as_it_is() {
        assert_eq!(predicted("score").as_ref(), "predicted(score)");
        assert_eq!(predicted("IsOutlier(bytes)").as_ref(), "IsOutlier(bytes)");
        assert_eq!(predicted("(odd)").as_ref(), "predicted((odd))");
    }

    #[test]
    fn texts_of_digits_and_truths_are_numbers() {
        assert_eq!(model_number(&Value::text(" 1.5 ")), Some(1.5));
        assert_eq!(model_number(&Value::Bool(true)), Some(1.0));
        assert_eq!(model_number(&Value::text("inf")), None);
        assert_eq!(model_number(&Value::Null), None);
    }
}
