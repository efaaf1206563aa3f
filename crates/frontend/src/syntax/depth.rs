//! A guard against nesting so deep that a recursive parser would overflow its stack.

/// How deep rules may nest. Published rules stay below 20.
pub const MAX_DEPTH: u32 = 128;

/// Counts how deep a recursive parser is.
#[derive(Clone, Debug, Default)]
pub struct Depth {
    level: u32,
}

impl Depth {
    /// One level deeper; false, and no deeper, if that would be too deep.
    #[must_use]
    pub fn enter(&mut self) -> bool {
        let allowed = self.level < MAX_DEPTH;
        self.level += u32::from(allowed);
        allowed
    }

    /// Whether nothing has been entered.
    pub fn at_top(&self) -> bool {
        self.level == 0
    }

    /// One level up again; call it once for each [`Depth::enter`] that returned true.
    pub fn leave(&mut self) {
        self.level = self.level.saturating_sub(1);
    }
}
