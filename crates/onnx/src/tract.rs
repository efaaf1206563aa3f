//! ONNX by way of tract.

use std::{path::Path, sync::Arc};

use lurcher_ir::{Model, model_number, predicted};
use lurcher_schema::Value;
use tract_onnx::{
    pb::{GraphProto, TypeProto, ValueInfoProto, tensor_shape_proto::dimension, type_proto},
    prelude::*,
    tract_hir::infer::Factoid as _,
};

/// Larger files are no models for rules.
const MAX_BYTES: u64 = 256 << 20;
/// A model takes at most so many fields.
const MAX_FEATURES: usize = 4096;

/// A model made ready to run.
#[derive(Debug)]
struct Ready {
    plan: Arc<TypedSimplePlan>,
    slots: Vec<Slot>,
    features: Vec<Arc<str>>,
    outputs: Vec<Arc<str>>,
}

/// What an input takes of a row.
#[derive(Debug)]
struct Slot {
    /// How many fields.
    fields: usize,
    /// Whether its one field is a text that takes all its columns.
    text: bool,
    kind: DatumType,
    /// The shape of a row's tensor.
    shape: TVec<usize>,
}

pub(crate) fn load(path: &Path, features: &[String], names: &[String]) -> Result<Arc<dyn Model>, String> {
    let size = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > MAX_BYTES {
        return Err(format!("it is larger than {} MiB", MAX_BYTES >> 20));
    }
    let said = |error: TractError| format!("it is no ONNX model that can be run: {error:#}");
    let mut proto = tract_onnx::onnx().proto_model_for_path(path).map_err(said)?;
    let graph = proto.graph.as_mut().ok_or("it holds no graph")?;
    graph.output.retain(|output| tensor(output).is_some());
    let own = |keys: [&str; 2]| -> Vec<String> {
        let pair = proto.metadata_props.iter().find(|pair| keys.contains(&pair.key.as_str()));
        pair.map(|pair| listed(&pair.value)).unwrap_or_default()
    };
    let (own_features, own_names) = (own(["feature_names", "features"]), own(["output_names", "outputs"]));
    let graph = proto.graph.as_ref().ok_or("it holds no graph")?;
    let inputs = inputs(graph, if features.is_empty() { &own_features } else { features })?;
    let outputs = outputs(graph, if names.is_empty() { &own_names } else { names })?;
    let mut model = tract_onnx::onnx().model_for_proto_model(&proto).map_err(said)?;
    let mut slots = Vec::new();
    for (at, input) in inputs.iter().enumerate() {
        let known = model.input_fact(at).map_err(said)?.datum_type.concretize();
        let kind = known.unwrap_or_else(f32::datum_type);
        model.set_input_fact(at, InferenceFact::dt_shape(kind, input.shape.clone())).map_err(said)?;
        slots.push(Slot { fields: input.features.len(), text: input.text, kind, shape: input.shape.clone() });
    }
    let plan = model.into_optimized().and_then(IntoRunnable::into_runnable).map_err(said)?;
    let features: Vec<Arc<str>> = inputs.into_iter().flat_map(|input| input.features).collect();
    let ready = Ready { plan, slots, features, outputs };
    // What cannot be computed shows at once, not at the first row.
    ready.judge(&vec![Value::Int(0); ready.features.len()])?;
    Ok(Arc::new(ready))
}

/// The fields for what the outputs say.
fn outputs(graph: &GraphProto, names: &[String]) -> Result<Vec<Arc<str>>, String> {
    let outputs: Vec<Arc<str>> = graph.output.iter().map(|output| predicted(&output.name)).collect();
    match (outputs.len(), names.len()) {
        (0, _) => Err("none of its outputs is a tensor".to_owned()),
        (_, 0) => Ok(outputs),
        (said, named) if said == named => Ok(names.iter().map(|name| name.as_str().into()).collect()),
        (said, named) => Err(format!("it has {said} outputs, and {named} fields are named for them")),
    }
}

/// An input: the fields that it takes, or the one text, and the shape of a row's tensor.
struct Input {
    features: Vec<Arc<str>>,
    text: bool,
    shape: TVec<usize>,
}

/// The inputs of a graph; constants are none.
fn inputs(graph: &GraphProto, named: &[String]) -> Result<Vec<Input>, String> {
    let constant = |input: &&ValueInfoProto| !graph.initializer.iter().any(|known| known.name == input.name);
    let inputs: Vec<&ValueInfoProto> = graph.input.iter().filter(constant).collect();
    let mut found = Vec::new();
    for input in &inputs {
        let shape = tensor(input).ok_or_else(|| format!("its input `{}` is no tensor", input.name))?;
        // The first dimension is that of rows; what a model leaves open there is one row.
        let rank = shape.len();
        let width = shape.iter().skip(1).try_fold(1_usize, |product, size| product.checked_mul((*size)?));
        let text = width.is_some_and(|width| width > 1) && (inputs.len() > 1 || named.len() == 1);
        let features: Vec<Arc<str>> = match (inputs.len(), width) {
            (1, Some(1)) if named.is_empty() => vec![input.name.as_str().into()],
            (1, _) if named.is_empty() => {
                return Err("nothing says which fields are the columns of its one input: name them".to_owned());
            }
            (1, Some(width)) if !text && width != named.len() => {
                return Err(format!("it takes {width} fields, and {} are named", named.len()));
            }
            (1, _) => named.iter().map(|name| name.as_str().into()).collect(),
            (_, Some(_)) => vec![input.name.as_str().into()],
            (_, None) => {
                return Err(format!(
                    "its input `{}` does not say how many columns it has, and there are others",
                    input.name
                ));
            }
        };
        if features.len() > MAX_FEATURES {
            return Err(format!("it takes more than {MAX_FEATURES} fields"));
        }
        let mut sizes: TVec<usize> = tvec!(1; rank.min(1));
        sizes.extend(shape.iter().skip(1).map(|size| size.unwrap_or(features.len())));
        found.push(Input { features, text, shape: sizes });
    }
    if found.is_empty() { Err("it takes no fields".to_owned()) } else { Ok(found) }
}

/// The sizes of a tensor's dimensions, where they are fixed; `None` if it is no tensor.
fn tensor(value: &ValueInfoProto) -> Option<Vec<Option<usize>>> {
    let Some(TypeProto { value: Some(type_proto::Value::TensorType(tensor)), .. }) = &value.r#type else { return None };
    let size = |dimension: &tract_onnx::pb::tensor_shape_proto::Dimension| match &dimension.value {
        Some(dimension::Value::DimValue(size)) => usize::try_from(*size).ok().filter(|size| *size > 0),
        _ => None,
    };
    Some(tensor.shape.iter().flat_map(|shape| &shape.dim).map(size).collect())
}

/// The names in a text: a list in JSON, or separated by commas.
fn listed(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_else(|_| {
        text.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
    })
}

impl Model for Ready {
    fn inputs(&self) -> &[Arc<str>] {
        &self.features
    }

    fn outputs(&self) -> &[Arc<str>] {
        &self.outputs
    }

    fn judge(&self, inputs: &[Value]) -> Result<Vec<Value>, String> {
        let said = |error: TractError| format!("the model cannot be computed: {error:#}");
        let mut rest = inputs;
        let mut tensors = TVec::new();
        for slot in &self.slots {
            let (own, others) =
                rest.split_at_checked(slot.fields).ok_or("the model takes more fields than there are")?;
            rest = others;
            let row = if slot.text { code_points(own, slot.shape.iter().product()) } else { numbers(own) };
            let row = row.ok_or("a field is missing, or no number where one is taken")?;
            let tensor = Tensor::from_shape::<f64>(&slot.shape, &row).map_err(said)?;
            tensors.push(tensor.cast_to_dt(slot.kind).map_err(said)?.into_owned().into_tvalue());
        }
        let found = self.plan.run(tensors).map_err(said)?;
        found.iter().map(|output| value(output).map_err(said)).collect()
    }
}

/// Fields as numbers.
fn numbers(values: &[Value]) -> Option<Vec<f64>> {
    values.iter().map(model_number).collect()
}

/// The code points of a text, so many of them.
fn code_points(values: &[Value], width: usize) -> Option<Vec<f64>> {
    let text = match values.first()? {
        Value::Null | Value::List(_) | Value::Object(_) => return None,
        scalar => scalar.to_string(),
    };
    let points = text.chars().map(|c| f64::from(u32::from(c)));
    Some(points.chain(std::iter::repeat(0.0)).take(width).collect())
}

/// A tensor as a value: a lone element as itself, several as a list.
fn value(tensor: &Tensor) -> TractResult<Value> {
    let values: Vec<Value> = if tensor.datum_type() == String::datum_type() {
        tensor.to_plain_array_view::<String>()?.iter().map(|text| Value::text(text.as_str())).collect()
    } else if tensor.datum_type().is_integer() {
        tensor.cast_to::<i64>()?.to_plain_array_view::<i64>()?.iter().map(|number| Value::Int(*number)).collect()
    } else {
        tensor.cast_to::<f64>()?.to_plain_array_view::<f64>()?.iter().map(|number| Value::Float(*number)).collect()
    };
    Ok(match <[Value; 1]>::try_from(values) {
        Ok([lone]) => lone,
        Err(values) => Value::list(values),
    })
}
