//! What machines are told: metrics, systemd, heartbeats, alerts, JSON, the log.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::service::PATIENCE;
use crate::support::{Act, Backend, Device, Gate, Service, eventually};

/// The most that a stop may take, whatever it meets.
const STOP_WITHIN: Duration = Duration::from_secs(2);

/// A listener that takes connections, answers 200 to each request and keeps the request lines.
fn web() -> (String, std::sync::mpsc::Receiver<String>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, lines) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 4_096];
            let count = stream.read(&mut request).unwrap_or(0);
            let line = String::from_utf8_lossy(&request[..count])
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned();
            let _ = std::io::Write::write_all(
                &mut stream,
                b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            );
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    (url, lines)
}

#[test]
fn a_heartbeat_follows_each_complete_pass_and_no_other() {
    let (device, backend) = (Device::new(), Backend::start());
    let (url, lines) = web();
    device.events(1);
    let run = |code| {
        Service::once(&device, &backend)
            .env("HEARTBEAT_URL", format!("{url}/ping/s3cret?status=up"))
            .run()
            .exits_with_words(code)
    };
    backend.always(Act::status(400, "non"));
    run(1);
    assert!(lines.try_recv().is_err(), "silence after a failure");
    backend.works();
    run(0);
    assert_eq!(
        lines.recv_timeout(PATIENCE).unwrap(),
        "GET /ping/s3cret?status=up HTTP/1.1"
    );
    // A monitor that is away is a line in the log, without the secret in the URL.
    let away = Service::once(&device, &backend)
        .env("HEARTBEAT_URL", "http://127.0.0.1:1/ping/s3cret")
        .run()
        .exits_with_words(0);
    assert!(
        away.stderr.contains("HEARTBEAT_URL") && !away.stderr.contains("s3cret"),
        "{away}"
    );
}

#[test]
fn an_alert_is_raised_once_and_ended_once_with_the_facts() {
    let (device, backend) = (Device::new(), Backend::start());
    let log = device.folder().join("alerts");
    let command = format!(
        "echo \"$SYNC_ALERT_STATE $SYNC_ALERT_TABLE $SYNC_ALERT_WAITING $SYNC_ALERT_DEVICE_ID ${{BACKEND_TOKEN:-none}}\" >> {}",
        log.display()
    );
    let run = || {
        Service::once(&device, &backend)
            .env("SYNC_ALERT_COMMAND", &command)
            .env("SYNC_ALERT_AFTER_MINUTES", "1")
            .env("BACKEND_TOKEN", "s3cret")
            .run()
    };
    let alerts = || std::fs::read_to_string(&log).unwrap_or_default();
    device.event_at("2020-01-01T00:00:00", 1);
    backend.always(Act::status(503, ""));
    for _ in 0..2 {
        run().exits_with_words(1);
        assert_eq!(alerts(), "raised evenement 1 raspberry-1 none\n");
    }
    backend.works();
    for _ in 0..2 {
        run().exits(0);
        assert_eq!(
            alerts(),
            "raised evenement 1 raspberry-1 none\nrecovered  0 raspberry-1 none\n"
        );
    }
}

#[test]
fn neither_the_next_pass_nor_a_stop_waits_for_a_heartbeat_that_hangs() {
    let (device, backend) = (Device::new(), Backend::start());
    let monitor = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    device.event();
    let service = Service::continuous(&device, &backend)
        .env(
            "HEARTBEAT_URL",
            format!("http://{}/ping", monitor.local_addr().unwrap()),
        )
        .env("SYNC_INTERVAL_MINUTES", "0.01")
        .start();
    let (mut heartbeat, _) = monitor.accept().unwrap();
    device.event();
    eventually("the next pass", || backend.stored_count() == 2);
    heartbeat.set_nonblocking(true).unwrap();
    let mut request = Vec::new();
    let end = heartbeat.read_to_end(&mut request).unwrap_err();
    assert_eq!(
        end.kind(),
        std::io::ErrorKind::WouldBlock,
        "it still waits for its answer"
    );
    let asked = Instant::now();
    service.stop().exits(0);
    assert!(asked.elapsed() < STOP_WITHIN, "{:?}", asked.elapsed());
}

/// What the alert tests give the service beside their command: one row that is too old and never taken.
fn alerting(device: &Device, backend: &Backend, mode: &str, command: &str) -> Service {
    Service::of(device, &backend.url(), mode)
        .env("SYNC_ALERT_COMMAND", command)
        .env("SYNC_ALERT_AFTER_MINUTES", "1")
        .env("SYNC_INTERVAL_MINUTES", "0.01")
}

#[test]
fn an_alert_that_failed_is_tried_again_until_it_is_taken() {
    let (device, backend) = (Device::new(), Backend::start());
    let (log, open) = (device.folder().join("alerts"), device.folder().join("open"));
    let command = format!(
        "echo $SYNC_ALERT_STATE >> {}; test -e {}",
        log.display(),
        open.display()
    );
    device.event_at("2020-01-01T00:00:00", 1);
    backend.always(Act::status(400, "non"));
    let alerts = || std::fs::read_to_string(&log).unwrap_or_default();
    for times in 1..=2 {
        let run = alerting(&device, &backend, "once", &command).run().exits_with_words(1);
        assert_eq!(alerts(), "raised\n".repeat(times));
        assert!(
            run.stderr.contains("SYNC_ALERT_COMMAND ended with exit status: 1"),
            "{run}"
        );
    }
    std::fs::write(&open, "").unwrap();
    for _ in 0..2 {
        alerting(&device, &backend, "once", &command).run().exits_with_words(1);
        assert_eq!(alerts(), "raised\n".repeat(3), "taken once");
    }
    // A service that stays tries again after its next pass.
    std::fs::remove_file(&open).unwrap();
    backend.works();
    let service = alerting(&device, &backend, "continuous", &command).start();
    device.sql("UPDATE sync_tracking SET sync_status = 'pending'");
    eventually("two tries to tell that it is over", || {
        alerts().matches("recovered").count() >= 2
    });
    std::fs::write(&open, "").unwrap();
    eventually("it is taken", || {
        device.value::<String>("SELECT value FROM sync_meta WHERE key = 'alert_raised'") == "0"
    });
    service.stop().exits_with_words(0);
}

#[test]
fn an_alert_runs_beside_the_passes_and_a_stop_ends_all_it_started() {
    let (device, backend) = (Device::new(), Backend::start());
    let pid = device.folder().join("pid");
    let command = format!("sleep 300 & echo $! > {0}.new; mv {0}.new {0}; wait", pid.display());
    device.event_at("2020-01-01T00:00:00", 1);
    backend.acts([Act::status(400, "non")]);
    let service = alerting(&device, &backend, "continuous", &command).start();
    eventually("the alert runs", || pid.exists());
    let pid = std::fs::read_to_string(&pid).unwrap();
    device.event();
    eventually("a pass beside it", || backend.stored_count() == 1);
    assert!(runs(pid.trim()));
    let asked = Instant::now();
    service.stop().exits_with_words(0);
    assert!(asked.elapsed() < STOP_WITHIN, "{:?}", asked.elapsed());
    eventually("what the shell started is ended", || !runs(pid.trim()));
}

/// Whether a process is there and no zombie.
fn runs(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn the_metrics_file_can_be_read_by_all_and_follows_no_link() {
    let (device, backend) = (Device::new(), Backend::start());
    let (file, victim) = (device.folder().join("sync.prom"), device.folder().join("victim"));
    std::fs::write(&victim, "precious").unwrap();
    std::os::unix::fs::symlink(&victim, device.folder().join("sync.prom.tmp")).unwrap();
    let script = format!(
        "umask 027; ln -s {} {}.$$.tmp; exec \"$@\"",
        victim.display(),
        file.display()
    );
    Service::wrapped(&["sh", "-c", &script, "sh"], &[])
        .on(&device, &backend.url(), "once")
        .env("SYNC_METRICS_FILE", &file)
        .run()
        .exits(0);
    let found = std::fs::symlink_metadata(&file).unwrap();
    assert!(found.is_file());
    assert_eq!(found.permissions().mode() & 0o777, 0o644);
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
    metrics(&file);
}

/// Values by name and labels; panics when the page is not the text exposition format.
fn metrics(path: &Path) -> std::collections::BTreeMap<String, f64> {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.ends_with('\n'));
    let mut typed = std::collections::BTreeMap::new();
    let mut values = std::collections::BTreeMap::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(typed.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} twice");
            assert_eq!(name.ends_with("_total"), kind == "counter", "{name} is a {kind}");
        } else if let Some(rest) = line.strip_prefix("# HELP ") {
            assert!(rest.split_once(' ').unwrap().1.ends_with('.'), "{line}");
        } else {
            let (name, value) = line.rsplit_once(' ').unwrap();
            let family = name
                .split('{')
                .next()
                .unwrap()
                .trim_end_matches("_sum")
                .trim_end_matches("_count");
            assert!(
                family.starts_with("sync_service_") && typed.contains_key(family),
                "{line}"
            );
            assert!(
                values.insert(name.to_owned(), value.parse().unwrap()).is_none(),
                "{name} twice"
            );
        }
    }
    values
}

#[test]
fn metrics_say_where_the_rows_stand_and_what_it_cost() {
    let (device, backend) = (Device::new(), Backend::start());
    let file = device.folder().join("sync.prom");
    device.events(3);
    device.clip(b"0123456789");
    backend.acts([Act::created(), Act::status(400, "non"), Act::created(), Act::created()]);
    Service::once(&device, &backend)
        .env("SYNC_METRICS_FILE", &file)
        .run()
        .exits_with_words(1);
    let values = metrics(&file);
    for (name, value) in [
        ("sync_service_rows{table=\"evenement\",state=\"done\"}", 2.0),
        ("sync_service_rows{table=\"evenement\",state=\"failed\"}", 1.0),
        ("sync_service_rows{table=\"evenement\",state=\"waiting\"}", 0.0),
        ("sync_service_rows{table=\"media\",state=\"done\"}", 1.0),
        ("sync_service_attempts_total{table=\"evenement\",verdict=\"done\"}", 2.0),
        (
            "sync_service_attempts_total{table=\"evenement\",verdict=\"refused\"}",
            1.0,
        ),
        ("sync_service_passes_total{result=\"incomplete\"}", 1.0),
        ("sync_service_request_duration_seconds_count", 4.0),
        ("sync_service_backend_up", 1.0),
    ] {
        assert_eq!(values.get(name), Some(&value), "{name}: {values:#?}");
    }
    assert!(values["sync_service_wire_bytes_total"] > 400.0);
    assert!(values["sync_service_oldest_waiting_age_seconds{table=\"evenement\"}"] > 0.0);
    let left = std::fs::read_dir(device.folder()).unwrap().flatten();
    let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
    assert!(
        !left.iter().any(|name| name.to_string_lossy().ends_with(".tmp")),
        "replaced as a whole: {left:?}"
    );
}

#[test]
fn a_metrics_file_that_can_not_be_written_is_said_once_and_stops_nothing() {
    let (device, backend) = (Device::new(), Backend::start());
    device.events(2);
    let run = Service::once(&device, &backend)
        .env("SYNC_METRICS_FILE", "/nowhere/sync.prom")
        .run()
        .exits_with_words(0);
    assert_eq!(run.stderr.matches("SYNC_METRICS_FILE").count(), 1, "{run}");
    assert_eq!(backend.stored_count(), 2);
}

/// Everything that came to a notify socket so far.
fn states(socket: &UnixDatagram, so_far: &mut Vec<String>) {
    let mut buffer = [0; 4_096];
    while let Ok(count) = socket.recv(&mut buffer) {
        so_far.extend(String::from_utf8_lossy(&buffer[..count]).lines().map(str::to_owned));
    }
}

#[test]
fn systemd_hears_when_it_is_ready_how_it_stands_that_it_lives_and_when_it_stops() {
    let (device, backend) = (Device::new(), Backend::start());
    let path = device.folder().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_nonblocking(true).unwrap();
    device.event();
    device.big_clip(3_000_000);
    // The clip takes several seconds: signs of life must come meanwhile.
    backend.script(|request| {
        if request.table() == "media" {
            Act::created().slowly(1_000_000)
        } else {
            Act::created()
        }
    });
    let mut heard = Vec::new();
    let service = Service::continuous(&device, &backend)
        .env("NOTIFY_SOCKET", &path)
        .start();
    let pings = |heard: &[String]| heard.iter().filter(|state| *state == "WATCHDOG=1").count();
    eventually("ready", || {
        states(&socket, &mut heard);
        heard.iter().any(|state| state == "READY=1")
    });
    eventually("signs of life during the clip", || {
        states(&socket, &mut heard);
        pings(&heard) >= 3
    });
    eventually("a sentence after the pass", || {
        states(&socket, &mut heard);
        heard
            .iter()
            .any(|state| state.starts_with("STATUS=À jour, 2 ligne(s) envoyée(s); prochaine passe à "))
    });
    let before = pings(&heard);
    eventually("signs of life during the wait", || {
        states(&socket, &mut heard);
        pings(&heard) > before
    });
    service.signal(Signal::TERM);
    service.wait_within(PATIENCE).exits(0);
    states(&socket, &mut heard);
    assert!(heard.iter().any(|state| state == "STOPPING=1"), "{heard:?}");
    assert_eq!(heard.iter().filter(|state| *state == "READY=1").count(), 1);
}

#[test]
fn a_clip_at_a_low_rate_gives_signs_of_life_all_along() {
    let (device, backend) = (Device::new(), Backend::start());
    let path = device.folder().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_nonblocking(true).unwrap();
    // 134 kB of base64, all of it read ahead at once, take more than 4 s.
    device.big_clip(100_000);
    let service = Service::continuous(&device, &backend)
        .env("NOTIFY_SOCKET", &path)
        .env("SYNC_MAX_RATE_KBPS", "30")
        .start();
    backend.wait_until("the clip", |received| received.len() == 1);
    let mut heard = Vec::new();
    states(&socket, &mut heard);
    heard.clear();
    backend.wait_until("its end", |received| received[0].complete);
    states(&socket, &mut heard);
    let pings = heard.iter().filter(|state| *state == "WATCHDOG=1").count();
    assert!(pings >= 3, "{heard:?}");
    drop(service);
}

#[test]
fn systemd_hears_nothing_while_the_work_hangs() {
    let (device, backend) = (Device::new(), Backend::start());
    let path = device.folder().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_nonblocking(true).unwrap();
    device.event();
    // An answer that does not come: the work stands in one system call.
    let gate = Gate::default();
    backend.always(Act::created().held_after(0, &gate));
    let mut heard = Vec::new();
    let service = Service::continuous(&device, &backend)
        .env("NOTIFY_SOCKET", &path)
        .start();
    backend.wait_until("the request", |received| received.len() == 1);
    states(&socket, &mut heard);
    socket.set_nonblocking(false).unwrap();
    // Signs of life come each second.
    socket.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
    let mut buffer = [0; 4_096];
    let sign = socket.recv(&mut buffer);
    assert!(sign.is_err(), "{}", String::from_utf8_lossy(&buffer));
    gate.open();
    socket.recv(&mut buffer).unwrap();
    drop(service);
}

#[test]
fn json_output_is_an_object_a_line_and_nothing_else() {
    let (device, backend) = (Device::new(), Backend::start());
    device.events(2);
    device.clip(b"clip");
    backend.acts([Act::created(), Act::status(400, "\"non\"\n")]);
    let run = Service::once(&device, &backend)
        .env("SYNC_OUTPUT", "json")
        .run()
        .exits_with_words(1);
    let lines: Vec<serde_json::Value> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect();
    let types: Vec<_> = lines.iter().map(|line| line["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["pass_started", "sent", "failed", "sent", "pass", "statistics"]);
    assert_eq!((&lines[1]["table"], &lines[1]["id"]), (&"evenement".into(), &1.into()));
    assert_eq!(
        (&lines[2]["verdict"], &lines[2]["attempts"]),
        (&"refused".into(), &1.into())
    );
    assert_eq!(
        (&lines[4]["evenement"]["failed"], &lines[4]["media"]["sent"]),
        (&1.into(), &1.into())
    );
}

#[test]
fn each_failure_is_a_line_in_the_log_with_a_priority() {
    let (device, backend) = (Device::new(), Backend::start());
    device.events(2);
    backend.always(Act::status(400, "non"));
    let run = Service::once(&device, &backend).run().exits_with_words(1);
    let lines: Vec<_> = run.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{run}");
    for (line, id) in lines.iter().zip([1, 2]) {
        for word in [
            &format!("evenement {id}: refused, attempt 1, next try from 2"),
            "HTTP 400: non",
        ] {
            assert!(line.starts_with("<4>") && line.contains(word), "{word}: {line}");
        }
    }
}

#[test]
fn rows_that_vanished_before_they_were_sent_are_counted_everywhere() {
    let (device, backend) = (Device::new(), Backend::start());
    let file = device.folder().join("sync.prom");
    device.events(1);
    Service::once(&device, &backend).run().exits(0);
    device.events(4);
    device.sql("DELETE FROM evenement WHERE id_evenement IN (2, 3)");
    let run = || {
        Service::once(&device, &backend)
            .env("SYNC_METRICS_FILE", &file)
            .run()
            .exits(0)
    };
    run();
    let again = run();
    assert!(
        again
            .stdout
            .contains("Supprimés avant envoi : 2 événement(s), 0 média(s)"),
        "{again}"
    );
    assert_eq!(metrics(&file)["sync_service_rows_vanished{table=\"evenement\"}"], 2.0);
    let uploaded: i64 =
        device.value("SELECT count(*) FROM sync_uploaded WHERE table_name = 'evenement' AND remote_id > 0");
    assert_eq!(uploaded, 3, "what a clean-up job may delete");
}

/// A library is loaded into this machine's own program.
mod native {
    use super::*;
    use crate::support::preloaded;

    #[test]
    fn a_long_look_on_a_slow_card_gives_signs_of_life() {
        let (device, backend) = (Device::new(), Backend::start());
        let library = preloaded(device.folder(), "cold_card.c");
        device.many_events(60_000);
        device.python_sent_all_events_but("");
        // Our tables; the mark stands at the end.
        for _ in 0..2 {
            Service::once(&device, &backend).run().exits(0);
        }
        // A commit that is no row of ours: the next start looks.
        device.sql("INSERT INTO capteur (nom_capteur) VALUES ('Caméra 3')");
        let path = device.folder().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        let mut service = Service::continuous(&device, &backend)
            .env("NOTIFY_SOCKET", &path)
            .env("LD_PRELOAD", &library)
            .env("COLD_KBPS", "1500")
            .env("COLD_KEEP_PAGES", "0")
            .start();
        service.prints("Mode: Synchronisation continue");
        let began = Instant::now();
        let mut heard = Vec::new();
        eventually("the look is over", || {
            states(&socket, &mut heard);
            service.stdout().contains("Début de synchronisation")
        });
        let took = began.elapsed();
        let pings = heard.iter().filter(|state| *state == "WATCHDOG=1").count();
        assert!(took > Duration::from_secs(4), "the look took {took:?} only");
        assert!(pings >= 3, "{pings} in {took:?}: {heard:?}");
    }
}
