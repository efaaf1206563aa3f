//! The text formats that mapping packs take apart: command lines, registry paths, hash lists, DNS results,
//! PowerShell's context. Pure functions; where a vendor's pipeline has a quirk, it is built as it is there.

use std::{borrow::Cow, collections::BTreeMap, net::IpAddr, sync::Arc};

use crate::{Object, Value};

/// A whole number in decimal, or in hexadecimal after `0x`. Numbers beyond `i64` are none.
pub(super) fn integer(text: &str) -> Option<i64> {
    let text = text.trim();
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) if !hex.starts_with(['+', '-']) => i64::from_str_radix(hex, 16).ok(),
        Some(_) => None,
        None => text.parse().ok(),
    }
}

/// The 64 bits of a number, which may be written with its sign or, in hexadecimal, without.
pub(super) fn bits(text: &str) -> Option<i64> {
    let hex = text.trim().strip_prefix("0x").and_then(|hex| u64::from_str_radix(hex, 16).ok());
    hex.map(u64::cast_signed).or_else(|| integer(text))
}

/// An IP address in its usual spelling; an IPv4 address in IPv6 clothes (`::ffff:10.0.0.1`) bare.
pub(super) fn ip(text: &str) -> Option<String> {
    let text = text.trim();
    let text = text.split_once('%').map_or(text, |(address, _zone)| address);
    text.parse::<IpAddr>().ok().map(|address| address.to_canonical().to_string())
}

/// One hash out of Sysmon's `MD5=…,SHA256=…`, lower-cased. All zeros means that there was none.
pub(super) fn hash_part(text: &str, algorithm: &str) -> Option<String> {
    let (_, hash) = text
        .split(',')
        .filter_map(|part| part.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case(algorithm))?;
    let hash = hash.trim();
    (!hash.is_empty() && hash.bytes().any(|b| b != b'0')).then(|| hash.to_lowercase())
}

/// The arguments of a command line, as Elastic's Sysmon and PowerShell pipelines split it: the rules of
/// `CommandLineToArgvW`, with the program's path treated like any other argument.
pub(super) fn args_windows(command_line: &str) -> Vec<String> {
    let mut args = Vec::new();
    let mut rest = command_line.chars().peekable();
    loop {
        while rest.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
        if rest.peek().is_none() {
            return args;
        }
        let mut arg = String::new();
        let (mut quoted, mut backslashes) = (false, 0_usize);
        while let Some(c) = rest.next() {
            match c {
                '\\' => {
                    backslashes += 1;
                    continue;
                }
                '"' => {
                    arg.extend(std::iter::repeat_n('\\', backslashes / 2));
                    if backslashes % 2 == 1 {
                        arg.push('"');
                    } else {
                        // A doubled quote inside quotes is a quote, and ends the quoting.
                        if quoted && rest.next_if_eq(&'"').is_some() {
                            arg.push('"');
                        }
                        quoted = !quoted;
                    }
                    backslashes = 0;
                    continue;
                }
                _ => {}
            }
            arg.extend(std::iter::repeat_n('\\', backslashes));
            backslashes = 0;
            if matches!(c, ' ' | '\t') && !quoted {
                break;
            }
            arg.push(c);
        }
        arg.extend(std::iter::repeat_n('\\', backslashes));
        args.push(arg);
    }
}

/// The arguments of a command line, as Elastic's Security 4688 pipeline splits it: at white space outside quotes;
/// quotes and backslashes stay, and two blanks in a row, or one at the end, make an empty argument.
pub(super) fn args_simple(command_line: &str) -> Vec<String> {
    let mut args = Vec::new();
    let mut arg = String::new();
    let mut quoted = false;
    for c in command_line.chars() {
        if c.is_whitespace() && !quoted {
            args.push(std::mem::take(&mut arg));
            continue;
        }
        if c == '"' {
            quoted = !quoted;
        }
        arg.push(c);
    }
    if !command_line.is_empty() {
        args.push(arg);
    }
    args
}

/// Long and native names of registry roots, and the short ones that ECS documents carry.
const ROOTS: &[(&str, &str)] = &[
    ("HKLM", "HKLM"),
    ("HKEY_LOCAL_MACHINE", "HKLM"),
    ("\\REGISTRY\\MACHINE", "HKLM"),
    ("HKU", "HKU"),
    ("HKEY_USERS", "HKU"),
    ("\\REGISTRY\\USER", "HKU"),
    ("HKCU", "HKCU"),
    ("HKEY_CURRENT_USER", "HKCU"),
    ("HKCR", "HKCR"),
    ("HKEY_CLASSES_ROOT", "HKCR"),
    ("HKCC", "HKCC"),
    ("HKEY_CURRENT_CONFIG", "HKCC"),
    ("HKDD", "HKDD"),
    ("HKEY_DYN_DATA", "HKDD"),
];

/// A registry path taken apart. Elastic's `registry.key` keeps the value's name; so does this.
pub(super) struct RegistryPath<'a> {
    /// The root, short: `HKLM`.
    pub(super) hive: &'static str,
    /// All that follows the root.
    pub(super) key: Option<&'a str>,
    /// The last element.
    pub(super) value: Option<&'a str>,
}

/// The parts of a registry path; `None` if it begins with no known root.
pub(super) fn registry(path: &str) -> Option<RegistryPath<'_>> {
    for (long, hive) in ROOTS {
        let Some((head, rest)) = path.split_at_checked(long.len()) else { continue };
        if !head.eq_ignore_ascii_case(long) || !(rest.is_empty() || rest.starts_with('\\')) {
            continue;
        }
        let key = rest.strip_prefix('\\').filter(|key| !key.is_empty());
        let value = key.and_then(|key| key.rsplit('\\').next()).filter(|value| !value.is_empty());
        return Some(RegistryPath { hive, key, value });
    }
    None
}

/// What Sysmon 13 writes under `Details`: the value's data as text, and its type.
///
/// A `QWORD (0xH-0xL)` becomes `(H << 8) + L`, as in Elastic's pipeline; the shift should be 32, but rules see this.
pub(super) fn registry_data(details: &str) -> (String, &'static str) {
    let inner = |prefix: &str| details.strip_prefix(prefix)?.trim().strip_prefix('(')?.strip_suffix(')');
    if let Some(number) = inner("DWORD").and_then(integer) {
        return (number.to_string(), "SZ_DWORD");
    }
    if let Some((high, low)) = inner("QWORD").and_then(|pair| pair.split_once('-'))
        && let (Some(high), Some(low)) = (integer(high), integer(low))
    {
        return (high.wrapping_shl(8).wrapping_add(low).to_string(), "SZ_QWORD");
    }
    let kind = if details.eq_ignore_ascii_case("Binary Data") { "REG_BINARY" } else { "REG_SZ" };
    (details.to_owned(), kind)
}

/// The value of a key in lines `Key = value` or `Key=value`; blanks within the key do not count. Where every pair
/// begins with a tab, as in the classic log, a value may go over several lines.
pub(super) fn powershell_context<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let same = |found: &str| {
        let letters = found.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_lowercase());
        letters.eq(key.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_lowercase()))
    };
    let separator = if text.contains("\n\t") { "\n\t" } else { "\n" };
    text.split(separator)
        .filter_map(|line| line.split_once('='))
        .find(|(found, _)| same(found))
        .map(|(_, value)| value.trim())
        .filter(|value| !value.is_empty())
}

/// What PowerShell 4103 and 800 tell of a command, a line each: `CommandInvocation(Name): …` and
/// `ParameterBinding(Name): name=…; value=…`, as objects `{type, related_command, name, value}`; any other line as
/// `{value}`. Quotes stay, as in Elastic's pipelines.
pub(super) fn powershell_parameters(text: &str) -> Value {
    let details: Vec<Value> = text
        .split('\n')
        .map(|line| line.trim_end_matches('\r'))
        .filter(|line| !line.is_empty())
        .map(|line| Value::Object(Arc::new(powershell_detail(line))))
        .collect();
    if details.is_empty() { Value::Null } else { Value::list(details) }
}

fn powershell_detail(line: &str) -> Object {
    let mut detail = Object::default();
    let parsed = line
        .split_once('(')
        .and_then(|(kind, rest)| Some((kind, rest.split_once("):")?)))
        .filter(|(kind, (command, _))| !kind.is_empty() && !command.is_empty() && !command.contains(')'));
    let Some((kind, (command, rest))) = parsed else {
        detail.insert("value", Value::text(line));
        return detail;
    };
    let rest = rest.trim_start();
    let binding = rest.strip_prefix("name=").and_then(|rest| rest.rsplit_once("value="));
    detail.insert("type", Value::text(kind));
    detail.insert("related_command", Value::text(command));
    match binding {
        Some((name, value)) if kind == "ParameterBinding" => {
            detail.insert("name", Value::text(name.trim_end().trim_end_matches(';')));
            detail.insert("value", Value::text(value));
        }
        _ => detail.insert("value", Value::text(rest)),
    }
    detail
}

/// Numbers of DNS record types that Sysmon 22 writes as `type:  5 name`.
const DNS_TYPES: &[(&str, &str)] = &[
    ("1", "A"),
    ("2", "NS"),
    ("5", "CNAME"),
    ("6", "SOA"),
    ("12", "PTR"),
    ("15", "MX"),
    ("16", "TXT"),
    ("28", "AAAA"),
    ("33", "SRV"),
    ("65", "HTTPS"),
];

fn dns_results(text: &str) -> impl Iterator<Item = (Cow<'static, str>, String)> {
    text.split(';').filter_map(|part| {
        let part = part.trim();
        if part.is_empty() || part == "-" {
            return None;
        }
        if let Some((number, data)) = part.strip_prefix("type:").and_then(|rest| rest.trim_start().split_once(' ')) {
            let known = DNS_TYPES.iter().find(|(known, _)| *known == number).map(|(_, name)| Cow::Borrowed(*name));
            return Some((known.unwrap_or_else(|| Cow::Owned(number.to_owned())), data.trim().to_owned()));
        }
        let address = ip(part)?;
        Some((Cow::Borrowed(if address.contains(':') { "AAAA" } else { "A" }), address))
    })
}

/// Sysmon 22's `QueryResults` as objects `{data, type}`.
pub(super) fn dns_answers(text: &str) -> Value {
    let answers: Vec<Value> = dns_results(text)
        .map(|(kind, data)| {
            let mut object = Object::default();
            object.insert("data", Value::text(data));
            object.insert("type", Value::text(kind.as_ref()));
            Value::Object(Arc::new(object))
        })
        .collect();
    if answers.is_empty() { Value::Null } else { Value::list(answers) }
}

/// The addresses among Sysmon 22's `QueryResults`.
pub(super) fn dns_addresses(text: &str) -> Vec<String> {
    dns_results(text).filter(|(kind, _)| matches!(kind.as_ref(), "A" | "AAAA")).map(|(_, data)| data).collect()
}

/// Second-level labels under which countries register names. A short list, not the Public Suffix List: the
/// difference shows only for rare suffixes.
const SECOND_LEVEL: &[&str] = &["ac", "co", "com", "edu", "gov", "mil", "net", "ne", "nom", "or", "org", "sch"];

/// A host name taken apart: `www.example.co.uk` is `www`, `example.co.uk` and `co.uk`.
pub(super) struct DomainParts<'a> {
    pub(super) subdomain: Option<&'a str>,
    pub(super) registered: &'a str,
    pub(super) top_level: &'a str,
}

/// The parts of a host name; `None` for an address and for a name without a dot.
pub(super) fn domain_parts(name: &str) -> Option<DomainParts<'_>> {
    let name = name.trim_end_matches('.');
    if name.parse::<IpAddr>().is_ok() {
        return None;
    }
    let dots: Vec<usize> = name.rmatch_indices('.').map(|(at, _)| at).collect();
    let after = |dot: usize| name.get(dot + 1..).unwrap_or("");
    let last = *dots.first()?;
    let second = dots.get(1).map_or(0, |dot| dot + 1);
    let country = name.len() - last == 3 && SECOND_LEVEL.iter().any(|l| l.eq_ignore_ascii_case(&name[second..last]));
    let levels = usize::from(country);
    let top_level = after(*dots.get(levels)?);
    let (subdomain, registered) = match dots.get(levels + 1) {
        Some(dot) => (Some(&name[..*dot]), after(*dot)),
        None => (None, name),
    };
    Some(DomainParts { subdomain, registered, top_level })
}

/// Measures of a text as a source of symbols (UTF-16 units, as Elastic's script-block pipeline counts them).
pub(super) struct Symbols {
    /// How many different ones there are.
    pub(super) distinct: i64,
    /// Shannon entropy in bits.
    pub(super) entropy: f64,
    /// Standard deviation of the symbols' surprisal in bits.
    pub(super) deviation: f64,
}

impl Symbols {
    /// Measures a text.
    pub(super) fn of(text: &str) -> Self {
        let mut counts: BTreeMap<u16, u32> = BTreeMap::new();
        let mut length = 0_u32;
        for unit in text.encode_utf16() {
            *counts.entry(unit).or_default() += 1;
            length += 1;
        }
        let surprisals: Vec<(f64, f64)> = counts
            .values()
            .map(|count| f64::from(*count) / f64::from(length))
            .map(|share| (share, -share.log2()))
            .collect();
        let entropy: f64 = surprisals.iter().map(|(share, surprisal)| share * surprisal).sum();
        let variance: f64 = surprisals.iter().map(|(share, surprisal)| share * (surprisal - entropy).powi(2)).sum();
        Self { distinct: counts.len() as i64, entropy: entropy.max(0.0), deviation: variance.sqrt() }
    }
}
