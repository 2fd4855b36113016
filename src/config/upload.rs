//! The variables of the wire: where to, how, as whom.

use std::path::PathBuf;

use super::error::ConfigError;
use super::reader::EnvReader;
use crate::upload::{
    Compression, Secret, Timeouts, Timetable, TimetableError, UploadConfig, WebUrl, without_credentials,
};

/// Everything the uploader is told.
///
/// # Errors
/// The first variable whose value can't be used.
pub(super) fn upload_config(reader: &EnvReader) -> Result<UploadConfig, ConfigError> {
    let (client_cert, client_key) = client_identity(reader)?;
    Ok(UploadConfig {
        backends: backends(reader)?,
        compression: reader.one_of(
            "SYNC_COMPRESSION",
            &[
                ("auto", Compression::Auto),
                ("none", Compression::None),
                ("gzip", Compression::Gzip),
                ("zstd", Compression::Zstd),
            ],
        )?,
        token: token(reader)?,
        ca_file: reader.path("BACKEND_CA_FILE")?,
        client_cert,
        client_key,
        max_rate: rate(reader)?,
        device_id: device_id(reader)?,
        timeouts: Timeouts::default(),
    })
}

/// `HEARTBEAT_URL`. Its path is its secret, so the value is not shown; a query is part of it: Uptime Kuma's push URLs
/// have one.
///
/// # Errors
/// The value can't be used.
pub(super) fn heartbeat(reader: &EnvReader) -> Result<Option<WebUrl>, ConfigError> {
    let name = "HEARTBEAT_URL";
    let Some(value) = reader.optional(name)? else {
        return Ok(None);
    };
    WebUrl::whole(&value)
        .map(Some)
        .map_err(|reason| reader.because(name, None, reason))
}

fn backends(reader: &EnvReader) -> Result<Vec<WebUrl>, ConfigError> {
    let name = "BACKEND_URL";
    let value = reader.required(name)?;
    let wrong = |reason| reader.because(name, Some(without_credentials(&value)), reason);
    value.split(',').map(|part| WebUrl::base(part).map_err(wrong)).collect()
}

/// `BACKEND_CLIENT_CERT` and `BACKEND_CLIENT_KEY`: both or none.
fn client_identity(reader: &EnvReader) -> Result<(Option<PathBuf>, Option<PathBuf>), ConfigError> {
    let (cert, key) = ("BACKEND_CLIENT_CERT", "BACKEND_CLIENT_KEY");
    let alone = |name, path: &PathBuf, missing: &str| {
        let value = Some(path.display().to_string());
        Err(reader.because(name, value, &format!("{missing} manque")))
    };
    match (reader.path(cert)?, reader.path(key)?) {
        (Some(path), None) => alone(cert, &path, key),
        (None, Some(path)) => alone(key, &path, cert),
        both_or_none => Ok(both_or_none),
    }
}

fn device_id(reader: &EnvReader) -> Result<String, ConfigError> {
    let value = reader.required("DEVICE_ID")?;
    if value.chars().any(char::is_control) || value.chars().count() > 255 {
        return Err(reader.wrong("DEVICE_ID", value));
    }
    Ok(value)
}

fn rate(reader: &EnvReader) -> Result<Timetable, ConfigError> {
    let name = "SYNC_MAX_RATE_KBPS";
    let Some(value) = reader.optional(name)? else {
        return Ok(Timetable::default());
    };
    value
        .parse()
        .map_err(|error: TimetableError| reader.because(name, Some(value), &error.to_string()))
}

fn token(reader: &EnvReader) -> Result<Option<Secret>, ConfigError> {
    let direct = reader.optional("BACKEND_TOKEN")?;
    let file = reader.path("BACKEND_TOKEN_FILE")?;
    let (name, token) = match (direct, file) {
        (None, None) => return Ok(None),
        (Some(_), Some(path)) => {
            return Err(reader.because(
                "BACKEND_TOKEN_FILE",
                Some(path.display().to_string()),
                "BACKEND_TOKEN est déjà défini, gardez l'un des deux",
            ));
        }
        (Some(token), None) => ("BACKEND_TOKEN", token),
        (None, Some(path)) => match std::fs::read_to_string(&path) {
            Ok(token) => ("BACKEND_TOKEN_FILE", token),
            Err(error) => {
                return Err(reader.because(
                    "BACKEND_TOKEN_FILE",
                    Some(path.display().to_string()),
                    &format!("fichier illisible ({error})"),
                ));
            }
        },
    };
    let token = token.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(reader.because(name, None, "le jeton contient un caractère interdit ou est vide"));
    }
    Ok(Some(Secret::new(token.to_string())))
}
