//! Wildcards, regular expressions and networks.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use lurcher_ir::{Case, Function, Network, Regex, RegexDialect, Wildcard, WildcardPiece, fold_char};
use lurcher_schema::Value;
use rustc_hash::FxHashMap;

use super::{Regexes, convert::text_form};

/// At most so many regular expressions that were computed are kept compiled, for each expression of a rule.
const MAX_COMPUTED: usize = 128;
/// The largest regular expression that is compiled for a single value, in bytes of its program.
const MAX_PROGRAM: usize = 1 << 20;
/// How much may be kept while such an expression is looked for, in bytes.
const MAX_SEARCH: usize = 1 << 18;
/// The longest regular expression that is computed, in bytes. PCRE compiles none whose program is longer.
const MAX_LENGTH: usize = 1 << 16;

/// The regular expressions that were computed of late, compiled; none for what cannot be run.
///
/// Rows mostly repeat the same few. Where each has its own, keeping more of them would not help either, so all are forgotten
/// when there are too many.
#[derive(Debug, Default)]
pub(super) struct ComputedRegexes(Mutex<FxHashMap<(&'static str, Arc<str>), Option<Arc<regex::Regex>>>>);

impl ComputedRegexes {
    /// An expression in a dialect, ready to be looked for.
    pub(super) fn get(&self, dialect: &RegexDialect, pattern: &Arc<str>) -> Option<Arc<regex::Regex>> {
        if pattern.len() > MAX_LENGTH {
            return None;
        }
        let key = (dialect.name, Arc::clone(pattern));
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(known) = known {
            return known;
        }
        // Compiled without the lock: other threads have others to look for.
        let compiled = (dialect.translate)(pattern).and_then(|regex| {
            let mut builder = regex::RegexBuilder::new(&regex.pattern);
            builder.size_limit(MAX_PROGRAM).dfa_size_limit(MAX_SEARCH).build().ok().map(Arc::new)
        });
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_COMPUTED {
            known.clear();
        }
        known.insert(key, compiled.clone());
        compiled
    }
}

pub(super) fn apply(function: &Function, values: &[Value], regexes: &Regexes) -> Option<Value> {
    use Function as F;
    let compiled = |regex: &Regex| regexes.get(&regex.pattern);
    match (function, values) {
        (F::Like(pattern, case), [text]) => Some(Value::Bool(wildcard_matches(pattern, &text_form(text)?, *case))),
        (F::Matches(regex), [text]) => Some(Value::Bool(compiled(regex)?.is_match(&text_form(text)?))),
        (F::Replace(regex), [text, replacement]) => {
            Some(replaced(compiled(regex)?, &text_form(text)?, &text_form(replacement)?))
        }
        (F::Capture(regex, group), [text]) => {
            compiled(regex)?.captures(&text_form(text)?)?.name(group).map(|found| Value::text(found.as_str()))
        }
        (F::InNetwork(networks), [address]) => {
            let address = text_form(address)?.trim().parse::<IpAddr>();
            let found = address.is_ok_and(|address| networks.iter().any(|network| network.contains(address)));
            Some(Value::Bool(found))
        }
        (F::CidrMatch, [address, blocks @ ..]) => {
            let address = text_form(address)?;
            let mut found = false;
            for block in blocks {
                let inside = |block: &Value| in_block(&address, block);
                found |= match block {
                    Value::List(items) => items.iter().filter_map(inside).any(|inside| inside),
                    _ => inside(block)?,
                };
            }
            Some(Value::Bool(found))
        }
        _ => None,
    }
}

fn in_block(address: &str, block: &Value) -> Option<bool> {
    let block = Network::parse(&text_form(block)?);
    let address = address.trim().parse::<IpAddr>();
    Some(block.is_some_and(|block| address.is_ok_and(|address| block.contains(address))))
}

/// The text with every match replaced.
pub(super) fn replaced(regex: &regex::Regex, text: &str, replacement: &str) -> Value {
    let replaced = regex.replace_all(text, |found: &regex::Captures<'_>| expand(replacement, found));
    Value::text(replaced.as_ref())
}

/// The replacement with `$1` and `\1` (up to two digits) filled in; `$$` and a doubled backslash stand for themselves.
pub(super) fn expand(replacement: &str, found: &regex::Captures<'_>) -> String {
    let mut out = String::with_capacity(replacement.len());
    let mut rest = replacement;
    while let Some(at) = rest.find(['$', '\\']) {
        out.push_str(&rest[..at]);
        let (mark, after) = rest[at..].split_at(1);
        let digits = after.bytes().take(2).take_while(u8::is_ascii_digit).count();
        rest = after;
        if digits > 0 {
            let (group, after) = rest.split_at(digits);
            let group = group.parse().ok().and_then(|group: usize| found.get(group));
            out.push_str(group.map_or("", |group| group.as_str()));
            rest = after;
        } else {
            out.push_str(mark);
            rest = rest.strip_prefix(mark).unwrap_or(rest);
        }
    }
    out.push_str(rest);
    out
}

/// Whether a whole text is matched by a pattern.
///
/// Runs are matched as short as possible; on a mismatch only the last run is lengthened, which is enough because
/// everything before it has matched at the earliest place it could.
pub fn wildcard_matches(pattern: &Wildcard, text: &str, case: Case) -> bool {
    let pieces = pattern.pieces.as_ref();
    let (mut piece, mut at) = (0, 0);
    let mut last_run: Option<(usize, usize)> = None;
    loop {
        let rest = &text[at..];
        let advanced = match pieces.get(piece) {
            None if rest.is_empty() => return true,
            Some(WildcardPiece::Any) if piece + 1 == pieces.len() => return true,
            Some(WildcardPiece::Any) => {
                last_run = Some((piece + 1, at));
                Some(0)
            }
            Some(WildcardPiece::One) => rest.chars().next().map(char::len_utf8),
            Some(WildcardPiece::Literal(literal)) => prefix_length(rest, literal, case),
            None => None,
        };
        if let Some(bytes) = advanced {
            piece += 1;
            at += bytes;
            continue;
        }
        let Some((after, from)) = last_run else { return false };
        let Some(skipped) = text[from..].chars().next() else { return false };
        let from = from + skipped.len_utf8();
        last_run = Some((after, from));
        (piece, at) = (after, from);
    }
}

/// How many bytes of `text` are matched by `literal` at its beginning.
fn prefix_length(text: &str, literal: &str, case: Case) -> Option<usize> {
    if case == Case::Sensitive {
        return text.starts_with(literal).then_some(literal.len());
    }
    let mut characters = text.chars();
    for expected in literal.chars() {
        if fold_char(characters.next()?) != fold_char(expected) {
            return None;
        }
    }
    Some(text.len() - characters.as_str().len())
}
