//! Finds many literals in a text at once, without regard to ASCII case.
//!
//! Instead of an automaton (whose tables outgrow the nearest cache at a few thousand literals) each literal is
//! represented by one window of up to four bytes, the one that the other literals share least. A text is slid over
//! four bytes at a time; a bit table says whether any literal has this window; only then the bucket of literals is
//! looked up and compared in place. Building it costs next to nothing, which matters because every shape has its own.
//!
//! Windows are compared with bit 0x20 of every byte set. That joins a few bytes that differ (`\` and `|`) and costs
//! a comparison now and then, never a match.

use hashbrown::HashMap;
use rustc_hash::{FxBuildHasher, FxHashMap};

const WINDOW: usize = 4;
const FOLD: u32 = 0x2020_2020;

/// A set of literals.
#[derive(Debug, Default)]
pub(crate) struct LiteralScan {
    literals: Vec<Box<[u8]>>,
    ids: HashMap<Box<[u8]>, u32, FxBuildHasher>,
    windows: [Option<Windows>; WINDOW],
}

/// The windows of one width.
#[derive(Debug)]
struct Windows {
    bits: Box<[u64]>,
    shift: u32,
    buckets: FxHashMap<u32, Vec<(u32, u32)>>,
}

impl LiteralScan {
    /// Adds a literal (folded, not empty) and returns its number. Call [`Self::prepare`] after the last one.
    pub(crate) fn add(&mut self, literal: &str) -> u32 {
        if let Some(id) = self.ids.get(literal.as_bytes()) {
            return *id;
        }
        let id = self.literals.len() as u32;
        self.literals.push(literal.as_bytes().into());
        self.ids.insert(literal.as_bytes().into(), id);
        id
    }

    /// How many literals there are.
    pub(crate) fn len(&self) -> usize {
        self.literals.len()
    }

    /// Makes the tables.
    pub(crate) fn prepare(&mut self) {
        self.ids = HashMap::default();
        let mut shared: FxHashMap<u32, u32> = FxHashMap::default();
        for literal in self.literals.iter().filter(|literal| literal.len() >= WINDOW) {
            for window in literal.windows(WINDOW) {
                *shared.entry(pack(window)).or_default() += 1;
            }
        }
        let mut chosen: [Vec<(u32, u32, u32)>; WINDOW] = Default::default();
        for (id, literal) in self.literals.iter().enumerate() {
            let width = literal.len().min(WINDOW);
            let best = literal.windows(width).enumerate().min_by_key(|(_, window)| {
                let among_literals = shared.get(&pack(window)).copied().unwrap_or(1).ilog2();
                (among_literals, window.iter().map(|byte| commonness(*byte)).sum::<u32>())
            });
            if let Some((offset, window)) = best {
                chosen[width - 1].push((pack(window), id as u32, offset as u32));
            }
        }
        for (width, entries) in chosen.into_iter().enumerate() {
            self.windows[width] = (!entries.is_empty()).then(|| Windows::new(entries));
        }
    }

    /// Calls `found(literal, start, end)` for every place of the text where a literal stands, in any ASCII case.
    pub(crate) fn scan(&self, text: &[u8], mut found: impl FnMut(u32, usize, usize)) {
        if let Some(windows) = &self.windows[3] {
            for (at, window) in text.windows(4).enumerate() {
                let packed = u32::from_le_bytes([window[0], window[1], window[2], window[3]]) | FOLD;
                if windows.may_have(packed) {
                    self.compare(windows, packed, text, at, &mut found);
                }
            }
        }
        for (width, windows) in self.windows[..3].iter().enumerate() {
            let Some(windows) = windows else { continue };
            for (at, window) in text.windows(width + 1).enumerate() {
                let packed = pack(window);
                if windows.may_have(packed) {
                    self.compare(windows, packed, text, at, &mut found);
                }
            }
        }
    }

    #[inline(never)]
    fn compare(
        &self,
        windows: &Windows,
        packed: u32,
        text: &[u8],
        at: usize,
        found: &mut impl FnMut(u32, usize, usize),
    ) {
        let Some(bucket) = windows.buckets.get(&packed) else { return };
        for (id, offset) in bucket {
            let literal = &self.literals[*id as usize];
            let Some(start) = at.checked_sub(*offset as usize) else { continue };
            let end = start + literal.len();
            if text.get(start..end).is_some_and(|place| place.eq_ignore_ascii_case(literal)) {
                found(*id, start, end);
            }
        }
    }
}

impl Windows {
    fn new(entries: Vec<(u32, u32, u32)>) -> Self {
        let bits = (entries.len() * 32).next_power_of_two().clamp(1 << 9, 1 << 18);
        let mut windows =
            Self { bits: vec![0; bits / 64].into(), shift: 32 - bits.trailing_zeros(), buckets: FxHashMap::default() };
        for (packed, id, offset) in entries {
            let hash = windows.hash(packed);
            windows.bits[hash >> 6] |= 1 << (hash & 63);
            windows.buckets.entry(packed).or_default().push((id, offset));
        }
        windows
    }

    #[inline]
    fn hash(&self, packed: u32) -> usize {
        (packed.wrapping_mul(0x9E37_79B1) >> self.shift) as usize
    }

    #[inline]
    fn may_have(&self, packed: u32) -> bool {
        let hash = self.hash(packed);
        self.bits[hash >> 6] & (1 << (hash & 63)) != 0
    }
}

/// Up to four bytes as one number, folded.
#[inline]
fn pack(window: &[u8]) -> u32 {
    let mut packed = 0;
    for (place, byte) in window.iter().enumerate() {
        packed |= u32::from(*byte | 0x20) << (8 * place);
    }
    packed
}

/// How common a byte is in paths, command lines and scripts, roughly. Only speed depends on it.
fn commonness(byte: u8) -> u32 {
    match byte.to_ascii_lowercase() {
        b'e' | b't' | b's' | b'i' | b'o' | b'r' | b'n' | b'a' | b' ' => 10,
        b'\\' | b'c' | b'd' | b'm' | b'l' | b'p' | b'w' | b'u' | b'.' | b'0' => 8,
        b'f' | b'g' | b'h' | b'y' | b'v' | b'b' | b'-' | b'/' | b':' | b'1'..=b'9' => 6,
        b'k' | b'x' | b'"' | b'=' | b'_' | b',' | b'\'' | b'(' | b')' => 4,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(literals: &[String], text: &str) -> Vec<(String, usize)> {
        let mut scan = LiteralScan::default();
        for literal in literals {
            scan.add(literal);
        }
        scan.prepare();
        let mut places = Vec::new();
        let texts: Vec<Box<[u8]>> = scan.literals.clone();
        scan.scan(text.as_bytes(), |id, start, _| {
            places.push((String::from_utf8_lossy(&texts[id as usize]).into_owned(), start));
        });
        places.sort();
        places
    }

    #[test]
    fn literals_of_every_width_are_found_wherever_they_stand() {
        let literals = [".exe", "powershell.exe", "p", "-e", "ers", "\\|"].map(str::to_owned);
        let places = found(&literals, "C:\\PowerShell.exe -E");
        let names: Vec<&str> = places.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["-e", ".exe", "ers", "p", "powershell.exe"]);
    }

    proptest! {
        #[test]
        fn it_finds_what_a_plain_search_finds(
            literals in prop::collection::vec("[ab\\\\|c.]{1,7}", 1..12),
            text in "[abAB\\\\|c.]{0,40}",
        ) {
            let lower = text.to_ascii_lowercase();
            let mut distinct = literals.clone();
            distinct.sort();
            distinct.dedup();
            let mut expected: Vec<(String, usize)> = distinct
                .iter()
                .flat_map(|l| {
                    let lower = &lower;
                    (0..lower.len()).filter(move |at| lower[*at..].starts_with(l.as_str())).map(move |at| (l.clone(), at))
                })
                .collect();
            expected.sort();
            prop_assert_eq!(found(&literals, &text), expected);
        }
    }
}
