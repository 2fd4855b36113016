//! Wakes those who follow what is stored, on every receiver of this database.
//!
//! A notice takes a lock at its commit that all notices of the server share: it is sent for many commits together, and from
//! a connection of its own, so that no row waits for it. One that is lost costs a second: readers also look by themselves.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio_postgres::{AsyncMessage, Client, Connection};

use super::settings::DatabaseSettings;
use super::{error, tls};

/// Commits within this are told together.
const TOGETHER: Duration = Duration::from_millis(50);

/// How long it waits before it connects again.
const TRY_EVERY: Duration = Duration::from_secs(1);

const LISTEN: &str = "LISTEN sync_receiver_stored";
const NOTIFY: &str = "NOTIFY sync_receiver_stored";

/// What changes when something was committed, here (`own` says so) or by another receiver.
pub(super) fn everybodys(settings: DatabaseSettings, own: watch::Receiver<u64>) -> watch::Receiver<u64> {
    let (bell, heard) = watch::channel(0);
    tokio::spawn(pass_on(own.clone(), bell.clone()));
    tokio::spawn(keep(settings, own, bell));
    heard
}

fn ring(bell: &watch::Sender<u64>) {
    bell.send_modify(|count| *count = count.wrapping_add(1));
}

/// Who is here need not wait for the database's word.
async fn pass_on(mut own: watch::Receiver<u64>, bell: watch::Sender<u64>) {
    while own.changed().await.is_ok() {
        ring(&bell);
    }
}

/// Keeps a connection for as long as the receiver runs.
async fn keep(settings: DatabaseSettings, mut own: watch::Receiver<u64>, bell: watch::Sender<u64>) {
    let Ok(tls) = tls::connector(&settings.trust) else {
        return;
    };
    // An error is that of a receiver that has ended.
    while own.has_changed().is_ok() {
        match settings.config.connect(tls.clone()).await {
            Ok((client, connection)) => {
                let ours = Arc::default();
                let mut listening = tokio::spawn(listen(connection, Arc::clone(&ours), bell.clone()));
                let ended = tokio::select! {
                    ended = tell(&client, &mut own, &ours, &bell) => ended,
                    _ = &mut listening => Ok(()),
                };
                listening.abort();
                if let Err(error) = ended {
                    log::info!("{settings}: {}", error::reason(&error));
                }
            }
            Err(error) => log::info!("{settings}: {}", error::reason(&error)),
        }
        tokio::time::sleep(TRY_EVERY).await;
    }
}

/// Rings for every notice but our own; ends with the connection.
async fn listen<S, T>(mut connection: Connection<S, T>, ours: Arc<AtomicI32>, bell: watch::Sender<u64>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
        match message {
            AsyncMessage::Notification(notice) if notice.process_id() != ours.load(Ordering::Relaxed) => ring(&bell),
            _ => {}
        }
    }
}

/// Sends a notice for what is committed here; `ours` is told who sends it.
async fn tell(
    client: &Client,
    own: &mut watch::Receiver<u64>,
    ours: &AtomicI32,
    bell: &watch::Sender<u64>,
) -> Result<(), tokio_postgres::Error> {
    let id = client.query_one("SELECT pg_backend_pid()", &[]).await?.get(0);
    ours.store(id, Ordering::Relaxed);
    client.batch_execute(LISTEN).await?;
    // What was committed until now was told to nobody here.
    ring(bell);
    // An error is that of a receiver that has ended.
    while own.changed().await.is_ok() {
        client.batch_execute(NOTIFY).await?;
        tokio::time::sleep(TOGETHER).await;
    }
    Ok(())
}

#[cfg(test)]
mod on_postgres {
    use super::*;
    use crate::store::postgres::OwnDatabase;

    async fn rings(heard: &mut watch::Receiver<u64>) {
        tokio::time::timeout(Duration::from_secs(30), heard.changed())
            .await
            .unwrap()
            .unwrap();
    }

    /// Rings until the other hears it: it may not listen yet.
    async fn until_heard(own: &watch::Sender<u64>, heard: &mut watch::Receiver<u64>) {
        let ringing = async {
            loop {
                ring(own);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            () = ringing => {}
            () = rings(heard) => {}
        }
    }

    #[tokio::test]
    #[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
    async fn what_one_receiver_commits_wakes_the_others_once_for_many() {
        let database = OwnDatabase::default();
        let link = database.ready();
        let ((one, own), (other, others)) = (watch::channel(0), watch::channel(0));
        let mut here = everybodys(link.settings().clone(), own);
        let mut there = everybodys(link.settings().clone(), others);
        until_heard(&one, &mut there).await;
        until_heard(&other, &mut here).await;
        // After a break too.
        database.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND query ~ 'LISTEN|NOTIFY'");
        until_heard(&one, &mut there).await;
        until_heard(&other, &mut here).await;

        let before = *there.borrow();
        for _ in 0..1000 {
            ring(&one);
            tokio::task::yield_now().await;
        }
        rings(&mut there).await;
        // Nobody answers a notice with one: at last it is quiet.
        let mut quiet = *there.borrow();
        while tokio::time::timeout(4 * TOGETHER, there.changed()).await.is_ok() {
            quiet = *there.borrow();
            assert!(quiet - before < 100, "{}", quiet - before);
        }
        assert!(quiet - before < 100, "{}", quiet - before);
    }
}
