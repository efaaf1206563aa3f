//! Tokens to the tree: statements, sequences, samples and pipes. Expressions are read in the module beside it, `expression`.
//!
//! Recursive descent that never fails as a whole. What is wrong is reported once, at the place where it stands, and
//! taken for what was probably meant; where nothing can be guessed the parser goes on behind the bracket. Rules that
//! concern the statement as a whole (how many terms, how many keys) are checked when it is lowered.

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, SourceFile, Span};

use super::{
    ast::{EventQuery, KeyField, MaxSpan, Node, NodeKind, Pipe, Query, QueryKind, Sample, Sequence, Term},
    lexer::{self, Lexeme},
};
use crate::syntax::{Depth, Token, Tokens, closest};

/// The most often that `with runs` may repeat a term.
const MAX_RUNS: i64 = 100;
/// After so many faults the text is probably no query at all.
const MAX_FAULTS: usize = 50;
/// The pipes that other versions of the language have.
const PYTHON_PIPES: [&str; 6] = ["count", "unique", "unique_count", "filter", "sort", "window"];

/// Reads a statement. The tree is complete, with [`NodeKind::Error`] where something could not be read.
pub fn parse(file: &Arc<SourceFile>) -> (Query, Vec<Diagnostic>) {
    let (tokens, diagnostics) = lexer::tokens(file);
    let length = file.text().len();
    let end = Token { kind: Lexeme::End, span: Span::new(length, length) };
    let mut parser =
        Parser { file, tokens: Tokens::new(tokens, end), depth: Depth::default(), diagnostics, silent: false };
    let query = parser.statement();
    (query, parser.diagnostics)
}

/// The state of a parse.
pub(super) struct Parser<'a> {
    pub(super) file: &'a Arc<SourceFile>,
    pub(super) tokens: Tokens<Lexeme>,
    pub(super) depth: Depth,
    diagnostics: Vec<Diagnostic>,
    /// Set when the parser has given up: what it would report from then on is noise.
    silent: bool,
}

impl Parser<'_> {
    // Tokens

    pub(super) fn peek(&self) -> &Lexeme {
        &self.tokens.peek().kind
    }

    pub(super) fn span(&self) -> Span {
        self.tokens.peek().span
    }

    pub(super) fn bump(&mut self) -> Span {
        self.tokens.bump().span
    }

    pub(super) fn at_symbol(&self, symbol: &str) -> bool {
        matches!(self.peek(), Lexeme::Symbol(s) if *s == symbol)
    }

    pub(super) fn eat_symbol(&mut self, symbol: &str) -> bool {
        let found = self.at_symbol(symbol);
        if found {
            self.bump();
        }
        found
    }

    /// Whether this keyword stands `ahead` tokens on, in lower case.
    pub(super) fn word_at(&self, ahead: usize, word: &str) -> bool {
        matches!(&self.tokens.peek_nth(ahead).kind, Lexeme::Word(w) if w.as_ref() == word)
    }

    /// Whether this keyword stands next, in any case; wrong case is for [`Parser::eat_word`] to report.
    pub(super) fn at_word(&self, word: &str) -> bool {
        matches!(self.peek(), Lexeme::Word(w) if w.eq_ignore_ascii_case(word))
    }

    /// Reads a keyword. One in wrong case is reported and read.
    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        if !self.at_word(word) {
            return false;
        }
        let right = self.word_at(0, word);
        let span = self.bump();
        if !right {
            let written = self.file.slice(span).to_owned();
            let message = format!("keywords are written in lower case, this is `{written}`");
            self.error("eql-keyword-case", message, span, "upper case", &format!("write `{word}`"));
        }
        true
    }

    pub(super) fn error(
        &mut self,
        code: &'static str,
        message: impl Into<String>,
        span: Span,
        label: impl Into<String>,
        help: &str,
    ) {
        if self.silent {
            return;
        }
        // One fault a place: what follows from the first is noise.
        if self.diagnostics.iter().any(|d| d.labels.first().is_some_and(|l| l.span == span)) {
            return;
        }
        let diagnostic = Diagnostic::error(code, message).in_file(self.file).at(span, label);
        self.diagnostics.push(if help.is_empty() { diagnostic } else { diagnostic.with_help(help) });
        if self.diagnostics.len() >= MAX_FAULTS {
            self.give_up();
        }
    }

    /// Reads everything that is left and reports nothing more.
    pub(super) fn give_up(&mut self) {
        self.silent = true;
        while !self.tokens.at_end() {
            self.bump();
        }
    }

    /// Reports that something else should stand here.
    pub(super) fn expected(&mut self, what: &str, help: &str) {
        let span = self.span();
        let found = match self.peek() {
            Lexeme::End => "the end of the query".to_owned(),
            _ => format!("`{}`", self.file.slice(span)),
        };
        self.error("eql-syntax", format!("expected {what}, found {found}"), span, format!("expected {what}"), help);
    }

    // Statements

    fn statement(&mut self) -> Query {
        let start = self.span();
        let kind = if self.begins("sequence") {
            QueryKind::Sequence(self.sequence())
        } else if self.begins("sample") {
            QueryKind::Sample(self.sample())
        } else if self.begins("join") {
            let span = self.span();
            let help = "write `sequence` if order counts, `sample by …` if it does not";
            self.error("eql-join", "`join` is not supported by Elasticsearch", span, "not supported", help);
            QueryKind::Sequence(self.sequence())
        } else {
            QueryKind::Event(self.event_query())
        };
        let pipes = self.pipes();
        if !self.tokens.at_end() {
            self.expected("the end of the query or a pipe", "");
        }
        Query { kind, pipes, span: start.to(self.tokens.last_span()) }
    }

    /// Whether a statement begins with this keyword (and not with a category of that name).
    fn begins(&self, word: &str) -> bool {
        self.at_word(word) && !self.word_at(1, "where")
    }

    fn event_query(&mut self) -> EventQuery {
        let category_span = self.span();
        let category = match self.peek().clone() {
            Lexeme::Word(word) if self.where_follows() => (word.as_ref() != "any").then_some(word),
            Lexeme::Text(text) if self.where_follows() => Some(text),
            _ => return self.without_category(category_span),
        };
        self.bump();
        self.eat_word("where");
        EventQuery { category, category_span, condition: self.expression() }
    }

    fn where_follows(&self) -> bool {
        matches!(&self.tokens.peek_nth(1).kind, Lexeme::Word(w) if w.eq_ignore_ascii_case("where"))
    }

    /// A bare expression, as python-eql allows it.
    fn without_category(&mut self, span: Span) -> EventQuery {
        if self.at_word("where") {
            self.error("eql-missing-category", "a category stands before `where`", span, "", "write `any where …`");
            self.bump();
        } else if matches!(self.peek(), Lexeme::End) || self.at_symbol("]") || self.at_symbol("|") {
            self.expected("an event query", "write `any where true` to take every event");
            return EventQuery { category: None, category_span: span, condition: error_at(span) };
        } else {
            let help = "write a category and `where` before the condition: `process where …`, `any where …`";
            self.error("eql-missing-where", "a condition stands behind a category and `where`", span, "", help);
        }
        EventQuery { category: None, category_span: span, condition: self.expression() }
    }

    // Sequences and samples

    fn sequence(&mut self) -> Sequence {
        let span = self.span();
        if !self.eat_word("sequence") {
            self.bump();
        }
        let mut by = self.by();
        let max_span = self.max_span();
        let late = self.span();
        if self.at_word("by") {
            by.extend(self.by());
            let message = "`by` stands before `with maxspan`";
            self.error("eql-maxspan-before-by", message, late, "too late", "write `sequence by … with maxspan=…`");
        }
        let terms = self.terms();
        let until = self.eat_word("until").then(|| self.until()).flatten();
        Sequence { by, max_span, terms, until, span }
    }

    fn sample(&mut self) -> Sample {
        let span = self.span();
        self.eat_word("sample");
        let by = self.by();
        let with = self.span();
        if self.max_span().is_some() {
            let help = "leave it out, or write `sequence` if order and time count";
            self.error("eql-sample", "a sample has no `maxspan`", with, "not in a sample", help);
        }
        let terms = self.terms();
        for term in &terms {
            if term.missing {
                let help = "leave it out, or write a `sequence`";
                self.error("eql-sample", "a sample has no missing events", term.span, "not in a sample", help);
            } else if term.runs > 1 {
                let message = "a sample has no `with runs`";
                self.error("eql-sample", message, term.span, "not in a sample", "write the term so many times");
            }
        }
        let until = self.span();
        if self.eat_word("until") {
            let help = "leave it out, or write a `sequence`";
            self.error("eql-sample", "a sample has no `until`", until, "not in a sample", help);
            self.until();
        }
        Sample { by, terms, span }
    }

    fn terms(&mut self) -> Vec<Term> {
        let mut terms = Vec::new();
        loop {
            self.python_term_prefix();
            if !self.at_symbol("[") && !self.at_symbol("![") {
                if terms.is_empty() {
                    self.expected("`[`", "terms stand in brackets: `[process where …]`");
                }
                return terms;
            }
            terms.push(self.term());
        }
    }

    fn until(&mut self) -> Option<Term> {
        if !self.at_symbol("[") && !self.at_symbol("![") {
            self.expected("`[`", "what ends a sequence stands in brackets: `until [process where …]`");
            return None;
        }
        let term = self.term();
        if term.runs > 1 {
            self.error("eql-runs", "`until` has no `with runs`", term.span, "not here", "leave it out");
        }
        Some(term)
    }

    fn term(&mut self) -> Term {
        let start = self.span();
        let missing = self.at_symbol("![");
        self.bump();
        let query = self.event_query();
        if !self.at_symbol("]") {
            self.expected("`]`", "");
            self.skip_to_bracket();
        }
        self.eat_symbol("]");
        let mut by = self.by();
        let runs = self.runs();
        let late = self.span();
        if self.at_word("by") {
            by = self.by();
            self.error("eql-runs", "`by` stands before `with runs`", late, "too late", "write `[…] by … with runs=…`");
        }
        let fork = self.span();
        if self.eat_word("fork") {
            if self.eat_symbol("=") {
                self.bump();
            }
            self.error("eql-python-only", "`fork` is known to python-eql only", fork, "not supported", "leave it out");
        }
        Term { query, missing, by, runs, span: start.to(self.tokens.last_span()) }
    }

    /// What python-eql allows around terms.
    fn python_term_prefix(&mut self) {
        while self.at_word("fork") || self.at_word("as") {
            let span = self.bump();
            let name = self.file.slice(span).to_owned();
            let message = format!("`{name}` is known to python-eql only");
            self.error("eql-python-only", message, span, "not supported", "leave it out");
            self.eat_symbol("=");
            if matches!(self.peek(), Lexeme::Word(_)) {
                self.bump();
            }
        }
    }

    /// Goes to the bracket that closes the term, over brackets inside it.
    fn skip_to_bracket(&mut self) {
        let mut open = 0_u32;
        while !self.tokens.at_end() {
            if self.at_symbol("[") || self.at_symbol("![") {
                open += 1;
            } else if self.at_symbol("]") {
                if open == 0 {
                    return;
                }
                open -= 1;
            }
            self.bump();
        }
    }

    // `by`, `with …`

    fn by(&mut self) -> Vec<KeyField> {
        let mut keys = Vec::new();
        if !self.eat_word("by") {
            return keys;
        }
        loop {
            let start = self.span();
            let optional = self.eat_symbol("?");
            match self.field_path() {
                Some(path) => keys.push(KeyField { path, optional, span: start.to(self.tokens.last_span()) }),
                None => self.expected("a field to join by", "write `by host.id, user.id`"),
            }
            if !self.eat_symbol(",") {
                return keys;
            }
        }
    }

    /// `with NAME=`, if that stands next.
    fn with(&mut self, name: &str) -> Option<Span> {
        if !self.at_word("with") {
            return None;
        }
        match &self.tokens.peek_nth(1).kind {
            Lexeme::Word(word) if word.eq_ignore_ascii_case(name) => {}
            Lexeme::Word(word) if closest(word, ["maxspan", "runs"]) == Some(name) => {}
            _ => return None,
        }
        let start = self.span();
        self.eat_word("with");
        if !self.eat_word(name) {
            let help = format!("write `with {name}=…`");
            self.expected(&format!("`{name}`"), &help);
            self.bump();
        }
        if !self.eat_symbol("=") {
            let help = format!("write `with {name}=…`");
            let twice = self.at_symbol("==");
            self.expected("`=`", &help);
            if twice {
                self.bump();
            }
        }
        Some(start)
    }

    fn max_span(&mut self) -> Option<MaxSpan> {
        let start = self.with("maxspan")?;
        let number_span = self.span();
        let number = match *self.peek() {
            Lexeme::Int(n) => u64::try_from(n).ok(),
            Lexeme::Float(_) => None,
            _ => {
                self.expected("a whole number and a unit", "write `with maxspan=5m`");
                return None;
            }
        };
        self.bump();
        let unit_span = self.span();
        let unit = match self.peek().clone() {
            Lexeme::Word(unit) if !matches!(unit.as_ref(), "by" | "with") => unit,
            _ => {
                let help = "write one of `ms`, `s`, `m`, `h`, `d`: `maxspan=5m`";
                self.error("eql-maxspan-unit", "`maxspan` has no unit", number_span, "of what?", help);
                return None;
            }
        };
        self.bump();
        let unit_millis = match unit.as_ref() {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => {
                let message = format!("`{unit}` is no unit of time");
                self.error("eql-maxspan-unit", message, unit_span, "unknown unit", "write `ms`, `s`, `m`, `h` or `d`");
                return None;
            }
        };
        let millis = number.and_then(|n| n.checked_mul(unit_millis)).filter(|n| *n > 0);
        if millis.is_none() {
            let help = "write a smaller unit for part of one: `1500ms` for 1.5 seconds";
            let message = "`maxspan` is a positive whole number of units";
            self.error("eql-maxspan", message, number_span, "not a positive whole number", help);
        }
        Some(MaxSpan { millis: millis?, span: start.to(unit_span) })
    }

    fn runs(&mut self) -> u32 {
        if self.with("runs").is_none() {
            return 1;
        }
        let span = self.span();
        match *self.peek() {
            Lexeme::Int(n @ 1..=MAX_RUNS) => {
                self.bump();
                n as u32
            }
            Lexeme::Int(_) | Lexeme::Float(_) => {
                self.bump();
                let message = format!("`runs` is a whole number from 1 to {MAX_RUNS}");
                self.error("eql-runs", message, span, "out of range", "write how often it must happen: `with runs=5`");
                1
            }
            _ => {
                self.expected("a whole number", "write `with runs=5`");
                1
            }
        }
    }

    // Pipes

    fn pipes(&mut self) -> Vec<Pipe> {
        let mut pipes = Vec::new();
        while self.eat_symbol("|") {
            let span = self.span();
            let Lexeme::Word(name) = self.peek().clone() else {
                self.expected("a pipe", "the pipes are `head` and `tail`");
                self.skip_to_pipe();
                continue;
            };
            self.bump();
            let make = match name.as_ref() {
                "head" => Pipe::Head,
                "tail" => Pipe::Tail,
                _ => {
                    self.unknown_pipe(&name, span);
                    self.skip_to_pipe();
                    continue;
                }
            };
            match *self.peek() {
                Lexeme::Int(n) if n >= 0 => {
                    self.bump();
                    pipes.push(make(n as u64));
                }
                _ => {
                    let help = format!("write `| {name} 10`");
                    self.expected("how many, a whole number", &help);
                    self.skip_to_pipe();
                }
            }
        }
        pipes
    }

    fn unknown_pipe(&mut self, name: &str, span: Span) {
        if PYTHON_PIPES.contains(&name) {
            let message = format!("the pipe `{name}` is known to python-eql only");
            let help = "Elasticsearch has `head` and `tail`";
            return self.error("eql-python-only", message, span, "not supported", help);
        }
        let help = match closest(name, ["head", "tail"]) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "the pipes are `head` and `tail`".to_owned(),
        };
        self.error("eql-unknown-pipe", format!("there is no pipe `{name}`"), span, "unknown pipe", &help);
    }

    fn skip_to_pipe(&mut self) {
        while !self.tokens.at_end() && !self.at_symbol("|") {
            self.bump();
        }
    }
}

/// What stands for something that could not be read.
pub(super) fn error_at(span: Span) -> Node {
    Node { kind: NodeKind::Error, span }
}
