//! Tokens to AST: the cursor, names, and how errors are got over.
//!
//! Recursive descent, with binding powers for operators. A command that cannot be read is said so once and left out;
//! reading goes on at the next `|`. Nesting is limited, so that no text can exhaust the stack.

mod commands;
mod expressions;

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, Span};

use super::{
    ast::{Command, Expr, Name, NamePattern, Query},
    lexer::{Kind, tokens},
};
use crate::syntax::{Depth, Token, Tokens};

pub(super) use commands::COMMANDS;

/// Something could not be read; a diagnostic says what.
pub(super) struct Failed;

type Parsed<T> = Result<T, Failed>;

/// Reads a whole query.
pub(super) fn query(text: &str) -> (Query, Vec<Diagnostic>) {
    let (tokens, diagnostics) = tokens(text);
    // A query in a rule file ends with the line that it stands on, not with the next.
    let end = text.trim_end().len();
    let end = Token { kind: Kind::End, span: Span::new(end, end) };
    let mut parser =
        Parser { text, tokens: Tokens::new(tokens, end), depth: Depth::default(), operators: 0, diagnostics };
    let query = parser.query();
    (query, parser.diagnostics)
}

struct Parser<'a> {
    text: &'a str,
    tokens: Tokens<Kind>,
    depth: Depth,
    /// How many operators the present expression has.
    operators: usize,
    diagnostics: Vec<Diagnostic>,
}

impl Parser<'_> {
    fn query(&mut self) -> Query {
        let mut commands = Vec::new();
        let settings = self.settings();
        loop {
            let start = self.peek_span();
            match self.command(commands.is_empty()) {
                Ok(kind) => {
                    commands.push(Command { kind, span: start.to(self.tokens.last_span()) });
                    if !self.at_end() && !self.at("|") {
                        self.expected("`|` or the end of the query");
                        self.skip_command();
                    }
                }
                Err(Failed) => self.skip_command(),
            }
            if !self.eat("|") {
                break;
            }
        }
        Query { settings, commands }
    }

    /// `SET name = value, name = value;` in front of a query, any number of times.
    fn settings(&mut self) -> Vec<(Name, Expr)> {
        let mut settings = Vec::new();
        while self.eat_word("set") {
            let read = self.list(|parser| {
                let name = parser.name()?;
                parser.expect("=")?;
                Ok((name, parser.argument()?))
            });
            settings.extend(read.unwrap_or_default());
            while !self.at_end() && !self.at(";") {
                // What could not be read has been said.
                self.tokens.bump();
            }
            if self.at_end() {
                self.expected("`;` and a query");
            }
            self.eat(";");
        }
        settings
    }

    fn kind(&self) -> &Kind {
        &self.tokens.peek().kind
    }

    fn peek_span(&self) -> Span {
        self.tokens.peek().span
    }

    fn at_end(&self) -> bool {
        self.tokens.at_end()
    }

    fn at(&self, mark: &str) -> bool {
        matches!(self.kind(), Kind::Mark(found) if *found == mark)
    }

    fn eat(&mut self, mark: &str) -> bool {
        let found = self.at(mark);
        if found {
            self.tokens.bump();
        }
        found
    }

    fn word_at(&self, ahead: usize, word: &str) -> bool {
        matches!(&self.tokens.peek_nth(ahead).kind, Kind::Word(found) if found.eq_ignore_ascii_case(word))
    }

    fn mark_at(&self, ahead: usize, mark: &str) -> bool {
        matches!(self.tokens.peek_nth(ahead).kind, Kind::Mark(found) if found == mark)
    }

    fn at_word(&self, word: &str) -> bool {
        self.word_at(0, word)
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let found = self.at_word(word);
        if found {
            self.tokens.bump();
        }
        found
    }

    fn expect(&mut self, mark: &'static str) -> Parsed<()> {
        if self.eat(mark) { Ok(()) } else { Err(self.expected(&format!("`{mark}`"))) }
    }

    /// Closes a bracket that was opened at `open`.
    fn close(&mut self, mark: &'static str, open: Span) -> Parsed<()> {
        if self.eat(mark) {
            return Ok(());
        }
        let found = self.found();
        let diagnostic = Diagnostic::error("esql-unclosed-bracket", format!("`{mark}` expected, found {found}"))
            .at(self.peek_span(), format!("`{mark}` expected"))
            .at(open, "opened here")
            .with_help(format!("add `{mark}`"));
        self.diagnostics.push(diagnostic);
        Err(Failed)
    }

    fn found(&self) -> String {
        match self.kind() {
            Kind::End => "the end of the query".to_owned(),
            _ => format!("`{}`", self.text.get(self.peek_span().range()).unwrap_or("")),
        }
    }

    fn expected(&mut self, what: &str) -> Failed {
        let message = format!("{what} expected, found {}", self.found());
        self.diagnostics
            .push(Diagnostic::error("esql-expected", message).at(self.peek_span(), format!("{what} expected")));
        Failed
    }

    fn report(&mut self, diagnostic: Diagnostic) -> Failed {
        self.diagnostics.push(diagnostic);
        Failed
    }

    fn too_deep(&mut self) -> Failed {
        let span = self.peek_span();
        self.report(
            Diagnostic::error("esql-too-deep", "the query nests too deeply")
                .at(span, "too deep here")
                .with_help("split the expression over several `EVAL` commands"),
        )
    }

    /// Goes to the next `|` outside brackets, or the end.
    fn skip_command(&mut self) {
        let mut open = 0_usize;
        while !self.at_end() {
            match self.kind() {
                Kind::Mark("(" | "[" | "{") => open += 1,
                Kind::Mark(")" | "]" | "}") => open = open.saturating_sub(1),
                Kind::Mark("|") if open == 0 => return,
                _ => {}
            }
            self.tokens.bump();
        }
    }

    /// A name of dotted parts, each a word or in backquotes.
    fn name(&mut self) -> Parsed<Name> {
        let start = self.peek_span();
        let mut text = String::new();
        loop {
            match self.kind() {
                Kind::Word(word) | Kind::Quoted(word) => text.push_str(word),
                Kind::NameParameter(word) | Kind::Parameter(word) if !word.is_empty() => {
                    let shown = word.to_string();
                    let span = self.peek_span();
                    return Err(self.report(
                        Diagnostic::error("esql-parameter", format!("the parameter `{shown}` has no value"))
                            .at(span, "a name is wanted here")
                            .with_help("write the name itself"),
                    ));
                }
                _ => return Err(self.expected("a name")),
            }
            self.tokens.bump();
            if !self.eat(".") {
                break;
            }
            text.push('.');
        }
        Ok(Name { text: text.into(), span: start.to(self.tokens.last_span()) })
    }

    /// A name that may hold `*`: tokens that touch one another.
    fn name_pattern(&mut self) -> Parsed<NamePattern> {
        let start = self.peek_span();
        let mut pieces = vec![String::new()];
        let mut end = None;
        while end.is_none_or(|end| end == self.peek_span().start) {
            let last = pieces.len() - 1;
            match self.kind() {
                Kind::Word(word) | Kind::Quoted(word) => pieces[last].push_str(&Arc::clone(word)),
                Kind::Integer(digits) | Kind::Decimal(digits) if end.is_some() => {
                    pieces[last].push_str(&Arc::clone(digits));
                }
                Kind::Mark(".") if end.is_some() => pieces[last].push('.'),
                Kind::Mark("*") => {
                    if last == 0 || !pieces[last].is_empty() {
                        pieces.push(String::new());
                    }
                }
                _ => break,
            }
            self.tokens.bump();
            end = Some(self.tokens.last_span().end);
        }
        if end.is_none() {
            return Err(self.expected("the name of a column"));
        }
        Ok(NamePattern { pieces, span: start.to(self.tokens.last_span()) })
    }

    /// One or more, with commas between.
    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.eat(",") {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// Text in quotes, as a name with its place.
    fn text(&mut self, what: &str) -> Parsed<Name> {
        match self.kind() {
            Kind::Text(text) => {
                let text = Arc::clone(text);
                let span = self.tokens.bump().span;
                Ok(Name { text, span })
            }
            _ => Err(self.expected(what)),
        }
    }
}
