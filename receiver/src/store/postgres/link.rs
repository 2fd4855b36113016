//! The way to the database: a few connections, made as they are needed, and what is said when there is none.

mod preparing;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use deadpool_postgres::{Client, Hook, HookError, Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, Runtime};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

use super::error::{is_full, is_over, is_passing, mistrust, reason};
use super::migrate::Unready;
use super::settings::DatabaseSettings;
use super::tls;
use crate::store::StoreError;
use crate::store::rows::Load;

/// Connections of one receiver for devices, and beside them for people. PostgreSQL comes with room for a hundred.
const CONNECTIONS: usize = 16;
const CONNECTIONS_OF_PEOPLE: usize = 8;

/// How long a request waits for one of them.
const WAIT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a statement may take by the server's clock, and by ours.
pub(super) const STATEMENT_TIMEOUT: Duration = Duration::from_secs(35);
const STATEMENT_S: u32 = 30;

/// Nobody looks at a page for longer.
const STATEMENT_OF_PEOPLE_S: u32 = 10;

const SET_UP: &str = "
SET idle_in_transaction_session_timeout = '60s';
SET default_transaction_isolation = 'read committed';
SET TimeZone = 'UTC';
SET client_min_messages = warning;
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
";

/// How long nobody else tries to connect after somebody failed to.
const AWAY: Duration = Duration::from_millis(300);

/// The way to one database. Clones lead to the same connections.
#[derive(Clone)]
pub(in crate::store) struct Link(Arc<Inner>);

struct Inner {
    settings: DatabaseSettings,
    pool: Pool,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Whether its tables are those of this program.
    ready: bool,
    /// Why the last connection could not be made, and when that was.
    away: Option<(String, Instant)>,
}

impl Link {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// The settings are of no use, whatever the database does.
    pub(in crate::store) fn new(settings: DatabaseSettings) -> Result<Self, StoreError> {
        Self::with(settings, Arc::default(), CONNECTIONS, STATEMENT_S)
    }

    /// Another way to the same database, for people: who reads much keeps nobody waiting who stores.
    ///
    /// # Errors
    /// The settings are of no use.
    pub(super) fn of_people(&self) -> Result<Self, StoreError> {
        let state = Arc::clone(&self.0.state);
        Self::with(
            self.0.settings.clone(),
            state,
            CONNECTIONS_OF_PEOPLE,
            STATEMENT_OF_PEOPLE_S,
        )
    }

    fn with(
        settings: DatabaseSettings,
        state: Arc<Mutex<State>>,
        connections: usize,
        statement_s: u32,
    ) -> Result<Self, StoreError> {
        let tls = tls::connector(&settings.trust).map_err(StoreError::Unavailable)?;
        let config = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        let hosts = u32::try_from(settings.config.get_hosts().len()).unwrap_or(1);
        let connect = settings.config.get_connect_timeout().copied().unwrap_or(WAIT_TIMEOUT);
        let set_up: Arc<str> = format!("SET statement_timeout = '{statement_s}s';{SET_UP}").into();
        let pool = Pool::builder(Manager::from_config(settings.config.clone(), tls, config))
            .max_size(connections)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(WAIT_TIMEOUT))
            .create_timeout(Some(connect * hosts + WAIT_TIMEOUT))
            .post_create(Hook::async_fn(move |client, _| {
                let set_up = Arc::clone(&set_up);
                Box::pin(async move { client.batch_execute(&set_up).await.map_err(HookError::Backend) })
            }))
            .build()
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Self(Arc::new(Inner { settings, pool, state })))
    }

    pub(super) fn settings(&self) -> &DatabaseSettings {
        &self.0.settings
    }

    /// A connection to a database that is ready.
    pub(super) async fn client(&self) -> Result<Client, StoreError> {
        let why_not = self.state(|state| match &state.away {
            Some((why, since)) if !state.ready || since.elapsed() < AWAY => Some(why.clone()),
            _ if !state.ready => Some(format!("{}: not reached yet", self.0.settings)),
            _ => None,
        });
        match why_not {
            Some(why) => Err(StoreError::Unavailable(why)),
            None => self.connect().await.map_err(Unready::into),
        }
    }

    /// The rows that a statement gives which changes nothing, or nothing more when it comes twice.
    pub(super) async fn rows(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, StoreError> {
        let mut tries = 0;
        loop {
            let client = self.client().await?;
            let asked = async { client.query(&client.prepare_cached(sql).await?, parameters).await };
            let error = match tokio::time::timeout(STATEMENT_TIMEOUT, asked).await {
                Ok(Ok(rows)) => return Ok(rows),
                Ok(Err(error)) => error,
                Err(_) => return Err(self.silent(client)),
            };
            tries += 1;
            // One that was broken while nobody looked.
            let again = tries < 3 && (is_over(&error) || is_passing(&error));
            let failed = self.failed(client, &error);
            if !again {
                return Err(failed);
            }
        }
    }

    /// What comes of work that is tried once: the second time it would do more, or give another answer.
    pub(super) async fn once<T>(
        &self,
        work: impl AsyncFnOnce(&mut Client) -> Result<T, Error>,
    ) -> Result<T, StoreError> {
        let mut client = self.client().await?;
        match tokio::time::timeout(STATEMENT_TIMEOUT, work(&mut client)).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(self.failed(client, &error)),
            Err(_) => Err(self.silent(client)),
        }
    }

    /// What an error means where nothing was stored; of a connection that is over, the others hear.
    pub(super) fn failed(&self, client: Client, error: &Error) -> StoreError {
        if is_over(error) {
            drop(deadpool_postgres::Object::take(client));
        }
        StoreError::Unavailable(self.said(error))
    }

    /// What is said of a server that says nothing: its connection is given up.
    pub(super) fn silent(&self, client: Client) -> StoreError {
        drop(deadpool_postgres::Object::take(client));
        StoreError::Unavailable(format!("{}: no answer", self.0.settings))
    }

    pub(super) fn said(&self, error: &Error) -> String {
        format!("{}: {}", self.0.settings, reason(error))
    }

    /// How much these connections have to do now.
    pub(super) fn load(&self) -> Load {
        let status = self.0.pool.status();
        Load {
            waiting: status.waiting,
            connections: status.size,
            busy: status.size.saturating_sub(status.available),
        }
    }

    async fn connect(&self) -> Result<Client, Unready> {
        let unready = match self.0.pool.get().await {
            Ok(client) => {
                self.state(|state| state.away = None);
                return Ok(client);
            }
            Err(PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error))) => {
                let unready = self.unready(&error);
                // Who has a connection goes on with it.
                if is_full(&error) && self.state(|state| state.ready) {
                    return Err(unready);
                }
                unready
            }
            Err(PoolError::Timeout(deadpool_postgres::TimeoutType::Wait)) => {
                let why = format!("{}: all connections are at work", self.0.settings);
                // It is there: the next one may have more luck.
                return Err(Unready::Away(why));
            }
            Err(PoolError::Timeout(_)) => Unready::Away(format!("{}: no answer", self.0.settings)),
            Err(error) => Unready::Away(format!("{}: {error}", self.0.settings)),
        };
        self.is_away(&unready);
        Err(unready)
    }

    /// Who asks now is told why.
    fn is_away(&self, unready: &Unready) {
        let away = Some((unready.to_string(), Instant::now()));
        self.state(|state| state.away = away);
    }

    fn unready(&self, error: &Error) -> Unready {
        let why = self.said(error);
        if let Some(way_out) = mistrust(error) {
            return Unready::Never(format!("{why}; {way_out}"));
        }
        // Who we say to be, or what we ask for, is wrong; waiting does not help.
        let refused = error.code().is_some_and(|code| {
            ["28", "3D", "42", "0A"]
                .iter()
                .any(|class| code.code().starts_with(class))
        });
        if refused {
            Unready::Never(why)
        } else {
            Unready::Away(why)
        }
    }

    fn state<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.0.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
