//! All packs together: which mapping holds for a field of a shape.

use std::{
    collections::{BTreeSet, HashMap},
    fs,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock, PoisonError, RwLock},
};

use lurcher_diagnostics::{Diagnostic, Level, SourceFile};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    binding::Binding,
    expression::Expression,
    pack::{Pack, Source},
};
use crate::{Event, FieldPath, FieldType, LogSource, Object, Shape, ShapeId, Taxonomy, Value, star_match};

const BUILTIN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/packs.rs"));

/// How deep fields may be made from each other.
const MAX_DEPTH: usize = 16;
/// How many bindings are kept per shape and taxonomy. Names beyond, which only hostile events have, are bound anew
/// each time.
const MAX_KEPT: usize = 1 << 16;

/// All mapping packs and the types of the taxonomies' fields. Immutable, shared.
#[derive(Debug, Default)]
pub struct Schemas {
    packs: Vec<Pack>,
    types: HashMap<(Taxonomy, Arc<str>), FieldType>,
    /// Types by prefix, longest first.
    open_types: Vec<(Taxonomy, Arc<str>, FieldType)>,
    plans: RwLock<FxHashMap<(Taxonomy, ShapeId), Arc<Plan>>>,
}

/// What holds for one taxonomy and one shape.
#[derive(Debug, Default)]
struct Plan {
    exact: FxHashMap<Arc<str>, Source>,
    /// Those of the exact names that are no part of a document.
    multi_fields: FxHashSet<Arc<str>>,
    /// The others, sorted.
    names: Vec<Arc<str>>,
    /// What these are bound to, but for those that events of the shape do not have.
    bound: OnceLock<Vec<(Arc<str>, Binding)>>,
    /// By prefix, longest first.
    open: Vec<(Arc<str>, Source)>,
    indices: Vec<Arc<str>>,
    log_sources: Vec<LogSource>,
    bindings: RwLock<FxHashMap<Arc<str>, Binding>>,
}

impl Schemas {
    /// The packs that come with Lurcher (compiled in from `schemas/`).
    pub fn builtin() -> Result<Arc<Self>, Vec<Diagnostic>> {
        let (schemas, diagnostics) = Self::with_packs(&[]);
        if diagnostics.iter().any(|diagnostic| diagnostic.level == Level::Error) {
            return Err(diagnostics);
        }
        Ok(schemas)
    }

    /// The packs that come with Lurcher, and after them those of these folders (`*.toml`, also in inner folders, in
    /// the order of their paths). A pack with an error is left out; the diagnostics say why.
    pub fn with_packs(folders: &[PathBuf]) -> (Arc<Self>, Vec<Diagnostic>) {
        let mut diagnostics = Vec::new();
        let mut files: Vec<Arc<SourceFile>> =
            BUILTIN.iter().map(|(name, text)| SourceFile::new(*name, *text)).collect();
        for folder in folders {
            let mut paths = Vec::new();
            pack_paths(folder, 0, &mut paths, &mut diagnostics);
            paths.sort();
            for path in paths {
                match fs::read_to_string(&path) {
                    Ok(text) => files.push(SourceFile::new(path.display().to_string(), text)),
                    Err(error) => diagnostics.push(unreadable(&path, &error)),
                }
            }
        }
        let (schemas, found) = Self::of_files(&files);
        diagnostics.extend(found);
        (schemas, diagnostics)
    }

    /// The packs, in the order in which they were read.
    pub(super) fn packs(&self) -> &[Pack] {
        &self.packs
    }

    /// These packs and no others.
    pub(super) fn of_files(files: &[Arc<SourceFile>]) -> (Arc<Self>, Vec<Diagnostic>) {
        let mut diagnostics = Vec::new();
        let mut schemas = Self::default();
        for file in files {
            let (pack, found) = Pack::parse(file);
            diagnostics.extend(found);
            schemas.packs.extend(pack);
        }
        for pack in &schemas.packs {
            for (name, kind) in &pack.types {
                match name.strip_suffix('*') {
                    Some(prefix) => schemas.open_types.push((pack.taxonomy, prefix.into(), *kind)),
                    None => drop(schemas.types.insert((pack.taxonomy, Arc::clone(name)), *kind)),
                }
            }
        }
        schemas.open_types.sort_by_key(|(_, prefix, _)| std::cmp::Reverse(prefix.len()));
        (Arc::new(schemas), diagnostics)
    }

    /// What `path` of `taxonomy` is made from in events of this shape. Kept, so that asking again is cheap.
    ///
    /// Without a mapping a raw field is itself, and a field of any other taxonomy is missing. [`FieldPath::EVERYTHING`]
    /// is every value of the event.
    pub fn bind(&self, taxonomy: Taxonomy, path: &str, shape: &Shape) -> Binding {
        self.bind_below(taxonomy, path, shape, 0)
    }

    fn bind_below(&self, taxonomy: Taxonomy, path: &str, shape: &Shape, depth: usize) -> Binding {
        if path == FieldPath::EVERYTHING {
            return Binding::everything();
        }
        if taxonomy == Taxonomy::Ecs
            && path == "_index"
            && let Some(index) = self.indices(shape).first()
        {
            return Binding::constant(Value::text(backing_index(index)));
        }
        let plan = self.plan(taxonomy, shape);
        if let Some(binding) = plan.bindings.read().unwrap_or_else(PoisonError::into_inner).get(path) {
            return binding.clone();
        }
        if path.contains('*') {
            return self.bind_pattern(taxonomy, path, &plan, shape, depth);
        }
        if taxonomy == Taxonomy::Cim && path.contains("{}") && !plan.exact.contains_key(path) {
            // Splunk names what is in an array's elements `array{}.member`; here it is `array.member`.
            return self.bind_below(taxonomy, &path.replace("{}", ""), shape, depth);
        }
        if let Some(binding) = self.bind_member(&plan, taxonomy, path, shape, depth) {
            return binding;
        }
        let (expression, rest) = match plan.source(path) {
            None if taxonomy == Taxonomy::Raw => return Binding::raw(path),
            None | Some((Source::Absent, _)) => return Binding::Missing,
            Some((Source::Constant(value), _)) => return Binding::constant(value.clone()),
            Some((Source::Expression(expression), rest)) => (expression, rest),
        };
        let binding = Resolver { schemas: self, taxonomy, shape, rest, depth }.resolve(expression);
        // What was found deep inside a cycle holds only there. The rest is cheap enough to find anew; a shape is
        // asked for thousands of names that it does not have.
        if depth == 0 {
            let mut bindings = plan.bindings.write().unwrap_or_else(PoisonError::into_inner);
            if bindings.len() < MAX_KEPT {
                bindings.insert(path.into(), binding.clone());
            }
        }
        binding
    }

    /// All fields whose names fit a pattern: those that mappings spell out, and what a `*` gives. Those of a type of
    /// their own are not among them: they are compared otherwise, so whoever asks names them one by one.
    fn bind_pattern(&self, taxonomy: Taxonomy, pattern: &str, plan: &Plan, shape: &Shape, depth: usize) -> Binding {
        let mut parts = Vec::new();
        for name in plan.exact.keys().filter(|name| star_match(pattern, name)).collect::<BTreeSet<_>>() {
            let keyword = matches!(self.field_type(taxonomy, name), FieldType::Keyword | FieldType::Object);
            if keyword && depth < MAX_DEPTH && !plan.multi_fields.contains(name) {
                parts.push(self.bind_below(taxonomy, name, shape, depth + 1));
            }
        }
        let open = plan.open.iter().find_map(|(prefix, source)| Some((source, pattern.strip_prefix(prefix.as_ref())?)));
        match open {
            None if taxonomy == Taxonomy::Raw => parts.push(Binding::matching(pattern)),
            Some((Source::Expression(expression), rest)) => {
                parts.push(Resolver { schemas: self, taxonomy, shape, rest, depth }.resolve(expression));
            }
            _ => {}
        }
        let typed = self.types.iter().filter(|((own, name), kind)| {
            *own == taxonomy && !matches!(kind, FieldType::Keyword | FieldType::Object) && star_match(pattern, name)
        });
        let mut typed: Vec<Arc<str>> = typed.map(|((_, name), _)| Arc::clone(name)).collect();
        typed.sort();
        let mut parts: Vec<Binding> = parts.into_iter().map(|part| part.without(&typed)).collect();
        parts.retain(|part| !part.is_missing());
        if parts.len() == 1 { parts.remove(0) } else { Binding::list(parts) }
    }

    /// A field below one whose type is `object` is that member of it, unless a mapping names it, or an open one that is
    /// nearer.
    fn bind_member(&self, plan: &Plan, taxonomy: Taxonomy, path: &str, shape: &Shape, depth: usize) -> Option<Binding> {
        if depth >= MAX_DEPTH || plan.exact.contains_key(path) {
            return None;
        }
        let (dot, parent) = path.rmatch_indices('.').map(|(dot, _)| (dot, &path[..dot])).find(|(_, parent)| {
            plan.exact.contains_key(*parent)
                && self.types.get(&(taxonomy, Arc::from(*parent))) == Some(&FieldType::Object)
        })?;
        if plan.open.iter().any(|(prefix, _)| prefix.len() > dot && path.starts_with(prefix.as_ref())) {
            return None;
        }
        let rest = &path[dot + 1..];
        let Some(Source::Expression(expression)) = plan.exact.get(parent) else { return Some(Binding::Missing) };
        Some(match expression.as_ref() {
            Expression::Raw(name) if taxonomy == Taxonomy::Raw => Binding::raw(format!("{name}.{rest}")),
            Expression::Raw(name) => self.bind_below(Taxonomy::Raw, &format!("{name}.{rest}"), shape, depth + 1),
            _ => Binding::member(self.bind_below(taxonomy, parent, shape, depth + 1), rest),
        })
    }

    fn plan(&self, taxonomy: Taxonomy, shape: &Shape) -> Arc<Plan> {
        let key = (taxonomy, shape.id());
        if let Some(plan) = self.plans.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Arc::clone(plan);
        }
        let plan = Arc::new(Plan::new(&self.packs, taxonomy, shape));
        let mut plans = self.plans.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(plans.entry(key).or_insert(plan))
    }

    /// What a field of a taxonomy holds; [`FieldType::Keyword`] where nothing else is said.
    pub fn field_type(&self, taxonomy: Taxonomy, path: &str) -> FieldType {
        if let Some(kind) = self.types.get(&(taxonomy, Arc::from(path))) {
            return *kind;
        }
        let open = self.open_types.iter().find(|(t, prefix, _)| *t == taxonomy && path.starts_with(prefix.as_ref()));
        open.map_or(FieldType::Keyword, |(_, _, kind)| *kind)
    }

    /// The names of a taxonomy's fields that the packs spell out, whatever the shape of the event: those with a mapping
    /// and those with a type.
    pub fn field_names(&self, taxonomy: Taxonomy) -> BTreeSet<Arc<str>> {
        let typed = self.types.keys().filter(|(own, _)| *own == taxonomy).map(|(_, name)| name);
        let entries = self.packs.iter().filter(|pack| pack.taxonomy == taxonomy).flat_map(|pack| &pack.entries);
        let mapped = entries.flat_map(|entry| entry.fields.iter().chain(&entry.multi_fields)).map(|(name, _)| name);
        typed.chain(mapped).filter(|name| !name.ends_with('*')).map(Arc::clone).collect()
    }

    /// The names of the Elasticsearch indices and data streams that events of this shape would lie in at their
    /// vendor's (`winlogbeat-default`, `logs-windows.sysmon_operational-default`): rules choose events by patterns
    /// over these. Empty: unknown, no rule with index patterns sees them.
    pub fn indices(&self, shape: &Shape) -> Vec<Arc<str>> {
        let stated = shape.attribute("index").unwrap_or_default();
        let mut indices: Vec<Arc<str>> =
            stated.split(',').filter(|index| !index.is_empty()).map(|index| data_stream(index).into()).collect();
        for index in &self.plan(Taxonomy::Ecs, shape).indices {
            if !indices.contains(index) {
                indices.push(Arc::clone(index));
            }
        }
        indices
    }

    /// The log sources that events of this shape belong to: rules choose events by them. Empty: unknown, no rule that
    /// names a log source sees them.
    pub fn log_sources(&self, shape: &Shape) -> Vec<LogSource> {
        self.plan(Taxonomy::Sigma, shape).log_sources.clone()
    }

    /// Whether a pack that does not come with Lurcher has a mapping for documents of no known dialect.
    pub fn maps_unknown(&self) -> bool {
        let own = self.packs.iter().filter(|pack| BUILTIN.iter().all(|(name, _)| *name != pack.file.name()));
        own.flat_map(|pack| &pack.entries).flat_map(super::pack::Entry::conditions).any(|set| {
            set.iter()
                .any(|(attribute, wanted)| *attribute == "dialect" && wanted.iter().any(|value| value == "unknown"))
        })
    }

    /// Every log source that some mapping gives to some events, each once, sorted.
    pub fn known_log_sources(&self) -> BTreeSet<&LogSource> {
        self.packs.iter().flat_map(|pack| &pack.entries).flat_map(|entry| &entry.log_sources).collect()
    }

    /// The fields that a taxonomy's mappings name for this shape and that are not missing, by name. Fields that only
    /// a `*` gives are not among them.
    pub fn fields(&self, taxonomy: Taxonomy, shape: &Shape) -> Vec<(Arc<str>, Binding)> {
        self.members(taxonomy, "", shape)
    }

    /// Those of [`Self::fields`] that lie below an object's path (`process` has `process.name`, …); all for an empty
    /// path.
    pub fn members(&self, taxonomy: Taxonomy, path: &str, shape: &Shape) -> Vec<(Arc<str>, Binding)> {
        let prefix = if path.is_empty() { String::new() } else { format!("{path}.") };
        self.bound_below(&self.plan(taxonomy, shape), taxonomy, &prefix, shape).to_vec()
    }

    /// Those names that mappings spell out and that begin with `prefix`, sorted, with what they are bound to.
    fn bound_below<'p>(
        &self,
        plan: &'p Plan,
        taxonomy: Taxonomy,
        prefix: &str,
        shape: &Shape,
    ) -> &'p [(Arc<str>, Binding)] {
        let bound = plan.bound.get_or_init(|| {
            let bound = plan.names.iter().map(|name| (Arc::clone(name), self.bind(taxonomy, name, shape)));
            bound.filter(|(_, binding)| !binding.is_missing()).collect()
        });
        beginning_with(bound, prefix, |(name, _)| name)
    }

    /// Whether events of this shape may have fields below this path, so that its value may be the object of those although
    /// the path itself is bound to nothing.
    pub fn may_hold(&self, taxonomy: Taxonomy, path: &str, shape: &Shape) -> bool {
        let below = format!("{path}.");
        let opens = |(open, _): &(Arc<str>, Source)| open.starts_with(&below) || below.starts_with(open.as_ref());
        self.plan(taxonomy, shape).open.iter().any(opens) || !self.members(taxonomy, path, shape).is_empty()
    }

    /// One field of an event; for an object's path the object of all fields below it; null if there is neither.
    pub fn value(&self, event: &Event, taxonomy: Taxonomy, path: &str) -> Value {
        let value = self.bind(taxonomy, path, &event.shape).value(event);
        if !value.is_missing() {
            return value;
        }
        let members = self.normalise_below(event, taxonomy, &format!("{path}."));
        if members.is_empty() { Value::Null } else { Value::Object(Arc::new(members)) }
    }

    /// A whole event in a taxonomy, as nested objects, in the order of the names. [`Taxonomy::Raw`]: the raw fields.
    pub fn normalise(&self, event: &Event, taxonomy: Taxonomy) -> Object {
        self.normalise_below(event, taxonomy, "")
    }

    /// Every field of an event in a taxonomy under its full dotted name, in the order of the names; only those that it has.
    pub fn fields_of(&self, event: &Event, taxonomy: Taxonomy) -> Vec<(Arc<str>, Value)> {
        self.fields_below(event, taxonomy, "")
    }

    fn normalise_below(&self, event: &Event, taxonomy: Taxonomy, prefix: &str) -> Object {
        let mut object = Object::default();
        for (name, value) in self.fields_below(event, taxonomy, prefix) {
            if let Some(path) = name.get(prefix.len()..).filter(|path| !path.is_empty()) {
                object.insert_path(path, value);
            }
        }
        object
    }

    /// The fields whose names begin with `prefix`, in the order of the names; only those that the event has.
    fn fields_below(&self, event: &Event, taxonomy: Taxonomy, prefix: &str) -> Vec<(Arc<str>, Value)> {
        let plan = self.plan(taxonomy, &event.shape);
        let spelt_out = self.bound_below(&plan, taxonomy, prefix, &event.shape);
        let values = spelt_out.iter().map(|(name, binding)| (Arc::clone(name), binding.value(event)));
        let mut fields: Vec<_> = values.filter(|(_, value)| !value.is_missing()).collect();
        let sorted = fields.len();
        for name in self.open_names(&plan, event, taxonomy, prefix, 0) {
            if name.is_empty() || plan.exact.contains_key(&name) {
                continue;
            }
            let value = self.bind(taxonomy, &name, &event.shape).value(event);
            if !value.is_missing() {
                fields.push((name, value));
            }
        }
        if fields.len() > sorted {
            fields.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        fields
    }

    /// The names that begin with `prefix` and that the event may have: those that mappings spell out, and those
    /// that a `*` gives for the event's raw fields.
    fn names_below(&self, event: &Event, taxonomy: Taxonomy, prefix: &str, depth: usize) -> BTreeSet<Arc<str>> {
        let plan = self.plan(taxonomy, &event.shape);
        let mut names = self.open_names(&plan, event, taxonomy, prefix, depth);
        names.extend(beginning_with(&plan.names, prefix, |name| name).iter().map(Arc::clone));
        names
    }

    /// The names that begin with `prefix` and that a `*` gives for the event's raw fields; mappings may spell some of them
    /// out as well.
    fn open_names(
        &self,
        plan: &Plan,
        event: &Event,
        taxonomy: Taxonomy,
        prefix: &str,
        depth: usize,
    ) -> BTreeSet<Arc<str>> {
        let raw_names = |prefix: &str| -> Vec<Arc<str>> {
            event.raw.iter().map(|(name, _)| name).filter(|name| name.starts_with(prefix)).map(Arc::clone).collect()
        };
        let mut names = BTreeSet::new();
        if taxonomy == Taxonomy::Raw {
            names.extend(raw_names(prefix).into_iter().filter(|name| plan.source(name).is_none()));
        }
        for (open, source) in &plan.open {
            let Source::Expression(expression) = source else { continue };
            let below = match prefix.strip_prefix(open.as_ref()) {
                Some(below) => below,
                None if open.starts_with(prefix) => "",
                None => continue,
            };
            for (is_raw, from) in expression.open_names() {
                let wanted = format!("{from}{below}");
                let found: Vec<Arc<str>> = match (is_raw, taxonomy) {
                    (true, Taxonomy::Raw) => raw_names(&wanted),
                    _ if depth >= MAX_DEPTH => Vec::new(),
                    (true, _) => self.names_below(event, Taxonomy::Raw, &wanted, depth + 1).into_iter().collect(),
                    (false, _) => self.names_below(event, taxonomy, &wanted, depth + 1).into_iter().collect(),
                };
                let rests = found.iter().filter_map(|name| name.strip_prefix(from));
                let below = rests.map(|rest| Arc::from(format!("{open}{rest}")));
                names.extend(below.filter(|name| !plan.multi_fields.contains(name)));
            }
        }
        names
    }
}

/// Those of some sorted items whose names begin with a prefix.
fn beginning_with<'i, T>(sorted: &'i [T], prefix: &str, name: impl Fn(&T) -> &Arc<str>) -> &'i [T] {
    let begin = sorted.partition_point(|item| name(item).as_ref() < prefix);
    let rest = &sorted[begin..];
    let length = rest.partition_point(|item| name(item).starts_with(prefix));
    &rest[..length]
}

impl Plan {
    fn new(packs: &[Pack], taxonomy: Taxonomy, shape: &Shape) -> Self {
        let mut fitting: Vec<_> = packs
            .iter()
            .filter(|pack| pack.taxonomy == taxonomy)
            .flat_map(|pack| &pack.entries)
            .filter_map(|entry| Some((entry.fits(shape)?, entry)))
            .collect();
        // Stable: of equally specific entries the later one wins.
        fitting.sort_by_key(|(attributes, _)| *attributes);
        let mut plan = Self::default();
        let mut open: HashMap<&str, &Source> = HashMap::new();
        for (_, entry) in fitting {
            for (name, source) in &entry.fields {
                match name.strip_suffix('*') {
                    Some(prefix) => drop(open.insert(prefix, source)),
                    None => drop(plan.exact.insert(Arc::clone(name), source.clone())),
                }
            }
            for (name, source) in &entry.multi_fields {
                plan.exact.insert(Arc::clone(name), source.clone());
                plan.multi_fields.insert(Arc::clone(name));
            }
            for source in &entry.log_sources {
                if !plan.log_sources.contains(source) {
                    plan.log_sources.push(source.clone());
                }
            }
            for index in &entry.indices {
                if !plan.indices.contains(index) {
                    plan.indices.push(Arc::clone(index));
                }
            }
        }
        plan.open = open.into_iter().map(|(prefix, source)| (prefix.into(), source.clone())).collect();
        plan.open.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        plan.names = plan.exact.keys().filter(|name| !plan.multi_fields.contains(*name)).map(Arc::clone).collect();
        plan.names.sort();
        plan
    }

    /// The mapping of a path, and what a `*` in its name stands for.
    fn source<'p>(&self, path: &'p str) -> Option<(&Source, &'p str)> {
        if let Some(source) = self.exact.get(path) {
            return Some((source, ""));
        }
        self.open.iter().find_map(|(prefix, source)| Some((source, path.strip_prefix(prefix.as_ref())?)))
    }
}

struct Resolver<'a> {
    schemas: &'a Schemas,
    taxonomy: Taxonomy,
    shape: &'a Shape,
    /// What a `*` stands for.
    rest: &'a str,
    depth: usize,
}

impl Resolver<'_> {
    fn resolve(&self, expression: &Expression) -> Binding {
        let all = |parts: &[Expression]| parts.iter().map(|part| self.resolve(part)).collect::<Vec<_>>();
        match expression {
            // The raw packs themselves name what is physically there.
            Expression::Raw(name) if self.taxonomy == Taxonomy::Raw => Binding::raw(self.name(name)),
            Expression::Raw(name) => self.bind(Taxonomy::Raw, &self.name(name)),
            Expression::Field(name) => self.bind(self.taxonomy, &self.name(name)),
            Expression::Attribute(name) => {
                Binding::constant(self.shape.attribute(name).map_or(Value::Null, Value::text))
            }
            Expression::Time => Binding::time(),
            Expression::Literal(value) => Binding::constant(value.clone()),
            Expression::First(parts) => Binding::first(all(parts)),
            Expression::Concat(parts) => Binding::concat(all(parts)),
            Expression::List(parts) => Binding::list(all(parts)),
            Expression::When(condition, alternatives, value) => {
                Binding::when(self.resolve(condition), Arc::clone(alternatives), self.resolve(value))
            }
            Expression::Apply(value, transform) => Binding::apply(self.resolve(value), transform.clone()),
        }
    }

    fn name(&self, name: &str) -> Arc<str> {
        match name.strip_suffix('*') {
            Some(prefix) => format!("{prefix}{}", self.rest).into(),
            None => name.into(),
        }
    }

    /// A field that is made from itself over several packs is missing; within one entry it is an error.
    fn bind(&self, taxonomy: Taxonomy, name: &str) -> Binding {
        if self.depth >= MAX_DEPTH {
            return Binding::Missing;
        }
        self.schemas.bind_below(taxonomy, name, self.shape, self.depth + 1)
    }
}

/// The data stream that a backing index (`.ds-logs-system.security-default-2026.01.31-000001`) belongs to; any other
/// index is itself.
fn data_stream(index: &str) -> &str {
    let stream = || {
        let (rest, generation) = index.strip_prefix(".ds-")?.rsplit_once('-')?;
        let (stream, date) = rest.rsplit_once('-')?;
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        (digits(generation) && digits(date)).then_some(stream)
    };
    stream().unwrap_or(index)
}

/// The index that holds what is written to a data stream or to the alias of alerts, as the metadata field `_index` names it;
/// without the date, which nothing here knows. Any other index is itself.
fn backing_index(index: &str) -> String {
    let is_stream = ["logs-", "metrics-", "traces-", "synthetics-"].iter().any(|kind| index.starts_with(kind));
    match index.strip_prefix(".alerts-") {
        Some(alerts) => format!(".internal.alerts-{alerts}-000001"),
        None if is_stream && index.matches('-').count() >= 2 => format!(".ds-{index}-000001"),
        None => index.to_owned(),
    }
}

fn pack_paths(folder: &Path, depth: usize, paths: &mut Vec<PathBuf>, diagnostics: &mut Vec<Diagnostic>) {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return diagnostics.push(unreadable(folder, &error)),
    };
    for entry in entries {
        match entry.and_then(|entry| Ok((entry.path(), entry.file_type()?))) {
            Ok((path, kind)) if kind.is_dir() && depth < MAX_DEPTH => pack_paths(&path, depth + 1, paths, diagnostics),
            Ok((path, kind)) if !kind.is_dir() && path.extension().is_some_and(|e| e == "toml") => paths.push(path),
            Ok(_) => {}
            Err(error) => diagnostics.push(unreadable(folder, &error)),
        }
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Diagnostic {
    Diagnostic::error("pack-unreadable", format!("cannot read the mapping pack {}: {error}", path.display()))
}
