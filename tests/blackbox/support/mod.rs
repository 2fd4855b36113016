//! The harness: a device, a recorder, a backend that can fail in every way, and the built uploader between them.

pub mod arrived;
pub mod backend;
pub mod device;
pub mod expected;
pub mod faulty;
pub mod layout;
pub mod lines;
pub mod mount;
pub mod proxy;
pub mod random;
pub mod receiver;
pub mod recorder;
pub mod service;
pub mod sessions;
pub mod tls;

pub use arrived::assert_everything_arrived_once;
pub use backend::{Act, Backend, Expect, Gate};
pub use device::Device;
pub use layout::{Journal, Layout};
pub use mount::Mount;
pub use recorder::Recorder;
pub use service::{Run, Running, Service};

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Waits until `condition` holds; `what` names it when it never does.
#[track_caller]
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + service::PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A library of `tests/blackbox/support`, compiled for `LD_PRELOAD`. Not under an emulator, which this machine's code can't
/// be loaded into.
pub fn preloaded(folder: &Path, source: &str) -> PathBuf {
    service::assert_native();
    let library = folder.join(source).with_extension("so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/blackbox/support")
        .join(source);
    let compiled = std::process::Command::new("cc")
        .args(["-Wall", "-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .arg("-ldl")
        .status()
        .unwrap();
    assert!(compiled.success());
    library
}
