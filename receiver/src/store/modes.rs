//! Who may read what is kept: nobody but the receiver's own user. It is what cameras saw.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;

const FOLDER: u32 = 0o700;
pub(super) const FILE: u32 = 0o600;

/// What a receiver makes beside its database.
const OURS: [&str; 7] = [
    "clips",
    "incoming",
    "owner",
    "owner.new",
    "receiver.db-wal",
    "receiver.db-shm",
    "receiver.db-journal",
];

/// The bits of everybody else.
const OTHERS: u32 = 0o077;

/// Makes a folder, unless it is there.
pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER).create(path)
}

/// Makes a file that is not there yet. Root's go to whose folder it is, who could not open them otherwise.
pub(super) fn new_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create_new(true).mode(FILE).open(path)?;
    if rustix::process::geteuid().is_root() {
        if let Some(folder) = path.parent().and_then(|folder| fs::metadata(folder).ok()) {
            // A container may take this right from root, who goes on alone then.
            let _ = fchown(&file, Some(folder.uid()), Some(folder.gid()));
        }
    }
    Ok(file)
}

/// Makes a file, unless it is there.
pub(super) fn make_file(path: &Path) -> io::Result<()> {
    match new_file(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Takes from others what an older version let them read in `folder`, and one that is still empty.
pub(super) fn tighten(folder: &Path) {
    match tighten_all(folder) {
        Ok(0) => {}
        Ok(count) => log::warn!(
            "{}: others on this machine could read {count} files and folders in it, as older versions made them; no more",
            folder.display()
        ),
        Err(error) => log::warn!(
            "{}: others on this machine may be able to read clips: {error}; chmod -R go= it as its owner",
            folder.display()
        ),
    }
}

fn tighten_all(folder: &Path) -> io::Result<usize> {
    if fs::read_dir(folder)?.next().is_none() {
        // Somebody has just made it for us: nothing was there to be read.
        tighten_one(folder, FOLDER)?;
        return Ok(0);
    }
    let mut count = 0;
    for name in [
        "receiver.db",
        "receiver.db-wal",
        "receiver.db-shm",
        "receiver.db-journal",
        "owner",
        "owner.new",
    ] {
        count += tighten_one(&folder.join(name), FILE)?;
    }
    for name in ["clips", "incoming"] {
        let path = folder.join(name);
        if !is_loose(&path)? {
            continue;
        }
        for entry in fs::read_dir(&path)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                count += tighten_one(&entry.path(), FILE)?;
            }
        }
        // The folder last: a start that is cut short is gone on with by the next.
        count += tighten_one(&path, FOLDER)?;
    }
    if is_ours_alone(folder)? {
        count += tighten_one(folder, FOLDER)?;
    }
    Ok(count)
}

/// Whether others may do anything with it. What is not there is tight.
fn is_loose(path: &Path) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(metadata.permissions().mode() & OTHERS != 0),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn tighten_one(path: &Path, mode: u32) -> io::Result<usize> {
    if !is_loose(path)? {
        return Ok(0);
    }
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    Ok(1)
}

/// Whether nothing else is in the folder: one that is shared, as `/srv` may be, must stay open to others.
fn is_ours_alone(folder: &Path) -> io::Result<bool> {
    let mut database = false;
    for entry in fs::read_dir(folder)? {
        match entry?.file_name().to_str() {
            Some("receiver.db") => database = true,
            Some(name) if OURS.contains(&name) => {}
            _ => return Ok(false),
        }
    }
    Ok(database)
}

/// Whether anything is in the folder that no receiver has made.
pub(super) fn holds_others_things(folder: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let is_ours = |name: &str| OURS.contains(&name) || matches!(name, "receiver.db" | "moved" | "lost+found");
        if !name.to_str().is_some_and(is_ours) {
            return Ok(true);
        }
    }
    Ok(false)
}
