//! Environment → [`Config`]; every error names its variable, the value, and what is accepted.

use std::path::PathBuf;
use std::time::Duration;

use crate::upload::{Compression, Secret};

/// When passes happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One pass, then exit.
    Once,
    /// Passes on a fixed grid from the start of the process.
    Periodic,
    /// A full interval after each pass.
    Continuous,
    /// A pass as soon as the recorder commits; the interval is the longest wait.
    Realtime,
}

impl Mode {
    /// Every mode with its word in `SYNC_MODE`.
    const WORDS: [(&'static str, Mode); 4] = [
        ("once", Mode::Once),
        ("periodic", Mode::Periodic),
        ("continuous", Mode::Continuous),
        ("realtime", Mode::Realtime),
    ];

    /// The word of `SYNC_MODE`.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::WORDS
            .iter()
            .find(|(_, mode)| *mode == self)
            .map_or("", |(word, _)| word)
    }
}

/// How passes are told on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// The French console report.
    Text,
    /// One JSON object per line.
    Json,
}

/// Everything the service is told from outside.
#[derive(Debug, Clone)]
pub struct Config {
    /// `LOCAL_DB_PATH`.
    pub local_db_path: PathBuf,
    /// `BACKEND_URL`, split at commas, without trailing slashes.
    pub backends: Vec<String>,
    /// `SYNC_INTERVAL_MINUTES`, as written (it is shown as it was given).
    pub interval_text: String,
    /// `SYNC_INTERVAL_MINUTES` as a duration.
    pub interval: Duration,
    /// `DEVICE_ID`.
    pub device_id: String,
    /// `SYNC_MODE`.
    pub mode: Mode,
    /// `SYNC_OUTPUT`.
    pub output: Output,
    /// `SYNC_COMPRESSION`.
    pub compression: Compression,
    /// `SYNC_MAX_RATE_KBPS`, in 1000 bytes per second.
    pub max_rate_kbps: Option<u64>,
    /// `BACKEND_TOKEN` or the content of `BACKEND_TOKEN_FILE`.
    pub token: Option<Secret>,
    /// `BACKEND_CA_FILE`.
    pub ca_file: Option<PathBuf>,
    /// `BACKEND_CLIENT_CERT`.
    pub client_cert: Option<PathBuf>,
    /// `BACKEND_CLIENT_KEY`.
    pub client_key: Option<PathBuf>,
    /// `SYNC_METRICS_FILE`.
    pub metrics_file: Option<PathBuf>,
    /// `HEARTBEAT_URL`.
    pub heartbeat_url: Option<String>,
    /// `SYNC_ALERT_COMMAND`.
    pub alert_command: Option<String>,
    /// `SYNC_ALERT_AFTER_MINUTES`.
    pub alert_after: Duration,
}

/// A variable the service reads.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// Its default, empty when there is none.
    pub default: &'static str,
    /// What is accepted, as error messages say it.
    pub accepted: &'static str,
}

/// Every variable of ours, in the order of the documentation.
pub const VARIABLES: &[Variable] = &[
    variable("LOCAL_DB_PATH", "/data/surveillance.db", "le chemin d'une base SQLite"),
    variable(
        "BACKEND_URL",
        "http://backend:8000",
        "une ou plusieurs URL http:// ou https://, séparées par des virgules",
    ),
    variable("SYNC_INTERVAL_MINUTES", "5", "un nombre de minutes de 0.01 à 10080"),
    variable("DEVICE_ID", "raspberry-1", "un nom de 1 à 255 caractères imprimables"),
    variable("SYNC_MODE", "continuous", "once, periodic, continuous ou realtime"),
    variable("SYNC_OUTPUT", "text", "text ou json"),
    variable("SYNC_COMPRESSION", "auto", "auto, none, gzip ou zstd"),
    variable(
        "SYNC_MAX_RATE_KBPS",
        "",
        "un nombre entier de kilo-octets par seconde, de 1 à 10000000",
    ),
    variable(
        "BACKEND_TOKEN",
        "",
        "un jeton en caractères ASCII imprimables, sans espace",
    ),
    variable(
        "BACKEND_TOKEN_FILE",
        "",
        "le chemin d'un fichier lisible qui contient le jeton",
    ),
    variable("BACKEND_CA_FILE", "", "le chemin d'un fichier PEM de certificats"),
    variable(
        "BACKEND_CLIENT_CERT",
        "",
        "le chemin d'un certificat PEM, avec BACKEND_CLIENT_KEY",
    ),
    variable(
        "BACKEND_CLIENT_KEY",
        "",
        "le chemin d'une clé PEM, avec BACKEND_CLIENT_CERT",
    ),
    variable(
        "SYNC_METRICS_FILE",
        "",
        "le chemin d'un fichier .prom dans un dossier existant",
    ),
    variable("HEARTBEAT_URL", "", "une URL http:// ou https://"),
    variable("SYNC_ALERT_COMMAND", "", "une commande, exécutée par /bin/sh -c"),
    variable(
        "SYNC_ALERT_AFTER_MINUTES",
        "60",
        "un nombre de minutes de 0.01 à 525600",
    ),
];

const fn variable(name: &'static str, default: &'static str, accepted: &'static str) -> Variable {
    Variable {
        name,
        default,
        accepted,
    }
}

/// A variable whose value can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    name: &'static str,
    /// `None` when showing it would show a secret.
    value: Option<String>,
    reason: Option<String>,
}

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Configuration invalide: {}", self.name)?;
        if let Some(value) = &self.value {
            write!(f, "={value:?}")?;
        }
        if let Some(reason) = &self.reason {
            write!(f, ": {reason}")?;
        }
        write!(f, "; accepté: {}", accepted(self.name))
    }
}

impl std::error::Error for ConfigError {}

fn accepted(name: &str) -> &'static str {
    VARIABLES
        .iter()
        .find(|variable| variable.name == name)
        .map_or("", |variable| variable.accepted)
}

fn default(name: &str) -> &'static str {
    VARIABLES
        .iter()
        .find(|variable| variable.name == name)
        .map_or("", |variable| variable.default)
}

/// Looks a variable up; the process's environment in the service, a table in tests.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<std::ffi::OsString>;

impl Config {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// The first variable whose value can't be used.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_lookup(&|name| std::env::var_os(name))
    }

    /// Reads variables through `lookup`.
    ///
    /// # Errors
    /// The first variable whose value can't be used.
    pub fn from_lookup(lookup: Lookup) -> Result<Self, ConfigError> {
        let reader = EnvReader { lookup };
        let interval_text = reader.required("SYNC_INTERVAL_MINUTES")?;
        let client_cert = reader.path("BACKEND_CLIENT_CERT")?;
        let client_key = reader.path("BACKEND_CLIENT_KEY")?;
        match (&client_cert, &client_key) {
            (Some(path), None) => {
                return Err(reader.because(
                    "BACKEND_CLIENT_CERT",
                    Some(path.display().to_string()),
                    "BACKEND_CLIENT_KEY manque",
                ));
            }
            (None, Some(path)) => {
                return Err(reader.because(
                    "BACKEND_CLIENT_KEY",
                    Some(path.display().to_string()),
                    "BACKEND_CLIENT_CERT manque",
                ));
            }
            _ => {}
        }
        Ok(Self {
            local_db_path: PathBuf::from(reader.required("LOCAL_DB_PATH")?),
            backends: reader.backends()?,
            interval: reader.minutes("SYNC_INTERVAL_MINUTES", 10_080.0)?,
            interval_text: interval_text.trim().to_string(),
            device_id: reader.device_id()?,
            mode: reader.one_of("SYNC_MODE", &Mode::WORDS)?,
            output: reader.one_of("SYNC_OUTPUT", &[("text", Output::Text), ("json", Output::Json)])?,
            compression: reader.one_of(
                "SYNC_COMPRESSION",
                &[
                    ("auto", Compression::Auto),
                    ("none", Compression::None),
                    ("gzip", Compression::Gzip),
                    ("zstd", Compression::Zstd),
                ],
            )?,
            max_rate_kbps: reader.rate()?,
            token: reader.token()?,
            ca_file: reader.path("BACKEND_CA_FILE")?,
            client_cert,
            client_key,
            metrics_file: reader.path("SYNC_METRICS_FILE")?,
            heartbeat_url: reader.heartbeat()?,
            alert_command: reader.optional("SYNC_ALERT_COMMAND")?,
            alert_after: reader.minutes("SYNC_ALERT_AFTER_MINUTES", 525_600.0)?,
        })
    }
}

/// `LOCAL_DB_PATH` alone, for commands that need nothing else.
///
/// # Errors
/// The value can't be used.
pub fn local_db_path() -> Result<PathBuf, ConfigError> {
    let reader = EnvReader {
        lookup: &|name| std::env::var_os(name),
    };
    Ok(PathBuf::from(reader.required("LOCAL_DB_PATH")?))
}

struct EnvReader<'a> {
    lookup: Lookup<'a>,
}

impl EnvReader<'_> {
    /// The value as text; `None` when unset.
    fn raw(&self, name: &'static str) -> Result<Option<String>, ConfigError> {
        match (self.lookup)(name) {
            None => Ok(None),
            Some(value) => match value.into_string() {
                Ok(text) => Ok(Some(text)),
                Err(value) => Err(self.because(
                    name,
                    Some(value.to_string_lossy().into_owned()),
                    "ce n'est pas de l'UTF-8",
                )),
            },
        }
    }

    /// A variable with a default; set but empty is an error, since nobody means it.
    fn required(&self, name: &'static str) -> Result<String, ConfigError> {
        match self.raw(name)? {
            None => Ok(default(name).to_string()),
            Some(value) if value.trim().is_empty() => Err(self.wrong(name, value)),
            Some(value) => Ok(value),
        }
    }

    /// A variable without a default; set but empty is unset, as env files have it.
    fn optional(&self, name: &'static str) -> Result<Option<String>, ConfigError> {
        Ok(self.raw(name)?.filter(|value| !value.trim().is_empty()))
    }

    fn path(&self, name: &'static str) -> Result<Option<PathBuf>, ConfigError> {
        Ok(self.optional(name)?.map(PathBuf::from))
    }

    fn wrong(&self, name: &'static str, value: String) -> ConfigError {
        ConfigError {
            name,
            value: Some(value),
            reason: None,
        }
    }

    fn because(&self, name: &'static str, value: Option<String>, reason: &str) -> ConfigError {
        ConfigError {
            name,
            value,
            reason: Some(reason.to_string()),
        }
    }

    fn one_of<T: Copy>(&self, name: &'static str, choices: &[(&str, T)]) -> Result<T, ConfigError> {
        let value = self.required(name)?;
        choices
            .iter()
            .find(|(word, _)| *word == value.trim())
            .map(|(_, choice)| *choice)
            .ok_or_else(|| self.wrong(name, value))
    }

    fn minutes(&self, name: &'static str, most: f64) -> Result<Duration, ConfigError> {
        let value = self.required(name)?;
        // Digits and a point only: "inf", "1e3" and "+5" are more likely slips than wishes.
        let plain = value.trim().bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        match value.trim().parse::<f64>() {
            Ok(minutes) if plain && (0.01..=most).contains(&minutes) => Ok(Duration::from_secs_f64(minutes * 60.0)),
            _ => Err(self.wrong(name, value)),
        }
    }

    fn device_id(&self) -> Result<String, ConfigError> {
        let value = self.required("DEVICE_ID")?;
        if value.chars().any(char::is_control) || value.chars().count() > 255 {
            return Err(self.wrong("DEVICE_ID", value));
        }
        Ok(value)
    }

    fn backends(&self) -> Result<Vec<String>, ConfigError> {
        let value = self.required("BACKEND_URL")?;
        let mut backends = Vec::new();
        for part in value.split(',') {
            let url = part.trim().trim_end_matches('/');
            if let Err(reason) = check_url(url) {
                return Err(self.because("BACKEND_URL", Some(without_userinfo(&value)), reason));
            }
            backends.push(url.to_string());
        }
        Ok(backends)
    }

    fn heartbeat(&self) -> Result<Option<String>, ConfigError> {
        let Some(value) = self.optional("HEARTBEAT_URL")? else {
            return Ok(None);
        };
        // The path of a heartbeat URL is its secret, so the value is not shown.
        // A query is part of it: Uptime Kuma's push URLs have one.
        match check_url(value.trim().split('?').next().unwrap_or_default()) {
            Ok(()) => Ok(Some(value.trim().to_string())),
            Err(reason) => Err(self.because("HEARTBEAT_URL", None, reason)),
        }
    }

    fn rate(&self) -> Result<Option<u64>, ConfigError> {
        let name = "SYNC_MAX_RATE_KBPS";
        let Some(value) = self.optional(name)? else {
            return Ok(None);
        };
        match value.trim().parse::<u64>() {
            Ok(rate @ 1..=10_000_000) => Ok(Some(rate)),
            _ => Err(self.wrong(name, value)),
        }
    }

    fn token(&self) -> Result<Option<Secret>, ConfigError> {
        let direct = self.optional("BACKEND_TOKEN")?;
        let file = self.path("BACKEND_TOKEN_FILE")?;
        let (name, token) = match (direct, file) {
            (None, None) => return Ok(None),
            (Some(_), Some(path)) => {
                return Err(self.because(
                    "BACKEND_TOKEN_FILE",
                    Some(path.display().to_string()),
                    "BACKEND_TOKEN est déjà défini, gardez l'un des deux",
                ));
            }
            (Some(token), None) => ("BACKEND_TOKEN", token),
            (None, Some(path)) => match std::fs::read_to_string(&path) {
                Ok(token) => ("BACKEND_TOKEN_FILE", token),
                Err(error) => {
                    return Err(self.because(
                        "BACKEND_TOKEN_FILE",
                        Some(path.display().to_string()),
                        &format!("fichier illisible ({error})"),
                    ));
                }
            },
        };
        let token = token.trim();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(self.because(name, None, "le jeton contient un caractère interdit ou est vide"));
        }
        Ok(Some(Secret::new(token.to_string())))
    }
}

/// Whether a base URL can be used at all; connecting will tell the rest.
fn check_url(url: &str) -> Result<(), &'static str> {
    let rest = url
        .strip_prefix("http://")
        .or_else(|| url.strip_prefix("https://"))
        .ok_or("l'URL doit commencer par http:// ou https://")?;
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.contains('@') {
        return Err("pas d'identifiants dans l'URL, utilisez BACKEND_TOKEN");
    }
    // An IPv6 address has colons of its own, in brackets.
    let port = match authority.rsplit_once(']') {
        Some((_, after)) => after.strip_prefix(':'),
        None => authority.rsplit_once(':').map(|(_, port)| port),
    };
    if port.is_some_and(|port| !matches!(port.parse::<u16>(), Ok(1..))) {
        return Err("le port doit être un nombre de 1 à 65535");
    }
    if rest.contains(['?', '#']) {
        return Err("l'URL ne doit contenir ni ? ni #");
    }
    if url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("l'URL contient un espace ou un caractère de contrôle");
    }
    match ureq::http::Uri::try_from(url) {
        Ok(uri) if uri.host().is_some_and(|host| !host.is_empty()) => Ok(()),
        _ => Err("l'URL n'a pas de nom de serveur valable"),
    }
}

/// Credentials in a URL are secrets also when the URL is refused.
fn without_userinfo(value: &str) -> String {
    value
        .split(',')
        .map(|url| match (url.find("://"), url.find('@')) {
            (Some(scheme), Some(at)) if scheme < at => {
                format!("{}***{}", &url[..scheme + 3], &url[at..])
            }
            _ => url.to_string(),
        })
        .collect::<Vec<_>>()
        .join(",")
}

#[cfg(test)]
mod tests;
