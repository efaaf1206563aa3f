//! Fast enough: 500 alerts a second in commits of 100, while others read.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use lurcher_triage::{AlertFilter, PageRequest, Sort};

use super::{
    database::{Store, run},
    samples::{alerts, commit, target},
};

#[test]
fn commits_keep_up_while_others_read() {
    run(async {
        let store = Store::sqlite().await;
        store.set_targets(vec![target("chat"), target("mail")]);
        let (stop, reads) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let reader = {
            let (triage, stop, reads) = (store.triage.clone(), stop.clone(), reads.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    triage.alerts(&AlertFilter::default(), Sort::default(), &PageRequest::default()).await.unwrap();
                    reads.fetch_add(1, Ordering::SeqCst);
                }
            })
        };
        let begin = Instant::now();
        for number in 0..20_u32 {
            store.commit(commit(u64::from(number), alerts(number * 100..number * 100 + 100))).await.unwrap();
        }
        let seconds = begin.elapsed().as_secs_f64();
        stop.store(true, Ordering::SeqCst);
        reader.await.unwrap();
        let rate = 2000.0 / seconds;
        eprintln!("{rate:.0} alerts a second, with {} lists read", reads.load(Ordering::SeqCst));
        assert!(reads.load(Ordering::SeqCst) > 0);
        // Far below what it is to be: this only finds what has become slow by an order of magnitude, on any machine.
        assert!(rate > 50.0, "{rate:.0} alerts a second");
    });
}
