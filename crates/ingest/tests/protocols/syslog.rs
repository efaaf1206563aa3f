//! Syslog over UDP, TCP and TLS.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use lurcher_ingest::{
    Refusal, TlsOptions,
    syslog::{stream, udp},
};
use lurcher_journal::RecordKind;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
    task::JoinHandle,
};

use crate::server::Server;

type Running = JoinHandle<Result<(), lurcher_ingest::Failure>>;

async fn listen(server: &Server, options: stream::Options) -> (SocketAddr, Running) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (address, tokio::spawn(stream::serve(listener, options, server.reception(), server.stop_receiver())))
}

#[tokio::test]
async fn both_framings_are_taken_over_tcp() {
    let server = Server::new();
    let (address, running) = listen(&server, stream::Options::default()).await;
    let mut lines = TcpStream::connect(address).await.unwrap();
    lines.write_all(b"<13>Oct  1 00:00:00 h app: one\r\n<13>two\n<13>last").await.unwrap();
    server.wait_for(2).await;
    lines.shutdown().await.unwrap();
    server.wait_for(3).await;
    let mut counted = TcpStream::connect(address).await.unwrap();
    counted.write_all(b"9 <13>a\nb c").await.unwrap();
    let bodies = server.wait_for(4).await;
    assert_eq!(bodies, ["<13>Oct  1 00:00:00 h app: one", "<13>two", "<13>last", "<13>a b c"]);
    assert!(server.taken().iter().all(|record| record.0 == RecordKind::Line && record.1 == "syslog"));
    server.stop();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_busy_server_stops_reading() {
    let server = Server::new();
    let (address, running) = listen(&server, stream::Options::default()).await;
    server.refuse(Some(Refusal::Busy));
    let mut sender = TcpStream::connect(address).await.unwrap();
    let line = format!("<13>{}\n", "x".repeat(1000));
    let mut sent = 0;
    // So much more than any socket buffers that writing must block.
    let writing = async {
        loop {
            sender.write_all(line.as_bytes()).await.unwrap();
            sent += 1;
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(1), writing).await;
    assert!(server.count(|c| &c.bytes) < 1 << 20, "nothing is read while there is no place");
    server.refuse(None);
    server.wait_until(|| server.taken().len() + 1 >= sent).await;
    server.stop();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn limits_hold() {
    let server = Server::new();
    let options =
        stream::Options { max_message_bytes: 10, max_connections: 1, idle_timeout_seconds: 1, ..Default::default() };
    let (address, running) = listen(&server, options).await;
    let mut first = TcpStream::connect(address).await.unwrap();
    first.write_all(b"<13>0123456789\n<13>b\n").await.unwrap();
    assert_eq!(server.wait_for(2).await, ["<13>012345", "<13>b"]);
    let mut second = TcpStream::connect(address).await.unwrap();
    assert!(matches!(second.read(&mut [0]).await, Ok(0) | Err(_)), "the second connection is closed");
    // The first is closed because it says nothing.
    assert_eq!(first.read(&mut [0]).await.unwrap(), 0);
    assert_eq!((server.count(|c| &c.malformed), server.count(|c| &c.refused)), (1, 1));
    server.stop();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn tls_with_a_certificate_of_the_senders() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(path("server.pem"), made.cert.pem()).unwrap();
    std::fs::write(path("server.key"), made.signing_key.serialize_pem()).unwrap();
    let sender = rcgen::generate_simple_self_signed(["sender".to_owned()]).unwrap();
    std::fs::write(path("senders.pem"), sender.cert.pem()).unwrap();

    let server = Server::new();
    let tls =
        TlsOptions { certificate: path("server.pem"), key: path("server.key"), client_ca: Some(path("senders.pem")) };
    let (address, running) = listen(&server, stream::Options { tls: Some(tls), ..Default::default() }).await;

    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let builder = || {
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots.clone())
    };
    let key = rustls::pki_types::PrivateKeyDer::try_from(sender.signing_key.serialize_der()).unwrap();
    let known = builder().with_client_auth_cert(vec![sender.cert.der().clone()], key).unwrap();
    let unknown = builder().with_no_client_auth();
    for (config, message) in [(unknown, "9 <13>wrong"), (known, "9 <13>right")] {
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let connection = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        // Without a certificate the handshake fails now or with the first bytes.
        let Ok(mut connection) = connector.connect(name, connection).await else { continue };
        let _ = connection.write_all(message.as_bytes()).await;
        let _ = connection.shutdown().await;
    }
    assert_eq!(server.wait_for(1).await, ["<13>right"]);
    server.stop();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn datagrams_are_taken_or_counted() {
    let server = Server::new();
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let options = udp::Options { max_held_bytes: 100, max_message_bytes: 50, ..Default::default() };
    let running = tokio::spawn(udp::serve(socket, options, server.reception(), server.stop_receiver()));
    let sender = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    sender.send_to(b"<34>1 2003-10-11T22:14:15.003Z h su - - - hi\n", address).await.unwrap();
    assert_eq!(server.wait_for(1).await, ["<34>1 2003-10-11T22:14:15.003Z h su - - - hi"]);
    server.refuse(Some(Refusal::Busy));
    for _ in 0..10 {
        sender.send_to(&[b'x'; 60], address).await.unwrap();
    }
    server.wait_until(|| server.count(|c| &c.dropped) == 8).await;
    server.refuse(None);
    assert_eq!(server.wait_for(3).await[2], "x".repeat(50));
    server.stop();
    running.await.unwrap().unwrap();
}
