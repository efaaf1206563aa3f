//! What takes longer than a request: hunts, simulations, backfills. A job has progress, can be cancelled, and keeps what it
//! found, within bounds, until newer jobs push it out. Jobs do not outlive the server.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use lurcher_schema::{Clock, Timestamp};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, value::RawValue};
use tokio::sync::{Notify, Semaphore};
use utoipa::ToSchema;

use crate::{
    detection::Refused,
    events::{Events, Topic},
};

/// Ended jobs that are kept.
const KEPT: usize = 100;
/// Jobs that may wait for their turn.
const WAITING: usize = 50;
/// Bytes of rows that a job keeps.
const MOST_BYTES: u64 = 64 << 20;

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum JobKind {
    /// A query over stored events.
    Hunt,
    /// A rule over stored events, telling nobody.
    Simulation,
    /// A rule over stored events, keeping what it finds.
    Backfill,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// It waits for others to end.
    Waiting,
    /// It runs.
    Running,
    /// It came to its end.
    Done,
    /// It broke.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
}

/// A job as the API shows it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct JobView {
    /// Its id.
    pub id: String,
    /// What it does.
    pub kind: JobKind,
    /// How far it is.
    pub state: JobState,
    /// The name of the key that asked for it.
    pub by: String,
    /// When it was asked for; RFC 3339.
    pub created: String,
    /// When it ended; RFC 3339.
    pub ended: Option<String>,
    /// How much of its work is done, from 0 to 1.
    pub progress: f64,
    /// Events that it has looked at.
    pub events: u64,
    /// Rows that it has found and kept.
    pub rows: u64,
    /// Whether it found more than it may keep.
    pub truncated: bool,
    /// Why it failed.
    pub error: Option<String>,
    /// What was asked for.
    pub request: Json,
    /// What it has to say at its end.
    pub summary: Json,
}

/// A job that somebody asked for. What works at it reports here.
#[derive(Debug)]
pub struct Job {
    number: u64,
    kind: JobKind,
    by: String,
    created: Timestamp,
    request: Json,
    limit: usize,
    events: AtomicU64,
    /// Thousandths.
    progress: AtomicU64,
    cancelled: AtomicBool,
    wake: Notify,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    state: JobState,
    ended: Option<Timestamp>,
    rows: Vec<Box<RawValue>>,
    bytes: u64,
    truncated: bool,
    error: Option<String>,
    summary: Json,
}

impl Job {
    /// Keeps a row. Returns false if the job should stop: it was cancelled, or has all the rows that it may keep.
    pub fn row(&self, row: &impl Serialize) -> bool {
        let Ok(row) = serde_json::value::to_raw_value(row) else { return !self.is_cancelled() };
        let mut inner = self.inner.lock();
        let bytes = inner.bytes + row.get().len() as u64;
        if inner.rows.len() >= self.limit || bytes > MOST_BYTES {
            inner.truncated = true;
            return false;
        }
        inner.bytes = bytes;
        inner.rows.push(row);
        drop(inner);
        !self.is_cancelled()
    }

    /// Says how much of the work is done, from 0 to 1, and how many events have been looked at.
    pub fn progress(&self, fraction: f64, events: u64) {
        self.progress.store((fraction.clamp(0.0, 1.0) * 1000.0) as u64, Ordering::Relaxed);
        self.events.store(events, Ordering::Relaxed);
    }

    /// Whether it was cancelled; whoever works at it stops soon.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }

    /// Its id.
    pub fn id(&self) -> String {
        self.number.to_string()
    }

    /// As the API shows it.
    pub fn view(&self) -> JobView {
        let inner = self.inner.lock();
        JobView {
            id: self.id(),
            kind: self.kind,
            state: inner.state,
            by: self.by.clone(),
            created: self.created.to_string(),
            ended: inner.ended.map(|time| time.to_string()),
            progress: self.progress.load(Ordering::Relaxed) as f64 / 1000.0,
            events: self.events.load(Ordering::Relaxed),
            rows: inner.rows.len() as u64,
            truncated: inner.truncated,
            error: inner.error.clone(),
            request: self.request.clone(),
            summary: inner.summary.clone(),
        }
    }

    /// Rows from a place on.
    pub fn rows(&self, offset: usize, limit: usize) -> Vec<Box<RawValue>> {
        self.inner.lock().rows.iter().skip(offset).take(limit).cloned().collect()
    }

    /// Cancels it; at an end it stays what it is.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::SeqCst);
        self.wake.notify_one();
    }

    fn has_ended(&self) -> bool {
        self.inner.lock().ended.is_some()
    }
}

/// All jobs.
#[derive(Debug)]
pub struct Jobs {
    clock: Arc<dyn Clock>,
    events: Arc<Events>,
    turns: Arc<Semaphore>,
    next: AtomicU64,
    all: Mutex<BTreeMap<u64, Arc<Job>>>,
}

/// What a job is to do and for whom.
#[derive(Clone, Debug)]
pub struct JobRequest {
    /// What it does.
    pub kind: JobKind,
    /// The name of the key that asks for it.
    pub by: String,
    /// What was asked for.
    pub request: Json,
    /// Rows that it may keep.
    pub limit: usize,
}

impl Jobs {
    /// So many run at a time.
    pub fn new(clock: Arc<dyn Clock>, events: Arc<Events>, at_a_time: usize) -> Self {
        let turns = Arc::new(Semaphore::new(at_a_time.max(1)));
        Self { clock, events, turns, next: AtomicU64::new(1), all: Mutex::default() }
    }

    /// Begins a job, when it is its turn. `None` if too many wait already.
    pub fn begin<F, W>(self: &Arc<Self>, request: JobRequest, work: W) -> Option<Arc<Job>>
    where
        W: FnOnce(Arc<Job>) -> F + Send + 'static,
        F: Future<Output = Result<Json, Refused>> + Send,
    {
        let JobRequest { kind, by, request, limit } = request;
        let job = Arc::new(Job {
            number: self.next.fetch_add(1, Ordering::SeqCst),
            kind,
            by,
            created: self.clock.now(),
            request,
            limit,
            events: AtomicU64::new(0),
            progress: AtomicU64::new(0),
            cancelled: AtomicBool::new(false),
            wake: Notify::new(),
            inner: Mutex::new(Inner {
                state: JobState::Waiting,
                ended: None,
                rows: Vec::new(),
                bytes: 0,
                truncated: false,
                error: None,
                summary: Json::Null,
            }),
        });
        self.keep(&job)?;
        let (jobs, running) = (self.clone(), job.clone());
        tokio::spawn(async move { jobs.run(running, work).await });
        Some(job)
    }

    fn keep(&self, job: &Arc<Job>) -> Option<()> {
        let mut all = self.all.lock();
        let (ended, open): (Vec<u64>, Vec<u64>) = all.keys().partition(|number| all[*number].has_ended());
        if open.len() >= WAITING {
            return None;
        }
        for number in ended.iter().take(ended.len().saturating_sub(KEPT - 1)) {
            all.remove(number);
        }
        all.insert(job.number, job.clone());
        Some(())
    }

    async fn run<F, W>(&self, job: Arc<Job>, work: W)
    where
        W: FnOnce(Arc<Job>) -> F,
        F: Future<Output = Result<Json, Refused>>,
    {
        let turn = tokio::select! {
            turn = self.turns.acquire() => turn.ok(),
            () = job.wake.notified() => None,
        };
        let result = if turn.is_some() && !job.is_cancelled() {
            job.inner.lock().state = JobState::Running;
            self.events.publish(Topic::Job, &job.view());
            work(job.clone()).await
        } else {
            Ok(Json::Null)
        };
        drop(turn);
        self.end(&job, result);
    }

    fn end(&self, job: &Job, result: Result<Json, Refused>) {
        let mut inner = job.inner.lock();
        inner.ended = Some(self.clock.now());
        match result {
            Ok(summary) => {
                inner.summary = summary;
                inner.state = if job.is_cancelled() { JobState::Cancelled } else { JobState::Done };
                if inner.state == JobState::Done {
                    job.progress.store(1000, Ordering::Relaxed);
                }
            }
            Err(Refused::Unknown(why) | Refused::Invalid(why)) => {
                inner.error = Some(why);
                inner.state = JobState::Failed;
            }
            Err(Refused::Failed(cause)) => {
                tracing::error!(job = job.number, %cause, "a job failed");
                inner.error = Some(format!("it failed; see the server's log for job {}", job.number));
                inner.state = JobState::Failed;
            }
        }
        drop(inner);
        self.events.publish(Topic::Job, &job.view());
    }

    /// One of them.
    pub fn get(&self, id: &str) -> Option<Arc<Job>> {
        self.all.lock().get(&id.parse().ok()?).cloned()
    }

    /// All that are kept, newest first.
    pub fn list(&self) -> Vec<Arc<Job>> {
        self.all.lock().values().rev().cloned().collect()
    }

    /// Cancels all.
    pub fn cancel_all(&self) {
        self.list().iter().for_each(|job| job.cancel());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lurcher_schema::VirtualClock;

    use super::*;

    fn jobs(at_a_time: usize) -> Arc<Jobs> {
        let clock = Arc::new(VirtualClock::at(Timestamp(0)));
        let events = Arc::new(Events::new(&*clock, 100));
        Arc::new(Jobs::new(clock, events, at_a_time))
    }

    fn request(limit: usize) -> JobRequest {
        JobRequest { kind: JobKind::Hunt, by: "ann".into(), request: Json::Null, limit }
    }

    async fn ended(job: &Job) -> JobView {
        for _ in 0..500 {
            if job.has_ended() {
                return job.view();
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("the job did not end: {:?}", job.view());
    }

    #[tokio::test]
    async fn rows_are_kept_up_to_the_limit_and_paged() {
        let jobs = jobs(1);
        let work = async |job: Arc<Job>| {
            let kept = (0..10).take_while(|row| job.row(row)).count();
            Ok(serde_json::json!({"kept": kept}))
        };
        let job = jobs.begin(request(3), work).unwrap();
        let view = ended(&job).await;
        assert_eq!((view.state, view.rows, view.truncated, view.progress), (JobState::Done, 3, true, 1.0));
        assert_eq!(view.summary["kept"], 3);
        assert_eq!(job.rows(1, 5).iter().map(|row| row.get().to_owned()).collect::<Vec<_>>(), ["1", "2"]);
    }

    #[tokio::test]
    async fn a_job_waits_for_its_turn_and_can_be_cancelled_before_and_after() {
        let jobs = jobs(1);
        let until_cancelled = async |job: Arc<Job>| {
            while !job.is_cancelled() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            Ok(Json::Null)
        };
        let first = jobs.begin(request(1), until_cancelled).unwrap();
        let second = jobs.begin(request(1), until_cancelled).unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(second.view().state, JobState::Waiting);
        second.cancel();
        assert_eq!(ended(&second).await.state, JobState::Cancelled);
        assert_eq!(first.view().state, JobState::Running);
        first.cancel();
        assert_eq!(ended(&first).await.state, JobState::Cancelled);
    }

    #[tokio::test]
    async fn jobs_are_bounded_and_a_failure_is_said() {
        let jobs = jobs(1);
        let held = jobs.begin(request(1), async |_| std::future::pending().await).unwrap();
        for _ in 1..WAITING {
            assert!(jobs.begin(request(1), async |_| Ok(Json::Null)).is_some());
        }
        assert!(jobs.begin(request(1), async |_| Ok(Json::Null)).is_none());
        drop(held);
        let jobs = self::jobs(8);
        let failed = jobs.begin(request(1), async |_| Err(Refused::Invalid("line 1: what?".into()))).unwrap();
        assert_eq!(ended(&failed).await.error.as_deref(), Some("line 1: what?"));
        let broken = jobs.begin(request(1), async |_| Err(Refused::Failed("/secret/path".into()))).unwrap();
        assert!(!ended(&broken).await.error.unwrap().contains("secret"));
        for _ in 0..2 * KEPT {
            ended(&jobs.begin(request(1), async |_| Ok(Json::Null)).unwrap()).await;
        }
        assert!(jobs.list().len() <= KEPT);
    }
}
