//! Requests that come together are served together: a few tasks take what waits, as much at a time as there is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Mutex, oneshot};

use crate::store::StoreError;
use crate::store::rows::{Waiting, lost};

pub(super) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// Something that waits to be done.
pub(super) trait Job: Send + 'static {
    /// How much it adds to what is done at a time.
    fn weight(&self) -> usize;
}

/// The way to the tasks. They end with it.
pub(super) struct Queue<J> {
    jobs: UnboundedSender<J>,
    patience: Duration,
    waiting: AtomicUsize,
}

impl<J: Job> Queue<J> {
    /// Starts `tasks` tasks, each of which does up to `most` at a time. Who asks has an answer within `patience`, whatever
    /// the work does.
    pub(super) fn start<F>(
        (tasks, most): (usize, usize),
        patience: Duration,
        work: impl Fn(Vec<J>) -> F + Clone + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (jobs, receiver) = unbounded_channel();
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..tasks {
            let (receiver, work) = (Arc::clone(&receiver), work.clone());
            tokio::spawn(async move {
                loop {
                    let together = gather(&mut *receiver.lock().await, most).await;
                    if together.is_empty() {
                        return;
                    }
                    work(together).await;
                }
            });
        }
        let waiting = AtomicUsize::default();
        Self {
            jobs,
            patience,
            waiting,
        }
    }

    /// Questions without an answer yet.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    pub(super) async fn ask<T>(&self, job: impl FnOnce(Reply<T>) -> J) -> Result<T, StoreError> {
        let ended = || lost("the way to the database");
        let (reply, answer) = oneshot::channel();
        let _waiting = Waiting::new(&self.waiting);
        self.jobs.send(job(reply)).map_err(|_| ended())?;
        match tokio::time::timeout(self.patience, answer).await {
            Ok(answer) => answer.map_err(|_| ended())?,
            // The work may go on, and go well.
            Err(_) => Err(StoreError::Uncertain(format!(
                "the database gave no answer within {} s",
                self.patience.as_secs()
            ))),
        }
    }
}

/// Waits for the first, and takes what is there. Nothing when nobody is left to ask.
async fn gather<J: Job>(jobs: &mut UnboundedReceiver<J>, most: usize) -> Vec<J> {
    let mut together = Vec::new();
    let mut weight = 0;
    let mut next = jobs.recv().await;
    while let Some(job) = next {
        weight += job.weight();
        together.push(job);
        next = if weight < most { jobs.try_recv().ok() } else { None };
    }
    together
}

/// The request may have been given up meanwhile: then nobody is there to be told.
pub(super) fn answer<T>(reply: Reply<T>, result: Result<T, StoreError>) {
    let _ = reply.send(result);
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Question(Reply<u32>);

    impl Job for Question {
        fn weight(&self) -> usize {
            usize::from(!self.0.is_closed())
        }
    }

    #[tokio::test]
    async fn who_asks_has_an_answer_even_if_the_work_never_ends() {
        let queue = Queue::start((1, 1), Duration::from_millis(50), |held: Vec<Question>| async move {
            let _held = held;
            std::future::pending().await
        });
        // The second one never gets a turn.
        let (first, second) = tokio::join!(queue.ask(Question), queue.ask(Question));
        for answer in [first, second] {
            assert!(
                matches!(&answer, Err(StoreError::Uncertain(why)) if why.contains("no answer within")),
                "{answer:?}"
            );
        }
        assert_eq!(queue.waiting(), 0);
    }
}
