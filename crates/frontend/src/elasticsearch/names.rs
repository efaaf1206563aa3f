//! The fields that a name in a query means: itself, all that a pattern matches, or all that an index searches when no
//! field is named.
//!
//! A rule is read before any event is seen. What type a field has is known for the names that the packs spell out; a
//! pattern also finds fields that only the event has, and takes them for keywords, as an index does that has
//! no mapping for them.

use std::{collections::BTreeSet, sync::Arc};

use lurcher_ir::{FieldRef, Predicate, SupportReason, Verdict, Wildcard, WildcardPiece};
use lurcher_schema::{FieldPath, FieldType, Schemas, Taxonomy};

use super::field::Typed;

/// The fields of a taxonomy as queries name them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a> {
    /// Where types and names come from.
    pub(crate) schemas: &'a Schemas,
    /// Whose names they are.
    pub(crate) taxonomy: Taxonomy,
    /// The fields that there are, if it is a table that is asked and no event.
    pub(crate) columns: Option<&'a [Column]>,
}

/// A column of a table that is asked as an index is: its name and type.
pub type Column = (Arc<str>, FieldType);

/// How many tests of fields one query may come to. A word without a field is one for every field there is, so a long text
/// would fill the memory; Elasticsearch refuses far fewer (`indices.query.bool.max_clause_count`).
const MOST_TESTS: usize = 200_000;

/// Counts the tests of fields that a query comes to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TestCount(usize);

impl TestCount {
    /// Whether there were too many already.
    pub(crate) fn is_spent(self) -> bool {
        self.0 > MOST_TESTS
    }

    /// So many more; the reason not to run the query if those are too many.
    pub(crate) fn add(&mut self, tests: usize) -> Result<(), SupportReason> {
        self.0 = self.0.saturating_add(tests);
        if !self.is_spent() {
            return Ok(());
        }
        let message = format!("it comes to more than {MOST_TESTS} tests of fields; name the fields that it is about");
        Err(SupportReason { verdict: Verdict::Unsupported, code: "size", message, span: None })
    }
}

impl Fields<'_> {
    /// The field of this name.
    pub(crate) fn named(&self, path: &str) -> Typed {
        let kind = match self.columns {
            None => self.schemas.field_type(self.taxonomy, path),
            Some(columns) => {
                columns.iter().find(|(name, _)| name.as_ref() == path).map_or(FieldType::Keyword, |(_, kind)| *kind)
            }
        };
        Typed { field: FieldRef::new(self.taxonomy, path), kind }
    }

    /// The names that are known.
    fn names(&self) -> BTreeSet<Arc<str>> {
        match self.columns {
            None => self.schemas.field_names(self.taxonomy),
            Some(columns) => columns.iter().map(|(name, _)| Arc::clone(name)).collect(),
        }
    }

    /// The fields whose names the pattern matches: those that are no keywords one by one, all others as one.
    pub(crate) fn matching(&self, name: &Wildcard) -> Vec<Typed> {
        if let Some(path) = name.as_literal() {
            return vec![self.named(path)];
        }
        let names = self.names();
        let known = names.iter().filter(|path| is_like(name, path)).map(|path| self.named(path));
        if self.columns.is_some() {
            return known.collect();
        }
        let mut found: Vec<Typed> =
            known.filter(|typed| !matches!(typed.kind, FieldType::Keyword | FieldType::Object)).collect();
        found.push(Typed { field: FieldRef::new(self.taxonomy, name.to_string()), kind: FieldType::Keyword });
        found
    }

    /// The fields that are searched when none is named: all known ones that hold text or values, and whatever else an
    /// event has, as keywords.
    pub(crate) fn defaults(&self) -> Vec<Typed> {
        let names = self.names();
        let known = names.iter().map(|path| self.named(path));
        let mut found: Vec<Typed> = known.filter(|typed| typed.kind != FieldType::Object).collect();
        if self.columns.is_some() {
            return found;
        }
        found.push(Typed { field: FieldRef::new(self.taxonomy, FieldPath::EVERYTHING), kind: FieldType::Keyword });
        found
    }

    /// A value is there: of an object, in any known field below it.
    pub(crate) fn exists(&self, name: &Wildcard) -> Predicate {
        let Some(path) = name.as_literal() else {
            return Predicate::any(self.matching(name).iter().map(Typed::exists).collect::<Vec<_>>());
        };
        let below = format!("{path}.");
        let typed = self.named(path);
        let names = self.names();
        let has_below = names.iter().any(|name| name.starts_with(&below));
        // What lies below a field that is no object are its multi-fields: other forms of the same value.
        if !has_below || (names.contains(path) && typed.kind != FieldType::Object) {
            return typed.exists();
        }
        Predicate::any([typed.exists(), self.exists(&Wildcard::with_stars(&format!("{below}*")))])
    }

    /// The verdict on a search without a field.
    pub(crate) fn beyond_known() -> SupportReason {
        let message = "a value without a field is sought in all fields; which ones an index searches then is one of its \
                       settings";
        SupportReason { verdict: Verdict::Approximate, code: "default-fields", message: message.to_owned(), span: None }
    }
}

/// Whether a pattern matches a name as a whole.
fn is_like(pattern: &Wildcard, name: &str) -> bool {
    fn from(pieces: &[WildcardPiece], name: &str) -> bool {
        match pieces.split_first() {
            None => name.is_empty(),
            Some((WildcardPiece::Literal(text), rest)) => {
                name.strip_prefix(text.as_ref()).is_some_and(|name| from(rest, name))
            }
            Some((WildcardPiece::One, rest)) => {
                let mut characters = name.chars();
                characters.next().is_some() && from(rest, characters.as_str())
            }
            Some((WildcardPiece::Any, rest)) => {
                // Names are short, and of several runs all but the last can be as short as can be.
                name.char_indices().map(|(at, _)| at).chain([name.len()]).any(|at| from(rest, &name[at..]))
            }
        }
    }
    pattern.pieces.len() <= 16 && from(&pattern.pieces, name)
}
