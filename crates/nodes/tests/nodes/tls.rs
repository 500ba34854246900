//! Nodes behind TLS.

use std::{path::PathBuf, sync::Arc, time::Duration};

use http::StatusCode;
use miroir_nodes::{Node, NodeConfig, NodeError, NodeRequest, Tls, TlsError};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

use crate::server::{LONG, deadline, path};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

/// A server with a certificate of its own making; its address, and the certificate as a PEM file.
async fn server(directory: &tempfile::TempDir) -> (String, PathBuf) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let file = directory.path().join("ca.pem");
    std::fs::write(&file, cert.pem()).expect("the file is written");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .expect("a server");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            tokio::spawn(async move {
                let mut request = [0; 4096];
                while stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                    stream.write_all(ANSWER).await.expect("the client reads");
                    stream.flush().await.expect("the client reads");
                }
            });
        }
    });
    (format!("localhost:{port}"), file)
}

fn node(authority: &str, tls: Tls) -> Node {
    let config = NodeConfig {
        name: "a".to_owned(),
        authority: authority.to_owned(),
        key: None,
        connect_timeout: Duration::from_secs(5),
        max_idle: 4,
        max_answer: 64,
    };
    Node::new(config).expect("a node").with_tls(tls)
}

#[tokio::test]
async fn a_node_whose_authority_is_trusted_is_asked() {
    let directory = tempfile::tempdir().expect("a directory");
    let (authority, file) = server(&directory).await;
    let node = node(&authority, Tls::new(Some(file)).expect("certificates"));
    for node in [node.clone(), node.with_own_connections(), node] {
        let answer = deadline(node.ask(&NodeRequest::get(path("/health")), LONG)).await.expect("an answer");
        assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &b"{}"[..]));
    }
}

#[tokio::test]
async fn a_node_nobody_vouches_for_is_not_talked_to() {
    let directory = tempfile::tempdir().expect("a directory");
    let (authority, _) = server(&directory).await;
    let node = node(&authority, Tls::new(None).expect("certificates"));
    let error = deadline(node.ask(&NodeRequest::get(path("/health")), LONG)).await.expect_err("refused");
    assert!(matches!(error, NodeError::Connect(_)), "{error}");
}

#[tokio::test]
async fn a_certificate_for_another_host_is_not_enough() {
    let directory = tempfile::tempdir().expect("a directory");
    let (authority, file) = server(&directory).await;
    let node =
        node(&authority.replace("localhost", "127.0.0.1"), Tls::new(Some(file)).expect("certificates"));
    deadline(node.ask(&NodeRequest::get(path("/health")), LONG)).await.expect_err("refused");
}

#[test]
fn a_file_without_certificates_is_an_error() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("ca.pem");
    std::fs::write(&file, "nothing").expect("written");
    assert!(matches!(Tls::new(Some(file)), Err(TlsError::Empty(_))));
    let none = Some(directory.path().join("none.pem"));
    assert!(matches!(Tls::new(none), Err(TlsError::Unreadable { .. })));
}
