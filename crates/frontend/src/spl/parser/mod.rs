//! Text to AST: the cursor, pipelines, and how errors are got over.
//!
//! Recursive descent over characters: every command has a syntax of its own, so each asks the lexer for tokens in the
//! mode that it needs. A command that cannot be read is said so once and left out; reading goes on at the next `|`.
//! Nesting is limited, so that no text can exhaust the stack.

mod arguments;
mod commands;
mod eval;
mod names;
mod search;
mod series;
mod stats;

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, SourceFile, Span};

use self::names::{COMBINATIONS, NOT_RUN, RUN};
use super::{
    ast::{Command, CommandKind, Expr, Name, Pipeline, Term},
    lexer::{self, Mode, Token, TokenKind},
};
use crate::syntax::{Depth, MAX_DEPTH, closest};

/// The names of the commands that are read.
pub(super) fn command_names() -> impl Iterator<Item = &'static str> {
    RUN.into_iter()
}

/// How many operators one expression may chain. Published ones stay below 200.
const MAX_LINKS: u32 = 800;

/// Something could not be read; a diagnostic says what.
pub(super) struct Failed;

type Parsed<T> = Result<T, Failed>;

/// Reads a whole search.
pub(super) fn search(file: &Arc<SourceFile>, depth: u32) -> (Pipeline, Vec<Diagnostic>) {
    let mut parser = Parser::new(file, depth);
    let mut pipeline = parser.pipeline(true);
    if !parser.at_end() {
        let _ = parser.expected("`|` or the end of the search");
        parser.at = parser.end;
    }
    pipeline.span = Span::new(0, file.text().len());
    (pipeline, parser.diagnostics)
}

/// Reads a term of the search language that stands alone.
pub(super) fn term(file: &Arc<SourceFile>) -> (Option<Term>, Vec<Diagnostic>) {
    let mut parser = Parser::new(file, 0);
    let term = parser.term().ok();
    if term.is_some() && !parser.at_end() {
        let _ = parser.expected("the end of the condition");
    }
    (term, parser.diagnostics)
}

/// Reads an expression that stands alone.
pub(super) fn expression(file: &Arc<SourceFile>) -> (Option<Expr>, Vec<Diagnostic>) {
    let mut parser = Parser::new(file, 0);
    let expr = parser.expression().ok();
    if expr.is_some() && !parser.at_end() {
        let _ = parser.expected("the end of the expression");
    }
    (expr, parser.diagnostics)
}

pub(super) struct Parser<'a> {
    file: &'a Arc<SourceFile>,
    at: usize,
    /// Where the text ends that is being read.
    end: usize,
    last: Span,
    /// Whether the terms belong to `tstats`, where `by` ends them.
    in_tstats: bool,
    /// How many operators the present expression has chained.
    links: u32,
    depth: Depth,
    diagnostics: Vec<Diagnostic>,
}

impl<'a> Parser<'a> {
    fn new(file: &'a Arc<SourceFile>, depth: u32) -> Self {
        let mut parser = Self {
            file,
            at: 0,
            end: file.text().len(),
            last: Span::default(),
            in_tstats: false,
            links: 0,
            depth: Depth::default(),
            diagnostics: Vec::new(),
        };
        for _ in 0..depth.min(MAX_DEPTH - 1) {
            let _ = parser.depth.enter();
        }
        parser
    }

    /// Commands up to the end or a closing bracket.
    fn pipeline(&mut self, outermost: bool) -> Pipeline {
        let start = self.peek(Mode::Words).span;
        let mut commands = Vec::new();
        if !self.depth.enter() {
            let _ = self.too_deep();
            self.at = self.end;
            return Pipeline { commands, span: start };
        }
        let mut first = true;
        loop {
            let piped = self.eat("|", Mode::Words);
            if self.peek_is("]", Mode::Words) || self.at_end() {
                break;
            }
            if !piped && !first {
                let _ = self.expected("`|` or the end of the command");
                self.skip_command();
                continue;
            }
            let from = self.peek(Mode::Words).span;
            // What begins a search without `|` is terms. A bracketed search names its first command, as a rule.
            let implicit = first && !piped && (outermost || !self.at_command());
            first = false;
            let found = if implicit { self.implicit_search() } else { self.command() };
            match found {
                Ok((name, kind)) => commands.push(Command { name, kind, span: from.to(self.last) }),
                Err(Failed) => self.skip_command(),
            }
        }
        self.depth.leave();
        let span = commands.last().map_or(start, |last: &Command| start.to(last.span));
        Pipeline { commands, span }
    }

    fn implicit_search(&mut self) -> Parsed<(Name, CommandKind)> {
        let mut name = self.peek_word().filter(|name| name.is("search"));
        if name.is_some() {
            self.bump(Mode::Words);
        }
        let span = self.peek(Mode::Words).span;
        let name = name.take().unwrap_or(Name { text: "search".into(), span, quoted: false });
        Ok((name, CommandKind::Search(self.term_or_all()?)))
    }

    /// Whether the next word is a command.
    fn at_command(&self) -> bool {
        self.peek_word().is_some_and(|word| {
            let lower = word.text.to_ascii_lowercase();
            RUN.contains(&lower.as_str()) || NOT_RUN.contains(&lower.as_str())
        })
    }

    fn command(&mut self) -> Parsed<(Name, CommandKind)> {
        let Some(name) = self.peek_word().filter(|name| !name.quoted) else {
            return Err(self.expected("a command"));
        };
        self.bump(Mode::Words);
        let lower = name.text.to_ascii_lowercase();
        // These nest: from one search in brackets to the next there are few steps.
        let kind =
            if COMBINATIONS.contains(&lower.as_str()) { self.combination(&lower)? } else { self.command_kind(&name)? };
        Ok((name, kind))
    }

    /// A search in brackets that the next token opens.
    fn bracketed(&mut self) -> Parsed<Pipeline> {
        let open = self.peek(Mode::Words).span;
        if !self.eat("[", Mode::Words) {
            return Err(self.expected("a search in brackets"));
        }
        let pipeline = self.pipeline(false);
        if !self.eat("]", Mode::Words) {
            return Err(
                self.report(Diagnostic::error("spl-unclosed", "this bracket is not closed").at(open, "opened here"))
            );
        }
        Ok(pipeline)
    }

    /// The text of brackets that the next token opens, unread.
    fn bracketed_text(&mut self) -> Parsed<Name> {
        let open = self.peek(Mode::Words).span;
        if !self.eat("[", Mode::Words) {
            return Err(self.expected("commands in brackets"));
        }
        let start = self.at;
        let mut at = start;
        loop {
            at = lexer::end_of_command(self.file.text(), at, self.end);
            if self.file.text().get(at..self.end).is_some_and(|rest| rest.starts_with('|')) {
                at += 1;
            } else {
                break;
            }
        }
        let span = Span::new(start, at);
        self.at = at;
        if !self.eat("]", Mode::Words) {
            return Err(
                self.report(Diagnostic::error("spl-unclosed", "this bracket is not closed").at(open, "opened here"))
            );
        }
        Ok(Name { text: self.file.slice(span).into(), span, quoted: false })
    }

    fn peek(&self, mode: Mode) -> Token {
        lexer::next(self.file.text(), self.at, self.end, mode)
    }

    fn bump(&mut self, mode: Mode) -> Token {
        let token = self.peek(mode);
        self.at = token.span.end as usize;
        self.last = token.span;
        if let TokenKind::Unclosed(_) = token.kind {
            let open = Span { start: token.span.start, end: token.span.start + 1 };
            self.report(Diagnostic::error("spl-unclosed", "this quote is not closed").at(open, "opened here"));
        }
        token
    }

    fn at_end(&self) -> bool {
        self.peek(Mode::Words).kind == TokenKind::End
    }

    fn peek_is(&self, mark: &str, mode: Mode) -> bool {
        matches!(self.peek(mode).kind, TokenKind::Mark(found) if found == mark)
    }

    fn eat(&mut self, mark: &str, mode: Mode) -> bool {
        let found = self.peek_is(mark, mode);
        if found {
            self.bump(mode);
        }
        found
    }

    /// Whether the command ends here.
    fn at_command_end(&self) -> bool {
        matches!(self.peek(Mode::Words).kind, TokenKind::End | TokenKind::Mark("|" | "]"))
    }

    /// The next word or quoted text, which stays unread.
    fn peek_word(&self) -> Option<Name> {
        word(self.peek(Mode::Words))
    }

    /// Whether the next word is this keyword.
    fn at_word(&self, wanted: &str) -> bool {
        self.peek_word().is_some_and(|word| word.is(wanted))
    }

    fn eat_word(&mut self, wanted: &str) -> bool {
        let found = self.at_word(wanted);
        if found {
            self.bump(Mode::Words);
        }
        found
    }

    fn word(&mut self, what: &str) -> Parsed<Name> {
        match self.peek_word() {
            Some(_) => word(self.bump(Mode::Words)).ok_or(Failed),
            None => Err(self.expected(what)),
        }
    }

    /// The right side of `=`.
    fn value(&mut self, what: &str) -> Parsed<Name> {
        match self.peek(Mode::Value).kind {
            TokenKind::Word(_) | TokenKind::Quoted(_) | TokenKind::Unclosed(_) => {
                word(self.bump(Mode::Value)).ok_or(Failed)
            }
            _ => Err(self.expected(what)),
        }
    }

    fn skip_command(&mut self) {
        let from = self.at;
        self.at = lexer::end_of_command(self.file.text(), self.at, self.end);
        // What opened no bracket cannot close one at the outermost level; without this, reading would not get on.
        if self.at == from && !self.at_command_end() {
            self.at = self.end;
        }
    }

    fn expected(&mut self, what: &str) -> Failed {
        let token = self.peek(Mode::Words);
        let found = match &token.kind {
            TokenKind::End => "the search ends here".to_owned(),
            _ => format!("`{}` is not that", shorten(self.file.slice(token.span))),
        };
        self.report(Diagnostic::error("spl-expected", format!("{what} expected")).at(token.span, found))
    }

    /// One more operator in a chain: a long one is as deep a tree as brackets make.
    fn link(&mut self) -> Parsed<()> {
        self.links += 1;
        if self.links > MAX_LINKS { Err(self.too_deep()) } else { Ok(()) }
    }

    fn too_deep(&mut self) -> Failed {
        let span = self.peek(Mode::Words).span;
        self.report(
            Diagnostic::error("spl-depth", "this search is nested too deeply")
                .at(span, format!("more than {MAX_DEPTH} deep")),
        )
    }

    fn report(&mut self, diagnostic: Diagnostic) -> Failed {
        self.diagnostics.push(diagnostic.in_file(self.file));
        Failed
    }

    fn unknown_command(&mut self, name: &Name) -> Failed {
        let mut diagnostic = Diagnostic::error("spl-unknown-command", format!("there is no command `{}`", name.text))
            .at(name.span, "unknown command");
        let known = RUN.into_iter().chain(NOT_RUN);
        diagnostic = match closest(&name.text, known) {
            Some(meant) => diagnostic.with_help(format!("did you mean `{meant}`?")),
            None => diagnostic.with_help("docs/languages/spl.md lists the commands"),
        };
        self.report(diagnostic)
    }
}

fn word(token: Token) -> Option<Name> {
    let (text, quoted) = match token.kind {
        TokenKind::Word(text) => (text, false),
        TokenKind::Quoted(text) | TokenKind::Unclosed(text) => (text, true),
        _ => return None,
    };
    Some(Name { text, span: token.span, quoted })
}

/// A piece of the text, for a message.
fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(40).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(text: &str) -> Pipeline {
        let (pipeline, diagnostics) = search(&SourceFile::new("q", text), 0);
        assert!(diagnostics.is_empty(), "{text}: {diagnostics:#?}");
        pipeline
    }

    #[test]
    fn every_command_has_a_syntax_of_its_own() {
        for text in [
            r#"EventCode=1 | stats min(_time) as _time values(eval(if(a=="%%1",b,null))) as c values(d) as d by e f"#,
            r#"a=1 | where LIKE(x, "%a%") AND NOT LIKE (y, "b") | where x NOT IN ("a") | where NOT x IN (y)"#,
            r#"| tstats count from datamodel=Endpoint.Processes where a=b by _time span=5m c | join x type=inner[| tstats count from datamodel=Web by y ]"#,
            "a=1 | stats count(x) | sort - count(x) | rename count(x) as y | fields - z* predicted(y) | table y",
            r#"x | rex field=a max_match=0 "(?<b>\d+)" | rex mode=sed field=a "s/x/y/g" | regex a!="b|c""#,
            "x | dedup 2 a b sortby - c | head 5 | tail | sort 0 -num(a), +b | bin span=1h _time as t",
            r#"x | lookup l a AS b, c OUTPUTNEW d AS e f | inputlookup append=t y.csv | outputlookup z"#,
            r#"x | foreach a* [eval <<FIELD>>=if("<<FIELD>>"="a|b", 1, '<<FIELD>>')] | appendpipe [| stats count]"#,
            r#"x | transaction a maxspan=5m startswith=(b=1) endswith=eval(c="d") | timechart span=1d limit=0 count by x"#,
            r#"(a OR b) NOT c=d e IN (1, "two", th*ree) TERM(f) "a phrase" [search g | return 10 h $i j=k]"#,
            r#"x | convert timeformat="%s" ctime(a) AS b num(c) | fillnull value="" a b | replace "x*" with y in a"#,
        ] {
            clean(text);
        }
    }

    #[test]
    fn or_binds_tighter_than_and() {
        let pipeline = clean("a=1 OR b=2 c=3");
        let Some(CommandKind::Search(Term::And(parts))) = pipeline.commands.first().map(|c| &c.kind) else {
            panic!("{pipeline:?}")
        };
        assert!(matches!(parts.first(), Some(Term::Or(sides)) if sides.len() == 2));
    }
}
