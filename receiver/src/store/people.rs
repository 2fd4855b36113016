//! People, their sessions, devices' tokens: what is kept of each, as plain data. Secrets come here as fingerprints.

use super::Pending;

/// What a person may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Read.
    Viewer,
    /// Read, pin, add devices.
    Admin,
}

impl Role {
    /// Its name in the database and in answers.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Admin => "admin",
        }
    }

    /// The role of that name; the lesser one for a name that is none.
    #[must_use]
    pub(crate) fn of(name: &str) -> Self {
        if name == "admin" { Self::Admin } else { Self::Viewer }
    }
}

/// Somebody who may read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) role: Role,
    /// The devices that are theirs to see, with `*` and `?`; all when none is given.
    pub(crate) devices: Option<String>,
}

/// A person to be kept.
#[derive(Debug, Clone)]
pub(crate) struct NewPerson {
    pub(crate) person: Person,
    /// Argon2id, as a PHC string; none for somebody whom a proxy signs in.
    pub(crate) password_hash: Option<String>,
}

/// SHA-256 of a secret.
pub(crate) type Fingerprint = [u8; 32];

/// A session that begins.
#[derive(Debug, Clone)]
pub(crate) struct NewSession {
    pub(crate) id: String,
    pub(crate) secret: Fingerprint,
    pub(crate) person: String,
    /// That of the password that was shown.
    pub(crate) password_hash: String,
    pub(crate) expires_s: i64,
}

/// A session as it is kept.
#[derive(Debug, Clone)]
pub(crate) struct SessionRow {
    pub(crate) secret: Fingerprint,
    pub(crate) person: Person,
    pub(crate) expires_s: i64,
}

/// A token as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TokenRow {
    pub(crate) id: i64,
    pub(crate) device_id: String,
    pub(crate) created_at: String,
}

/// How often one subject may fail before it has to wait.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    /// Whom the failures are counted for: a name, an address, both.
    pub(crate) subject: String,
    /// Failures without a wait.
    pub(crate) free: u32,
    /// Longest wait in seconds.
    pub(crate) longest_s: i64,
    /// Others' failures count here too: a good attempt takes back its own alone.
    pub(crate) is_shared: bool,
}

/// Failures count no more when the last one is older than this.
pub(super) const REMEMBERED_S: i64 = 3600;

impl Attempt {
    /// The wait after so many failures: a second, then twice as long each time.
    pub(super) fn wait_s(&self, failures: u32) -> i64 {
        match failures.checked_sub(self.free) {
            None | Some(0) => 0,
            Some(beyond) => (1_i64 << (beyond - 1).min(30)).min(self.longest_s),
        }
    }

    /// The wait that is left where the next one is not before `next_s`. A longer one than the longest is that of a clock that was
    /// put back since: it would not end before the clock is there again, so it is over.
    pub(super) fn early_s(&self, next_s: i64, now_s: i64) -> i64 {
        let left_s = next_s.saturating_sub(now_s);
        if left_s > self.longest_s { 0 } else { left_s }
    }
}

/// Tokens of a device that live at a time: the one it has and the one it changes to.
pub(crate) const TOKENS_MOST: u32 = 2;

/// Keeping people and sessions.
pub(crate) trait People: Send + Sync {
    /// Everybody.
    fn people(&self) -> Pending<'_, Vec<Person>>;

    /// Whether there is anybody.
    fn has_people(&self) -> Pending<'_, bool>;

    /// A person and the password's hash.
    fn person(&self, name: String) -> Pending<'_, Option<NewPerson>>;

    /// Adds a person; `false` when there is one of that name.
    fn add_person(&self, person: NewPerson) -> Pending<'_, bool>;

    /// Changes a password and ends the person's sessions; `false` when there is nobody of that name.
    fn set_password(&self, name: String, password_hash: String) -> Pending<'_, bool>;

    /// Removes a person and their sessions; `false` when there is nobody of that name.
    fn remove_person(&self, name: String) -> Pending<'_, bool>;

    /// Begins a session, and forgets those that are over; `false` when the person is gone, or has another password by now.
    fn begin_session(&self, session: NewSession, now_s: i64) -> Pending<'_, bool>;

    /// A session by its id.
    fn session(&self, id: String) -> Pending<'_, Option<SessionRow>>;

    /// Lets a session live longer.
    fn prolong_session(&self, id: String, expires_s: i64) -> Pending<'_, ()>;

    /// Ends a session.
    fn end_session(&self, id: String) -> Pending<'_, ()>;

    /// Counts an attempt to sign in as failed before it is looked at; gives the seconds to wait when it is too early,
    /// and then does not count it.
    fn attempt(&self, attempts: Vec<Attempt>, now_s: i64) -> Pending<'_, i64>;

    /// The seconds to wait now; writes nothing.
    fn wait_s(&self, attempts: Vec<Attempt>, now_s: i64) -> Pending<'_, i64>;

    /// Takes the attempt back, which was a good one, and all failures of subjects that nobody shares.
    fn succeeded(&self, attempts: Vec<Attempt>) -> Pending<'_, ()>;

    /// Forgets failures that count no more.
    fn forget_failures(&self, now_s: i64) -> Pending<'_, ()>;
}

/// Keeping devices' tokens.
pub(crate) trait Tokens: Send + Sync {
    /// Adds a token; none when the device has [`TOKENS_MOST`] already.
    fn add_token(&self, device_id: String, token: Fingerprint) -> Pending<'_, Option<i64>>;

    /// The tokens that live.
    fn tokens(&self) -> Pending<'_, Vec<TokenRow>>;

    /// Ends a token's life; `false` when there is none of that id.
    fn revoke_token(&self, id: i64) -> Pending<'_, bool>;

    /// Whether there is a token, and the device of this one.
    fn token_device(&self, token: Option<Fingerprint>) -> Pending<'_, (bool, Option<String>)>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let attempt = Attempt {
            subject: "x".into(),
            free: 3,
            longest_s: 300,
            is_shared: false,
        };
        let waits: Vec<_> = [0, 1, 3, 4, 5, 6, 7, 12, 13, 4_000_000]
            .map(|failures| attempt.wait_s(failures))
            .into();
        assert_eq!(waits, [0, 0, 0, 1, 2, 4, 8, 256, 300, 300]);
    }
}
