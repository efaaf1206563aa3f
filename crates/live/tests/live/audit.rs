//! Records of the Linux audit daemon that belong to one event are joined however they arrive, as they are in a file.

use std::sync::Arc;

use lurcher_schema::{Timestamp, VirtualClock};

use crate::{
    at,
    support::{Engine, write_rule},
};

const RECORDS: [&str; 4] = [
    "type=SYSCALL msg=audit(1772438400.100:7): arch=c000003e syscall=59 success=yes exit=0 ppid=1 pid=2 uid=0 comm=\"nc\" \
     exe=\"/usr/bin/nc\"",
    "type=EXECVE msg=audit(1772438400.100:7): argc=2 a0=\"nc\" a1=\"-l\"",
    "type=CWD msg=audit(1772438400.100:7): cwd=\"/root\"",
    "type=PROCTITLE msg=audit(1772438400.100:7): proctitle=6E63002D6C",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_arrive_one_by_one_are_one_event_also_over_a_restart() {
    let rules = tempfile::tempdir().unwrap();
    // Only the joined event has all three, each from a record of its own.
    let query = "any where process.executable == \"/usr/bin/nc\" and process.args == \"-l\" and \
                 process.working_directory == \"/root\"";
    write_rule(rules.path(), "nc.toml", "Listener", query);
    let text = std::fs::read_to_string(rules.path().join("nc.toml")).unwrap();
    std::fs::write(rules.path().join("nc.toml"), text.replace("logs-*", "*")).unwrap();
    for restart in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let begin = at("2026-03-02T08:00:00Z");
        let clock = Arc::new(VirtualClock::at(begin));
        let mut engine = Engine::start(folder.path(), rules.path(), Arc::clone(&clock)).await;
        for (number, record) in RECORDS.iter().enumerate() {
            clock.set(Timestamp(begin.0 + 200_000 * (number as i64 + 1)));
            engine.deliver_lines(&format!("{record}\n")).await;
            engine.settle().await;
            if restart && number == 1 {
                engine.stop().await;
                let key = engine.key.clone();
                engine = Engine::start_with_key(folder.path(), rules.path(), Arc::clone(&clock), key).await;
            }
        }
        assert_eq!(engine.alerts(1).await.len(), 1, "restart: {restart}");
        engine.stop().await;
    }
}
