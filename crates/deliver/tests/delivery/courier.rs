//! The courier: nothing is lost, nobody waits for another, and it stops when told.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use lurcher_deliver::targets;

use crate::{
    outbox::{MemoryOutbox, State, alert, configuration, start, until},
    web::{Reply, Web},
};

fn hook(name: &str, url: &str, more: &str) -> String {
    format!(
        "name = \"{name}\"\ntype = \"webhook\"\nurl = \"{url}\"\nretry_first = \"20ms\"\nretry_longest = \"100ms\"\n{more}"
    )
}

/// The process is cut after the other side took a letter and before that could be noted.
#[tokio::test]
async fn what_was_cut_between_sending_and_noting_is_sent_again_with_the_same_key() {
    let web = Web::replying([]).await;
    let outbox = MemoryOutbox::new();
    let ids: Vec<i64> = (0..3).map(|number| outbox.put("t", alert(&format!("a{number}")))).collect();
    outbox.frozen.store(true, Ordering::SeqCst);
    let cut = start(&outbox, &[hook("t", &web.url, "")]);
    until("the first is sent", || !web.asked().is_empty()).await;
    cut.task.abort();
    let _ = cut.task.await;
    assert_eq!(outbox.state(ids[0]), State::Waiting);
    outbox.frozen.store(false, Ordering::SeqCst);
    let running = start(&outbox, &[hook("t", &web.url, "")]);
    outbox.settled("t").await;
    running.stop().await;
    let mut keys = BTreeMap::<String, u32>::new();
    for asked in web.asked() {
        *keys.entry(asked.header("idempotency-key").to_owned()).or_default() += 1;
    }
    assert_eq!(keys, BTreeMap::from([("t-a0".into(), 2), ("t-a1".into(), 1), ("t-a2".into(), 1)]));
}

#[tokio::test]
async fn an_outbox_that_cannot_be_written_does_not_make_letters_go_twice() {
    let web = Web::replying([]).await;
    let outbox = MemoryOutbox::new();
    outbox.put("t", alert("a1"));
    outbox.broken.store(true, Ordering::SeqCst);
    let running = start(&outbox, &[hook("t", &web.url, "")]);
    let errors = || running.counters.snapshot().get("t").map_or(0, |counts| counts.outbox_errors);
    until("it was tried several times", || errors() > 2).await;
    outbox.broken.store(false, Ordering::SeqCst);
    outbox.settled("t").await;
    running.stop().await;
    assert_eq!(web.asked().len(), 1);
}

#[tokio::test]
async fn a_slow_a_broken_and_a_dead_target_hold_nobody_up() {
    let slow = Web::start([], |_| Reply::Stall(Duration::from_mins(1))).await;
    let broken = Web::start([], |_| Reply::Status(500, "no".into())).await;
    let good = Web::replying([]).await;
    let outbox = MemoryOutbox::new();
    for name in ["slow", "broken", "away", "good"] {
        for number in 0..20 {
            outbox.put(name, alert(&format!("a{number}")));
        }
    }
    let begun = Instant::now();
    let running = start(
        &outbox,
        &[
            hook("slow", &slow.url, ""),
            hook("broken", &broken.url, ""),
            hook("away", "http://127.0.0.1:1/", ""),
            hook("good", &good.url, ""),
        ],
    );
    outbox.settled("good").await;
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    assert_eq!(good.asked().len(), 20);
    tokio::time::sleep(Duration::from_millis(500)).await;
    // An outage costs a few attempts, not one for every letter.
    let counts = running.counters.snapshot();
    assert!((1..30).contains(&counts["broken"].failed), "{counts:?}");
    assert!(counts["away"].failed > 0 && counts["away"].last_error.is_some(), "{counts:?}");
    assert_eq!((counts["slow"].delivered, counts["slow"].failed), (0, 0));
    running.task.abort();
}

#[tokio::test]
async fn attempts_and_age_are_bounded() {
    let web = Web::start([], |_| Reply::Status(500, "never".into())).await;
    let outbox = MemoryOutbox::new();
    let counted = outbox.put("counted", alert("a1"));
    let aged = outbox.put("aged", alert("a1"));
    let running =
        start(&outbox, &[hook("counted", &web.url, "max_attempts = 3"), hook("aged", &web.url, "max_age = \"1ms\"")]);
    outbox.settled("counted").await;
    outbox.settled("aged").await;
    running.stop().await;
    assert_eq!(outbox.history(counted).0, 2);
    assert!(
        matches!(outbox.state(counted), State::Dead(error) if error.starts_with("given up after 3 attempts: answered 500"))
    );
    assert!(matches!(outbox.state(aged), State::Dead(error) if error.starts_with("given up after 0 min: ")));
}

#[tokio::test]
async fn retry_after_is_kept_to() {
    let web = Web::replying([Reply::RetryAfter(429, "2".into())]).await;
    let outbox = MemoryOutbox::new();
    outbox.put("t", alert("a1"));
    let begun = Instant::now();
    let running = start(&outbox, &[hook("t", &web.url, "")]);
    until("it is asked", || !web.asked().is_empty()).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(running.counters.snapshot()["t"].paused);
    // Other letters wait with it.
    outbox.put("t", alert("a2"));
    outbox.settled("t").await;
    assert!(begun.elapsed() >= Duration::from_secs(2), "{:?}", begun.elapsed());
    running.stop().await;
}

/// The other side takes everything but one letter, which it can never digest.
#[tokio::test]
async fn a_poison_letter_does_not_block_those_behind_it() {
    let web = Web::start([], |asked| {
        if asked.header("idempotency-key") == "t-poison" {
            Reply::Status(500, "boom".into())
        } else {
            Reply::Status(200, String::new())
        }
    })
    .await;
    let outbox = MemoryOutbox::new();
    let poison = outbox.put("t", alert("poison"));
    let others: Vec<i64> = (0..10).map(|number| outbox.put("t", alert(&format!("a{number}")))).collect();
    let running = start(&outbox, &[hook("t", &web.url, "")]);
    until("the others are delivered", || others.iter().all(|id| outbox.state(*id) == State::Delivered)).await;
    assert_eq!(outbox.state(poison), State::Waiting);
    running.stop().await;
}

#[tokio::test]
async fn no_more_than_so_many_a_minute() {
    let web = Web::replying([]).await;
    let outbox = MemoryOutbox::new();
    for number in 0..40 {
        outbox.put("t", alert(&format!("a{number}")));
    }
    // One in three seconds, and two at once.
    let running = start(&outbox, &[hook("t", &web.url, "per_minute = 20")]);
    until("the burst is through", || web.asked().len() >= 2).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(web.asked().len() <= 3, "{}", web.asked().len());
    running.stop().await;
    assert!(web.asked().len() <= 3);
}

#[tokio::test]
async fn what_is_being_sent_is_finished_and_noted_before_it_stops() {
    let web = Web::start([], |_| Reply::Stall(Duration::from_millis(500))).await;
    let outbox = MemoryOutbox::new();
    let first = outbox.put("t", alert("a1"));
    let second = outbox.put("t", alert("a2"));
    let running = start(&outbox, &[hook("t", &web.url, "")]);
    until("the first is being sent", || !web.asked().is_empty()).await;
    running.stop().await;
    assert_eq!((outbox.state(first), outbox.state(second)), (State::Delivered, State::Waiting));
}

#[tokio::test]
async fn a_server_that_drops_every_other_connection_loses_nothing() {
    let taken = Arc::new(Mutex::new(BTreeMap::<String, u32>::new()));
    let theirs = Arc::clone(&taken);
    let drops = Arc::new(AtomicBool::new(true));
    let (listener, address) = crate::tls::listener().await;
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let dropping = drops.fetch_xor(true, Ordering::SeqCst);
            let mut request = vec![0; 65_536];
            let length = stream.read(&mut request).await.unwrap_or(0);
            let text = String::from_utf8_lossy(&request[..length]).into_owned();
            let key =
                text.lines().find_map(|line| line.strip_prefix("idempotency-key: ")).unwrap_or_default().to_owned();
            *theirs.lock().unwrap().entry(key).or_default() += 1;
            if !dropping {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
            }
        }
    });
    let outbox = MemoryOutbox::new();
    for number in 0..10 {
        outbox.put("t", alert(&format!("a{number}")));
    }
    let running = start(&outbox, &[hook("t", &format!("http://{address}/"), "")]);
    outbox.settled("t").await;
    assert_eq!(running.counters.snapshot()["t"].delivered, 10);
    running.stop().await;
    assert_eq!(taken.lock().unwrap().len(), 10);
}

#[test]
fn every_problem_of_every_target_is_said_at_once() {
    let file = |name: &str| format!("name = \"{name}\"\ntype = \"file\"\npath = \"/tmp/lurcher-same.jsonl\"");
    let off = "name = \"off\"\ntype = \"slack\"\nenabled = false\nurl = { env = \"LURCHER_NO_SUCH\" }";
    let on = "name = \"on\"\ntype = \"slack\"\nurl = { env = \"LURCHER_NO_SUCH\" }";
    let configs = [file("a"), file("b"), file("a"), off.to_owned(), on.to_owned()].map(|text| configuration(&text));
    let problems: Vec<String> = targets(&configs).unwrap_err().iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "deliver \"b\": path: \"a\" writes to the same file; give each its own",
            "deliver \"a\": name: another target has it too; every target needs its own",
            "deliver \"on\": url: the environment variable LURCHER_NO_SUCH is not set; set it where the server is started",
        ]
    );
}

#[test]
fn people_get_findings_and_systems_get_all() {
    let mut risk = alert("a1");
    risk["kind"] = "risk".into();
    let chat = crate::outbox::target("name = \"t\"\ntype = \"slack\"\nurl = \"https://x/\"\nmin_severity = \"high\"");
    assert!(chat.wants(&alert("a1")) && !chat.wants(&risk));
    let index = crate::outbox::target("name = \"t\"\ntype = \"elasticsearch\"\nurl = \"https://x/\"");
    assert!(index.wants(&risk));
    assert_eq!(index.format().map(lurcher_deliver::Format::name), Some("elastic"));
    assert_eq!(chat.format(), None);
}
