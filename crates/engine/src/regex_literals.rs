//! What literals a text must have so that a regular expression can be found in it.
//!
//! Running hundreds of expressions over every value is what makes engines slow; nearly all of them have some literal
//! without which they cannot match. The literals are folded, so that one search serves every expression whatever its
//! case rule.

use lurcher_ir::{fold_char, fold_text};
use regex_syntax::hir::{Class, Hir, HirKind};

/// Under Unicode's rules this letter (long s) equals `s` when case does not count, but `fold_char` leaves it alone.
pub(crate) const LONG_S: char = '\u{17f}';

/// More alternatives than this are no longer a help.
const MOST: usize = 64;

/// Literals (folded) of which at least one stands in every text in which the expression is found, provided that the
/// text, if not ASCII, has no [`LONG_S`]. `None` if there are none of at least two characters.
pub(crate) fn required_literals(pattern: &str) -> Option<Vec<String>> {
    let hir = regex_syntax::Parser::new().parse(pattern).ok()?;
    let found = required(&hir)?;
    (found.iter().all(|literal| literal.chars().count() >= 2)).then_some(found)
}

fn required(hir: &Hir) -> Option<Vec<String>> {
    if let Some(text) = exact(hir) {
        return (!text.is_empty()).then(|| vec![text]);
    }
    match hir.kind() {
        HirKind::Capture(capture) => required(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min >= 1 => required(&repetition.sub),
        HirKind::Alternation(branches) => {
            let mut all = Vec::new();
            for branch in branches {
                all.extend(required(branch)?);
            }
            all.sort();
            all.dedup();
            (all.len() <= MOST).then_some(all)
        }
        HirKind::Concat(parts) => {
            let mut best: Option<Vec<String>> = None;
            let mut run = String::new();
            for part in parts {
                if let Some(text) = exact(part) {
                    run.push_str(&text);
                    continue;
                }
                consider(&mut best, (!run.is_empty()).then(|| vec![std::mem::take(&mut run)]));
                consider(&mut best, required(part));
            }
            consider(&mut best, (!run.is_empty()).then(|| vec![run]));
            best
        }
        _ => None,
    }
}

/// Keeps the better of two sets: the longer shortest literal, then the fewer literals.
fn consider(best: &mut Option<Vec<String>>, other: Option<Vec<String>>) {
    let worth = |set: &Vec<String>| {
        (set.iter().map(|literal| literal.len().min(8)).min().unwrap_or(0), std::cmp::Reverse(set.len()))
    };
    if let Some(other) = other
        && best.as_ref().is_none_or(|best| worth(&other) > worth(best))
    {
        *best = Some(other);
    }
}

/// The folded text that this part always matches, if it is always the same one.
fn exact(hir: &Hir) -> Option<String> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Some(String::new()),
        HirKind::Literal(literal) => std::str::from_utf8(&literal.0).ok().map(fold_text),
        HirKind::Class(Class::Unicode(class)) => {
            if class.ranges().iter().map(regex_syntax::hir::ClassUnicodeRange::len).sum::<usize>() > 4 {
                return None;
            }
            let mut members = class.ranges().iter().flat_map(|range| range.start()..=range.end());
            let letter = fold_char(class.ranges().iter().map(regex_syntax::hir::ClassUnicodeRange::start).min()?);
            members
                .all(|member| fold_char(member) == letter || (member == LONG_S && letter == 's'))
                .then(|| letter.to_string())
        }
        HirKind::Capture(capture) => exact(&capture.sub),
        HirKind::Repetition(repetition) if Some(repetition.min) == repetition.max && repetition.min <= 8 => {
            exact(&repetition.sub).map(|text| text.repeat(repetition.min as usize))
        }
        HirKind::Concat(parts) => parts.iter().map(exact).collect(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_required_literals_are_found() {
        let of = |pattern| required_literals(pattern).map(|set| set.join(" "));
        assert_eq!(of("^abc.*defgh$").as_deref(), Some("defgh"));
        assert_eq!(of("(?i)Kernel32|NTDLL"), Some("kernel32 ntdll".into()));
        assert_eq!(of("a.b"), None);
        assert_eq!(of("(foo)?bar[0-9]+"), Some("bar".into()));
        assert_eq!(of("(?:foo|x)y*"), None);
        assert_eq!(of("\\\\Temp\\\\[a-z]{8}\\.exe"), Some("\\temp\\".into()));
        assert_eq!(of("("), None);
    }
}
