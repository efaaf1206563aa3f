//! Whom a connection trusts. The system's certificate authorities, or the site's own and no others; never nobody,
//! unless the configuration spells out `insecure = true`. The cryptography is ring's.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};
use serde::Deserialize;

/// How a target's certificate is checked, and what it is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsConfig {
    /// PEM file of the certificate authorities to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// PEM file of our own certificate and its chain, where the target asks for one.
    pub certificate: Option<PathBuf>,
    /// PEM file of its key.
    pub key: Option<PathBuf>,
    /// Trust anybody, and send secrets over connections without TLS.
    pub insecure: bool,
}

impl TlsConfig {
    /// The settings as rustls has them.
    pub(crate) fn client(&self) -> Result<ClientConfig, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let builder = if self.insecure {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        } else if self.ca.is_some() {
            let mut roots = RootCertStore::empty();
            for certificate in self.authorities()? {
                roots.add(certificate).map_err(|error| format!("tls.ca: {error}"))?;
            }
            builder.with_root_certificates(roots)
        } else {
            let system = rustls_platform_verifier::Verifier::new(provider).map_err(|error| {
                format!("the system's certificate authorities: {error}; install them, or name your own as tls.ca")
            })?;
            builder.dangerous().with_custom_certificate_verifier(Arc::new(system))
        };
        match self.identity()? {
            Some((chain, key)) => {
                builder.with_client_auth_cert(chain, key).map_err(|error| format!("tls.certificate: {error}"))
            }
            None => Ok(builder.with_no_client_auth()),
        }
    }

    /// The site's own authorities; none if the system's are to be trusted.
    pub(crate) fn authorities(&self) -> Result<Vec<CertificateDer<'static>>, String> {
        self.ca.as_deref().map_or(Ok(Vec::new()), |path| certificates(path, "tls.ca"))
    }

    fn identity(&self) -> Result<Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>, String> {
        match (&self.certificate, &self.key) {
            (None, None) => Ok(None),
            (Some(certificate), Some(key)) => {
                let chain = certificates(certificate, "tls.certificate")?;
                let key = PrivateKeyDer::from_pem_file(key)
                    .map_err(|error| format!("tls.key: {}: {error}; a private key in PEM is needed", key.display()))?;
                Ok(Some((chain, key)))
            }
            _ => Err("tls.certificate and tls.key go together; one of them is missing".into()),
        }
    }
}

fn certificates(path: &Path, option: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(certificates) if certificates.is_empty() => {
            Err(format!("{option}: {} holds no certificate in PEM (-----BEGIN CERTIFICATE-----)", path.display()))
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(format!("{option}: {}: {error}", path.display())),
    }
}

/// Takes every certificate, for `insecure = true` alone.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
