//! The terms of `search` and of `tstats … where`.
//!
//! Terms that stand side by side must all hold. `OR` binds tighter than that and than `AND`: `a OR b c` is
//! `(a OR b) c`. `NOT` binds tightest. The operators are upper case; a lower-case `or` is a word that is looked for.

use lurcher_diagnostics::Diagnostic;

use super::{Failed, Mode, Parsed, Parser};
use crate::spl::{
    ast::{Name, Operator, Term},
    lexer::TokenKind,
};

impl Parser<'_> {
    /// Terms up to the end of the command; all events if there are none.
    pub(super) fn term_or_all(&mut self) -> Parsed<Term> {
        if self.at_command_end() { Ok(Term::All) } else { self.term() }
    }

    /// Terms that must all hold.
    pub(super) fn term(&mut self) -> Parsed<Term> {
        if !self.depth.enter() {
            return Err(self.too_deep());
        }
        let mut parts = vec![self.either()?];
        loop {
            // A comma between terms says nothing.
            while self.eat(",", Mode::Words) {}
            if self.eat_operator("AND") {
                parts.push(self.either()?);
            } else if self.at_command_end() || self.peek_is(")", Mode::Words) || self.at_clause() {
                break;
            } else {
                parts.push(self.either()?);
            }
        }
        self.depth.leave();
        parts.retain(|part| *part != Term::All);
        Ok(match parts.len() {
            0 => Term::All,
            1 => parts.remove(0),
            _ => Term::And(parts),
        })
    }

    /// `by` ends the terms of `tstats`, as does a lower-case keyword that begins a clause.
    fn at_clause(&self) -> bool {
        self.in_tstats && ["by", "groupby"].iter().any(|word| self.at_word(word)) && {
            // `by=x` is a field like any other.
            let word = self.peek(Mode::Words);
            let behind = crate::spl::lexer::next(self.file.text(), word.span.end as usize, self.end, Mode::Words);
            !matches!(behind.kind, TokenKind::Mark("=" | "!=" | "<" | ">" | "<=" | ">="))
        }
    }

    fn eat_operator(&mut self, operator: &str) -> bool {
        let found = self.peek_word().is_some_and(|word| !word.quoted && word.text.as_ref() == operator);
        if found {
            self.bump(Mode::Words);
        }
        found
    }

    fn either(&mut self) -> Parsed<Term> {
        let first = self.negation()?;
        let mut parts = vec![first];
        while self.eat_operator("OR") {
            parts.push(self.negation()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Term::Or(parts) })
    }

    fn negation(&mut self) -> Parsed<Term> {
        if self.eat_operator("NOT") {
            if !self.depth.enter() {
                return Err(self.too_deep());
            }
            let inner = self.negation();
            self.depth.leave();
            return Ok(Term::Not(Box::new(inner?)));
        }
        self.single()
    }

    fn single(&mut self) -> Parsed<Term> {
        match self.peek(Mode::Words).kind {
            TokenKind::Mark("(") => {
                let open = self.bump(Mode::Words).span;
                if self.eat(")", Mode::Words) {
                    return Ok(Term::All);
                }
                let term = self.term()?;
                if !self.eat(")", Mode::Words) {
                    return Err(self.report(
                        Diagnostic::error("spl-unclosed", "this bracket is not closed").at(open, "opened here"),
                    ));
                }
                return Ok(term);
            }
            TokenKind::Mark("[") => return Ok(Term::Search(self.bracketed()?)),
            TokenKind::Word(_) | TokenKind::Quoted(_) | TokenKind::Unclosed(_) => {}
            _ => return Err(self.expected("a term")),
        }
        let word = self.word("a term")?;
        let behind = self.peek(Mode::Words).kind;
        if let TokenKind::Mark("(") = behind
            && (word.is("TERM") || word.is("CASE") || word.is("PREFIX"))
        {
            return self.token_term(&word);
        }
        if let TokenKind::Mark("=" | "==" | "!=" | "<" | "<=" | ">" | ">=") = behind {
            return self.comparison(word);
        }
        let next = self.peek_word();
        if next.as_ref().is_some_and(|next| next.is("IN")) && self.opens_list(1) {
            self.bump(Mode::Words);
            return self.list(word);
        }
        if next.is_some_and(|next| next.is("NOT")) && self.opens_list(2) {
            self.bump(Mode::Words);
            self.bump(Mode::Words);
            return Ok(Term::Not(Box::new(self.list(word)?)));
        }
        if !word.quoted && word.text.as_ref() == "*" {
            return Ok(Term::All);
        }
        Ok(Term::Phrase(word))
    }

    /// Whether `IN (` (or `IN [`) stands `words` words ahead.
    fn opens_list(&self, words: usize) -> bool {
        let mut at = self.at;
        for number in 1..=words {
            let token = crate::spl::lexer::next(self.file.text(), at, self.end, Mode::Words);
            at = token.span.end as usize;
            let is_in = matches!(&token.kind, TokenKind::Word(word) if word.eq_ignore_ascii_case("IN"));
            if number == words && !is_in {
                return false;
            }
        }
        let token = crate::spl::lexer::next(self.file.text(), at, self.end, Mode::Words);
        matches!(token.kind, TokenKind::Mark("(" | "["))
    }

    fn token_term(&mut self, function: &Name) -> Parsed<Term> {
        self.bump(Mode::Words);
        let text = self.value("a term")?;
        if !self.eat(")", Mode::Words) {
            return Err(self.expected("`)`"));
        }
        Ok(Term::Token { text, case_sensitive: function.is("CASE") })
    }

    fn comparison(&mut self, field: Name) -> Parsed<Term> {
        let operator = match self.bump(Mode::Words).kind {
            TokenKind::Mark("!=") => Operator::NotEqual,
            TokenKind::Mark("<") => Operator::Less,
            TokenKind::Mark("<=") => Operator::LessOrEqual,
            TokenKind::Mark(">") => Operator::Greater,
            TokenKind::Mark(">=") => Operator::GreaterOrEqual,
            _ => Operator::Equal,
        };
        if self.peek_is("[", Mode::Words) && matches!(operator, Operator::Equal | Operator::NotEqual) {
            let search = self.bracketed()?;
            return Ok(Term::Values { field, negated: operator == Operator::NotEqual, search });
        }
        // `field=(a OR b)`: each of the words is compared.
        if self.peek_is("(", Mode::Words) {
            return self.distributed(&field, operator);
        }
        if self.at_command_end() || self.peek_is(")", Mode::Words) {
            return Err(self.report(
                Diagnostic::error("spl-expected", format!("a value for `{}` expected", field.text))
                    .at(field.span.to(self.last), "compared with nothing")
                    .with_help(format!("`{}=*` asks whether the field is there", field.text)),
            ));
        }
        let value = self.value("a value")?;
        Ok(Term::Compare { field, operator, value })
    }

    fn distributed(&mut self, field: &Name, operator: Operator) -> Parsed<Term> {
        self.bump(Mode::Words);
        let (mut parts, mut all) = (Vec::new(), false);
        while !self.eat(")", Mode::Words) {
            if self.at_command_end() {
                return Err(self.expected("`)`"));
            }
            if self.eat(",", Mode::Words) || self.eat_operator("OR") {
                continue;
            }
            if self.eat_operator("AND") {
                all = true;
                continue;
            }
            let value = self.value("a value")?;
            parts.push(Term::Compare { field: field.clone(), operator, value });
        }
        Ok(if all { Term::And(parts) } else { Term::Or(parts) })
    }

    /// `(a, "b", c*)` or `[ … ]`, behind `IN`.
    fn list(&mut self, field: Name) -> Parsed<Term> {
        if self.peek_is("[", Mode::Words) {
            let search = self.bracketed()?;
            return Ok(Term::Values { field, negated: false, search });
        }
        let open = self.bump(Mode::Words).span;
        let mut values = Vec::new();
        loop {
            while self.eat(",", Mode::Words) {}
            if self.eat(")", Mode::Words) {
                break;
            }
            match self.peek(Mode::Value).kind {
                TokenKind::Word(_) | TokenKind::Quoted(_) => values.push(self.value("a value")?),
                TokenKind::Mark("[") if values.is_empty() => {
                    let search = self.bracketed()?;
                    if !self.eat(")", Mode::Words) {
                        return Err(self.expected("`)`"));
                    }
                    return Ok(Term::Values { field, negated: false, search });
                }
                _ => {
                    self.report(Diagnostic::error("spl-unclosed", "this list is not closed").at(open, "opened here"));
                    return Err(Failed);
                }
            }
        }
        Ok(Term::In { field, values })
    }
}
