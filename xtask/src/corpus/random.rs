//! A small random-number generator with the same numbers everywhere (`SplitMix64`, Steele et al. 2014).

/// The generator's state.
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    /// The generator of this seed.
    pub(super) fn new(seed: u64) -> Self {
        // Mixed once, so that neighbouring seeds are not the same stream a step apart.
        Self(Self(seed).bits())
    }

    /// Any 64 bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not zero.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.bits() % end
    }

    /// One of these; there is at least one. Earlier ones are likelier, as names in an office are.
    pub(super) fn skewed<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let last = items.len() as u64;
        let at = self.below(last).min(self.below(last));
        &items[at as usize]
    }
}
