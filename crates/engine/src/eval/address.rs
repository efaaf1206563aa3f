//! IP addresses, networks and version numbers.

use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr},
};

use lurcher_ir::{AddressFunction, Network};
use lurcher_schema::Value;

use super::convert::{text_form, whole};

pub(super) fn apply(function: AddressFunction, values: &[Value]) -> Option<Value> {
    use AddressFunction as A;
    match (function, values) {
        (A::Address, [address]) => Some(Value::text(read(address)?.to_string())),
        (A::AddressWithZeros { octal }, [address]) => {
            let text = text_form(address)?;
            if text.contains(':') {
                return Some(Value::text(read(address)?.to_string()));
            }
            Some(Value::text(with_zeros(&text, octal)?.to_string()))
        }
        (A::AddressKey, [address]) => {
            let bits = match read(address)? {
                // As an address of version 6, as which those of version 4 are ordered.
                IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
                IpAddr::V6(v6) => v6.to_bits(),
            };
            Some(Value::text(format!("{bits:032x}")))
        }
        (A::AddressOfKey, [key]) => {
            let bits = u128::from_str_radix(&text_form(key)?, 16).ok()?;
            Some(Value::text(IpAddr::V6(bits.into()).to_canonical().to_string()))
        }
        (A::Prefix, [address, v4, v6]) => {
            let address = read(address)?;
            let (bits, most) = if address.is_ipv4() { (whole(v4)?, 32) } else { (whole(v6)?, 128) };
            let prefix = u8::try_from(bits).ok().filter(|bits| *bits <= most)?;
            Some(Value::text(Network::parse(&format!("{address}/{prefix}"))?.address.to_string()))
        }
        (A::Direction, [source, destination, networks @ ..]) => {
            let inside = |address: IpAddr| {
                let names = networks.iter().flat_map(Value::elements).filter_map(text_form);
                names.into_iter().any(|name| in_named(address, &name))
            };
            Some(Value::text(match (inside(read(source)?), inside(read(destination)?)) {
                (true, true) => "internal",
                (true, false) => "outbound",
                (false, true) => "inbound",
                (false, false) => "external",
            }))
        }
        (A::VersionKey, [version]) => Some(Value::text(version_key(&text_form(version)?))),
        (A::VersionOfKey, [key]) => Some(Value::text(text_form(key)?.rsplit_once('\0')?.1)),
        _ => None,
    }
}

/// An address of version 4 whose numbers may begin with zeros.
fn with_zeros(text: &str, octal: bool) -> Option<Ipv4Addr> {
    let mut parts = text.split('.').map(|part| {
        let base = if octal && part.len() > 1 && part.starts_with('0') { 8 } else { 10 };
        let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| u32::from_str_radix(part, base).ok()).flatten().and_then(|number| u8::try_from(number).ok())
    });
    let mut next = || parts.next().flatten();
    let octets = [next()?, next()?, next()?, next()?];
    parts.next().is_none().then(|| octets.into())
}

fn read(value: &Value) -> Option<IpAddr> {
    text_form(value)?.trim().parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// Whether an address lies in a network, or in a kind of network that has a name.
fn in_named(address: IpAddr, name: &str) -> bool {
    let private = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fd00::/8"];
    let within = |blocks: &[&str]| blocks.iter().filter_map(|block| Network::parse(block)).any(|b| b.contains(address));
    match name {
        "loopback" => address.is_loopback(),
        "unspecified" => address.is_unspecified(),
        "multicast" => address.is_multicast(),
        "private" => within(&private),
        "public" => {
            !within(&private)
                && !within(&["169.254.0.0/16", "fe80::/10"])
                && !address.is_loopback()
                && !address.is_unspecified()
                && !address.is_multicast()
        }
        "global_unicast" | "unicast" => {
            !address.is_loopback()
                && !address.is_unspecified()
                && !address.is_multicast()
                && address.to_string() != "255.255.255.255"
        }
        "link_local_unicast" => within(&["169.254.0.0/16", "fe80::/10"]),
        "link_local_multicast" => within(&["224.0.0.0/24", "ff02::/16"]),
        "interface_local_multicast" => within(&["ff01::/16"]),
        block => Network::parse(block).is_some_and(|block| block.contains(address)),
    }
}

/// Numbers with their length before them, so that their bytes stand in order of size; a release behind its pre-releases;
/// what is no version behind everything. The version itself stands at the end, behind a zero byte.
pub fn version_key(version: &str) -> String {
    let (core, build) = version.split_once('+').map_or((version, None), |(core, build)| (core, Some(build)));
    let (main, release) = core.split_once('-').map_or((core, None), |(main, release)| (main, Some(release)));
    let parts: Vec<&str> = main.split('.').collect();
    let number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let mut key = String::new();
    if !parts.iter().all(|part| number(part)) {
        let _ = write!(key, "~{version}\0{version}");
        return key;
    }
    let put = |key: &mut String, digits: &str| {
        let digits = digits.trim_start_matches('0');
        let length = char::from_u32(0x21 + (digits.len() as u32).min(90)).unwrap_or('~');
        key.push(length);
        key.push_str(digits);
    };
    for part in parts {
        key.push('\u{2}');
        put(&mut key, part);
    }
    key.push('\u{1}');
    match release {
        None => key.push('~'),
        Some(release) => {
            for part in release.split('.') {
                // Numbers before words.
                if number(part) {
                    key.push('!');
                    put(&mut key, part);
                } else {
                    key.push('"');
                    key.push_str(part);
                }
                key.push('\u{1}');
            }
        }
    }
    if let Some(build) = build {
        let _ = write!(key, "\u{1}{build}");
    }
    let _ = write!(key, "\0{version}");
    key
}
