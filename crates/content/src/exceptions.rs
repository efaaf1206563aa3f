//! Kibana's exception lists and value lists: what the user of a rule does not want to hear of.
//!
//! Lists and their items are lines of JSON, as Kibana exports them, alone or beside the rules that name them. A rule
//! names its lists by `list_id`; events to which one of their items applies are as good as not there for it: they are
//! no hit, no step of a sequence, and count in no aggregation, as Elasticsearch filters them out before a rule's query.
//! A rule whose list is not given is said to run without it. An item that cannot be understood, or whose value list
//! is not given, is left out, and the rule says so.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::Arc,
};

use lurcher_diagnostics::{Diagnostic, SourceFile};
use lurcher_frontend::{
    query_dsl::{
        Context,
        exceptions::{self, ValueList},
    },
    tree::Node,
};
use lurcher_ir::{Predicate, SupportReason, Verdict};
use lurcher_schema::{Schemas, Timestamp};

/// Of longer lists Kibana itself refuses more.
const MAX_VALUES: usize = 2_000_000;

/// All lists there are.
#[derive(Debug, Default)]
pub(crate) struct Exceptions {
    /// Their items by the list's id; a list without items is there too.
    lists: BTreeMap<String, Vec<Item>>,
    /// Value lists by name.
    values: BTreeMap<String, ValueList>,
    /// What the time of the run is; items that have expired by then do not apply.
    now: Option<Timestamp>,
}

/// An item of a list, as read.
#[derive(Debug)]
struct Item {
    node: Node,
    id: String,
    name: String,
    expires: Option<Timestamp>,
}

/// A list that a rule names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListReference {
    /// Its id.
    pub(crate) id: String,
    /// What kind of list: `detection`, `rule_default`, `endpoint` …
    pub(crate) kind: String,
}

/// What the lists of one rule come to.
#[derive(Debug)]
pub(crate) struct Applied {
    /// What an event is like that the rule does not look at.
    pub(crate) excepted: Predicate,
    /// The lists that were found, with how many of their items apply.
    pub(crate) lists: Vec<String>,
    /// What of it could not be done.
    pub(crate) reasons: Vec<SupportReason>,
}

impl Exceptions {
    /// None yet, for a run at this time.
    pub(crate) fn at(now: Option<Timestamp>) -> Self {
        Self { now, ..Self::default() }
    }

    /// Adds a line of an export if it is a list or an item of one; says what is wrong with it.
    pub(crate) fn add(&mut self, file: &Arc<SourceFile>, node: Node) -> Option<Diagnostic> {
        let list = node.text("list_id");
        if node.get("entries").is_none() && node.get("item_id").is_none() {
            self.lists.entry(list).or_default();
            return None;
        }
        let written = node.get("expire_time").and_then(Node::scalar);
        let expires = written.as_deref().and_then(Timestamp::parse);
        let items = self.lists.entry(list).or_default();
        let id = node.text("item_id");
        // The same item may stand in several exports.
        if !id.is_empty() && items.iter().any(|known| known.id == id) {
            return None;
        }
        let fault = (written.is_some() && expires.is_none()).then(|| {
            let at = node.get("expire_time").map_or(node.span, |expiry| expiry.span);
            Diagnostic::warning("exception-expiry", "this is no date: the exception never expires")
                .in_file(file)
                .at(at, "")
                .with_help("write it as `2026-01-31T00:00:00Z`")
        });
        items.push(Item { id, name: node.text("name"), expires, node });
        fault
    }

    /// Adds all lists of another collection.
    pub(crate) fn extend(&mut self, other: Self) {
        for (id, items) in other.lists {
            let own = self.lists.entry(id).or_default();
            for item in items {
                if item.id.is_empty() || own.iter().all(|known| known.id != item.id) {
                    own.push(item);
                }
            }
        }
        self.values.extend(other.values);
    }

    /// How many lists there are.
    pub(crate) fn len(&self) -> usize {
        self.lists.len()
    }

    /// Adds a value list from `NAME=FILE`: one value a line. The error is a sentence.
    pub(crate) fn add_values(&mut self, definition: &str) -> Result<(), String> {
        let (name, path) = definition.split_once('=').ok_or_else(|| "a value list is given as NAME=FILE".to_owned())?;
        let text = fs::read_to_string(Path::new(path.trim())).map_err(|error| format!("{path}: {error}"))?;
        let values: Vec<String> = text
            .trim_start_matches('\u{feff}')
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect();
        if values.len() > MAX_VALUES {
            return Err(format!("{path}: a value list has at most {MAX_VALUES} values"));
        }
        self.values.insert(name.trim().to_owned(), ValueList { values });
        Ok(())
    }

    /// What the lists that a rule names come to.
    pub(crate) fn of(&self, references: &[ListReference], schemas: &Schemas) -> Applied {
        let mut applied = Applied { excepted: Predicate::Constant(false), lists: Vec::new(), reasons: Vec::new() };
        let (mut parts, mut missing) = (Vec::new(), BTreeSet::new());
        let mut seen = BTreeSet::new();
        for reference in references.iter().filter(|reference| seen.insert(reference.id.as_str())) {
            match self.lists.get(&reference.id) {
                Some(items) => {
                    let count = self.apply(&reference.id, items, schemas, &mut parts, &mut applied.reasons);
                    applied.lists.push(format!("{} ({count})", reference.id));
                }
                // The endpoint list is the user's own and empty by default; others come with the rule.
                None if reference.kind.starts_with("endpoint") || reference.id == "endpoint_list" => {}
                None => drop(missing.insert(reference.id.as_str())),
            }
        }
        if !missing.is_empty() {
            let names = missing.into_iter().collect::<Vec<_>>().join(", ");
            let message = format!("its exception lists are not given (`--exceptions FILE`): {names}");
            applied.reasons.push(reason(message));
        }
        applied.excepted = Predicate::any(parts);
        applied
    }

    /// Adds the predicates of a list's items that have not expired; returns how many there are.
    fn apply(
        &self,
        list: &str,
        items: &[Item],
        schemas: &Schemas,
        parts: &mut Vec<Predicate>,
        reasons: &mut Vec<SupportReason>,
    ) -> usize {
        let context = Context { now: self.now, ..Context::ecs(schemas) };
        let values = |id: &str| self.values.get(id);
        let before = parts.len();
        for item in items {
            if item.expires.zip(self.now).is_some_and(|(expires, now)| expires <= now) {
                continue;
            }
            match exceptions::item(&item.node, &values, &context) {
                Ok(predicate) => parts.push(predicate),
                Err(why) => {
                    let name = if item.name.is_empty() { &item.id } else { &item.name };
                    reasons.push(reason(format!("the exception `{name}` of the list `{list}` is not applied: {why}")));
                }
            }
        }
        parts.len() - before
    }
}

fn reason(message: String) -> SupportReason {
    SupportReason { verdict: Verdict::Approximate, code: "exceptions", message, span: None }
}
