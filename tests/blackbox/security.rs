//! Tokens and TLS: who is trusted, and what never shows.

use crate::support::proxy::Proxy;
use crate::support::service::PATIENCE;
use crate::support::tls::{Authority, Site};
use crate::support::{Act, Backend, Device, Run, Service};

fn error_message(device: &Device) -> String {
    device.value("SELECT coalesce(error_message, '') FROM sync_tracking WHERE local_id = 1")
}

fn once(device: &Device, site: &Site, authority: Option<&Authority>) -> Service {
    let service = Service::of(device, &site.url(), "once");
    match authority {
        Some(authority) => service.env("BACKEND_CA_FILE", authority.file()),
        None => service,
    }
}

#[test]
fn a_private_authority_is_trusted_beside_the_systems() {
    let device = Device::new();
    device.events(2);
    device.big_clip(300_000);
    let authority = Authority::new(device.folder());
    let site = Site::new(authority.certificate("127.0.0.1"), None);
    once(&device, &site, Some(&authority)).run().exits(0);
    assert_eq!(site.requests(), 3);
}

#[test]
fn each_fault_of_a_certificate_has_its_words() {
    let device = Device::new();
    device.event();
    let authority = Authority::new(device.folder());
    let good = Site::new(authority.certificate("127.0.0.1"), None);
    let expired = Site::new(authority.expired("127.0.0.1"), None);
    let other = Site::new(authority.certificate("other.example"), None);
    for (site, authority, words) in [
        (&good, None, "autorité de certification inconnue"),
        (&expired, Some(&authority), "expiré"),
        (&other, Some(&authority), "autre nom"),
    ] {
        once(&device, site, authority).run().exits_with_words(1);
        let message = error_message(&device);
        assert!(
            message.starts_with("Erreur TLS") && message.contains(words),
            "{words}: {message}"
        );
        assert_eq!(site.requests(), 0, "nothing is sent to who can't be trusted");
    }
}

#[test]
fn a_server_that_wants_a_certificate_gets_ours() {
    let device = Device::new();
    device.event();
    let authority = Authority::new(device.folder());
    let site = Site::new(authority.certificate("127.0.0.1"), Some(&authority));
    once(&device, &site, Some(&authority)).run().exits_with_words(1);
    assert!(
        error_message(&device).contains("BACKEND_CLIENT_CERT"),
        "{}",
        error_message(&device)
    );
    let (cert, key) = authority.client_files();
    once(&device, &site, Some(&authority))
        .env("BACKEND_CLIENT_CERT", cert)
        .env("BACKEND_CLIENT_KEY", key)
        .run()
        .exits(0);
    assert_eq!(site.requests(), 1);
}

#[test]
fn files_that_can_not_be_used_end_the_start_with_their_variable() {
    let device = Device::new();
    let authority = Authority::new(device.folder());
    let (cert, key) = authority.client_files();
    let nonsense = device.folder().join("nonsense.pem");
    std::fs::write(&nonsense, "nonsense").unwrap();
    for (settings, variable) in [
        (vec![("BACKEND_CA_FILE", nonsense.clone())], "BACKEND_CA_FILE"),
        (vec![("BACKEND_CA_FILE", "/nowhere".into())], "BACKEND_CA_FILE"),
        (vec![("BACKEND_CLIENT_CERT", cert.clone())], "BACKEND_CLIENT_CERT"),
        (vec![("BACKEND_CLIENT_KEY", key)], "BACKEND_CLIENT_KEY"),
        (
            vec![("BACKEND_CLIENT_CERT", cert), ("BACKEND_CLIENT_KEY", nonsense)],
            "BACKEND_CLIENT_KEY",
        ),
        (vec![("BACKEND_TOKEN_FILE", "/nowhere".into())], "BACKEND_TOKEN_FILE"),
    ] {
        let mut service = Service::of(&device, "https://127.0.0.1:1", "once");
        for (name, value) in settings {
            service = service.env(name, value);
        }
        let run = service.run().exits_with_words(2);
        assert!(
            run.stderr.contains(variable) && run.stderr.trim().lines().count() == 1,
            "{variable}: {run}"
        );
    }
}

fn with_token(device: &Device, backend: &Backend) -> Run {
    Service::once(device, backend)
        .env("BACKEND_TOKEN", "s3cret-token")
        .env("RUST_LOG", "trace")
        .env("SYNC_METRICS_FILE", device.folder().join("m.prom"))
        .run()
}

#[test]
fn a_token_goes_to_the_server_and_nowhere_else() {
    let (device, backend) = (Device::new(), Backend::start());
    device.events(3);
    // A server that says back what it was told.
    backend.acts([
        Act::status(400, "bad token: s3cret-token"),
        Act::status(201, "{\"token\":\"Bearer s3cret-token\"}"),
        Act::status(401, "s3cret-token"),
    ]);
    let run = with_token(&device, &backend).exits_with_words(1);
    for request in backend.received() {
        assert_eq!(request.header("authorization"), Some("Bearer s3cret-token"));
    }
    let status = Service::command(&["failures"])
        .env("LOCAL_DB_PATH", device.path())
        .run();
    let metrics = std::fs::read_to_string(device.folder().join("m.prom")).unwrap();
    let tracked: String = device.value("SELECT group_concat(coalesce(error_message, '')) FROM sync_tracking");
    let places = [run.stdout, run.stderr, status.stdout, metrics, tracked];
    for place in places {
        assert!(!place.contains("s3cret"), "{place}");
    }
}

#[test]
fn a_token_comes_from_a_file_without_its_line_end() {
    let (device, backend) = (Device::new(), Backend::start());
    device.event();
    let file = device.folder().join("token");
    std::fs::write(&file, "from-a-file\n").unwrap();
    Service::once(&device, &backend)
        .env("BACKEND_TOKEN_FILE", &file)
        .run()
        .exits(0);
    assert_eq!(
        backend.received()[0].header("authorization"),
        Some("Bearer from-a-file")
    );
    let both = Service::once(&device, &backend)
        .env("BACKEND_TOKEN_FILE", &file)
        .env("BACKEND_TOKEN", "other")
        .run()
        .exits_with_words(2);
    assert!(
        !both.stderr.contains("from-a-file") && !both.stderr.contains("other"),
        "{both}"
    );
}

#[test]
fn a_token_that_leaves_home_unencrypted_is_warned_about() {
    let device = Device::new();
    let warned = |url: &str| {
        let run = Service::of(&device, url, "once").env("BACKEND_TOKEN", "s3cret").run();
        assert!(!run.stderr.contains("s3cret"), "{run}");
        run.stderr.contains("unencrypted")
    };
    assert!(warned("http://server.example"));
    assert!(!warned("http://127.0.0.1:1"));
}

#[test]
fn a_proxy_is_used_for_https_and_not_for_what_no_proxy_lists() {
    let device = Device::new();
    let authority = Authority::new(device.folder());
    let site = Site::new(authority.certificate("127.0.0.1"), None);
    let proxy = Proxy::start();
    let run = |no_proxy: &str| {
        device.event();
        let run = once(&device, &site, Some(&authority))
            .env("HTTPS_PROXY", proxy.url())
            .env("NO_PROXY", no_proxy)
            .env("RUST_LOG", "trace")
            .run()
            .exits_with_words(0);
        assert!(
            !run.stderr.contains("pa55word") && !run.stdout.contains("pa55word"),
            "{run}"
        );
    };
    run("other.example");
    assert_eq!((site.requests(), proxy.tunnels()), (1, 1));
    run("localhost, 127.0.0.1");
    assert_eq!((site.requests(), proxy.tunnels()), (2, 1), "straight to the server");
    // A plain http server is not what HTTPS_PROXY is for.
    let backend = Backend::start();
    device.event();
    Service::once(&device, &backend)
        .env("HTTPS_PROXY", proxy.url())
        .run()
        .exits(0);
    assert_eq!((backend.stored_count(), proxy.tunnels()), (1, 1));
}

#[test]
fn credentials_in_a_url_that_can_not_be_used_never_show() {
    let device = Device::new();
    for url in [
        "http://user:pa,ss@host.example",
        "http://user:p@ss@host.example",
        "http://user:1234/ss@host.example",
        "http://user:p#ss@host.example",
        "http://one.example,http://user:80,ss@host.example",
        "user:pass@host.example",
    ] {
        for words in [&[][..], &["check"]] {
            let run = Service::command(words).on(&device, url, "once").run();
            assert_ne!(run.code(), Some(0), "{run}");
            for shown in [&run.stdout, &run.stderr] {
                assert!(!shown.contains("user") && !shown.contains("ss@"), "{url}: {run}");
            }
            let said = run.stdout + &run.stderr;
            assert!(said.contains("BACKEND_URL") && said.contains("@host.example"), "{said}");
        }
    }
}

#[test]
fn a_redirect_names_its_target_without_credentials() {
    let (device, backend) = (Device::new(), Backend::start());
    device.event();
    backend.always(Act::status(301, "").header("Location", "https://user:pass@new.example/x"));
    let run = Service::once(&device, &backend).run().exits_with_words(1);
    assert!(!(run.stdout.clone() + &run.stderr).contains("pass"), "{run}");
    assert!(
        error_message(&device).contains("@new.example/x"),
        "{}",
        error_message(&device)
    );
}

#[test]
fn no_level_of_the_log_shows_a_secret() {
    for level in [
        "trace",
        "ureq=trace",
        "ureq::run=trace,ureq_proto::util=trace,ureq_proto=trace,trace",
    ] {
        let (device, backend) = (Device::new(), Backend::start());
        device.event();
        device.big_clip(1_200_000);
        let run = Service::once(&device, &backend)
            .env("BACKEND_TOKEN", "s3cret-token")
            .env(
                "HEARTBEAT_URL",
                format!("{}/ping/s3cret-path?and=s3cret", backend.url()),
            )
            .env("RUST_LOG", level)
            .run()
            .exits_with_words(0);
        assert_eq!(
            backend.received().last().unwrap().method,
            "GET",
            "the heartbeat came\n{run}"
        );
        assert!(!run.stderr.is_empty(), "{level} says something");
        for shown in [&run.stdout, &run.stderr] {
            assert!(!shown.contains("s3cret"), "{level}: {run}");
        }
    }
}

#[test]
fn a_heartbeat_elsewhere_does_not_learn_who_we_are() {
    let device = Device::new();
    let authority = Authority::new(device.folder());
    let ours = Site::new(authority.certificate("127.0.0.1"), Some(&authority));
    let theirs = Site::new(authority.certificate("127.0.0.1"), Some(&authority));
    let (cert, key) = authority.client_files();
    let beat_to = |site: &Site| {
        device.event();
        once(&device, &ours, Some(&authority))
            .env("BACKEND_CLIENT_CERT", &cert)
            .env("BACKEND_CLIENT_KEY", &key)
            .env("HEARTBEAT_URL", format!("{}/beat", site.url()))
            .run()
            .exits_with_words(0);
    };
    beat_to(&theirs);
    assert_eq!(
        (ours.requests(), theirs.requests()),
        (1, 0),
        "it asks for a certificate and gets none"
    );
    // Where the server itself counts heartbeats, it is asked as always.
    beat_to(&ours);
    assert_eq!((ours.requests(), theirs.requests()), (3, 0));
}

/// What must not reach a terminal: control and bidirectional characters.
fn treacherous(text: &str) -> Vec<char> {
    let bad = |c: &char| {
        (c.is_control() && *c != '\n')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{2028}' | '\u{2029}')
    };
    text.chars().filter(bad).collect()
}

#[test]
fn no_text_from_outside_plays_tricks_on_a_terminal() {
    let nasty = "\u{1b}[2Ja\u{202e}b\u{2066}c\u{2069}d\u{61c}e\u{200f}f\u{2028}g\u{9b}h\r";
    let (device, backend) = (Device::new(), Backend::start());
    device.events(2);
    backend.acts([Act::status(400, nasty), Act::status(400, "non")]);
    let mut service = Service::continuous(&device, &backend).env("RUST_LOG", "debug").start();
    service.prints("Médias échoués");
    let mut shown = vec![];
    // Whoever can write beside the database can say anything about the service, and steer in SQL.
    let lock = device.folder().join("surveillance.db.sync-service");
    let said: serde_json::Value = serde_json::from_slice(&std::fs::read(&lock).unwrap()).unwrap();
    let mut forged = said.clone();
    for field in ["host", "mode", "backend", "trouble"] {
        forged[field] = nasty.into();
    }
    std::fs::write(&lock, forged.to_string()).unwrap();
    device
        .db()
        .execute(
            "UPDATE sync_tracking SET error_message = ?1, sync_date = ?1 WHERE local_id = 2",
            [nasty],
        )
        .unwrap();
    for words in [&["status"][..], &["status", "--json"], &["failures"], &["check"], &[]] {
        let run = Service::command(words).on(&device, &backend.url(), "once").run();
        shown.extend([run.stdout, run.stderr]);
    }
    service.signal(rustix::process::Signal::TERM);
    let run = service.wait_within(PATIENCE);
    shown.extend([run.stdout, run.stderr]);
    assert!(
        shown.iter().any(|text| text.contains("abcde")),
        "it is shown at all: {shown:?}"
    );
    for text in shown {
        assert_eq!(treacherous(&text), [], "{text:?}");
    }
}
