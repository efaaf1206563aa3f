//! Connections taken in: at most so many at a time, through TLS or not.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinSet,
};
use tokio_rustls::server::TlsStream;

use crate::{Counters, Failure, Stop, counters::Connected, reception::stopped, tls::Tls};

/// A handshake must be done in this time.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// After an error of accepting (no file descriptors left), so long nothing is accepted.
const BREATH: Duration = Duration::from_millis(100);

/// Binds, with an error that names the address.
pub(crate) async fn bind(address: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| Failure(format!("cannot listen on {address}: {error}")))
}

/// One connection. It counts as open, and holds its place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Connection {
    io: Io,
    pub(crate) peer: SocketAddr,
    _place: OwnedSemaphorePermit,
    _connected: Connected,
}

#[derive(Debug)]
enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Accepts until the server stops, or nobody takes connections any more; handshakes run side by side.
pub(crate) async fn accept(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    most: usize,
    counters: Arc<Counters>,
    connections: mpsc::Sender<io::Result<Connection>>,
    mut stop: Stop,
) {
    let places = Arc::new(Semaphore::new(most.clamp(1, Semaphore::MAX_PERMITS)));
    let mut handshakes = JoinSet::new();
    loop {
        let next = tokio::select! {
            next = listener.accept() => next,
            Some(_) = handshakes.join_next() => continue,
            () = stopped(&mut stop) => return,
            () = connections.closed() => return,
        };
        let (stream, peer) = match next {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(BREATH).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            Counters::add(&counters.refused, 1);
            tracing::warn!(%peer, most, "a connection was closed: there are too many");
            continue;
        };
        let connected = Connected::new(&counters);
        let acceptor = tls.as_ref().map(|tls| tls.acceptor());
        let connections = connections.clone();
        handshakes.spawn(async move {
            let _ = stream.set_nodelay(true);
            let io = match acceptor {
                None => Io::Plain(stream),
                Some(acceptor) => match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => Io::Tls(Box::new(stream)),
                    Ok(Err(error)) => return tracing::debug!(%peer, %error, "a TLS handshake failed"),
                    Err(_) => return tracing::debug!(%peer, "a TLS handshake took too long"),
                },
            };
            let _ = connections.send(Ok(Connection { io, peer, _place: place, _connected: connected })).await;
        });
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_read(cx, buf),
            Io::Tls(io) => Pin::new(io).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_write(cx, buf),
            Io::Tls(io) => Pin::new(io).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_flush(cx),
            Io::Tls(io) => Pin::new(io).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_shutdown(cx),
            Io::Tls(io) => Pin::new(io).poll_shutdown(cx),
        }
    }
}

impl tonic::transport::server::Connected for Connection {
    type ConnectInfo = SocketAddr;

    fn connect_info(&self) -> SocketAddr {
        self.peer
    }
}
