//! Patterns with one wildcard, as names of indices and shape attributes are chosen by. The patterns of rules over values
//! are another thing, see the IR.

/// Whether the whole text fits a pattern in which `*` is any run of characters and nothing else is special. Case counts.
pub fn star_match(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}
