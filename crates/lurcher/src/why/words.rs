//! Tests, values and paragraphs as a person reads them.

use lurcher_ir::{Bound, Case, Expr, Test};
use lurcher_schema::Value;

/// So many alternatives are spelt out.
const ALTERNATIVES: usize = 4;
/// Longer values are cut in the middle.
const LONGEST: usize = 120;

/// A test as the rest of a sentence that begins with the field: `begins with "C:\" in any case`.
pub(crate) fn test(test: &Test) -> String {
    let any = |case: &Case| if *case == Case::Insensitive { " in any case" } else { "" };
    match test {
        Test::Exists => "is there at all".to_owned(),
        Test::Equals(value, case) => format!("is {}{}", literal(value), text_case(value, *case)),
        Test::OneOf(values, case) => {
            let shown: Vec<String> = values.iter().take(ALTERNATIVES).map(literal).collect();
            let more = match values.len().saturating_sub(ALTERNATIVES) {
                0 => String::new(),
                more => format!(" or {more} more"),
            };
            format!("is one of {}{more}{}", shown.join(", "), any(case))
        }
        Test::Prefix(text, case) => format!("begins with {}{}", quoted(text), any(case)),
        Test::Suffix(text, case) => format!("ends with {}{}", quoted(text), any(case)),
        Test::Contains(text, case) => format!("contains {}{}", quoted(text), any(case)),
        Test::Wildcard(pattern, case) => format!("is like {}{}", quoted(&pattern.to_string()), any(case)),
        Test::Regex(regex) => format!("matches /{}/", cut(&regex.pattern, LONGEST)),
        Test::InNetwork(blocks) => {
            let shown: Vec<String> = blocks.iter().take(ALTERNATIVES).map(ToString::to_string).collect();
            let more = match blocks.len().saturating_sub(ALTERNATIVES) {
                0 => String::new(),
                more => format!(" or {more} more"),
            };
            format!("is an address in {}{more}", shown.join(", "))
        }
        Test::Range { low, high } => range(low.as_ref(), high.as_ref()),
        Test::Length { min, max: None } => format!("has {min} characters or more"),
        Test::Length { min: 0, max: Some(max) } => format!("has at most {max} characters"),
        Test::Length { min, max: Some(max) } => format!("has {min} to {max} characters"),
        Test::Single => "has exactly one value".to_owned(),
        // Its own textual form reads well enough.
        other => cut(&other.to_string(), LONGEST),
    }
}

fn text_case(value: &Value, case: Case) -> &'static str {
    if case == Case::Insensitive && value.as_text().is_some_and(|text| text.chars().any(char::is_alphabetic)) {
        " in any case"
    } else {
        ""
    }
}

fn range(low: Option<&Bound>, high: Option<&Bound>) -> String {
    let end = |bound: &Bound| match bound.time {
        Some(time) => time.to_string(),
        None => literal(&bound.value),
    };
    let low = low.map(|bound| format!("{} {}", if bound.inclusive { "at least" } else { "more than" }, end(bound)));
    let high = high.map(|bound| format!("{} {}", if bound.inclusive { "at most" } else { "less than" }, end(bound)));
    format!("is {}", low.into_iter().chain(high).collect::<Vec<_>>().join(" and "))
}

fn literal(value: &Value) -> String {
    match value {
        Value::Text(text) => quoted(text),
        other => other.to_json().to_string(),
    }
}

/// A text between quotation marks as it stands: backslashes are not doubled, since paths would be hard to read. A text
/// with such marks in it stands between single ones.
pub(crate) fn quoted(text: &str) -> String {
    let mark = if text.contains('"') && !text.contains('\'') { '\'' } else { '"' };
    format!("{mark}{}{mark}", cut(text, LONGEST))
}

/// An expression, cut if it is long.
pub(crate) fn expression(expr: &Expr) -> String {
    cut(&expr.to_string(), 2 * LONGEST)
}

/// An event's value.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Text(text) => quoted(text),
        Value::List(items) => cut(&items.iter().map(literal).collect::<Vec<_>>().join(", "), LONGEST),
        other => cut(&other.to_json().to_string(), LONGEST),
    }
}

/// The text on one line and without control characters, its middle left out if it has more characters than this.
pub(crate) fn cut(text: &str, longest: usize) -> String {
    let plain: Vec<char> = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if plain.len() <= longest {
        return plain.into_iter().collect();
    }
    let half = longest.saturating_sub(3) / 2;
    let start: String = plain[..half].iter().collect();
    let end: String = plain[plain.len() - half..].iter().collect();
    format!("{start} … {end}")
}

/// The text on one line, its end left out if it has more characters than this.
pub(crate) fn beginning(text: &str, longest: usize) -> String {
    let plain = cut(text, usize::MAX);
    if plain.chars().count() <= longest {
        return plain;
    }
    plain.chars().take(longest.saturating_sub(2)).collect::<String>().trim_end().to_owned() + " …"
}

/// Names in a row. Those that hold commas themselves, as log sources do, stand between semicolons.
pub(crate) fn listed(names: &[String]) -> String {
    names.join(if names.iter().any(|name| name.contains(", ")) { "; " } else { ", " })
}

/// A paragraph in lines of at most `width` characters, each behind `indent` blanks. Words are not broken.
pub(crate) fn wrapped(text: &str, indent: usize, width: usize) -> String {
    let mut out = String::new();
    let mut line = " ".repeat(indent);
    let mut length = 0;
    for word in text.split_whitespace() {
        let letters = word.chars().count();
        if length > 0 && indent + length + 1 + letters > width {
            out.push_str(&line);
            out.push('\n');
            line = " ".repeat(indent);
            length = 0;
        }
        if length > 0 {
            line.push(' ');
            length += 1;
        }
        line.push_str(word);
        length += letters;
    }
    if length > 0 {
        out.push_str(&line);
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_read_as_sentences() {
        let any = Case::Insensitive;
        let bound = |number, inclusive| Some(Bound { value: Value::Int(number), time: None, inclusive });
        for (given, words) in [
            (Test::equals_text("cmd.exe", any), "is \"cmd.exe\" in any case"),
            (Test::equals_text("4688", any), "is \"4688\""),
            (Test::Prefix("C:\\".into(), Case::Sensitive), "begins with \"C:\\\""),
            (Test::Range { low: bound(3, true), high: bound(9, false) }, "is at least 3 and less than 9"),
            (Test::Exists, "is there at all"),
            (
                Test::OneOf(["a", "b", "c", "d", "e"].map(Value::text).to_vec().into(), Case::Sensitive),
                "is one of \"a\", \"b\", \"c\", \"d\" or 1 more",
            ),
        ] {
            assert_eq!(test(&given), words);
        }
    }

    #[test]
    fn long_texts_lose_their_middle_and_paragraphs_are_wrapped() {
        assert_eq!(cut("abcdefghij", 7), "ab … ij");
        assert_eq!(cut("a\nb", 7), "a b");
        assert_eq!(wrapped("one two three", 2, 9), "  one two\n  three\n");
        assert_eq!(wrapped("", 2, 9), "");
    }
}
