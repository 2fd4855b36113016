//! What is wrong with a variable, in one line that names it.

use super::variables::accepted;

/// A variable whose value can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConfigError {
    pub(super) name: &'static str,
    /// `None` when showing it would show a secret.
    pub(super) value: Option<String>,
    pub(super) reason: Option<String>,
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
