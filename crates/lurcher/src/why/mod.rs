//! What `test`, `explain` and `doctor` share: predicates in plain words, kinds of events by the names that people use,
//! and the full story of one test that failed.

mod failing;
mod kinds;
mod nearest;
mod other_kind;
mod words;

pub(crate) use failing::Failing;
pub(crate) use kinds::{Kind, event_name};
pub(crate) use nearest::{Nearest, nearest};
pub(crate) use other_kind::other_kind;
pub(crate) use words::{beginning, cut, expression, listed, shown, test, wrapped};
