//! The commands beside the bare run: what they say, what they change, how they end.

use rustix::process::Signal;

use crate::support::receiver::Receiver;
use crate::support::service::PATIENCE;
use crate::support::{Act, Backend, Device, Run, Service, assert_everything_arrived_once, eventually};

fn command(device: &Device, arguments: &[&str]) -> Run {
    Service::command(arguments).env("LOCAL_DB_PATH", device.path()).run()
}

fn check(device: &Device, url: &str) -> Service {
    Service::command(&["check"]).on(device, url, "once")
}

/// A device with an event that failed, one that was sent, and a clip that waits.
fn mixed() -> (Device, Backend) {
    let (device, backend) = (Device::new(), Backend::start());
    device.events(2);
    backend.acts([Act::status(400, "non"), Act::created()]);
    Service::once(&device, &backend).run().exits_with_words(1);
    device.clip(b"clip");
    (device, backend)
}

#[test]
fn help_has_examples_and_wrong_words_end_with_2() {
    let device = Device::new();
    let help = command(&device, &["--help"]).exits(0).stdout;
    for word in [
        "check",
        "status",
        "failures",
        "retry",
        "reset",
        "SYNC_MODE=once",
        "LOCAL_DB_PATH",
    ] {
        assert!(help.contains(word), "{word}: {help}");
    }
    for word in ["check", "status", "failures", "retry", "prune", "reset"] {
        let help = command(&device, &[word, "--help"]).exits(0).stdout;
        assert!(help.contains(&format!("  sync-service {word}")), "{help}");
    }
    let version = command(&device, &["--version"]).exits(0).stdout;
    assert_eq!(version.trim(), format!("sync-service {}", env!("CARGO_PKG_VERSION")));
    for wrong in [
        &["nonsense"][..],
        &["retry", "--id", "x"],
        &["retry", "--id", "3"],
        &["retry", "--table", "capteur"],
    ] {
        command(&device, wrong).exits_with_words(2);
    }
}

#[test]
fn check_says_a_line_a_fact_and_0_when_all_is_well() {
    let (device, backend) = (Device::new(), Backend::start());
    backend.always(Act::status(405, ""));
    let run = check(&device, &backend.url()).run().exits(0);
    // The disk that the tests run on may be anything but full.
    let well = |line: &str| line.starts_with('✅') || line.starts_with("⚠️  Espace disque");
    assert!(run.stdout.lines().all(well), "{run}");
    for word in [
        "Configuration",
        "lisible",
        "écriture",
        "Structure",
        "joignable",
        "Espace disque",
        "Horloge",
    ] {
        assert!(run.stdout.contains(word), "{word}: {run}");
    }
    assert!(
        device.db().prepare("SELECT 1 FROM sync_tracking").is_err(),
        "check changes nothing"
    );
}

#[test]
fn check_asks_as_a_device_where_people_of_the_same_machine_may_read() {
    let (device, receiver) = (Device::new(), Receiver::start());
    let check = |token: Option<&str>| {
        let check = check(&device, &receiver.url);
        match token {
            Some(token) => check.env("BACKEND_TOKEN", token).run(),
            None => check.run(),
        }
    };
    assert!(check(None).exits(0).stdout.contains("sans jeton"));
    let token = receiver.add_token("raspberry-1");
    // What the receiver knows of tokens holds for a moment.
    eventually("a token is needed", || check(None).stdout.contains("jeton demandé"));
    assert!(check(Some("wrong")).exits_with_words(1).stdout.contains("jeton refusé"));
    assert!(check(Some(&token)).exits(0).stdout.contains("Jeton accepté"));
    assert!(receiver.holds().is_empty());
    receiver.stop();
}

#[test]
fn check_names_each_trouble_and_the_next_step() {
    let (device, backend) = (Device::new(), Backend::start());
    let no_database = Device::empty_folder(crate::support::Layout::Current);
    let away = Backend::refusing();
    let with_token = |status| {
        backend.always(Act::status(status, ""));
        check(&device, &backend.url()).env("BACKEND_TOKEN", "s3cret")
    };
    for (service, line, step) in [
        (
            check(&no_database, &backend.url()),
            "❌ Base de données absente",
            "LOCAL_DB_PATH",
        ),
        (check(&device, &away.url()), "Serveur inaccessible", "BACKEND_URL"),
        (
            check(&device, "nonsense"),
            "❌ Configuration invalide: BACKEND_URL",
            "http://",
        ),
    ] {
        let run = service.run().exits_with_words(1);
        let found = run.stdout.lines().find(|text| text.contains(line));
        assert!(found.is_some_and(|text| text.contains(step)), "{line}: {run}");
    }
    for (status, step) in [(401, "BACKEND_TOKEN"), (403, "BACKEND_TOKEN"), (404, "BACKEND_URL")] {
        let run = with_token(status).run().exits_with_words(1);
        assert!(
            run.stdout
                .lines()
                .any(|line| line.starts_with('❌') && line.contains(step)),
            "{run}"
        );
        assert!(!run.stdout.contains("s3cret"));
    }
}

#[test]
fn status_counts_what_waits_what_failed_and_what_was_sent() {
    let (device, _backend) = mixed();
    let run = command(&device, &["status"]).exits(0);
    for word in ["arrêté", "evenement", "media", "plus ancienne ligne"] {
        assert!(run.stdout.contains(word), "{word}: {run}");
    }
    let json = command(&device, &["status", "--json"]).exits(0).stdout;
    let state: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&state["version"], &state["running"]), (&1.into(), &false.into()));
    let events = &state["tables"]["evenement"];
    assert_eq!(
        (&events["waiting"], &events["failed"], &events["done"]),
        (&0.into(), &1.into(), &1.into())
    );
    assert_eq!(events["oldest_waiting"]["id"], 1);
    assert!(events["last_success"].is_string());
    let media = &state["tables"]["media"];
    assert_eq!(
        (&media["waiting"], &media["failed"], &media["done"]),
        (&1.into(), &0.into(), &0.into())
    );
}

#[test]
fn status_reads_a_database_that_was_never_synchronized_and_changes_nothing() {
    let device = Device::new();
    device.events(3);
    let before = std::fs::read(device.path()).unwrap();
    let json = command(&device, &["status", "--json"]).exits(0).stdout;
    assert!(json.contains("\"waiting\": 3"), "{json}");
    assert_eq!(std::fs::read(device.path()).unwrap(), before);
}

#[test]
fn status_tells_of_a_running_service_and_health_follows_it() {
    let (device, backend) = (Device::new(), Backend::start());
    device.events(1);
    assert_eq!(
        command(&device, &["status", "--health"]).code(),
        Some(1),
        "nothing runs"
    );
    let mut service = Service::continuous(&device, &backend).start();
    service.prints("Rapport de Synchronisation");
    eventually("status knows the next pass", || {
        let json = command(&device, &["status", "--json"]).exits(0).stdout;
        let state: serde_json::Value = serde_json::from_str(&json).unwrap();
        state["running"] == true
            && state["service"]["pid"] == service.pid()
            && state["service"]["backend"] == backend.url()
            && state["service"]["next_pass"].is_i64()
    });
    command(&device, &["status", "--health"]).exits(0);
    assert!(command(&device, &["status"]).exits(0).stdout.contains("en marche"));
    std::fs::rename(device.path(), device.folder().join("away.db")).unwrap();
    let run = command(&device, &["status", "--health"]);
    assert_eq!(run.code(), Some(1), "the database is gone: {run}");
    service.signal(Signal::TERM);
    service.wait_within(PATIENCE).exits_with_words(0);
}

#[test]
fn failures_lists_each_row_with_its_reason_and_its_next_try() {
    let (device, _backend) = mixed();
    let run = command(&device, &["failures"]).exits(0);
    let row = run.stdout.lines().nth(1).expect("a row");
    for word in ["evenement", "1", "HTTP 400: non", "dans"] {
        assert!(row.contains(word), "{word}: {run}");
    }
    let device = Device::new();
    assert!(command(&device, &["failures"]).exits(0).stdout.contains("Aucune"));
}

#[test]
fn retry_frees_failed_rows_and_says_how_many() {
    let (device, backend) = mixed();
    assert_eq!(
        command(&device, &["retry", "--table", "media"])
            .exits(0)
            .stdout
            .matches("0 ligne")
            .count(),
        1
    );
    assert_eq!(device.tracked("evenement", 1).unwrap().status, "failed");
    assert_eq!(
        command(&device, &["retry", "--table", "evenement", "--id", "2"]).code(),
        Some(1),
        "row 2 did not fail"
    );
    let run = command(&device, &["retry", "--table", "evenement", "--id", "1"]).exits(0);
    assert!(run.stdout.contains("1 ligne"), "{run}");
    assert_eq!(device.tracked("evenement", 1).unwrap().status, "pending");
    backend.works();
    Service::once(&device, &backend).run().exits(0);
    assert_eq!(device.tracked("evenement", 1).unwrap().status, "success");
}

#[test]
fn reset_says_what_it_costs_and_wants_a_yes() {
    let (device, backend) = mixed();
    let refused = command(&device, &["reset"]);
    assert_eq!(refused.code(), Some(2), "no terminal to ask on");
    assert!(
        refused.stdout.contains("1 événement(s)") && refused.stderr.contains("--yes"),
        "{refused}"
    );
    assert_eq!(device.tracking().len(), 2, "nothing changed");
    command(&device, &["reset", "--yes"]).exits(0);
    assert_eq!(device.tracking().len(), 0);
    backend.works();
    Service::once(&device, &backend).run().exits(0);
    assert_eq!(device.tracking().len(), 3);
}

#[test]
fn a_reset_beside_a_running_service_sends_every_row_once_more_and_no_row_twice_more() {
    let (device, backend) = (Device::new(), Backend::start());
    device.many_events(3_000);
    let mut service = Service::of(&device, &backend.url(), "realtime").start();
    service.prints("Événement 3000 → Serveur");
    eventually("all are at the server", || {
        device.value::<i64>("SELECT count(*) FROM sync_uploaded") == 3_000
    });
    let run = Service::command(&["reset", "--yes"])
        .on(&device, &backend.url(), "once")
        .run()
        .exits(0);
    assert!(run.stdout.contains("3000 ligne(s) oubliée(s)"), "{run}");
    eventually("all are at the server again", || {
        device.value::<i64>("SELECT count(*) FROM sync_uploaded") == 3_000
    });
    service.stop().exits(0);
    assert_eq!(backend.received().len(), 6_000);
    assert_everything_arrived_once(&device, &backend);
}

/// These take the right to mount.
mod mounts {
    use super::*;
    use crate::support::{Layout, Mount};

    #[test]
    fn check_warns_of_a_disk_that_a_receiver_calls_almost_full_and_is_content() {
        let (outer, backend) = (Device::empty_folder(Layout::Current), Backend::start());
        backend.always(Act::status(405, ""));
        let (image, card) = (outer.folder().join("image"), outer.folder().join("card"));
        // 1.5 GB of which the disk below sees some 30 MB.
        let size = std::fs::File::create(&image).and_then(|file| file.set_len(1_500_000_000));
        size.unwrap();
        let mut mkfs = std::process::Command::new("mkfs.ext4");
        let made = mkfs.args(["-q", "-m", "0", "-F"]).arg(&image).status();
        assert!(
            made.is_ok_and(|made| made.success()),
            "mkfs.ext4 is missing: apt-get install e2fsprogs"
        );
        let _mount = Mount::new(&card, &["-o", "loop", image.to_str().unwrap()]);
        let device = Device::at(&card);
        let disk = || {
            let run = check(&device, &backend.url()).run().exits(0);
            let line = run.stdout.lines().find(|line| line.contains("Espace disque"));
            line.unwrap().to_string()
        };
        assert!(disk().starts_with('✅'), "{}", disk());
        let fill = std::fs::File::create(card.join("fill")).unwrap();
        rustix::fs::fallocate(&fill, rustix::fs::FallocateFlags::empty(), 0, 1_300_000_000).unwrap();
        let line = disk();
        assert!(line.starts_with("⚠️") && line.contains("10 %"), "{line}");
    }
}
