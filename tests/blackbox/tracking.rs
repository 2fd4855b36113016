//! `sync_tracking`, and everything in the file that is not ours.

use crate::support::layout::PYTHON_TRACKING;
use crate::support::{Act, Backend, Device, Journal, Layout, Service};

/// Every value of a query, in SQLite's own notation.
fn dump(device: &Device, query: &str) -> Vec<String> {
    let db = device.db();
    let mut query = db.prepare(query).unwrap();
    let columns = query.column_count();
    let rows = query.query_map([], |row| {
        let values: Vec<_> = (0..columns)
            .map(|column| format!("{:?}", row.get_ref(column).unwrap()))
            .collect();
        Ok(values.join("|"))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

#[test]
fn the_table_has_the_contracts_columns_and_constraints() {
    let (device, backend, python) = (Device::new(), Backend::start(), Device::new());
    python.sql(PYTHON_TRACKING);
    Service::once(&device, &backend).run().exits(0);
    for query in [
        "SELECT name, type, \"notnull\", dflt_value, pk FROM pragma_table_info('sync_tracking')",
        "SELECT name, \"unique\", origin, partial FROM pragma_index_list('sync_tracking') ORDER BY name",
        "SELECT name, desc FROM pragma_index_xinfo('idx_sync_status') WHERE key",
        "SELECT name, desc FROM pragma_index_xinfo('sqlite_autoindex_sync_tracking_1') WHERE key",
    ] {
        assert_eq!(dump(&device, query), dump(&python, query), "{query}");
    }
    let wrong = "INSERT INTO sync_tracking (table_name, local_id, sync_date, sync_status) VALUES ('media', 1, '', 'x')";
    device.db().execute_batch(wrong).unwrap_err();
    assert!(
        device
            .value::<String>("SELECT sql FROM sqlite_schema WHERE name = 'sync_tracking'")
            .contains("AUTOINCREMENT")
    );
}

#[test]
fn a_sent_row_is_tracked_with_the_servers_id_and_the_local_time() {
    let (device, backend) = (Device::new(), Backend::start());
    let (event, clip) = (device.event(), device.clip(b"clip"));
    let before = chrono::Utc::now().naive_utc() - chrono::Duration::seconds(1);
    // Five hours east of Greenwich, in POSIX's own sign.
    Service::once(&device, &backend).env("TZ", "XXX-5").run().exits(0);
    let after = chrono::Utc::now().naive_utc() + chrono::Duration::seconds(1);
    for (table, id, remote) in [("evenement", event, 1001), ("media", clip, 50_002)] {
        let row = device.tracked(table, id).unwrap();
        assert_eq!(
            (row.status.as_str(), row.remote_id, row.error),
            ("success", Some(remote), None)
        );
        let date = chrono::NaiveDateTime::parse_from_str(&row.date, "%Y-%m-%dT%H:%M:%S%.6f").expect(&row.date);
        let utc = date - chrono::Duration::hours(5);
        assert!(before <= utc && utc <= after, "{before} {utc} {after}");
    }
    assert_eq!(device.tracking().len(), 2);
}

#[test]
fn a_failed_row_is_tracked_with_what_the_server_said() {
    let refused = Backend::refusing();
    let cases = [
        (Some(Act::status(503, "en maintenance")), "HTTP 503: en maintenance"),
        (Some(Act::status(400, "date: wrong")), "HTTP 400: date: wrong"),
        (Some(Act::status(500, "oops")), "HTTP 500: oops"),
        (None, "Serveur inaccessible"),
    ];
    for (act, message) in cases {
        let (device, backend) = (Device::new(), Backend::start());
        let event = device.event();
        let server = if let Some(act) = act {
            backend.always(act);
            &backend
        } else {
            &refused
        };
        Service::once(&device, server).run().exits(1);
        let row = device.tracked("evenement", event).unwrap();
        assert_eq!((row.status.as_str(), row.remote_id), ("failed", None));
        assert_eq!(row.error.as_deref(), Some(message));
    }
}

#[test]
fn a_name_that_is_not_found_is_an_unreachable_server() {
    let device = Device::new();
    let event = device.event();
    Service::of(&device, "http://no-such-host.invalid:8000", "once")
        .run()
        .exits(1);
    assert_eq!(
        device.tracked("evenement", event).unwrap().error.as_deref(),
        Some("Serveur inaccessible")
    );
}

#[test]
fn an_error_message_stays_one_short_line_whatever_the_server_says() {
    let long = "x".repeat(100_000);
    for body in [
        "\x1b[31mred\x1b[0m\r\nsecond line\0\u{9b}31m",
        long.as_str(),
        "\u{202e}abc",
    ] {
        let (device, backend) = (Device::new(), Backend::start());
        let event = device.event();
        backend.always(Act::status(400, body));
        let run = Service::once(&device, &backend).run().exits(1);
        let error = device.tracked("evenement", event).unwrap().error.unwrap();
        assert!(error.starts_with("HTTP 400: "), "{error:?}");
        assert!(!error.chars().any(char::is_control), "{error:?}");
        assert!(error.len() < 1_000, "{} bytes", error.len());
        let controls = run.stdout.chars().filter(|&c| c.is_control() && c != '\n').count();
        assert_eq!(controls, 0, "{}", run.stdout);
    }
}

#[test]
fn the_row_of_a_pair_keeps_its_id_for_ever() {
    let (device, backend) = (Device::new(), Backend::start());
    let first = device.event();
    backend.always(Act::status(400, "no"));
    Service::once(&device, &backend).run().exits(1);
    device.events(3);
    let before = device.tracked("evenement", first).unwrap();
    Service::once(&device, &backend).run().exits(1);
    backend.works();
    Service::once(&device, &backend).run().exits(0);
    let after = device.tracked("evenement", first).unwrap();
    assert_eq!((before.status.as_str(), after.status.as_str()), ("failed", "success"));
    assert_eq!(before.id, after.id);
    assert_eq!(after.error, None);
}

#[test]
fn what_is_the_recorders_stays_as_it_was() {
    for layout in Layout::ALL {
        for journal in [Journal::Delete, Journal::Wal] {
            let (device, backend) = (Device::with(layout, journal), Backend::start());
            device.events(3);
            device.clip(b"clip");
            let queries = [
                "SELECT type, name, sql FROM sqlite_schema WHERE tbl_name IN ('capteur','evenement','media') ORDER BY name",
                "SELECT * FROM capteur",
                "SELECT * FROM evenement",
                "SELECT * FROM media",
                "SELECT * FROM sqlite_sequence WHERE name IN ('capteur','evenement','media') ORDER BY name",
                "PRAGMA journal_mode",
                "PRAGMA auto_vacuum",
                "PRAGMA page_size",
                "PRAGMA application_id",
                "PRAGMA user_version",
            ];
            let before = queries.map(|query| dump(&device, query));
            backend.acts([Act::status(400, "no")]);
            Service::once(&device, &backend).run().exits(1);
            Service::once(&device, &backend).run().exits(0);
            assert_eq!(
                queries.map(|query| dump(&device, query)),
                before,
                "{layout:?} {journal:?}"
            );
            assert_eq!(dump(&device, "PRAGMA integrity_check"), ["Text([111, 107])"]);
        }
    }
}
