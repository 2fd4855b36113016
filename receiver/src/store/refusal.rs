//! What to say of a folder that can't be used: whose it is, who asks, and what to do about it.

use std::fmt::Display;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Access, access};

use super::{StoreError, modes};

/// Why a folder can't be used. One of somebody else, as a container finds it where it was not prepared, is named with both
/// users.
pub(super) fn refused(folder: &Path) -> impl FnOnce(io::Error) -> StoreError {
    move |error| {
        let reason = if error.kind() == io::ErrorKind::PermissionDenied {
            denied(folder)
        } else {
            None
        };
        StoreError::Unavailable(reason.unwrap_or_else(|| format!("{}: {error}", folder.display())))
    }
}

fn denied(folder: &Path) -> Option<String> {
    let user = rustix::process::geteuid().as_raw();
    let shown = folder.display();
    let (there, metadata) = nearest(folder)?;
    let way_out = if there == folder {
        way_into(folder, &metadata, user)
    } else if access(there, Access::EXEC_OK).is_ok() {
        // Never the one above: others live there.
        format!("make the folder first: sudo install -d -m 700 -o {user} {shown}")
    } else {
        "name a folder elsewhere".to_string()
    };
    Some(format!(
        "permission denied: {} belongs to user {}, and this runs as user {user}; {way_out}",
        there.display(),
        metadata.uid()
    ))
}

/// The folder, or of one that could not be made the one above it.
fn nearest(folder: &Path) -> Option<(&Path, Metadata)> {
    folder.ancestors().find_map(|path| {
        let path = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        Some((path, fs::metadata(path).ok()?))
    })
}

/// What to do about a folder that is there.
fn way_into(folder: &Path, metadata: &Metadata, user: u32) -> String {
    let shown = folder.display();
    let owner = metadata.uid();
    if owner != 0 && owner != user {
        let name = user_name(owner);
        return format!("run it as that user (sudo -u {name}), or give it the folder: chown -R {user} {shown}");
    }
    match modes::holds_others_things(folder) {
        Ok(false) => format!("chown -R {user} {shown}"),
        Ok(true) => {
            let own = folder.join("sync-receiver");
            format!(
                "other things are in it; name a folder of its own, made with: sudo install -d -m 700 -o {user} {}",
                own.display()
            )
        }
        Err(_) => format!("if it is for the receiver alone: chown -R {user} {shown}"),
    }
}

/// As `sudo -u` takes it.
fn user_name(user: u32) -> String {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(user)).then(|| name.to_string())
    });
    name.unwrap_or_else(|| format!("'#{user}'"))
}

/// Refuses a folder without a receiver's database, unless one may be made, and one that may not be written.
pub(super) fn check_database(folder: &Path, may_make: bool) -> Result<(), StoreError> {
    let database = folder.join("receiver.db");
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
    let absolute = absolute.display();
    let reason = match fs::metadata(&database) {
        Ok(metadata) if access(&database, Access::READ_OK | Access::WRITE_OK).is_err() => {
            of_user(&database, &metadata, &absolute)
        }
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound && may_make => return Ok(()),
        Err(error) => match (error.kind(), nearest(folder)) {
            (io::ErrorKind::NotFound | io::ErrorKind::NotADirectory, _) => format!(
                "there is no receiver.db in {absolute}: name the receiver's folder in RECEIVER_DATA or with --data; the \
                 Debian package's is /var/lib/sync-receiver (sudo -u sync-receiver sync-receiver --data /var/lib/sync-receiver …)"
            ),
            (io::ErrorKind::PermissionDenied, Some((there, metadata))) => of_user(there, &metadata, &absolute),
            _ => format!("{}: {error}", database.display()),
        },
    };
    Err(StoreError::Unavailable(reason))
}

fn of_user(path: &Path, metadata: &Metadata, folder: &dyn Display) -> String {
    let owner = user_name(metadata.uid());
    format!(
        "permission denied: {} belongs to {owner}; run this as that user: sudo -u {owner} sync-receiver --data {folder} …",
        path.display()
    )
}
