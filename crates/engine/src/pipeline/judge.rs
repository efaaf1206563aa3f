//! Judging rows by a model.

use std::sync::Arc;

use lurcher_ir::{Judge, Model};
use lurcher_schema::{Timestamp, Value};

use super::{
    expression::StageExpr,
    row::{PipelineRow, RowSource},
};
use crate::Tables;

/// A [`Judge`] made ready to run.
#[derive(Debug)]
pub(crate) struct JudgePlan {
    model: Arc<dyn Model>,
    inputs: Vec<StageExpr>,
    outputs: Vec<Arc<str>>,
}

impl JudgePlan {
    pub(super) fn new(judge: &Judge, tables: &Tables) -> Result<Self, String> {
        let model =
            tables.model(&judge.model).ok_or_else(|| format!("there is no model `{}` in this run", judge.model))?;
        let (inputs, outputs) = (model.inputs().len(), model.outputs().len());
        if inputs != judge.inputs.len() || outputs != judge.outputs.len() {
            return Err(format!("the model `{}` takes {inputs} fields and says {outputs} things", judge.model));
        }
        Ok(Self {
            model: Arc::clone(model),
            inputs: judge.inputs.iter().map(StageExpr::new).collect(),
            outputs: judge.outputs.clone(),
        })
    }

    /// Adds what the model says of the row.
    pub(super) fn apply(&self, row: &mut PipelineRow, source: &mut dyn RowSource, now: Timestamp) {
        let inputs: Vec<Value> = self.inputs.iter().map(|input| input.value(row, source, now)).collect();
        let said = self.model.judge(&inputs).unwrap_or_default();
        for (at, name) in self.outputs.iter().enumerate() {
            row.columns.insert(Arc::clone(name), said.get(at).cloned().unwrap_or_default());
        }
    }
}
