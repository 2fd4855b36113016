//! The environment: what is accepted, and how what is not is refused.

use std::os::unix::ffi::OsStrExt;

use crate::support::{Backend, Device, Service};

/// Values that nobody can mean.
const WRONG: &[(&str, &str)] = &[
    ("SYNC_MODE", "sometimes"),
    ("SYNC_MODE", ""),
    ("SYNC_MODE", "ONCE "),
    ("SYNC_INTERVAL_MINUTES", "0"),
    ("SYNC_INTERVAL_MINUTES", "-5"),
    ("SYNC_INTERVAL_MINUTES", "five"),
    ("SYNC_INTERVAL_MINUTES", "5 min"),
    ("SYNC_INTERVAL_MINUTES", "inf"),
    ("SYNC_INTERVAL_MINUTES", "NaN"),
    ("SYNC_INTERVAL_MINUTES", "99999999999999999999"),
    ("SYNC_INTERVAL_MINUTES", ""),
    ("BACKEND_URL", "ftp://backend"),
    ("BACKEND_URL", "backend:8000"),
    ("BACKEND_URL", "http://"),
    ("BACKEND_URL", "http://backend:99999"),
    ("BACKEND_URL", "http://back end"),
    ("BACKEND_URL", ""),
    ("DEVICE_ID", ""),
    ("DEVICE_ID", "two\nlines"),
    ("LOCAL_DB_PATH", ""),
    ("SYNC_COMPRESSION", "lzma"),
];

#[test]
fn a_value_that_is_not_usable_is_named_in_one_line() {
    for &(name, value) in WRONG {
        let (device, backend) = (Device::new(), Backend::start());
        let run = Service::once(&device, &backend)
            .env(name, value)
            .run()
            .exits_with_words(2);
        let told = run.stderr.trim_end();
        assert_eq!(told.lines().count(), 1, "{name}={value:?}: {run}");
        assert!(told.contains(name), "{name}={value:?}: {run}");
        assert!(
            told.contains(value.lines().next().unwrap_or_default()),
            "{name}={value:?}: {run}"
        );
        assert_eq!(run.stdout, "", "{name}={value:?}");
        assert!(device.tracking().is_empty());
    }
}

#[test]
fn the_line_says_what_is_accepted() {
    for (name, value, accepted) in [
        ("SYNC_MODE", "sometimes", vec!["once", "periodic", "continuous"]),
        ("SYNC_COMPRESSION", "lzma", vec!["auto", "none", "gzip", "zstd"]),
        ("BACKEND_URL", "backend:8000", vec!["http://", "https://"]),
    ] {
        let (device, backend) = (Device::new(), Backend::start());
        let run = Service::once(&device, &backend)
            .env(name, value)
            .run()
            .exits_with_words(2);
        for word in accepted {
            assert!(run.stderr.contains(word), "{word}: {run}");
        }
    }
}

#[test]
fn a_value_that_is_not_utf_8_is_refused_and_not_fatal() {
    for name in ["BACKEND_URL", "DEVICE_ID", "SYNC_MODE", "SYNC_INTERVAL_MINUTES"] {
        let (device, backend) = (Device::new(), Backend::start());
        let value = std::ffi::OsStr::from_bytes(b"caf\xe9");
        let run = Service::once(&device, &backend)
            .env(name, value)
            .run()
            .exits_with_words(2);
        assert!(run.stderr.contains(name), "{run}");
        assert_eq!(run.stderr.trim_end().lines().count(), 1, "{run}");
    }
}

#[test]
fn usual_values_are_accepted_as_people_write_them() {
    for (name, value) in [
        ("SYNC_INTERVAL_MINUTES", "1"),
        ("SYNC_INTERVAL_MINUTES", "1440"),
        ("DEVICE_ID", "Salon n° 3"),
        ("SYNC_COMPRESSION", "auto"),
        ("SYNC_COMPRESSION", "none"),
    ] {
        let (device, backend) = (Device::new(), Backend::start());
        device.event();
        Service::once(&device, &backend).env(name, value).run().exits(0);
        assert_eq!(backend.stored_count(), 1, "{name}={value:?}");
    }
}

#[test]
fn the_defaults_are_the_contracts() {
    assert!(
        !std::path::Path::new("/data/surveillance.db").exists(),
        "there is a real database at the default path: run the tests elsewhere"
    );
    let mut service = Service::bare().start();
    service.prints("⏱️  Intervalle de sync: 5 minutes\n");
    let stdout = service.stdout();
    for line in [
        "║         Service de Synchronisation - raspberry-1           ║\n",
        "💾 Base de données locale: /data/surveillance.db\n",
        "🌐 Serveur distant: http://backend:8000\n",
    ] {
        assert!(stdout.contains(line), "{stdout}");
    }
    // Continuous by default: a database that is not there yet is waited for.
    service.stop().exits(0);
}
