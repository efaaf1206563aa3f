//! The verdict on a rule as it goes on the wire (`lurcher check --format json`), and what a rule reads.

use std::collections::BTreeSet;

use lurcher_diagnostics::Position;
use lurcher_ir::{FieldRef, Rule, RuleBody, Sources, Tail};
use serde::Serialize;

/// One line of `lurcher check --format json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckRecord {
    /// The rule's file, as given.
    pub path: String,
    /// The publisher's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whose format it is in.
    pub vendor: &'static str,
    /// The query's language.
    pub language: &'static str,
    /// The publisher's word for its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// `exact`, `approximate`, `unsupported` or `error`: the worst of the reasons.
    pub verdict: &'static str,
    /// Why it is less than exact.
    pub reasons: Vec<CheckReason>,
    /// The fields that it reads, by name; those that its publisher lists if its query cannot be run.
    pub fields: Vec<String>,
    /// The index patterns or data sources that it names.
    pub sources: Vec<String>,
    /// The exception lists that it names and that are given, each with how many of its items apply.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<String>,
}

/// Why a rule is less than exact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckReason {
    /// A stable, readable name.
    pub code: String,
    /// One sentence.
    pub message: String,
    /// The 1-based line in the file.
    pub line: u32,
    /// The 1-based column, in characters.
    pub column: u32,
}

impl CheckRecord {
    /// The record of a rule; `positions` says where each of its reasons stands in the file.
    pub(crate) fn new(rule: &Rule, positions: &[Option<Position>]) -> Self {
        let meta = &rule.meta;
        let reasons = rule.support.reasons.iter().enumerate().map(|(i, reason)| {
            let at = positions.get(i).copied().flatten().unwrap_or(Position { line: 1, column: 1 });
            let code = reason.code.to_owned();
            CheckReason { code, message: reason.message.clone(), line: at.line, column: at.column }
        });
        Self {
            path: meta.path.clone(),
            id: meta.id.to_string(),
            name: meta.name.clone(),
            vendor: meta.vendor,
            language: meta.language,
            kind: meta.kind.clone(),
            verdict: rule.support.verdict().name(),
            reasons: reasons.collect(),
            fields: match &rule.body {
                Some(body) => fields(body).into_iter().map(|field| field.path.to_string()).collect(),
                None => meta.required_fields.clone(),
            },
            exceptions: Vec::new(),
            sources: match &meta.sources {
                Sources::Indices(patterns) => patterns.clone(),
                Sources::Any | Sources::LogSource(_) => meta.data_sources.clone(),
            },
        }
    }
}

/// Every event field that a body reads, each once, in order of taxonomy and name.
pub fn fields(body: &RuleBody) -> BTreeSet<FieldRef> {
    let mut found = BTreeSet::new();
    let mut add = |field: &FieldRef| {
        found.insert(field.clone());
    };
    for filter in &body.filters {
        filter.fields(&mut add);
    }
    body.tail.fields().into_iter().for_each(&mut add);
    if let Tail::Pipeline(pipeline) = &body.tail {
        for stage in pipeline.branches.iter().flat_map(|branch| &branch.stages) {
            for expr in stage.expressions() {
                expr.fields(&mut |field| add(field));
            }
        }
    }
    found
}
