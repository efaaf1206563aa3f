//! The fields that a name in a query means: itself, all that a pattern matches, or all that an index searches when no
//! field is named.
//!
//! A rule is read before any event is seen, so a pattern is matched against the names that the packs spell out. What an
//! index has beside those is not found, which [`Fields::beyond_known`] says.

use lurcher_ir::{FieldRef, Predicate, SupportReason, Verdict, Wildcard, WildcardPiece};
use lurcher_schema::{FieldType, Schemas, Taxonomy};

use super::field::Typed;

/// The fields of a taxonomy as queries name them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a> {
    /// Where types and names come from.
    pub(crate) schemas: &'a Schemas,
    /// Whose names they are.
    pub(crate) taxonomy: Taxonomy,
}

impl Fields<'_> {
    /// The field of this name.
    pub(crate) fn named(&self, path: &str) -> Typed {
        Typed { field: FieldRef::new(self.taxonomy, path), kind: self.schemas.field_type(self.taxonomy, path) }
    }

    /// The known fields whose names the pattern matches; of a plain name that field alone, known or not.
    pub(crate) fn matching(&self, name: &Wildcard) -> Vec<Typed> {
        if let Some(path) = name.as_literal() {
            return vec![self.named(path)];
        }
        let names = self.schemas.field_names(self.taxonomy);
        names.iter().filter(|path| is_like(name, path)).map(|path| self.named(path)).collect()
    }

    /// The fields that are searched when none is named: all known ones that hold text or values.
    pub(crate) fn defaults(&self) -> Vec<Typed> {
        let names = self.schemas.field_names(self.taxonomy);
        names.iter().map(|path| self.named(path)).filter(|typed| typed.kind != FieldType::Object).collect()
    }

    /// A value is there: of an object, in any known field below it.
    pub(crate) fn exists(&self, name: &Wildcard) -> Predicate {
        let mut found: Vec<Predicate> = self.matching(name).iter().map(Typed::exists).collect();
        if let Some(path) = name.as_literal() {
            let below = format!("{path}.");
            let names = self.schemas.field_names(self.taxonomy);
            let names = names.iter().filter(|name| name.starts_with(&below));
            found.extend(names.map(|name| self.named(name).exists()));
        }
        Predicate::any(found)
    }

    /// The verdict on a pattern of names or a search without a field.
    pub(crate) fn beyond_known(named: bool) -> SupportReason {
        let (code, message) = if named {
            ("field-pattern", "a pattern of field names finds the fields that mapping packs name; an index may have more")
        } else {
            (
                "default-fields",
                "a value without a field is sought in all fields that mapping packs name; \
                 which fields an index searches then is one of its settings",
            )
        };
        SupportReason { verdict: Verdict::Approximate, code, message: message.to_owned(), span: None }
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
