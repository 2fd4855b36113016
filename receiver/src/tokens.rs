//! Tokens per device.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

/// Which token belongs to which device.
#[derive(Clone, Default)]
pub(crate) struct Tokens(Vec<(String, Digest)>);

/// What is kept of a token: equally long for all, so that a comparison does not tell how long one is.
type Digest = [u8; 32];

fn digest(token: &str) -> Digest {
    Sha256::digest(token).into()
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tokens({})", self.0.len())
    }
}

impl Tokens {
    /// Reads a file of lines `device_id token`; empty lines and lines that start with `#` are passed over.
    /// A wrong line is named by its number: its content is secret.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        let tokens = Self::parse(&text)?;
        let mode = std::fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode());
        if mode & 0o004 != 0 {
            let path = path.display();
            log::warn!("RECEIVER_TOKENS_FILE={path}: everybody on this machine can read it: chmod o= {path}");
        }
        Ok(tokens)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut tokens = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            // The token is the last word: a device's name may have spaces.
            match line.rsplit_once(char::is_whitespace) {
                Some((device, token)) if !device.trim().is_empty() => {
                    let token = digest(token);
                    if tokens.iter().any(|(_, other)| *other == token) {
                        return Err(format!("line {}: the token of another line", index + 1));
                    }
                    tokens.push((device.trim().to_string(), token));
                }
                _ => return Err(format!("line {}: expected `device_id token`", index + 1)),
            }
        }
        if tokens.is_empty() {
            return Err("no token in it: every request would be refused".to_string());
        }
        Ok(Self(tokens))
    }

    /// Whether anyone may store.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The device of a token. Every token is compared, in a time that does not depend on where they differ.
    pub(crate) fn device_of(&self, token: &str) -> Option<&str> {
        let token = digest(token);
        let mut found = None;
        for (device, expected) in &self.0 {
            if bool::from(expected.ct_eq(&token)) {
                found = Some(device.as_str());
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_belongs_to_its_device() {
        let tokens = Tokens::parse("# fleet\nraspberry-1 abc\n\nfront door\t xyz \n").unwrap();
        assert_eq!(tokens.device_of("abc"), Some("raspberry-1"));
        assert_eq!(tokens.device_of("xyz"), Some("front door"));
        for wrong in ["", "ab", "abcd", "ABC"] {
            assert_eq!(tokens.device_of(wrong), None);
        }
    }

    #[test]
    fn a_wrong_line_is_named_without_its_content() {
        let error = Tokens::parse("a b\nsecretalone\n").unwrap_err();
        assert!(error.contains("line 2") && !error.contains("secret"), "{error}");
        assert!(Tokens::parse("# nothing\n").is_err());
        assert!(Tokens::parse("a same\nb same\n").unwrap_err().contains("line 2"));
    }
}
