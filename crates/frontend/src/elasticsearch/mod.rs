//! What the query languages of Elasticsearch share: how a field of some type is compared with what a query has in it.
//!
//! | file | what |
//! |---|---|
//! | [`field`] | a field and constants, by the type of the field |
//! | [`names`] | the fields that a name means |
//! | [`search`] | the clauses of the query DSL: match, phrase, wildcard, range, fuzzy … |
//! | [`dates`], [`now`] | date literals, date math, and what `now` is |
//!
//! EQL knows only [`field`]: it does not search analysed text. KQL, Lucene's syntax and filters go through [`search`].

pub(crate) mod dates;
pub(crate) mod field;
pub(crate) mod names;
pub(crate) mod now;
pub(crate) mod search;
