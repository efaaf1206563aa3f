//! What is known about the rows at one point of a search, symbolically.
//!
//! As long as nothing but names has changed, no column needs to exist: `eval`, `rename` and `fields` only change what a
//! name *means* ([`Names`]), as an expression over the event's own fields. A `where` or `search` then speaks of fields
//! and joins the filter of the index, wherever in the pipeline it stands. Columns are made where a stage needs them.

use std::{collections::BTreeSet, sync::Arc};

use lurcher_ir::{Calculation, ColumnPattern, Expr, FieldRef, Function, LooseFunction, Predicate, Stage};
use lurcher_schema::{Taxonomy, Value};

/// What a name means that no command has set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base {
    /// A field of the row's own event.
    Event,
    /// A column that may or may not be there.
    Row,
    /// Nothing: null.
    Nothing,
}

/// A document whose members are fields.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Unfolded {
    /// By paths (`spath`, `fromjson`), under a prefix.
    Paths { document: Expr, prefix: Arc<str> },
    /// By tags (`xmlkv`).
    Tags(Expr),
    /// By keys (`extract`).
    Pairs { text: Expr, pairs: Arc<str>, keys: Arc<str> },
}

impl Unfolded {
    fn member(&self, name: &str) -> Option<Expr> {
        let text = |text: &str| Expr::Literal(Value::text(text));
        match self {
            Self::Paths { document, prefix } => {
                let path = name.strip_prefix(prefix.as_ref())?;
                Some(loose(LooseFunction::PathValue, [document.clone(), text(path)]))
            }
            Self::Tags(document) => Some(loose(LooseFunction::TagValue(name.into()), [document.clone()])),
            Self::Pairs { text: of, pairs, keys } => {
                Some(loose(LooseFunction::PairValue(name.into()), [of.clone(), text(pairs), text(keys)]))
            }
        }
    }
}

/// What names mean.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Names {
    /// What commands have set, in order.
    pub(super) columns: Vec<(Arc<str>, Expr)>,
    pub(super) base: Base,
    /// Names of the base that are gone.
    hidden: Vec<ColumnPattern>,
    /// Names of the base that were renamed away; they come before `hidden` says no.
    gone: BTreeSet<Arc<str>>,
    /// Newest last.
    pub(super) unfolded: Vec<Unfolded>,
    /// Data sets whose names may stand before a field's, with a dot.
    pub(super) objects: Vec<Arc<str>>,
    /// Fields of the event that are something where it has none, as data models have it.
    pub(super) calculated: Vec<(Arc<str>, Arc<str>)>,
}

impl Names {
    pub(super) fn new(base: Base) -> Self {
        let (columns, hidden, gone) = (Vec::new(), Vec::new(), BTreeSet::new());
        Self { columns, base, hidden, gone, unfolded: Vec::new(), objects: Vec::new(), calculated: Vec::new() }
    }

    /// Columns of exactly these names, and nothing else.
    pub(super) fn of_columns(names: impl IntoIterator<Item = Arc<str>>) -> Self {
        let mut new = Self::new(Base::Nothing);
        for name in names {
            new.set(&name, Expr::Column(Arc::clone(&name)));
        }
        new
    }

    /// What a command has set a name to.
    pub(super) fn column(&self, name: &str) -> Option<&Expr> {
        self.columns.iter().find(|(column, _)| column.as_ref() == name).map(|(_, expr)| expr)
    }

    /// What a name means; null if nothing.
    pub(super) fn get(&self, name: &str) -> Expr {
        if let Some(column) = self.column(name) {
            return column.clone();
        }
        let is_gone = self.gone.contains(name) || self.hidden.iter().any(|pattern| pattern.fits(name).is_some());
        let base = if is_gone { None } else { self.base(name) };
        let members = self.unfolded.iter().rev().filter_map(|document| document.member(name));
        let mut candidates: Vec<Expr> = members.chain(base).collect();
        match candidates.len() {
            0 => Expr::Literal(Value::Null),
            1 => candidates.remove(0),
            _ => Expr::Call(Function::Coalesce, candidates),
        }
    }

    /// Whether a name can mean anything.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.base != Base::Nothing || !self.unfolded.is_empty() || self.column(name).is_some()
    }

    fn base(&self, name: &str) -> Option<Expr> {
        match self.base {
            Base::Event => Some(self.event_field(name)),
            Base::Row => Some(Expr::Column(name.into())),
            Base::Nothing => None,
        }
    }

    fn event_field(&self, name: &str) -> Expr {
        let mut name = name;
        // A child's field may bear its parents' names, too: `All_Certificates.SSL.ssl_issuer`.
        while let Some(rest) =
            self.objects.iter().find_map(|object| name.strip_prefix(object.as_ref())?.strip_prefix('.'))
        {
            name = rest;
        }
        match self.calculated.iter().find(|(field, _)| field.as_ref() == name) {
            Some((_, value)) => {
                let field = event_field(name);
                let empty = Expr::call(
                    Function::Equal(lurcher_ir::Case::Sensitive),
                    [field.clone(), Expr::Literal(Value::text(""))],
                );
                let filled = Expr::call(Function::If, [empty, Expr::Literal(Value::Null), field]);
                Expr::call(Function::Coalesce, [filled, Expr::Literal(Value::Text(Arc::clone(value)))])
            }
            None => event_field(name),
        }
    }

    /// Sets a name, in its place if it is set already.
    pub(super) fn set(&mut self, name: &Arc<str>, expr: Expr) {
        match self.columns.iter_mut().find(|(column, _)| column == name) {
            Some(slot) => slot.1 = expr,
            None => self.columns.push((Arc::clone(name), expr)),
        }
    }

    /// Takes a name away.
    pub(super) fn remove(&mut self, name: &str) {
        self.columns.retain(|(column, _)| column.as_ref() != name);
        self.gone.insert(name.into());
    }

    /// Takes away the names that fit a pattern.
    pub(super) fn remove_pattern(&mut self, pattern: ColumnPattern) {
        self.columns.retain(|(column, _)| pattern.fits(column).is_none());
        self.hidden.push(pattern);
    }

    /// Whether every name that can mean anything is known.
    pub(super) fn closed(&self) -> bool {
        self.base == Base::Nothing && self.unfolded.is_empty()
    }

    /// Makes every set name the column of that name.
    pub(super) fn make_columns(&mut self) {
        for (name, expr) in &mut self.columns {
            *expr = Expr::Column(Arc::clone(name));
        }
    }

    /// Whether every set name is the column of that name.
    pub(super) fn is_row(&self) -> bool {
        self.columns.iter().all(|(name, expr)| matches!(expr, Expr::Column(column) if column == name))
    }

    /// The names that are set, in order.
    pub(super) fn names(&self) -> Vec<Arc<str>> {
        self.columns.iter().map(|(name, _)| Arc::clone(name)).collect()
    }

    /// The patterns that hide names of the base.
    pub(super) fn hidden(&self) -> Vec<ColumnPattern> {
        self.hidden.iter().cloned().chain(self.gone.iter().map(|name| ColumnPattern::Named(Arc::clone(name)))).collect()
    }
}

/// A field of the event. `_time` is in seconds; `{}` marks what is an array in JSON.
pub(super) fn event_field(name: &str) -> Expr {
    let field = |name: &str| Expr::Field(FieldRef::new(Taxonomy::Cim, name));
    if name == "_time" {
        let parts = [field(name), Expr::Literal(Value::Int(1000))];
        return loose(LooseFunction::Calculate(Calculation::Divide), parts);
    }
    if name == "_raw" {
        // The text of an event in JSON is its document; other texts are there where their source keeps them.
        let windows = Expr::call(Function::IsNull, [field("Channel")]);
        let json = loose(LooseFunction::Json(lurcher_ir::JsonOperation::Write), [Expr::Event(Taxonomy::Raw)]);
        let document = Expr::call(Function::If, [windows, json, Expr::Literal(Value::Null)]);
        return Expr::call(Function::Coalesce, [field(name), document]);
    }
    if name.contains("{}") { field(&name.replace("{}", "")) } else { field(name) }
}

/// A call of a function of loose values.
pub(super) fn loose(function: LooseFunction, arguments: impl IntoIterator<Item = Expr>) -> Expr {
    Expr::call(Function::Loose(function), arguments)
}

/// Whether an expression reads a column. The variable of an iteration counts as one.
pub(super) fn reads_column(expr: &Expr) -> bool {
    match expr {
        Expr::Column(_) => true,
        Expr::ForEach { list, variable, body } => {
            reads_column(list) || body.reads_column(&|column| column != variable.as_ref())
        }
        other => {
            let mut found = false;
            other.parts(&mut |part| found = found || reads_column(part));
            found
        }
    }
}

/// Where rows come from.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Source {
    /// The events that this lets through.
    Events(Predicate),
    /// The rows of a branch that is finished.
    Branch(usize),
    /// The rows of a table.
    Table(Arc<str>),
    /// So many rows without columns.
    Rows(u64),
}

/// The rows at one point of a search.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rows {
    pub(super) inputs: Vec<Source>,
    /// The stages that they have gone through.
    pub(super) stages: Vec<Stage>,
    /// What names mean now.
    pub(super) names: Names,
    /// Whether their order is the one that Splunk would have: events come to it newest first, the engine's come oldest
    /// first.
    pub(super) ordered: bool,
}

impl Rows {
    /// The events that pass a filter.
    pub(super) fn events(filter: Predicate) -> Self {
        Self {
            inputs: vec![Source::Events(filter)],
            stages: Vec::new(),
            names: Names::new(Base::Event),
            ordered: false,
        }
    }

    /// Rows of some other source.
    pub(super) fn of(source: Source, names: Names) -> Self {
        Self { inputs: vec![source], stages: Vec::new(), names, ordered: true }
    }

    /// Puts rows in the order that Splunk would have them in.
    pub(super) fn order(&mut self) {
        if !self.ordered {
            self.stages.push(Stage::Reverse);
            self.ordered = true;
        }
    }

    /// Makes a column of every name that is set.
    pub(super) fn make_columns(&mut self) {
        let made: Vec<_> = (self.names.columns.iter())
            .filter(|(name, expr)| !matches!(expr, Expr::Column(column) if column == name))
            .cloned()
            .collect();
        if made.is_empty() {
            return;
        }
        if made.iter().any(|(_, expr)| reads_column(expr)) {
            // One may read what another is about to replace: all see the old row. That drops other columns.
            let replaced = |name: &str| made.iter().any(|(other, _)| other.as_ref() == name);
            let safe = made.iter().all(|(_, expr)| !expr.reads_column(&replaced));
            if !safe {
                let renamed: Vec<(Arc<str>, Expr)> =
                    made.iter().map(|(name, expr)| (format!("{name}~new").into(), expr.clone())).collect();
                self.stages.push(Stage::Eval(renamed.clone()));
                let back = made.iter().zip(&renamed);
                self.stages.push(Stage::Eval(
                    back.map(|((name, _), (new, _))| (Arc::clone(name), Expr::Column(Arc::clone(new)))).collect(),
                ));
                self.stages
                    .push(Stage::Drop(renamed.into_iter().map(|(name, _)| ColumnPattern::Named(name)).collect()));
                self.names.make_columns();
                return;
            }
        }
        self.stages.push(Stage::Eval(made));
        self.names.make_columns();
    }

    /// Makes a column of every field that the rows have, so that patterns find them.
    pub(super) fn flatten(&mut self) {
        if self.names.base == Base::Event {
            if self.names.column("_time").is_none() {
                let time = self.names.get("_time");
                self.names.columns.push(("_time".into(), time));
            }
            self.make_columns();
            self.stages.push(Stage::Fields(Taxonomy::Cim));
            let hidden = self.names.hidden();
            if !hidden.is_empty() {
                self.stages.push(Stage::Drop(hidden));
            }
            let unfolded = std::mem::take(&mut self.names.unfolded);
            self.names = Names { unfolded, ..Names::new(Base::Row) };
        } else {
            self.make_columns();
        }
    }
}
