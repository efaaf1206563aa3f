//! The textual form of rule bodies, for people: goldens of the front ends, `explain`, debugging. One thing a line,
//! what belongs to it indented below; no two different bodies read the same. It is not meant to be read back.
//!
//! `~` behind a word means that case does not count; a field stands with its taxonomy (`ecs:process.name`), a column
//! of a row with a dollar sign (`$total`), values as in JSON.

mod stages;

use std::fmt::{self, Display, Formatter};

use lurcher_schema::Value;

use crate::{
    Bound, Case, Expr, FieldRef, Function, Interval, Key, Limit, ListFunction, Network, Predicate, Quantifier,
    RuleBody, Sequence, Step, Tail, Test, TextFunction, TimeFunction, ValueType, ZoneFunction,
    correlation::print_correlation,
};

impl Display for RuleBody {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (i, filter) in self.filters.iter().enumerate() {
            writeln!(f, "filter {i}")?;
            predicate(f, filter, 1)?;
        }
        write!(f, "{}", self.tail)
    }
}

impl Display for Predicate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        predicate(f, self, 0)
    }
}

impl Display for FieldRef {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.taxonomy, self.path)
    }
}

fn indent(f: &mut Formatter<'_>, depth: usize) -> fmt::Result {
    write!(f, "{:width$}", "", width = depth * 2)
}

/// One predicate and what is below it, each line ended.
fn predicate(f: &mut Formatter<'_>, predicate: &Predicate, depth: usize) -> fmt::Result {
    indent(f, depth)?;
    inner(f, predicate, depth)
}

fn inner(f: &mut Formatter<'_>, predicate_: &Predicate, depth: usize) -> fmt::Result {
    let (word, parts) = match predicate_ {
        Predicate::Constant(truth) => return writeln!(f, "{truth}"),
        Predicate::Test { field, test } => return writeln!(f, "{field} {test}"),
        Predicate::Holds { expr, fields: Quantifier::AnyValue } => return writeln!(f, "for any value {expr}"),
        Predicate::Holds { expr, fields: Quantifier::Whole } => return writeln!(f, "for the whole {expr}"),
        Predicate::Not(negated) => {
            f.write_str("not ")?;
            return inner(f, negated, depth);
        }
        Predicate::All(parts) => ("all", parts),
        Predicate::Any(parts) => ("any", parts),
    };
    writeln!(f, "{word}")?;
    parts.iter().try_for_each(|part| predicate(f, part, depth + 1))
}

fn tilde(case: Case) -> &'static str {
    match case {
        Case::Sensitive => "",
        Case::Insensitive => "~",
    }
}

struct Json<'a>(&'a Value);

impl Display for Json<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.to_json())
    }
}

fn text(text: &str) -> impl Display {
    Value::text(text).to_json()
}

/// Items between commas.
pub(crate) fn list<T: Display>(f: &mut Formatter<'_>, items: impl IntoIterator<Item = T>) -> fmt::Result {
    for (i, item) in items.into_iter().enumerate() {
        write!(f, "{}{item}", if i == 0 { "" } else { ", " })?;
    }
    Ok(())
}

impl Display for Test {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists => f.write_str("exists"),
            Self::Single => f.write_str("single"),
            Self::Equals(value, case) => write!(f, "equals{} {}", tilde(*case), Json(value)),
            Self::OneOf(values, case) => {
                write!(f, "is one of{} [", tilde(*case))?;
                list(f, values.iter().map(Json))?;
                f.write_str("]")
            }
            Self::Prefix(prefix, case) => write!(f, "begins with{} {}", tilde(*case), text(prefix)),
            Self::Suffix(suffix, case) => write!(f, "ends with{} {}", tilde(*case), text(suffix)),
            Self::Contains(part, case) => write!(f, "contains{} {}", tilde(*case), text(part)),
            Self::Wildcard(pattern, case) => write!(f, "is like{} {}", tilde(*case), text(&pattern.to_string())),
            Self::Regex(regex) => write!(f, "matches /{}/", regex.pattern),
            Self::InNetwork(networks) => {
                f.write_str("lies in ")?;
                blocks(f, networks)
            }
            Self::Range { low, high } => {
                let low = low.as_ref().map(|bound| (if bound.inclusive { ">=" } else { ">" }, bound));
                let high = high.as_ref().map(|bound| (if bound.inclusive { "<=" } else { "<" }, bound));
                for (i, (sign, bound)) in low.into_iter().chain(high).enumerate() {
                    write!(f, "{}{sign} {bound}", if i == 0 { "" } else { " and " })?;
                }
                Ok(())
            }
            Self::Length { min, max: None } => write!(f, "has length {min} or more"),
            Self::Length { min, max: Some(max) } if min == max => write!(f, "has length {min}"),
            Self::Length { min, max: Some(max) } => write!(f, "has length {min} to {max}"),
            Self::Phrase(phrase) => write!(f, "{phrase}"),
            Self::Near(near) => write!(f, "is {near}"),
        }
    }
}

impl Display for Bound {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.time {
            Some(time) => write!(f, "time {time} ({})", Json(&self.value)),
            None => write!(f, "{}", Json(&self.value)),
        }
    }
}

fn blocks(f: &mut Formatter<'_>, networks: &[Network]) -> fmt::Result {
    f.write_str("[")?;
    list(f, networks)?;
    f.write_str("]")
}

// Expressions

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(value) => write!(f, "{}", Json(value)),
            Self::Field(field) => write!(f, "{field}"),
            Self::Event(taxonomy) => write!(f, "{taxonomy}:*"),
            Self::Column(name) => write!(f, "${name}"),
            Self::Call(function, arguments) => {
                write!(f, "{function}(")?;
                list(f, arguments)?;
                f.write_str(")")
            }
            Self::List(items) => {
                f.write_str("[")?;
                list(f, items)?;
                f.write_str("]")
            }
            Self::Object(members) => {
                f.write_str("{")?;
                list(f, members.iter().map(|(name, value)| format!("{}: {value}", text(name))))?;
                f.write_str("}")
            }
            Self::ForEach { list, variable, body } => write!(f, "for ${variable} in {list} do {body}"),
        }
    }
}

/// A function of a topic: its name in the form of the others, and what it carries in brackets.
fn topic(f: &mut Formatter<'_>, topic: &str, function: &dyn fmt::Debug) -> fmt::Result {
    let shown = format!("{function:?}");
    let end = shown.find(|c: char| !c.is_alphanumeric()).unwrap_or(shown.len());
    let (name, carried) = shown.split_at(end);
    write!(f, "{topic}.{}", snake_case(name))?;
    match carried.trim_matches(|c: char| " (){}".contains(c)) {
        "" => Ok(()),
        carried => write!(f, "[{}]", carried.to_lowercase()),
    }
}

fn interval(f: &mut Formatter<'_>, name: &str, span: Interval) -> fmt::Result {
    write!(f, "time.{name}[")?;
    let parts = [(span.months, "mo"), (span.days, "d"), (span.millis, "ms")];
    for (count, unit) in parts.into_iter().filter(|(count, _)| *count != 0) {
        write!(f, "{count}{unit}")?;
    }
    f.write_str("]")
}

impl Display for Function {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Equal(case) => write!(f, "equal{}", tilde(*case)),
            Self::In(case) => write!(f, "in{}", tilde(*case)),
            Self::IndexOf(case) => write!(f, "index_of{}", tilde(*case)),
            Self::Between { case, greedy: false } => write!(f, "between{}", tilde(*case)),
            Self::Between { case, greedy: true } => write!(f, "between_greedy{}", tilde(*case)),
            Self::StartsWith(case) => write!(f, "starts_with{}", tilde(*case)),
            Self::EndsWith(case) => write!(f, "ends_with{}", tilde(*case)),
            Self::ContainsNonEmpty(case) => write!(f, "contains_non_empty{}", tilde(*case)),
            Self::Like(pattern, case) => write!(f, "like{}[{}]", tilde(*case), text(&pattern.to_string())),
            Self::Matches(regex) => write!(f, "matches[/{}/]", regex.pattern),
            Self::Replace(regex) => write!(f, "replace[/{}/]", regex.pattern),
            Self::Capture(regex, group) => write!(f, "capture[/{}/, {group}]", regex.pattern),
            Self::InNetwork(networks) => {
                f.write_str("in_network")?;
                blocks(f, networks)
            }
            Self::Cast(to) => write!(f, "cast[{}]", type_name(*to)),
            Self::Convert(to) => write!(f, "convert[{}]", type_name(*to)),
            Self::Member(path) => write!(f, "member[{}]", text(path)),
            Self::List(ListFunction::Each(function)) => write!(f, "list.each[{function}]"),
            Self::List(ListFunction::Passes(test)) => write!(f, "list.passes[{test}]"),
            Self::List(function) => topic(f, "list", function),
            Self::Number(function) => topic(f, "number", function),
            Self::Time(TimeFunction::Truncated(span)) => interval(f, "truncated", *span),
            Self::Time(TimeFunction::Later(span)) => interval(f, "later", *span),
            Self::Time(TimeFunction::Earlier(span)) => interval(f, "earlier", *span),
            Self::Time(function) => topic(f, "time", function),
            Self::Zoned(zone, function) => {
                write!(f, "zone[{zone}].")?;
                match function {
                    ZoneFunction::Truncated(span) => interval(f, "truncated", *span),
                    ZoneFunction::Later(span) => interval(f, "later", *span),
                    ZoneFunction::Earlier(span) => interval(f, "earlier", *span),
                    plain => topic(f, "time", plain),
                }
            }
            Self::Address(function) => topic(f, "address", function),
            Self::Text(TextFunction::Replaced(regex)) => write!(f, "text.replaced[/{}/]", regex.pattern),
            Self::Text(function) => topic(f, "text", function),
            Self::Place(function) => topic(f, "place", function),
            // The rest carry nothing: their name in the form of the others.
            plain => f.write_str(&snake_case(&format!("{plain:?}"))),
        }
    }
}

fn type_name(value_type: ValueType) -> String {
    snake_case(&format!("{value_type:?}"))
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !snake.is_empty() && !snake.ends_with(['(', '_']) {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

// Tails

impl Display for Tail {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Events { limits: kept } => {
                writeln!(f, "events")?;
                limits(f, kept)
            }
            Self::Sequence(sequence) => write!(f, "{sequence}"),
            Self::Sample { steps, per_key, limits: kept } => {
                match per_key {
                    1 => writeln!(f, "sample")?,
                    most => writeln!(f, "sample, {most} a key")?,
                }
                steps.iter().try_for_each(|step| writeln!(f, "  {step}"))?;
                limits(f, kept)
            }
            Self::Correlation(correlation) => print_correlation(f, correlation, 0),
            Self::Pipeline(pipeline) => write!(f, "{pipeline}"),
            Self::Threshold(threshold) => write!(f, "{threshold}"),
            Self::NewTerms(terms) => write!(f, "{terms}"),
            Self::Indicators(indicators) => write!(f, "{indicators}"),
        }
    }
}

fn limits(f: &mut Formatter<'_>, limits: &[Limit]) -> fmt::Result {
    limits.iter().try_for_each(|limit| match limit {
        Limit::Head(count) => writeln!(f, "head {count}"),
        Limit::Tail(count) => writeln!(f, "tail {count}"),
    })
}

impl Display for Sequence {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.max_span {
            Some(span) => writeln!(f, "sequence within {span:?}")?,
            None => writeln!(f, "sequence")?,
        }
        self.steps.iter().try_for_each(|step| writeln!(f, "  {step}"))?;
        self.until.iter().try_for_each(|step| writeln!(f, "until {step}"))?;
        limits(f, &self.limits)
    }
}

impl Display for Step {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}filter {}", if self.missing { "missing " } else { "" }, self.filter)?;
        if !self.keys.is_empty() {
            f.write_str(" by ")?;
        }
        list(f, &self.keys)
    }
}

impl Display for Key {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.optional { "?" } else { "" }, self.field)
    }
}
