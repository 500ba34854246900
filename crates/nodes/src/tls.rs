//! TLS to nodes.

use std::{fmt, path::PathBuf, sync::Arc};

use http::uri::Authority;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};

use crate::error::NodeError;

/// Connects to nodes by TLS: who is trusted. Clones share sessions.
#[derive(Clone)]
pub struct Tls {
    connector: TlsConnector,
}

/// Why certificates of authorities cannot be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// The file cannot be read, or is no list of certificates.
    #[error("the certificates in {} cannot be read: {reason}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// There is none in the file.
    #[error("there is no certificate in {}", .0.display())]
    Empty(PathBuf),
    /// The library has no common version with itself.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

impl Tls {
    /// Trusts the authorities that browsers trust, and those of a PEM file.
    pub fn new(authorities: Option<PathBuf>) -> Result<Self, TlsError> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if let Some(file) = authorities {
            let unreadable = |reason: String| TlsError::Unreadable { file: file.clone(), reason };
            let certificates = CertificateDer::pem_file_iter(&file)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(|error| unreadable(error.to_string()))?;
            if certificates.is_empty() {
                return Err(TlsError::Empty(file));
            }
            for certificate in certificates {
                roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
            }
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::Setup(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { connector: TlsConnector::from(Arc::new(config)) })
    }

    /// Speaks TLS on a connection to `authority`, whose certificate has to be for its host.
    pub(crate) async fn connect(
        &self,
        authority: &str,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, NodeError> {
        let invalid = |why: &str| {
            NodeError::Connect(std::io::Error::new(std::io::ErrorKind::InvalidInput, why.to_owned()))
        };
        let authority: Authority = authority.parse().map_err(|_| invalid("the authority has no host"))?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let name =
            ServerName::try_from(host.to_owned()).map_err(|_| invalid("no certificate is for this host"))?;
        self.connector.connect(name, stream).await.map_err(NodeError::Connect)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}
