//! TLS: certificates that are read again when they change.

use std::{path::PathBuf, sync::Arc, time::SystemTime};

use parking_lot::RwLock;
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};

use super::certificate;
use crate::{auth::Role, settings::TlsSettings};

/// The certificates in use. A connection keeps those that it began with.
#[derive(Debug)]
pub struct Tls {
    settings: TlsSettings,
    current: RwLock<Current>,
}

#[derive(Debug)]
struct Current {
    config: Arc<ServerConfig>,
    stamps: Stamps,
}

/// When each file was last written, and how long it is.
type Stamps = Vec<Option<(SystemTime, u64)>>;

impl Tls {
    /// Reads the files.
    pub fn load(settings: TlsSettings) -> Result<Self, String> {
        let stamps = stamps(&settings);
        let config = Arc::new(read(&settings)?);
        Ok(Self { settings, current: RwLock::new(Current { config, stamps }) })
    }

    /// What a new connection uses.
    pub fn config(&self) -> Arc<ServerConfig> {
        self.current.read().config.clone()
    }

    /// Reads the files again. If they cannot be used, those before stay in use.
    pub fn reload(&self) -> Result<(), String> {
        let stamps = stamps(&self.settings);
        // The same broken file is complained about once.
        self.current.write().stamps.clone_from(&stamps);
        let config = Arc::new(read(&self.settings)?);
        *self.current.write() = Current { config, stamps };
        Ok(())
    }

    /// Reads the files again if they have changed. Whether they had.
    pub fn reload_if_changed(&self) -> Result<bool, String> {
        if stamps(&self.settings) == self.current.read().stamps {
            return Ok(false);
        }
        self.reload().map(|()| true)
    }

    /// The name and role that a client's certificate gives it.
    pub(crate) fn client(&self, certificate: &CertificateDer<'_>) -> Option<(String, Role)> {
        let names = certificate::names(certificate);
        self.settings.client.iter().find_map(|client| {
            let name = names.iter().find(|name| certificate::fits(&client.name, name))?;
            Some((name.clone(), client.role))
        })
    }
}

fn files(settings: &TlsSettings) -> impl Iterator<Item = &PathBuf> {
    [&settings.certificate, &settings.key].into_iter().chain(&settings.client_ca)
}

fn stamps(settings: &TlsSettings) -> Stamps {
    let stamp = |path: &PathBuf| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    files(settings).map(stamp).collect()
}

fn read(settings: &TlsSettings) -> Result<ServerConfig, String> {
    let chain = certificates(&settings.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&settings.key)
        .map_err(|error| format!("{}: no private key in PEM: {error}", settings.key.display()))?;
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = match &settings.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| format!("{}: {error}", path.display()))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = if settings.client_required { verifier } else { verifier.allow_unauthenticated() };
            builder.with_client_cert_verifier(verifier.build().map_err(|error| format!("{}: {error}", path.display()))?)
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|error| {
        format!("{} and {} do not go together: {error}", settings.certificate.display(), settings.key.display())
    })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn certificates(path: &PathBuf) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(found) if found.is_empty() => Err(format!("{}: no certificate in PEM", path.display())),
        Ok(found) => Ok(found),
        Err(error) => Err(format!("{}: no certificate in PEM: {error}", path.display())),
    }
}
