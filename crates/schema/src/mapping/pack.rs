//! Mapping packs as TOML: reading, checking, and saying what is wrong with them, where.
//!
//! A pack with an error is left out whole: half a mapping would quietly change what rules mean.

use std::{collections::HashMap, sync::Arc};

use lurcher_diagnostics::{Diagnostic, Level, SourceFile, Span};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{expression::Expression, transform::Table};
use crate::{FieldType, LogSource, Shape, Taxonomy, Value, star_match};

/// One file of mappings.
#[derive(Debug)]
pub(super) struct Pack {
    pub(super) taxonomy: Taxonomy,
    /// Types by field; a name may end in `*`.
    pub(super) types: Vec<(Arc<str>, FieldType)>,
    pub(super) entries: Vec<Entry>,
    /// The text that it was read from, for explanations.
    pub(super) file: Arc<SourceFile>,
}

/// One `[[map]]`.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// The conditions, several sets of which one must hold; none: always.
    when: Vec<Vec<Condition>>,
    pub(super) indices: Vec<Arc<str>>,
    pub(super) log_sources: Vec<LogSource>,
    pub(super) fields: Vec<(Arc<str>, Source)>,
    /// Fields that can be asked for but are no part of the document.
    pub(super) multi_fields: Vec<(Arc<str>, Source)>,
    /// Where the mapping of each field stands, those of both tables.
    pub(super) places: Vec<(Arc<str>, Span)>,
}

/// What a field is made from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// The shape does not have it.
    Absent,
    /// Always this.
    Constant(Value),
    /// Computed.
    Expression(Arc<Expression>),
}

/// One attribute of a `when`.
#[derive(Debug)]
pub(super) struct Condition {
    attribute: String,
    wanted: Vec<String>,
    excluded: Vec<String>,
}

impl Entry {
    /// How many attributes of this shape the entry asks for; `None` if it does not hold for the shape.
    pub(super) fn fits(&self, shape: &Shape) -> Option<usize> {
        if self.when.is_empty() {
            return Some(0);
        }
        let holds =
            |set: &&Vec<Condition>| set.iter().all(|condition| condition.fits(shape.attribute(&condition.attribute)));
        self.when.iter().filter(holds).map(Vec::len).max()
    }

    /// Its sets of conditions, each as the attributes that it names with the values that it wants.
    pub(super) fn conditions(&self) -> impl Iterator<Item = Vec<(&str, &[String])>> {
        self.when.iter().map(|set| {
            let named = set.iter().filter(|condition| !condition.wanted.is_empty());
            named.map(|condition| (condition.attribute.as_str(), condition.wanted.as_slice())).collect()
        })
    }
}

impl Condition {
    fn fits(&self, value: Option<&str>) -> bool {
        let Some(value) = value else { return self.wanted.is_empty() };
        !self.excluded.iter().any(|pattern| matches(pattern, value))
            && (self.wanted.is_empty() || self.wanted.iter().any(|pattern| matches(pattern, value)))
    }
}

/// Whether a text fits a pattern with `*`, whatever the case of its ASCII letters.
fn matches(pattern: &str, text: &str) -> bool {
    star_match(&pattern.to_ascii_lowercase(), &text.to_ascii_lowercase())
}

impl Pack {
    /// Reads a pack. `None` if there is an error among the diagnostics.
    pub(super) fn parse(file: &Arc<SourceFile>) -> (Option<Self>, Vec<Diagnostic>) {
        let mut reader = Reader { file, diagnostics: Vec::new(), tables: HashMap::new() };
        let pack = match DeTable::parse(file.text()) {
            Ok(table) => reader.pack(table.get_ref()),
            Err(error) => {
                let span = error.span().unwrap_or(0..0);
                reader.error("pack-syntax", &span, error.message().to_owned(), None);
                None
            }
        };
        reader.diagnostics.sort_by_key(|diagnostic| diagnostic.labels.first().map(|label| label.span));
        let sound = !reader.diagnostics.iter().any(|diagnostic| diagnostic.level == Level::Error);
        (pack.filter(|_| sound), reader.diagnostics)
    }
}

type Key<'a> = Spanned<std::borrow::Cow<'a, str>>;
type Node<'a> = Spanned<DeValue<'a>>;
type Range = std::ops::Range<usize>;

struct Reader<'a> {
    file: &'a Arc<SourceFile>,
    diagnostics: Vec<Diagnostic>,
    tables: HashMap<Arc<str>, Arc<Table>>,
}

const PACK_KEYS: &str = "a pack has taxonomy, about, source, [types], [tables.NAME] and [[map]]";
const MAP_KEYS: &str = "a [[map]] has when, indices, logsources, [map.fields] and [map.multi_fields]";
const TYPES: &str = "types are keyword, text, integer, float, boolean, ip, date, version and object";

impl Reader<'_> {
    fn error(&mut self, code: &'static str, at: &Range, message: String, help: Option<String>) {
        let mut diagnostic = Diagnostic::error(code, message).in_file(self.file).at(Span::new(at.start, at.end), "");
        diagnostic.help = help;
        self.diagnostics.push(diagnostic);
    }

    fn unknown_key(&mut self, key: &Key<'_>, help: &str) {
        let message = format!("unknown key `{}`", key.get_ref());
        self.error("pack-unknown-key", &key.span(), message, Some(help.to_owned()));
    }

    fn wrong_kind(&mut self, node: &Node<'_>, wanted: &str) {
        self.error("pack-wrong-kind", &node.span(), format!("expected {wanted}"), None);
    }

    fn pack(&mut self, root: &DeTable<'_>) -> Option<Pack> {
        let mut taxonomy = None;
        let (mut types, mut entries) = (Vec::new(), Vec::new());
        // Tables first: expressions name them.
        for (key, node) in root {
            if key.get_ref() == "tables" {
                self.lookup_tables(node);
            }
        }
        for (key, node) in root {
            match key.get_ref().as_ref() {
                "taxonomy" => taxonomy = self.taxonomy(node),
                "about" | "source" if node.get_ref().as_str().is_some() => {}
                "about" | "source" => self.wrong_kind(node, "text"),
                "types" => types = self.types(node),
                "tables" => {}
                "map" => entries = self.entries(node),
                _ => self.unknown_key(key, PACK_KEYS),
            }
        }
        if taxonomy.is_none() && self.diagnostics.is_empty() {
            let help = "the first line of a pack is taxonomy = \"ecs\" (or cim, ocsf, sigma, raw)".to_owned();
            self.error("pack-no-taxonomy", &(0..0), "the pack does not name its taxonomy".to_owned(), Some(help));
        }
        Some(Pack { taxonomy: taxonomy?, types, entries, file: Arc::clone(self.file) })
    }

    fn taxonomy(&mut self, node: &Node<'_>) -> Option<Taxonomy> {
        let taxonomy = node.get_ref().as_str().and_then(Taxonomy::from_name);
        if taxonomy.is_none() {
            let help = "taxonomies are raw, ecs, cim, ocsf and sigma".to_owned();
            self.error("pack-unknown-taxonomy", &node.span(), "there is no such taxonomy".to_owned(), Some(help));
        }
        taxonomy
    }

    fn types(&mut self, node: &Node<'_>) -> Vec<(Arc<str>, FieldType)> {
        let DeValue::Table(table) = node.get_ref() else {
            self.wrong_kind(node, "a table of fields and their types");
            return Vec::new();
        };
        let mut types = Vec::new();
        for (name, node) in table {
            if let Some(kind) = node.get_ref().as_str().and_then(field_type) {
                types.push((Arc::from(name.get_ref().as_ref()), kind));
            } else {
                let message = "there is no such field type".to_owned();
                self.error("pack-unknown-type", &node.span(), message, Some(TYPES.to_owned()));
            }
        }
        types
    }

    fn lookup_tables(&mut self, node: &Node<'_>) {
        let DeValue::Table(tables) = node.get_ref() else { return self.wrong_kind(node, "[tables.NAME]") };
        for (name, node) in tables {
            let DeValue::Table(table) = node.get_ref() else {
                self.wrong_kind(node, "a table of keys and values");
                continue;
            };
            let values = table.iter().map(|(k, v)| (k.get_ref().to_lowercase(), constant(v.get_ref()))).collect();
            let id = format!("{}:{}", self.file.name(), name.get_ref());
            self.tables.insert(name.get_ref().as_ref().into(), Arc::new(Table { id, values }));
        }
    }

    fn entries(&mut self, node: &Node<'_>) -> Vec<Entry> {
        let DeValue::Array(maps) = node.get_ref() else {
            self.wrong_kind(node, "[[map]], with two brackets");
            return Vec::new();
        };
        maps.iter().filter_map(|map| self.entry(map)).collect()
    }

    fn entry(&mut self, node: &Node<'_>) -> Option<Entry> {
        let DeValue::Table(table) = node.get_ref() else {
            self.wrong_kind(node, "a table");
            return None;
        };
        let mut entry = Entry::default();
        for (key, node) in table {
            match key.get_ref().as_ref() {
                "when" => entry.when = self.when(node),
                "indices" => entry.indices = self.texts(node).into_iter().map(Into::into).collect(),
                "logsources" => entry.log_sources = self.log_sources(node),
                "fields" => {
                    entry.fields = self.fields(node);
                    entry.places.extend(places(node));
                }
                "multi_fields" => {
                    entry.multi_fields = self.fields(node);
                    entry.places.extend(places(node));
                }
                _ => self.unknown_key(key, MAP_KEYS),
            }
        }
        self.check_cycles(&entry, node);
        Some(entry)
    }

    /// One set of conditions, or an array of several.
    fn when(&mut self, node: &Node<'_>) -> Vec<Vec<Condition>> {
        match node.get_ref() {
            DeValue::Array(sets) => sets.iter().map(|set| self.conditions(set)).collect(),
            _ => vec![self.conditions(node)],
        }
    }

    fn conditions(&mut self, node: &Node<'_>) -> Vec<Condition> {
        let DeValue::Table(table) = node.get_ref() else {
            self.wrong_kind(node, "a table of shape attributes: { channel = \"Security\" }");
            return Vec::new();
        };
        let mut conditions = Vec::new();
        for (attribute, node) in table {
            let mut condition =
                Condition { attribute: attribute.get_ref().to_string(), wanted: Vec::new(), excluded: Vec::new() };
            for value in self.texts(node) {
                match value.strip_prefix('!') {
                    Some(excluded) => condition.excluded.push(excluded.to_owned()),
                    None => condition.wanted.push(value),
                }
            }
            conditions.push(condition);
        }
        conditions
    }

    /// An array of tables of `category`, `product` and `service`.
    fn log_sources(&mut self, node: &Node<'_>) -> Vec<LogSource> {
        const WANTED: &str = "tables such as { product = \"windows\", service = \"security\" }";
        let DeValue::Array(items) = node.get_ref() else {
            self.wrong_kind(node, &format!("an array of {WANTED}"));
            return Vec::new();
        };
        let mut found = Vec::new();
        for item in items {
            let DeValue::Table(table) = item.get_ref() else {
                self.wrong_kind(item, WANTED);
                continue;
            };
            let mut words = [""; 3];
            for (key, node) in table {
                let Some(at) = ["category", "product", "service"].iter().position(|name| key.get_ref() == name) else {
                    self.unknown_key(key, "a log source has category, product and service");
                    continue;
                };
                match node.get_ref().as_str() {
                    Some(word) => words[at] = word,
                    None => self.wrong_kind(node, "text"),
                }
            }
            found.push(LogSource::new(words[0], words[1], words[2]));
        }
        found
    }

    /// A text or an array of texts.
    fn texts(&mut self, node: &Node<'_>) -> Vec<String> {
        match node.get_ref() {
            DeValue::String(text) => vec![text.to_string()],
            DeValue::Array(items) => items
                .iter()
                .filter_map(|item| {
                    let text = item.get_ref().as_str().map(str::to_owned);
                    if text.is_none() {
                        self.wrong_kind(item, "text");
                    }
                    text
                })
                .collect(),
            _ => {
                self.wrong_kind(node, "text, or an array of texts");
                Vec::new()
            }
        }
    }

    fn fields(&mut self, node: &Node<'_>) -> Vec<(Arc<str>, Source)> {
        let DeValue::Table(table) = node.get_ref() else {
            self.wrong_kind(node, "a table of fields");
            return Vec::new();
        };
        let mut fields = Vec::new();
        for (name, node) in table {
            let path = name.get_ref().as_ref();
            if path.find('*').is_some_and(|star| star + 1 < path.len()) {
                self.error("pack-star", &name.span(), "`*` may only end a field name".to_owned(), None);
            }
            if let Some(source) = self.source(node, path.ends_with('*')) {
                fields.push((Arc::from(path), source));
            }
        }
        fields
    }

    fn source(&mut self, node: &Node<'_>, open: bool) -> Option<Source> {
        match node.get_ref() {
            DeValue::String(text) if text.trim().is_empty() => Some(Source::Absent),
            DeValue::String(text) => match Expression::parse(text, &self.tables) {
                Ok(expression) if open || expression.open_names().is_empty() => {
                    Some(Source::Expression(Arc::new(expression)))
                }
                Ok(_) => {
                    let message = "a `*` in the expression needs one in the field's name".to_owned();
                    self.error("pack-star", &node.span(), message, None);
                    None
                }
                Err(fault) => {
                    let at = self.inside(&node.span(), &fault.at);
                    self.error("pack-expression", &at, fault.message, fault.help);
                    None
                }
            },
            DeValue::Table(table) => match table.iter().next() {
                Some((key, value)) if table.len() == 1 && key.get_ref() == "constant" => {
                    Some(Source::Constant(constant(value.get_ref())))
                }
                _ => {
                    self.wrong_kind(node, "{ constant = … }");
                    None
                }
            },
            _ => {
                let help = Some("fixed values are written { constant = … }".to_owned());
                let message = "expected an expression in quotes".to_owned();
                self.error("pack-wrong-kind", &node.span(), message, help);
                None
            }
        }
    }

    /// Where a part of a TOML string's value stands in the file.
    fn inside(&self, string: &Range, part: &Range) -> Range {
        let raw = self.file.text().get(string.clone()).unwrap_or("");
        let literal = raw.starts_with('\'');
        let quotes = if raw.starts_with("\"\"\"") || raw.starts_with("'''") { 3 } else { 1 };
        // For each offset of the value, one in the file.
        let mut places = Vec::new();
        let mut chars = raw.char_indices().skip(quotes).peekable();
        while let Some((at, c)) = chars.next() {
            let mut width = c.len_utf8();
            if c == '\\' && !literal {
                width = 1;
                let digits = match chars.next() {
                    Some((_, 'u')) => 4,
                    Some((_, 'U')) => 8,
                    _ => 0,
                };
                for _ in 0..digits {
                    chars.next();
                }
            }
            places.extend(std::iter::repeat_n(string.start + at, width));
        }
        let end = string.end.saturating_sub(quotes);
        let place = |offset: usize| places.get(offset).copied().unwrap_or(end).min(end);
        place(part.start)..place(part.end).max(place(part.start))
    }

    /// Fields of one entry that are made from each other.
    fn check_cycles(&mut self, entry: &Entry, node: &Node<'_>) {
        let all = || entry.fields.iter().chain(&entry.multi_fields);
        let uses: HashMap<&str, Vec<&Arc<str>>> = all()
            .filter_map(|(name, source)| match source {
                Source::Expression(expression) => Some((name.as_ref(), expression.fields())),
                _ => None,
            })
            .collect();
        for (name, _) in all() {
            let mut open = uses.get(name.as_ref()).cloned().unwrap_or_default();
            let mut seen: Vec<&Arc<str>> = Vec::new();
            while let Some(next) = open.pop() {
                if next == name {
                    let message = format!("the field `{name}` is made from itself");
                    return self.error("pack-cycle", &node.span(), message, None);
                }
                if !seen.contains(&next) {
                    seen.push(next);
                    open.extend(uses.get(next.as_ref()).into_iter().flatten());
                }
            }
        }
    }
}

/// Where the values of a table stand.
fn places(node: &Node<'_>) -> Vec<(Arc<str>, Span)> {
    let DeValue::Table(table) = node.get_ref() else { return Vec::new() };
    let place = |node: &Node<'_>| Span::new(node.span().start, node.span().end);
    table.iter().map(|(name, node)| (Arc::from(name.get_ref().as_ref()), place(node))).collect()
}

fn field_type(name: &str) -> Option<FieldType> {
    Some(match name {
        "keyword" => FieldType::Keyword,
        "text" => FieldType::Text,
        "integer" => FieldType::Integer,
        "float" => FieldType::Float,
        "boolean" => FieldType::Boolean,
        "ip" => FieldType::Ip,
        "date" => FieldType::Date,
        "version" => FieldType::Version,
        "object" => FieldType::Object,
        _ => return None,
    })
}

fn constant(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::text(text.as_ref()),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).map_or(Value::Null, Value::Int)
        }
        DeValue::Float(number) => number.as_str().parse().map_or(Value::Null, Value::Float),
        DeValue::Boolean(truth) => Value::Bool(*truth),
        DeValue::Datetime(time) => Value::text(time.to_string()),
        DeValue::Array(items) => Value::list(items.iter().map(|item| constant(item.get_ref()))),
        DeValue::Table(members) => Value::Object(Arc::new(
            members.iter().map(|(k, v)| (Arc::from(k.get_ref().as_ref()), constant(v.get_ref()))).collect(),
        )),
    }
}
