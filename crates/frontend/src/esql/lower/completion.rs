//! `COMPLETION`: a column that a language model answers.
//!
//! The query names an inference endpoint; which model stands behind it is said in the settings of the run. As at Elastic
//! only so many rows are asked about, so the command is a limit, too: no condition goes back before it.

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, Span};
use lurcher_ir::{Completion, Expr, Function, ListFunction, Stage};
use lurcher_schema::Value;

use super::{
    super::{
        ast::{Expr as Tree, Name},
        types::Type,
    },
    Lowerer, Result,
    columns::Column,
    value::Typed,
};

/// What several values of a prompt are joined with.
const BETWEEN: &str = "\n";

impl Lowerer<'_> {
    /// The command; `span` is where it stands.
    pub(super) fn completion(
        &mut self,
        column: Option<&Name>,
        prompt: &Tree,
        options: &[(Name, Tree)],
        span: Span,
    ) -> Result<()> {
        let typed = self.expression(prompt)?;
        if !typed.kind.is_text() && !typed.kind.is_open() && !typed.loose {
            let message = format!("the prompt of `COMPLETION` is a text, found {}", typed.kind.name());
            return Err(self.report(
                Diagnostic::error("esql-type", message)
                    .at(prompt.span, format!("this is {}", typed.kind.name()))
                    .with_help("convert it: `TO_STRING(value)`"),
            ));
        }
        let (endpoint, named_at) = self.endpoint(options, span)?;
        self.can_be_asked(&endpoint, named_at)?;
        let column: Arc<str> = column.map_or_else(|| "completion".into(), |name| Arc::clone(&name.text));
        self.stages.push(Stage::Complete(Completion { column: Arc::clone(&column), prompt: joined(&typed), endpoint }));
        self.columns.push(Column::computed(column, Type::Keyword, false));
        self.movable = false;
        Ok(())
    }

    /// The name of the endpoint, and where it stands.
    fn endpoint(&mut self, options: &[(Name, Tree)], span: Span) -> Result<(Arc<str>, Span)> {
        let mut found = None;
        for (name, value) in options {
            match name.text.as_ref() {
                "inference_id" => {
                    let typed = self.expression(value)?;
                    let Some(text) = typed.text() else {
                        let error = Diagnostic::error("esql-option", "the name of an inference endpoint is a text");
                        return Err(self.report(error.at(value.span, "no text")));
                    };
                    found = Some((Arc::clone(text), value.span));
                }
                "task_settings" => {
                    let message = "the `task_settings` of `COMPLETION` are not sent to the model".to_owned();
                    self.approximate("completion", message, name.span);
                }
                unknown => {
                    let message = format!("`COMPLETION` has no option `{unknown}`");
                    let error = Diagnostic::error("esql-option", message).at(name.span, "unknown option");
                    return Err(self.report(error.with_help("it takes `inference_id`")));
                }
            }
        }
        found.ok_or_else(|| {
            self.report(
                Diagnostic::error("esql-option", "`COMPLETION` does not say which inference endpoint it asks")
                    .at(span, "`WITH` is missing")
                    .with_help("write `WITH { \"inference_id\": \"NAME\" }` behind the prompt"),
            )
        })
    }

    /// Whether the run can ask the endpoint, and what is to be said of its answers.
    fn can_be_asked(&mut self, endpoint: &Arc<str>, span: Span) -> Result<()> {
        match self.options.endpoints.get(endpoint) {
            None => {
                let message = format!(
                    "COMPLETION asks the inference endpoint `{endpoint}`, which is not set up: give its `url` and `model` \
                     in lurcher.toml under [inference.\"{endpoint}\"]"
                );
                Err(self.unsupported("completion", message, span))
            }
            Some(Some(why)) => {
                let message =
                    format!("COMPLETION asks the inference endpoint `{endpoint}`, which cannot be asked: {why}");
                Err(self.unsupported("completion", message, span))
            }
            Some(None) => {
                let message = format!(
                    "COMPLETION is answered by the model that [inference.\"{endpoint}\"] names; another model, or the same \
                     one another time, may answer otherwise"
                );
                self.approximate("completion", message, span);
                Ok(())
            }
        }
    }
}

/// A prompt as one text: several values one a line.
fn joined(prompt: &Typed) -> Expr {
    if !prompt.many {
        return prompt.as_text();
    }
    Expr::call(Function::List(ListFunction::Joined), [prompt.all(), Expr::Literal(Value::text(BETWEEN))])
}
