//! What each answer leads to, as seen by the server and in the tables.

use std::time::Duration;

use crate::support::service::most_kb;
use crate::support::{Act, Backend, Device, Service, assert_everything_arrived_once, eventually};

/// One pass over ten events with a server that always answers so.
fn pass_against(act: Act) -> (Device, Backend, String) {
    let (device, backend) = (Device::new(), Backend::start());
    device.events(10);
    backend.always(act);
    let run = Service::once(&device, &backend).run().exits(1);
    (device, backend, run.stdout)
}

fn failed(device: &Device) -> usize {
    device.tracking().iter().filter(|row| row.status == "failed").count()
}

#[test]
fn a_backend_that_is_not_well_ends_the_pass_after_three_tries_of_one_row() {
    let acts = [408, 425, 429, 502, 503, 504].map(|status| Act::status(status, "non"));
    let acts = acts
        .into_iter()
        .chain([Act::reset_before_reading(), Act::reset_unstored()]);
    std::thread::scope(|scope| {
        for act in acts {
            scope.spawn(move || {
                let (device, backend, stdout) = pass_against(act.clone());
                let received = backend.received();
                assert_eq!(received.len(), 3, "{act:?}\n{stdout}");
                assert!(
                    received.iter().all(|request| request.key() == received[0].key()),
                    "{act:?}"
                );
                assert_eq!((failed(&device), device.tracking().len()), (1, 1), "{act:?}");
                assert!(stdout.contains('9'), "nine rows wait, and it is said: {stdout}");
                backend.works();
                Service::once(&device, &backend).run().exits(0);
                assert_everything_arrived_once(&device, &backend);
            });
        }
    });
}

#[test]
fn a_refused_row_is_tried_once_and_the_others_go_on() {
    for status in [400, 406, 410, 413, 422, 451] {
        let (device, backend, _) = pass_against(Act::status(status, "non"));
        assert_eq!(backend.received().len(), 10, "{status}");
        assert_eq!(failed(&device), 10, "{status}");
    }
}

#[test]
fn an_answer_without_a_usable_id_is_a_failure_and_the_others_go_on() {
    let huge = format!(r#"{{"id":1,"x":"{}"}}"#, "y".repeat(30_000_000));
    let bodies = [
        "{}",
        "",
        "null",
        "[]",
        "17",
        "ok",
        r#"{"id":null}"#,
        r#"{"id":1.5}"#,
        r#"{"id":"x"}"#,
        r#"{"id":""}"#,
        r#"{"id":true}"#,
        r#"{"id":99999999999999999999}"#,
        r#"{"id":1"#,
        "<html>",
        &huge,
    ];
    std::thread::scope(|scope| {
        for body in bodies {
            scope.spawn(move || {
                let (device, backend) = (Device::new(), Backend::start());
                device.events(3);
                backend.always(Act::stored_but_says(body));
                let run = Service::once(&device, &backend).run().exits(1);
                let start: String = body.chars().take(20).collect();
                assert!(run.peak_kb < most_kb(24), "{start}: {} KB", run.peak_kb);
                assert_eq!(failed(&device), 3, "{start}: {run}");
                let message = device.tracking()[0].error.clone().unwrap();
                assert!(message.len() > 10 && message.len() < 1_000, "{start}: {message:?}");
                // It may have been stored: the same key finds it again.
                backend.works();
                Service::once(&device, &backend).run().exits(0);
                assert_everything_arrived_once(&device, &backend);
            });
        }
    });
}

#[test]
fn after_an_outage_the_oldest_event_goes_first_and_a_row_that_breaks_the_server_last() {
    // What the server did in four passes, and in which order the events go when it works again.
    type Outage = (&'static str, fn(&Backend), [i64; 3]);
    let outages: [Outage; 3] = [
        ("refused connections", |backend| backend.refuse(), [1, 2, 3]),
        ("401", |backend| backend.always(Act::status(401, "non")), [1, 2, 3]),
        (
            "reset after the body",
            |backend| backend.always(Act::reset_unstored()),
            [3, 1, 2],
        ),
    ];
    for (name, begin, order) in outages {
        let (device, backend) = (Device::new(), Backend::start());
        device.events(3);
        begin(&backend);
        for _ in 0..4 {
            Service::once(&device, &backend).run().exits_with_words(1);
        }
        let before = backend.received().len();
        backend.listen_again();
        backend.works();
        Service::once(&device, &backend).run().exits(0);
        let sent: Vec<i64> = backend.received()[before..]
            .iter()
            .map(|request| {
                let body: serde_json::Value = serde_json::from_str(request.text()).unwrap();
                let date = body["date"].as_str().unwrap();
                device.value(&format!("SELECT id_evenement FROM evenement WHERE date = '{date}'"))
            })
            .collect();
        assert_eq!(sent, order, "{name}");
    }
}

#[test]
fn a_captive_portal_puts_nothing_on_the_hourly_schedule() {
    let portal = Act::status(200, "<html><title>Bienvenue au Wi-Fi</title></html>").header("Content-Type", "text/html");
    let error = Act::status(500, "non");
    for acts in [[&portal, &portal, &portal], [&portal, &error, &portal]] {
        let (device, backend) = (Device::new(), Backend::start());
        device.events(10);
        let acts = acts.map(Act::clone);
        let mut nth = 0;
        backend.script(move |_| {
            nth += 1;
            // The portal is there for two passes.
            if nth <= 6 {
                acts[nth % 3].clone()
            } else {
                Act::created()
            }
        });
        let run = Service::once(&device, &backend).run().exits_with_words(1);
        assert_eq!(
            backend.received().len(),
            3,
            "the other seven rows are not to blame: {run}"
        );
        let service = Service::continuous(&device, &backend)
            .env("SYNC_INTERVAL_MINUTES", "0.01")
            .start();
        eventually("every row is sent, at the next pass", || backend.stored_count() == 10);
        service.stop().exits_with_words(0);
        assert_everything_arrived_once(&device, &backend);
    }
}

#[test]
fn a_misconfiguration_ends_the_pass_at_once_and_names_its_variable() {
    for status in [401, 403, 404, 405] {
        let (device, backend, stdout) = pass_against(Act::status(status, "non"));
        assert_eq!((backend.received().len(), failed(&device)), (1, 1), "{status}");
        let message = device.tracking()[0].error.clone().unwrap();
        assert!(
            message.contains(&status.to_string()) && message.contains("BACKEND_"),
            "{message:?}"
        );
        assert!(stdout.contains("BACKEND_"), "{stdout}");
    }
}

/// A filter dislikes what is in a row, or the server has no such sensor: it waits, and the others go.
#[test]
fn a_row_that_alone_looks_like_a_misconfiguration_holds_up_no_other() {
    for status in [403, 404] {
        let (device, backend) = (Device::new(), Backend::start());
        device.events(6);
        device.clip(b"video");
        let mut first_key = None;
        backend.script(move |request| {
            let key = request.key().map(str::to_owned);
            if first_key.get_or_insert_with(|| key.clone()) == &key {
                Act::status(status, "capteur inconnu")
            } else {
                Act::created()
            }
        });
        let service = Service::continuous(&device, &backend)
            .env("SYNC_INTERVAL_MINUTES", "0.01")
            .start();
        eventually("all but that row are at the server", || backend.stored_count() == 6);
        service.stop().exits_with_words(0);
        let row = device.tracked("evenement", 1);
        let is_failed = row.as_ref().is_some_and(|row| row.status == "failed");
        assert!(is_failed, "{status}: {row:?}");
    }
}

#[test]
fn a_redirect_is_never_followed_and_its_target_is_named() {
    for status in [301, 302, 303, 307, 308] {
        let elsewhere = Backend::start();
        let target = format!("{}/api/evenements", elsewhere.url());
        let (device, backend, _) = pass_against(Act::status(status, "").header("Location", &target));
        assert_eq!(backend.received().len(), 1, "{status}");
        assert!(elsewhere.received().is_empty(), "{status} was followed");
        let message = device.tracking()[0].error.clone().unwrap();
        assert!(
            message.contains(&target) && message.contains("BACKEND_URL"),
            "{status}: {message:?}"
        );
    }
}

#[test]
fn three_rows_in_a_row_with_a_500_are_the_backends_trouble() {
    let (device, backend, _) = pass_against(Act::status(500, "oups"));
    assert_eq!(failed(&device), 3);
    let received = backend.received();
    let keys: std::collections::HashSet<_> = received.iter().map(|request| request.key().unwrap()).collect();
    assert_eq!(keys.len(), 3, "the pass went on behind the third");
    backend.works();
    let mut service = Service::continuous(&device, &backend).start();
    service.prints("Médias échoués");
    service.stop().exits(0);
    // Not their fault: due at the next pass, not in an hour.
    assert_everything_arrived_once(&device, &backend);
}

#[test]
fn a_single_500_is_its_rows_trouble() {
    let (device, backend) = (Device::new(), Backend::start());
    device.events(10);
    backend.script(|request| {
        if request.order == 4 {
            Act::status(500, "oups")
        } else {
            Act::created()
        }
    });
    Service::once(&device, &backend).run().exits(1);
    assert_eq!((failed(&device), backend.stored_count()), (1, 9));
}

#[test]
fn rows_that_failed_with_the_backend_are_due_at_the_next_pass() {
    let (device, backend) = (Device::new(), Backend::start());
    device.events(3);
    backend.refuse();
    let mut service = Service::continuous(&device, &backend)
        .env("SYNC_INTERVAL_MINUTES", "0.01")
        .start();
    service.prints_times("Rapport de Synchronisation", 2);
    backend.listen_again();
    backend.wait_until("all three", |received| received.len() == 3);
    // The first one comes last: two passes failed with it.
    for id in 1..=3 {
        service.prints(&format!("Événement {id} →"));
    }
    service.stop().exits_with_words(0);
    assert_everything_arrived_once(&device, &backend);
}

#[test]
fn retry_after_is_honoured_as_seconds_and_as_a_date() {
    std::thread::scope(|scope| {
        for as_date in [false, true] {
            scope.spawn(move || {
                let (device, backend) = (Device::new(), Backend::start());
                device.event();
                let mut first = true;
                backend.script(move |_| {
                    if !std::mem::take(&mut first) {
                        return Act::created();
                    }
                    let date = chrono::Utc::now() + chrono::Duration::seconds(4);
                    let date = date.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
                    Act::status(429, "").header("Retry-After", if as_date { &date } else { "3" })
                });
                Service::once(&device, &backend).run().exits(0);
                let times: Vec<_> = backend.received().iter().map(|request| request.at.unwrap()).collect();
                assert_eq!(times.len(), 2);
                // A date has no fractions of a second.
                let waited = times[1] - times[0];
                assert!(
                    waited >= Duration::from_millis(2_900),
                    "as a date: {as_date}, waited {waited:?}"
                );
                assert!(
                    waited < Duration::from_secs(10),
                    "as a date: {as_date}, waited {waited:?}"
                );
            });
        }
    });
}

#[test]
fn a_wish_for_a_longer_peace_than_the_interval_is_capped() {
    for wish in ["86400", "99999999999999999999", "Wed, 01 Jan 2200 00:00:00 GMT"] {
        let (device, backend) = (Device::new(), Backend::start());
        device.event();
        backend.acts([Act::status(503, "").header("Retry-After", wish)]);
        let run = Service::once(&device, &backend)
            .env("SYNC_INTERVAL_MINUTES", "0.02")
            .run();
        assert!(run.took < Duration::from_secs(20), "{wish}: {run}");
        assert_eq!(backend.received().len(), 2, "{wish}: {run}");
    }
}

#[test]
fn an_answer_that_never_comes_is_a_timeout() {
    let (device, backend) = (Device::new(), Backend::start());
    device.event();
    // The last try decides what is written.
    let silence = Act::created().after(Duration::from_secs(14));
    backend.acts([Act::status(503, "non"), Act::status(503, "non"), silence]);
    Service::once(&device, &backend).run().exits(1);
    assert_eq!(
        device.tracked("evenement", 1).unwrap().error.as_deref(),
        Some("Timeout")
    );
}

#[test]
fn a_second_backend_takes_over_within_the_pass_and_is_named() {
    for well in [false, true] {
        let (device, first, second) = (Device::new(), Backend::start(), Backend::start());
        device.events(5);
        device.clip(b"clip");
        // Away, or there and not well.
        if well {
            first.always(Act::status(503, "non"))
        } else {
            first.refuse()
        }
        let urls = format!("{}, {}/", first.url(), second.url());
        let run = Service::of(&device, &urls, "once").run().exits(0);
        assert_everything_arrived_once(&device, &second);
        assert!(
            run.stdout.contains(&format!("Serveur utilisé : {}", second.url())),
            "{run}"
        );
        assert_eq!(first.stored_count(), 0);
        assert!(
            first.received().len() <= 1,
            "rows went on knocking at the first: {}",
            first.received().len()
        );
    }
}

#[test]
fn a_second_backend_is_not_bothered_while_the_first_is_well() {
    let (device, first, second) = (Device::new(), Backend::start(), Backend::start());
    device.events(5);
    Service::of(&device, &format!("{},{}", first.url(), second.url()), "once")
        .run()
        .exits(0);
    assert_everything_arrived_once(&device, &first);
    assert!(second.received().is_empty());
}

#[test]
fn when_every_backend_is_away_one_row_has_tried_them_all() {
    let (device, first, second) = (Device::new(), Backend::start(), Backend::start());
    device.events(5);
    for backend in [&first, &second] {
        backend.always(Act::status(503, "non"));
    }
    Service::of(&device, &format!("{},{}", first.url(), second.url()), "once")
        .run()
        .exits(1);
    assert!(!first.received().is_empty() && !second.received().is_empty());
    assert!(first.received().len() + second.received().len() <= 3);
    assert_eq!(failed(&device), 1);
}
