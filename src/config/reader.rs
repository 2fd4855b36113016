//! Variables, read one by one.

use std::path::PathBuf;
use std::time::Duration;

use super::error::ConfigError;
use super::variables::default;

/// Looks a variable up; the process's environment in the service, a table in tests.
pub(crate) type Lookup<'a> = &'a dyn Fn(&str) -> Option<std::ffi::OsString>;

/// Reads variables through a lookup.
pub(super) struct EnvReader<'a> {
    pub lookup: Lookup<'a>,
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
    pub(super) fn required(&self, name: &'static str) -> Result<String, ConfigError> {
        match self.raw(name)? {
            None => Ok(default(name).to_string()),
            Some(value) if value.trim().is_empty() => Err(self.wrong(name, value)),
            Some(value) => Ok(value),
        }
    }

    /// A variable without a default; set but empty is unset, as env files have it.
    pub(super) fn optional(&self, name: &'static str) -> Result<Option<String>, ConfigError> {
        Ok(self.raw(name)?.filter(|value| !value.trim().is_empty()))
    }

    /// A path; set but empty is unset.
    pub(super) fn path(&self, name: &'static str) -> Result<Option<PathBuf>, ConfigError> {
        Ok(self.optional(name)?.map(PathBuf::from))
    }

    /// A value that is not one of what is accepted.
    pub(super) fn wrong(&self, name: &'static str, value: String) -> ConfigError {
        ConfigError {
            name,
            value: Some(value),
            reason: None,
        }
    }

    /// A value that can't be used for a reason.
    pub(super) fn because(&self, name: &'static str, value: Option<String>, reason: &str) -> ConfigError {
        ConfigError {
            name,
            value,
            reason: Some(reason.to_string()),
        }
    }

    /// One of several words.
    pub(super) fn one_of<T: Copy>(&self, name: &'static str, choices: &[(&str, T)]) -> Result<T, ConfigError> {
        let value = self.required(name)?;
        choices
            .iter()
            .find(|(word, _)| *word == value.trim())
            .map(|(_, choice)| *choice)
            .ok_or_else(|| self.wrong(name, value))
    }

    /// A whole number from 1 to `most`; `None` when unset.
    pub(super) fn count(&self, name: &'static str, most: u64) -> Result<Option<u64>, ConfigError> {
        let Some(value) = self.optional(name)? else {
            return Ok(None);
        };
        // Digits only: a sign or a fraction is more likely a slip than a wish.
        let plain = value.trim().bytes().all(|byte| byte.is_ascii_digit());
        match value.trim().parse() {
            Ok(count) if plain && (1..=most).contains(&count) => Ok(Some(count)),
            _ => Err(self.wrong(name, value)),
        }
    }

    /// A number of minutes up to `most`.
    pub(super) fn minutes(&self, name: &'static str, most: f64) -> Result<Duration, ConfigError> {
        let value = self.required(name)?;
        // Digits and a point only: "inf", "1e3" and "+5" are more likely slips than wishes.
        let plain = value.trim().bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        match value.trim().parse::<f64>() {
            Ok(minutes) if plain && (0.01..=most).contains(&minutes) => Ok(Duration::from_secs_f64(minutes * 60.0)),
            _ => Err(self.wrong(name, value)),
        }
    }
}
