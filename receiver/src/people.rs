//! Passwords, sessions and secrets: what of them is kept, and how it is compared.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::clock;
use crate::store::people::Fingerprint;

/// How long a session lives after it was last used, about.
pub(crate) const SESSION_S: i64 = 30 * 86_400;

/// Shortest password. Length is what counts; nothing else is asked of one.
pub(crate) const PASSWORD_LEAST: usize = 8;

/// Longest password: hashing more is work without use.
pub(crate) const PASSWORD_MOST: usize = 1024;

/// The hash of a password nobody has: a name that is not there takes as long as one that is.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXRoaW5nc2FsdHk$rRfoKvMDGlqFGPBSyP3OEnv2EKjSnr3gINNHmXp3UKM";

/// A secret that cannot be had, for want of randomness or memory.
#[derive(Debug)]
pub(crate) struct NoSecret(String);

impl std::fmt::Display for NoSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot make a secret: {}", self.0)
    }
}

impl std::error::Error for NoSecret {}

/// Argon2id with a salt of its own. Takes some 20 MB and a moment.
///
/// # Errors
/// No randomness or no memory.
pub(crate) fn hash(password: &str) -> Result<String, NoSecret> {
    let hash: PasswordHash = Argon2::default()
        .hash_password(password.as_bytes())
        .map_err(|error| NoSecret(error.to_string()))?;
    Ok(hash.to_string())
}

/// Whether `password` is the one of `hash`; takes as long without a hash.
#[must_use]
pub(crate) fn verify(password: &str, hash: Option<&str>) -> bool {
    let Ok(parsed) = PasswordHash::new(hash.unwrap_or(NOBODY)) else {
        return false;
    };
    let right = Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok();
    right && hash.is_some()
}

/// 256 random bits as text for a cookie or a settings file.
///
/// # Errors
/// No randomness.
pub(crate) fn secret() -> Result<String, NoSecret> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| NoSecret(error.to_string()))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// What is kept of a secret.
#[must_use]
pub(crate) fn fingerprint(secret: &str) -> Fingerprint {
    Sha256::digest(secret).into()
}

/// Compares in a time that does not depend on where the two differ.
#[must_use]
pub(crate) fn same(one: &Fingerprint, other: &Fingerprint) -> bool {
    bool::from(one.ct_eq(other))
}

/// Whether `name` is one of those that `pattern` means, with `*` and `?`.
#[must_use]
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut in_name) = (0, 0);
    let mut star = None;
    while in_name < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, in_name));
                at += 1;
            }
            Some(wanted) if *wanted == '?' || name.get(in_name) == Some(wanted) => {
                at += 1;
                in_name += 1;
            }
            _ => {
                // The last star takes one character more.
                let Some((star_at, taken)) = star else { return false };
                star = Some((star_at, taken + 1));
                at = star_at + 1;
                in_name = taken + 1;
            }
        }
    }
    pattern.iter().skip(at).all(|left| *left == '*')
}

/// Whether a text can be the name of a device or a person: something to see, nothing that changes a line.
#[must_use]
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.trim() == text && text.chars().count() <= 100 && !text.chars().any(char::is_control)
}

/// Seconds since 1970.
#[must_use]
pub(crate) fn now_s() -> i64 {
    clock::unix_ms() / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_its_own() {
        let hash = hash("correct horse").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(verify("correct horse", Some(&hash)) && !verify("correct horsf", Some(&hash)));
        assert!(!verify("correct horse", None) && !verify("", None));
        assert!(PasswordHash::new(NOBODY).is_ok());
    }

    #[test]
    fn patterns_know_stars_and_question_marks_alone() {
        for (pattern, name) in [
            ("shop-*", "shop-1"),
            ("*", ""),
            ("a*b*c", "aXbYbc"),
            ("?", "é"),
            ("shop-[1]", "shop-[1]"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("shop-*", "Shop-1"),
            ("shop-*", "xshop-1"),
            ("?", ""),
            ("shop-[1]", "shop-1"),
            ("a*b", "ac"),
            ("", "a"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
