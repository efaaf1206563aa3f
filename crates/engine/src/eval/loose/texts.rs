//! Texts: `printf`, matches and their places, free text, pairs.

use std::net::Ipv4Addr;

use lurcher_ir::{Case, LooseFunction, Regex, RegexUse, Sides, Wildcard};
use lurcher_schema::Value;

use super::{Regexes, number, numbers::whole, text};
use crate::eval::pattern::{expand, replaced, wildcard_matches};

/// At most so many matches become values.
const MAX_VALUES: usize = 10_000;
/// No width or precision is greater.
const MAX_WIDTH: usize = 1000;

pub(super) fn apply(function: &LooseFunction, values: &[Value], regexes: &Regexes) -> Option<Value> {
    use LooseFunction as F;
    let compiled = |regex: &Regex| regexes.get(&regex.pattern);
    match (function, values) {
        (F::Printf, [format, rest @ ..]) => Some(Value::text(printf(&text(format)?, rest)?)),
        (F::Trimmed(sides), [value, characters]) => {
            let (value, characters) = (text(value)?, text(characters)?);
            let any = |c: char| characters.contains(c);
            Some(Value::text(match sides {
                Sides::Start => value.trim_start_matches(any),
                Sides::End => value.trim_end_matches(any),
                Sides::Both => value.trim_matches(any),
            }))
        }
        (F::MatchPosition(regex), [list]) => position(compiled(regex)?, list),
        (F::ReplaceNth(regex, number), [value, replacement]) => {
            replaced_nth(compiled(regex)?, *number, &text(value)?, &text(replacement)?)
        }
        (F::AllCaptures(regex, group), [value, most @ ..]) => {
            let most = most.first().and_then(number).and_then(whole).and_then(|most| usize::try_from(most).ok());
            let most = most.filter(|most| *most > 0).unwrap_or(MAX_VALUES).min(MAX_VALUES);
            let regex = compiled(regex)?;
            let mut found = Vec::new();
            for value in value.elements() {
                let Some(text) = text(value) else { continue };
                let matches = regex.captures_iter(&text).take(most);
                found.extend(matches.filter_map(|m| m.name(group).map(|found| Value::text(found.as_str()))));
            }
            smallest(found)
        }
        (F::MatchPlace(regex, group), [value]) => {
            let value = text(value)?;
            let found = compiled(regex)?.captures(&value)?;
            let place = found.name(group)?;
            let start = value[..place.start()].chars().count();
            let length = place.as_str().chars().count();
            (length > 0).then(|| Value::text(format!("{start}-{}", start + length - 1)))
        }
        (F::FoundWithin(regex), [value]) => Some(Value::Bool(within(compiled(regex)?, value))),
        (F::Tokens(regex), [value]) => {
            let value = text(value)?;
            let regex = compiled(regex)?;
            let found = regex.captures_iter(&value).take(MAX_VALUES);
            smallest(found.filter_map(|m| m.get(1).map(|group| Value::text(group.as_str()))).collect())
        }
        (F::PairValue(key), [value, pairs, keys]) => pair_value(&text(value)?, key, &text(pairs)?, &text(keys)?),
        (F::Parts, [value, delimiter, keep]) => {
            let (value, delimiter) = (text(value)?, text(delimiter)?);
            let keep = *keep == Value::Bool(true);
            let parts: Vec<&str> = if delimiter.is_empty() {
                vec![&value]
            } else {
                value.split(delimiter.as_ref()).filter(|part| keep || !part.is_empty()).collect()
            };
            smallest(parts.into_iter().take(MAX_VALUES).map(Value::text).collect())
        }
        (F::MaskAddress, [mask, address]) => {
            let (mask, address) = (text(mask)?.parse::<Ipv4Addr>().ok()?, text(address)?.parse::<Ipv4Addr>().ok()?);
            Some(Value::text(Ipv4Addr::from(mask.to_bits() & address.to_bits()).to_string()))
        }
        (F::LikeComputed, [value, pattern]) => {
            let pattern = Wildcard::parse_sql(&text(pattern)?);
            Some(Value::Bool(wildcard_matches(&pattern, &text(value)?, Case::Sensitive)))
        }
        (F::ByRegex(usage, dialect), [value, pattern, further @ ..]) => {
            let regex = regexes.computed.get(dialect, &text(pattern)?)?;
            match (usage, further) {
                (RegexUse::Found, []) => Some(Value::Bool(regex.is_match(&text(value)?))),
                (RegexUse::Replaced, [replacement]) => Some(replaced(&regex, &text(value)?, &text(replacement)?)),
                (RegexUse::Position, []) => position(&regex, value),
                _ => None,
            }
        }
        (F::UrlDecoded, [value]) => Some(Value::text(url_decoded(&text(value)?))),
        (F::Entropy, [value]) => Some(Value::Float(entropy(&text(value)?))),
        _ => None,
    }
}

/// Which value an expression is found in first.
fn position(regex: &regex::Regex, list: &Value) -> Option<Value> {
    let at = list.elements().position(|value| text(value).is_some_and(|text| regex.is_match(&text)))?;
    Some(Value::Int(at as i64))
}

/// None as null, one as itself.
pub(super) fn smallest(mut values: Vec<Value>) -> Option<Value> {
    match values.len() {
        0 => None,
        1 => values.pop(),
        _ => Some(Value::list(values)),
    }
}

/// The text with one match replaced; the text itself without that match.
fn replaced_nth(regex: &regex::Regex, number: u32, value: &str, replacement: &str) -> Option<Value> {
    let found = regex.captures_iter(value).nth((number as usize).checked_sub(1)?);
    let place = found.as_ref().and_then(|found| found.get(0)).map(|whole| whole.range());
    Some(match found.zip(place) {
        Some((found, place)) => {
            let new = expand(replacement, &found);
            Value::text(format!("{}{new}{}", &value[..place.start], &value[place.end..]))
        }
        None => Value::text(value),
    })
}

fn within(regex: &regex::Regex, value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Text(text) => regex.is_match(text),
        Value::List(items) => items.iter().any(|item| within(regex, item)),
        Value::Object(members) => members.iter().any(|(name, value)| regex.is_match(name) || within(regex, value)),
        scalar => regex.is_match(&scalar.to_string()),
    }
}

fn pair_value(text: &str, wanted: &str, pairs: &str, keys: &str) -> Option<Value> {
    let mut found = Vec::new();
    for pair in text.split(|c| pairs.contains(c)) {
        let Some((key, value)) = pair.split_once(|c| keys.contains(c)) else { continue };
        if key.trim() == wanted {
            let value = value.trim();
            let bare = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
            found.push(Value::text(bare));
        }
    }
    smallest(found)
}

fn url_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let hex = |ahead: usize| bytes.get(at + ahead).and_then(|b| char::from(*b).to_digit(16));
        match (byte, hex(1), hex(2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            (byte, ..) => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn entropy(text: &str) -> f64 {
    let mut counts = std::collections::BTreeMap::<char, usize>::new();
    for c in text.chars() {
        *counts.entry(c).or_default() += 1;
    }
    let total = counts.values().sum::<usize>() as f64;
    counts.values().map(|count| *count as f64 / total).map(|share| -share * share.log2()).sum()
}

/// One conversion of `printf`.
#[derive(Default)]
struct Conversion {
    left: bool,
    plus: bool,
    space: bool,
    alternate: bool,
    zero: bool,
    group: bool,
    width: usize,
    precision: Option<usize>,
}

fn printf(format: &str, values: &[Value]) -> Option<String> {
    let mut out = String::new();
    let mut letters = format.chars().peekable();
    let mut values = values.iter();
    while let Some(c) = letters.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut conversion = Conversion::default();
        while let Some(flag) = letters.next_if(|c| "-+ #0'".contains(*c)) {
            match flag {
                '-' => conversion.left = true,
                '+' => conversion.plus = true,
                ' ' => conversion.space = true,
                '#' => conversion.alternate = true,
                '0' => conversion.zero = true,
                _ => conversion.group = true,
            }
        }
        let mut digits = |letters: &mut std::iter::Peekable<std::str::Chars<'_>>| -> Option<usize> {
            if letters.next_if_eq(&'*').is_some() {
                return whole(number(values.next()?)?).and_then(|n| usize::try_from(n).ok());
            }
            let mut count = 0_usize;
            while let Some(digit) = letters.peek().and_then(|c| c.to_digit(10)) {
                count = (count * 10 + digit as usize).min(MAX_WIDTH);
                letters.next();
            }
            Some(count)
        };
        conversion.width = digits(&mut letters)?.min(MAX_WIDTH);
        if letters.next_if_eq(&'.').is_some() {
            conversion.precision = Some(digits(&mut letters)?.min(MAX_WIDTH));
        }
        while letters.next_if(|c| matches!(c, 'l' | 'h' | 'L' | 'q' | 'j' | 'z' | 't')).is_some() {}
        match letters.next()? {
            '%' => out.push('%'),
            letter => out.push_str(&converted(letter, &conversion, values.next()?)?),
        }
    }
    Some(out)
}

fn converted(letter: char, conversion: &Conversion, value: &Value) -> Option<String> {
    let precision = conversion.precision;
    let (mut body, numeric) = match letter {
        's' | 'c' => {
            let text = text(value)?;
            let most = if letter == 'c' { Some(1) } else { precision };
            (most.map_or_else(|| text.to_string(), |most| text.chars().take(most).collect()), false)
        }
        'd' | 'i' | 'u' => {
            let whole = number(value)?.as_f64().trunc();
            (format!("{whole:.0}"), true)
        }
        'f' | 'F' => (format!("{:.*}", precision.unwrap_or(6), number(value)?.as_f64()), true),
        'e' | 'E' => {
            let text = format!("{:.*e}", precision.unwrap_or(6), number(value)?.as_f64());
            let (mantissa, exponent) = text.split_once('e')?;
            let exponent: i32 = exponent.parse().ok()?;
            let sign = if exponent < 0 { '-' } else { '+' };
            let text = format!("{mantissa}e{sign}{:02}", exponent.abs());
            (if letter == 'E' { text.to_uppercase() } else { text }, true)
        }
        'g' | 'G' => (Value::Float(number(value)?.as_f64()).to_string(), true),
        'x' | 'X' | 'o' => {
            let whole = whole(number(value)?)?;
            let text = match letter {
                'x' => format!("{whole:x}"),
                'X' => format!("{whole:X}"),
                _ => format!("{whole:o}"),
            };
            let prefix = if conversion.alternate && letter != 'o' { format!("0{letter}") } else { String::new() };
            (prefix + &text, true)
        }
        _ => return None,
    };
    if numeric && conversion.group && matches!(letter, 'd' | 'i' | 'u') {
        let digits = body.len() - usize::from(body.starts_with('-'));
        for at in (1..digits).filter(|at| at % 3 == 0) {
            body.insert(body.len() - at - (at / 3 - 1), ',');
        }
    }
    if numeric && !body.starts_with('-') {
        if conversion.plus {
            body.insert(0, '+');
        } else if conversion.space {
            body.insert(0, ' ');
        }
    }
    let missing = conversion.width.saturating_sub(body.chars().count());
    Some(if conversion.left {
        body + &" ".repeat(missing)
    } else if conversion.zero && numeric {
        let sign = usize::from(body.starts_with(['-', '+', ' ']));
        format!("{}{}{}", &body[..sign], "0".repeat(missing), &body[sign..])
    } else {
        " ".repeat(missing) + &body
    })
}
