//! A tiny model in ONNX, written by hand: a weighted sum of two columns.

/// A number in protobuf's variable length.
fn varint(mut number: u64) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let byte = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            out.push(byte);
            return out;
        }
        out.push(byte | 0x80);
    }
}

fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

fn bytes(field: u64, value: &[u8]) -> Vec<u8> {
    [varint(field << 3 | 2), varint(value.len() as u64), value.to_vec()].concat()
}

/// `NodeProto`.
fn node(operation: &str, inputs: &[&str], output: &str) -> Vec<u8> {
    let inputs: Vec<u8> = inputs.iter().flat_map(|name| bytes(1, name.as_bytes())).collect();
    let rest = [bytes(2, output.as_bytes()), bytes(3, output.as_bytes()), bytes(4, operation.as_bytes())].concat();
    [inputs, rest].concat()
}

/// `TensorProto` of floats.
fn tensor(name: &str, shape: &[u64], values: &[f32]) -> Vec<u8> {
    let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let shape: Vec<u8> = shape.iter().flat_map(|size| number(1, *size)).collect();
    [shape, number(2, 1), bytes(8, name.as_bytes()), bytes(9, &raw)].concat()
}

/// `ValueInfoProto` of rows of floats; 0 columns: a map, which is no tensor.
fn value(name: &str, columns: u64) -> Vec<u8> {
    let rows = bytes(1, &bytes(2, b"N"));
    let shape = [rows, bytes(1, &number(1, columns))].concat();
    let kind = if columns == 0 { bytes(5, &[]) } else { bytes(1, &[number(1, 1), bytes(2, &shape)].concat()) };
    [bytes(1, name.as_bytes()), bytes(2, &kind)].concat()
}

/// `ModelProto` of a graph, with names of features if there are any.
fn model(graph: &[Vec<u8>], features: &str) -> Vec<u8> {
    let opset = [bytes(1, b""), number(2, 13)].concat();
    let metadata = [bytes(1, b"feature_names"), bytes(2, features.as_bytes())].concat();
    let metadata = if features.is_empty() { Vec::new() } else { bytes(14, &metadata) };
    [number(1, 8), bytes(7, &graph.concat()), bytes(8, &opset), metadata].concat()
}

/// `score = 2 × first column − second + 0.5`, of one input of two columns.
pub(crate) fn weighted(features: &str) -> Vec<u8> {
    let graph = [
        bytes(1, &node("MatMul", &["x", "w"], "product")),
        bytes(1, &node("Add", &["product", "b"], "score")),
        bytes(2, b"weighted"),
        bytes(5, &tensor("w", &[2, 1], &[2.0, -1.0])),
        bytes(5, &tensor("b", &[1], &[0.5])),
        bytes(11, &value("x", 2)),
        bytes(12, &value("score", 1)),
    ];
    model(&graph, features)
}

/// `total = bytes_in + bytes_out`, of an input for each.
#[allow(dead_code, reason = "not every test that includes this file asks for it")]
pub(crate) fn sum() -> Vec<u8> {
    let graph = [
        bytes(1, &node("Add", &["bytes_in", "bytes_out"], "total")),
        bytes(2, b"sum"),
        bytes(11, &value("bytes_in", 1)),
        bytes(11, &value("bytes_out", 1)),
        bytes(12, &value("total", 1)),
    ];
    model(&graph, "")
}
