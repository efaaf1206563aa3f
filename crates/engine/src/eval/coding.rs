//! Pieces of texts, their codings and digests.

use std::{fmt::Write as _, sync::Arc};

use lurcher_ir::{DigestAlgorithm, TextFunction};
use lurcher_schema::{Object, Value};
use sha2::Digest as _;

use super::{
    Regexes,
    convert::{text_form, whole},
    domain, json_path, math, uri,
};

/// The longest text that repetition makes, in bytes.
const MAX_REPEATED: usize = 1 << 20;

pub(super) fn apply(function: &TextFunction, values: &[Value], regexes: &Regexes) -> Option<Value> {
    use TextFunction as T;
    match (function, values) {
        (T::ToText, [value]) => match value {
            Value::Float(number) => Some(Value::text(math::fraction_text(*number))),
            _ => text_form(value).map(Value::Text),
        },
        (T::ToBoolean, [value]) => math::to_boolean(value),
        (T::JsonMember, [document, path]) => json_path::member(document, &text_form(path)?),
        (T::LongMembers, [Value::Object(object), length]) => {
            let mut names = Vec::new();
            long_members(object, "", usize::try_from(whole(length)?).ok()?, &mut names);
            super::multi::small(names)
        }
        (T::Replaced(regex), [text, replacement]) => {
            replaced(regexes.get(&regex.pattern)?, &text_form(text)?, &text_form(replacement)?)
        }
        (T::ReplacedBy(dialect), [text, expression, replacement]) => {
            let regex = regexes.computed.get(dialect, &text_form(expression)?)?;
            replaced(&regex, &text_form(text)?, &text_form(replacement)?)
        }
        (T::JsonObject, members) => json_object(members),
        (_, [text, rest @ ..]) => {
            let text = text_form(text)?;
            of_text(function, &text, rest)
        }
        _ => None,
    }
}

fn of_text(function: &TextFunction, text: &str, rest: &[Value]) -> Option<Value> {
    use TextFunction as T;
    let count = |value: &Value| Some(usize::try_from(whole(value)?.max(0)).unwrap_or(usize::MAX));
    Some(match (function, rest) {
        (T::Locate, [part]) => locate(text, &text_form(part)?, 1),
        (T::Locate, [part, start]) => locate(text, &text_form(part)?, whole(start)?),
        (T::Left, [n]) => Value::text(text.chars().take(count(n)?).collect::<String>()),
        (T::Right, [n]) => {
            let skipped = text.chars().count().saturating_sub(count(n)?);
            Value::text(text.chars().skip(skipped).collect::<String>())
        }
        (T::Part, [start]) => part(text, whole(start)?, usize::MAX),
        (T::Part, [start, length]) => part(text, whole(start)?, usize::try_from(whole(length)?).ok()?),
        (T::TrimmedStart, []) => Value::text(text.trim_start()),
        (T::TrimmedEnd, []) => Value::text(text.trim_end()),
        (T::Repeated, [n]) => {
            let n = usize::try_from(whole(n)?).ok()?;
            text.len().checked_mul(n).filter(|length| *length <= MAX_REPEATED)?;
            Value::text(text.repeat(n))
        }
        (T::Reversed, []) => Value::text(text.chars().rev().collect::<String>()),
        (T::Bytes, []) => Value::Int(text.len() as i64),
        (T::Contains, [part]) => Value::Bool(text.contains(text_form(part)?.as_ref())),
        (T::UrlEncoded, []) => Value::text(url_encoded(text, "+")),
        (T::UrlComponentEncoded, []) => Value::text(url_encoded(text, "%20")),
        (T::UrlDecoded, []) => Value::text(url_decoded(text)?),
        (T::Base64, []) => Value::text(base64(text.as_bytes())),
        (T::FromBase64, []) => Value::text(String::from_utf8_lossy(&from_base64(text)?).into_owned()),
        (T::Digest(algorithm), []) => Value::text(digest(*algorithm, text)),
        (T::UriPart(part), []) => uri::part(text, *part)?,
        (T::DomainPart(part), []) => Value::Text(domain::part(text, *part)?),
        (T::NamedDigest, [name]) => Value::text(digest(algorithm(&text_form(name)?)?, text)),
        _ => return None,
    })
}

/// Keys and values, in turn, as a JSON object.
fn json_object(members: &[Value]) -> Option<Value> {
    let mut out = String::from("{");
    for member in members.chunks(2) {
        let [key, value] = member else { return None };
        if out.len() > 1 {
            out.push(',');
        }
        write_json_text(&mut out, &text_form(key)?);
        out.push(':');
        let values: Vec<&Value> = value.elements().collect();
        if values.is_empty() {
            out.push_str("null");
        }
        let several = values.len() > 1;
        if several {
            out.push('[');
        }
        for (place, value) in values.into_iter().enumerate() {
            if place > 0 {
                out.push(',');
            }
            match value {
                Value::Bool(_) | Value::Int(_) => out.push_str(&value.to_string()),
                Value::Float(number) => out.push_str(&math::fraction_text(*number)),
                other => write_json_text(&mut out, &text_form(other)?),
            }
        }
        if several {
            out.push(']');
        }
    }
    out.push('}');
    Some(Value::text(out))
}

/// A text of JSON, escaped as Jackson does: quotes, backslashes and what is below a blank.
fn write_json_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Every match replaced. In the replacement `$1` and `${name}` mean a group, and a backslash takes the next character as it
/// is; null if there is no such group.
fn replaced(regex: &regex::Regex, text: &str, replacement: &str) -> Option<Value> {
    let mut out = String::with_capacity(text.len());
    let mut end = 0;
    for found in regex.captures_iter(text) {
        let whole = found.get(0)?;
        out.push_str(&text[end..whole.start()]);
        end = whole.end();
        let mut rest = replacement;
        while let Some(at) = rest.find(['$', '\\']) {
            out.push_str(&rest[..at]);
            let (mark, after) = rest[at..].split_at(1);
            if mark == "\\" {
                let literal = after.chars().next()?;
                out.push(literal);
                rest = &after[literal.len_utf8()..];
                continue;
            }
            let group;
            if let Some(named) = after.strip_prefix('{') {
                let (name, after) = named.split_once('}')?;
                regex.capture_names().flatten().find(|own| *own == name)?;
                (group, rest) = (found.name(name), after);
            } else {
                // As many digits as there is a group for.
                let digits = after.bytes().take_while(u8::is_ascii_digit).count();
                let known = |length: &usize| after[..*length].parse().is_ok_and(|n: usize| n < regex.captures_len());
                let length = (1..=digits).rev().find(known)?;
                (group, rest) = (found.get(after[..length].parse().ok()?), &after[length..]);
            }
            out.push_str(group.map_or("", |group| group.as_str()));
        }
        out.push_str(rest);
    }
    out.push_str(&text[end..]);
    Some(Value::text(out))
}

fn locate(text: &str, part: &str, start: i64) -> Value {
    let skipped = usize::try_from(start.saturating_sub(1).max(0)).unwrap_or(usize::MAX);
    let from = match text.char_indices().nth(skipped) {
        Some((at, _)) => at,
        None if skipped == 0 || text.chars().count() == skipped => text.len(),
        None => return Value::Int(0),
    };
    let found = text[from..].find(part).map_or(0, |at| text[..from + at].chars().count() as i64 + 1);
    Value::Int(found)
}

fn part(text: &str, start: i64, length: usize) -> Value {
    let characters = text.chars().count() as i64;
    let first = match start {
        0 => 0,
        start if start > 0 => start - 1,
        start => characters.saturating_add(start).max(0),
    };
    Value::text(text.chars().skip(usize::try_from(first).unwrap_or(usize::MAX)).take(length).collect::<String>())
}

fn url_encoded(text: &str, blank: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' => out.push(char::from(byte)),
            b' ' => out.push_str(blank),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

fn url_decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let digits = [bytes.next()?, bytes.next()?];
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return None;
                }
                out.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
            }
            other => out.push(other),
        }
    }
    Some(String::from_utf8_lossy(&out).into_owned())
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let padded = [chunk.first(), chunk.get(1), chunk.get(2)].map(|byte| u32::from(byte.copied().unwrap_or(0)));
        let bits = padded[0] << 16 | padded[1] << 8 | padded[2];
        for place in 0..4 {
            if place <= chunk.len() {
                out.push(char::from(ALPHABET[(bits >> (18 - 6 * place) & 63) as usize]));
            } else {
                out.push('=');
            }
        }
    }
    out
}

/// Decodes; padding may be missing, but nothing else.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    if text.len() - digits.len() > 2 || digits.len() % 4 == 1 {
        return None;
    }
    let mut out = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    let (mut bits, mut held) = (0_u32, 0);
    for digit in digits.bytes() {
        let value = ALPHABET.iter().position(|own| *own == digit)? as u32;
        bits = bits << 6 | value;
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held & 255) as u8);
        }
    }
    Some(out)
}

fn algorithm(name: &str) -> Option<DigestAlgorithm> {
    Some(match name.to_ascii_lowercase().replace(['-', '_'], "").as_str() {
        "md5" => DigestAlgorithm::Md5,
        "sha1" | "sha" => DigestAlgorithm::Sha1,
        "sha224" => DigestAlgorithm::Sha224,
        "sha256" => DigestAlgorithm::Sha256,
        "sha384" => DigestAlgorithm::Sha384,
        "sha512" => DigestAlgorithm::Sha512,
        _ => return None,
    })
}

fn digest(algorithm: DigestAlgorithm, text: &str) -> String {
    fn hex(bytes: &[u8]) -> String {
        bytes.iter().fold(String::new(), |mut out, byte| {
            let _ = write!(out, "{byte:02x}");
            out
        })
    }
    let bytes = text.as_bytes();
    match algorithm {
        DigestAlgorithm::Md5 => hex(&md5::Md5::digest(bytes)),
        DigestAlgorithm::Sha1 => hex(&sha1::Sha1::digest(bytes)),
        DigestAlgorithm::Sha224 => hex(&sha2::Sha224::digest(bytes)),
        DigestAlgorithm::Sha256 => hex(&sha2::Sha256::digest(bytes)),
        DigestAlgorithm::Sha384 => hex(&sha2::Sha384::digest(bytes)),
        DigestAlgorithm::Sha512 => hex(&sha2::Sha512::digest(bytes)),
    }
}

fn long_members(object: &Object, prefix: &str, length: usize, names: &mut Vec<Value>) {
    for (name, value) in object {
        let name = if prefix.is_empty() { name.to_string() } else { format!("{prefix}.{name}") };
        match value {
            Value::Object(inner) => long_members(inner, &name, length, names),
            other => {
                let long = |text: Arc<str>| text.len() > length && text.chars().nth(length).is_some();
                if other.elements().filter_map(text_form).any(long) {
                    names.push(Value::text(name));
                }
            }
        }
    }
}
