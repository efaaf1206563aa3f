//! Elasticsearch's query DSL, as far as it asks single events: the filters beside a rule's query, and the exceptions to
//! it. JSON (or TOML) trees to predicates.
//!
//! | file | what |
//! |---|---|
//! | [`clause`] | `bool`, `match`, `term`, `range` … |
//! | [`exceptions`] | the items of exception lists |
//!
//! A Kibana filter is `{meta: {negate, disabled}, query: {<one clause>}}`, or has the clause directly (`exists`, as
//! older Kibanas wrote it), or is a combination of filters. What a clause means depends on the field's type, see
//! `crate::elasticsearch`. What looks at anything but the event (scripts, scores, ids, other indices) is refused with
//! its name.

pub mod clause;
pub mod exceptions;

use lurcher_ir::Predicate;
use lurcher_schema::{Schemas, Taxonomy, Timestamp};

use crate::{elasticsearch::names::Fields, tree::Node};

/// What a tree leaves to whoever runs it.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Whose names the fields are, and whose types decide how they are compared.
    pub taxonomy: Taxonomy,
    /// Where types come from.
    pub schemas: &'a Schemas,
    /// What `now` means in date math; without it, such a clause is refused.
    pub now: Option<Timestamp>,
}

impl<'a> Context<'a> {
    /// Over ECS events, at a time that is not known.
    pub fn ecs(schemas: &'a Schemas) -> Self {
        Self { taxonomy: Taxonomy::Ecs, schemas, now: None }
    }

    pub(crate) fn fields(&self) -> Fields<'a> {
        Fields { schemas: self.schemas, taxonomy: self.taxonomy, columns: None }
    }
}

/// Kibana's filters, all of which must hold, as one predicate; a sentence for each that is not understood, which is left
/// out.
pub fn filters(filters: &[Node], context: &Context<'_>) -> (Predicate, Vec<String>) {
    let (mut parts, mut refused) = (Vec::new(), Vec::new());
    for node in filters {
        match filter(node, context, 0) {
            Ok(predicate) => parts.push(predicate),
            Err(sentence) => refused.push(sentence),
        }
    }
    (Predicate::all(parts), refused)
}

/// One filter.
fn filter(node: &Node, context: &Context<'_>, depth: usize) -> Result<Predicate, String> {
    if depth > clause::MAX_DEPTH {
        return Err("one of its filters is nested too deeply".to_owned());
    }
    let meta = node.get("meta");
    if meta.is_some_and(|meta| meta.flag("disabled")) {
        return Ok(Predicate::Constant(true));
    }
    let combined = meta.filter(|meta| meta.text("type") == "combined");
    let predicate = match combined {
        Some(meta) => {
            let parts: Result<Vec<_>, _> =
                meta.items("params").iter().map(|part| filter(part, context, depth + 1)).collect();
            if meta.text("relation").eq_ignore_ascii_case("or") {
                Predicate::any(parts?)
            } else {
                Predicate::all(parts?)
            }
        }
        None => clause::predicate(node.get("query").unwrap_or(node), context)?,
    };
    Ok(if meta.is_some_and(|meta| meta.flag("negate")) { predicate.negate() } else { predicate })
}
