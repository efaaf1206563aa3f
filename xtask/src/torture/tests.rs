//! A stand-in for the server, on a real socket: it takes events over the same paths and keeps them in memory, and can be
//! told to be a bad one.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use super::{
    checker::{Account, Due, check, expected},
    load::{self, Book, Fate, Mark},
};

#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Sound,
    /// Takes every tenth request and stores nothing of it.
    Forgetful,
    /// Answers every fourth request that it is busy.
    Busy,
    /// Breaks the connection of the fifth request, having stored its events.
    Mute,
}

#[derive(Default)]
struct Kept {
    requests: u32,
    events: Vec<Mark>,
}

fn serve(manner: Manner) -> (SocketAddr, Arc<Mutex<Kept>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let kept = Arc::new(Mutex::new(Kept::default()));
    let books = Arc::clone(&kept);
    thread::spawn(move || {
        for socket in listener.incoming() {
            let books = Arc::clone(&books);
            thread::spawn(move || answer(socket.unwrap(), manner, &books));
        }
    });
    (address, kept)
}

fn answer(mut socket: TcpStream, manner: Manner, kept: &Mutex<Kept>) {
    let mut reader = BufReader::new(socket.try_clone().unwrap());
    let (mut length, mut path) = (0, String::new());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if path.is_empty() {
            path = line.split(' ').nth(1).unwrap().to_owned();
        }
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let text = String::from_utf8(body).unwrap();
    let events: Vec<Mark> = text.lines().filter_map(|line| Mark::all_in(line).first().copied()).collect();
    let (status, said) = {
        let mut kept = kept.lock().unwrap();
        kept.requests += 1;
        let number = kept.requests;
        if manner == Manner::Busy && number.is_multiple_of(4) {
            (503, json!({"text": "Server is busy", "code": 9}))
        } else {
            if manner != Manner::Forgetful || !number.is_multiple_of(10) {
                kept.events.extend(&events);
            }
            if manner == Manner::Mute && number == 5 {
                return;
            }
            let items: Vec<Value> = events.iter().map(|_| json!({"create": {"status": 201}})).collect();
            let said = match path.as_str() {
                "/_bulk" => json!({"errors": false, "items": items}),
                "/services/collector/event" => json!({"text": "Success", "code": 0}),
                _ => json!({"accepted": events.len(), "malformed": 0}),
            };
            (200, said)
        }
    };
    let said = said.to_string();
    let head = format!("HTTP/1.1 {status} OK\r\nContent-Length: {}\r\n\r\n", said.len());
    let _ = socket.write_all(format!("{head}{said}").as_bytes());
}

/// Loads a stand-in and compares.
fn faults(manner: Manner) -> (Book, Vec<String>) {
    let (address, kept) = serve(manner);
    let stop = std::sync::atomic::AtomicBool::new(false);
    let book: Book = thread::scope(|scope| {
        let lanes: Vec<_> = (0..4)
            .map(|lane| {
                let stop = &stop;
                scope.spawn(move || load::run(address, "key", 1_700_000_000, lane, 10, Duration::from_millis(2), stop))
            })
            .collect();
        thread::sleep(Duration::from_millis(300));
        stop.store(true, std::sync::atomic::Ordering::SeqCst);
        lanes.into_iter().flat_map(|lane| lane.join().unwrap()).collect()
    });
    let mut account = Account::default();
    for mark in &kept.lock().unwrap().events {
        *account.stored.entry(*mark).or_default() += 1;
    }
    let alerts = expected(account.stored.keys().copied());
    account.alerts = alerts.into_iter().enumerate().map(|(id, marks)| (id.to_string(), marks)).collect();
    let faults = check(&book, &account, Due::All);
    (book, faults)
}

#[test]
fn a_sound_server_passes_under_load() {
    let (book, faults) = faults(Manner::Sound);
    assert!(book.len() > 30 && book.values().all(|fate| *fate == Fate::Acknowledged));
    assert_eq!(faults, [""; 0]);
}

#[test]
fn a_server_that_forgets_is_found_out() {
    let (_, faults) = faults(Manner::Forgetful);
    assert!(faults[0].starts_with("acknowledged and not in the store"), "{faults:?}");
}

#[test]
fn what_is_refused_or_unanswered_is_no_loss() {
    let (book, found) = faults(Manner::Busy);
    assert!(book.values().any(|fate| *fate == Fate::Refused));
    assert_eq!(found, [""; 0]);
    let (book, found) = faults(Manner::Mute);
    assert_eq!(book.values().filter(|fate| **fate == Fate::Unknown).count(), 10);
    assert_eq!(found, [""; 0]);
}
