//! Models as Splunk's machine-learning toolkit keeps them: `__mlspl_NAME.mlmodel`, a table of one row with the name of
//! the algorithm, the fitted estimator and the options of `fit`, both JSON.
//!
//! Of what is in them, weighted sums are computed (`LinearRegression` and the algorithms that fit the same): they are
//! their coefficients. A field that is named in a column as `FIELD=VALUE` counts 1 where it has the value, and 0 where
//! it has another.

use std::{fs, path::Path, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lurcher_ir::{Model, model_number, predicted};
use lurcher_schema::Value;
use serde_json::Value as Json;

/// Larger files are no sums.
const MAX_BYTES: u64 = 64 << 20;
/// The algorithms whose models are weighted sums.
const SUMS: [&str; 4] = ["LinearRegression", "Ridge", "Lasso", "ElasticNet"];
/// The algorithm of models that run in a container of the toolkit for deep learning.
const CONTAINER: &str = "MLTKContainer";

/// A weighted sum.
#[derive(Debug)]
struct Sum {
    inputs: Vec<Arc<str>>,
    outputs: [Arc<str>; 1],
    base: f64,
    terms: Vec<Term>,
}

#[derive(Debug)]
struct Term {
    /// Which input.
    input: usize,
    /// The value that the input must have to count 1; none: its number counts.
    category: Option<Box<str>>,
    weight: f64,
}

/// Reads a model.
///
/// # Errors
///
/// The file is none, or its algorithm is not computed here; the text says what may be done.
pub(super) fn read(path: &Path) -> Result<Arc<dyn Model>, String> {
    let shown = path.display();
    let size = fs::metadata(path).map_err(|error| format!("{shown}: {error}"))?.len();
    if size > MAX_BYTES {
        return Err(format!("{shown}: it is larger than {} MiB", MAX_BYTES >> 20));
    }
    let text = fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
    sum(&text).map_err(|why| format!("{shown}: {why}"))
}

fn sum(text: &str) -> Result<Arc<dyn Model>, String> {
    let records = crate::lookups::records(text);
    let [header, row, ..] = records.as_slice() else { return Err("it is no table of a model".to_owned()) };
    let cell = |name: &str| header.iter().position(|own| own == name).and_then(|at| row.get(at));
    let algorithm = cell("algo").ok_or("it has no column `algo`")?.as_str();
    if algorithm == CONTAINER {
        return Err(
            "the model itself runs in a container of Splunk's toolkit for deep learning and is not in the file; \
                    one in the ONNX format is run"
                .to_owned(),
        );
    }
    if !SUMS.contains(&algorithm) {
        return Err(format!("models of the algorithm `{algorithm}` are run in the ONNX format only"));
    }
    let json = |name: &str| -> Result<Json, String> {
        let text = cell(name).ok_or_else(|| format!("it has no column `{name}`"))?;
        serde_json::from_str(text).map_err(|error| format!("its column `{name}` is no JSON: {error}"))
    };
    let (model, options) = (json("model")?, json("options")?);
    let fitted = model.pointer("/dict/estimator/dict").ok_or("it holds no fitted estimator")?;
    let weights = fitted.get("coef_").and_then(numbers).ok_or("its coefficients cannot be read")?;
    let base = fitted.get("intercept_").and_then(numbers).and_then(|base| base.first().copied());
    let columns = names(model.pointer("/dict/columns")).ok_or("it does not name its columns")?;
    if columns.len() != weights.len() {
        return Err(format!("it has {} columns and {} coefficients", columns.len(), weights.len()));
    }
    let target = names(options.get("target_variable")).and_then(|names| names.into_iter().next());
    let target = target.ok_or("it does not say what it predicts (`target_variable`)")?;
    let own: Vec<String> = names(options.get("feature_variables")).unwrap_or_default();
    let mut sum = Sum {
        inputs: Vec::new(),
        outputs: [predicted(&target)],
        base: base.ok_or("its intercept cannot be read")?,
        terms: Vec::new(),
    };
    for (column, weight) in columns.iter().zip(weights) {
        // A field may have the sign in its own name.
        let parts = if own.contains(column) { None } else { column.split_once('=') };
        let (field, category) = parts.map_or((column.as_str(), None), |(field, value)| (field, Some(value.into())));
        let known = sum.inputs.iter().position(|input| input.as_ref() == field);
        let input = known.unwrap_or_else(|| {
            sum.inputs.push(field.into());
            sum.inputs.len() - 1
        });
        sum.terms.push(Term { input, category, weight });
    }
    Ok(Arc::new(sum))
}

/// A number, or the array of numbers that `NumPy` wrote, in the text form of its own format.
fn numbers(value: &Json) -> Option<Vec<f64>> {
    if let Some(number) = value.as_f64() {
        return Some(vec![number]);
    }
    let bytes = STANDARD.decode(value.get("npy")?.as_str()?).ok()?;
    array(&bytes)
}

/// The numbers of an array in `NumPy`'s format: a magic, a version, the length of the header, the header as text, the data.
fn array(bytes: &[u8]) -> Option<Vec<f64>> {
    let rest = bytes.strip_prefix(b"\x93NUMPY")?;
    let (version, rest) = rest.split_at_checked(2)?;
    let (length, rest) = if version.first() == Some(&1) {
        let (length, rest) = rest.split_first_chunk::<2>()?;
        (usize::from(u16::from_le_bytes(*length)), rest)
    } else {
        let (length, rest) = rest.split_first_chunk::<4>()?;
        (usize::try_from(u32::from_le_bytes(*length)).ok()?, rest)
    };
    let (header, data) = rest.split_at_checked(length)?;
    let header = std::str::from_utf8(header).ok()?;
    let wide = |part: &[u8]| Some(f64::from_le_bytes(part.try_into().ok()?));
    let narrow = |part: &[u8]| Some(f64::from(f32::from_le_bytes(part.try_into().ok()?)));
    if header.contains("'<f8'") {
        data.chunks(8).map(wide).collect()
    } else if header.contains("'<f4'") {
        data.chunks(4).map(narrow).collect()
    } else {
        None
    }
}

/// A list of names, or one.
fn names(value: Option<&Json>) -> Option<Vec<String>> {
    match value? {
        Json::String(name) => Some(vec![name.clone()]),
        Json::Array(names) => names.iter().map(|name| name.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

impl Model for Sum {
    fn inputs(&self) -> &[Arc<str>] {
        &self.inputs
    }

    fn outputs(&self) -> &[Arc<str>] {
        &self.outputs
    }

    fn judge(&self, inputs: &[Value]) -> Result<Vec<Value>, String> {
        let mut sum = self.base;
        for term in &self.terms {
            let value = inputs.get(term.input).filter(|value| !value.is_missing()).ok_or("a field is missing")?;
            sum += term.weight
                * match &term.category {
                    Some(category) => f64::from(u8::from(value.to_string() == category.as_ref())),
                    None => model_number(value).ok_or("a field is no number")?,
                };
        }
        Ok(vec![Value::Float(sum)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An array as `NumPy` writes it.
    fn npy(numbers: &[f64]) -> String {
        let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({},), }}\n", numbers.len());
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.bytes());
        bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        STANDARD.encode(bytes)
    }

    fn file(algorithm: &str, columns: &str, weights: &[f64]) -> String {
        let estimator = format!(r#"{{"dict": {{"intercept_": -1.5, "coef_": {{"npy": "{}"}}}}}}"#, npy(weights));
        let model = format!(r#"{{"dict": {{"estimator": {estimator}, "columns": {columns}}}}}"#);
        let options = r#"{"target_variable": ["odd"], "feature_variables": ["a", "kind", "b=c"]}"#;
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        format!("algo,model,options\n{algorithm},{},{}\n", quoted(&model), quoted(options))
    }

    #[test]
    fn a_weighted_sum_is_its_coefficients() {
        let columns = r#"["a", "kind=x", "kind=y", "b=c"]"#;
        let model = sum(&file("LinearRegression", columns, &[2.0, 10.0, 20.0, 0.5])).unwrap();
        assert_eq!(model.inputs().iter().map(AsRef::as_ref).collect::<Vec<_>>(), ["a", "kind", "b=c"]);
        assert_eq!(model.outputs().iter().map(AsRef::as_ref).collect::<Vec<_>>(), ["predicted(odd)"]);
        let judged = |a: Value, kind: &str| model.judge(&[a, Value::text(kind), Value::Int(2)]);
        assert_eq!(judged(Value::text("3"), "y").unwrap(), [Value::Float(25.5)]);
        assert_eq!(judged(Value::Int(3), "z").unwrap(), [Value::Float(5.5)]);
        assert!(judged(Value::text("many"), "y").is_err());
        assert!(judged(Value::Null, "y").is_err());
    }

    #[test]
    fn what_is_no_sum_says_why() {
        let why = |text: &str| sum(text).unwrap_err();
        assert!(why(&file("MLTKContainer", "[]", &[])).contains("container"));
        assert!(why(&file("DensityFunction", "[]", &[])).contains("`DensityFunction`"));
        assert!(why(&file("Ridge", r#"["a"]"#, &[1.0, 2.0])).contains("1 columns and 2 coefficients"));
        assert!(why("nonsense").contains("no table"));
        assert!(why("algo,model,options\nLasso,{},x\n").contains("`options` is no JSON"));
        assert!(array(b"\x93NUMPY\x01\x00\xff\xff").is_none());
        assert!(array(b"\x93NUMPY\x01\x00\x05\x00'<f8'123").is_none());
    }
}
