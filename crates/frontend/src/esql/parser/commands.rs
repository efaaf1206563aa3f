//! Commands.

use lurcher_diagnostics::Diagnostic;

use super::{Failed, Parsed, Parser};
use crate::{
    esql::{
        ast::{Aggregate, CommandKind, Expr, ExprKind, Field, Name, Order, PartsOf},
        lexer::Kind,
    },
    syntax::closest,
};

/// Every command that begins with a word of its own, for misspelt ones.
pub(in super::super) const COMMANDS: [&str; 39] = [
    "from",
    "row",
    "show",
    "ts",
    "explain",
    "where",
    "eval",
    "stats",
    "inline",
    "inlinestats",
    "keep",
    "drop",
    "rename",
    "sort",
    "limit",
    "dissect",
    "grok",
    "mv_expand",
    "enrich",
    "lookup",
    "fork",
    "fuse",
    "rerank",
    "completion",
    "change_point",
    "sample",
    "promql",
    "uri_parts",
    "registered_domain",
    "user_agent",
    "metrics_info",
    "ts_info",
    "dedup",
    "eql",
    "fillnull",
    "highlight",
    "ip_location",
    "mmr",
    "dense_vector",
];

impl Parser<'_> {
    /// One command. The first must be a source.
    pub(super) fn command(&mut self, first: bool) -> Parsed<CommandKind> {
        let name = match self.kind() {
            Kind::Word(word) => Name { text: word.to_ascii_lowercase().into(), span: self.peek_span() },
            Kind::End if first => {
                let span = self.peek_span();
                return Err(self.report(
                    Diagnostic::error("esql-empty", "there is no query")
                        .at(span, "nothing to run")
                        .with_help("a query begins with `FROM` or `ROW`"),
                ));
            }
            _ => return Err(self.expected("a command")),
        };
        let source = matches!(name.text.as_ref(), "from" | "row" | "show" | "ts" | "metrics" | "explain" | "promql");
        if COMMANDS.contains(&name.text.as_ref()) && first != source {
            let (message, help) = if first {
                (format!("a query cannot begin with `{}`", name.text.to_uppercase()), "begin with `FROM` or `ROW`")
            } else {
                (format!("`{}` can only begin a query", name.text.to_uppercase()), "put it first, without `|`")
            };
            let diagnostic = Diagnostic::error("esql-source", message).at(name.span, "not here").with_help(help);
            if first {
                // The rest is still read for its own faults.
                self.diagnostics.push(diagnostic);
            } else {
                return Err(self.report(diagnostic));
            }
        }
        self.tokens.bump();
        self.body(name)
    }

    fn body(&mut self, name: Name) -> Parsed<CommandKind> {
        Ok(match name.text.as_ref() {
            "from" => self.from()?,
            "row" => CommandKind::Row(self.list(Self::field)?),
            "where" => CommandKind::Where(self.expression()?),
            "eval" => CommandKind::Eval(self.list(Self::field)?),
            "stats" => self.stats(false)?,
            "inlinestats" => self.stats(true)?,
            "inline" => {
                if !self.eat_word("stats") {
                    return Err(self.expected("`STATS`"));
                }
                self.stats(true)?
            }
            "keep" => CommandKind::Keep(self.list(Self::name_pattern)?),
            "drop" => CommandKind::Drop(self.list(Self::name_pattern)?),
            "rename" => CommandKind::Rename(self.list(Self::renaming)?),
            "sort" => CommandKind::Sort(self.list(Self::order)?),
            "limit" => {
                let count = self.expression()?;
                let by = if self.eat_word("by") { self.list(Self::expression)? } else { Vec::new() };
                CommandKind::Limit { count, by }
            }
            "dissect" => self.dissect()?,
            "grok" => {
                let input = self.primary()?;
                CommandKind::Grok { input, patterns: self.list(|parser| parser.text("a pattern in double quotes"))? }
            }
            "mv_expand" => CommandKind::Expand(self.name()?),
            "enrich" => self.enrich()?,
            "lookup" => self.lookup()?,
            "completion" => self.completion()?,
            "uri_parts" => self.parts(PartsOf::Uri)?,
            "registered_domain" => self.parts(PartsOf::Domain)?,
            "user_agent" => self.parts(PartsOf::Agent)?,
            "ip_location" => self.parts(PartsOf::Address)?,
            "dedup" => CommandKind::Dedup,
            known if COMMANDS.contains(&known) => {
                self.skip_command();
                CommandKind::Other(name)
            }
            unknown => {
                let diagnostic = Diagnostic::error("esql-unknown-command", format!("there is no command `{unknown}`"))
                    .at(name.span, "unknown command");
                let diagnostic = match closest(unknown, COMMANDS) {
                    Some(meant) => diagnostic.with_help(format!("did you mean `{}`?", meant.to_uppercase())),
                    None => diagnostic.with_help("such as `WHERE`, `EVAL`, `STATS`, `KEEP`, `SORT` or `LIMIT`"),
                };
                return Err(self.report(diagnostic));
            }
        })
    }

    fn from(&mut self) -> Parsed<CommandKind> {
        let patterns = self.list(Self::source)?;
        let bracket = self.at("[") && self.word_at(1, "metadata");
        if bracket {
            self.eat("[");
        }
        let metadata = if self.eat_word("metadata") { self.list(Self::name)? } else { Vec::new() };
        if bracket {
            self.expect("]")?;
        }
        Ok(CommandKind::From { patterns, metadata })
    }

    /// An index pattern, with its cluster (`cluster:pattern`) or selector (`pattern::data`).
    fn source(&mut self) -> Parsed<Name> {
        let start = self.peek_span();
        if self.at("(") {
            self.skip_command();
            let span = start.to(self.tokens.last_span());
            return Ok(Name { text: "(".into(), span });
        }
        let mut text = String::new();
        loop {
            match self.kind() {
                Kind::Source(part) | Kind::Text(part) | Kind::Word(part) | Kind::Quoted(part) => text.push_str(part),
                _ => return Err(self.expected("an index pattern")),
            }
            self.tokens.bump();
            if self.eat("::") {
                text.push_str("::");
            } else if self.eat(":") {
                text.push(':');
            } else {
                break;
            }
        }
        Ok(Name { text: text.into(), span: start.to(self.tokens.last_span()) })
    }

    /// `name = value` or `value`.
    pub(super) fn field(&mut self) -> Parsed<Field> {
        if let Some(name) = self.assignment() {
            let value = self.expression()?;
            return Ok(Field { name, named: true, value });
        }
        let value = self.expression()?;
        let name = match &value.kind {
            ExprKind::Column(column) => std::sync::Arc::clone(column),
            _ => self.text.get(value.span.range()).unwrap_or("").into(),
        };
        Ok(Field { name: Name { text: name, span: value.span }, named: false, value })
    }

    /// The name before `=`, if one stands here.
    fn assignment(&mut self) -> Option<Name> {
        let mut ahead = 0;
        loop {
            if !matches!(self.tokens.peek_nth(ahead).kind, Kind::Word(_) | Kind::Quoted(_)) {
                return None;
            }
            ahead += 1;
            if self.mark_at(ahead, "=") {
                break;
            }
            if !self.mark_at(ahead, ".") {
                return None;
            }
            ahead += 1;
        }
        let name = self.name().ok()?;
        self.eat("=");
        Some(name)
    }

    fn stats(&mut self, inline: bool) -> Parsed<CommandKind> {
        let aggregates = if self.at_word("by") || self.at_end() || self.at("|") {
            Vec::new()
        } else {
            self.list(|parser| {
                let field = parser.field()?;
                let filter = if parser.eat_word("where") { Some(parser.expression()?) } else { None };
                Ok(Aggregate { field, filter })
            })?
        };
        let by = if self.eat_word("by") { self.list(Self::field)? } else { Vec::new() };
        if aggregates.is_empty() && by.is_empty() {
            return Err(self.expected("an aggregate or `BY`"));
        }
        Ok(CommandKind::Stats { inline, aggregates, by })
    }

    fn renaming(&mut self) -> Parsed<(Name, Name)> {
        let first = self.name()?;
        if self.eat_word("as") {
            return Ok((first, self.name()?));
        }
        if self.eat("=") {
            return Ok((self.name()?, first));
        }
        Err(self.expected("`AS`"))
    }

    fn order(&mut self) -> Parsed<Order> {
        let value = self.expression()?;
        let descending = self.eat_word("desc");
        if !descending {
            self.eat_word("asc");
        }
        let mut nulls_first = None;
        if self.eat_word("nulls") {
            nulls_first = Some(self.eat_word("first"));
            if nulls_first == Some(false) && !self.eat_word("last") {
                return Err(self.expected("`FIRST` or `LAST`"));
            }
        }
        Ok(Order { value, descending, nulls_first })
    }

    fn dissect(&mut self) -> Parsed<CommandKind> {
        let input = self.primary()?;
        let pattern = self.text("a pattern in double quotes")?;
        let mut separator = None;
        if let Some(option) = self.assignment() {
            if !option.text.eq_ignore_ascii_case("append_separator") {
                return Err(self.report(
                    Diagnostic::error("esql-option", format!("`DISSECT` has no option `{}`", option.text))
                        .at(option.span, "unknown option")
                        .with_help("the only option is `APPEND_SEPARATOR`"),
                ));
            }
            separator = Some(self.text("a text in double quotes")?);
        }
        Ok(CommandKind::Dissect { input, pattern, separator })
    }

    fn enrich(&mut self) -> Parsed<CommandKind> {
        let policy = self.source()?;
        let on = if self.eat_word("on") { Some(self.name()?) } else { None };
        let with = if self.eat_word("with") {
            Some(self.list(|parser| {
                let first = parser.name()?;
                let second = if parser.eat("=") { parser.name()? } else { first.clone() };
                Ok((first, second))
            })?)
        } else {
            None
        };
        Ok(CommandKind::Enrich { policy, on, with })
    }

    fn lookup(&mut self) -> Parsed<CommandKind> {
        if !self.eat_word("join") {
            return Err(self.expected("`JOIN`"));
        }
        let table = self.source()?;
        if self.eat_word("as") {
            self.name()?;
        }
        if !self.eat_word("on") {
            return Err(self.expected("`ON`"));
        }
        Ok(CommandKind::LookupJoin { table, on: self.list(Self::expression)? })
    }

    /// `prefix = input WITH { options }`.
    fn parts(&mut self, of: PartsOf) -> Parsed<CommandKind> {
        let Some(prefix) = self.assignment() else {
            let message = format!("`{}` does not say what its columns begin with", of.command());
            return Err(self.report(
                Diagnostic::error("esql-expected", message)
                    .at(self.peek_span(), "expected `prefix =`")
                    .with_help(format!("write `{} prefix = value`", of.command())),
            ));
        };
        let input = self.primary()?;
        let mut options = Vec::new();
        let takes_options = matches!(of, PartsOf::Agent | PartsOf::Address);
        if takes_options && self.eat_word("with") {
            if !self.at("{") {
                return Err(self.expected("`{`"));
            }
            if let ExprKind::Map(entries) = self.argument()?.kind {
                options = entries;
            }
        }
        Ok(CommandKind::Parts { of, prefix, input, options })
    }

    /// `COMPLETION column = prompt WITH { "inference_id": "…" }`; before 9.2 the endpoint's bare name stood behind `WITH`.
    fn completion(&mut self) -> Parsed<CommandKind> {
        let column = self.assignment();
        let prompt = self.primary()?;
        let mut options = Vec::new();
        if self.eat_word("with") {
            if self.at("{") {
                let map = self.argument()?;
                if let ExprKind::Map(entries) = map.kind {
                    options = entries;
                }
            } else {
                let name = self.name()?;
                let endpoint = Expr { kind: ExprKind::Text(std::sync::Arc::clone(&name.text)), span: name.span };
                options.push((Name { text: "inference_id".into(), span: name.span }, endpoint));
            }
        }
        Ok(CommandKind::Completion { column, prompt, options })
    }

    /// Reads an expression after which nothing of it may be left: used where a name alone is wanted.
    pub(super) fn unexpected(&mut self, expr: &Expr, message: &str) -> Failed {
        self.report(Diagnostic::error("esql-expected", message).at(expr.span, "not allowed here"))
    }
}
