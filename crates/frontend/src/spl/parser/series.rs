//! Commands over rows as a series, and over whole sets of rows.

use lurcher_diagnostics::Diagnostic;

use super::{Mode, Parsed, Parser};
use crate::spl::ast::{CommandKind, Settings, Trend};

impl Parser<'_> {
    /// `accum field AS name`, `delta field AS name p=2`, `autoregress field AS name p=1-3`.
    pub(super) fn series(&mut self) -> Parsed<CommandKind> {
        let mut settings = self.settings()?;
        let open = self.eat("(", Mode::Words);
        let field = self.field_name("the name of a field")?;
        if open && !self.eat(")", Mode::Words) {
            return Err(self.expected("`)`"));
        }
        let alias = if self.eat_word("as") { Some(self.field_name("a name")?) } else { None };
        settings.extend(self.settings()?);
        Ok(CommandKind::Series { field, alias, settings })
    }

    /// `trendline sma5(field) AS name ema10(field)`.
    pub(super) fn trendline(&mut self) -> Parsed<CommandKind> {
        let mut trends = Vec::new();
        loop {
            while self.eat(",", Mode::Words) {}
            if self.at_command_end() {
                break;
            }
            let function = self.word("a trend such as `sma5(field)`")?;
            if !self.eat("(", Mode::Words) {
                return Err(self.expected("`(`"));
            }
            let field = self.word("the name of a field")?;
            if !self.eat(")", Mode::Words) {
                return Err(self.expected("`)`"));
            }
            let alias = if self.eat_word("as") { Some(self.field_name("a name")?) } else { None };
            trends.push(Trend { function, field, alias });
        }
        if trends.is_empty() {
            Err(self.expected("a trend such as `sma5(field)`"))
        } else {
            Ok(CommandKind::Trendline(trends))
        }
    }

    /// `strcat allrequired=t field "text" … name`: quotes tell a text from a field.
    pub(super) fn strcat(&mut self) -> Parsed<CommandKind> {
        let settings = self.settings()?;
        let mut fields = Vec::new();
        while !self.at_command_end() {
            if !self.eat(",", Mode::Words) {
                fields.push(self.word("a field or a text")?);
            }
        }
        if fields.len() < 2 {
            Err(self.expected("fields and the name of a field"))
        } else {
            Ok(CommandKind::Plain { fields, settings })
        }
    }

    /// `set union|diff|intersect [ … ] [ … ]`.
    pub(super) fn set(&mut self) -> Parsed<CommandKind> {
        let operation = self.word("`union`, `diff` or `intersect`")?;
        if !["union", "diff", "intersect"].iter().any(|known| operation.is(known)) {
            return Err(self.report(
                Diagnostic::error("spl-expected", "`union`, `diff` or `intersect` expected")
                    .at(operation.span, "what is done with the two searches"),
            ));
        }
        let _: Settings = self.settings()?;
        let first = self.bracketed()?;
        self.eat(",", Mode::Words);
        Ok(CommandKind::Set { operation, searches: Box::new([first, self.bracketed()?]) })
    }
}
