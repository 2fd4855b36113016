//! File systems of a test's own. They take the right to mount: tests that use them stand in modules named `mounts`.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A mount that goes with the test.
pub struct Mount(PathBuf);

impl Mount {
    #[track_caller]
    pub fn new(at: &Path, arguments: &[&str]) -> Self {
        std::fs::create_dir_all(at).unwrap();
        let mounted = rustix::process::geteuid().is_root()
            && Command::new("mount")
                .args(arguments)
                .arg(at)
                .status()
                .is_ok_and(|status| status.success());
        assert!(
            mounted,
            "mounting takes root and the right to mount; leave it out with --skip mounts::"
        );
        Mount(at.to_owned())
    }

    /// A disk in memory with so many MB.
    #[track_caller]
    pub fn small_disk(at: &Path, mb: u32) -> Self {
        Mount::new(at, &["-t", "tmpfs", "-o", &format!("size={mb}m"), "tmpfs"])
    }

    #[track_caller]
    pub fn again(&self, options: &str) {
        let mut mount = Command::new("mount");
        assert!(mount.args(["-o", options]).arg(&self.0).status().unwrap().success());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Bytes that are free on the disk of a path.
pub fn free_bytes(path: &Path) -> u64 {
    rustix::fs::statvfs(path).map(|fs| fs.f_bavail * fs.f_frsize).unwrap()
}
