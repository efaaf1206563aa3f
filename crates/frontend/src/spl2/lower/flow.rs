//! What is known about the rows at one point of a pipeline, symbolically.
//!
//! As long as nothing stateful has happened, no column needs to exist: `eval`, `rename` and `select` only change what
//! a name *means* ([`Environment`]), as an expression over the event's own fields. A `where` then speaks of fields
//! and joins the filter. Columns are made once, at the sink, or where a stage needs them.

use std::{collections::BTreeSet, sync::Arc};

use lurcher_ir::{Expr, FieldRef, Function, Predicate, Stage};
use lurcher_schema::{Taxonomy, Value};

/// What a name means that no command has set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base {
    /// `input_event` is a map of CIM fields, `_datamodels` a list.
    Cim,
    /// `input_event` is an OCSF event.
    OcsfMap,
    /// The record is an OCSF event itself.
    Ocsf,
    /// Nothing: null.
    Nothing,
}

/// What names mean.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Environment {
    /// What commands have set, in order.
    pub(super) columns: Vec<(Arc<str>, Expr)>,
    /// What else there is.
    base: Base,
    /// Names of the base that are gone.
    hidden: BTreeSet<Arc<str>>,
    /// Objects whose members are fields (`expand`, `flatten`), newest last.
    unfolded: Vec<Expr>,
}

impl Environment {
    /// Nothing set yet.
    pub(super) fn new(base: Base) -> Self {
        Self { columns: Vec::new(), base, hidden: BTreeSet::new(), unfolded: Vec::new() }
    }

    /// What a name means, if anything.
    pub(super) fn find(&self, name: &str) -> Option<Expr> {
        if let Some(column) = self.column(name) {
            return Some(column.clone());
        }
        let base = if self.hidden.contains(name) { None } else { self.base(name) };
        let members = self.unfolded.iter().rev().map(|object| member(object.clone(), name));
        let mut candidates: Vec<Expr> = members.chain(base).collect();
        match candidates.len() {
            0 => None,
            1 => candidates.pop(),
            _ => Some(Expr::Call(Function::Coalesce, candidates)),
        }
    }

    /// What a name means; null if nothing.
    pub(super) fn get(&self, name: &str) -> Expr {
        self.find(name).unwrap_or(Expr::Literal(Value::Null))
    }

    /// What a command has set a name to.
    pub(super) fn column(&self, name: &str) -> Option<&Expr> {
        self.columns.iter().find(|(column, _)| column.as_ref() == name).map(|(_, expr)| expr)
    }

    fn base(&self, name: &str) -> Option<Expr> {
        match (self.base, name) {
            (Base::Cim, "input_event") => Some(Expr::Event(Taxonomy::Cim)),
            (Base::OcsfMap, "input_event") => Some(Expr::Event(Taxonomy::Ocsf)),
            (Base::Cim | Base::OcsfMap, "_datamodels") => {
                Some(Expr::Field(FieldRef::new(Taxonomy::Cim, "_datamodels")))
            }
            (Base::Ocsf, name) => Some(Expr::Field(FieldRef::new(Taxonomy::Ocsf, name))),
            _ => None,
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
        self.hidden.insert(name.into());
    }

    /// Only these columns, and nothing else.
    pub(super) fn only(columns: Vec<(Arc<str>, Expr)>) -> Self {
        let mut environment = Self::new(Base::Nothing);
        for (name, expr) in columns {
            environment.set(&name, expr);
        }
        environment
    }

    /// Makes the members of an object fields.
    pub(super) fn unfold(&mut self, object: Expr) {
        self.unfolded.push(object);
    }

    /// Makes every set name a column of that name; what is not set keeps its meaning.
    pub(super) fn make_columns(&mut self) {
        for (name, expr) in &mut self.columns {
            *expr = Expr::Column(Arc::clone(name));
        }
    }

    /// Whether every set name is the column of that name.
    pub(super) fn is_row(&self) -> bool {
        self.columns.iter().all(|(name, expr)| matches!(expr, Expr::Column(column) if column == name))
    }

    /// Whether a set name, other than the column itself, means one of these columns.
    pub(super) fn mentions(&self, columns: &[&str]) -> bool {
        self.columns.iter().any(|(name, expr)| {
            let itself = matches!(expr, Expr::Column(column) if column == name);
            !itself && expr.reads_column(&|column| columns.contains(&column))
        })
    }

    /// What names mean after rows of two kinds have been put together, both with columns of their own.
    pub(super) fn joined(mut self, other: &Self) -> Self {
        for (name, expr) in &other.columns {
            self.set(name, expr.clone());
        }
        if self.base != other.base {
            self.base = Base::Nothing;
        }
        self.hidden.extend(other.hidden.iter().cloned());
        self.unfolded.clear();
        self
    }
}

/// A member of a value. Of an event or a field: a field; of an object that is written out: what is written there.
pub(super) fn member(of: Expr, name: &str) -> Expr {
    match of {
        Expr::Event(taxonomy) => Expr::Field(FieldRef::new(taxonomy, name)),
        Expr::Field(field) => Expr::Field(FieldRef::new(field.taxonomy, format!("{}.{name}", field.path))),
        Expr::Object(members) => {
            let found = members.into_iter().rev().find(|(key, _)| key.as_ref() == name);
            found.map_or(Expr::Literal(Value::Null), |(_, value)| value)
        }
        Expr::Literal(Value::Null) => Expr::Literal(Value::Null),
        other => Expr::call(Function::Member(name.into()), [other]),
    }
}

/// Where an arm's rows come from.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Source {
    /// The events that this lets through.
    Events(Predicate),
    /// The rows of a branch that is finished.
    Branch(usize),
}

/// Rows that have gone through the same commands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Arm {
    /// Where they come from.
    pub(super) inputs: Vec<Source>,
    /// The stages that they have gone through.
    pub(super) stages: Vec<Stage>,
    /// What names mean now.
    pub(super) environment: Environment,
}

/// The rows at one point of a pipeline: a bag of those of all arms.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Flow {
    /// At least one, unless something was wrong.
    pub(super) arms: Vec<Arm>,
}

impl Flow {
    /// All events, under a naming.
    pub(super) fn events(base: Base) -> Self {
        let inputs = vec![Source::Events(Predicate::Constant(true))];
        Self { arms: vec![Arm { inputs, stages: Vec::new(), environment: Environment::new(base) }] }
    }

    /// Adds the rows of another. Arms in which names mean the same become one.
    pub(super) fn union(&mut self, other: Flow) {
        for arm in other.arms {
            let same = |mine: &&mut Arm| {
                mine.stages.is_empty() && arm.stages.is_empty() && mine.environment == arm.environment
            };
            match self.arms.iter_mut().find(same) {
                Some(mine) => mine.inputs.extend(arm.inputs),
                None => self.arms.push(arm),
            }
        }
    }

    /// How much there is of it; unions of unions grow without limit.
    pub(super) fn size(&self) -> usize {
        self.arms.iter().map(|arm| arm.inputs.len() + arm.stages.len()).sum()
    }
}
