//! Asking a language model about rows: each distinct prompt once.

use std::sync::Arc;

use lurcher_ir::Completion;
use lurcher_schema::Value;
use rustc_hash::FxHashMap;

use super::{expression::StageExpr, row::PipelineRow, stateful::Seat};
use crate::inference::{Endpoint, Endpoints};

/// See [`Completion`].
#[derive(Debug)]
pub(crate) struct CompletionPlan {
    prompt: StageExpr,
    endpoint: Arc<dyn Endpoint>,
    words: Completion,
}

impl CompletionPlan {
    pub(super) fn new(words: &Completion, endpoints: &Endpoints) -> Result<Self, String> {
        let endpoint = endpoints.get(&words.endpoint).ok_or_else(|| {
            format!("there is no inference endpoint `{}` in this run; set it up in lurcher.toml", words.endpoint)
        })?;
        Ok(Self { prompt: StageExpr::new(&words.prompt), endpoint: Arc::clone(endpoint), words: words.clone() })
    }

    /// Sets the answers. What was not answered is null, and is said; so are the rows beyond the most.
    pub(super) fn apply(&self, mut rows: Vec<PipelineRow>, seat: &mut Seat<'_>) -> Vec<PipelineRow> {
        let name = &self.words.endpoint;
        let most = usize::try_from(self.endpoint.most_rows()).unwrap_or(usize::MAX);
        if rows.len() > most {
            let message = format!(
                "the inference endpoint `{name}` is asked about {most} rows a run; the other {} were dropped",
                rows.len() - most
            );
            seat.said.push(message);
            rows.truncate(most);
        }
        let mut answers: FxHashMap<Arc<str>, Value> = FxHashMap::default();
        let mut failed = 0;
        let mut first = None;
        for row in &mut rows {
            let mut ask = |prompt: &str| match self.endpoint.complete(prompt) {
                Ok(answer) => Value::text(answer),
                Err(why) => {
                    failed += 1;
                    first.get_or_insert(why);
                    Value::Null
                }
            };
            let answer = match seat.value(row, &self.prompt) {
                Value::Text(prompt) if !prompt.trim().is_empty() => {
                    answers.entry(Arc::clone(&prompt)).or_insert_with(|| ask(&prompt)).clone()
                }
                _ => Value::Null,
            };
            row.columns.insert(Arc::clone(&self.words.column), answer);
        }
        if let Some(why) = first {
            let all = answers.len();
            seat.said.push(format!("the inference endpoint `{name}` left {failed} of {all} prompts unanswered: {why}"));
        }
        rows
    }
}
