//! PostgreSQL behind TLS, with certificates of an authority of the test's own.

use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::any_may_die::Cluster;
use crate::support::postgres::ask;
use crate::support::tls::Authority;
use crate::support::{Receiver, event, post, program};

/// A PostgreSQL whose certificate is for a host.
fn cluster(authority: &Authority, host: &str) -> Cluster {
    let folder = TempDir::new().unwrap();
    let [certificate, key] = authority.give(host, folder.path());
    std::fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    let options = format!(
        "-c ssl=on -c ssl_cert_file={} -c ssl_key_file={}",
        certificate.display(),
        key.display()
    );
    Cluster::with(folder, options)
}

/// The URL with a password and parameters.
fn url(cluster: &Cluster, parameters: &str) -> String {
    let url = cluster.url("rows").replace("fleet@", "fleet:secret-pw@");
    format!("{url}?{parameters}")
}

/// The one line of a start that does not go well.
fn refused(url: &str, settings: &[(&str, &str)]) -> String {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = TempDir::new().unwrap();
    let output = program()
        .envs(settings.iter().copied())
        .env("RECEIVER_DATA", folder.path())
        .env("RECEIVER_DATABASE_URL", url)
        .env("RECEIVER_LISTEN", taken.local_addr().unwrap().to_string())
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), error.lines().count()), (Some(2), 1), "{error}");
    assert!(!error.contains("secret-pw"), "{error}");
    error
}

#[test]
#[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
fn a_database_behind_tls_is_used_if_its_certificate_is_trusted_and_refused_in_one_line_if_not() {
    let (authority, other) = (Authority::new(), Authority::new());
    let database = cluster(&authority, "127.0.0.1");
    let (ca, other_ca) = (authority.file(), other.file());
    let named = format!("sslmode=verify-full&sslrootcert={ca}");
    let private = [("SSL_CERT_FILE", ca.as_str())];
    for (number, (parameters, settings)) in [
        ("sslmode=require", &[][..]),
        (&named, &[]),
        ("sslmode=verify-full", &private),
    ]
    .into_iter()
    .enumerate()
    {
        let url = url(&database, parameters);
        let settings = [settings, &[("RECEIVER_DATABASE_URL", url.as_str())]].concat();
        let receiver = Receiver::with(&settings);
        let id = receiver.ask(post("/api/evenements", "", event())).id();
        assert_eq!(id, number as i64 + 1, "{parameters}");
        let private = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'sync-receiver'";
        assert_eq!(ask(&database.url("rows"), private), ["t"], "{parameters}");
    }
    // By another authority, and by none that this machine knows.
    let wrong = format!("sslmode=verify-full&sslrootcert={other_ca}");
    let unknown = [("SSL_CERT_FILE", other_ca.as_str())];
    for (parameters, settings) in [(wrong.as_str(), &[][..]), ("sslmode=verify-full", &unknown)] {
        let error = refused(&url(&database, parameters), settings);
        assert!(error.contains("RECEIVER_DATABASE_URL: fleet@127.0.0.1:"), "{error}");
        assert!(
            error.contains("certificate") && error.contains("sslrootcert"),
            "{error}"
        );
    }
    // That of another host.
    let elsewhere = cluster(&authority, "db.example.org");
    let error = refused(&url(&elsewhere, &named), &[]);
    assert!(error.contains("certificate") && error.contains("127.0.0.1"), "{error}");
    // What is in the file is said before anybody is asked.
    let error = refused(&url(&database, "sslmode=verify-full&sslrootcert=/dev/null"), &[]);
    assert!(error.contains("sslrootcert=/dev/null: no certificate in it"), "{error}");
}
