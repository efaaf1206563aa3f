//! Which tests run, and of which rule each is.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use lurcher_content::{Pack, RuleName, Selection, TestCase, TestData};
use lurcher_ir::{Rule, Verdict as Support};

use super::Coverage;

/// A test and the rule that it is of; `None` if there is no such rule.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) case: TestCase,
    pub(super) rule: Option<Arc<Rule>>,
}

/// The tests to run, and the rules that they could be of.
#[derive(Debug)]
pub(super) struct Selected {
    pub(super) tests: Vec<Chosen>,
    pub(super) rules: Vec<Arc<Rule>>,
}

/// Finds the rules of the tests, and keeps the tests of rules that are selected. A test whose rule is not among the
/// rules at all is kept too, so that it can be said.
pub(super) fn select(pack: &Pack, selection: &Selection) -> Selected {
    let index = Index::new(&pack.rules);
    let mut tests = Vec::new();
    for case in &pack.tests {
        let rules = index.find(case);
        let all_chosen = |rule: &&Arc<Rule>| selection.selects_rule(rule);
        if rules.is_empty() {
            tests.push(Chosen { case: case.clone(), rule: None });
        }
        let chosen = rules.into_iter().filter(all_chosen);
        tests.extend(chosen.map(|rule| Chosen { case: case.clone(), rule: Some(Arc::clone(rule)) }));
    }
    let path = |test: &Chosen| test.rule.as_ref().map(|rule| rule.meta.path.clone());
    tests.sort_by_cached_key(|test| (path(test), test.case.path.clone(), test.case.line));
    let rules = pack.rules.iter().filter(|rule| selection.selects_rule(rule)).cloned().collect();
    Selected { tests, rules }
}

/// Rules by all that a test may name them by.
struct Index<'a> {
    rules: &'a [Arc<Rule>],
    by_name: HashMap<String, Vec<usize>>,
    by_file: HashMap<PathBuf, Vec<usize>>,
    beside: HashMap<PathBuf, Vec<usize>>,
}

impl<'a> Index<'a> {
    fn new(rules: &'a [Arc<Rule>]) -> Self {
        let mut index = Self { rules, by_name: HashMap::new(), by_file: HashMap::new(), beside: HashMap::new() };
        for (number, rule) in rules.iter().enumerate() {
            let names: HashSet<String> = [rule.meta.id.to_lowercase(), rule.meta.name.to_lowercase()].into();
            for name in names.into_iter().filter(|name| !name.is_empty()) {
                index.by_name.entry(name).or_default().push(number);
            }
            let path = real(Path::new(&rule.meta.path));
            index.beside.entry(path.with_extension("")).or_default().push(number);
            index.by_file.entry(path).or_default().push(number);
        }
        index
    }

    fn find(&self, case: &TestCase) -> Vec<&'a Arc<Rule>> {
        let numbers = match &case.rule {
            RuleName::File(path) => self.by_file.get(&real(path)).cloned(),
            RuleName::Beside(path) => {
                let folder = path.parent().map(real).unwrap_or_default();
                self.beside.get(&folder.join(path.file_name().unwrap_or_default())).cloned()
            }
            // A detection's own tests are of that very file, even if another has the same id.
            RuleName::Is(_) if self.by_file.contains_key(&real(Path::new(&case.path))) => {
                self.by_file.get(&real(Path::new(&case.path))).cloned()
            }
            RuleName::Is(name) => self.by_name.get(&name.to_lowercase()).cloned().or_else(|| self.ending(name)),
        };
        numbers.unwrap_or_default().into_iter().filter_map(|number| self.rules.get(number)).collect()
    }

    /// The rules whose path ends in this one.
    fn ending(&self, name: &str) -> Option<Vec<usize>> {
        let ends = |rule: &Arc<Rule>| Path::new(&rule.meta.path).ends_with(name);
        let found: Vec<usize> = (0..self.rules.len()).filter(|at| ends(&self.rules[*at])).collect();
        (!name.is_empty() && !found.is_empty()).then_some(found)
    }
}

/// The path without links and dots, or as it is.
fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// Which of the rules have a test, and which cannot be run.
pub(super) fn coverage(selected: &Selected) -> Coverage {
    let tested: HashSet<*const Rule> =
        selected.tests.iter().filter_map(|test| test.rule.as_ref()).map(Arc::as_ptr).collect();
    let mut coverage = Coverage { rules: selected.rules.len(), ..Coverage::default() };
    for rule in &selected.rules {
        let (path, name) = (rule.meta.path.clone(), rule.meta.name.clone());
        if rule.body.is_none() {
            coverage.unrun.push((path.clone(), name.clone(), reason(rule)));
        }
        if !tested.contains(&Arc::as_ptr(rule)) {
            coverage.untested.push((path, name));
        }
    }
    coverage
}

/// Why a rule cannot be run.
pub(super) fn reason(rule: &Rule) -> String {
    let verdict = rule.support.verdict();
    let reason = rule.support.reasons.iter().find(|reason| reason.verdict == verdict);
    let word = if verdict == Support::Error { "it has errors" } else { verdict.name() };
    format!("{word}: {}", reason.map_or("it has nothing to run", |reason| reason.message.as_str()))
}

/// The files that a run depends on: what was named, rules, tests and their events.
pub(super) fn files(paths: &[PathBuf], selected: &Selected) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = paths.to_vec();
    files.extend(selected.rules.iter().map(|rule| PathBuf::from(&rule.meta.path)));
    for test in &selected.tests {
        files.push(PathBuf::from(&test.case.path));
        files.extend(test.case.data.iter().filter_map(|data| match data {
            TestData::File { path, .. } => Some(path.clone()),
            TestData::Inline(_) | TestData::Published { .. } => None,
        }));
    }
    files.sort();
    files.dedup();
    files
}
