//! The textual form of pipelines, their stages and aggregates.

use std::{
    fmt::{self, Display, Formatter, Write},
    sync::Arc,
};

use lurcher_schema::RelativeTime;

use super::{Json, list, snake_case, text, tilde};
use crate::{
    Aggregate, AggregateColumn, AggregateEach, Aggregation, Anomaly, Branch, Collect, CollectOrder, ColumnPattern,
    Expr, ForEachColumn, GroupBy, Input, Join, JoinKind, ListKeys, Lookup, LookupMatch, LookupRows, MadeName, Moment,
    NamePiece, NullKeys, PercentileMethod, Piece, Pipeline, Pivot, Repeat, Running, Selected, Semi, Sink, SortKey,
    Stage, Transaction, Window,
};

impl Display for Pipeline {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (i, branch) in self.branches.iter().enumerate() {
            write!(f, "branch {i} from ")?;
            write!(f, "{branch}")?;
        }
        Ok(())
    }
}

impl Display for Branch {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let input = |input: &Input| match input {
            Input::Filter(i) => format!("filter {i}"),
            Input::Branch(i) => format!("branch {i}"),
            Input::Table(name) => format!("table {}", text(name)),
            Input::Rows(count) => format!("{count} rows"),
        };
        list(f, self.inputs.iter().map(input))?;
        f.write_char('\n')?;
        self.stages.iter().try_for_each(|stage| write!(f, "{stage}"))?;
        match &self.sink {
            Some(Sink::Alerts(name)) => writeln!(f, "  into alerts {}", text(name)),
            Some(Sink::Null) => writeln!(f, "  into nothing"),
            None => Ok(()),
        }
    }
}

/// A word and items between commas, on a line.
fn line<T: Display>(f: &mut Formatter<'_>, word: &str, items: impl IntoIterator<Item = T>) -> fmt::Result {
    write!(f, "  {word}")?;
    for (i, item) in items.into_iter().enumerate() {
        write!(f, "{}{item}", if i == 0 { " " } else { ", " })?;
    }
    f.write_char('\n')
}

/// A word, and columns with their values on lines of their own.
fn columns(f: &mut Formatter<'_>, word: &str, columns: &[(impl Display, Expr)]) -> fmt::Result {
    writeln!(f, "  {word}")?;
    columns.iter().try_for_each(|(name, value)| writeln!(f, "    ${name} = {value}"))
}

fn dollar(name: &Arc<str>) -> String {
    format!("${name}")
}

impl Display for MadeName {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|piece| match piece {
            NamePiece::Text(text) => f.write_str(text),
            NamePiece::Whole => f.write_str("<name>"),
            NamePiece::Matched => f.write_str("<matched>"),
            NamePiece::Segment(number) => write!(f, "<matched {number}>"),
        })
    }
}

impl Display for ColumnPattern {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::Like(pattern) => write!(f, "[{pattern}]"),
        }
    }
}

fn pattern(pattern: &ColumnPattern) -> String {
    format!("${pattern}")
}

impl Display for ForEachColumn {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "  for each column ")?;
        list(f, self.columns.iter().map(pattern))?;
        f.write_char('\n')?;
        self.texts.iter().try_for_each(|(name, text)| writeln!(f, "    ${name} is the text {text}"))?;
        self.reads.iter().try_for_each(|(name, read)| writeln!(f, "    ${name} is ${read}"))?;
        self.sets.iter().try_for_each(|(name, value)| writeln!(f, "    ${name} = {value}"))
    }
}

impl Display for Stage {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Where(condition) => writeln!(f, "  where {condition}"),
            Self::Eval(sets) => columns(f, "eval", sets),
            Self::Project(sets) => columns(f, "project", sets),
            Self::Fields(taxonomy) => writeln!(f, "  fields {taxonomy}:*"),
            Self::ForEachColumn(each) => write!(f, "{each}"),
            Self::Keep(names) => line(f, "keep", names.iter().map(pattern)),
            Self::Drop(names) => line(f, "drop", names.iter().map(pattern)),
            Self::Rename(names) => line(f, "rename", names.iter().map(|(old, new)| format!("${old} to ${new}"))),
            Self::Window(window) => write!(f, "{window}"),
            Self::Aggregate(aggregation) => write!(f, "  aggregate{aggregation}"),
            Self::Inline(aggregation) => write!(f, "  inline{aggregation}"),
            Self::Running(running) => write!(f, "{running}"),
            Self::Anomaly(anomaly) => writeln!(f, "  {anomaly}"),
            Self::Head(count) => writeln!(f, "  head {count}"),
            Self::Tail(count) => writeln!(f, "  tail {count}"),
            Self::Reverse => writeln!(f, "  reverse"),
            Self::Sort(keys) => line(f, "sort", keys),
            Self::Dedup(dedup) => {
                f.write_str("  dedup ")?;
                list(f, &dedup.keys)?;
                if dedup.keep != 1 {
                    write!(f, " keeping {}", dedup.keep)?;
                }
                writeln!(f, "{}", if dedup.consecutive { " in a row" } else { "" })
            }
            Self::Expand(expand) => match expand.limit {
                Some(limit) => writeln!(f, "  expand ${} at most {limit}", expand.column),
                None => writeln!(f, "  expand ${}", expand.column),
            },
            Self::Collapse(column) => writeln!(f, "  collapse ${column}"),
            Self::FillNull { columns, value } => {
                line(f, &format!("fill null with {} in", Json(value)), columns.iter().map(pattern))
            }
            Self::FillDown(names) => line(f, "fill down", names.iter().map(pattern)),
            Self::Join(join) => write!(f, "{join}"),
            Self::Semi(semi) => write!(f, "{semi}"),
            Self::Append(branch) => writeln!(f, "  append branch {branch}"),
            Self::AppendColumns { branch, overwrite } => {
                writeln!(f, "  append columns of branch {branch}{}", if *overwrite { " overwriting" } else { "" })
            }
            Self::Lookup(lookup) => write!(f, "{lookup}"),
            Self::Judge(judge) => {
                line(f, &format!("judge by {} into", text(&judge.model)), judge.outputs.iter().map(dollar))?;
                judge.inputs.iter().try_for_each(|input| writeln!(f, "    by {input}"))
            }
            Self::Pivot(pivot) => write!(f, "{pivot}"),
            Self::Unpivot { keep, name, value } => {
                line(f, &format!("unpivot to ${name}, ${value} keeping"), keep.iter().map(dollar))
            }
            Self::Transaction(transaction) => write!(f, "{transaction}"),
            Self::Complete(completion) => writeln!(
                f,
                "  complete {} = {} by \"{}\"",
                dollar(&completion.column),
                completion.prompt,
                completion.endpoint
            ),
            Self::Moment(moment) => write!(f, "{moment}"),
            Self::Format(format) => writeln!(f, "  format to ${}", format.output),
            Self::Selected(selected) => write!(f, "{selected}"),
            Self::Repeat(repeat) => write!(f, "{repeat}"),
            Self::TextTable(table) => writeln!(f, "  table in {}", table.text),
            Self::Locate(locate) => {
                let outputs = locate.outputs.iter().map(|(fact, name)| format!("${name} = {fact:?}"));
                line(f, &format!("locate {}", locate.address), outputs)
            }
            Self::Recognize(recognize) => {
                let outputs = recognize.outputs.iter().map(|(fact, name)| format!("${name} = {fact:?}"));
                line(f, &format!("recognize {}", recognize.text), outputs)
            }
        }
    }
}

impl Display for Moment {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let end = |end: &Option<RelativeTime>| end.as_ref().map_or_else(|| "window".to_owned(), ToString::to_string);
        let beside = if self.beside_window { " beside the window" } else { "" };
        writeln!(f, "  moment from {} to {}{beside}", end(&self.from), end(&self.to))
    }
}

impl Display for Selected {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let not = if self.negated { "not " } else { "" };
        writeln!(f, "  {not}selected by ${} of branch {}", self.column, self.branch)
    }
}

impl Display for Repeat {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("  repeat ")?;
        for piece in &self.template {
            match piece {
                Piece::Text(text) => f.write_str(text)?,
                Piece::Column { name, .. } => write!(f, "[${name}]")?,
                Piece::Number => f.write_str("[number]")?,
            }
        }
        let events = self.events.map_or_else(String::new, |branch| format!(" over branch {branch}"));
        writeln!(f, "{events} at most {} times", self.most)
    }
}

impl Display for SortKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.descending { "-" } else { "" }, self.expr)?;
        f.write_str(if self.nulls_first { " nulls first" } else { "" })?;
        f.write_str(if self.loose { " loosely" } else { "" })
    }
}

impl Display for Window {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.span {
            Some(span) => writeln!(f, "  window of {:?} every {:?} over {}", span.size, span.slide, span.time)?,
            None => writeln!(f, "  window of everything")?,
        }
        for (name, key) in &self.keys {
            writeln!(f, "    by ${name} = {key}")?;
        }
        self.aggregates.iter().try_for_each(|aggregate| write!(f, "{aggregate}"))
    }
}

impl Display for Aggregation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f)?;
        write!(f, "{}", self.by)?;
        self.aggregates.iter().try_for_each(|aggregate| write!(f, "{aggregate}"))?;
        self.each.iter().try_for_each(|each| write!(f, "{each}"))
    }
}

impl Display for GroupBy {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let by = match (self.nulls, self.lists) {
            (NullKeys::Group, ListKeys::Whole) => "by",
            (NullKeys::Drop, ListKeys::Whole) => "by present",
            (NullKeys::Group, ListKeys::Each) => "by each",
            (NullKeys::Drop, ListKeys::Each) => "by each present",
        };
        self.keys.iter().try_for_each(|(name, key)| writeln!(f, "    {by} ${name} = {key}"))
    }
}

impl Display for AggregateColumn {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "    ${} = {}(", self.name, self.function)?;
        f.write_str(if self.elements { "each of " } else { "" })?;
        list(f, &self.arguments)?;
        f.write_str(")")?;
        if let Some(filter) = &self.filter {
            write!(f, " where {filter}")?;
        }
        writeln!(f)
    }
}

impl Display for AggregateEach {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let each = if self.elements { "each of " } else { "" };
        writeln!(f, "    ${} = {}({each}${})", self.name, self.function, self.columns)
    }
}

impl Display for Aggregate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percentile { percent, method: PercentileMethod::Nearest } => {
                write!(f, "percentile[{percent}, nearest]")
            }
            Self::Percentile { percent, method: PercentileMethod::Interpolated } => {
                write!(f, "percentile[{percent}, interpolated]")
            }
            Self::Variance { sample } => f.write_str(if *sample { "sample_variance" } else { "variance" }),
            Self::StandardDeviation { sample } => {
                f.write_str(if *sample { "sample_standard_deviation" } else { "standard_deviation" })
            }
            Self::Top { count, ascending: false } => write!(f, "top[{count}]"),
            Self::Top { count, ascending: true } => write!(f, "bottom[{count}]"),
            Self::Collect(collect) => write!(f, "{collect}"),
            Self::SmoothedAverage { period } => write!(f, "smoothed_average[{period}]"),
            // The rest carry nothing: their name in the form of the functions.
            plain => f.write_str(&snake_case(&format!("{plain:?}"))),
        }
    }
}

impl Display for Collect {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        // The two that languages mean by `values` and `list` unless they say more.
        f.write_str(match (self.distinct, self.order) {
            (true, CollectOrder::Text) => "values",
            (false, CollectOrder::Rows) => "list",
            (true, CollectOrder::Rows) => "values_by_row",
            (true, CollectOrder::Value) => "values_by_value",
            (false, CollectOrder::Text) => "list_by_text",
            (false, CollectOrder::Value) => "list_by_value",
        })?;
        let limit = self.limit.map(|limit| format!("at most {limit}"));
        let lone = self.lone.then(|| "lone".to_owned());
        let options: Vec<String> = limit.into_iter().chain(lone).collect();
        if options.is_empty() { Ok(()) } else { write!(f, "[{}]", options.join(", ")) }
    }
}

impl Display for Running {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("  running")?;
        match self.window {
            Some(rows) if self.global => write!(f, " over the last {rows} rows of all")?,
            Some(rows) => write!(f, " over the last {rows} rows")?,
            None => {}
        }
        if let Some((time, span)) = &self.span {
            write!(f, " within {span:?} of {time}")?;
        }
        writeln!(f, "{}", if self.current { "" } else { " before the present one" })?;
        write!(f, "{}", self.by)?;
        self.aggregates.iter().try_for_each(|aggregate| write!(f, "{aggregate}"))?;
        if let Some(before) = &self.reset_before {
            writeln!(f, "    anew before {before}")?;
        }
        if let Some(after) = &self.reset_after {
            writeln!(f, "    anew after {after}")?;
        }
        if self.reset_on_change { writeln!(f, "    anew when the keys change") } else { Ok(()) }
    }
}

impl Display for Join {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            JoinKind::Inner => "inner",
            JoinKind::Left => "left",
            JoinKind::Full => "full",
        };
        write!(f, "  {kind} join branch {}", self.branch)?;
        if let Some(most) = self.most {
            write!(f, " at most {most}")?;
        }
        writeln!(f, "{}", if self.overwrite { " overwriting" } else { "" })?;
        self.keys.iter().try_for_each(|(left, right)| writeln!(f, "    on {left} = {right}"))
    }
}

impl Display for Semi {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let keep = if self.negated { "without" } else { "with" };
        let how = if self.wildcards { " by pattern" } else { "" };
        writeln!(f, "  only {keep} a row in branch {}{how}", self.branch)?;
        let tilde = tilde(self.case);
        self.columns.iter().try_for_each(|(name, own)| writeln!(f, "    ${name} equals{tilde} {own}"))
    }
}

impl Display for Lookup {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let rows = match self.rows {
            LookupRows::List => "listing",
            LookupRows::Each => "a row for each of",
        };
        write!(f, "  lookup {} {rows} at most {}", text(&self.table), self.most)?;
        if let Some(default) = &self.default {
            write!(f, " or {}", Json(default))?;
            if self.least != 1 {
                write!(f, " up to {}", self.least)?;
            }
        }
        writeln!(f, "{}", if self.overwrite { " overwriting" } else { "" })?;
        for key in &self.keys {
            let (word, case) = match key.matching {
                LookupMatch::Equal(case) => ("equals", tilde(case)),
                LookupMatch::Wildcard(case) => ("is the pattern of", tilde(case)),
                LookupMatch::Network => ("is the network of", ""),
            };
            writeln!(f, "    {} {word}{case} {}", text(&key.column), key.value)?;
        }
        if let Some(condition) = &self.condition {
            writeln!(f, "    where {condition}")?;
        }
        match &self.outputs {
            None => writeln!(f, "    all other columns"),
            Some(outputs) => {
                outputs.iter().try_for_each(|output| writeln!(f, "    ${} = {}", output.name, text(&output.column)))
            }
        }
    }
}

impl Display for Pivot {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "  pivot ")?;
        list(f, self.values.iter().map(dollar))?;
        writeln!(f, " by ${} keeping {}", self.names, self.keys.iter().map(dollar).collect::<Vec<_>>().join(", "))?;
        writeln!(f, "    separator {}, missing {}", text(&self.separator), Json(&self.missing))?;
        if let Some(null) = &self.null {
            writeln!(f, "    null as {}", text(null))?;
        }
        if let Some(most) = self.most {
            writeln!(f, "    at most {most}")?;
        }
        if let Some(other) = &self.other {
            writeln!(f, "    others as {}", text(other))?;
        }
        Ok(())
    }
}

impl Display for Transaction {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let lists = if self.lists { " of lists" } else { "" };
        let kept = if self.keep_incomplete { ", incomplete ones too" } else { "" };
        writeln!(f, "  transaction{lists}{kept}")?;
        self.keys.iter().try_for_each(|(name, key)| writeln!(f, "    by ${name} = {key}"))?;
        let predicates = [("time", &self.time), ("starts", &self.starts), ("ends", &self.ends)];
        for (word, expr) in predicates {
            if let Some(expr) = expr {
                writeln!(f, "    {word} {expr}")?;
            }
        }
        for (word, span) in [("span", self.max_span), ("pause", self.max_pause)] {
            if let Some(span) = span {
                writeln!(f, "    at most a {word} of {span:?}")?;
            }
        }
        if let Some(events) = self.max_events {
            writeln!(f, "    at most {events} events")?;
        }
        writeln!(f, "    ${} = duration, ${} = count, ${} = complete", self.duration, self.count, self.complete)
    }
}

impl Display for Anomaly {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let history = |f: &mut Formatter<'_>, time: &Expr, window: &Option<i64>, threshold: f64| {
            match window {
                Some(millis) => write!(f, " within {millis}ms of {time}")?,
                None => write!(f, " before {time}")?,
            }
            write!(f, ", threshold {threshold}")
        };
        match self {
            Self::FirstSeen { inputs, output } => {
                write!(f, "${output} = first_seen(")?;
                list(f, inputs)?;
                f.write_str(")")
            }
            Self::Quantile { value, entity, time, window, threshold } => {
                write!(f, "quantile of {value} for {entity}")?;
                history(f, time, window, *threshold)
            }
            Self::Gaussian { value, entity, time, window, threshold } => {
                write!(f, "gaussian of {value} for {entity}")?;
                history(f, time, window, *threshold)
            }
            Self::Conditional { condition, target, output } => {
                write!(f, "${output} = conditional({condition}, {target})")
            }
        }
    }
}
