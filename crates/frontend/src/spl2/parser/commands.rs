//! The commands, each with its own little grammar.

use std::sync::Arc;

use lurcher_diagnostics::Diagnostic;

use super::{
    super::{
        ast::{Aggregation, CommandKind, Dataset, Expr, ExprKind, Name, SpanClause, Stats},
        lexer::{TextPart, TokenKind},
    },
    Failed, Parsed, Parser, similar,
};

/// Commands that are read; those of the second list are known but not run.
const COMMANDS: [&str; 27] = [
    "from",
    "where",
    "eval",
    "stats",
    "select",
    "fields",
    "rename",
    "rex",
    "union",
    "into",
    "thru",
    "branch",
    "head",
    "limit",
    "sort",
    "dedup",
    "expand",
    "mvexpand",
    "flatten",
    "fillnull",
    "bin",
    "append",
    "search",
    "first_time_event",
    "adaptive_threshold",
    "conditional_anomaly",
    "apply_model",
];

/// Commands of the reference that the engine does not run.
const NOT_RUN: [&str; 28] = [
    "join",
    "lookup",
    "timechart",
    "timewrap",
    "eventstats",
    "streamstats",
    "reverse",
    "replace",
    "makemv",
    "mvcombine",
    "nomv",
    "tags",
    "typer",
    "untable",
    "iplocation",
    "convert",
    "addinfo",
    "appendcols",
    "appendpipe",
    "spl1",
    "group",
    "having",
    "order",
    "offset",
    "import",
    "export",
    "function",
    "route",
];

impl Parser<'_> {
    /// One command.
    pub(super) fn command(&mut self) -> Parsed<CommandKind> {
        let token = self.token().clone();
        if let TokenKind::Placeholder(text) = token.kind {
            self.at += 1;
            return Ok(CommandKind::Placeholder(Name { text, span: token.span }));
        }
        let TokenKind::Word(word) = token.kind else { return Err(self.expected("a command")) };
        let name = Name { text: Arc::clone(&word), span: token.span };
        let lower = word.to_ascii_lowercase();
        self.at += 1;
        match lower.as_str() {
            "from" => Ok(CommandKind::From(self.dataset()?)),
            "where" => Ok(CommandKind::Where(self.expression()?)),
            "eval" => self.eval(),
            "stats" => self.stats(),
            "select" => self.select(),
            "fields" => self.fields(),
            "rename" => self.rename(),
            "rex" => self.rex(&name),
            "union" => Ok(CommandKind::Union(self.separated(Self::dataset)?)),
            "append" if self.at_mark(&["(", "["]) => Ok(CommandKind::Append(self.bracketed_pipeline()?)),
            "into" => self.into(),
            "thru" => Ok(CommandKind::Into { sink: self.dataset()?, go_on: true }),
            "branch" => Ok(CommandKind::Branch(self.separated(Self::bracketed_pipeline)?)),
            "head" | "limit" => Ok(self.head()),
            "sort" => self.sort(),
            "dedup" => self.dedup(name),
            "mvexpand" => Ok(CommandKind::Unfold { field: self.field_name("a field")?, rows: true, members: false }),
            "expand" => Ok(CommandKind::Unfold { field: self.field_name("a field")?, rows: true, members: true }),
            "flatten" => Ok(CommandKind::Unfold { field: self.field_name("a field")?, rows: false, members: true }),
            "fillnull" => self.fill_null(),
            "bin" => self.bin(name),
            "first_time_event" | "adaptive_threshold" | "conditional_anomaly" | "apply_model" => {
                Ok(CommandKind::Model { name: Name { text: lower.into(), span: name.span }, options: self.options()? })
            }
            other if NOT_RUN.contains(&other) || COMMANDS.contains(&other) => {
                self.skip_command();
                Ok(CommandKind::Unsupported(name))
            }
            other => Err(self.unknown_command(&name, other)),
        }
    }

    fn unknown_command(&mut self, name: &Name, lower: &str) -> Failed {
        let mut diagnostic = Diagnostic::error("spl2-unknown-command", format!("there is no command `{}`", name.text))
            .at(name.span, "unknown command");
        if let Some(meant) = similar(lower, COMMANDS.into_iter().chain(NOT_RUN)) {
            diagnostic = diagnostic.with_help(format!("did you mean `{meant}`?"));
        } else if matches!(&self.token().kind, TokenKind::Mark("=")) {
            diagnostic = diagnostic.with_help("an assignment needs `eval` before it");
        } else {
            diagnostic = diagnostic.with_help("commands are `from`, `where`, `eval`, `stats`, `fields`, `into` …");
        }
        self.report(diagnostic)
    }

    /// Items separated by commas, at least one.
    fn separated<T>(&mut self, mut item: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.eat(",") {
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn dataset(&mut self) -> Parsed<Dataset> {
        let token = self.token().clone();
        match token.kind {
            TokenKind::Variable(text) => {
                self.at += 1;
                Ok(Dataset::Variable(Name { text, span: token.span }))
            }
            TokenKind::Mark("(" | "[") => Ok(Dataset::Pipeline(self.bracketed_pipeline()?)),
            _ => {
                let name = self.field_name("a data set")?;
                let open = self.token().span;
                if !self.eat("(") {
                    return Ok(Dataset::Named(name));
                }
                while !self.at_end() && !self.at_mark(&[")", "|", ";"]) {
                    self.at += 1;
                }
                self.close(")", open)?;
                Ok(Dataset::Function(name))
            }
        }
    }

    fn into(&mut self) -> Parsed<CommandKind> {
        if self.at_word("append") || self.at_word("overwrite") {
            self.at += 1;
        }
        Ok(CommandKind::Into { sink: self.dataset()?, go_on: false })
    }

    fn eval(&mut self) -> Parsed<CommandKind> {
        let assignments = self.separated(|parser| {
            let name = parser.next_name("a field to assign to")?;
            if parser.at_mark(&["."]) {
                return Err(parser.report(
                    Diagnostic::error("spl2-member-assignment", "`eval` cannot assign to a member of an object")
                        .at(name.span.to(parser.token().span), "only whole fields are assigned")
                        .with_help("assign the whole object, `a = {\"b\": …}`, or quote a name with a dot: `'a.b'`"),
                ));
            }
            if parser.at_mark(&["=="]) {
                let span = parser.token().span;
                return Err(parser.report(
                    Diagnostic::error("spl2-expected", "expected `=`, found `==`")
                        .at(span, "`==` compares")
                        .with_help("assign with a single `=`"),
                ));
            }
            parser.expect("=")?;
            Ok((name, parser.expression()?))
        })?;
        Ok(CommandKind::Eval(assignments))
    }

    /// The name that follows `as`, or else one made from the expression.
    fn output_name(&mut self, expr: &Expr) -> Parsed<Name> {
        if self.eat_word("as") {
            return self.field_name("a name after `as`");
        }
        Ok(Name { text: self.file.slice(expr.span).trim_matches('\'').into(), span: expr.span })
    }

    fn select(&mut self) -> Parsed<CommandKind> {
        let items = self.separated(|parser| {
            let expr = parser.expression()?;
            let name = parser.output_name(&expr)?;
            Ok((expr, name))
        })?;
        Ok(CommandKind::Select(items))
    }

    fn fields(&mut self) -> Parsed<CommandKind> {
        let drop = self.eat("-");
        if !drop {
            self.eat("+");
        }
        Ok(CommandKind::Fields { drop, names: self.separated(|parser| parser.field_name("a field"))? })
    }

    fn rename(&mut self) -> Parsed<CommandKind> {
        let pairs = self.separated(|parser| {
            let from = parser.field_name("a field")?;
            if !parser.eat_word("as") {
                return Err(parser.expected("`as`"));
            }
            Ok((from, parser.field_name("the new name")?))
        })?;
        Ok(CommandKind::Rename(pairs))
    }

    fn rex(&mut self, command: &Name) -> Parsed<CommandKind> {
        let mut field = Name { text: "_raw".into(), span: command.span };
        let mut pattern = None;
        loop {
            let token = self.token().clone();
            match token.kind {
                TokenKind::Text(parts) => {
                    // A `${` in an expression is no template: it is put back as it was.
                    let text = parts.iter().map(|part| match part {
                        TextPart::Literal(text) => text.clone(),
                        TextPart::Expression(span) => format!("${{{}}}", self.file.slice(*span)),
                    });
                    pattern = Some(Name { text: text.collect::<String>().into(), span: token.span });
                    self.at += 1;
                }
                TokenKind::Regex(text) => {
                    pattern = Some(Name { text, span: token.span });
                    self.at += 1;
                }
                TokenKind::Word(word) if self.mark_at(1) == Some("=") => {
                    self.at += 2;
                    match word.to_ascii_lowercase().as_str() {
                        "field" => field = self.field_name("a field")?,
                        "max_match" if matches!(self.token().kind, TokenKind::Integer(1)) => self.at += 1,
                        _ => {
                            self.skip_command();
                            return Ok(CommandKind::Unsupported(command.clone()));
                        }
                    }
                }
                _ => break,
            }
        }
        let Some(pattern) = pattern else { return Err(self.expected("an expression in double quotes")) };
        Ok(CommandKind::Rex { field, pattern })
    }

    fn count(&mut self) -> Option<u64> {
        if let TokenKind::Integer(number) = self.token().kind {
            self.at += 1;
            return u64::try_from(number).ok();
        }
        None
    }

    fn head(&mut self) -> CommandKind {
        if self.at_word("limit") && self.mark_at(1) == Some("=") {
            self.at += 2;
        }
        CommandKind::Head(self.count().unwrap_or(10))
    }

    fn sort(&mut self) -> Parsed<CommandKind> {
        let limit = self.count();
        let by = self.separated(|parser| {
            let descending = parser.eat("-");
            if !descending {
                parser.eat("+");
            }
            let expr = parser.path()?;
            let word = parser.eat_word("desc");
            if !word {
                parser.eat_word("asc");
            }
            Ok((expr, descending || word))
        })?;
        Ok(CommandKind::Sort { limit: limit.filter(|limit| *limit > 0), by })
    }

    fn dedup(&mut self, command: Name) -> Parsed<CommandKind> {
        let kept = self.count().unwrap_or(1);
        let mut names = Vec::new();
        while matches!(self.token().kind, TokenKind::Word(_) | TokenKind::Quoted(_)) && self.mark_at(1) != Some("=") {
            names.push(self.field_name("a field")?);
            self.eat(",");
        }
        if kept != 1 || self.mark_at(1) == Some("=") {
            self.skip_command();
            return Ok(CommandKind::Unsupported(command));
        }
        if names.is_empty() { Err(self.expected("a field")) } else { Ok(CommandKind::Dedup(names)) }
    }

    fn fill_null(&mut self) -> Parsed<CommandKind> {
        let mut value = Expr::new(ExprKind::Integer(0), self.previous_span());
        if self.at_word("value") && self.mark_at(1) == Some("=") {
            self.at += 2;
            value = self.expression()?;
        }
        let mut names = Vec::new();
        while matches!(self.token().kind, TokenKind::Word(_) | TokenKind::Quoted(_)) {
            names.push(self.field_name("a field")?);
            self.eat(",");
        }
        Ok(CommandKind::FillNull { value, names })
    }

    fn bin(&mut self, command: Name) -> Parsed<CommandKind> {
        let mut span = None;
        let mut field = None;
        loop {
            if self.at_word("span") && self.mark_at(1) == Some("=") {
                self.at += 2;
                span = Some(self.expression()?);
            } else if matches!(self.token().kind, TokenKind::Word(_) | TokenKind::Quoted(_)) && field.is_none() {
                field = Some(self.field_name("a field")?);
            } else {
                break;
            }
        }
        let Some(field) = field else { return Err(self.expected("a field")) };
        let output = if self.eat_word("as") { self.field_name("a name after `as`")? } else { field.clone() };
        Ok(match span {
            Some(span) => CommandKind::Bin { span, field, output },
            None => CommandKind::Unsupported(command),
        })
    }

    /// `name=value` pairs of a model.
    fn options(&mut self) -> Parsed<Vec<(Name, Expr)>> {
        let mut options = Vec::new();
        while matches!(self.token().kind, TokenKind::Word(_)) {
            let name = self.next_name("an option")?;
            self.expect("=")?;
            options.push((name, self.expression()?));
            self.eat(",");
        }
        Ok(options)
    }

    /// A field or a path of members.
    fn path(&mut self) -> Parsed<Expr> {
        let first = self.next_name("a field")?;
        let mut expr = Expr::new(ExprKind::Name(first.text), first.span);
        while self.eat(".") {
            let member = self.next_name("the name of a member")?;
            let span = expr.span.to(member.span);
            expr = Expr::new(ExprKind::Member(Box::new(expr), member.text), span);
            if expr.height > super::MAX_HEIGHT {
                return Err(self.too_deep());
            }
        }
        Ok(expr)
    }

    fn stats(&mut self) -> Parsed<CommandKind> {
        let mut aggregates = vec![self.aggregation()?];
        while self.eat(",") || matches!(&self.token().kind, TokenKind::Word(_)) && !self.at_word("by") {
            aggregates.push(self.aggregation()?);
        }
        let mut stats = Stats { aggregates, keys: Vec::new(), span: None };
        if !self.eat_word("by") {
            return Ok(CommandKind::Stats(stats));
        }
        loop {
            if self.at_word("span") && self.mark_at(1) == Some("(") {
                stats.span = Some(self.span_clause()?);
            } else {
                let expr = self.path()?;
                let name = self.output_name(&expr)?;
                stats.keys.push((expr, name));
            }
            if !self.eat(",") {
                return Ok(CommandKind::Stats(stats));
            }
        }
    }

    fn aggregation(&mut self) -> Parsed<Aggregation> {
        let function = self.next_name("an aggregate")?;
        let open = self.token().span;
        let mut argument = None;
        if self.eat("(") {
            if !self.at_mark(&[")"]) && !self.eat("*") {
                argument = Some(self.expression()?);
            }
            self.close(")", open)?;
        }
        let span = function.span.to(self.previous_span());
        let output = self.output_name(&Expr::new(ExprKind::Null, span))?;
        Ok(Aggregation { function, argument, output })
    }

    fn span_clause(&mut self) -> Parsed<SpanClause> {
        self.at += 1;
        let open = self.token().span;
        self.expect("(")?;
        let time = self.path()?;
        self.expect(",")?;
        let size = self.duration()?;
        let slide = if self.eat(",") { Some(self.duration()?) } else { None };
        if self.eat(",") {
            self.duration()?;
        }
        self.close(")", open)?;
        Ok(SpanClause { time, size, slide })
    }

    fn duration(&mut self) -> Parsed<u64> {
        let token = self.token().clone();
        match token.kind {
            TokenKind::Duration(millis) if millis > 0 => {
                self.at += 1;
                Ok(millis)
            }
            _ => {
                let message = format!("expected a length of time, found {}", self.found());
                Err(self.report(
                    Diagnostic::error("spl2-duration", message)
                        .at(token.span, "a length of time expected")
                        .with_help("write a number and a unit without a blank: `300s`, `10m`, `1h`, `1d`"),
                ))
            }
        }
    }
}
