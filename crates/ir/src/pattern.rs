//! Patterns over text: case, wildcards, regular expressions, networks.

use std::{
    fmt,
    hash::{Hash, Hasher},
    net::IpAddr,
    sync::Arc,
};

/// Whether upper and lower case differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Case {
    /// They differ.
    Sensitive,
    /// They do not: both sides are folded by [`fold_text`] first.
    Insensitive,
}

/// Folds one character: its lower case where that is a single character, else itself.
pub fn fold_char(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(only), None) => only,
        _ => c,
    }
}

/// Folds a text character by character; what case-insensitive operators compare.
pub fn fold_text(text: &str) -> String {
    text.chars().map(fold_char).collect()
}

/// A whole-value pattern of literal pieces, `*` (any run of characters, also none, also line ends) and `?` (exactly
/// one character).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wildcard {
    /// The pieces in order; two literals never stand side by side, nor do two runs.
    pub pieces: Arc<[WildcardPiece]>,
}

/// A piece of a [`Wildcard`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WildcardPiece {
    /// This text.
    Literal(Arc<str>),
    /// Exactly one character.
    One,
    /// Any run of characters.
    Any,
}

impl Wildcard {
    /// From pieces; joins literals and runs that stand side by side and drops empty literals.
    pub fn new(pieces: impl IntoIterator<Item = WildcardPiece>) -> Self {
        let mut joined: Vec<WildcardPiece> = Vec::new();
        for piece in pieces {
            match (joined.last_mut(), piece) {
                (_, WildcardPiece::Literal(text)) if text.is_empty() => {}
                (Some(WildcardPiece::Literal(before)), WildcardPiece::Literal(text)) => {
                    *before = format!("{before}{text}").into();
                }
                (Some(WildcardPiece::Any), WildcardPiece::Any) => {}
                (_, piece) => joined.push(piece),
            }
        }
        Self { pieces: joined.into() }
    }

    /// From text in which `*` and `?` are wildcards and nothing is an escape.
    pub fn parse(text: &str) -> Self {
        Self::with_wildcards(text, '*', '?')
    }

    /// From text in which `%` and `_` are wildcards and nothing is an escape (SQL's `LIKE`).
    pub fn parse_sql(text: &str) -> Self {
        Self::with_wildcards(text, '%', '_')
    }

    /// From text in which `*` alone is a wildcard (names of fields).
    pub fn with_stars(text: &str) -> Self {
        let parts = text.split('*').enumerate().flat_map(|(at, part)| {
            let star = (at > 0).then_some(WildcardPiece::Any);
            star.into_iter().chain([WildcardPiece::Literal(part.into())])
        });
        Self::new(parts)
    }

    fn with_wildcards(text: &str, any: char, one: char) -> Self {
        Self::new(text.split_inclusive([any, one]).flat_map(|part| {
            let (literal, wildcard) = match part.chars().next_back() {
                Some(c) if c == any => (&part[..part.len() - c.len_utf8()], Some(WildcardPiece::Any)),
                Some(c) if c == one => (&part[..part.len() - c.len_utf8()], Some(WildcardPiece::One)),
                _ => (part, None),
            };
            std::iter::once(WildcardPiece::Literal(literal.into())).chain(wildcard)
        }))
    }

    /// The literal, if there is no wildcard in it.
    pub fn as_literal(&self) -> Option<&str> {
        match self.pieces.as_ref() {
            [] => Some(""),
            [WildcardPiece::Literal(text)] => Some(text),
            _ => None,
        }
    }
}

impl fmt::Display for Wildcard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in self.pieces.iter() {
            match piece {
                WildcardPiece::Literal(text) => f.write_str(text)?,
                WildcardPiece::One => f.write_str("?")?,
                WildcardPiece::Any => f.write_str("*")?,
            }
        }
        Ok(())
    }
}

/// A regular expression in the syntax of the `regex` crate, already translated from the rule's own dialect.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Regex {
    /// The expression, flags and anchors included.
    pub pattern: Arc<str>,
}

/// How a language writes regular expressions, for those that are known only when a row is looked at. Whoever runs one asks
/// the language to translate it.
#[derive(Clone, Copy)]
pub struct RegexDialect {
    /// Its name. Dialects of the same name are the same.
    pub name: &'static str,
    /// Translates an expression; `None` of one that is faulty or has no counterpart.
    pub translate: fn(&str) -> Option<Regex>,
}

impl fmt::Debug for RegexDialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for RegexDialect {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for RegexDialect {}

impl Hash for RegexDialect {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

/// A block of IP addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    /// Its first address (host bits are zero).
    pub address: IpAddr,
    /// How many leading bits are fixed: 0–32 or 0–128.
    pub prefix: u8,
}

impl Network {
    /// Reads `10.0.0.0/8`, `fe80::/10`, or a single address.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.trim().split_once('/') {
            Some((address, prefix)) => (address.parse::<IpAddr>().ok()?, Some(prefix.parse::<u8>().ok()?)),
            None => (text.trim().parse::<IpAddr>().ok()?, None),
        };
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(bits);
        (prefix <= bits).then(|| Self { address: mask(address, prefix), prefix })
    }

    /// Whether an address lies in the block. IPv4 addresses that are mapped into IPv6 count as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (address, own) = (address.to_canonical(), self.address);
        address.is_ipv4() == own.is_ipv4() && mask(address, self.prefix) == own
    }
}

fn mask(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() & u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)).into()),
        IpAddr::V6(v6) => {
            IpAddr::V6((v6.to_bits() & u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0)).into())
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_are_read_as_pieces() {
        let w = Wildcard::parse("?:\\Windows\\**x");
        assert_eq!(w.pieces.len(), 4);
        assert_eq!(w.to_string(), "?:\\Windows\\*x");
        assert_eq!(Wildcard::parse("plain").as_literal(), Some("plain"));
        assert_eq!(Wildcard::parse("").as_literal(), Some(""));
        assert_eq!(Wildcard::parse_sql("%a_").to_string(), "*a?");
    }

    #[test]
    fn networks_hold_their_addresses() {
        let net = Network::parse("10.1.2.3/8").unwrap();
        assert_eq!(net.to_string(), "10.0.0.0/8");
        assert!(net.contains("10.255.0.1".parse().unwrap()));
        assert!(net.contains("::ffff:10.255.0.1".parse().unwrap()));
        assert!(!net.contains("11.0.0.1".parse().unwrap()));
        assert!(Network::parse("0.0.0.0/0").unwrap().contains("9.9.9.9".parse().unwrap()));
        assert!(Network::parse("fe80::/10").unwrap().contains("fe80::1".parse().unwrap()));
        assert_eq!(Network::parse("10.0.0.0/33"), None);
    }
}
