//! The diagnostic itself: plain data, made by front ends and loaders, shown by [`crate::render`].

use std::sync::Arc;

use crate::{Position, SourceFile, Span};

/// How bad it is. (A rule's own *severity* is another thing, see the IR.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The rule, pack or file cannot be used.
    Error,
    /// It can be used, but probably not as meant.
    Warning,
    /// Worth knowing.
    Note,
}

/// A place and what to say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What is there; may be empty for a bare underline.
    pub message: String,
}

/// One thing to tell the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// A stable, readable name such as `eql-unknown-function`: language or area, then the fault.
    pub code: &'static str,
    /// How bad it is.
    pub level: Level,
    /// One sentence, lower case, without a full stop.
    pub message: String,
    /// The text that the labels point into, where there is one.
    pub file: Option<Arc<SourceFile>>,
    /// Places; the first is the primary one.
    pub labels: Vec<Label>,
    /// Further facts, each a sentence.
    pub notes: Vec<String>,
    /// The way out, if there is one.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(code, Level::Error, message)
    }

    /// A warning.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(code, Level::Warning, message)
    }

    /// A note.
    pub fn note(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(code, Level::Note, message)
    }

    fn new(code: &'static str, level: Level, message: impl Into<String>) -> Self {
        Self { code, level, message: message.into(), file: None, labels: Vec::new(), notes: Vec::new(), help: None }
    }

    /// Says which text the labels point into.
    #[must_use]
    pub fn in_file(mut self, file: &Arc<SourceFile>) -> Self {
        self.file = Some(Arc::clone(file));
        self
    }

    /// Adds a place; the first one added is the primary one.
    #[must_use]
    pub fn at(mut self, span: Span, message: impl Into<String>) -> Self {
        self.labels.push(Label { span, message: message.into() });
        self
    }

    /// Adds a further fact.
    #[must_use]
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Says what to do about it.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Where the primary label begins, if there is a file and a label.
    pub fn position(&self) -> Option<Position> {
        Some(self.file.as_ref()?.position(self.labels.first()?.span.start))
    }

    /// Moves the diagnostic from an embedded text into the file around it: every span goes through `offset`.
    #[must_use]
    pub fn relocated(mut self, file: &Arc<SourceFile>, offset: impl Fn(u32) -> u32) -> Self {
        for label in &mut self.labels {
            label.span = Span { start: offset(label.span.start), end: offset(label.span.end) };
        }
        self.file = Some(Arc::clone(file));
        self
    }
}
