//! The names in a client's certificate, after rustls has verified it.

use rustls::pki_types::CertificateDer;

/// 2.5.4.3, the common name, as DER writes it with its tag and length.
const COMMON_NAME: &[u8] = &[0x06, 0x03, 0x55, 0x04, 0x03];
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const STRINGS: [u8; 3] = [0x0c, 0x13, 0x16];

/// Its common name, then its DNS names and URIs. Empty if it cannot be read.
pub(crate) fn names(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok(certificate) = webpki::EndEntityCert::try_from(certificate) else { return Vec::new() };
    let common = common_name(certificate.subject());
    let alternative = certificate.valid_dns_names().chain(certificate.valid_uri_names()).map(str::to_owned);
    common.into_iter().chain(alternative).collect()
}

/// The common name in the content of a subject: sets of pairs of an object identifier and a text.
fn common_name(subject: &[u8]) -> Option<String> {
    let mut sets = subject;
    while let Some((set, rest)) = element(sets, SET) {
        let (pair, _) = element(set, SEQUENCE)?;
        if let Some(value) = pair.strip_prefix(COMMON_NAME) {
            let (text, _) = STRINGS.iter().find_map(|tag| element(value, *tag))?;
            return String::from_utf8(text.to_vec()).ok();
        }
        sets = rest;
    }
    None
}

/// The content of the element with this tag that the bytes begin with, and what comes after it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, first], rest) = bytes.split_first_chunk::<2>()?;
    if found != tag {
        return None;
    }
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => (usize::from(*rest.first()?), &rest[1..]),
        0x82 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

/// Whether the name fits the pattern, in which `*` stands for any text.
pub(crate) fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    let mut rest = rest;
    for part in between {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_a_certificate() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["a.example.org".into()]).unwrap();
        params.distinguished_name.push(rcgen::DnType::OrganizationName, "Example");
        params.distinguished_name.push(rcgen::DnType::CommonName, "shipper-1");
        let certificate = params.self_signed(&key).unwrap();
        let found = names(certificate.der());
        assert!(found.contains(&"shipper-1".into()) && found.contains(&"a.example.org".into()), "{found:?}");
        assert!(names(&CertificateDer::from(vec![0x30, 0x82, 0xff])).is_empty());
    }

    #[test]
    fn damaged_subjects_have_no_name() {
        for bytes in [
            &[][..],
            &[0x31],
            &[0x31, 0x05, 0x30],
            &[0x31, 0x82, 0xff, 0xff, 0x00],
            &[0x31, 0x00],
            &[0x31, 0x84, 1, 1, 1, 1],
        ] {
            assert_eq!(common_name(bytes), None);
        }
    }

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, name, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("shipper-*", "shipper-1", true),
            ("*.example.org", "a.example.org", true),
            ("*.example.org", "a.example.com", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }
}
