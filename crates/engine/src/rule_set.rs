//! All rules, compiled together. Immutable, shared by threads.
//!
//! Building interns all predicates into one graph and does nothing else: what a shape makes of the graph is worked
//! out when the first batch of that shape comes by, and kept for all threads.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, OnceLock, PoisonError, RwLock},
};

use lurcher_ir::{FieldRef, Rule, Tail, Test};
use lurcher_schema::{Schemas, Shape, ShapeId};
use rustc_hash::FxBuildHasher;

use crate::{
    explain::sources_of,
    graph::{Graph, GraphBuilder},
    matcher::Matcher,
    program::{Program, Root},
    risk,
    routing::Belongs,
};

/// More shapes than this at a time are not kept; those that come again are worked out anew.
const MOST_SHAPES: usize = 4096;

/// Which events a rule is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Route {
    /// Only events of the sources that the rule names, as at its vendor's.
    #[default]
    Strict,
    /// Every event that carries its fields.
    Any,
}

/// Makes a [`RuleSet`].
#[derive(Debug)]
pub struct Compiler {
    schemas: Arc<Schemas>,
    route: Route,
    rules: Vec<Arc<Rule>>,
}

impl Compiler {
    /// A compiler for these mappings, without rules, with [`Route::Strict`].
    pub fn new(schemas: Arc<Schemas>) -> Self {
        Self { schemas, route: Route::default(), rules: Vec::new() }
    }

    /// Says which events rules are given.
    #[must_use]
    pub fn route(mut self, route: Route) -> Self {
        self.route = route;
        self
    }

    /// Adds a rule. Rules without a body keep their place and never match.
    #[must_use]
    #[expect(clippy::should_implement_trait, reason = "adding a rule is no sum")]
    pub fn add(mut self, rule: Arc<Rule>) -> Self {
        self.rules.push(rule);
        self
    }

    /// Adds rules.
    #[must_use]
    pub fn add_all(mut self, rules: impl IntoIterator<Item = Arc<Rule>>) -> Self {
        self.rules.extend(rules);
        self
    }

    /// Compiles them.
    pub fn build(self) -> Arc<RuleSet> {
        let mut graph = GraphBuilder::new();
        let mut roots = Vec::new();
        let mut immediate = Vec::new();
        for (number, rule) in self.rules.iter().enumerate() {
            let Some(body) = &rule.body else {
                immediate.push(false);
                continue;
            };
            let alone = matches!(&body.tail, Tail::Events { limits } if limits.is_empty());
            immediate.push(alone && rule.meta.suppression.is_none());
            let used = if matches!(body.tail, Tail::Events { .. }) { 1 } else { body.filters.len() };
            for (filter, predicate) in body.filters.iter().take(used).enumerate() {
                roots.push(Root { rule: number as u32, filter: filter as u32, node: graph.add(predicate) });
            }
        }
        Arc::new(RuleSet {
            schemas: self.schemas,
            route: self.route,
            rules: self.rules,
            immediate,
            graph: graph.build(),
            roots,
            programs: RwLock::default(),
            matchers: RwLock::default(),
        })
    }
}

type Programs = HashMap<ShapeId, Arc<OnceLock<Arc<Program>>>, FxBuildHasher>;
type Matchers = HashMap<Box<[u32]>, Arc<Matcher>, FxBuildHasher>;

/// All rules, compiled together.
#[derive(Debug)]
pub struct RuleSet {
    schemas: Arc<Schemas>,
    route: Route,
    rules: Vec<Arc<Rule>>,
    immediate: Vec<bool>,
    graph: Graph,
    roots: Vec<Root>,
    programs: RwLock<Programs>,
    matchers: RwLock<Matchers>,
}

/// How a rule's filter is decided in a shape.
#[derive(Clone, Debug, PartialEq)]
pub enum FilterPlan {
    /// Its rule does not see events of this shape (strict routing).
    NotRouted,
    /// It cannot hold: the shape lacks its fields or contradicts it.
    Never,
    /// It holds for every event of the shape.
    Always,
    /// It is looked at only where one of these tests holds. A test stands once for every name of its raw field.
    Witnessed(Vec<(FieldRef, Test)>),
    /// It is looked at for every event of the shape.
    Unwitnessed,
}

impl RuleSet {
    /// The rules in the order in which they were added.
    pub fn rules(&self) -> &[Arc<Rule>] {
        &self.rules
    }

    /// The mappings that they were compiled for.
    pub fn schemas(&self) -> &Arc<Schemas> {
        &self.schemas
    }

    /// Which events rules are given.
    pub fn route(&self) -> Route {
        self.route
    }

    /// Whether every event that passes the rule's filter is an alert of its own, without a tail.
    pub(crate) fn is_immediate(&self, rule: u32) -> bool {
        self.immediate[rule as usize]
    }

    /// The graph of all predicates.
    pub(crate) fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The raw fields that the rules' predicates read in events of a shape, sorted. Tails, messages and evidence may
    /// read more.
    pub fn raw_fields(&self, shape: &Shape) -> Vec<Arc<str>> {
        let program = self.program(shape);
        let bindings = program.fields.iter().map(|field| &field.binding).chain(program.residual_fields.values());
        let names: BTreeSet<Arc<str>> = bindings.flat_map(|b| b.raw_fields()).map(Arc::from).collect();
        names.into_iter().collect()
    }

    /// How many atoms, formulas and fields there are over all rules.
    pub fn size(&self) -> (usize, usize, usize) {
        (self.graph.tests.len(), self.graph.nodes.len(), self.graph.fields.len())
    }

    /// How each filter of a rule is decided in a shape, by the filter's index. Empty for a rule without body.
    pub fn plan(&self, rule: u32, shape: &Shape) -> BTreeMap<u32, FilterPlan> {
        let program = self.program(shape);
        let belongs = Belongs::new(&self.schemas, shape);
        let own = self.roots.iter().filter(|root| root.rule == rule);
        own.map(|root| {
            let live = program.filters.iter().position(|f| (f.rule, f.filter) == (rule, root.filter));
            let plan = match live {
                _ if !self.sees(rule, root.filter, &belongs) => FilterPlan::NotRouted,
                None => FilterPlan::Never,
                Some(number) if program.filters[number].root.is_none() => FilterPlan::Always,
                Some(number) if program.unwitnessed.contains(&(number as u32)) => FilterPlan::Unwitnessed,
                Some(number) => FilterPlan::Witnessed(self.witnesses(&program, number as u32)),
            };
            (root.filter, plan)
        })
        .collect()
    }

    /// The rules that have to be looked at for every event of a shape, because nothing about an event can rule them
    /// out beforehand. Sorted.
    pub fn unwitnessed(&self, shape: &Shape) -> Vec<u32> {
        let program = self.program(shape);
        let rules: BTreeSet<u32> = program.unwitnessed.iter().map(|f| program.filters[*f as usize].rule).collect();
        rules.into_iter().collect()
    }

    fn witnesses(&self, program: &Program, filter: u32) -> Vec<(FieldRef, Test)> {
        let mut found = Vec::new();
        for field in &program.fields {
            for (place, test) in field.tests.iter().enumerate() {
                if !program.witnessed[field.first_atom as usize + place].contains(&filter) {
                    continue;
                }
                for name in &field.names {
                    found.push((self.graph.fields[*name as usize].clone(), self.graph.tests[*test as usize].clone()));
                }
            }
        }
        found
    }

    /// The filters whose rules see events of a shape (as the route has it), as pairs of rule and filter. Sorted.
    pub fn routed(&self, shape: &Shape) -> Vec<(u32, u32)> {
        let belongs = Belongs::new(&self.schemas, shape);
        let seen = self.roots.iter().filter(|root| self.sees(root.rule, root.filter, &belongs));
        seen.map(|root| (root.rule, root.filter)).collect()
    }

    /// The filters that some event of a shape could pass, as pairs of rule and filter: their rules see the shape
    /// (as the route has it), and its fields do not contradict them. Sorted.
    pub fn live(&self, shape: &Shape) -> Vec<(u32, u32)> {
        let program = self.program(shape);
        let mut live: Vec<(u32, u32)> = program.filters.iter().map(|filter| (filter.rule, filter.filter)).collect();
        live.sort_unstable();
        live
    }

    /// Whether a filter of a rule sees a shape: by the sources of its own that a correlation or indicators give it, else
    /// by the rule's.
    fn sees(&self, rule: u32, filter: u32, belongs: &Belongs) -> bool {
        let rule = &self.rules[rule as usize];
        if belongs.own_risk && !risk::asks_for_risk(rule) {
            return false;
        }
        // Whatever else is let through, indicators come from where the rule says: any event may carry their fields.
        let indicators = matches!(
            rule.body.as_ref().map(|body| &body.tail),
            Some(Tail::Indicators(indicators)) if indicators.filter == filter as usize
        );
        (self.route == Route::Any && !indicators) || belongs.seen_by(sources_of(rule, filter as usize))
    }

    /// The rules specialised to a shape; worked out once, by whichever thread needs it first.
    pub(crate) fn program(&self, shape: &Shape) -> Arc<Program> {
        let known = self.programs.read().unwrap_or_else(PoisonError::into_inner).get(&shape.id()).cloned();
        let cell = known.unwrap_or_else(|| {
            let mut programs = self.programs.write().unwrap_or_else(PoisonError::into_inner);
            if programs.len() >= MOST_SHAPES {
                programs.clear();
                self.matchers.write().unwrap_or_else(PoisonError::into_inner).clear();
            }
            Arc::clone(programs.entry(shape.id()).or_default())
        });
        Arc::clone(cell.get_or_init(|| Arc::new(self.specialise(shape))))
    }

    fn specialise(&self, shape: &Shape) -> Program {
        let belongs = Belongs::new(&self.schemas, shape);
        let mut seen: HashMap<(u32, u32), bool, FxBuildHasher> = HashMap::default();
        let roots: Vec<Root> = self
            .roots
            .iter()
            .filter(|root| {
                *seen.entry((root.rule, root.filter)).or_insert_with(|| self.sees(root.rule, root.filter, &belongs))
            })
            .copied()
            .collect();
        Program::new(&self.graph, &roots, &self.schemas, shape, &mut |tests| self.matcher(tests))
    }

    fn matcher(&self, tests: &[u32]) -> Arc<Matcher> {
        if let Some(known) = self.matchers.read().unwrap_or_else(PoisonError::into_inner).get(tests) {
            return Arc::clone(known);
        }
        let new = Arc::new(Matcher::new(tests.iter().map(|test| &self.graph.tests[*test as usize])));
        let mut matchers = self.matchers.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(matchers.entry(tests.into()).or_insert(new))
    }
}
