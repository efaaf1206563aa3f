//! URIs and their parts.
//!
//! Source: Elasticsearch's `UriParts`: a text is read by `java.net.URI` (RFC 2396 with deviations of its own) and, where that
//! refuses it, by `java.net.URL`, which takes any character after the scheme but knows few schemes.

use lurcher_ir::UriPart;
use lurcher_schema::Value;

/// The schemes that a `java.net.URL` may have.
const URL_SCHEMES: [&str; 7] = ["http", "https", "file", "jar", "mailto", "ftp", "jrt"];

/// A URI that has been taken apart. What it lacks is none.
#[derive(Debug, Default, PartialEq, Eq)]
struct Uri {
    scheme: Option<String>,
    user: Option<String>,
    host: Option<String>,
    port: Option<i32>,
    path: Option<String>,
    query: Option<String>,
    fragment: Option<String>,
}

/// A part of a text that is a URI.
pub(super) fn part(text: &str, part: UriPart) -> Option<Value> {
    let uri = strict(text).or_else(|| lenient(text))?;
    let credentials =
        |uri: &Uri| uri.user.as_ref()?.split_once(':').map(|(name, word)| (name.to_owned(), word.to_owned()));
    let found = match part {
        UriPart::Domain => uri.host,
        UriPart::Fragment => uri.fragment,
        UriPart::Path => uri.path,
        UriPart::Extension => uri.path.as_deref().and_then(extension),
        UriPart::Port => return uri.port.map(|port| Value::Int(i64::from(port))),
        UriPart::Query => uri.query,
        UriPart::Scheme => uri.scheme,
        UriPart::UserInfo => uri.user,
        UriPart::Username => credentials(&uri).map(|(name, _)| name),
        UriPart::Password => credentials(&uri).map(|(_, word)| word),
    };
    found.map(Value::text)
}

/// Behind the last dot of the last segment; of a path without a slash none.
fn extension(path: &str) -> Option<String> {
    let (_, segment) = path.rsplit_once('/')?;
    segment.rsplit_once('.').map(|(_, extension)| extension.to_owned())
}

/// As `java.net.URI` reads a text.
fn strict(text: &str) -> Option<Uri> {
    let mut uri = Uri::default();
    let (rest, fragment) = cut(text, '#');
    uri.fragment = checked(fragment, is_uric)?;
    // A colon before any slash or question mark ends the scheme.
    let rest = match rest.find([':', '/', '?']).filter(|at| rest[*at..].starts_with(':')) {
        Some(end) => {
            let scheme = &rest[..end];
            let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
            if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) || !scheme.chars().all(legal) {
                return None;
            }
            uri.scheme = Some(scheme.to_owned());
            let specific = &rest[end + 1..];
            if !specific.starts_with('/') {
                return (!specific.is_empty() && is_legal(specific, is_uric)).then_some(uri);
            }
            specific
        }
        None => rest,
    };
    let rest = match rest.strip_prefix("//") {
        Some(behind) => {
            let end = behind.find(['/', '?']).unwrap_or(behind.len());
            let (authority, left) = behind.split_at(end);
            if authority.is_empty() {
                // Nothing at all may not follow.
                if left.is_empty() && uri.fragment.is_none() {
                    return None;
                }
            } else {
                self::authority(authority, &mut uri)?;
            }
            left
        }
        None => rest,
    };
    let (path, query) = cut(rest, '?');
    uri.path = Some(decoded_if(path, is_path)?);
    uri.query = checked(query, is_uric)?;
    Some(uri)
}

/// Takes `user@host:port` apart. What does not read so, but might be the name of some registry, has no parts.
fn authority(authority: &str, uri: &mut Uri) -> Option<()> {
    let registry = is_legal(authority, |c| is_unreserved(c) || "$,;:@&=+".contains(c));
    if let Some((user, host, port)) = server(authority) {
        (uri.user, uri.host, uri.port) = (user, Some(host), port);
        return Some(());
    }
    registry.then_some(())
}

/// The parts of `user@host:port`.
fn server(authority: &str) -> Option<(Option<String>, String, Option<i32>)> {
    let (user, rest) = match authority.split_once('@') {
        Some((user, rest)) => (Some(decoded_if(user, is_user)?), rest),
        None => (None, authority),
    };
    let (host, behind) = if rest.starts_with('[') {
        let end = rest.find(']')?;
        let inside = &rest[1..end];
        let (address, scope) = inside.split_once('%').map_or((inside, None), |(address, scope)| (address, Some(scope)));
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
        if scope.is_some_and(|scope| scope.is_empty() || !scope.chars().all(legal)) {
            return None;
        }
        address.parse::<std::net::Ipv6Addr>().ok()?;
        rest.split_at(end + 1)
    } else {
        let (host, behind) = rest.split_at(rest.find(':').unwrap_or(rest.len()));
        if !is_host(host) {
            return None;
        }
        (host, behind)
    };
    let port = match behind {
        "" | ":" => None,
        _ => Some(behind.strip_prefix(':').filter(|port| port.bytes().all(|b| b.is_ascii_digit()))?.parse().ok()?),
    };
    Some((user, host.to_owned(), port))
}

/// An address of IPv4, or labels of letters, digits and hyphens of which the last begins with a letter.
fn is_host(host: &str) -> bool {
    if host.parse::<std::net::Ipv4Addr>().is_ok() {
        return true;
    }
    let labels = host.strip_suffix('.').unwrap_or(host);
    let legal = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    // A name of one label may begin with a digit.
    let last = labels.rsplit_once('.').is_none_or(|(_, last)| last.starts_with(|c: char| c.is_ascii_alphabetic()));
    labels.split('.').all(legal) && last
}

/// As `java.net.URL` reads a text.
fn lenient(text: &str) -> Option<Uri> {
    let text = text.trim_matches(|c: char| c <= ' ');
    let text = text.get(..4).filter(|start| start.eq_ignore_ascii_case("url:")).map_or(text, |_| &text[4..]);
    let end = text.find([':', '/']).filter(|at| text[*at..].starts_with(':'))?;
    let scheme = text[..end].to_ascii_lowercase();
    if !URL_SCHEMES.contains(&scheme.as_str()) {
        return None;
    }
    let mut uri = Uri { scheme: Some(scheme), host: Some(String::new()), ..Uri::default() };
    let (rest, fragment) = cut(&text[end + 1..], '#');
    uri.fragment = fragment.map(str::to_owned);
    let (rest, query) = cut(rest, '?');
    uri.query = query.map(str::to_owned);
    let mut path = rest.to_owned();
    if let Some(behind) = rest.strip_prefix("//").filter(|behind| !behind.starts_with("//")) {
        let (authority, left) = behind.split_at(behind.find('/').unwrap_or(behind.len()));
        left.clone_into(&mut path);
        // More than one `@`: neither a user nor a host.
        if authority.matches('@').count() <= 1 {
            let (user, host) = authority.split_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
            let colon = if host.starts_with('[') { host.find(']')? + 1 } else { host.find(':').unwrap_or(host.len()) };
            let (name, port) = host.split_at(colon);
            if let Some(address) = name.strip_prefix('[') {
                address.strip_suffix(']')?.parse::<std::net::Ipv6Addr>().ok()?;
            }
            uri.user = user.map(str::to_owned);
            uri.host = Some(name.to_owned());
            uri.port = match port {
                "" | ":" => None,
                port => Some(port.strip_prefix(':')?.parse::<i32>().ok().filter(|port| *port >= -1)?),
            };
            uri.port = uri.port.filter(|port| *port >= 0);
        }
    }
    uri.path = Some(without_dots(&path));
    Some(uri)
}

/// Without segments that lead nowhere (`/./`) or back (`/../`).
fn without_dots(path: &str) -> String {
    let mut path = path.to_owned();
    while let Some(at) = path.find("/./") {
        path.replace_range(at..at + 2, "");
    }
    let mut from = 0;
    while let Some(at) = path[from..].find("/../").map(|at| at + from) {
        match path[..at].rfind('/').filter(|before| &path[*before..at] != "/..") {
            Some(before) => {
                path.replace_range(before..at + 3, "");
                from = 0;
            }
            None => from = at + 3,
        }
    }
    while let Some(start) = path.strip_suffix("/..") {
        match start.rfind('/') {
            Some(before) => path.truncate(before + 1),
            None => break,
        }
    }
    if path.ends_with("/.") {
        path.pop();
    }
    path
}

fn cut(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(before, behind)| (before, Some(behind)))
}

fn is_unreserved(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_-!.~'()*".contains(c)
}

fn is_uric(c: char) -> bool {
    is_unreserved(c) || ";/?:@&=+$,[]".contains(c)
}

fn is_path(c: char) -> bool {
    is_unreserved(c) || ":@&=+$,;/".contains(c)
}

fn is_user(c: char) -> bool {
    is_unreserved(c) || ";:&=+$,".contains(c)
}

/// Whether a text has only characters of a class, whole escapes, and what is neither ASCII nor blank nor control.
fn is_legal(text: &str, class: impl Fn(char) -> bool) -> bool {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let legal = match c {
            '%' => (0..2).all(|_| chars.next().is_some_and(|digit| digit.is_ascii_hexdigit())),
            c if c.is_ascii() => class(c),
            c => !c.is_whitespace() && !c.is_control(),
        };
        if !legal {
            return false;
        }
    }
    true
}

/// A part with its escapes resolved, if it has only characters of a class. What is no UTF-8 then becomes U+FFFD.
fn decoded_if(text: &str, class: impl Fn(char) -> bool) -> Option<String> {
    if !is_legal(text, class) {
        return None;
    }
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, behind)) = rest.split_first() {
        let escape = (*byte == b'%').then(|| behind.get(..2)).flatten();
        let value = escape.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        out.push(value.unwrap_or(*byte));
        rest = if value.is_some() { behind.get(2..)? } else { behind };
    }
    Some(String::from_utf8_lossy(&out).into_owned())
}

/// A part that may be absent, with its escapes resolved; none if it is there and faulty.
fn checked(part: Option<&str>, class: impl Fn(char) -> bool) -> Option<Option<String>> {
    match part {
        None => Some(None),
        Some(part) => decoded_if(part, class).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scheme, domain, port, path, extension, query, fragment, user, name and password, none as `-`.
    fn shown(text: &str) -> String {
        use UriPart as P;
        let wanted = [
            P::Scheme,
            P::Domain,
            P::Port,
            P::Path,
            P::Extension,
            P::Query,
            P::Fragment,
            P::UserInfo,
            P::Username,
            P::Password,
        ];
        let parts = wanted.map(|wanted| part(text, wanted).map_or("-".to_owned(), |value| value.to_string()));
        parts.join(" | ")
    }

    /// Elasticsearch's `UriPartsTests`.
    #[test]
    fn parts_are_those_of_the_vendor() {
        for (text, wanted) in [
            ("http://www.google.com", "http | www.google.com | - |  | - | - | - | - | - | -"),
            (
                "http://www.google.com:88/google.png",
                "http | www.google.com | 88 | /google.png | png | - | - | - | - | -",
            ),
            ("https://www.google.com:88/foo#bar", "https | www.google.com | 88 | /foo | - | - | bar | - | - | -"),
            (
                "https://www.google.com:88/foo?key=val",
                "https | www.google.com | 88 | /foo | - | key=val | - | - | - | -",
            ),
            (
                "https://user:pw@www.google.com:88/foo",
                "https | www.google.com | 88 | /foo | - | - | - | user:pw | user | pw",
            ),
            ("https://user:@www.google.com:88/foo", "https | www.google.com | 88 | /foo | - | - | - | user: | user | "),
            ("https://user@h.org/", "https | h.org | - | / | - | - | - | user | - | -"),
            (
                "ftp://ftp.is.co.za/rfc/rfc1808.txt",
                "ftp | ftp.is.co.za | - | /rfc/rfc1808.txt | txt | - | - | - | - | -",
            ),
            ("telnet://192.0.2.16:80/", "telnet | 192.0.2.16 | 80 | / | - | - | - | - | - | -"),
            (
                "ldap://[2001:db8::7]/c=GB?objectClass?one",
                "ldap | [2001:db8::7] | - | /c=GB | - | objectClass?one | - | - | - | -",
            ),
            (
                "https://www.google.com/path.withdot/none",
                "https | www.google.com | - | /path.withdot/none | - | - | - | - | - | -",
            ),
            ("https://www.google.com/foo/bar.", "https | www.google.com | - | /foo/bar. |  | - | - | - | - | -"),
        ] {
            assert_eq!(shown(text), wanted, "{text}");
        }
    }

    #[test]
    fn what_the_strict_reader_refuses_is_read_as_a_url() {
        assert_eq!(
            shown("https://user:pw@h.org:8080/foo with space/bar?a=b c#d e"),
            "https | h.org | 8080 | /foo with space/bar | - | a=b c | d e | user:pw | user | pw"
        );
        assert_eq!(shown("http://h.org/a/../b|c"), "http | h.org | - | /b|c | - | - | - | - | - | -");
        assert_eq!(shown("HTTP://h.org/100%"), "http | h.org | - | /100% | - | - | - | - | - | -");
        assert_eq!(shown("http://"), "http |  | - |  | - | - | - | - | - | -");
        let nothing = "- | - | - | - | - | - | - | - | - | -";
        for none in ["not a valid uri", "not:\\/_a_valid_uri", "gopher://h/a b", "://x", "1a:b"] {
            assert_eq!(shown(none), nothing, "{none}");
        }
    }

    #[test]
    fn escapes_are_resolved_but_in_hosts() {
        assert_eq!(
            shown("http://h.org/a%20b.t%78t?q=%C3%A4#%2F"),
            "http | h.org | - | /a b.txt | txt | q=ä | / | - | - | -"
        );
        assert_eq!(shown("http://h.org/%FF"), "http | h.org | - | /\u{fffd} | - | - | - | - | - | -");
    }

    #[test]
    fn uris_without_some_parts() {
        assert_eq!(shown("/app/login?session=expired"), "- | - | - | /app/login | - | session=expired | - | - | - | -");
        assert_eq!(shown("mailto:a@b.org"), "mailto | - | - | - | - | - | - | - | - | -");
        assert_eq!(shown("urn:isbn:1#f"), "urn | - | - | - | - | - | f | - | - | -");
        assert_eq!(shown("file:///etc/passwd"), "file | - | - | /etc/passwd | - | - | - | - | - | -");
        assert_eq!(shown("http://my_host/x"), "http | - | - | /x | - | - | - | - | - | -");
        assert_eq!(shown("http://h.1/x"), "http | - | - | /x | - | - | - | - | - | -");
        assert_eq!(shown("http://host:/x"), "http | host | - | /x | - | - | - | - | - | -");
        assert_eq!(shown(""), "- | - | - |  | - | - | - | - | - | -");
    }

    #[test]
    fn anything_ends() {
        for text in
            ["http://[", "http://[::1", "http://[::1]x/ ", "http://a@b@c/ d", "//", "%", "a:%", "http://a:99999999999/"]
        {
            let _ = shown(text);
        }
    }
}
