//! The rule set specialised to one shape.
//!
//! What the shape fixes (fields that it does not have, constants, the sources of a rule) is decided here, once; most
//! rules fold away whole. What remains refers to *physical* fields: tests of all languages' names for one and the
//! same raw field share one [`Matcher`].

use std::{collections::HashMap, sync::Arc};

use lurcher_ir::FieldRef;
use lurcher_schema::{Binding, Schemas, Shape, Taxonomy, Timestamp, Value, ValueRef};
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::{
    eval::Row,
    graph::{Graph, Node},
    matcher::{Found, Matcher},
    witness,
};

/// What a formula of the graph amounts to in a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fold {
    /// Never.
    False,
    /// Always.
    True,
    /// It depends on the event.
    Open,
}

/// A formula's value for a row; see [`Program::evaluate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Truth {
    False,
    True,
    /// It hangs on an expression that has not been evaluated.
    Unknown,
}

/// One filter of one rule that can hold in the shape.
#[derive(Clone, Debug)]
pub(crate) struct ProgramFilter {
    /// The rule's index in the rule set.
    pub(crate) rule: u32,
    /// The filter's index in the rule's body.
    pub(crate) filter: u32,
    /// Its formula; `None`: it holds for every event.
    pub(crate) root: Option<u32>,
}

/// A node of a formula.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ProgramNode {
    /// An atom of the program, by number.
    Atom(u32),
    /// An expression of the graph, by number.
    Residual(u32),
    /// Not this node.
    Not(u32),
    /// All of a range of [`Program::children`].
    All(u32, u32),
    /// At least one of a range of [`Program::children`].
    Any(u32, u32),
}

/// A physical field and its tests. Their atoms are numbered `first_atom..first_atom + matcher.len()`.
#[derive(Debug)]
pub(crate) struct ProgramField {
    /// How its values are made.
    pub(crate) binding: Binding,
    /// Its tests.
    pub(crate) matcher: Arc<Matcher>,
    /// The number of its first atom.
    pub(crate) first_atom: u32,
    /// The fields of the graph that it stands for.
    pub(crate) names: Vec<u32>,
    /// The tests of the graph, in the matcher's order.
    pub(crate) tests: Vec<u32>,
}

/// The rule set specialised to one shape.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) fields: Vec<ProgramField>,
    pub(crate) nodes: Vec<ProgramNode>,
    pub(crate) children: Vec<u32>,
    /// By node: whether there is an expression below it.
    pub(crate) residual: Vec<bool>,
    /// By node: whether there is an expression below it that depends on more than fields, as on the whole event.
    costly: Vec<bool>,
    pub(crate) filters: Vec<ProgramFilter>,
    /// By atom: the filters that can only hold if it or another of their witnesses holds.
    pub(crate) witnessed: Vec<Vec<u32>>,
    /// The filters without witness.
    pub(crate) unwitnessed: Vec<u32>,
    /// What the fields of expressions are bound to.
    pub(crate) residual_fields: FxHashMap<FieldRef, Binding>,
    pub(crate) atoms: usize,
}

/// A filter of a rule as a root of the graph.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Root {
    pub(crate) rule: u32,
    pub(crate) filter: u32,
    pub(crate) node: u32,
}

/// Where programs get their matchers: equal lists of tests share one.
pub(crate) type MatcherSource<'a> = dyn FnMut(&[u32]) -> Arc<Matcher> + 'a;

impl Program {
    /// Specialises the graph. `roots` are those of the rules that see the shape at all.
    pub(crate) fn new(
        graph: &Graph,
        roots: &[Root],
        schemas: &Schemas,
        shape: &Shape,
        matchers: &mut MatcherSource<'_>,
    ) -> Self {
        let bindings = Bindings::new(graph, schemas, shape);
        let folds = fold(graph, &bindings);
        let live = reachable(graph, roots, &folds);
        let (fields, atom_numbers) = physical_fields(graph, &live, &bindings, matchers);
        let atoms = fields.last().map_or(0, |f| f.first_atom as usize + f.matcher.len());
        let mut program = Self {
            fields,
            nodes: Vec::new(),
            children: Vec::new(),
            residual: Vec::new(),
            costly: Vec::new(),
            filters: Vec::new(),
            witnessed: vec![Vec::new(); atoms],
            unwitnessed: Vec::new(),
            residual_fields: FxHashMap::default(),
            atoms,
        };
        let numbers = program.add_nodes(graph, &live, &folds, &bindings, &atom_numbers);
        for root in roots {
            let node = match folds[root.node as usize] {
                Fold::False => continue,
                Fold::True => None,
                Fold::Open => Some(numbers[root.node as usize]),
            };
            program.filters.push(ProgramFilter { rule: root.rule, filter: root.filter, root: node });
        }
        program.add_witnesses(graph);
        for (node, _) in live.iter().enumerate().filter(|(_, live)| **live) {
            if let Node::Residual(residual) = graph.nodes[node] {
                for field in &graph.residuals[residual as usize].fields {
                    let reference = graph.fields[*field as usize].clone();
                    program.residual_fields.insert(reference, bindings.of(*field).clone());
                }
            }
        }
        program
    }

    fn add_nodes(
        &mut self,
        graph: &Graph,
        live: &[bool],
        folds: &[Fold],
        bindings: &Bindings<'_>,
        atoms: &FxHashMap<(u32, u32), u32>,
    ) -> Vec<u32> {
        let mut numbers = vec![0; graph.nodes.len()];
        for (at, node) in graph.nodes.iter().enumerate().filter(|(at, _)| live[*at]) {
            let new = match node {
                Node::Constant(_) => continue,
                Node::Atom { field, test } => {
                    let Some(atom) = atoms.get(&(bindings.physical(*field), *test)) else { continue };
                    ProgramNode::Atom(*atom)
                }
                Node::Residual(residual) => ProgramNode::Residual(*residual),
                Node::Not(inner) => ProgramNode::Not(numbers[*inner as usize]),
                Node::All(parts) | Node::Any(parts) => {
                    let mut open: Vec<u32> = parts
                        .iter()
                        .filter(|part| folds[**part as usize] == Fold::Open)
                        .map(|part| numbers[*part as usize])
                        .collect();
                    // Cheap parts first: an atom costs a bit test, an expression a walk over values, and one over the
                    // whole event has to make that first.
                    open.sort_unstable_by_key(|n| {
                        (self.costly[*n as usize], self.residual[*n as usize], self.rank(*n), *n)
                    });
                    open.dedup();
                    if let [only] = open.as_slice() {
                        numbers[at] = *only;
                        continue;
                    }
                    let start = self.children.len() as u32;
                    self.children.extend_from_slice(&open);
                    match node {
                        Node::All(_) => ProgramNode::All(start, self.children.len() as u32),
                        _ => ProgramNode::Any(start, self.children.len() as u32),
                    }
                }
            };
            let residual = self.below(new, &self.residual, |_| true);
            let costly = self.below(new, &self.costly, |number| !graph.residuals[number as usize].pure);
            numbers[at] = self.nodes.len() as u32;
            self.nodes.push(new);
            self.residual.push(residual);
            self.costly.push(costly);
        }
        numbers
    }

    /// Whether an expression of a kind is below a node, where `known` says so of the nodes before it.
    fn below(&self, node: ProgramNode, known: &[bool], kind: impl Fn(u32) -> bool) -> bool {
        match node {
            ProgramNode::Atom(_) => false,
            ProgramNode::Residual(number) => kind(number),
            ProgramNode::Not(inner) => known[inner as usize],
            ProgramNode::All(start, end) | ProgramNode::Any(start, end) => {
                self.children[start as usize..end as usize].iter().any(|child| known[*child as usize])
            }
        }
    }

    fn rank(&self, node: u32) -> u8 {
        match self.nodes[node as usize] {
            ProgramNode::Atom(_) => 0,
            ProgramNode::Not(_) => 1,
            _ => 2,
        }
    }

    fn add_witnesses(&mut self, graph: &Graph) {
        let chosen = witness::choose(self, graph);
        for (number, filter) in self.filters.iter().enumerate() {
            match filter.root.and_then(|root| chosen[root as usize].as_deref()) {
                Some(atoms) => atoms.iter().for_each(|a| self.witnessed[*a as usize].push(number as u32)),
                None => self.unwitnessed.push(number as u32),
            }
        }
    }

    /// A formula's truth where `atom` says which atoms hold. `residual` yields the truth of expressions.
    pub(crate) fn evaluate(&self, node: u32, atom: &[bool], residual: &mut dyn FnMut(u32) -> Truth) -> Truth {
        match self.nodes[node as usize] {
            ProgramNode::Atom(number) => {
                if atom[number as usize] {
                    Truth::True
                } else {
                    Truth::False
                }
            }
            ProgramNode::Residual(number) => residual(number),
            ProgramNode::Not(inner) => match self.evaluate(inner, atom, residual) {
                Truth::True => Truth::False,
                Truth::False => Truth::True,
                Truth::Unknown => Truth::Unknown,
            },
            ProgramNode::All(start, end) => self.evaluate_parts(start, end, atom, residual, Truth::False),
            ProgramNode::Any(start, end) => self.evaluate_parts(start, end, atom, residual, Truth::True),
        }
    }

    /// `decisive` if any part is that; else unknown if any is; else the other.
    fn evaluate_parts(
        &self,
        start: u32,
        end: u32,
        atom: &[bool],
        residual: &mut dyn FnMut(u32) -> Truth,
        decisive: Truth,
    ) -> Truth {
        let mut result = if decisive == Truth::True { Truth::False } else { Truth::True };
        for child in &self.children[start as usize..end as usize] {
            match self.evaluate(*child, atom, residual) {
                truth if truth == decisive => return decisive,
                Truth::Unknown => result = Truth::Unknown,
                _ => {}
            }
        }
        result
    }
}

/// What the graph's fields are bound to in the shape.
struct Bindings<'a> {
    schemas: &'a Schemas,
    shape: &'a Shape,
    of_field: Vec<u32>,
    distinct: Vec<Binding>,
}

impl<'a> Bindings<'a> {
    #[expect(clippy::mutable_key_type, reason = "a binding hashes and compares by what it reads, which never changes")]
    fn new(graph: &Graph, schemas: &'a Schemas, shape: &'a Shape) -> Self {
        let mut distinct = Vec::new();
        let mut numbers: HashMap<Binding, u32, FxBuildHasher> = HashMap::default();
        let of_field = graph
            .fields
            .iter()
            .map(|field| {
                let binding = schemas.bind(field.taxonomy, field.path.as_str(), shape);
                *numbers.entry(binding).or_insert_with_key(|binding| {
                    distinct.push(binding.clone());
                    distinct.len() as u32 - 1
                })
            })
            .collect();
        Self { schemas, shape, of_field, distinct }
    }

    /// Which physical field it is.
    fn physical(&self, field: u32) -> u32 {
        self.of_field[field as usize]
    }

    fn of(&self, field: u32) -> &Binding {
        &self.distinct[self.physical(field) as usize]
    }
}

/// What each node amounts to, as far as the shape decides it.
fn fold(graph: &Graph, bindings: &Bindings<'_>) -> Vec<Fold> {
    let mut folds: Vec<Fold> = Vec::with_capacity(graph.nodes.len());
    for node in &graph.nodes {
        let fold = match node {
            Node::Constant(truth) => known(*truth),
            Node::Atom { field, test } => match bindings.of(*field) {
                Binding::Missing => Fold::False,
                Binding::Constant(value) => known(passes(graph, *test, value)),
                Binding::Computed(_) => Fold::Open,
            },
            Node::Residual(number) => fold_residual(graph, *number, bindings),
            Node::Not(inner) => match folds[*inner as usize] {
                Fold::False => Fold::True,
                Fold::True => Fold::False,
                Fold::Open => Fold::Open,
            },
            Node::All(parts) => fold_parts(parts, &folds, Fold::False, Fold::True),
            Node::Any(parts) => fold_parts(parts, &folds, Fold::True, Fold::False),
        };
        folds.push(fold);
    }
    folds
}

fn known(truth: bool) -> Fold {
    if truth { Fold::True } else { Fold::False }
}

fn fold_parts(parts: &[u32], folds: &[Fold], decisive: Fold, neutral: Fold) -> Fold {
    let mut result = neutral;
    for part in parts {
        let fold = folds[*part as usize];
        if fold == decisive {
            return decisive;
        }
        if fold == Fold::Open {
            result = Fold::Open;
        }
    }
    result
}

/// Whether a constant passes a test.
fn passes(graph: &Graph, test: u32, value: &Value) -> bool {
    let mut found = Found::default();
    Matcher::new([&graph.tests[test as usize]]).run(ValueRef::Any(value), &mut found);
    !found.tests().is_empty()
}

/// An expression over nothing but constants and missing fields is decided at once.
fn fold_residual(graph: &Graph, number: u32, bindings: &Bindings<'_>) -> Fold {
    let residual = &graph.residuals[number as usize];
    let fixed = |field: &u32| match bindings.of(*field) {
        Binding::Constant(_) => true,
        Binding::Computed(_) => false,
        Binding::Missing => {
            let field = &graph.fields[*field as usize];
            !bindings.schemas.may_hold(field.taxonomy, field.path.as_str(), bindings.shape)
        }
    };
    if !residual.pure || !residual.fields.iter().all(fixed) {
        return Fold::Open;
    }
    let mut row = ConstantRow { graph, residual_fields: &residual.fields, bindings };
    known(residual.expr.holds(residual.quantifier, &mut row, Timestamp(0)))
}

/// A row of constants.
struct ConstantRow<'a> {
    graph: &'a Graph,
    residual_fields: &'a [u32],
    bindings: &'a Bindings<'a>,
}

impl Row for ConstantRow<'_> {
    fn field(&mut self, field: &FieldRef) -> Value {
        let number = self.residual_fields.iter().find(|number| self.graph.fields[**number as usize] == *field);
        match number.map(|number| self.bindings.of(*number)) {
            Some(Binding::Constant(value)) => value.clone(),
            _ => Value::Null,
        }
    }

    fn event(&mut self, _taxonomy: Taxonomy) -> Value {
        Value::Null
    }

    fn column(&mut self, _name: &str) -> Value {
        Value::Null
    }
}

/// The open nodes below open roots, reached through open nodes only.
fn reachable(graph: &Graph, roots: &[Root], folds: &[Fold]) -> Vec<bool> {
    let mut live = vec![false; graph.nodes.len()];
    for root in roots {
        live[root.node as usize] = folds[root.node as usize] == Fold::Open;
    }
    for at in (0..graph.nodes.len()).rev() {
        if !live[at] {
            continue;
        }
        let mut mark = |child: u32| live[child as usize] |= folds[child as usize] == Fold::Open;
        match &graph.nodes[at] {
            Node::Not(inner) => mark(*inner),
            Node::All(parts) | Node::Any(parts) => parts.iter().for_each(|part| mark(*part)),
            Node::Constant(_) | Node::Atom { .. } | Node::Residual(_) => {}
        }
    }
    live
}

/// The physical fields that live atoms test, and the number of each atom by (physical field, test).
fn physical_fields(
    graph: &Graph,
    live: &[bool],
    bindings: &Bindings<'_>,
    matchers: &mut MatcherSource<'_>,
) -> (Vec<ProgramField>, FxHashMap<(u32, u32), u32>) {
    let mut tests: Vec<(Vec<u32>, Vec<u32>)> = vec![Default::default(); bindings.distinct.len()];
    for (_, node) in graph.nodes.iter().enumerate().filter(|(at, _)| live[*at]) {
        if let Node::Atom { field, test } = node {
            let (names, own) = &mut tests[bindings.physical(*field) as usize];
            names.push(*field);
            own.push(*test);
        }
    }
    let mut fields = Vec::new();
    let mut numbers = FxHashMap::default();
    let mut next = 0;
    for (physical, (mut names, mut own)) in tests.into_iter().enumerate() {
        if own.is_empty() {
            continue;
        }
        for list in [&mut names, &mut own] {
            list.sort_unstable();
            list.dedup();
        }
        for (place, test) in own.iter().enumerate() {
            numbers.insert((physical as u32, *test), next + place as u32);
        }
        fields.push(ProgramField {
            binding: bindings.distinct[physical].clone(),
            matcher: matchers(&own),
            first_atom: next,
            names,
            tests: own,
        });
        next += fields.last().map_or(0, |field| field.tests.len()) as u32;
    }
    (fields, numbers)
}
