//! Syslog receivers: datagrams, octet counting over TCP and TLS, receivers that break off, and rsyslog where it is installed.

use std::{
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

use lurcher_deliver::send_test;
use lurcher_schema::{Clock, SystemClock};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    net::UdpSocket,
};

use crate::{
    outbox::{MemoryOutbox, State, alert, start, target, until},
    tls::{authority, listener},
};

/// The messages of an octet-counted stream.
fn frames(mut bytes: &[u8]) -> Vec<String> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let blank = bytes.iter().position(|byte| *byte == b' ').unwrap();
        let length: usize = std::str::from_utf8(&bytes[..blank]).unwrap().parse().unwrap();
        frames.push(String::from_utf8(bytes[blank + 1..blank + 1 + length].to_vec()).unwrap());
        bytes = &bytes[blank + 1 + length..];
    }
    frames
}

async fn read_all(mut stream: impl AsyncRead + Unpin, into: Arc<Mutex<Vec<u8>>>) {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    into.lock().unwrap().extend(bytes);
}

#[tokio::test]
async fn a_datagram_for_each_alert() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    let outbox = MemoryOutbox::new();
    outbox.put("t", alert("a1"));
    let table = format!(
        "name = \"t\"\ntype = \"syslog\"\nhost = \"127.0.0.1\"\nport = {port}\ntransport = \"udp\"\nhostname = \"soc\""
    );
    let running = start(&outbox, &[table]);
    let mut buffer = vec![0; 65_536];
    let length = socket.recv(&mut buffer).await.unwrap();
    let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
    // Local use 0, error: 16 * 8 + 3.
    assert!(text.starts_with("<131>1 20"), "{text}");
    let parts: Vec<&str> = text.splitn(8, ' ').collect();
    assert_eq!(&parts[2..7], ["soc", "lurcher", "-", "alert", "-"]);
    assert!(lurcher_schema::Timestamp::parse(parts[1]).is_some());
    assert!(parts[7].starts_with("CEF:0|Lurcher|Lurcher|"), "{text}");
    assert!(parts[7].contains("externalId=a1") && parts[7].contains("duser=alice dhost=ws01"), "{text}");
    outbox.settled("t").await;
    running.stop().await;
}

#[tokio::test]
async fn an_alert_that_fits_no_datagram_is_dead() {
    let outbox = MemoryOutbox::new();
    let mut large = alert("a1");
    large["message"] = "m".repeat(70_000).into();
    let id = outbox.put("t", large);
    let table =
        "name = \"t\"\ntype = \"syslog\"\nhost = \"127.0.0.1\"\nport = 9\ntransport = \"udp\"\nmessage = \"json\"";
    let running = start(&outbox, &[table.into()]);
    outbox.settled("t").await;
    assert!(matches!(outbox.state(id), State::Dead(error) if error.contains("transport = \"tcp\"")));
    running.stop().await;
}

#[tokio::test]
async fn octet_counting_over_tcp() {
    let (listener, address) = listener().await;
    let got = Arc::new(Mutex::new(Vec::new()));
    let theirs = Arc::clone(&got);
    tokio::spawn(async move {
        // The first connection is broken off before anything is read.
        let (first, _) = listener.accept().await.unwrap();
        first.set_zero_linger().unwrap();
        drop(first);
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(read_all(stream, Arc::clone(&theirs)));
        }
    });
    let outbox = MemoryOutbox::new();
    let ids: Vec<i64> = (0..3).map(|number| outbox.put("t", alert(&format!("a{number}\nline")))).collect();
    let table = format!(
        "name = \"t\"\ntype = \"syslog\"\nhost = \"127.0.0.1\"\nport = {}\ntransport = \"tcp\"\nmessage = \"json\"\nretry_first = \"50ms\"",
        address.port()
    );
    let running = start(&outbox, &[table]);
    outbox.settled("t").await;
    running.stop().await;
    assert!(outbox.history(ids[0]).0 >= 1, "what a receiver broke off is sent again");
    // What was broken off comes behind what was not.
    let body =
        |frame: &String| -> serde_json::Value { serde_json::from_str(frame.splitn(8, ' ').nth(7).unwrap()).unwrap() };
    let mut bodies: Vec<String> =
        frames(&got.lock().unwrap()).iter().map(|frame| body(frame)["id"].as_str().unwrap().to_owned()).collect();
    bodies.sort();
    assert_eq!(bodies, ["a0\nline", "a1\nline", "a2\nline"]);
}

#[tokio::test]
async fn octet_counting_over_tls() {
    let authority = authority();
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, &authority.ca_pem).unwrap();
    let (listener, address) = listener().await;
    let got = Arc::new(Mutex::new(Vec::new()));
    let theirs = Arc::clone(&got);
    let acceptor = authority.acceptor.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(stream) = acceptor.accept(stream).await {
                tokio::spawn(read_all(stream, Arc::clone(&theirs)));
            }
        }
    });
    let table = |tls: &str| {
        format!(
            "name = \"t\"\ntype = \"syslog\"\nhost = \"localhost\"\nport = {}\ntransport = \"tls\"\n{tls}",
            address.port()
        )
    };
    let trusting = table(&format!("tls = {{ ca = {:?} }}", ca.display().to_string()));
    assert!(target(&trusting).check(SystemClock.now()).await.unwrap().contains("a good certificate"));
    let outbox = MemoryOutbox::new();
    outbox.put("t", alert("a1"));
    let running = start(&outbox, &[trusting]);
    outbox.settled("t").await;
    running.stop().await;
    assert_eq!(frames(&got.lock().unwrap()).len(), 1);
    std::fs::write(&ca, &crate::tls::authority().ca_pem).unwrap();
    let distrusting = target(&table(&format!("tls = {{ ca = {:?} }}", ca.display().to_string())));
    let fault = send_test(&distrusting, SystemClock.now()).await.unwrap_err();
    assert!(fault.message.contains("certificate"), "{fault}");
}

#[tokio::test]
async fn rsyslog_takes_them() {
    let Some(rsyslogd) =
        ["/usr/sbin/rsyslogd", "/usr/local/sbin/rsyslogd"].into_iter().find(|path| std::path::Path::new(path).exists())
    else {
        eprintln!("skipped: rsyslog_takes_them: rsyslogd is not installed");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name).display().to_string();
    // It cannot be asked for a free port, so one is looked for first.
    let (free, address) = listener().await;
    drop(free);
    let port = address.port();
    let config = format!(
        "global(workDirectory=\"{}\" maxMessageSize=\"64k\")\nmodule(load=\"imtcp\")\ninput(type=\"imtcp\" address=\"127.0.0.1\" port=\"{port}\")\n\
         template(name=\"all\" type=\"string\" string=\"%pri%|%hostname%|%app-name%|%msgid%|%msg%\\n\")\n\
         action(type=\"omfile\" file=\"{}\" template=\"all\")\n",
        folder.path().display(),
        place("out")
    );
    std::fs::write(place("conf"), config).unwrap();
    let mut server = Command::new(rsyslogd)
        .args(["-n", "-f", &place("conf"), "-i", &place("pid")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let outbox = MemoryOutbox::new();
    for number in 0..50 {
        outbox.put("t", alert(&format!("a{number}")));
    }
    let table = format!(
        "name = \"t\"\ntype = \"syslog\"\nhost = \"127.0.0.1\"\nport = {port}\ntransport = \"tcp\"\nhostname = \"soc\"\nretry_first = \"100ms\"\nretry_longest = \"200ms\""
    );
    let running = start(&outbox, &[table]);
    outbox.settled("t").await;
    let read = || std::fs::read_to_string(place("out")).unwrap_or_default();
    until("rsyslog has written all", || read().lines().count() >= 50).await;
    server.kill().unwrap();
    server.wait().unwrap();
    running.stop().await;
    let lines = read();
    assert!(lines.lines().all(|line| line.starts_with("131|soc|lurcher|alert|")), "{lines}");
    // Those that were tried before it listened come behind the others.
    for number in 0..50 {
        assert_eq!(lines.matches(&format!("externalId=a{number} ")).count(), 1, "{number}");
    }
}
