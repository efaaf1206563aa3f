//! `apply`: rows judged by a model that the user has.
//!
//! The machine-learning toolkit takes the model's fields from the row by their names, and adds what it predicts as
//! `predicted(NAME)`, or under the name that `as` gives (Splunk Machine Learning Toolkit, User Guide, "About the fit and
//! apply commands"; from 5.4 on models may be ONNX files).

use std::sync::Arc;

use lurcher_ir::{Expr, Judge, Stage};

use super::{Lowerer, Said, rows::Rows};
use crate::spl::ast::{Name, Settings};

impl Lowerer<'_> {
    pub(super) fn apply(
        &mut self,
        model: &Name,
        alias: Option<&Name>,
        settings: &Settings,
        mut rows: Rows,
    ) -> Result<Rows, Said> {
        // Where a model is shared (`app:NAME`) makes no difference here.
        let name: Arc<str> = model.text.strip_prefix("app:").unwrap_or(&model.text).into();
        let known = match self.options.knowledge.find_model(&name) {
            Ok(known) => known,
            Err(why) => return Err(self.unsupported("model", format!("model: `{name}`: {why}"), model.span)),
        };
        if let Some((option, _)) = settings.first() {
            let message = format!("the option `{}` of `apply` is not looked at", option.text);
            self.approximate("model", message, option.span);
        }
        let inputs: Vec<Expr> = known.inputs().iter().map(|input| self.name(input, model.span, &rows.names)).collect();
        let outputs: Vec<Arc<str>> = match (known.outputs(), alias) {
            ([_], Some(alias)) => vec![Arc::clone(&alias.text)],
            (several, Some(alias)) => several.iter().map(|output| format!("{}({output})", alias.text).into()).collect(),
            (several, None) => several.iter().map(|output| format!("predicted({output})").into()).collect(),
        };
        let reads = outputs.iter().any(|output| rows.names.columns.iter().any(|(other, _)| other != output));
        if reads {
            rows.make_columns();
        }
        rows.stages.push(Stage::Judge(Judge { model: name, inputs, outputs: outputs.clone() }));
        for output in &outputs {
            rows.names.set(output, Expr::Column(Arc::clone(output)));
        }
        Ok(rows)
    }
}
