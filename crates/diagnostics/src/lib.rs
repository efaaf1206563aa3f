//! What went wrong, where, and what to do about it.
//!
//! Everything that Lurcher says about a rule, a mapping pack or an input is a [`Diagnostic`]: a stable code, a
//! message, the place in a [`SourceFile`], and help. Front ends and loaders make them; nothing here prints. The
//! [`render`] module turns one value into text for a terminal, JSON, SARIF or GitHub annotations, so every command
//! says the same thing in every form.

mod diagnostic;
pub mod render;
mod source;

pub use diagnostic::{Diagnostic, Label, Level};
pub use source::{Position, SourceFile, Span};
