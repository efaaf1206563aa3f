//! All rules, compiled together. Immutable, shared by threads.

use std::sync::Arc;

use lurcher_ir::Rule;
use lurcher_schema::Schemas;

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
        Arc::new(RuleSet { schemas: self.schemas, route: self.route, rules: self.rules })
    }
}

/// All rules, compiled together.
#[derive(Debug)]
pub struct RuleSet {
    schemas: Arc<Schemas>,
    route: Route,
    rules: Vec<Arc<Rule>>,
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
}
