//! TLS of listeners that are not HTTP: certificates from files, read again when they change.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use serde::Deserialize;
use tokio_rustls::TlsAcceptor;

use crate::Failure;

/// Files are looked at again after this time, when somebody connects.
const FRESH: Duration = Duration::from_secs(10);

/// Where certificates lie. All files are PEM.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsOptions {
    /// The server's certificate, with its chain.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Certificates of authorities. Given, senders must show a certificate signed by one of them.
    pub client_ca: Option<PathBuf>,
}

/// Gives acceptors whose certificates are those that lie in the files now.
#[derive(Debug)]
pub(crate) struct Tls {
    options: TlsOptions,
    protocols: Vec<Vec<u8>>,
    current: Mutex<Current>,
}

struct Current {
    acceptor: TlsAcceptor,
    changed: Vec<Option<SystemTime>>,
    looked: Instant,
}

impl std::fmt::Debug for Current {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Current").field("changed", &self.changed).finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the files; `protocols` are those of ALPN.
    pub(crate) fn new(options: TlsOptions, protocols: &[&str]) -> Result<Self, Failure> {
        let protocols: Vec<Vec<u8>> = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let acceptor = load(&options, &protocols)?;
        let current = Current { acceptor, changed: changed(&options), looked: Instant::now() };
        Ok(Self { options, protocols, current: Mutex::new(current) })
    }

    /// For the next connection. Files that changed and cannot be read are said, and the old ones stay in use.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.looked.elapsed() >= FRESH {
            current.looked = Instant::now();
            let now = changed(&self.options);
            if now != current.changed {
                match load(&self.options, &self.protocols) {
                    Ok(acceptor) => {
                        current.acceptor = acceptor;
                        current.changed = now;
                    }
                    Err(failure) => tracing::warn!(%failure, "changed certificates are not used"),
                }
            }
        }
        current.acceptor.clone()
    }
}

fn changed(options: &TlsOptions) -> Vec<Option<SystemTime>> {
    let time = |path: &Path| std::fs::metadata(path).and_then(|found| found.modified()).ok();
    [Some(&options.certificate), Some(&options.key), options.client_ca.as_ref()]
        .into_iter()
        .flatten()
        .map(|p| time(p))
        .collect()
}

fn load(options: &TlsOptions, protocols: &[Vec<u8>]) -> Result<TlsAcceptor, Failure> {
    let failed = |path: &Path, error: &dyn std::fmt::Display| Failure(format!("{}: {error}", path.display()));
    let certificates = |path: &Path| -> Result<Vec<CertificateDer<'static>>, Failure> {
        let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let read = read.map_err(|error| failed(path, &error))?;
        if read.is_empty() { Err(failed(path, &"no certificate in it")) } else { Ok(read) }
    };
    let chain = certificates(&options.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&options.key).map_err(|error| failed(&options.key, &error))?;
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure(error.to_string()))?;
    let builder = match &options.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| failed(path, &error))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| failed(path, &error))?)
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|error| failed(&options.certificate, &error))?;
    config.alpn_protocols = protocols.to_vec();
    Ok(TlsAcceptor::from(Arc::new(config)))
}
