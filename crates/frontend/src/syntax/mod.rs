//! What the hand-written parsers share: a cursor over characters, a cursor over tokens, a guard against deep
//! nesting, binding powers, "did you mean", and the syntaxes of regular expressions that several languages use.
//!
//! Nothing here knows a language. Every parser keeps its own tokens, tree and messages.

mod characters;
mod depth;
pub(crate) mod java_regex;
pub(crate) mod lucene_regex;
mod suggest;
mod tokens;

pub use characters::Characters;
pub use depth::{Depth, MAX_DEPTH};
pub use suggest::closest;
pub use tokens::{Token, Tokens};

/// How tightly an infix operator binds, to its left and to its right, for a Pratt parser. The greater binds tighter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BindingPower {
    /// What stands on the left must bind less tightly than this for the operator to take it.
    pub left: u8,
    /// The least power of operators that belong to its right operand.
    pub right: u8,
}

impl BindingPower {
    /// Of a left-associative operator: `a - b - c` is `(a - b) - c`.
    pub const fn left_associative(level: u8) -> Self {
        Self { left: level * 2, right: level * 2 + 1 }
    }
}
