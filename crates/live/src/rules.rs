//! Rules at work: where they come from.
//!
//! The server does not know how rules, mapping packs and the site's lists are found and loaded: that is the command
//! line's business, and the same for every command. It asks a [`RuleSource`] when it starts and whenever something changed.

use std::{collections::BTreeSet, fmt::Debug, sync::Arc};

use lurcher_engine::{Route, Settings, risk::Site};
use lurcher_ir::Rule;
use lurcher_schema::Schemas;
use lurcher_triage::Triage;

use lurcher_server::{content::ContentKind, detection::Finding};

/// Loads rules and all that belongs to them.
pub trait RuleSource: Send + Sync + Debug {
    /// Loads everything anew. One bad rule never keeps the others from being loaded.
    ///
    /// # Errors
    ///
    /// Settings without which it is not known what to load. Rules that are at work stay at work then.
    fn load(&self) -> Result<Loaded, String>;

    /// What is wrong with a file that somebody wants to add.
    fn check(&self, kind: ContentKind, name: &str, text: &[u8]) -> Vec<Finding>;

    /// A rule for a query that somebody typed, or the rules of a file's text.
    fn rules_of(&self, text: RuleText<'_>, schemas: &Arc<Schemas>) -> Result<Vec<Arc<Rule>>, String>;

    /// Something that changes when a file has changed that rules are loaded from.
    fn fingerprint(&self) -> u64;
}

/// What [`RuleSource::rules_of`] makes rules of.
#[derive(Clone, Copy, Debug)]
pub enum RuleText<'t> {
    /// A query in a language.
    Query {
        /// `eql`, `kuery`, `lucene`, `esql`, `spl`, `spl2` or `sigma`.
        language: &'t str,
        /// The query.
        text: &'t str,
    },
    /// A vendor's rule file.
    File(&'t str),
}

/// What was loaded.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The mappings.
    pub schemas: Arc<Schemas>,
    /// All rules, those that cannot run too, each once.
    pub rules: Vec<Arc<Rule>>,
    /// Tables, the relational engine, budgets.
    pub settings: Settings,
    /// Which events rules are given.
    pub route: Route,
    /// The site's users, systems and risk factors.
    pub site: Arc<Site>,
    /// Whether risk incidents are raised.
    pub incidents: bool,
    /// Rules and files that cannot be used, each with its reason.
    pub faults: Vec<String>,
}

/// What a rule is known by: its publisher's id, or its file where it has none.
pub fn rule_id(rule: &Rule) -> String {
    if rule.meta.id.is_empty() { rule.meta.path.clone() } else { rule.meta.id.to_string() }
}

/// The ids of the rules that were turned off.
pub(crate) async fn disabled(triage: &Triage) -> lurcher_triage::Result<BTreeSet<String>> {
    let states = triage.rule_states().await?;
    Ok(states.into_iter().filter(|state| !state.enabled).map(|state| state.rule_id).collect())
}
