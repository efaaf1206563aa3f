//! The vendors' rule layouts: trees of values to rules whose query is still text.

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, SourceFile};
use lurcher_ir::{RuleMeta, SupportReason, Verdict};

use crate::{embedded::Embedded, exceptions::ListReference, node::Node};

pub(crate) mod detection;
pub(crate) mod elastic;
pub(crate) mod sigma;
pub(crate) mod splunk;

/// A rule before its query is lowered.
#[derive(Debug)]
pub(crate) struct Draft {
    /// What its publisher says about it.
    pub(crate) meta: RuleMeta,
    /// The query; `None` if the rule has none (its `reasons` say why then).
    pub(crate) query: Option<Embedded>,
    /// The field that holds an event's category, for languages that have categories.
    pub(crate) category_field: Option<String>,
    /// Kibana's filters: what every event must also be like, beside the query.
    pub(crate) filters: Vec<Node>,
    /// The exception lists that it names.
    pub(crate) exceptions: Vec<ListReference>,
    /// What is done with the events of the query, if its language does not say that.
    pub(crate) detection: Option<detection::Detection>,
    /// Why it runs less than exactly, as far as that does not depend on the query.
    pub(crate) reasons: Vec<SupportReason>,
    /// The document of a Sigma rule, which has no query in a text of its own.
    pub(crate) sigma: Option<sigma::SigmaDraft>,
    /// What is wrong with the file.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// The file.
    pub(crate) file: Arc<SourceFile>,
}

impl Draft {
    /// A rule of which nothing is known but its file.
    pub(crate) fn new(file: &Arc<SourceFile>, vendor: &'static str, language: &'static str) -> Self {
        Self {
            meta: RuleMeta { vendor, language, path: file.name().to_owned(), ..RuleMeta::default() },
            query: None,
            category_field: None,
            filters: Vec::new(),
            exceptions: Vec::new(),
            detection: None,
            reasons: Vec::new(),
            sigma: None,
            diagnostics: Vec::new(),
            file: Arc::clone(file),
        }
    }

    /// A reason for a verdict.
    pub(crate) fn reason(&mut self, verdict: Verdict, code: &'static str, message: impl Into<String>) {
        self.reasons.push(SupportReason { verdict, code, message: message.into(), span: None });
    }

    /// Takes the query from the text at `node`.
    pub(crate) fn set_query(&mut self, node: Option<&Node>) {
        if let Some((text, node)) = node.and_then(|node| Some((node.scalar()?, node))) {
            self.meta.query.clone_from(&text);
            self.query = Some(Embedded { text, file: Arc::clone(&self.file), span: node.span });
        }
    }

    /// Complains about what every rule needs and this one lacks: id, name, query.
    pub(crate) fn require(&mut self, what: &str, present: bool, at: &Node) {
        if !present {
            let message = format!("the rule has no {what}");
            self.diagnostics.push(
                Diagnostic::error("rule-field-missing", message)
                    .in_file(&self.file)
                    .at(head(at, &self.file), "")
                    .with_help(format!("add `{what}`")),
            );
        }
    }

    /// Complains about a value without which the rule cannot be run.
    pub(crate) fn fault(&mut self, node: &Node, message: impl Into<String>, help: impl Into<String>) {
        self.diagnostics.push(
            Diagnostic::error("rule-field-value", message)
                .in_file(&self.file)
                .at(head(node, &self.file), "")
                .with_help(help),
        );
    }

    /// Warns about a value that cannot be used.
    pub(crate) fn warn(&mut self, node: &Node, message: impl Into<String>, help: impl Into<String>) {
        self.diagnostics.push(
            Diagnostic::warning("rule-field-value", message).in_file(&self.file).at(node.span, "").with_help(help),
        );
    }
}

/// The first line of a node: a whole rule underlined helps nobody.
fn head(node: &Node, file: &SourceFile) -> lurcher_diagnostics::Span {
    let text = file.slice(node.span);
    let line = text.lines().next().unwrap_or("");
    let start = node.span.start as usize;
    lurcher_diagnostics::Span::new(start, start + line.trim_end().len())
}
