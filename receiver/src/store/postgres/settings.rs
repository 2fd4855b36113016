//! `RECEIVER_DATABASE_URL`: where PostgreSQL is, and how to speak to it.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

/// How long a host may take to accept a connection, unless the URL says.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long what was sent may stay unacknowledged, and a quiet connection unasked: a host that is gone without a word is
/// found out by nothing else.
const SILENCE: Duration = Duration::from_secs(10);

/// How far a server's certificate is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trust {
    /// Whatever it is, as libpq's `prefer` and `require` have it: nobody listens along, but who answers is not known.
    Anybody,
    /// It is the host's, signed by one of these, or by one that this machine trusts.
    Host(Option<PathBuf>),
}

/// Where the database is.
#[derive(Clone)]
pub(crate) struct DatabaseSettings {
    pub(super) config: Config,
    pub(super) trust: Trust,
}

/// Why a URL is not usable, without the URL: it holds a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WrongUrl(String);

impl fmt::Display for WrongUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for WrongUrl {}

/// Without the password.
impl fmt::Debug for DatabaseSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseSettings({self})")
    }
}

/// `user@host:port,host:port/database`.
impl fmt::Display for DatabaseSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@", self.config.get_user().unwrap_or("?"))?;
        let ports = self.config.get_ports();
        for (index, host) in self.config.get_hosts().iter().enumerate() {
            let port = ports.get(index).or(ports.first()).copied().unwrap_or(5432);
            let comma = if index > 0 { "," } else { "" };
            match host {
                Host::Tcp(host) => write!(f, "{comma}{host}:{port}")?,
                Host::Unix(path) => write!(f, "{comma}{}:{port}", path.display())?,
            }
        }
        write!(f, "/{}", self.config.get_dbname().unwrap_or("?"))
    }
}

impl DatabaseSettings {
    /// Reads `postgres://user:password@host:port,host:port/database?parameters`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn new(url: &str) -> Result<Self, WrongUrl> {
        let wrong = |reason: &str| Err(WrongUrl(reason.to_string()));
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return wrong("expected postgres://user:password@host/database");
        }
        let (address, parameters) = url.split_once('?').unwrap_or((url, ""));
        let (mut trust, mut rest) = (Trust::Anybody, Vec::new());
        let mut root = None;
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter {
                "sslmode=verify-full" => trust = Trust::Host(None),
                "sslmode=verify-ca" => {
                    return wrong("sslmode=verify-ca: not known here; use verify-full, which is safer");
                }
                _ => match parameter.split_once('=') {
                    Some(("sslrootcert", path)) => root = Some(decoded(path)),
                    _ => rest.push(parameter),
                },
            }
        }
        let mut config: Config = format!("{address}?{}", rest.join("&"))
            .parse()
            .map_err(|error| WrongUrl(super::error::reason(&error)))?;
        if let Trust::Host(of) = &mut trust {
            *of = root;
            config.ssl_mode(SslMode::Require);
        } else if root.is_some() {
            return wrong("sslrootcert needs sslmode=verify-full");
        }
        let settings = Self { config, trust }.completed();
        settings.check()?;
        Ok(settings)
    }

    /// With what the URL did not say.
    fn completed(mut self) -> Self {
        let config = &mut self.config;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(SILENCE);
        }
        if config.get_application_name().is_none() {
            config.application_name("sync-receiver");
        }
        if config.get_dbname().is_none() {
            if let Some(user) = config.get_user().map(str::to_string) {
                config.dbname(user);
            }
        }
        config.keepalives_idle(SILENCE);
        // Of several hosts the one that is the primary now; and a standby is no place for rows.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        self
    }

    fn check(&self) -> Result<(), WrongUrl> {
        let missing = |what: &str| {
            Err(WrongUrl(format!(
                "no {what} in it: postgres://user:password@host/database"
            )))
        };
        if self.config.get_user().is_none() {
            return missing("user");
        }
        if self.config.get_hosts().is_empty() {
            return missing("host");
        }
        let odd = |host: &Host| matches!(host, Host::Tcp(host) if host.contains(['@', ':', '/']) && host.parse::<std::net::Ipv6Addr>().is_err());
        if self.config.get_hosts().iter().any(odd) {
            return Err(WrongUrl(
                "its host is none; of a password, write @ as %40, : as %3A and / as %2F".to_string(),
            ));
        }
        Ok(())
    }
}

/// A path as it stands in a URL, where what means something else there is written `%3F`.
fn decoded(path: &str) -> PathBuf {
    PathBuf::from(OsString::from_vec(percent_decode_str(path).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_names_user_hosts_and_database_but_no_password() {
        let settings = DatabaseSettings::new("postgres://rec:s%40cret@one,two:5433/rows?sslmode=require").unwrap();
        for shown in [settings.to_string(), format!("{settings:?}")] {
            assert!(shown.contains("rec@one:5432,two:5433/rows"), "{shown}");
            assert!(!shown.contains("cret"), "{shown}");
        }
        assert_eq!(settings.config.get_password(), Some(&b"s@cret"[..]));
        assert_eq!(settings.config.get_ssl_mode(), SslMode::Require);
    }

    #[test]
    fn a_url_that_is_none_is_refused_without_being_shown() {
        for url in [
            "secret",
            "mysql://u:secret@h/d",
            "postgres://u:sec@ret@h/d",
            "postgres://u:secret@h:port/d",
            "postgres://u:secret@/d",
            "postgres://h/secret",
            "postgres://u:secret@h/d?sslmode=secret",
            "postgres://u:secret@h/d?sslmode=verify-ca",
            "postgres://u:secret@h/d?sslrootcert=/x",
        ] {
            let error = DatabaseSettings::new(url).unwrap_err().to_string();
            assert!(!error.contains("secret") && !error.contains("ret@"), "{url}: {error}");
        }
    }

    #[test]
    fn a_certificate_is_checked_where_that_is_asked_for() {
        let trust = |url: &str| DatabaseSettings::new(url).unwrap().trust;
        assert_eq!(trust("postgres://u@h/d?sslmode=require"), Trust::Anybody);
        assert_eq!(trust("postgres://u@h/d?sslmode=verify-full"), Trust::Host(None));
        let settings = DatabaseSettings::new("postgres://u@h/d?sslrootcert=/ca.pem&sslmode=verify-full").unwrap();
        assert_eq!(settings.trust, Trust::Host(Some("/ca.pem".into())));
        assert_eq!(
            trust("postgres://u@h/d?sslmode=verify-full&sslrootcert=%2Fhome%2Four%20ca%26more.pem"),
            Trust::Host(Some("/home/our ca&more.pem".into()))
        );
        assert_eq!(settings.config.get_ssl_mode(), SslMode::Require);
    }
}
