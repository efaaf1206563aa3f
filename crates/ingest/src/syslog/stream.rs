//! Syslog over connections: TCP and TLS (RFC 6587, RFC 5425).

use std::{sync::Arc, time::Duration};

use lurcher_journal::{Record, RecordKind};
use serde::Deserialize;
use tokio::{
    io::AsyncReadExt,
    net::TcpListener,
    sync::{mpsc, watch},
    task::JoinSet,
};

use super::{framing::Frames, line};
use crate::{
    Failure, Reception, Stop,
    listen::{Connection, accept, bind},
    reception::stopped,
    tls::{Tls, TlsOptions},
};

/// Bytes that are read at a time.
const CHUNK: usize = 64 << 10;

/// `[ingest.syslog.tcp]` and `[ingest.syslog.tls]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Address and port to listen on.
    pub listen: String,
    /// The data stream of its messages.
    pub stream: String,
    /// The longest message, in bytes; longer ones are cut there and counted as malformed.
    pub max_message_bytes: usize,
    /// Connections at a time; further ones are closed at once.
    pub max_connections: usize,
    /// A connection that sends nothing for so many seconds is closed; 0: never.
    pub idle_timeout_seconds: u64,
    /// Certificates; given, connections must speak TLS.
    pub tls: Option<TlsOptions>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:514".to_owned(),
            stream: "syslog".to_owned(),
            max_message_bytes: 64 << 10,
            max_connections: 1000,
            idle_timeout_seconds: 3600,
            tls: None,
        }
    }
}

/// Listens until the server stops.
pub async fn run(options: Options, reception: Reception, stop: Stop) -> Result<(), Failure> {
    let listener = bind(&options.listen).await?;
    serve(listener, options, reception, stop).await
}

/// As [`run`], on a socket that is bound already.
pub async fn serve(listener: TcpListener, options: Options, reception: Reception, stop: Stop) -> Result<(), Failure> {
    let tls = options.tls.clone().map(|tls| Tls::new(tls, &[])).transpose()?.map(Arc::new);
    let (sender, mut connections) = mpsc::channel(16);
    let counters = Arc::clone(&reception.counters);
    let accepting = tokio::spawn(accept(listener, tls, options.max_connections, counters, sender, stop.clone()));
    let options = Arc::new(options);
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            next = connections.recv() => match next {
                Some(Ok(connection)) => {
                    open.spawn(read(connection, Arc::clone(&options), reception.clone(), stop.clone()));
                }
                Some(Err(_)) => {}
                None => break,
            },
            Some(_) = open.join_next() => {}
        }
    }
    // The server stops: what was read is still delivered.
    while open.join_next().await.is_some() {}
    accepting.await.map_err(|error| Failure(error.to_string()))
}

async fn read(mut connection: Connection, options: Arc<Options>, reception: Reception, mut stop: Stop) {
    let stream: Arc<str> = Arc::from(options.stream.as_str());
    let mut frames = Frames::new(options.max_message_bytes);
    let mut buffer = vec![0; CHUNK];
    let idle = match options.idle_timeout_seconds {
        0 => Duration::MAX,
        seconds => Duration::from_secs(seconds),
    };
    loop {
        let read = tokio::select! {
            read = tokio::time::timeout(idle, connection.read(&mut buffer)) => read,
            () = stopped(&mut stop) => break,
        };
        let Ok(Ok(count @ 1..)) = read else { break };
        reception.bytes(count);
        frames.push(&buffer[..count]);
        let mut records = Vec::new();
        let sound = collect(&mut frames, &mut records, &stream, &reception);
        if !insist(&reception, records, &mut stop).await {
            return;
        }
        if sound.is_err() {
            reception.malformed(1);
            tracing::warn!(peer = %connection.peer, "a connection was closed: a message has no count");
            return;
        }
    }
    let last = frames.rest().and_then(line);
    let records = last.map(|body| reception.record(&stream, RecordKind::Line, body)).into_iter().collect();
    insist(&reception, records, &mut stop).await;
}

fn collect(
    frames: &mut Frames,
    records: &mut Vec<Record>,
    stream: &Arc<str>,
    reception: &Reception,
) -> Result<(), super::framing::Lost> {
    let before = frames.overlong;
    let outcome = loop {
        match frames.next_message() {
            Ok(Some(message)) => {
                records.extend(line(message).map(|body| reception.record(stream, RecordKind::Line, body)));
            }
            Ok(None) => break Ok(()),
            Err(lost) => break Err(lost),
        }
    };
    reception.malformed(frames.overlong - before);
    outcome
}

/// Delivers, however long it takes; nothing is read meanwhile. When the server stops while there is no place, the
/// messages are lost, since nobody can be told to send them again.
async fn insist(reception: &Reception, records: Vec<Record>, stop: &mut Stop) -> bool {
    let count = records.len();
    let taken = if *stop.borrow() {
        // One last attempt, for what was read before the server stopped.
        let (_keep, mut never) = watch::channel(false);
        let attempt = reception.insist(records, &mut never);
        tokio::time::timeout(Duration::from_secs(1), attempt).await.unwrap_or(false)
    } else {
        reception.insist(records, stop).await
    };
    if !taken {
        reception.dropped(count);
    }
    taken
}
