//! Where a target is. What can be wrong with an address is found when the configuration is loaded; what a name turns
//! out to mean is looked at each time it is resolved: the link-local addresses, where clouds keep the secrets of their
//! machines, are never spoken to.

use std::net::{IpAddr, SocketAddr};

use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};

/// Reads a URL and refuses what must not be sent to. The error never quotes the URL: that of a chat's webhook is a
/// secret.
pub(crate) fn endpoint(text: &str, insecure: bool) -> Result<Url, String> {
    let url = Url::parse(text.trim()).map_err(|error| format!("no URL: {error}; it begins with https://"))?;
    let Some(host) = url.host_str() else { return Err("no URL: there is no host in it".into()) };
    if !url.username().is_empty() || url.password().is_some() {
        return Err("credentials do not belong into the URL, which ends up in logs; use the options for them".into());
    }
    let literal = host.trim_matches(['[', ']']).parse::<IpAddr>().ok();
    if literal.is_some_and(forbidden) {
        return Err(format!("{host} is a link-local, multicast or unspecified address; alerts are not sent there"));
    }
    let loopback = literal.map_or(host == "localhost" || host.ends_with(".localhost"), |address| address.is_loopback());
    match url.scheme() {
        "https" => Ok(url),
        "http" if loopback || insecure => Ok(url),
        "http" => {
            Err("alerts and secrets would be sent in the clear; use https://, or say `tls = { insecure = true }`"
                .into())
        }
        scheme => Err(format!("`{scheme}` is not a scheme that alerts can be sent by; use https://")),
    }
}

/// Whether this is an address that alerts are never sent to.
pub(crate) fn forbidden(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_multicast() || v4.is_unspecified() || v4.is_broadcast(),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => forbidden(IpAddr::V4(v4)),
            None => v6.is_unicast_link_local() || v6.is_multicast() || v6.is_unspecified(),
        },
    }
}

/// The addresses of a host that may be spoken to.
pub(crate) async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    let host = host.trim_matches(['[', ']']);
    let found = tokio::net::lookup_host((host, port)).await.map_err(|error| format!("{host}: {error}"))?;
    let (good, bad): (Vec<_>, Vec<_>) = found.partition(|address| !forbidden(address.ip()));
    if good.is_empty() {
        return Err(match bad.first() {
            Some(address) => format!("{host} is {}, where alerts are not sent", address.ip()),
            None => format!("{host} has no address"),
        });
    }
    Ok(good)
}

/// [`resolve`] for reqwest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resolver;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            match resolve(name.as_str(), 0).await {
                Ok(addresses) => Ok(Box::new(addresses.into_iter()) as Addrs),
                Err(error) => Err(error.into()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_must_not_be_sent_to_are_refused() {
        for good in [
            "https://hooks.slack.com/services/T/B/x",
            "http://127.0.0.1:8088/",
            "http://[::1]/",
            "http://localhost:1/x",
        ] {
            assert!(endpoint(good, false).is_ok(), "{good}");
        }
        for (bad, part) in [
            ("hooks.slack.com", "no URL"),
            ("http://splunk.corp:8088/", "in the clear"),
            ("ftp://x/", "`ftp`"),
            ("file:///etc/passwd", "no host"),
            ("https://user:secret@x/", "credentials"),
            ("https://169.254.169.254/latest", "link-local"),
            ("https://[fe80::1]/", "link-local"),
            ("https://[::ffff:169.254.169.254]/", "link-local"),
            ("https://0.0.0.0/", "unspecified"),
        ] {
            let error = endpoint(bad, false).unwrap_err();
            assert!(error.contains(part), "{bad}: {error}");
            assert!(!error.contains("secret@"), "{error}");
        }
        assert!(endpoint("http://splunk.corp:8088/", true).is_ok());
        assert!(endpoint("http://169.254.169.254/", true).is_err());
    }

    #[tokio::test]
    async fn names_are_resolved_to_what_may_be_spoken_to() {
        assert!(resolve("127.0.0.1", 80).await.is_ok());
        assert_eq!(
            resolve("169.254.169.254", 80).await.unwrap_err(),
            "169.254.169.254 is 169.254.169.254, where alerts are not sent"
        );
    }
}
