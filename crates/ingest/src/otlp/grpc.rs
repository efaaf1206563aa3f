//! OTLP logs over gRPC, on a port of their own.

use std::{io, sync::Arc, time::Duration};

use futures::stream::poll_fn;
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsServiceRequest, ExportLogsServiceResponse,
    logs_service_server::{LogsService, LogsServiceServer},
};
use prost::Message;
use serde::Deserialize;
use tokio::{net::TcpListener, sync::mpsc};
use tonic::{Request, Response, Status, codec::CompressionEncoding, transport::Server};

use super::export;
use crate::{
    Failure, Reception, Refusal, Stop,
    credentials::{Admission, admission},
    listen::{Connection, accept, bind},
    reception::stopped,
    tls::{Tls, TlsOptions},
};

/// Calls of one connection that are worked on at a time.
const CALLS: usize = 8;
/// A connection that does not answer a ping in this time is closed.
const PING: Duration = Duration::from_secs(30);
/// How long connections may still be open after the server was told to stop.
const FAREWELL: Duration = Duration::from_secs(5);

/// `[ingest.otlp.grpc]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Address and port to listen on.
    pub listen: String,
    /// The longest message, packed and unpacked, in bytes.
    pub max_message_bytes: usize,
    /// Connections at a time; further ones are closed at once.
    pub max_connections: usize,
    /// Seconds until a call must be through.
    pub timeout_seconds: u64,
    /// Certificates; given, connections must speak TLS.
    pub tls: Option<TlsOptions>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:4317".to_owned(),
            max_message_bytes: 16 << 20,
            max_connections: 100,
            timeout_seconds: 60,
            tls: None,
        }
    }
}

/// Listens until the server stops. `dataset` is that of [`super::Options`].
pub async fn run(options: Options, dataset: &str, reception: Reception, stop: Stop) -> Result<(), Failure> {
    let listener = bind(&options.listen).await?;
    serve(listener, options, dataset, reception, stop).await
}

/// As [`run`], on a socket that is bound already.
pub async fn serve(
    listener: TcpListener,
    options: Options,
    dataset: &str,
    reception: Reception,
    mut stop: Stop,
) -> Result<(), Failure> {
    let tls = options.tls.clone().map(|tls| Tls::new(tls, &["h2"])).transpose()?.map(Arc::new);
    let (sender, mut connections) = mpsc::channel::<io::Result<Connection>>(16);
    let counters = Arc::clone(&reception.counters);
    tokio::spawn(accept(listener, tls, options.max_connections, counters, sender, stop.clone()));
    let service = LogsServiceServer::new(Logs { dataset: Arc::from(dataset), reception })
        .accept_compressed(CompressionEncoding::Gzip)
        .send_compressed(CompressionEncoding::Gzip)
        .max_decoding_message_size(options.max_message_bytes);
    let mut over = stop.clone();
    let serving = Server::builder()
        .concurrency_limit_per_connection(CALLS)
        .timeout(Duration::from_secs(options.timeout_seconds))
        .http2_keepalive_interval(Some(PING))
        .http2_keepalive_timeout(Some(PING))
        .add_service(service)
        .serve_with_incoming_shutdown(poll_fn(move |cx| connections.poll_recv(cx)), async move {
            stopped(&mut stop).await;
        });
    tokio::select! {
        done = serving => done.map_err(|error| Failure(format!("OTLP over gRPC: {error}"))),
        // Connections that their sender does not close do not keep the server from stopping.
        () = async { stopped(&mut over).await; tokio::time::sleep(FAREWELL).await } => Ok(()),
    }
}

struct Logs {
    dataset: Arc<str>,
    reception: Reception,
}

#[tonic::async_trait]
impl LogsService for Logs {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        match admission(self.reception.gate.as_ref(), &metadata.into_headers(), None) {
            Admission::Granted => {}
            Admission::Missing | Admission::Unreadable => {
                self.reception.refused(1);
                return Err(Status::unauthenticated("a key is required: authorization: Bearer KEY"));
            }
            Admission::Wrong => {
                self.reception.refused(1);
                return Err(Status::permission_denied("this key may not deliver events"));
            }
        }
        self.reception.bytes(request.encoded_len());
        // Senders try again after UNAVAILABLE, and after nothing else.
        match export(&self.reception, &self.dataset, request).await {
            Ok(answer) => Ok(Response::new(answer)),
            Err(Refusal::Busy) => Err(Status::unavailable("too much waits to be written")),
            Err(Refusal::Unwritable(why)) => Err(Status::unavailable(format!("nothing can be written: {why}"))),
            Err(Refusal::Stopping) => Err(Status::unavailable("the server is stopping")),
        }
    }
}
