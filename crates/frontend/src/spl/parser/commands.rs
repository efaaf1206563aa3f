//! Commands, one by one.

use lurcher_diagnostics::Diagnostic;

use super::{
    Failed, Mode, Parsed, Parser,
    names::{NOT_RUN, PLAIN, RUN},
};
use crate::spl::{
    ast::{CommandKind, Condition, Conversion, LookupCommand, Name, ReturnField, Rex, Settings, SortKey},
    lexer::TokenKind,
};

impl Parser<'_> {
    /// The rest of a command whose name has been read.
    pub(super) fn command_kind(&mut self, name: &Name) -> Parsed<CommandKind> {
        let lower = name.text.to_ascii_lowercase();
        Ok(match lower.as_str() {
            "search" | "metasearch" => CommandKind::Search(self.term_or_all()?),
            "where" => CommandKind::Where(self.expression()?),
            "eval" => CommandKind::Eval(self.assignments()?),
            "stats" | "sistats" => CommandKind::Stats(self.stats()?),
            "eventstats" => CommandKind::Eventstats(self.stats()?),
            "streamstats" => CommandKind::Streamstats(self.stats()?),
            "tstats" => CommandKind::Tstats(Box::new(self.tstats(false)?)),
            "mstats" => CommandKind::Tstats(Box::new(self.tstats(true)?)),
            "chart" | "sichart" => self.chart(false)?,
            "timechart" | "sitimechart" => self.chart(true)?,
            "top" | "sitop" => self.top(false)?,
            "rare" | "sirare" => self.top(true)?,
            "table" => CommandKind::Table(self.some_fields()?),
            "fields" => self.fields_command()?,
            "rename" => self.rename()?,
            "rex" => self.rex()?,
            "regex" => self.regex_command()?,
            "lookup" | "inputlookup" | "outputlookup" | "iplocation" => self.table_command(&lower)?,
            "dedup" | "sort" | "head" | "tail" | "reverse" => self.ordering(&lower)?,
            "spath" | "xmlkv" | "xpath" | "extract" | "kv" | "fromjson" => self.extraction(&lower)?,
            "transaction" => self.transaction()?,
            "foreach" => self.foreach()?,
            "map" => self.map()?,
            "multikv" => self.multikv()?,
            "from" | "datamodel" | "makeresults" | "format" | "return" => self.source(&lower)?,
            "accum" | "delta" | "autoregress" => self.series()?,
            "trendline" => self.trendline()?,
            "set" => self.set()?,
            "apply" => self.apply()?,
            "strcat" => self.strcat()?,
            known if PLAIN.contains(&known) => {
                let (fields, settings) = self.fields_and_settings()?;
                CommandKind::Plain { fields, settings }
            }
            known if RUN.contains(&known) => self.column_command(known)?,
            known if NOT_RUN.contains(&known) => {
                self.skip_command();
                CommandKind::NotRun
            }
            _ => return Err(self.unknown_command(name)),
        })
    }

    /// Commands that change columns.
    fn column_command(&mut self, name: &str) -> Parsed<CommandKind> {
        Ok(match name {
            "bin" | "bucket" | "discretize" => self.bin()?,
            "fillnull" => {
                let (fields, mut settings) = self.fields_and_settings()?;
                CommandKind::Fillnull { value: Self::take(&mut settings, "value"), fields }
            }
            "filldown" => CommandKind::Filldown(self.fields_until(&[])?),
            "convert" => self.convert()?,
            "fieldformat" => {
                let field = self.word("the name of a field")?;
                if !self.eat("=", Mode::Words) {
                    return Err(self.expected("`=`"));
                }
                CommandKind::Fieldformat(field, self.expression()?)
            }
            "makemv" | "mvexpand" | "mvcombine" => {
                let (fields, settings) = self.fields_and_settings()?;
                let Some(field) = fields.into_iter().next() else {
                    return Err(self.expected("the name of a field"));
                };
                match name {
                    "makemv" => CommandKind::Makemv { field, settings },
                    "mvexpand" => CommandKind::Mvexpand { field, settings },
                    _ => CommandKind::Mvcombine { field, settings },
                }
            }
            "nomv" => CommandKind::Nomv(self.word("the name of a field")?),
            "addtotals" => {
                let (fields, settings) = self.fields_and_settings()?;
                CommandKind::Addtotals { settings, fields }
            }
            "addinfo" => CommandKind::Addinfo,
            "replace" => self.replace()?,
            _ => {
                self.skip_command();
                CommandKind::Nothing
            }
        })
    }

    fn fields_command(&mut self) -> Parsed<CommandKind> {
        let mut remove = false;
        if self.eat_word("-") {
            remove = true;
        } else {
            self.eat_word("+");
        }
        let mut names = self.some_fields()?;
        // `-a` without a blank.
        if let Some(first) = names.first_mut()
            && !first.quoted
            && let Some(rest) = first.text.strip_prefix('-').filter(|rest| !rest.is_empty())
        {
            remove = true;
            first.text = rest.into();
        }
        Ok(CommandKind::Fields { remove, names })
    }

    fn rename(&mut self) -> Parsed<CommandKind> {
        let mut pairs = Vec::new();
        while !self.at_command_end() {
            if self.eat(",", Mode::Words) {
                continue;
            }
            let from = self.field_name("the name of a field")?;
            if !self.eat_word("as") {
                return Err(self.expected("`as`"));
            }
            pairs.push((from, self.field_name("the new name")?));
        }
        if pairs.is_empty() { Err(self.expected("the name of a field")) } else { Ok(CommandKind::Rename(pairs)) }
    }

    fn rex(&mut self) -> Parsed<CommandKind> {
        let mut settings = self.settings()?;
        let pattern = self.word("a regular expression in quotes")?;
        settings.extend(self.settings()?);
        let max_match = match Self::take(&mut settings, "max_match") {
            Some(text) => self.count(&text)?,
            None => 1,
        };
        let sed = Self::take(&mut settings, "mode").is_some_and(|mode| mode.is("sed"));
        Ok(CommandKind::Rex(Rex {
            field: Self::take(&mut settings, "field"),
            pattern,
            max_match,
            sed,
            offset_field: Self::take(&mut settings, "offset_field"),
        }))
    }

    fn regex_command(&mut self) -> Parsed<CommandKind> {
        let first = self.word("a regular expression")?;
        let negated = match self.peek(Mode::Words).kind {
            TokenKind::Mark("=" | "==") => false,
            TokenKind::Mark("!=") => true,
            _ => return Ok(CommandKind::Regex { field: None, negated: false, pattern: first }),
        };
        self.bump(Mode::Words);
        let pattern = self.value("a regular expression")?;
        Ok(CommandKind::Regex { field: Some(first), negated, pattern })
    }

    /// Commands with searches in brackets.
    pub(super) fn combination(&mut self, name: &str) -> Parsed<CommandKind> {
        Ok(match name {
            "join" => {
                let (fields, settings) = self.fields_and_settings()?;
                CommandKind::Join { settings, fields, search: self.bracketed()? }
            }
            "append" => {
                self.settings()?;
                CommandKind::Append(self.bracketed()?)
            }
            "appendcols" => CommandKind::Appendcols { settings: self.settings()?, search: self.bracketed()? },
            "appendpipe" => {
                self.settings()?;
                CommandKind::Appendpipe(self.bracketed()?)
            }
            _ => {
                self.settings()?;
                let mut searches = Vec::new();
                loop {
                    while self.eat(",", Mode::Words) {}
                    if self.at_command_end() {
                        break;
                    }
                    searches.push(self.bracketed()?);
                }
                CommandKind::Union(searches)
            }
        })
    }

    /// Commands that read or write tables.
    fn table_command(&mut self, name: &str) -> Parsed<CommandKind> {
        let mut settings = self.settings()?;
        match name {
            "lookup" => {
                let name = self.word("the name of a lookup")?;
                self.settings()?;
                let keys = self.pairs_until(&["output", "outputnew"])?;
                let outputs = if self.eat_word("outputnew") {
                    Some((true, self.pairs_until(&[])?))
                } else if self.eat_word("output") {
                    Some((false, self.pairs_until(&[])?))
                } else {
                    None
                };
                if keys.is_empty() {
                    return Err(self.expected("the field to look up"));
                }
                Ok(CommandKind::Lookup(LookupCommand { name, keys, outputs }))
            }
            "inputlookup" => {
                let name = self.word("the name of a lookup")?;
                settings.extend(self.settings()?);
                let filter = if self.eat_word("where") { Some(self.term_or_all()?) } else { None };
                Ok(CommandKind::Inputlookup { name, settings, filter })
            }
            "outputlookup" => {
                let name = self.word("the name of a lookup")?;
                settings.extend(self.settings()?);
                Ok(CommandKind::Outputlookup { name, settings })
            }
            _ => {
                let field = self.word("the name of a field")?;
                settings.extend(self.settings()?);
                Ok(CommandKind::Iplocation { field, settings })
            }
        }
    }

    /// `apply NAME [as FIELD] [option=value …]`.
    fn apply(&mut self) -> Parsed<CommandKind> {
        let mut settings = self.settings()?;
        let model = self.word("the name of a model")?;
        settings.extend(self.settings()?);
        let alias = if self.eat_word("as") { Some(self.word("the new name")?) } else { None };
        settings.extend(self.settings()?);
        Ok(CommandKind::Apply { model, alias, settings })
    }

    /// Commands that order or choose rows.
    fn ordering(&mut self, name: &str) -> Parsed<CommandKind> {
        Ok(match name {
            "dedup" => {
                let mut count = 1;
                if let TokenKind::Word(word) = self.peek(Mode::Words).kind
                    && let Ok(number) = word.parse()
                {
                    count = number;
                    self.bump(Mode::Words);
                }
                let (mut fields, mut settings) = (Vec::new(), Settings::new());
                let mut sort = Vec::new();
                loop {
                    fields.extend(self.fields_until(&["sortby"])?);
                    if self.setting_ahead() {
                        settings.push(self.setting()?);
                    } else if self.eat_word("sortby") {
                        sort = self.sort_keys()?;
                    } else {
                        break;
                    }
                }
                CommandKind::Dedup { count, fields, settings, sort }
            }
            "sort" => {
                let mut limit = None;
                if let TokenKind::Word(word) = self.peek(Mode::Words).kind
                    && let Ok(number) = word.parse::<u64>()
                {
                    limit = Some(number);
                    self.bump(Mode::Words);
                }
                if self.setting_ahead() && self.at_word("limit") {
                    let (_, value) = self.setting()?;
                    limit = Some(self.count(&value)?);
                }
                CommandKind::Sort { limit, keys: self.sort_keys()? }
            }
            "head" => self.head()?,
            "tail" => CommandKind::Tail(self.optional_count()?.unwrap_or(10)),
            _ => CommandKind::Reverse,
        })
    }

    fn head(&mut self) -> Parsed<CommandKind> {
        if self.at_command_end() {
            return Ok(CommandKind::Head { count: Some(10), condition: None, settings: Settings::new() });
        }
        if let Some(count) = self.optional_count()? {
            return Ok(CommandKind::Head { count: Some(count), condition: None, settings: self.settings()? });
        }
        let mut settings = Settings::new();
        while self.setting_ahead() && ["limit", "null", "keeplast"].iter().any(|word| self.at_word(word)) {
            settings.push(self.setting()?);
        }
        let mut count = None;
        if let Some(text) = Self::take(&mut settings, "limit") {
            count = Some(self.count(&text)?);
        }
        let condition = if self.at_command_end() { None } else { Some(self.expression()?) };
        settings.extend(self.settings()?);
        if let Some(text) = Self::take(&mut settings, "limit") {
            count = Some(self.count(&text)?);
        }
        Ok(CommandKind::Head { count, condition, settings })
    }

    fn optional_count(&mut self) -> Parsed<Option<u64>> {
        match self.peek_word() {
            Some(word) if !word.quoted && word.text.bytes().all(|b| b.is_ascii_digit()) => {
                self.bump(Mode::Words);
                self.count(&word).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// `- a, +b, num(c), d desc`.
    fn sort_keys(&mut self) -> Parsed<Vec<SortKey>> {
        let mut keys = Vec::new();
        let mut descending = false;
        loop {
            if self.eat(",", Mode::Words) {
                continue;
            }
            if self.at_command_end() || self.setting_ahead() {
                break;
            }
            let mut word = self.word("the name of a field")?;
            if !word.quoted {
                // A sign holds for the fields behind it until the next sign.
                if word.text.starts_with(['-', '+']) {
                    descending = word.text.starts_with('-');
                    let rest = word.text[1..].to_owned();
                    if rest.is_empty() {
                        continue;
                    }
                    word.text = rest.into();
                } else if word.is("d") || word.is("desc") {
                    keys.iter_mut().for_each(|key: &mut SortKey| key.descending = !key.descending);
                    continue;
                } else if word.is("asc") || word.is("a") && !keys.is_empty() && self.at_command_end() {
                    continue;
                }
            }
            let mut order = None;
            let ordered = ["num", "str", "ip", "auto"].iter().any(|known| word.is(known));
            if !ordered
                && !word.quoted
                && self.file.text().get(word.span.end as usize..).is_some_and(|r| r.starts_with('('))
            {
                // `- count(x)`: the name that an aggregate gave.
                let rest = self.bracketed_name(&word)?;
                word.text = rest.into();
            }
            if ["num", "str", "ip", "auto"].iter().any(|known| word.is(known)) && self.eat("(", Mode::Words) {
                order = Some(word);
                word = self.word("the name of a field")?;
                if !self.eat(")", Mode::Words) {
                    return Err(self.expected("`)`"));
                }
            }
            keys.push(SortKey { field: word, descending, order });
            // After a comma the sign is written again.
            if self.peek_is(",", Mode::Words) {
                descending = false;
            }
        }
        Ok(keys)
    }

    /// The rest of a name with brackets, behind a word that has been read (and may have lost its sign).
    fn bracketed_name(&mut self, word: &Name) -> Parsed<String> {
        let start = self.at;
        let text = self.file.text().get(start..self.end).unwrap_or_default();
        let Some(length) = text.find(')') else { return Err(self.expected("`)`")) };
        let inner = text.get(..=length).unwrap_or_default().to_owned();
        self.at = start + length + 1;
        Ok(format!("{}{inner}", word.text))
    }

    fn extraction(&mut self, name: &str) -> Parsed<CommandKind> {
        let (fields, mut settings) = self.fields_and_settings()?;
        if name == "xpath" {
            return Ok(CommandKind::Plain { fields, settings });
        }
        let first = fields.into_iter().next();
        Ok(match name {
            "spath" => CommandKind::Spath {
                input: Self::take(&mut settings, "input"),
                output: Self::take(&mut settings, "output"),
                path: Self::take(&mut settings, "path").or(first),
            },
            "xmlkv" => CommandKind::Xmlkv(first),
            "fromjson" => match first {
                Some(field) => CommandKind::Fromjson { field, settings },
                None => return Err(self.expected("the name of a field")),
            },
            _ => CommandKind::Extract(settings),
        })
    }

    fn bin(&mut self) -> Parsed<CommandKind> {
        let mut settings = self.settings()?;
        let field = self.word("the name of a field")?;
        let mut alias = None;
        if self.eat_word("as") {
            alias = Some(self.word("a name")?);
        }
        settings.extend(self.settings()?);
        if alias.is_none() && self.eat_word("as") {
            alias = Some(self.word("a name")?);
        }
        Ok(CommandKind::Bin { field, alias, settings })
    }

    fn convert(&mut self) -> Parsed<CommandKind> {
        let mut settings = self.settings()?;
        let mut conversions = Vec::new();
        loop {
            while self.eat(",", Mode::Words) {}
            if self.at_command_end() {
                break;
            }
            if self.setting_ahead() {
                settings.push(self.setting()?);
                continue;
            }
            let function = self.word("a function such as `ctime(field)`")?;
            if !self.eat("(", Mode::Words) {
                return Err(self.expected("`(`"));
            }
            let field = self.word("the name of a field")?;
            if !self.eat(")", Mode::Words) {
                return Err(self.expected("`)`"));
            }
            let alias = if self.eat_word("as") { Some(self.word("a name")?) } else { None };
            conversions.push(Conversion { function, field, alias });
        }
        Ok(CommandKind::Convert { settings, conversions })
    }

    fn replace(&mut self) -> Parsed<CommandKind> {
        let mut pairs = Vec::new();
        loop {
            while self.eat(",", Mode::Words) {}
            if self.at_command_end() || self.at_word("in") {
                break;
            }
            let from = self.word("what is replaced")?;
            if !self.eat_word("with") {
                return Err(self.expected("`with`"));
            }
            pairs.push((from, self.word("a text")?));
        }
        let fields = if self.eat_word("in") { self.some_fields()? } else { Vec::new() };
        if pairs.is_empty() {
            Err(self.expected("what is replaced"))
        } else {
            Ok(CommandKind::Replace { pairs, fields })
        }
    }

    fn transaction(&mut self) -> Parsed<CommandKind> {
        let (mut fields, mut settings) = (Vec::new(), Settings::new());
        let (mut starts, mut ends) = (None, None);
        loop {
            fields.extend(self.fields_until(&[])?);
            if !self.setting_ahead() {
                break;
            }
            if self.at_word("startswith") || self.at_word("endswith") {
                let starting = self.at_word("startswith");
                self.bump(Mode::Words);
                self.bump(Mode::Words);
                let condition = self.condition()?;
                if starting {
                    starts = Some(condition);
                } else {
                    ends = Some(condition);
                }
            } else {
                settings.push(self.setting()?);
            }
        }
        Ok(CommandKind::Transaction { fields, settings, starts, ends })
    }

    /// `"terms"`, `eval(expression)`, `(terms)`.
    fn condition(&mut self) -> Parsed<Condition> {
        if self.eat_word("eval") && self.eat("(", Mode::Words) {
            let expr = self.expression()?;
            if !self.eat(")", Mode::Words) {
                return Err(self.expected("`)`"));
            }
            return Ok(Condition::Eval(expr));
        }
        if self.eat("(", Mode::Words) {
            let term = self.term()?;
            if !self.eat(")", Mode::Words) {
                return Err(self.expected("`)`"));
            }
            return Ok(Condition::Search(term));
        }
        let text = self.value("terms in quotes")?;
        let file = lurcher_diagnostics::SourceFile::new(self.file.name(), text.text.as_ref());
        match super::term(&file) {
            (Some(term), diagnostics) if diagnostics.is_empty() => Ok(Condition::Search(term)),
            _ => Err(self.report(
                Diagnostic::error("spl-expected", "terms expected").at(text.span, "these terms cannot be read"),
            )),
        }
    }

    fn foreach(&mut self) -> Parsed<CommandKind> {
        let (fields, settings) = self.fields_and_settings()?;
        Ok(CommandKind::Foreach { fields, settings, template: self.bracketed_text()? })
    }

    fn map(&mut self) -> Parsed<CommandKind> {
        let mut settings = self.settings()?;
        let mut search = Self::take(&mut settings, "search");
        if search.is_none() && self.peek_is("[", Mode::Words) {
            search = Some(self.bracketed_text()?);
        } else if let Some(name) = self.peek_word().filter(|_| search.is_none()) {
            // The name of a saved search.
            self.bump(Mode::Words);
            return Err(self.report(
                Diagnostic::error("spl-expected", "`search=` expected").at(name.span, "saved searches are not known"),
            ));
        }
        settings.extend(self.settings()?);
        Ok(CommandKind::Map { search, settings })
    }

    fn source(&mut self, name: &str) -> Parsed<CommandKind> {
        Ok(match name {
            "from" => {
                self.eat("(", Mode::Words);
                let first = self.word("`datamodel:` or `lookup:`")?;
                if first.is("datamodel") || first.is("datamodel:") || first.is("lookup:") {
                    self.eat("=", Mode::Words);
                    let second = self.value("the name of a data set")?;
                    let kind = first.text.trim_end_matches(':');
                    let text = format!("{kind}:{}", second.text.trim_start_matches(':'));
                    let span = first.span.to(second.span);
                    return Ok(CommandKind::From(Name { text: text.into(), span, quoted: false }));
                }
                CommandKind::From(first)
            }
            "datamodel" => {
                let mut words = self.fields_until(&["search", "flat", "acceleration_search", "search_string"])?;
                let mode = self.peek_word();
                if mode.is_some() {
                    self.bump(Mode::Words);
                }
                self.skip_command();
                words.truncate(2);
                let object = if words.len() > 1 { words.pop() } else { None };
                CommandKind::Datamodel { model: words.pop(), object, mode }
            }
            "makeresults" => {
                let settings = self.settings()?;
                self.skip_command();
                CommandKind::Makeresults(settings)
            }
            "format" => self.format()?,
            _ => self.return_command()?,
        })
    }

    fn format(&mut self) -> Parsed<CommandKind> {
        let start = self.peek(Mode::Words).span;
        let (mut settings, mut words) = (Settings::new(), Vec::new());
        while !self.at_command_end() {
            if self.setting_ahead() {
                settings.push(self.setting()?);
            } else if !self.eat(",", Mode::Words) {
                words.push(self.word("a text in quotes")?);
            }
        }
        if !matches!(words.len(), 0 | 6) {
            return Err(self.report(
                Diagnostic::error("spl-expected", "six texts expected, or none")
                    .at(start.to(self.last), format!("{} given", words.len()))
                    .with_help(r#"the defaults are `"(" "(" "AND" ")" "OR" ")"`"#),
            ));
        }
        Ok(CommandKind::Format { settings, words })
    }

    /// `multikv [name=value …] [fields a, b] [filter "text" …]`.
    fn multikv(&mut self) -> Parsed<CommandKind> {
        let (mut settings, mut fields, mut filter) = (Settings::new(), Vec::new(), Vec::new());
        while !self.at_command_end() {
            if self.setting_ahead() {
                let (name, value) = self.setting()?;
                let list = if name.is("fields") {
                    &mut fields
                } else if name.is("filter") {
                    &mut filter
                } else {
                    settings.push((name, value));
                    continue;
                };
                let parts = value.text.split(',').map(str::trim).filter(|part| !part.is_empty());
                list.extend(parts.map(|part| Name { text: part.into(), ..value.clone() }));
            } else if self.eat_word("fields") {
                fields.extend(self.fields_until(&["fields", "filter"])?);
            } else if self.eat_word("filter") {
                filter.extend(self.fields_until(&["fields", "filter"])?);
            } else {
                return Err(self.expected("`fields`, `filter` or an option"));
            }
        }
        Ok(CommandKind::Multikv { settings, fields, filter })
    }

    fn return_command(&mut self) -> Parsed<CommandKind> {
        let count = self.optional_count()?;
        let mut fields = Vec::new();
        while !self.at_command_end() {
            if self.eat(",", Mode::Words) {
                continue;
            }
            if self.setting_ahead() {
                let (alias, field) = self.setting()?;
                fields.push(ReturnField::Alias(alias, field));
                continue;
            }
            let mut field = self.word("the name of a field")?;
            match field.text.strip_prefix('$').map(str::to_owned) {
                Some(rest) => {
                    field.text = rest.into();
                    fields.push(ReturnField::Value(field));
                }
                None => fields.push(ReturnField::Named(field)),
            }
        }
        if fields.is_empty() {
            let _: Failed = self.expected("the name of a field");
            return Err(Failed);
        }
        Ok(CommandKind::Return { count, fields })
    }
}
