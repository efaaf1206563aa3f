//! ONNX by way of tract.

use std::{path::Path, sync::Arc};

use lurcher_ir::Model;
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
    /// How many fields each input takes, and what it takes them as.
    widths: Vec<(usize, DatumType, TVec<usize>)>,
    features: Vec<Arc<str>>,
    outputs: Vec<Arc<str>>,
}

pub(crate) fn load(path: &Path, features: &[String]) -> Result<Arc<dyn Model>, String> {
    let size = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > MAX_BYTES {
        return Err(format!("it is larger than {} MiB", MAX_BYTES >> 20));
    }
    let said = |error: TractError| format!("it is no ONNX model that can be run: {error:#}");
    let mut proto = tract_onnx::onnx().proto_model_for_path(path).map_err(said)?;
    let graph = proto.graph.as_mut().ok_or("it holds no graph")?;
    graph.output.retain(|output| tensor(output).is_some());
    let own = proto.metadata_props.iter().find(|pair| matches!(pair.key.as_str(), "feature_names" | "features"));
    let own: Vec<String> = own.map(|pair| listed(&pair.value)).unwrap_or_default();
    let graph = proto.graph.as_ref().ok_or("it holds no graph")?;
    let inputs = inputs(graph, if features.is_empty() { &own } else { features })?;
    let outputs: Vec<Arc<str>> = graph.output.iter().map(|output| output.name.as_str().into()).collect();
    if outputs.is_empty() {
        return Err("none of its outputs is a tensor".to_owned());
    }
    let mut model = tract_onnx::onnx().model_for_proto_model(&proto).map_err(said)?;
    let mut widths = Vec::new();
    for (at, input) in inputs.iter().enumerate() {
        let known = model.input_fact(at).map_err(said)?.datum_type.concretize();
        let kind = known.unwrap_or_else(f32::datum_type);
        model.set_input_fact(at, InferenceFact::dt_shape(kind, input.shape.clone())).map_err(said)?;
        widths.push((input.features.len(), kind, input.shape.clone()));
    }
    let plan = model.into_optimized().and_then(IntoRunnable::into_runnable).map_err(said)?;
    let features = inputs.into_iter().flat_map(|input| input.features).collect();
    let ready = Ready { plan, widths, features, outputs };
    // What cannot be computed shows at once, not at the first row.
    ready.judge(&vec![0.0; ready.features.len()])?;
    Ok(Arc::new(ready))
}

/// An input: the fields that it takes, and the shape of a row's tensor.
struct Input {
    features: Vec<Arc<str>>,
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
        let features: Vec<Arc<str>> = match (inputs.len(), width) {
            (1, Some(1)) if named.is_empty() => vec![input.name.as_str().into()],
            (1, _) if named.is_empty() => {
                return Err("nothing says which fields are the columns of its one input: name them".to_owned());
            }
            (1, Some(width)) if width != named.len() => {
                return Err(format!("it takes {width} fields, and {} are named", named.len()));
            }
            (1, _) => named.iter().map(|name| name.as_str().into()).collect(),
            (_, Some(1)) => vec![input.name.as_str().into()],
            _ => return Err(format!("its input `{}` takes more than one field, and there are others", input.name)),
        };
        if features.len() > MAX_FEATURES {
            return Err(format!("it takes more than {MAX_FEATURES} fields"));
        }
        let mut sizes: TVec<usize> = tvec!(1; rank.min(1));
        sizes.extend(shape.iter().skip(1).map(|size| size.unwrap_or(features.len())));
        found.push(Input { features, shape: sizes });
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

    fn judge(&self, inputs: &[f64]) -> Result<Vec<Value>, String> {
        let said = |error: TractError| format!("the model cannot be computed: {error:#}");
        let mut rest = inputs;
        let mut tensors = TVec::new();
        for (width, kind, shape) in &self.widths {
            let (own, others) = rest.split_at_checked(*width).ok_or("the model takes more fields than there are")?;
            rest = others;
            let tensor = Tensor::from_shape::<f64>(shape, own).map_err(said)?;
            tensors.push(tensor.cast_to_dt(*kind).map_err(said)?.into_owned().into_tvalue());
        }
        let found = self.plan.run(tensors).map_err(said)?;
        found.iter().map(|output| value(output).map_err(said)).collect()
    }
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
