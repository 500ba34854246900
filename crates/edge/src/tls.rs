//! A listener's certificate, loaded and checked before anything runs.

use std::sync::Arc;

use pingora_core::{
    listeners::tls::TlsSettings,
    tls::{CryptoProvider, install_default_crypto_provider, load_certs_and_key_files, sign},
};

use crate::{EdgeError, Tls};

/// Loads the certificate and its key, and checks that they belong together.
pub(crate) fn load(tls: &Tls, http2: bool) -> Result<TlsSettings, EdgeError> {
    let fail = |reason: String| EdgeError::Tls {
        certificate: tls.certificate.clone(),
        key: tls.key.clone(),
        reason,
    };
    let (certificate, key) = (tls.certificate.to_string_lossy(), tls.key.to_string_lossy());
    // pingora would panic on these files in the middle of its start; it is given the loaded key.
    let (chain, key) = load_certs_and_key_files(&certificate, &key)
        .map_err(|error| fail(error.to_string()))?
        .ok_or_else(|| fail("no certificate or no private key in them".to_owned()))?;
    install_default_crypto_provider();
    let provider =
        CryptoProvider::get_default().ok_or_else(|| fail("no cryptography provider".to_owned()))?;
    let certified =
        sign::CertifiedKey::from_der(chain, key, provider).map_err(|error| fail(error.to_string()))?;
    let mut settings = TlsSettings::intermediate("", "").map_err(|error| fail(error.to_string()))?;
    settings.set_cert_resolver(Arc::new(sign::SingleCertAndKey::from(certified)));
    if http2 {
        settings.enable_h2();
    }
    Ok(settings)
}
