//! Tokens to AST: the cursor, statements and pipelines, and how errors are got over.
//!
//! Recursive descent. A command that cannot be read is said so once and left out; reading goes on at the next `|` or
//! `;`. Nesting is limited, so that no text can exhaust the stack.

mod commands;
mod expressions;

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, SourceFile, Span};

use super::{
    ast::{Command, Expr, Module, Name, Pipeline, Statement},
    lexer::{Token, TokenKind, tokens},
};

/// How deep brackets, pipelines and operators may nest.
const MAX_DEPTH: u16 = 64;

/// How high an expression may grow; chains of operators count.
const MAX_HEIGHT: u16 = 120;

/// What may follow `from` without a `|`, as in SQL. The others of SQL's clauses are not run.
const CLAUSES: [&str; 9] = ["where", "select", "limit", "group", "having", "order", "offset", "join", "union"];

/// Something could not be read; a diagnostic says what.
pub(super) struct Failed;

type Parsed<T> = Result<T, Failed>;

/// Reads a whole query.
pub(crate) fn module(file: &Arc<SourceFile>) -> (Module, Vec<Diagnostic>) {
    let mut parser = Parser::new(file, Span::new(0, file.text().len()), 0);
    let mut module = Module::default();
    loop {
        while parser.eat(";") {}
        if parser.at_end() {
            break;
        }
        module.statements.push(parser.statement());
        if !parser.at_end() && !parser.eat(";") {
            let _ = parser.expected("`|` or `;`");
            parser.skip_to(&[";"]);
        }
    }
    (module, parser.diagnostics)
}

/// Reads an expression that stands alone, such as a user's filter.
pub(crate) fn expression(file: &Arc<SourceFile>) -> (Option<Expr>, Vec<Diagnostic>) {
    let mut parser = Parser::new(file, Span::new(0, file.text().len()), 0);
    let expr = parser.expression().ok();
    if expr.is_some() && !parser.at_end() {
        let _ = parser.expected("the end of the condition");
    }
    (expr, parser.diagnostics)
}

pub(super) struct Parser<'a> {
    file: &'a Arc<SourceFile>,
    tokens: Vec<Token>,
    at: usize,
    depth: u16,
    diagnostics: Vec<Diagnostic>,
}

impl<'a> Parser<'a> {
    fn new(file: &'a Arc<SourceFile>, range: Span, depth: u16) -> Self {
        let (tokens, diagnostics) = tokens(file, range);
        Self { file, tokens, at: 0, depth, diagnostics }
    }

    fn statement(&mut self) -> Statement {
        let name = match (&self.token().kind, self.mark_at(1)) {
            (TokenKind::Variable(text), Some("=")) => Some(Name { text: Arc::clone(text), span: self.token().span }),
            _ => None,
        };
        if name.is_some() {
            self.at += 2;
        }
        Statement { name, pipeline: self.pipeline() }
    }

    /// Commands up to `;`, a closing bracket or the end.
    fn pipeline(&mut self) -> Pipeline {
        let start = self.token().span;
        let mut commands = Vec::new();
        if self.depth >= MAX_DEPTH {
            let _ = self.too_deep();
            self.skip_to(&[";"]);
            return Pipeline { commands, span: start };
        }
        self.depth += 1;
        let mut clauses = false;
        loop {
            while self.eat("|") {
                clauses = false;
            }
            if self.depth == 1 && self.at_mark(&[")", "]"]) {
                let _ = self.expected("`|` or the end of the command");
                self.at += 1;
                self.skip_command();
                continue;
            }
            if self.at_end() || self.at_mark(&[";", ")", "]"]) {
                break;
            }
            let from = self.token().span;
            clauses |= self.at_word("from");
            match self.command() {
                Ok(kind) => commands.push(Command { kind, span: from.to(self.previous_span()) }),
                Err(Failed) => self.skip_command(),
            }
            if clauses && CLAUSES.iter().any(|clause| self.at_word(clause)) {
                continue;
            }
            if !self.at_end() && !self.at_mark(&["|", ";", ")", "]"]) && !self.at_placeholder() {
                let _ = self.expected("`|` or the end of the command");
                self.skip_command();
            }
        }
        self.depth -= 1;
        let span = commands.last().map_or(start, |last: &Command| start.to(last.span));
        Pipeline { commands, span }
    }

    /// A pipeline between brackets that the current token opens.
    fn bracketed_pipeline(&mut self) -> Parsed<Pipeline> {
        let open = self.token().clone();
        let close = if self.eat("(") {
            ")"
        } else if self.eat("[") {
            "]"
        } else {
            return Err(self.expected("a pipeline in brackets"));
        };
        let pipeline = self.pipeline();
        self.close(close, open.span)?;
        Ok(pipeline)
    }

    fn token(&self) -> &Token {
        // The lexer always ends with `End`, and nothing advances past it.
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn previous_span(&self) -> Span {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(Span::default(), |token| token.span)
    }

    fn at_end(&self) -> bool {
        self.token().kind == TokenKind::End
    }

    fn at_placeholder(&self) -> bool {
        matches!(self.token().kind, TokenKind::Placeholder(_))
    }

    fn mark_at(&self, ahead: usize) -> Option<&'static str> {
        match self.tokens.get(self.at + ahead)?.kind {
            TokenKind::Mark(mark) => Some(mark),
            _ => None,
        }
    }

    fn at_mark(&self, marks: &[&str]) -> bool {
        self.mark_at(0).is_some_and(|mark| marks.contains(&mark))
    }

    fn eat(&mut self, mark: &str) -> bool {
        let found = self.at_mark(&[mark]);
        if found {
            self.at += 1;
        }
        found
    }

    fn at_word(&self, keyword: &str) -> bool {
        matches!(&self.token().kind, TokenKind::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    fn eat_word(&mut self, keyword: &str) -> bool {
        let found = self.at_word(keyword);
        if found {
            self.at += 1;
        }
        found
    }

    fn expect(&mut self, mark: &'static str) -> Parsed<()> {
        if self.eat(mark) { Ok(()) } else { Err(self.expected(&format!("`{mark}`"))) }
    }

    /// The bracket that closes the one at `open`.
    fn close(&mut self, mark: &'static str, open: Span) -> Parsed<()> {
        if self.eat(mark) {
            return Ok(());
        }
        if self.diagnostics.iter().any(|d| d.code.starts_with("spl2-unterminated")) {
            // What never ended has taken the bracket with it.
            return Err(Failed);
        }
        let found = self.found();
        let here = self.token().span;
        self.report(
            Diagnostic::error("spl2-unbalanced", format!("expected `{mark}`, found {found}"))
                .at(here, format!("`{mark}` or `,` expected"))
                .at(open, "this bracket is still open")
                .with_help(format!("close the bracket with `{mark}`")),
        );
        Err(Failed)
    }

    /// A field's name: plain or quoted, with dots if it is a path.
    fn field_name(&mut self, what: &str) -> Parsed<Name> {
        let token = self.next_name(what)?;
        let (mut text, mut span) = (token.text.to_string(), token.span);
        while self.at_mark(&["."])
            && matches!(self.tokens.get(self.at + 1).map(|t| &t.kind), Some(TokenKind::Word(_) | TokenKind::Quoted(_)))
        {
            self.at += 1;
            let part = self.next_name(what)?;
            text = format!("{text}.{}", part.text);
            span = span.to(part.span);
        }
        Ok(Name { text: text.into(), span })
    }

    fn next_name(&mut self, what: &str) -> Parsed<Name> {
        match &self.token().kind {
            TokenKind::Word(text) | TokenKind::Quoted(text) => {
                let name = Name { text: Arc::clone(text), span: self.token().span };
                self.at += 1;
                Ok(name)
            }
            _ => Err(self.expected(what)),
        }
    }

    fn found(&self) -> String {
        match &self.token().kind {
            TokenKind::End => "the end of the query".into(),
            _ => format!("`{}`", self.file.slice(self.token().span)),
        }
    }

    fn expected(&mut self, what: &str) -> Failed {
        let found = self.found();
        let span = self.token().span;
        let mut diagnostic = Diagnostic::error("spl2-expected", format!("expected {what}, found {found}"))
            .at(span, format!("{what} expected"));
        if self.at_mark(&[")", "]", "}"]) {
            diagnostic.code = "spl2-unbalanced";
            diagnostic =
                diagnostic.with_help("this bracket has no partner before it, or something before it is missing");
        }
        self.report(diagnostic)
    }

    fn too_deep(&mut self) -> Failed {
        let span = self.token().span;
        self.report(
            Diagnostic::error("spl2-too-deep", "the query nests too deeply")
                .at(span, "reading stops here")
                .with_help(format!("at most {MAX_DEPTH} brackets and {MAX_HEIGHT} operators may stand in each other")),
        )
    }

    fn report(&mut self, diagnostic: Diagnostic) -> Failed {
        // One fault at one place is said once.
        let place = |d: &Diagnostic| d.labels.first().map(|label| label.span);
        if !self.diagnostics.iter().any(|other| place(other) == place(&diagnostic)) {
            self.diagnostics.push(diagnostic.in_file(self.file));
        }
        Failed
    }

    /// Passes over the rest of a command, brackets with what is in them included.
    fn skip_command(&mut self) {
        let mut depth = 0_usize;
        while !self.at_end() {
            match self.mark_at(0) {
                Some("(" | "[" | "{") => depth += 1,
                Some(")" | "]" | "}") if depth > 0 => depth -= 1,
                Some("|" | ";") if depth == 0 => return,
                Some(";") => return,
                // A stray closing bracket inside of a nested pipeline ends it; elsewhere it is part of the fault.
                Some(")" | "]") if self.depth > 1 => return,
                None if depth == 0 && self.at_placeholder() => return,
                _ => {}
            }
            self.at += 1;
        }
    }

    fn skip_to(&mut self, marks: &[&str]) {
        while !self.at_end() && !self.at_mark(marks) {
            self.at += 1;
        }
    }
}

/// The one of these names that was probably meant.
pub(crate) fn similar<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let name = name.to_ascii_lowercase();
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
