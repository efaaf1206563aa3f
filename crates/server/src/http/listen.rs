//! The port: connections are taken, bounded, served and, at the end, closed.
//!
//! What a slow or silent client may hold is bounded: the handshake, the head of a request and idleness each have a limit,
//! and so have connections, in all and from one address.

use std::{
    collections::HashMap,
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{Router, body::Body, http::Request};
use http_body_util::BodyExt;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tower::Service;

use super::{limits::subscriber, tls::Tls};
use crate::{
    auth::Role,
    lifecycle::Stop,
    metrics::Metrics,
    settings::{LimitSettings, ServerSettings},
};

/// Who is at the other end; an extension of each request.
#[derive(Clone, Debug)]
pub struct Peer {
    /// From where.
    pub address: SocketAddr,
    /// The name and role that the certificate gives, if the client showed one that is believed.
    pub certificate: Option<(Arc<str>, Role)>,
}

/// A port that is bound.
#[derive(Debug)]
pub struct Port {
    /// The socket.
    pub socket: TcpListener,
    /// Certificates; without them it speaks plainly.
    pub tls: Option<Arc<Tls>>,
    /// Bounds.
    pub limits: LimitSettings,
    /// Counts.
    pub metrics: Arc<Metrics>,
}

/// What all connections share.
struct Shared {
    router: Router,
    tls: Option<Arc<Tls>>,
    limits: LimitSettings,
    metrics: Arc<Metrics>,
    stop: Stop,
    open: Mutex<HashMap<IpAddr, usize>>,
    count: AtomicUsize,
}

/// A place among the connections; given back when dropped.
struct Place {
    shared: Arc<Shared>,
    address: IpAddr,
}

impl Port {
    /// Binds the address of the settings and reads the certificates. The error says what to do.
    pub async fn open(settings: &ServerSettings, metrics: Arc<Metrics>) -> Result<Self, String> {
        let tls = settings.tls.clone().map(Tls::load).transpose().map_err(|error| format!("[server.tls] {error}"))?;
        let socket = TcpListener::bind(settings.listen).await.map_err(|error| {
            format!("[server] listen: {}: {error}. Stop what listens there, or set another port", settings.listen)
        })?;
        metrics.certificates_valid.set(i64::from(tls.is_some()));
        Ok(Self { socket, tls: tls.map(Arc::new), limits: settings.limits.clone(), metrics })
    }

    /// Answers with the router until the stop begins; then lets what is open finish, for as long as given.
    pub async fn serve(self, router: Router, stop: Stop, patience: Duration) {
        let Self { socket, tls, limits, metrics } = self;
        let shared = Arc::new(Shared {
            router,
            tls,
            limits,
            metrics,
            stop: stop.clone(),
            open: Mutex::default(),
            count: AtomicUsize::new(0),
        });
        loop {
            let accepted = tokio::select! {
                () = stop.begun() => break,
                accepted = socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, address)) => admit(&shared, stream, address),
                Err(error) => {
                    // Too many open files, most likely: those that are open may close in the meantime.
                    tracing::warn!(%error, "a connection could not be taken");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        drop(socket);
        let end = Instant::now() + patience;
        while shared.count.load(Ordering::SeqCst) > 0 && Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let left = shared.count.load(Ordering::SeqCst);
        if left > 0 {
            tracing::warn!(left, "connections were cut off");
        }
    }
}

fn admit(shared: &Arc<Shared>, stream: TcpStream, address: SocketAddr) {
    let Some(place) = Place::take(shared, address.ip()) else {
        shared.metrics.refused("connections");
        return;
    };
    // Answers are small and waited for.
    let _ = stream.set_nodelay(true);
    tokio::spawn(async move {
        if let Err(error) = converse(&place.shared, stream, address).await {
            tracing::debug!(%address, %error, "a connection ended");
        }
        drop(place);
    });
}

impl Place {
    fn take(shared: &Arc<Shared>, address: IpAddr) -> Option<Self> {
        let address = subscriber(address);
        let mut open = shared.open.lock();
        let mine = open.get(&address).copied().unwrap_or_default();
        if shared.count.load(Ordering::SeqCst) >= shared.limits.connections
            || mine >= shared.limits.connections_per_address
        {
            return None;
        }
        open.insert(address, mine + 1);
        let count = shared.count.fetch_add(1, Ordering::SeqCst) + 1;
        shared.metrics.http_connections.set(count as i64);
        Some(Self { shared: shared.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.shared.open.lock();
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
        let count = self.shared.count.fetch_sub(1, Ordering::SeqCst) - 1;
        self.shared.metrics.http_connections.set(count as i64);
    }
}

async fn converse(shared: &Arc<Shared>, stream: TcpStream, address: SocketAddr) -> io::Result<()> {
    let Some(tls) = &shared.tls else {
        return answer(shared, stream, Peer { address, certificate: None }).await;
    };
    let handshake = TlsAcceptor::from(tls.config()).accept(stream);
    let stream = timeout(shared.limits.header_timeout.0, handshake).await.map_err(|_| io::ErrorKind::TimedOut)??;
    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let certificate = shown.and_then(|shown| tls.client(shown)).map(|(name, role)| (name.into(), role));
    answer(shared, stream, Peer { address, certificate }).await
}

/// What a connection is doing.
struct Activity {
    /// Requests whose answer has not been sent.
    running: AtomicUsize,
    /// When the last one ended, or the connection began.
    last: Mutex<Instant>,
    /// Whether there has been a request.
    spoken: std::sync::atomic::AtomicBool,
}

/// A request that is being answered; ends when dropped.
struct Running(Arc<Activity>);

impl Running {
    fn begin(activity: &Arc<Activity>) -> Self {
        activity.spoken.store(true, Ordering::SeqCst);
        activity.running.fetch_add(1, Ordering::SeqCst);
        Self(activity.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        *self.0.last.lock() = Instant::now();
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Activity {
    fn new() -> Arc<Self> {
        Arc::new(Self { running: AtomicUsize::new(0), last: Mutex::new(Instant::now()), spoken: false.into() })
    }

    /// Whether the connection has been silent for too long.
    fn is_over(&self, limits: &LimitSettings) -> bool {
        let bound = if self.spoken.load(Ordering::SeqCst) { limits.idle_timeout } else { limits.header_timeout };
        self.running.load(Ordering::SeqCst) == 0 && self.last.lock().elapsed() >= bound.0
    }
}

async fn answer<S>(shared: &Arc<Shared>, stream: S, peer: Peer) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let activity = Activity::new();
    let service = service_fn(|request: Request<Incoming>| {
        let running = Running::begin(&activity);
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer.clone());
        let answer = shared.router.clone().call(request);
        async move {
            // The answer is under way until its body has been sent or given up.
            let held = move |frame| {
                let _running = &running;
                frame
            };
            Ok::<_, Infallible>(answer.await?.map(|body| Body::new(body.map_frame(held))))
        }
    });
    let limits = &shared.limits;
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.header_timeout.0).max_headers(100);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(limits.header_timeout.0)
        .max_concurrent_streams(128)
        .max_header_list_size(32 * 1024);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let look_every = (limits.header_timeout.0 / 4).clamp(Duration::from_millis(20), Duration::from_secs(5));
    let mut look = tokio::time::interval(look_every);
    let mut closing = false;
    loop {
        tokio::select! {
            result = connection.as_mut() => return result.map_err(io::Error::other),
            () = shared.stop.begun(), if !closing => {
                closing = true;
                connection.as_mut().graceful_shutdown();
            },
            _ = look.tick() => if activity.is_over(limits) {
                return Err(io::ErrorKind::TimedOut.into());
            },
        }
    }
}
