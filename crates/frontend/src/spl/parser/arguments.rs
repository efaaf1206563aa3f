//! What the arguments of many commands are made of: lists of fields, `name=value`, numbers.

use lurcher_diagnostics::{Diagnostic, Span};

use super::{Failed, Mode, Parsed, Parser};
use crate::spl::{
    ast::{Name, Settings},
    lexer::{self, TokenKind},
};

impl Parser<'_> {
    /// Words up to the end of the command or one of these keywords, with or without commas.
    pub(super) fn fields_until(&mut self, keywords: &[&str]) -> Parsed<Vec<Name>> {
        let mut fields = Vec::new();
        loop {
            while self.eat(",", Mode::Words) {}
            if self.at_command_end() || keywords.iter().any(|keyword| self.at_word(keyword)) {
                return Ok(fields);
            }
            if self.setting_ahead() || self.peek_is("[", Mode::Words) || self.peek_is(")", Mode::Words) {
                return Ok(fields);
            }
            let field = self.field_name("the name of a field")?;
            // `"a,b c"`: some put a whole list in quotes.
            if field.quoted && field.text.contains(',') {
                let parts = field.text.split(',').map(str::trim).filter(|part| !part.is_empty());
                fields.extend(parts.map(|part| Name { text: part.into(), span: field.span, quoted: true }));
            } else {
                fields.push(field);
            }
        }
    }

    /// A word, or a name with brackets as aggregates give it: `count(x)`.
    pub(super) fn field_name(&mut self, what: &str) -> Parsed<Name> {
        let mut name = self.word(what)?;
        let end = name.span.end as usize;
        let rest = self.file.text().get(end..self.end).unwrap_or_default();
        if !name.quoted
            && rest.starts_with('(')
            && let Some(length) = rest.find(')')
        {
            self.at = end + length + 1;
            self.last = Span::new(name.span.start as usize, self.at);
            name.span = self.last;
            name.text = self.file.slice(self.last).into();
        }
        Ok(name)
    }

    /// At least one field.
    pub(super) fn some_fields(&mut self) -> Parsed<Vec<Name>> {
        let fields = self.fields_until(&[])?;
        if fields.is_empty() { Err(self.expected("the name of a field")) } else { Ok(fields) }
    }

    /// Whether `name=` stands next.
    pub(super) fn setting_ahead(&self) -> bool {
        let word = self.peek(Mode::Words);
        if !matches!(word.kind, TokenKind::Word(_)) {
            return false;
        }
        let behind = lexer::next(self.file.text(), word.span.end as usize, self.end, Mode::Words);
        behind.kind == TokenKind::Mark("=")
    }

    /// One `name=value`.
    pub(super) fn setting(&mut self) -> Parsed<(Name, Name)> {
        let name = self.word("the name of an option")?;
        self.bump(Mode::Words);
        let value = self.value("a value")?;
        Ok((name, value))
    }

    /// All `name=value` that stand next.
    pub(super) fn settings(&mut self) -> Parsed<Settings> {
        let mut settings = Settings::new();
        while self.setting_ahead() {
            settings.push(self.setting()?);
            while self.eat(",", Mode::Words) {}
        }
        Ok(settings)
    }

    /// Fields and `name=value` in any order.
    pub(super) fn fields_and_settings(&mut self) -> Parsed<(Vec<Name>, Settings)> {
        let (mut fields, mut settings) = (Vec::new(), Settings::new());
        loop {
            fields.extend(self.fields_until(&[])?);
            if !self.setting_ahead() {
                return Ok((fields, settings));
            }
            settings.push(self.setting()?);
        }
    }

    /// The option of that name; taken out.
    pub(super) fn take(settings: &mut Settings, name: &str) -> Option<Name> {
        let at = settings.iter().position(|(setting, _)| setting.is(name))?;
        Some(settings.remove(at).1)
    }

    /// A whole number.
    pub(super) fn count(&mut self, text: &Name) -> Parsed<u64> {
        text.text.parse().map_err(|_| -> Failed {
            self.report(
                Diagnostic::error("spl-expected", "a whole number expected")
                    .at(text.span, format!("`{}` is none", text.text)),
            )
        })
    }

    /// `first AS second`, pairs between commas; a name alone is both.
    pub(super) fn pairs_until(&mut self, keywords: &[&str]) -> Parsed<Vec<(Name, Name)>> {
        let mut pairs = Vec::new();
        loop {
            while self.eat(",", Mode::Words) {}
            if self.at_command_end() || keywords.iter().any(|keyword| self.at_word(keyword)) {
                return Ok(pairs);
            }
            let first = self.field_name("the name of a field")?;
            let second = if self.eat_word("as") { self.word("the name of a field")? } else { first.clone() };
            pairs.push((first, second));
        }
    }
}
