//! Models that judge rows: what a pipeline asks of one, whoever computes it.

use std::{fmt::Debug, sync::Arc};

use lurcher_schema::Value;

/// A model that was learned elsewhere: from numbers of a row to what it says of it.
pub trait Model: Debug + Send + Sync {
    /// The names of the fields that it judges by, in the order in which it takes them.
    fn inputs(&self) -> &[Arc<str>];

    /// The names of what it says, in order; at least one.
    fn outputs(&self) -> &[Arc<str>];

    /// What it says of a row: a value for each output.
    ///
    /// # Errors
    ///
    /// It cannot be computed for these numbers.
    fn judge(&self, inputs: &[f64]) -> Result<Vec<Value>, String>;
}
