//! Values that almost pass a test, and what stands in the way.
//!
//! Each near miss is checked, not guessed: the value (or the test) is changed in one respect, and the naive evaluator
//! is asked again. So "but for case" means that the test passes once case does not count.

use std::{fmt, sync::Arc};

use lurcher_ir::{Case, Regex, Test, Wildcard, WildcardPiece, fold_text};
use lurcher_schema::Value;

use crate::naive;

/// Texts that differ in at most so many letters may be a slip of the pen.
const SLIP: usize = 2;
/// Shorter texts differ in two letters by chance.
const SLIP_LENGTH: usize = 6;
/// So many alternatives are compared letter by letter, at most.
const MOST_COMPARED: usize = 256;
/// Longer values are not compared letter by letter.
const LONGEST_COMPARED: usize = 256;

/// What stands between a value and a test that it almost passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NearMiss {
    /// Upper and lower case.
    Case,
    /// White space at an end of the value.
    ValueSpace,
    /// White space at an end of the text that is wanted.
    TestSpace,
    /// Quotation marks around the value.
    Quotes,
    /// `/` and `\`, or `\\` and `\`.
    Slashes,
    /// It is the same number, but one of the two is text that does not read as that number (`0x3e7`).
    NumberForm {
        /// The number that the value would be.
        number: String,
    },
    /// The wanted text stands in the value, but not where it has to.
    Elsewhere,
    /// A pattern that fits a part of the value only.
    PartOfPattern {
        /// How much of the beginning of the value it fits.
        fits: String,
    },
    /// One text differs from the other in a letter or two.
    Spelling {
        /// What is wanted.
        wanted: String,
    },
    /// A number is wanted; the value is none.
    NoNumber,
    /// An address is wanted; the value is none.
    NoAddress,
    /// A pattern that is written into an equality: `*` counts as the letter.
    StarIsALetter,
}

impl fmt::Display for NearMiss {
    /// One clause, for after "near miss: ".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Case => f.write_str("only upper and lower case differ, and case counts here"),
            Self::ValueSpace => f.write_str("the value has white space at an end; without it the test would pass"),
            Self::TestSpace => f.write_str("the rule's text has white space at an end; without it the test would pass"),
            Self::Quotes => f.write_str("the value stands in quotation marks; without them the test would pass"),
            Self::Slashes => f.write_str("only the kind or number of slashes differs"),
            Self::NumberForm { number } => write!(f, "it is the same number, {number}, but written in another way"),
            Self::Elsewhere => f.write_str("the text is in the value, but not at the place where it has to be"),
            Self::PartOfPattern { fits } => write!(f, "the pattern fits the beginning, up to and with “{fits}”"),
            Self::Spelling { wanted } => write!(f, "only a letter or two differ from “{wanted}”"),
            Self::NoNumber => f.write_str("a number is wanted, and the value does not read as one"),
            Self::NoAddress => f.write_str("an IP address is wanted, and the value is none"),
            Self::StarIsALetter => f.write_str("the rule compares letter by letter: its `*` is no wildcard here"),
        }
    }
}

/// What stands between a value and a test that it does not pass: the plainest reasons, at most two. Empty if the
/// value is missing, passes, or is nowhere near.
pub fn near_misses(test: &Test, value: &Value) -> Vec<NearMiss> {
    if value.is_missing() || naive::passes(test, value) {
        return Vec::new();
    }
    let mut found: Vec<NearMiss> = Vec::new();
    for single in value.elements() {
        for miss in of_single(test, single) {
            if !found.contains(&miss) {
                found.push(miss);
            }
        }
    }
    found.truncate(2);
    found
}

fn of_single(test: &Test, value: &Value) -> Vec<NearMiss> {
    let text = match value {
        Value::Null | Value::List(_) | Value::Object(_) => return Vec::new(),
        scalar => scalar.to_string(),
    };
    let passes = |test: &Test, text: &str| naive::passes(test, &Value::text(text));
    let any_case = any_case(test);
    // Texts are changed under the test that ignores case, so that two small differences are still both named.
    let lenient = any_case.as_ref().unwrap_or(test);
    let case = any_case.is_some() && !passes(test, &text) && passes(lenient, &text);
    if case {
        return vec![NearMiss::Case];
    }
    let with_case = |miss: NearMiss, changed: &str| {
        let mut both = vec![miss];
        if !passes(test, changed) {
            both.push(NearMiss::Case);
        }
        both
    };
    let trimmed = text.trim();
    if trimmed.len() < text.len() && passes(lenient, trimmed) {
        return with_case(NearMiss::ValueSpace, trimmed);
    }
    if trimmed_test(lenient).is_some_and(|trimmed| passes(&trimmed, &text)) {
        return vec![NearMiss::TestSpace];
    }
    let unquoted = trimmed.trim_matches(['"', '\'']);
    if unquoted.len() < trimmed.len() && passes(lenient, unquoted) {
        return with_case(NearMiss::Quotes, unquoted);
    }
    for (from, to) in [("/", "\\"), ("\\", "/"), ("\\\\", "\\"), ("\\", "\\\\")] {
        let changed = text.replace(from, to);
        if changed != text && passes(lenient, &changed) {
            return with_case(NearMiss::Slashes, &changed);
        }
    }
    structural(test, lenient, value, &text)
}

/// What is neither case nor dirt around the text.
fn structural(test: &Test, lenient: &Test, value: &Value, text: &str) -> Vec<NearMiss> {
    if let Some(number) = number_form(test, text) {
        return vec![NearMiss::NumberForm { number }];
    }
    if star_is_a_letter(lenient, value) {
        return vec![NearMiss::StarIsALetter];
    }
    match lenient {
        Test::Range { low, high } => {
            let numeric = |bound: &lurcher_ir::Bound| bound.time.is_none() && bound.value.as_number().is_some();
            let numeric = low.iter().chain(high).any(numeric);
            if numeric && text.trim().parse::<f64>().is_err() { vec![NearMiss::NoNumber] } else { Vec::new() }
        }
        Test::InNetwork(_) => match text.parse::<std::net::IpAddr>() {
            Ok(_) => Vec::new(),
            Err(_) => vec![NearMiss::NoAddress],
        },
        Test::Equals(..) | Test::OneOf(..) | Test::Prefix(..) | Test::Suffix(..) => {
            if let Some(wanted) = similar(lenient, text) {
                return vec![NearMiss::Spelling { wanted }];
            }
            let inside = texts(lenient).any(|(wanted, case)| {
                wanted.chars().count() >= 3 && naive::passes(&Test::Contains(wanted.into(), case), value)
            });
            if inside { vec![NearMiss::Elsewhere] } else { Vec::new() }
        }
        Test::Wildcard(pattern, case) => part_of_pattern(pattern, *case, text).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// The test without regard to case; `None` if case does not count already, or has no say.
fn any_case(test: &Test) -> Option<Test> {
    let folded = |text: &str| Arc::<str>::from(fold_text(text));
    let fold = |value: &Value| match value {
        Value::Text(text) => Value::Text(folded(text)),
        other => other.clone(),
    };
    Some(match test {
        Test::Equals(value @ Value::Text(_), Case::Sensitive) => Test::Equals(fold(value), Case::Insensitive),
        Test::OneOf(values, Case::Sensitive) => Test::OneOf(values.iter().map(fold).collect(), Case::Insensitive),
        Test::Prefix(text, Case::Sensitive) => Test::Prefix(folded(text), Case::Insensitive),
        Test::Suffix(text, Case::Sensitive) => Test::Suffix(folded(text), Case::Insensitive),
        Test::Contains(text, Case::Sensitive) => Test::Contains(folded(text), Case::Insensitive),
        Test::Wildcard(pattern, Case::Sensitive) => {
            let pieces = pattern.pieces.iter().map(|piece| match piece {
                WildcardPiece::Literal(text) => WildcardPiece::Literal(folded(text)),
                other => other.clone(),
            });
            Test::Wildcard(Wildcard::new(pieces), Case::Insensitive)
        }
        Test::Regex(regex) => Test::Regex(Regex { pattern: format!("(?i){}", regex.pattern).into() }),
        _ => return None,
    })
}

/// The test with its own texts trimmed; `None` if they have no white space at their ends.
fn trimmed_test(test: &Test) -> Option<Test> {
    let trim = |text: &str| Arc::<str>::from(text.trim());
    let dirty = |text: &str| text.trim().len() < text.len() && !text.trim().is_empty();
    Some(match test {
        Test::Equals(Value::Text(text), case) if dirty(text) => Test::Equals(Value::Text(trim(text)), *case),
        Test::OneOf(values, case) => {
            let texts = || values.iter().filter_map(Value::as_text);
            if !texts().any(dirty) {
                return None;
            }
            Test::OneOf(texts().filter(|text| dirty(text)).map(|text| Value::Text(trim(text))).collect(), *case)
        }
        Test::Prefix(text, case) if dirty(text) => Test::Prefix(trim(text), *case),
        Test::Suffix(text, case) if dirty(text) => Test::Suffix(trim(text), *case),
        Test::Contains(text, case) if dirty(text) => Test::Contains(trim(text), *case),
        _ => return None,
    })
}

/// The texts that a test wants.
fn texts(test: &Test) -> impl Iterator<Item = (&str, Case)> {
    let (values, case): (Vec<&str>, Case) = match test {
        Test::Equals(value, case) => (value.as_text().into_iter().collect(), *case),
        Test::OneOf(values, case) => (values.iter().filter_map(Value::as_text).collect(), *case),
        Test::Prefix(text, case) | Test::Suffix(text, case) | Test::Contains(text, case) => {
            (vec![text.as_ref()], *case)
        }
        _ => (Vec::new(), Case::Sensitive),
    };
    values.into_iter().take(MOST_COMPARED).map(move |text| (text, case))
}

/// The number that is wanted, if the value is the same one in another notation.
fn number_form(test: &Test, text: &str) -> Option<String> {
    let wanted: Vec<&Value> = match test {
        Test::Equals(value, _) => vec![value],
        Test::OneOf(values, _) => values.iter().collect(),
        _ => return None,
    };
    let own = any_number(text)?;
    wanted.into_iter().find_map(|value| {
        let number = value.as_number().or_else(|| any_number(value.as_text()?))?;
        (number.total_cmp(&own).is_eq()).then(|| number.to_string())
    })
}

/// A number in any of the notations that logs write numbers in: decimal, `0x` and hexadecimal, with separators, in
/// quotation marks.
fn any_number(text: &str) -> Option<f64> {
    let text = text.trim().trim_matches(['"', '\'']);
    let hexadecimal = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    if let Some(digits) = hexadecimal {
        return u64::from_str_radix(digits, 16).ok().map(|number| number as f64);
    }
    let digits: String = text.chars().filter(|c| !matches!(c, ',' | '_' | ' ')).collect();
    if !digits.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+')) {
        return None;
    }
    digits.parse::<f64>().ok().filter(|number| number.is_finite())
}

/// Whether the value would pass if the `*` in what it has to equal stood for anything.
fn star_is_a_letter(test: &Test, value: &Value) -> bool {
    let (Test::Equals(..) | Test::OneOf(..)) = test else { return false };
    texts(test)
        .any(|(text, case)| text.contains('*') && naive::passes(&Test::Wildcard(Wildcard::parse(text), case), value))
}

/// The wanted text that the value differs from in a letter or two.
fn similar(test: &Test, text: &str) -> Option<String> {
    if text.len() > LONGEST_COMPARED {
        return None;
    }
    let own = fold_text(text);
    let length = own.chars().count();
    let (Test::Equals(..) | Test::OneOf(..)) = test else { return None };
    let near = |wanted: &str| {
        let other = wanted.chars().count();
        other >= SLIP_LENGTH && other.abs_diff(length) <= SLIP && strsim::levenshtein(&fold_text(wanted), &own) <= SLIP
    };
    texts(test).map(|(wanted, _)| wanted).find(|wanted| near(wanted)).map(str::to_owned)
}

/// How much of the value's beginning a pattern fits, if it is more than its first star.
fn part_of_pattern(pattern: &Wildcard, case: Case, text: &str) -> Option<NearMiss> {
    let mut fits = None;
    for count in 1..pattern.pieces.len() {
        let WildcardPiece::Literal(literal) = &pattern.pieces[count - 1] else { continue };
        let beginning = pattern.pieces.iter().take(count).cloned().chain([WildcardPiece::Any]);
        if !naive::passes(&Test::Wildcard(Wildcard::new(beginning), case), &Value::text(text)) {
            break;
        }
        fits = Some(NearMiss::PartOfPattern { fits: literal.to_string() });
    }
    fits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn equals(text: &str) -> Test {
        Test::equals_text(text, Case::Sensitive)
    }

    #[test]
    fn each_kind_of_near_miss_is_told_apart() {
        let any = Case::Insensitive;
        let like = |text: &str| Test::Wildcard(Wildcard::parse(text), Case::Sensitive);
        let range = Test::Range {
            low: Some(lurcher_ir::Bound { value: Value::Int(3), time: None, inclusive: true }),
            high: None,
        };
        for (test, value, miss) in [
            (equals("cmd.exe"), "CMD.EXE", vec![NearMiss::Case]),
            (equals("cmd.exe"), "cmd.exe ", vec![NearMiss::ValueSpace]),
            (equals("cmd.exe"), " CMD.exe", vec![NearMiss::ValueSpace, NearMiss::Case]),
            (Test::equals_text("cmd.exe ", any), "cmd.exe", vec![NearMiss::TestSpace]),
            (equals("cmd.exe"), "\"cmd.exe\"", vec![NearMiss::Quotes]),
            (equals("c:\\a\\b"), "c:/a/b", vec![NearMiss::Slashes]),
            (equals("c:\\a\\b"), "c:\\\\a\\\\b", vec![NearMiss::Slashes]),
            (equals("999"), "0x3e7", vec![NearMiss::NumberForm { number: "999".into() }]),
            (equals("svchost.exe"), "scvhost.exe", vec![NearMiss::Spelling { wanted: "svchost.exe".into() }]),
            (equals("svchost.exe"), "C:\\Windows\\svchost.exe", vec![NearMiss::Elsewhere]),
            (Test::Prefix("-enc".into(), any), "powershell -ENC abc", vec![NearMiss::Elsewhere]),
            (equals("*.tmp"), "a.tmp", vec![NearMiss::StarIsALetter]),
            (
                like("C:\\*\\Temp\\*.exe"),
                "C:\\x\\Temp\\a.dll",
                vec![NearMiss::PartOfPattern { fits: "\\temp\\".into() }],
            ),
            (range, "many", vec![NearMiss::NoNumber]),
            (equals("cmd.exe"), "explorer.exe", Vec::new()),
            (equals("cmd.exe"), "cmd.exe", Vec::new()),
        ] {
            assert_eq!(near_misses(&test, &Value::text(value)), miss, "{test} on {value}");
        }
        assert_eq!(near_misses(&equals("x"), &Value::Null), Vec::new());
    }
}
