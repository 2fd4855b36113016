//! What people read on standard output, to the character.

use unicode_width::UnicodeWidthStr;

use crate::support::random::video;
use crate::support::service::PATIENCE;
use crate::support::{Act, Backend, Device, Gate, Journal, Layout, Service};

/// The output with times and what differs from run to run put in the contract's terms.
fn in_the_contracts_terms(stdout: &str, device: &Device, backend: &Backend) -> String {
    let mut text = stdout.replace(device.path().to_str().unwrap(), "/data/surveillance.db");
    text = text.replace(&backend.url(), "http://backend:8000");
    let pass = "🔄 Début de synchronisation - ";
    let mut parts = text.split(pass);
    let mut whole = parts.next().unwrap().to_owned();
    for part in parts {
        let (date, rest) = part.split_once('\n').unwrap();
        chrono::NaiveDateTime::parse_from_str(date, "%Y-%m-%d %H:%M:%S").expect(date);
        whole += &format!("{pass}2025-12-18 17:30:00\n{rest}");
    }
    whole
}

#[track_caller]
fn assert_contains(text: &str, block: &str) {
    assert!(
        text.contains(block.trim_start_matches('\n')),
        "not in the output:\n{block}\n--- output\n{text}"
    );
}

/// Every line of every box is as wide as its frame.
#[track_caller]
fn assert_boxes_closed(text: &str) {
    let framed: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with(['╔', '║', '╠', '╚']))
        .collect();
    assert!(framed.len() >= 3, "{text}");
    for line in framed {
        assert_eq!(line.width(), 62, "{line:?}");
        assert!(line.ends_with(['╗', '║', '╣', '╝']), "{line:?}");
    }
}

const START: &str = "
╔════════════════════════════════════════════════════════════╗
║         Service de Synchronisation - raspberry-1           ║
╚════════════════════════════════════════════════════════════╝

💾 Base de données locale: /data/surveillance.db
🌐 Serveur distant: http://backend:8000
⏱️  Intervalle de sync: 5 minutes

✅ Table de suivi des synchronisations initialisée
";

#[test]
fn a_run_reads_as_the_contract_draws_it() {
    for layout in Layout::ALL {
        let (device, backend) = (Device::with(layout, Journal::Delete), Backend::start());
        device.events(3);
        device.clip(&video(1, 512 * 1024));
        device.clip(&video(1, 1_000));
        let run = Service::once(&device, &backend).run().exits(0);
        let text = in_the_contracts_terms(&run.stdout, &device, &backend);
        assert!(text.starts_with(START.trim_start()), "{text}");
        assert_contains(&text, "🔄 Mode: Synchronisation unique\n");
        assert_contains(
            &text,
            "
🔄 Début de synchronisation - 2025-12-18 17:30:00

📋 Synchronisation des événements...
   3 événement(s) à synchroniser
✅ Événement 1 → Serveur (ID: 1001)
✅ Événement 2 → Serveur (ID: 1002)
✅ Événement 3 → Serveur (ID: 1003)

📹 Synchronisation des médias...
   2 média(s) à synchroniser
✅ Média 1 → Serveur (ID: 50004, 512.00 KB)
✅ Média 2 → Serveur (ID: 50005, 0.98 KB)

╔════════════════════════════════════════════════════════════╗
║                  Rapport de Synchronisation                ║
╠════════════════════════════════════════════════════════════╣
║  Événements synchronisés :   3                             ║
║  Événements échoués      :   0                             ║
║  Médias synchronisés     :   2                             ║
║  Médias échoués          :   0                             ║
╚════════════════════════════════════════════════════════════╝
",
        );
        let statistics = "
📊 Statistiques de synchronisation:
   evenement    - success :    3
   evenement    - failed  :    0
   media        - success :    2
   media        - failed  :    0
";
        assert!(text.trim_end().ends_with(statistics.trim()), "{text}");
    }
}

#[test]
fn nothing_to_do_is_said_for_each_table() {
    let (device, backend) = (Device::new(), Backend::start());
    let run = Service::once(&device, &backend).run().exits(0);
    assert_contains(
        &run.stdout,
        "
📋 Synchronisation des événements...
   ✅ Tous les événements sont déjà synchronisés

📹 Synchronisation des médias...
   ✅ Tous les médias sont déjà synchronisés

╔════════════════════════════════════════════════════════════╗
║                  Rapport de Synchronisation                ║
╠════════════════════════════════════════════════════════════╣
║  Événements synchronisés :   0                             ║
║  Événements échoués      :   0                             ║
║  Médias synchronisés     :   0                             ║
║  Médias échoués          :   0                             ║
╚════════════════════════════════════════════════════════════╝
",
    );
    assert!(backend.received().is_empty());
}

#[test]
fn a_server_that_is_down_is_said_before_the_row() {
    let (device, backend) = (Device::new(), Backend::refusing());
    device.events(3);
    let run = Service::once(&device, &backend).run().exits(1);
    assert_contains(
        &run.stdout,
        "
   3 événement(s) à synchroniser
⚠️  Serveur inaccessible
❌ Erreur sync événement 1: Serveur inaccessible
",
    );
    assert_contains(
        &run.stdout,
        "║  Événements échoués      :   1                             ║\n",
    );
    // The two rows behind it wait: said below the box.
    let below = run.stdout.split('╚').next_back().unwrap();
    assert!(below.contains('2'), "{}", run.stdout);
    assert_contains(&run.stdout, "   evenement    - failed  :    1\n");
}

#[test]
fn a_refused_row_is_said_and_the_others_go_on() {
    let (device, backend) = (Device::new(), Backend::start());
    device.events(2);
    device.clip(b"clip");
    backend.script(|request| match request.table() {
        "media" => Act::status(413, "trop gros"),
        _ => Act::created(),
    });
    let run = Service::once(&device, &backend).run().exits(1);
    assert_contains(&run.stdout, "❌ Erreur sync média 1: HTTP 413: trop gros\n");
    assert!(!run.stdout.contains("Serveur inaccessible"), "{}", run.stdout);
    assert_contains(
        &run.stdout,
        "║  Médias échoués          :   1                             ║\n",
    );
    assert_contains(&run.stdout, "   media        - failed  :    1\n");
}

#[test]
fn boxes_stay_closed_with_numbers_over_999() {
    let (device, backend) = (Device::new(), Backend::start());
    device.events(1_234);
    let run = Service::once(&device, &backend).run().exits(0);
    assert_contains(&run.stdout, "   1234 événement(s) à synchroniser\n");
    assert_contains(
        &run.stdout,
        "║  Événements synchronisés : 1234                            ║\n",
    );
    assert_boxes_closed(&run.stdout);
}

#[test]
fn the_start_box_stays_closed_whatever_the_device_is_called() {
    let long = "très-long-nom-".repeat(8);
    for device_id in [
        "x",
        "caméra-日本語",
        "📹📹📹",
        "e\u{301}te\u{301}",
        "nom de vingt-six caractères",
        &long,
    ] {
        let (device, backend) = (Device::new(), Backend::start());
        let run = Service::once(&device, &backend)
            .env("DEVICE_ID", device_id)
            .run()
            .exits(0);
        assert_boxes_closed(&run.stdout);
        let title = run.stdout.lines().nth(1).unwrap();
        let shown: String = device_id.chars().take(20).collect();
        assert!(
            title.contains(&format!("Service de Synchronisation - {shown}")),
            "{title}"
        );
    }
}

#[test]
fn each_mode_says_its_own_line() {
    for (mode, line) in [
        ("periodic", "🔄 Mode: Synchronisation périodique (toutes les 5 min)\n"),
        ("continuous", "🔄 Mode: Synchronisation continue (toutes les 5 min)\n"),
    ] {
        let (device, backend) = (Device::new(), Backend::start());
        let mut service = Service::of(&device, &backend.url(), mode).start();
        service.prints("Médias échoués");
        let run = service.stop().exits(0);
        assert_contains(&run.stdout, line);
        assert_contains(&run.stdout, "📊 Statistiques de synchronisation:\n");
    }
}

#[test]
fn a_reader_that_goes_away_does_not_stop_the_work() {
    let (device, backend) = (Device::new(), Backend::start());
    device.events(20);
    Service::wrapped(&["/bin/sh", "-c", "\"$@\" | head -c 10 > /dev/null", "sh"], &[])
        .on(&device, &backend.url(), "once")
        .run();
    assert_eq!(backend.stored_count(), 20);
}

#[test]
fn on_a_terminal_bars_show_the_clip_on_its_way_and_leave_the_report() {
    let (device, backend) = (Device::new(), Backend::start());
    device.events(2);
    device.big_clip(5_000_000);
    // The clip stops half-way until the bar was seen.
    let gate = Gate::default();
    let held = gate.clone();
    backend.script(move |request| match request.table() {
        "media" => Act::created().held_after(2_000_000, &held),
        _ => Act::created(),
    });
    let mut service = Service::once(&device, &backend).on_a_terminal().start();
    service
        .prints("0/1 ligne(s)")
        .prints("média 1: ")
        .prints(" MiB/4.77 MiB");
    gate.open();
    let run = service.wait_within(PATIENCE).exits(0);
    assert_contains(&run.stdout, "✅ Événement 2 → Serveur (ID: 1002)\r\n");
    assert_contains(&run.stdout, "✅ Média 1 → Serveur (ID: ");
    // Nothing of the bars stays below the report.
    let end = run.stdout.rsplit("Médias échoués").next().unwrap();
    assert!(!end.contains("ligne(s)") && !end.contains("MiB"), "{run}");
    assert!(
        !run.stdout.contains("<6>"),
        "the journal's lines are for systemd: {run}"
    );
}
