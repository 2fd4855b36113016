//! Every variable of ours: its name, its default, what it accepts.

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
        "un nombre entier de kilo-octets par seconde, de 1 à 10000000, off, ou un horaire: « 07:00,50 19:00,400 23:30,off », avec des jours « Mon-00:00,512 Sat-08:00,off »; 0 y fait attendre les vidéos",
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
    variable("SYNC_PRUNE_AFTER_DAYS", "", "un nombre entier de jours, de 1 à 36500"),
    variable(
        "SYNC_PRUNE_KEEP_FREE_MB",
        "",
        "un nombre entier de mégaoctets, de 1 à 100000000",
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

/// What a variable accepts, as error messages say it.
pub(super) fn accepted(name: &str) -> &'static str {
    VARIABLES
        .iter()
        .find(|variable| variable.name == name)
        .map_or("", |variable| variable.accepted)
}

/// A variable's default.
pub(super) fn default(name: &str) -> &'static str {
    VARIABLES
        .iter()
        .find(|variable| variable.name == name)
        .map_or("", |variable| variable.default)
}
