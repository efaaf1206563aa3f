//! Models for specs: weighted sums, written as text in a file that is named as a model is.
//!
//! A line is an output: its name, a colon, a number, and fields with their weights: `score: 0.5, length 2, entropy -1`.
//! A name with `=` before it is that of the field, as if the settings had said so. A weight `#` is the number of the
//! field's characters.

use std::{fs, path::Path, sync::Arc};

use lurcher_ir::{Model, model_number, predicted};
use lurcher_schema::Value;

/// Weighted sums of the same fields.
#[derive(Debug, Default)]
struct Weights {
    inputs: Vec<Arc<str>>,
    outputs: Vec<Arc<str>>,
    /// For each output a number, and the fields that are added to it.
    sums: Vec<(f64, Vec<(usize, Weight)>)>,
}

/// What is added of a field.
#[derive(Debug)]
enum Weight {
    /// The number, so many times.
    Times(f64),
    /// How many characters the text has.
    Length,
}

/// Reads a model. `features` are no names of this one's: it has its own.
pub(crate) fn read(path: &Path, _features: &[String], _outputs: &[String]) -> Result<Arc<dyn Model>, String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let mut weights = Weights::default();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let wrong = || format!("`{line}`: write it as NAME: NUMBER, FIELD WEIGHT, …");
        let (name, sum) = line.split_once(':').ok_or_else(wrong)?;
        let mut parts = sum.split(',').map(str::trim);
        let base = parts.next().and_then(|base| base.parse().ok()).ok_or_else(wrong)?;
        let mut fields = Vec::new();
        for part in parts {
            let (field, weight) = part.split_once(' ').ok_or_else(wrong)?;
            let known = weights.inputs.iter().position(|input| input.as_ref() == field);
            let place = known.unwrap_or_else(|| {
                weights.inputs.push(field.into());
                weights.inputs.len() - 1
            });
            let weight = match weight {
                "#" => Weight::Length,
                weight => Weight::Times(weight.parse().map_err(|_| wrong())?),
            };
            fields.push((place, weight));
        }
        let name = name.trim();
        weights.outputs.push(name.strip_prefix('=').map_or_else(|| predicted(name), Into::into));
        weights.sums.push((base, fields));
    }
    Ok(Arc::new(weights))
}

impl Model for Weights {
    fn inputs(&self) -> &[Arc<str>] {
        &self.inputs
    }

    fn outputs(&self) -> &[Arc<str>] {
        &self.outputs
    }

    fn judge(&self, inputs: &[Value]) -> Result<Vec<Value>, String> {
        let part = |(place, weight): &(usize, Weight)| {
            let value = inputs.get(*place)?;
            match weight {
                Weight::Times(times) => Some(model_number(value)? * times),
                Weight::Length => Some(value.as_text()?.chars().count() as f64),
            }
        };
        let sum = |(base, fields): &(f64, Vec<(usize, Weight)>)| {
            let parts: Option<Vec<f64>> = fields.iter().map(part).collect();
            parts.map(|parts| Value::Float(base + parts.iter().sum::<f64>()))
        };
        self.sums.iter().map(sum).collect::<Option<_>>().ok_or_else(|| "a field is no number".to_owned())
    }
}
