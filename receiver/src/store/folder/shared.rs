//! A folder that several receivers use, whose rows are elsewhere: what one of them is about to settle is no leftover to the
//! others, so that leftovers are told by their age.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::parts::{UPLOAD, has_suffix};
use super::{Folders, PART, remove};
use crate::store::StoreError;
use crate::store::clips::Leftovers;

/// Age from which a video without a row is nobody's: longer than any request or upload is silent.
pub(super) const LEFT_AFTER: Duration = Duration::from_secs(24 * 3_600);

impl Folders {
    /// What nobody has touched for long: marks of clips, parts, and clips that were never complete.
    pub(super) fn leftovers(&self, now_ms: i64) -> Result<Leftovers, StoreError> {
        let mut names = Vec::new();
        for path in self.list_incoming()? {
            if self.is_left(&path, now_ms)? {
                let is_part = has_suffix(&path, UPLOAD);
                let name = if is_part { path.file_stem() } else { path.file_name() };
                names.extend(name.map(|name| name.to_string_lossy().into_owned()));
            }
        }
        Ok(Leftovers { names, next: None })
    }

    /// Removes a part, a clip that was never complete, or a clip with its mark.
    pub(super) fn remove_leftover(&self, name: &str, now_ms: i64) -> Result<bool, StoreError> {
        for path in [self.incoming.join(format!("{name}.{UPLOAD}")), self.incoming.join(name)] {
            if !self.is_left(&path, now_ms)? {
                continue;
            }
            if has_suffix(&path, PART) || has_suffix(&path, UPLOAD) {
                remove(&path)?;
            } else {
                self.settle(name, false)?;
            }
            return Ok(true);
        }
        Ok(false)
    }

    fn is_left(&self, path: &Path, now_ms: i64) -> Result<bool, StoreError> {
        match fs::metadata(path).and_then(|metadata| metadata.modified()) {
            Ok(modified) => Ok(age(modified, now_ms) >= self.left_after),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(StoreError::file(path)(error)),
        }
    }
}

/// By the clock of the files, or none where it is ahead of that.
fn age(modified: SystemTime, now_ms: i64) -> Duration {
    let now = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(now_ms).unwrap_or(0));
    now.duration_since(modified).unwrap_or_default()
}
