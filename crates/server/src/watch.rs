//! What is looked at now and then while the server runs: room on the disk, and certificates that have changed.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{
    disk,
    health::{Condition, Health},
    http::Tls,
    lifecycle::Stop,
    metrics::Metrics,
    settings::DiskSettings,
};

/// How often the files of certificates are looked at.
const CERTIFICATES_EVERY: Duration = Duration::from_secs(5);

/// Whether the disk is too full to take anything in.
#[derive(Clone, Debug, Default)]
pub struct Fullness(Arc<AtomicBool>);

impl Fullness {
    /// Whether it is.
    pub fn is_full(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What is looked at.
#[derive(Debug)]
pub struct Watch {
    /// The folder of state.
    pub folder: PathBuf,
    /// When its disk is too full.
    pub disk: DiskSettings,
    /// Certificates.
    pub tls: Option<Arc<Tls>>,
    /// Where it is said.
    pub health: Arc<Health>,
    /// Where it is counted.
    pub metrics: Arc<Metrics>,
    /// What whoever takes records in asks.
    pub fullness: Fullness,
}

impl Watch {
    /// Looks until the stop begins. The first look is at once.
    pub async fn run(self, stop: Stop) {
        let mut disk = tokio::time::interval(self.disk.every.0);
        let mut certificates = tokio::time::interval(CERTIFICATES_EVERY);
        loop {
            tokio::select! {
                () = stop.begun() => return,
                _ = disk.tick() => self.look_at_disk(),
                _ = certificates.tick() => if let Some(tls) = &self.tls {
                    self.say_of_certificates(tls.reload_if_changed());
                },
            }
        }
    }

    /// Looks how much room there is.
    pub fn look_at_disk(&self) {
        let free = match disk::free(&self.folder) {
            Ok(free) => free,
            Err(error) => {
                self.health.set("disk", Condition::Degraded(format!("{}: {error}", self.folder.display())));
                return;
            }
        };
        self.metrics.disk_free_bytes.set(i64::try_from(free).unwrap_or(i64::MAX));
        let full = free < self.disk.refuse_below.0;
        self.fullness.0.store(full, Ordering::Relaxed);
        self.health.set(
            "disk",
            match free {
                _ if full => Condition::Unready("the disk is full; nothing more is taken in".into()),
                free if free < self.disk.warn_below.0 => {
                    Condition::Degraded(format!("less than {} free", self.disk.warn_below))
                }
                _ => Condition::Ready,
            },
        );
    }

    /// Says whether certificates could be read. Also to be called after a reload that was asked for.
    pub fn say_of_certificates(&self, reloaded: Result<bool, String>) {
        match reloaded {
            Ok(false) => {}
            Ok(true) => {
                tracing::info!("certificates were read again");
                self.metrics.certificates_valid.set(1);
                self.health.set("certificates", Condition::Ready);
            }
            Err(why) => {
                tracing::error!(%why, "certificates cannot be used; those before stay in use");
                self.metrics.certificates_valid.set(0);
                self.health.set("certificates", Condition::Degraded(why));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Size, Span};

    #[test]
    fn a_full_disk_is_said_and_stops_the_intake() {
        let watch = |warn_below, refuse_below| Watch {
            folder: ".".into(),
            disk: DiskSettings {
                warn_below: Size(warn_below),
                refuse_below: Size(refuse_below),
                every: Span::seconds(1),
            },
            tls: None,
            health: Arc::default(),
            metrics: Arc::default(),
            fullness: Fullness::default(),
        };
        let roomy = watch(0, 0);
        roomy.look_at_disk();
        assert!(roomy.health.is_ready() && !roomy.fullness.is_full());
        assert!(roomy.metrics.disk_free_bytes.get() > 0);
        let narrow = watch(u64::MAX, 0);
        narrow.look_at_disk();
        assert!(matches!(narrow.health.parts()["disk"], Condition::Degraded(_)) && narrow.health.is_ready());
        let full = watch(u64::MAX, u64::MAX);
        full.look_at_disk();
        assert!(full.fullness.is_full() && !full.health.is_ready());
    }
}
