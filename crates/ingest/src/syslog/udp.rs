//! Syslog over UDP (RFC 5426), one message a datagram.
//!
//! One task does nothing but empty the socket into memory, another delivers. So a short stall of the disk loses nothing;
//! what is lost in a long one, here or in the kernel, is counted.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use lurcher_journal::{Record, RecordKind};
use serde::Deserialize;
use socket2::SockRef;
use tokio::{net::UdpSocket, sync::mpsc};

use super::line;
use crate::{
    Failure, Reception, Stop,
    reception::{sleep, stopped},
};

/// The kernel's count of drops is read in this rhythm.
const LOOK: Duration = Duration::from_secs(5);
/// Datagrams that are delivered together at most.
const BATCH: usize = 1000;
/// The longest datagram there can be.
const LONGEST: usize = 65_536;

/// `[ingest.syslog.udp]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Address and port to listen on.
    pub listen: String,
    /// The data stream of its messages.
    pub stream: String,
    /// The longest message, in bytes; longer ones are cut there and counted as malformed.
    pub max_message_bytes: usize,
    /// Bytes that the kernel is asked to keep for us (`SO_RCVBUF`); it may grant less (`net.core.rmem_max`).
    pub receive_buffer_bytes: usize,
    /// Bytes of messages that wait for delivery at most; what comes then is dropped and counted.
    pub max_held_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:514".to_owned(),
            stream: "syslog".to_owned(),
            max_message_bytes: LONGEST,
            receive_buffer_bytes: 8 << 20,
            max_held_bytes: 64 << 20,
        }
    }
}

/// Listens until the server stops.
pub async fn run(options: Options, reception: Reception, stop: Stop) -> Result<(), Failure> {
    let socket = UdpSocket::bind(&options.listen).await;
    let socket = socket.map_err(|error| Failure(format!("cannot listen on {}: {error}", options.listen)))?;
    serve(socket, options, reception, stop).await
}

/// As [`run`], on a socket that is bound already.
pub async fn serve(socket: UdpSocket, options: Options, reception: Reception, stop: Stop) -> Result<(), Failure> {
    if let Err(error) = SockRef::from(&socket).set_recv_buffer_size(options.receive_buffer_bytes) {
        tracing::warn!(%error, "the receive buffer stays as it is");
    }
    let address = socket.local_addr().map_err(|error| Failure(error.to_string()))?;
    let held = Arc::new(AtomicUsize::new(0));
    let (sender, queue) = mpsc::unbounded_channel();
    let delivering = tokio::spawn(deliver(queue, Arc::clone(&held), reception.clone(), stop.clone()));
    let watching = tokio::spawn(watch_kernel(address, reception.clone(), stop.clone()));
    receive(&socket, &options, &reception, &held, &sender, stop).await;
    drop(sender);
    let _ = delivering.await;
    let _ = watching.await;
    Ok(())
}

async fn receive(
    socket: &UdpSocket,
    options: &Options,
    reception: &Reception,
    held: &AtomicUsize,
    queue: &mpsc::UnboundedSender<Record>,
    mut stop: Stop,
) {
    let stream: Arc<str> = Arc::from(options.stream.as_str());
    let mut buffer = vec![0; LONGEST];
    loop {
        let received = tokio::select! {
            received = socket.recv_from(&mut buffer) => received,
            () = stopped(&mut stop) => return,
        };
        let count = match received {
            Ok((count, _)) => count,
            Err(error) => {
                tracing::debug!(%error, "a datagram was not received");
                continue;
            }
        };
        reception.bytes(count);
        if count > options.max_message_bytes {
            reception.malformed(1);
        }
        let Some(body) = line(&buffer[..count.min(options.max_message_bytes)]) else { continue };
        if held.load(Ordering::Relaxed) + body.len() > options.max_held_bytes {
            reception.dropped(1);
            continue;
        }
        held.fetch_add(body.len(), Ordering::Relaxed);
        if queue.send(reception.record(&stream, RecordKind::Line, body)).is_err() {
            return;
        }
    }
}

async fn deliver(
    mut queue: mpsc::UnboundedReceiver<Record>,
    held: Arc<AtomicUsize>,
    reception: Reception,
    mut stop: Stop,
) {
    let mut batch = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        let (count, bytes) = (batch.len(), batch.iter().map(|record| record.body.len()).sum());
        let records = std::mem::replace(&mut batch, Vec::with_capacity(BATCH));
        let taken = if *stop.borrow() {
            reception.deliver(records).await.is_ok()
        } else {
            reception.insist(records, &mut stop).await
        };
        if !taken {
            reception.dropped(count);
        }
        held.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Adds what the kernel dropped to the count, where it says so.
async fn watch_kernel(address: SocketAddr, reception: Reception, mut stop: Stop) {
    let mut before = kernel_drops(address).unwrap_or(0);
    loop {
        let go_on = sleep(LOOK, &mut stop).await;
        let now = kernel_drops(address).unwrap_or(before);
        reception.dropped(now.saturating_sub(before) as usize);
        before = now;
        if !go_on {
            return;
        }
    }
}

/// Datagrams that Linux dropped on sockets at this port, from `/proc/net/udp`.
fn kernel_drops(address: SocketAddr) -> Option<u64> {
    let table = std::fs::read_to_string(if address.is_ipv4() { "/proc/net/udp" } else { "/proc/net/udp6" }).ok()?;
    drops_in(&table, address.port())
}

fn drops_in(table: &str, port: u16) -> Option<u64> {
    let suffix = format!(":{port:04X}");
    let rows = table.lines().skip(1).map(|row| row.split_whitespace().collect::<Vec<_>>());
    let drops = rows.filter(|row| row.get(1).is_some_and(|local| local.ends_with(&suffix)));
    drops.map(|row| row.last()?.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_are_the_last_column() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
            10: 0100007F:0202 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1234 2 0000 17\n\
            11: 00000000:1234 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1235 2 0000 5\n";
        assert_eq!(drops_in(table, 514), Some(17));
        assert_eq!(drops_in(table, 515), Some(0));
    }
}
