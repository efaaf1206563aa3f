//! TLS: certificates read again, client certificates and the roles that they give, HTTP/2.

use std::{fs, path::Path, sync::Arc};

use lurcher_server::{
    auth::Role,
    settings::{ClientSettings, ServerSettings, TlsSettings},
};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::house::House;

/// Somebody who signs certificates.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pem: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.self_signed(&key).unwrap();
        let (pem, der) = (certificate.pem(), certificate.der().clone());
        Self { issuer: Issuer::new(params, key), certificate: der, pem }
    }

    /// A certificate for this name, and its key.
    fn sign(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".into()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    fn write(&self, folder: &Path, name: &str) {
        let (certificate, key) = self.sign(name);
        fs::write(folder.join("cert.pem"), certificate.pem()).unwrap();
        fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    }
}

fn settings(settings: &mut ServerSettings, folder: &Path, clients: Option<&Authority>) {
    let client_ca = clients.map(|authority| {
        fs::write(folder.join("clients.pem"), &authority.pem).unwrap();
        folder.join("clients.pem")
    });
    let client = clients.map(|_| ClientSettings { name: "soc-*".into(), role: Role::Analyst }).into_iter().collect();
    settings.tls = Some(TlsSettings {
        certificate: folder.join("cert.pem"),
        key: folder.join("key.pem"),
        client_ca,
        client_required: false,
        client,
    });
}

async fn connect(
    house: &House,
    authority: &Authority,
    shown: Option<(CertificateDer<'static>, &KeyPair)>,
    protocols: &[&[u8]],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate.clone()).unwrap();
    let builder = ClientConfig::builder().with_root_certificates(roots);
    let mut config = match shown {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
            builder.with_client_auth_cert(vec![certificate], key).unwrap()
        }
    };
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let stream = TcpStream::connect(house.address).await.unwrap();
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await
}

/// The answer to a request without a key.
async fn status(mut stream: TlsStream<TcpStream>) -> std::io::Result<String> {
    stream.write_all(b"GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    match stream.read_to_string(&mut answer).await {
        Err(error) if answer.is_empty() => Err(error),
        _ => Ok(answer),
    }
}

#[tokio::test]
async fn certificates_are_read_again_and_broken_ones_leave_the_old() {
    let authority = Authority::new("Example CA");
    let house = House::open_with(|given, folder| {
        authority.write(folder, "first");
        settings(given, folder, None);
    })
    .await;
    let shown = async || {
        let stream = connect(&house, &authority, None, &[b"h2"]).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
    };
    let tls = house.tls.clone().unwrap();
    let first = shown().await;
    assert_eq!(tls.reload_if_changed(), Ok(false));
    authority.write(house.folder.path(), "the second, of another length");
    assert_eq!(tls.reload_if_changed(), Ok(true));
    let second = shown().await;
    assert_ne!(first, second);
    fs::write(house.path("cert.pem"), "no certificate").unwrap();
    assert!(tls.reload_if_changed().unwrap_err().contains("cert.pem: no certificate in PEM"));
    assert_eq!(tls.reload_if_changed(), Ok(false), "said once");
    assert_eq!(shown().await, second);
    let (other, _) = authority.sign("other key");
    fs::write(house.path("cert.pem"), other.pem()).unwrap();
    assert!(tls.reload().unwrap_err().contains("do not go together"));
    let stream = connect(&house, &authority, None, &[b"http/1.1"]).await.unwrap();
    assert!(status(stream).await.unwrap().starts_with("HTTP/1.1 401"));
    let plain = house.raw(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(!plain.contains("200 OK"), "{plain}");
    house.close().await;
}

#[tokio::test]
async fn a_client_certificate_gives_a_role() {
    let (authority, clients, strangers) =
        (Authority::new("Example CA"), Authority::new("Clients"), Authority::new("Strangers"));
    let house = House::open_with(|given, folder| {
        authority.write(folder, "server");
        settings(given, folder, Some(&clients));
    })
    .await;
    let ask = async |signer: &Authority, name: &str| {
        let (certificate, key) = signer.sign(name);
        let stream = connect(&house, &authority, Some((certificate.der().clone(), &key)), &[]).await?;
        status(stream).await
    };
    let analyst = ask(&clients, "soc-7").await.unwrap();
    assert!(
        analyst.starts_with("HTTP/1.1 200") && analyst.contains(r#"{"name":"soc-7","role":"analyst"}"#),
        "{analyst}"
    );
    let nobody = ask(&clients, "printer").await.unwrap();
    assert!(nobody.starts_with("HTTP/1.1 401"), "{nobody}");
    assert!(ask(&strangers, "soc-7").await.is_err(), "signed by somebody else");
    let without = status(connect(&house, &authority, None, &[]).await.unwrap()).await.unwrap();
    assert!(without.starts_with("HTTP/1.1 401"), "{without}");
    house.close().await;
}

#[tokio::test]
async fn clients_without_a_certificate_are_turned_away_where_one_is_required() {
    let (authority, clients) = (Authority::new("Example CA"), Authority::new("Clients"));
    let house = House::open_with(|given, folder| {
        authority.write(folder, "server");
        settings(given, folder, Some(&clients));
        given.tls.as_mut().unwrap().client_required = true;
    })
    .await;
    let refused = match connect(&house, &authority, None, &[]).await {
        Ok(stream) => status(stream).await,
        Err(error) => Err(error),
    };
    assert!(refused.is_err(), "{refused:?}");
    let (certificate, key) = clients.sign("soc-1");
    let stream = connect(&house, &authority, Some((certificate.der().clone(), &key)), &[]).await.unwrap();
    assert!(status(stream).await.unwrap().starts_with("HTTP/1.1 200"));
    house.close().await;
}
