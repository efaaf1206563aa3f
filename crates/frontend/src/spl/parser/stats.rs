//! `stats` and its kin: aggregates and groups.

use lurcher_diagnostics::Diagnostic;

use super::{Mode, Parsed, Parser};
use crate::spl::{
    ast::{Aggregation, Argument, Chart, CommandKind, Name, Settings, Stats, Top, Tstats},
    lexer::TokenKind,
};

impl Parser<'_> {
    /// `count, dc(x) AS y … BY a, b`.
    pub(super) fn stats(&mut self) -> Parsed<Stats> {
        let mut stats = Stats { settings: self.settings()?, ..Stats::default() };
        self.aggregations(&mut stats, &["by"])?;
        if self.eat_word("by") {
            self.groups(&mut stats)?;
        }
        // Some options may stand at the end.
        stats.settings.extend(self.settings()?);
        Ok(stats)
    }

    /// Aggregates up to the end of the command or one of these keywords; options may stand between them.
    fn aggregations(&mut self, stats: &mut Stats, keywords: &[&str]) -> Parsed<()> {
        loop {
            while self.eat(",", Mode::Words) {}
            if self.at_command_end() || keywords.iter().any(|keyword| self.at_word(keyword)) {
                return Ok(());
            }
            if self.setting_ahead() {
                stats.settings.push(self.setting()?);
                continue;
            }
            let aggregation = self.aggregation()?;
            stats.aggregates.push(aggregation);
        }
    }

    fn aggregation(&mut self) -> Parsed<Aggregation> {
        let function = self.word("an aggregate")?;
        let mut argument = None;
        if self.eat("(", Mode::Words) && !self.eat(")", Mode::Words) {
            argument = Some(if function.is("eval") {
                Argument::Expression(self.expression()?)
            } else {
                self.aggregate_argument()?
            });
            // `sparkline(count, 1h)`: the length of its intervals.
            if function.is("sparkline") && self.eat(",", Mode::Words) {
                self.word("a span of time")?;
            }
            if !self.eat(")", Mode::Words) {
                return Err(self.expected("`)`"));
            }
        }
        let output = if self.eat_word("as") { Some(self.field_name("a name")?) } else { None };
        let span = function.span.to(self.last);
        Ok(Aggregation { function, argument, output, span })
    }

    fn aggregate_argument(&mut self) -> Parsed<Argument> {
        let at = self.at;
        let word = self.word("a field")?;
        if !self.peek_is("(", Mode::Words) {
            return Ok(Argument::Field(word));
        }
        if word.is("eval") {
            self.bump(Mode::Words);
            let expr = self.expression()?;
            if !self.eat(")", Mode::Words) {
                return Err(self.expected("`)`"));
            }
            return Ok(Argument::Expression(expr));
        }
        // `sparkline(count)` and expressions without `eval`.
        self.at = at;
        Ok(Argument::Expression(self.expression()?))
    }

    /// `a, b, _time span=5m`.
    fn groups(&mut self, stats: &mut Stats) -> Parsed<()> {
        loop {
            while self.eat(",", Mode::Words) {}
            if self.at_command_end() || self.at_word("where") {
                return Ok(());
            }
            if self.setting_ahead() {
                let (name, value) = self.setting()?;
                if name.is("span") {
                    stats.span = Some(value);
                } else {
                    stats.settings.push((name, value));
                }
                continue;
            }
            let field = self.word("a field to group by")?;
            stats.by.push(field);
        }
    }

    /// `tstats` and `mstats`.
    pub(super) fn tstats(&mut self, metrics: bool) -> Parsed<Tstats> {
        let mut tstats = Tstats { metrics, ..Tstats::default() };
        let keywords = ["from", "where", "by", "groupby"];
        self.aggregations(&mut tstats.stats, &keywords)?;
        loop {
            if self.eat_word("from") {
                self.tstats_source(&mut tstats)?;
            } else if self.eat_word("where") {
                self.in_tstats = true;
                let filter = if self.at_word("by") { Ok(crate::spl::ast::Term::All) } else { self.term_or_all() };
                self.in_tstats = false;
                tstats.filter = Some(filter?);
            } else if self.eat_word("by") || self.eat_word("groupby") {
                self.groups(&mut tstats.stats)?;
            } else if self.setting_ahead() {
                let setting = self.setting()?;
                tstats.stats.settings.push(setting);
            } else if self.at_command_end() {
                return Ok(tstats);
            } else {
                return Err(self.expected("`from`, `where`, `by` or the end of the command"));
            }
        }
    }

    fn tstats_source(&mut self, tstats: &mut Tstats) -> Parsed<()> {
        if !self.setting_ahead() {
            // `from sid=…` aside, a lone word is a namespace of `tscollect`.
            let name = self.word("`datamodel=`")?;
            tstats.stats.settings.push((name.clone(), name));
            return Ok(());
        }
        let (name, value) = self.setting()?;
        if name.is("datamodel") {
            tstats.model = Some(value);
            return Ok(());
        }
        let _ = self.report(
            Diagnostic::error("spl-expected", "`datamodel=` expected").at(name.span, "rows come from a data model"),
        );
        Err(super::Failed)
    }

    /// `chart` and `timechart`.
    pub(super) fn chart(&mut self, time: bool) -> Parsed<CommandKind> {
        let mut stats = Stats { settings: self.settings()?, ..Stats::default() };
        self.aggregations(&mut stats, &["by", "over", "where"])?;
        let mut over = None;
        loop {
            if self.eat_word("over") {
                over = Some(self.word("a field")?);
            } else if self.eat_word("by") {
                self.groups(&mut stats)?;
            } else if self.setting_ahead() {
                let setting = self.setting()?;
                stats.settings.push(setting);
            } else if self.at_word("where") {
                // Which series are shown; the others are not.
                let at = self.peek_word();
                self.skip_command();
                stats.settings.extend(at.map(|at| (Name { text: "where".into(), ..at.clone() }, at)));
            } else {
                break;
            }
        }
        Ok(CommandKind::Chart(Box::new(Chart { stats, over, time })))
    }

    /// `top` and `rare`.
    pub(super) fn top(&mut self, rare: bool) -> Parsed<CommandKind> {
        let mut settings = Settings::new();
        let (mut fields, mut by): (Vec<Name>, Vec<Name>) = (Vec::new(), Vec::new());
        let mut limit = None;
        if let TokenKind::Word(word) = self.peek(Mode::Words).kind
            && let Ok(number) = word.parse()
        {
            limit = Some(number);
            self.bump(Mode::Words);
        }
        loop {
            fields.extend(self.fields_until(&["by"])?);
            if self.eat_word("by") {
                by.extend(self.fields_until(&[])?);
            } else if self.setting_ahead() {
                settings.push(self.setting()?);
            } else {
                break;
            }
        }
        if let Some(text) = Self::take(&mut settings, "limit") {
            limit = Some(self.count(&text)?);
        }
        if fields.is_empty() {
            return Err(self.expected("the name of a field"));
        }
        Ok(CommandKind::Top(Top { rare, limit, fields, by, settings }))
    }
}
