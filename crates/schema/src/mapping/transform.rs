//! Transforms: what stands after a `|` in a mapping pack's expression. Pure functions of one value.
//!
//! A transform of text is applied to each element of a list; elements that come out missing are dropped. Numbers and
//! booleans are taken in their text form. Missing in, missing out, but for `default` and `count`. The table for users is in
//! `docs/mapping-packs.md`; a test holds the two together.

use std::{
    collections::HashMap,
    hash::{Hash, Hasher},
    sync::Arc,
};

use super::{objects, text};
use crate::{Column, ColumnValues, MISSING, Timestamp, Value, ValueRef};

/// One transform with its arguments.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Transform {
    Clean(Vec<Arc<str>>),
    Lower,
    Upper,
    Trim,
    Integer,
    Float,
    Boolean,
    Text,
    Json,
    Millis,
    Date,
    Cut(Cut, Arc<str>),
    Basename,
    Dirname,
    Extension,
    StripPrefix(Arc<str>),
    StripSuffix(Arc<str>),
    Prepend(Arc<str>),
    Append(Arc<str>),
    Replace(Arc<str>, Arc<str>),
    Regex(Pattern),
    Split(Arc<str>),
    Lines,
    Join(Arc<str>),
    Item(i64),
    Count,
    Unique,
    Lookup(Arc<Table>, Option<Arc<str>>),
    Flags(Arc<Table>),
    Member(Arc<str>),
    Entries(Arc<str>, Option<Arc<str>>),
    Having(Arc<str>, Arc<str>),
    FromJson,
    JavaText,
    Default(Arc<str>),
    Ip,
    HashPart(Arc<str>),
    ArgsWindows,
    ArgsSimple,
    RegistryHive,
    RegistryKey,
    RegistryValue,
    RegistryDataStrings,
    RegistryDataType,
    PowershellContext(Arc<str>),
    PowershellParameters,
    DnsAnswers,
    DnsAddresses,
    RegisteredDomain,
    Subdomain,
    TopLevelDomain,
    Length,
    Symbols,
    Entropy,
    SurprisalDeviation,
}

/// Which side of which occurrence of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Cut {
    AfterLast,
    BeforeLast,
    AfterFirst,
    BeforeFirst,
}

/// An argument as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Argument {
    Text(Arc<str>),
    Number(i64),
}

/// A lookup table of a pack. Two tables are the same if they are one table of one pack.
#[derive(Debug)]
pub(super) struct Table {
    /// The pack and the table's name.
    pub(super) id: String,
    /// Values by lower-cased key.
    pub(super) values: HashMap<String, Value>,
}

impl PartialEq for Table {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Table {}

impl Hash for Table {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

/// A regular expression; equal by its text.
#[derive(Clone, Debug)]
pub(super) struct Pattern(Arc<regex::Regex>);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for Pattern {}

impl Hash for Pattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_str().hash(state);
    }
}

/// The names of all transforms, each with the fewest and the most arguments that it takes.
pub(super) const TRANSFORMS: &[(&str, usize, usize)] = &[
    ("after_first", 1, 1),
    ("after_last", 1, 1),
    ("append", 1, 1),
    ("args_simple", 0, 0),
    ("args_windows", 0, 0),
    ("basename", 0, 0),
    ("before_first", 1, 1),
    ("before_last", 1, 1),
    ("boolean", 0, 0),
    ("clean", 0, 8),
    ("count", 0, 0),
    ("date", 0, 0),
    ("default", 1, 1),
    ("dirname", 0, 0),
    ("dns_addresses", 0, 0),
    ("dns_answers", 0, 0),
    ("entries", 1, 2),
    ("entropy", 0, 0),
    ("extension", 0, 0),
    ("flags", 1, 1),
    ("float", 0, 0),
    ("from_json", 0, 0),
    ("hash_part", 1, 1),
    ("having", 2, 2),
    ("integer", 0, 0),
    ("ip", 0, 0),
    ("item", 1, 1),
    ("java_text", 0, 0),
    ("join", 1, 1),
    ("json", 0, 0),
    ("length", 0, 0),
    ("lines", 0, 0),
    ("lookup", 1, 2),
    ("lower", 0, 0),
    ("member", 1, 1),
    ("millis", 0, 0),
    ("powershell_context", 1, 1),
    ("powershell_parameters", 0, 0),
    ("prepend", 1, 1),
    ("regex", 1, 1),
    ("registered_domain", 0, 0),
    ("registry_data_strings", 0, 0),
    ("registry_data_type", 0, 0),
    ("registry_hive", 0, 0),
    ("registry_key", 0, 0),
    ("registry_value", 0, 0),
    ("replace", 2, 2),
    ("split", 1, 1),
    ("strip_prefix", 1, 1),
    ("strip_suffix", 1, 1),
    ("subdomain", 0, 0),
    ("surprisal_deviation", 0, 0),
    ("symbols", 0, 0),
    ("text", 0, 0),
    ("top_level_domain", 0, 0),
    ("trim", 0, 0),
    ("unique", 0, 0),
    ("upper", 0, 0),
];

impl Transform {
    /// The transform of this name. The error is a message and, where there is one, help.
    pub(super) fn new(
        name: &str,
        arguments: &[Argument],
        tables: &HashMap<Arc<str>, Arc<Table>>,
    ) -> Result<Self, (String, Option<String>)> {
        let Some((_, fewest, most)) = TRANSFORMS.iter().find(|(known, _, _)| *known == name) else {
            let help = nearest(name).map(|known| format!("did you mean `{known}`?"));
            return Err((format!("there is no transform `{name}`"), help));
        };
        if !(*fewest..=*most).contains(&arguments.len()) {
            let wanted = match (fewest, most) {
                (0, 0) => "no argument".to_owned(),
                (1, 1) => "one argument".to_owned(),
                (a, b) if a == b => format!("{a} arguments"),
                (a, b) => format!("{a} to {b} arguments"),
            };
            return Err((format!("`{name}` takes {wanted}, not {}", arguments.len()), None));
        }
        if name == "item" {
            return match arguments {
                [Argument::Number(n)] => Ok(Self::Item(*n)),
                _ => Err(("`item` takes a whole number: 0 for the first, -1 for the last".to_owned(), None)),
            };
        }
        let texts: Vec<Arc<str>> = arguments
            .iter()
            .map(|argument| match argument {
                Argument::Text(text) => Ok(Arc::clone(text)),
                Argument::Number(n) => Err((format!("`{name}` takes text"), Some(format!("write '{n}'")))),
            })
            .collect::<Result<_, _>>()?;
        Self::of_texts(name, &texts, tables)
    }

    fn of_texts(
        name: &str,
        texts: &[Arc<str>],
        tables: &HashMap<Arc<str>, Arc<Table>>,
    ) -> Result<Self, (String, Option<String>)> {
        let text = |n: usize| texts.get(n).cloned().unwrap_or_default();
        let table = |n: usize| {
            tables.get(&text(n)).cloned().ok_or_else(|| {
                let help = format!("tables stand in the same pack under [tables.{}]", text(n));
                (format!("there is no table `{}`", text(n)), Some(help))
            })
        };
        Ok(match name {
            "after_first" => Self::Cut(Cut::AfterFirst, text(0)),
            "after_last" => Self::Cut(Cut::AfterLast, text(0)),
            "append" => Self::Append(text(0)),
            "args_simple" => Self::ArgsSimple,
            "args_windows" => Self::ArgsWindows,
            "basename" => Self::Basename,
            "before_first" => Self::Cut(Cut::BeforeFirst, text(0)),
            "before_last" => Self::Cut(Cut::BeforeLast, text(0)),
            "boolean" => Self::Boolean,
            "clean" => Self::Clean([Arc::from(""), Arc::from("-")].into_iter().chain(texts.iter().cloned()).collect()),
            "count" => Self::Count,
            "date" => Self::Date,
            "default" => Self::Default(text(0)),
            "dirname" => Self::Dirname,
            "dns_addresses" => Self::DnsAddresses,
            "dns_answers" => Self::DnsAnswers,
            "extension" => Self::Extension,
            "float" => Self::Float,
            "hash_part" => Self::HashPart(text(0)),
            "integer" => Self::Integer,
            "ip" => Self::Ip,
            "join" => Self::Join(text(0)),
            "json" => Self::Json,
            "lines" => Self::Lines,
            "flags" => Self::Flags(table(0)?),
            "length" => Self::Length,
            "lookup" => Self::Lookup(table(0)?, texts.get(1).cloned()),
            "member" => Self::Member(text(0)),
            "entropy" => Self::Entropy,
            "subdomain" => Self::Subdomain,
            "surprisal_deviation" => Self::SurprisalDeviation,
            "symbols" => Self::Symbols,
            "top_level_domain" => Self::TopLevelDomain,
            "lower" => Self::Lower,
            "millis" => Self::Millis,
            "powershell_context" => Self::PowershellContext(text(0)),
            "powershell_parameters" => Self::PowershellParameters,
            "prepend" => Self::Prepend(text(0)),
            "regex" => Self::regex(&text(0))?,
            "registered_domain" => Self::RegisteredDomain,
            "registry_data_strings" => Self::RegistryDataStrings,
            "registry_data_type" => Self::RegistryDataType,
            "registry_hive" => Self::RegistryHive,
            "registry_key" => Self::RegistryKey,
            "registry_value" => Self::RegistryValue,
            "replace" => Self::Replace(text(0), text(1)),
            "split" => Self::Split(text(0)),
            "strip_prefix" => Self::StripPrefix(text(0)),
            "strip_suffix" => Self::StripSuffix(text(0)),
            "text" => Self::Text,
            "trim" => Self::Trim,
            "unique" => Self::Unique,
            "upper" => Self::Upper,
            name => match Self::of_objects(name, &text, texts.get(1).cloned()) {
                Some(transform) => transform,
                None => return Err((format!("the transform `{name}` is listed but not built"), None)),
            },
        })
    }

    fn regex(text: &str) -> Result<Self, (String, Option<String>)> {
        match regex::Regex::new(text) {
            Ok(regex) if regex.captures_len() < 2 => {
                Err(("`regex` needs a group: it yields what the first one matched".to_owned(), None))
            }
            Ok(regex) => Ok(Self::Regex(Pattern(Arc::new(regex)))),
            Err(error) => {
                let error = error.to_string();
                let cause = error.lines().last().unwrap_or("").trim_start_matches("error: ");
                Err((format!("no regular expression: {cause}"), None))
            }
        }
    }

    /// The transforms of objects and lists of them.
    fn of_objects(name: &str, text: &dyn Fn(usize) -> Arc<str>, second: Option<Arc<str>>) -> Option<Self> {
        Some(match name {
            "entries" => Self::Entries(text(0), second),
            "from_json" => Self::FromJson,
            "having" => Self::Having(text(0), text(1)),
            "java_text" => Self::JavaText,
            _ => return None,
        })
    }

    /// The transformed value.
    pub(super) fn apply(&self, value: ValueRef<'_>) -> Value {
        if let ValueRef::Text(text) = value {
            return match self {
                Self::Count => Value::Int(1),
                Self::Item(_) | Self::Join(_) | Self::Unique => self.of_list(&Value::text(text)),
                _ => self.of_text(text),
            };
        }
        let ValueRef::Any(value) = value else { return Value::Null };
        if value.is_missing() {
            return match self {
                Self::Default(text) => Value::Text(Arc::clone(text)),
                Self::Count => Value::Int(0),
                _ => Value::Null,
            };
        }
        match (self, value) {
            (Self::Default(_), _) | (Self::FromJson, Value::Object(_) | Value::List(_)) => value.clone(),
            (Self::Entries(name, of), _) => objects::entries(value, name, of.as_deref()),
            (Self::Having(member, text), _) => objects::having(value, member, text),
            (Self::JavaText, _) => objects::java_text(value),
            (Self::Json, _) => Value::text(value.to_json().to_string()),
            (Self::Count | Self::Item(_) | Self::Join(_) | Self::Unique, _) => self.of_list(value),
            (_, Value::List(_)) => {
                let mut out = Vec::new();
                for element in value.elements() {
                    let done = self.apply(ValueRef::Any(element));
                    out.extend(done.elements().cloned());
                }
                if out.is_empty() { Value::Null } else { Value::list(out) }
            }
            _ => self.of_scalar(value),
        }
    }

    fn of_list(&self, value: &Value) -> Value {
        match self {
            Self::Count => Value::Int(value.elements().count() as i64),
            Self::Item(n) if *n >= 0 => value.elements().nth(*n as usize).cloned().unwrap_or_default(),
            Self::Item(n) => {
                let all: Vec<&Value> = value.elements().collect();
                let at = usize::try_from(n.unsigned_abs()).ok().and_then(|back| all.len().checked_sub(back));
                at.and_then(|at| all.get(at)).map_or(Value::Null, |element| (*element).clone())
            }
            Self::Join(by) => {
                let texts: Vec<String> = value.elements().map(ToString::to_string).collect();
                Value::text(texts.join(by))
            }
            Self::Unique => {
                let mut seen = hashbrown::HashSet::new();
                Value::list(value.elements().filter(|element| seen.insert(*element)).cloned())
            }
            _ => Value::Null,
        }
    }

    fn of_scalar(&self, value: &Value) -> Value {
        match (self, value) {
            (_, Value::Text(text)) => match self.of_text(text) {
                Value::Text(same) if same == *text => value.clone(),
                other => other,
            },
            (Self::Member(path), Value::Object(object)) => object.path(path).unwrap_or_default(),
            (_, Value::Object(_)) => Value::Null,
            (Self::Flags(table), Value::Int(number)) => flags(table, *number),
            (Self::Integer, Value::Int(_)) | (Self::Float, Value::Float(_)) | (Self::Boolean, Value::Bool(_)) => {
                value.clone()
            }
            (Self::Float, Value::Int(n)) => Value::Float(*n as f64),
            (Self::Integer, Value::Float(n)) if n.fract() == 0.0 && n.abs() < 9e15 => Value::Int(*n as i64),
            (Self::Millis, Value::Int(n)) => Value::Int(*n),
            (Self::Date, Value::Int(n)) => Value::text(Timestamp::from_millis(*n).to_string()),
            _ => self.of_text(&value.to_string()),
        }
    }

    fn of_text(&self, text: &str) -> Value {
        let optional = |found: Option<&str>| found.map_or(Value::Null, Value::text);
        let owned = |found: Option<String>| found.map_or(Value::Null, Value::text);
        match self {
            Self::Clean(unwanted) if unwanted.iter().any(|u| u.as_ref() == text) => Value::Null,
            Self::Clean(_) | Self::Text | Self::Default(_) => Value::text(text),
            Self::Json => Value::text(Value::text(text).to_json().to_string()),
            Self::Lower => Value::text(text.to_lowercase()),
            Self::Upper => Value::text(text.to_uppercase()),
            Self::Trim => Value::text(text.trim()),
            Self::Integer => text::integer(text).map_or(Value::Null, Value::Int),
            Self::Float => match text.trim().parse::<f64>() {
                Ok(number) if number.is_finite() => Value::Float(number),
                _ => Value::Null,
            },
            Self::Boolean => match text.trim() {
                t if t.eq_ignore_ascii_case("true") || t == "1" => Value::Bool(true),
                t if t.eq_ignore_ascii_case("false") || t == "0" => Value::Bool(false),
                _ => Value::Null,
            },
            Self::Millis => Timestamp::parse(text).map_or(Value::Null, |time| Value::Int(time.millis())),
            Self::Date => owned(Timestamp::parse(text).map(|time| time.to_string())),
            Self::Cut(cut, at) => optional(match cut {
                Cut::AfterLast => text.rsplit_once(at.as_ref()).map(|(_, after)| after),
                Cut::BeforeLast => text.rsplit_once(at.as_ref()).map(|(before, _)| before),
                Cut::AfterFirst => text.split_once(at.as_ref()).map(|(_, after)| after),
                Cut::BeforeFirst => text.split_once(at.as_ref()).map(|(before, _)| before),
            }),
            Self::Basename => Value::text(text.rsplit(['\\', '/']).next().unwrap_or(text)),
            Self::Dirname => optional(text.rfind(['\\', '/']).map(|at| &text[..at])),
            Self::Extension => {
                let name = text.rsplit(['\\', '/']).next().unwrap_or(text);
                optional(name.rsplit_once('.').map(|(_, extension)| extension))
            }
            Self::StripPrefix(prefix) => Value::text(text.strip_prefix(prefix.as_ref()).unwrap_or(text)),
            Self::StripSuffix(suffix) => Value::text(text.strip_suffix(suffix.as_ref()).unwrap_or(text)),
            Self::Prepend(before) => Value::text(format!("{before}{text}")),
            Self::Append(after) => Value::text(format!("{text}{after}")),
            Self::Replace(from, to) => Value::text(text.replace(from.as_ref(), to)),
            Self::Regex(Pattern(regex)) => {
                optional(regex.captures(text).and_then(|c| c.get(1)).map(|group| group.as_str()))
            }
            Self::Lookup(table, otherwise) => table.values.get(&text.to_lowercase()).cloned().unwrap_or_else(|| {
                otherwise.as_ref().map_or(Value::Null, |otherwise| Value::Text(Arc::clone(otherwise)))
            }),
            Self::Ip => owned(text::ip(text)),
            Self::HashPart(algorithm) => owned(text::hash_part(text, algorithm)),
            Self::Flags(table) => text::bits(text).map_or(Value::Null, |number| flags(table, number)),
            Self::RegisteredDomain => optional(text::domain_parts(text).map(|parts| parts.registered)),
            Self::Subdomain => optional(text::domain_parts(text).and_then(|parts| parts.subdomain)),
            Self::TopLevelDomain => optional(text::domain_parts(text).map(|parts| parts.top_level)),
            _ => self.of_structured_text(text),
        }
    }

    /// The transforms that know a format of their own, or make several values.
    fn of_structured_text(&self, text: &str) -> Value {
        let list = |values: Vec<String>| {
            if values.is_empty() { Value::Null } else { Value::list(values.into_iter().map(Value::text)) }
        };
        let optional = |found: Option<&str>| found.map_or(Value::Null, Value::text);
        match self {
            Self::Split(by) if by.as_ref() == " " => list(text.split_whitespace().map(str::to_owned).collect()),
            Self::Split(by) => list(text.split(by.as_ref()).map(str::to_owned).collect()),
            Self::Lines => list(text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()),
            Self::ArgsWindows => list(text::args_windows(text)),
            Self::ArgsSimple => list(text::args_simple(text)),
            Self::RegistryHive => optional(text::registry(text).map(|path| path.hive)),
            Self::RegistryKey => optional(text::registry(text).and_then(|path| path.key)),
            Self::RegistryValue => optional(text::registry(text).and_then(|path| path.value)),

            Self::RegistryDataStrings => list(vec![text::registry_data(text).0]),
            Self::RegistryDataType => Value::text(text::registry_data(text).1),
            Self::PowershellContext(key) => optional(text::powershell_context(text, key)),
            Self::PowershellParameters => text::powershell_parameters(text),
            Self::FromJson => objects::from_json(text),
            Self::JavaText => Value::text(text),
            Self::DnsAnswers => text::dns_answers(text),
            Self::DnsAddresses => list(text::dns_addresses(text)),
            Self::Length => Value::Int(text.encode_utf16().count() as i64),
            Self::Symbols => Value::Int(text::Symbols::of(text).distinct),
            Self::Entropy => Value::Float(text::Symbols::of(text).entropy),
            Self::SurprisalDeviation => Value::Float(text::Symbols::of(text).deviation),
            _ => Value::Null,
        }
    }

    /// The transformed column. Agrees with [`Self::apply`] row by row.
    pub(super) fn column(&self, input: Column) -> Column {
        match (self, &input.values) {
            (Self::Default(_) | Self::Count, _) => self.column_with_missing(&input),
            // Text that need not change stays in Arrow's buffers.
            (Self::Text, ColumnValues::Text(_)) => input,
            (Self::Clean(unwanted), ColumnValues::Text(texts)) => {
                let gone: Vec<bool> =
                    texts.iter().map(|t| t.is_some_and(|t| unwanted.iter().any(|u| u.as_ref() == t))).collect();
                if !gone.contains(&true) {
                    return input;
                }
                let keys = input.keys.iter().map(|key| match usize::try_from(*key) {
                    Ok(at) if !gone[at] => *key,
                    _ => MISSING,
                });
                Column { keys: keys.collect(), values: input.values.clone() }
            }
            _ => input.map(|value| self.apply(value)),
        }
    }

    fn column_with_missing(&self, input: &Column) -> Column {
        let mut values: Vec<Value> = (0..input.values.len()).map(|i| self.apply(input.values.get(i))).collect();
        let missing = values.len() as i32;
        values.push(self.apply(ValueRef::Any(&Value::Null)));
        let keys = input.keys.iter().map(|key| if *key == MISSING { missing } else { *key });
        Column { keys: keys.collect(), values: ColumnValues::Any(values.into()) }
    }
}

/// The values of a table whose key's bits are all set in a number, in the order of their keys.
fn flags(table: &Table, number: i64) -> Value {
    let mut set: Vec<(i64, &Value)> = table
        .values
        .iter()
        .filter_map(|(key, value)| Some((text::bits(key)?, value)))
        .filter(|(key, _)| number & key == *key)
        .collect();
    set.sort_by_key(|(key, _)| *key);
    if set.is_empty() { Value::Null } else { Value::list(set.into_iter().map(|(_, value)| value.clone())) }
}

/// The known transform most like a misspelt one.
fn nearest(name: &str) -> Option<&'static str> {
    let letters = |text: &str| text.chars().filter(|c| *c != '_').collect::<Vec<_>>();
    let wanted = letters(name);
    TRANSFORMS
        .iter()
        .map(|(known, _, _)| (distance(&wanted, &letters(known)), *known))
        .filter(|(distance, known)| *distance <= 1 + known.len() / 4)
        .min()
        .map(|(_, known)| known)
}

fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let cost = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
