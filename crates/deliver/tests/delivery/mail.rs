//! Mail, against a small server that refuses whom it is told to.

use std::sync::{Arc, Mutex};

use lurcher_deliver::{Target, send_test};
use lurcher_schema::{Clock, SystemClock};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpStream,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    outbox::{MemoryOutbox, State, alert, configuration, start, target},
    tls::{authority, listener},
};

/// A mail that was taken.
#[derive(Clone, Debug)]
struct Taken {
    to: Vec<String>,
    text: String,
    encrypted: bool,
    login: Option<String>,
}

/// What the server does.
#[derive(Clone, Default)]
struct Server {
    taken: Arc<Mutex<Vec<Taken>>>,
    /// Recipients and the answer they get, as often as they are listed.
    refuse: Arc<Mutex<Vec<(String, String)>>>,
    connections: Arc<Mutex<u32>>,
    starttls: Option<TlsAcceptor>,
    tls: Option<TlsAcceptor>,
}

impl Server {
    async fn start(self) -> u16 {
        let (listener, address) = listener().await;
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                *self.connections.lock().unwrap() += 1;
                let server = self.clone();
                tokio::spawn(async move { server.serve(stream).await });
            }
        });
        address.port()
    }

    async fn serve(self, stream: TcpStream) -> std::io::Result<()> {
        if let Some(tls) = &self.tls {
            let stream = tls.accept(stream).await?;
            return self.talk(&mut BufReader::new(stream), true, true).await.map(|_| ());
        }
        let mut plain = BufReader::new(stream);
        if self.talk(&mut plain, false, true).await? {
            let stream = self.starttls.as_ref().unwrap().accept(plain.into_inner()).await?;
            self.talk(&mut BufReader::new(stream), true, false).await?;
        }
        Ok(())
    }

    /// Talks until the client leaves. Whether it wants TLS.
    async fn talk<S>(&self, stream: &mut BufReader<S>, encrypted: bool, greet: bool) -> std::io::Result<bool>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        if greet {
            stream.write_all(b"220 test ESMTP\r\n").await?;
        }
        let mut to = Vec::new();
        let mut login = None;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(false);
            }
            let verb = line.split_whitespace().next().unwrap_or_default().to_uppercase();
            let reply = match verb.as_str() {
                "EHLO" if self.starttls.is_some() && !encrypted => "250-test\r\n250-8BITMIME\r\n250 STARTTLS".into(),
                "EHLO" => "250-test\r\n250-8BITMIME\r\n250 AUTH PLAIN".into(),
                "STARTTLS" => {
                    stream.write_all(b"220 go\r\n").await?;
                    return Ok(true);
                }
                "AUTH" => {
                    login = Some(line.trim().to_owned());
                    "235 ok".into()
                }
                "RCPT" => {
                    let address = line.split(['<', '>']).nth(1).unwrap().to_owned();
                    let mut refuse = self.refuse.lock().unwrap();
                    match refuse.iter().position(|(whom, _)| *whom == address) {
                        Some(place) => refuse.remove(place).1,
                        None => {
                            to.push(address);
                            "250 ok".into()
                        }
                    }
                }
                "DATA" => {
                    stream.write_all(b"354 go\r\n").await?;
                    let mut text = String::new();
                    while !text.ends_with("\r\n.\r\n") {
                        stream.read_line(&mut text).await?;
                    }
                    let taken = Taken { to: std::mem::take(&mut to), text, encrypted, login: login.clone() };
                    self.taken.lock().unwrap().push(taken);
                    "250 taken".into()
                }
                "MAIL" | "RSET" => {
                    to.clear();
                    "250 ok".into()
                }
                "QUIT" => {
                    stream.write_all(b"221 bye\r\n").await?;
                    return Ok(false);
                }
                _ => "500 what?".into(),
            };
            stream.write_all(format!("{reply}\r\n").as_bytes()).await?;
        }
    }
}

fn table(port: u16, text: &str) -> String {
    format!(
        "name = \"t\"\ntype = \"email\"\nhost = \"localhost\"\nport = {port}\nfrom = \"Lurcher <lurcher@corp.example>\"\nretry_first = \"20ms\"\n{text}"
    )
}

#[tokio::test]
async fn a_mail_in_plain_text_and_html_to_all() {
    let server = Server::default();
    let port = server.clone().start().await;
    let outbox = MemoryOutbox::new();
    let mut hostile = alert("a1");
    hostile["rule"]["name"] = "Rule\r\nBcc: everybody@corp.example".into();
    outbox.put("t", hostile);
    outbox.put("t", alert("a2"));
    let text = "security = \"none\"\nto = [\"soc@corp.example\", \"Duty <duty@corp.example>\"]\ncc = [\"boss@corp.example\"]\nlink = \"https://l/{{ id }}\"";
    let running = start(&outbox, &[table(port, text)]);
    outbox.settled("t").await;
    running.stop().await;
    assert_eq!(*server.connections.lock().unwrap(), 1, "a batch shares a connection");
    let taken = server.taken.lock().unwrap().clone();
    assert_eq!(taken.len(), 2);
    let mail = &taken[0];
    assert_eq!(mail.to, ["soc@corp.example", "duty@corp.example", "boss@corp.example"]);
    for part in [
        "Message-ID: <t-a1@corp.example>",
        "From: Lurcher <lurcher@corp.example>",
        "To: soc@corp.example, Duty <duty@corp.example>",
        "Cc: boss@corp.example",
        "Auto-Submitted: auto-generated",
        "Content-Type: multipart/alternative",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Type: text/html; charset=utf-8",
        "https://l/a1",
    ] {
        assert!(mail.text.contains(part), "{part}\n{}", mail.text);
    }
    let (headers, _) = mail.text.split_once("\r\n\r\n").unwrap();
    assert!(headers.contains("Subject: [HIGH] Rule  Bcc: everybody@corp.example"), "{headers}");
    assert!(!headers.contains("\r\nBcc:"), "{headers}");
    assert!(taken[1].text.contains("Credential &lt;dumping&gt;"), "{}", taken[1].text);
}

#[tokio::test]
async fn refused_recipients_do_not_keep_others_from_theirs() {
    let server = Server::default();
    server.refuse.lock().unwrap().extend([
        ("gone@corp.example".to_owned(), "550 no such user".to_owned()),
        ("grey@corp.example".to_owned(), "450 try later".to_owned()),
    ]);
    let port = server.clone().start().await;
    let outbox = MemoryOutbox::new();
    let id = outbox.put("t", alert("a1"));
    let text = "security = \"none\"\nto = [\"soc@corp.example\", \"gone@corp.example\", \"grey@corp.example\"]";
    let running = start(&outbox, &[table(port, text)]);
    outbox.settled("t").await;
    assert_eq!(outbox.state(id), State::Delivered);
    assert_eq!(outbox.history(id).0, 1);
    let to: Vec<Vec<String>> = server.taken.lock().unwrap().iter().map(|mail| mail.to.clone()).collect();
    // The second time the first is not told again, and the one that was gone is there.
    assert_eq!(to, [vec!["soc@corp.example"], vec!["gone@corp.example", "grey@corp.example"]]);
    running.stop().await;
}

#[tokio::test]
async fn a_letter_that_nobody_may_have_is_dead_after_one_attempt() {
    let server = Server::default();
    server.refuse.lock().unwrap().push(("gone@corp.example".to_owned(), "550 no such user".to_owned()));
    let port = server.clone().start().await;
    let outbox = MemoryOutbox::new();
    let first = outbox.put("t", alert("a1"));
    let second = outbox.put("t", alert("a2"));
    let running = start(&outbox, &[table(port, "security = \"none\"\nto = [\"gone@corp.example\"]")]);
    outbox.settled("t").await;
    let State::Dead(error) = outbox.state(first) else { panic!("{:?}", outbox.state(first)) };
    assert!(error.contains("gone@corp.example") && error.contains("550 no such user"), "{error}");
    assert_eq!(outbox.state(second), State::Delivered, "the transaction before it left nothing behind");
    running.stop().await;
}

#[tokio::test]
async fn starttls_and_tls_with_a_login() {
    let authority = authority();
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, &authority.ca_pem).unwrap();
    let login = format!(
        "username = \"u\"\npassword = \"hunter2\"\nto = [\"soc@corp.example\"]\ntls = {{ ca = {:?} }}",
        ca.display().to_string()
    );
    let acceptor = Some(authority.acceptor.clone());
    for (security, server) in [
        ("starttls", Server { starttls: acceptor.clone(), ..Server::default() }),
        ("tls", Server { tls: acceptor.clone(), ..Server::default() }),
    ] {
        let port = server.clone().start().await;
        let target = target(&table(port, &format!("security = \"{security}\"\n{login}")));
        assert!(target.check(SystemClock.now()).await.unwrap().contains("lets us in"));
        assert_eq!(send_test(&target, SystemClock.now()).await, Ok(()));
        let taken = server.taken.lock().unwrap().clone();
        assert!(taken[0].encrypted && taken[0].login.is_some(), "{security}: {taken:?}");
    }
    // A server that offers no TLS gets nothing.
    let plain = Server::default();
    let port = plain.clone().start().await;
    let asking = target(&table(port, &login));
    let fault = send_test(&asking, SystemClock.now()).await.unwrap_err();
    assert!(fault.message.contains("STARTTLS"), "{fault}");
    assert!(plain.taken.lock().unwrap().is_empty());
    // Nor does one that nobody vouches for.
    std::fs::write(&ca, &crate::tls::authority().ca_pem).unwrap();
    let stranger = Server { tls: acceptor, ..Server::default() };
    let port = stranger.clone().start().await;
    let distrusting = target(&table(port, &format!("security = \"tls\"\n{login}")));
    let fault = send_test(&distrusting, SystemClock.now()).await.unwrap_err();
    assert!(!fault.permanent && fault.message.contains("certificate"), "{fault}");
}

#[test]
fn bad_options_are_refused_when_the_configuration_is_loaded() {
    for (text, part) in [
        ("to = []", "to: there is no recipient"),
        ("to = [\"nobody\"]", "to: `nobody` is no address"),
        ("to = [\"a@b\"]\nusername = \"u\"", "go together"),
        ("to = [\"a@b\"]\nsecurity = \"none\"\nusername = \"u\"\npassword = \"p\"", "in the clear"),
        ("to = [\"a@b\"]\nsubject = \"{{ sverity }}\"", "subject: line 1: no alert has `sverity`"),
        ("to = [\"a@b\"]\nhtml = \"{% if %}\"", "html: line 1: syntax error"),
        ("to = [\"a@b\"]\ntext_file = \"/no/such\"", "text_file: cannot read /no/such"),
    ] {
        let problem = Target::new(&configuration(&table(25, text))).unwrap_err().to_string();
        assert!(problem.contains(part), "{problem}");
    }
}
