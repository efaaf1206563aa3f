//! Names of hosts by the list of public suffixes (<https://publicsuffix.org>), as the crate `psl` carries it.
//!
//! Source: Elasticsearch's `RegisteredDomain`, which asks Apache's `PublicSuffixMatcher`: suffixes of registries
//! are no domains of anybody's, those of others (`github.io`) are.

use std::{borrow::Cow, sync::Arc};

use lurcher_ir::DomainPart;
use psl::{Psl as _, Type};

/// A part of a name.
pub(super) fn part(name: &str, part: DomainPart) -> Option<Arc<str>> {
    if name.trim().is_empty() {
        return None;
    }
    let lower = lower(name);
    let Some(registered) = registered(&lower) else {
        // A suffix stands for itself.
        let is_suffix = is_suffix(lower.strip_prefix('.').unwrap_or(&lower));
        return (is_suffix && matches!(part, DomainPart::Domain | DomainPart::TopLevel)).then(|| name.into());
    };
    let (_, top) = registered.split_once('.').filter(|(_, top)| !top.is_empty())?;
    match part {
        DomainPart::Domain => Some(name.into()),
        DomainPart::Registered => Some(registered.into()),
        DomainPart::TopLevel => Some(top.into()),
        DomainPart::Subdomain => {
            let at = name.rfind(&format!(".{registered}")).filter(|at| *at > 0)?;
            Some(name[..at].into())
        }
    }
}

fn lower(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) { name.to_ascii_lowercase().into() } else { name.into() }
}

/// The domain that somebody has registered, of a name in lower case; none of a suffix, and of what begins with a dot. Of a
/// name without a suffix on the list its last label.
fn registered(name: &str) -> Option<&str> {
    if name.starts_with('.') {
        return None;
    }
    let (length, kind) = suffix(name);
    match kind {
        Some(Type::Private) => name.get(name.len() - length..),
        Some(Type::Icann) => {
            let before = name.get(..name.len() - length)?.strip_suffix('.')?;
            name.get(before.rfind('.').map_or(0, |dot| dot + 1)..)
        }
        None => name.get(name.rfind('.').map_or(0, |dot| dot + 1)..),
    }
}

fn is_suffix(name: &str) -> bool {
    !name.is_empty() && registered(name).is_none()
}

/// How long the suffix on the list is that a name ends with, and whose it is; none if there is none.
fn suffix(name: &str) -> (usize, Option<Type>) {
    let found = psl::List.find(name.rsplit('.').map(str::as_bytes));
    (found.len.min(name.len()), found.typ)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(name: &str) -> [Option<String>; 4] {
        [DomainPart::Domain, DomainPart::Registered, DomainPart::TopLevel, DomainPart::Subdomain]
            .map(|wanted| part(name, wanted).map(|found| found.to_string()))
    }

    fn known(domain: &str, registered: &str, top: &str, sub: Option<&str>) -> [Option<String>; 4] {
        [Some(domain.to_owned()), Some(registered.to_owned()), Some(top.to_owned()), sub.map(str::to_owned)]
    }

    /// Elasticsearch's `RegisteredDomainTests` and `registered_domain.csv-spec`.
    #[test]
    fn names_are_taken_apart_as_at_the_vendors() {
        assert_eq!(parts("www.google.com"), known("www.google.com", "google.com", "com", Some("www")));
        assert_eq!(parts("google.com"), known("google.com", "google.com", "com", None));
        assert_eq!(
            parts("www.books.amazon.co.uk"),
            known("www.books.amazon.co.uk", "amazon.co.uk", "co.uk", Some("www.books"))
        );
        assert_eq!(parts("googleapis.com"), known("googleapis.com", "googleapis.com", "com", None));
        assert_eq!(
            parts("1.www.global.ssl.fastly.net"),
            known("1.www.global.ssl.fastly.net", "global.ssl.fastly.net", "ssl.fastly.net", Some("1.www"))
        );
        assert_eq!(
            parts("https://a.b.example.com"),
            known("https://a.b.example.com", "example.com", "com", Some("https://a.b"))
        );
        let suffix = |name: &str| [Some(name.to_owned()), None, Some(name.to_owned()), None];
        assert_eq!((parts("com"), parts("co.uk")), (suffix("com"), suffix("co.uk")));
        for none in ["", " ", ".", "$", "foo.bar.baz", "a.b.example.com/path", "10.0.0.1", "localhost"] {
            assert_eq!(parts(none), [const { None }; 4], "{none}");
        }
    }

    #[test]
    fn rules_with_exceptions_and_stars() {
        assert_eq!(parts("www.ck"), known("www.ck", "www.ck", "ck", None));
        assert_eq!(parts("a.b.foo.ck"), known("a.b.foo.ck", "b.foo.ck", "foo.ck", Some("a")));
        assert_eq!(parts("foo.ck"), [Some("foo.ck".to_owned()), None, Some("foo.ck".to_owned()), None]);
        assert_eq!(parts("x.city.kawasaki.jp")[1].as_deref(), Some("city.kawasaki.jp"));
    }

    #[test]
    fn names_in_capitals_are_found_and_their_subdomains_are_not() {
        assert_eq!(parts("WWW.Example.COM"), known("WWW.Example.COM", "example.com", "com", None));
    }

    #[test]
    fn names_in_other_letters() {
        assert_eq!(parts("www.食狮.公司.cn")[1].as_deref(), Some("食狮.公司.cn"));
        assert_eq!(parts("www.xn--85x722f.xn--55qx5d.cn")[1].as_deref(), Some("xn--85x722f.xn--55qx5d.cn"));
    }
}
