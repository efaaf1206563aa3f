//! `apply`: rows judged by a model that the user has.
//!
//! The machine-learning toolkit takes the model's fields from the row by their names, and adds what it predicts as
//! `predicted(NAME)`, or under the name that `as` gives (Splunk Machine Learning Toolkit, User Guide, "Search commands for
//! machine learning"; from 5.4 on models may be ONNX files). Algorithms that find outliers add `IsOutlier(FIELD)` and
//! `BoundaryRanges`, models in containers whatever they like: which fields a model fills is the model's to say.
//!
//! An option of `apply` is given to a model that takes a field of its name, such as `threshold`.

use std::sync::Arc;

use lurcher_diagnostics::Span;
use lurcher_ir::{Expr, Judge, Stage};

use super::{Lowerer, Said, rows::Rows, stats::setting, terms::literal};
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
        let taken = |option: &Name| known.inputs().iter().any(|input| option.is(input));
        if let Some((option, _)) = settings.iter().find(|(option, _)| !taken(option)) {
            let message = format!("the model does not take the option `{}` of `apply`", option.text);
            self.approximate("model", message, option.span);
        }
        let inputs: Vec<Expr> = known
            .inputs()
            .iter()
            .map(|input| match setting(settings, input) {
                Some(option) => literal(&option.text),
                None => self.name(input, model.span, &rows.names),
            })
            .collect();
        let outputs = match alias {
            Some(alias) => renamed(known.outputs(), &alias.text),
            None => known.outputs().to_vec(),
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

    /// `summary NAME`: what a model tells of itself, a table that the user has taken from where it was fitted.
    pub(super) fn summary(&mut self, fields: &[Name], settings: &Settings, span: Span) -> Result<Rows, Said> {
        let Some(model) = fields.first() else {
            return Err(self.unsupported("model", "model: `summary` without the name of a model", span));
        };
        let name = model.text.strip_prefix("app:").unwrap_or(&model.text);
        let table = Name { text: format!("summary_{name}").into(), ..model.clone() };
        if self.options.knowledge.find_lookup(&table.text).is_none() {
            let message = format!(
                "model: what `summary {name}` tells does not come with the search; give it as a table: \
                 `--lookup summary_{name}=FILE.csv`"
            );
            return Err(self.unsupported("model", message, model.span));
        }
        self.inputlookup(&table, settings, None)
    }
}

/// The names of a model's fields behind `as`. A lone prediction has the name itself, of several each has it with its own in
/// brackets; of other fields (`IsOutlier(x)`, `BoundaryRanges`) the first has it.
fn renamed(outputs: &[Arc<str>], alias: &Arc<str>) -> Vec<Arc<str>> {
    let of = |output: &Arc<str>| output.strip_prefix("predicted(").map(str::to_owned);
    let predictions = outputs.iter().filter_map(of).count();
    let name = |(at, output): (usize, &Arc<str>)| match of(output) {
        Some(rest) if predictions > 1 => format!("{alias}({rest}").into(),
        Some(_) => Arc::clone(alias),
        None if predictions == 0 && at == 0 => Arc::clone(alias),
        None => Arc::clone(output),
    };
    outputs.iter().enumerate().map(name).collect()
}
