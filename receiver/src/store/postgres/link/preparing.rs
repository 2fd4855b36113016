//! From a database that is there, or not yet, to one that has the tables of this program.

use std::time::Duration;

use super::super::migrate::{self, Failure, Unready};
use super::Link;

/// How often a database is looked for that was away at the start.
const TRY_EVERY: Duration = Duration::from_secs(1);

/// What a database is prepared for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    Use,
    Filling,
}

impl Link {
    /// Connects, and makes the tables what this program needs.
    pub(in crate::store) async fn prepare(&self) -> Result<(), Unready> {
        self.prepare_for(For::Use).await
    }

    /// The same, of a database that another one is being moved into.
    pub(in crate::store) async fn prepare_to_fill(&self) -> Result<(), Unready> {
        self.prepare_for(For::Filling).await
    }

    async fn prepare_for(&self, what: For) -> Result<(), Unready> {
        let mut client = self.connect().await?;
        let migrated = match migrate::run(&mut client).await {
            Ok(()) if what == For::Use => migrate::refuse_half(&client).await,
            migrated => migrated,
        };
        if let Err(error) = migrated {
            let unready = match error {
                Failure::Refused(sentence) => Unready::Never(format!("{}: {sentence}", self.0.settings)),
                Failure::Database(error) => self.unready(&error),
            };
            drop(deadpool_postgres::Object::take(client));
            self.is_away(&unready);
            return Err(unready);
        }
        self.state(|state| state.ready = true);
        Ok(())
    }

    /// Prepares as soon as the database is there.
    pub(in crate::store) fn prepare_when_there(&self) {
        let link = self.clone();
        tokio::spawn(async move {
            let mut told = None;
            loop {
                tokio::time::sleep(TRY_EVERY).await;
                let Err(unready) = link.prepare().await else {
                    return log::warn!("{}: it is there", link.0.settings);
                };
                // Each reason once.
                if told.as_ref() != Some(&unready) {
                    match &unready {
                        Unready::Away(why) => log::info!("{why}"),
                        Unready::Never(why) => log::error!("{why}; requests get 503 until that is changed"),
                    }
                }
                told = Some(unready);
            }
        });
    }

    /// Somebody else has prepared it.
    #[cfg(test)]
    pub(in crate::store::postgres) fn assume_ready(&self) {
        self.state(|state| state.ready = true);
    }
}
