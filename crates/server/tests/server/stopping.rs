//! The stop: what is open is finished, nothing new is taken, and it ends in time.

use std::time::{Duration, Instant};

use lurcher_server::{health::Condition, settings::Span};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::house::House;

#[tokio::test]
async fn what_is_open_is_finished_and_nothing_new_is_taken() {
    let house = House::open().await;
    let address = house.address;
    // A connection that is kept alive and idle does not hold the stop up.
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let slow = tokio::spawn(house.request("GET", "/slow").send());
    tokio::time::sleep(Duration::from_millis(100)).await;
    let since = Instant::now();
    house.close().await;
    assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
    assert_eq!(slow.await.unwrap().unwrap().status(), 200);
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn what_does_not_finish_is_cut_off() {
    let house = House::open_with(|settings, _| settings.stop_within = Span(Duration::from_millis(50))).await;
    let slow = tokio::spawn(house.request("GET", "/very-slow").send());
    tokio::time::sleep(Duration::from_millis(50)).await;
    let since = Instant::now();
    house.close().await;
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    drop(slow);
}

#[tokio::test]
async fn readiness_names_each_part_with_its_reason() {
    let house = House::open().await;
    house.health.set("journal", Condition::Ready);
    assert_eq!(house.get("/ready").await.status, 200);
    house.health.set("detector", Condition::Unready("it loads rules".into()));
    let ready = house.send(house.request("GET", "/ready")).await;
    assert_eq!((ready.status, ready.json()["parts"]["detector"]["reason"].as_str()), (503, Some("it loads rules")));
    assert_eq!(house.send(house.request("GET", "/health")).await.status, 200);
    house.close().await;
}
