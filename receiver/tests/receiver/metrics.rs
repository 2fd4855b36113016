//! `/metrics` as Prometheus reads it, and who may.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpStream;

use crate::support::{Client, Receiver, clip, event, post, wait_until};

/// A scrape, read strictly: what is not as OpenMetrics 1.0 has it fails.
struct Scrape {
    types: BTreeMap<String, String>,
    samples: BTreeMap<String, f64>,
}

const SUFFIXES: [(&str, &[&str]); 4] = [
    ("counter", &["_total"]),
    ("gauge", &[""]),
    ("histogram", &["_bucket", "_count", "_sum"]),
    ("info", &["_info"]),
];

fn is_name(text: &str) -> bool {
    let first = text.bytes().next().unwrap_or(b'0');
    (first.is_ascii_alphabetic() || first == b'_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The name, the labels as text, and whether they are well formed.
fn split(sample: &str) -> (&str, Vec<(String, String)>) {
    let Some((name, rest)) = sample.split_once('{') else {
        return (sample, Vec::new());
    };
    let mut rest = rest.strip_suffix('}').unwrap();
    let mut labels = Vec::new();
    while !rest.is_empty() {
        let (label, after) = rest.split_once("=\"").unwrap();
        assert!(is_name(label), "{sample}");
        let mut end = None;
        let mut escaped = false;
        for (at, byte) in after.bytes().enumerate() {
            match byte {
                b'\\' if !escaped => escaped = true,
                b'"' if !escaped => {
                    end = Some(at);
                    break;
                }
                _ => escaped = false,
            }
        }
        let end = end.unwrap();
        labels.push((label.to_string(), after[..end].to_string()));
        rest = &after[end + 1..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    (name, labels)
}

impl Scrape {
    fn read(text: &str) -> Self {
        let (mut types, mut units) = (BTreeMap::new(), BTreeMap::new());
        let (mut samples, mut helped) = (BTreeMap::new(), BTreeSet::new());
        let mut family = String::new();
        let body = text.strip_suffix("# EOF\n").expect("no EOF");
        for line in body.lines() {
            if let Some(rest) = line.strip_prefix("# ") {
                let mut words = rest.splitn(3, ' ');
                let (kind, name, more) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
                assert!(is_name(name) && !more.is_empty(), "{line}");
                if name != family {
                    assert!(helped.insert(name.to_string()), "{name} is there twice");
                    family = name.to_string();
                }
                match kind {
                    "HELP" => assert!(more.ends_with('.'), "{line}"),
                    "TYPE" => assert!(types.insert(name.to_string(), more.to_string()).is_none(), "{line}"),
                    "UNIT" => assert!(units.insert(name.to_string(), more.to_string()).is_none(), "{line}"),
                    _ => panic!("{line}"),
                }
                continue;
            }
            let (sample, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = split(sample);
            let kind = &types[&family];
            let (_, suffixes) = SUFFIXES.iter().find(|(known, _)| known == kind).unwrap();
            let suffix = name
                .strip_prefix(family.as_str())
                .unwrap_or_else(|| panic!("{line} in {family}"));
            assert!(suffixes.contains(&suffix), "{line}");
            assert_eq!(
                suffix == "_bucket",
                labels.iter().any(|(label, _)| label == "le"),
                "{line}"
            );
            let value: f64 = value.parse().unwrap();
            assert!(value.is_finite() && (kind == "gauge" || value >= 0.0), "{line}");
            let names: BTreeSet<&str> = labels.iter().map(|(label, _)| label.as_str()).collect();
            assert_eq!(names.len(), labels.len(), "{line}");
            assert!(
                samples.insert(sample.to_string(), value).is_none(),
                "{line} is there twice"
            );
        }
        for (name, unit) in &units {
            assert!(name.ends_with(&format!("_{unit}")), "{name} {unit}");
        }
        let scrape = Self { types, samples };
        scrape.check_histograms();
        scrape
    }

    fn check_histograms(&self) {
        let mut ends: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
        for (sample, value) in &self.samples {
            let (name, mut labels) = split(sample);
            let Some(family) = name.strip_suffix("_bucket") else {
                continue;
            };
            let at = labels.iter().position(|(label, _)| label == "le").unwrap();
            let (_, end) = labels.remove(at);
            let end = if end == "+Inf" {
                f64::INFINITY
            } else {
                end.parse().unwrap()
            };
            ends.entry(format!("{family} {labels:?}"))
                .or_default()
                .push((end, *value));
        }
        for (sample, value) in &self.samples {
            let (name, labels) = split(sample);
            let Some(family) = name
                .strip_suffix("_count")
                .filter(|family| self.types.contains_key(*family))
            else {
                continue;
            };
            let mut buckets = ends.remove(&format!("{family} {labels:?}")).unwrap();
            buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
            assert_eq!(buckets.last().unwrap(), &(f64::INFINITY, *value), "{sample}");
            assert!(
                buckets.windows(2).all(|pair| pair[0].1 <= pair[1].1),
                "{sample}: {buckets:?}"
            );
        }
        assert!(ends.is_empty(), "{ends:?}");
    }

    fn value(&self, sample: &str) -> f64 {
        *self
            .samples
            .get(sample)
            .unwrap_or_else(|| panic!("no {sample} in {:#?}", self.samples))
    }
}

fn scrape(receiver: &Receiver) -> Scrape {
    let answer = receiver.local("GET /metrics");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        answer.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    Scrape::read(&answer.body)
}

fn requests(method: &str, route: &str, status: &str) -> String {
    format!(r#"receiver_http_requests_total{{method="{method}",route="{route}",status="{status}"}}"#)
}

#[test]
fn a_scrape_tells_what_was_asked_stored_and_refused() {
    let receiver = Receiver::start();
    for _ in 0..3 {
        let answer = receiver.ask(post("/api/evenements", "Idempotency-Key: one\r\n", event()));
        assert_eq!(answer.status, 201);
    }
    assert_eq!(receiver.ask(post("/api/media", "", clip(&[7; 5000]))).status, 201);
    assert_eq!(receiver.ask(post("/api/evenements", "", "{}")).status, 400);
    for odd in ["/one\"{}", "/two", "/three\\"] {
        assert_eq!(
            receiver
                .ask(format!("BREW {odd} HTTP/1.1\r\nHost: receiver\r\n\r\n"))
                .status,
            404
        );
    }
    for id in ["1", "2"] {
        let _ = receiver.local(&format!("GET /api/media/{id}"));
    }
    let scrape = scrape(&receiver);
    for (sample, value) in [
        (requests("POST", "/api/evenements", "2xx"), 3.0),
        (requests("POST", "/api/evenements", "4xx"), 1.0),
        (requests("POST", "/api/media", "2xx"), 1.0),
        (requests("other", "other", "4xx"), 3.0),
        // One route, whatever the id.
        (requests("GET", "/api/media/{id}", "2xx"), 1.0),
        (requests("GET", "/api/media/{id}", "4xx"), 1.0),
        ("receiver_stored_events_total".to_string(), 1.0),
        ("receiver_stored_clips_total".to_string(), 1.0),
        ("receiver_stored_clip_bytes_total".to_string(), 5000.0),
        (r#"receiver_storage_up{storage="database"}"#.to_string(), 1.0),
        (r#"receiver_storage_up{storage="clips"}"#.to_string(), 1.0),
        (r#"receiver_storage_errors_total{storage="database"}"#.to_string(), 0.0),
        (r#"receiver_devices{state="ok"}"#.to_string(), 1.0),
        (r#"receiver_devices{state="silent"}"#.to_string(), 0.0),
        ("receiver_uploads".to_string(), 0.0),
        ("receiver_live_streams".to_string(), 0.0),
        ("receiver_requests_waiting".to_string(), 0.0),
        (r#"receiver_database_connections{used_for="rows"}"#.to_string(), 2.0),
        (
            format!(r#"receiver_build_info{{version="{}"}}"#, env!("CARGO_PKG_VERSION")),
            1.0,
        ),
    ] {
        assert!(
            (scrape.value(&sample) - value).abs() < 1e-9,
            "{sample}: {}",
            scrape.value(&sample)
        );
    }
    assert!(scrape.value("receiver_received_bytes_total") > 5000.0 * 4.0 / 3.0);
    assert!(scrape.value("receiver_sent_bytes_total") > 500.0);
    assert!(scrape.value("receiver_connections") >= 1.0);
    let durations = r#"receiver_http_request_duration_seconds_count{method="POST",route="/api/media",status="2xx"}"#;
    assert!((scrape.value(durations) - 1.0).abs() < 1e-9);
}

#[test]
fn no_label_tells_of_a_device_a_person_or_a_path() {
    let receiver = Receiver::start();
    receiver.add_person("anna", &["--admin"]);
    for device in 0..20 {
        let body = event().replace("raspberry-1", &format!("shop-{device}"));
        assert_eq!(receiver.ask(post("/api/evenements", "", body)).status, 201);
        let _ = receiver.local(&format!("GET /api/devices/shop-{device}"));
        let _ = receiver.local(&format!("GET /shop-{device}"));
    }
    let text = receiver.local("GET /metrics").body;
    assert!(
        !text.contains("shop") && !text.contains("anna") && !text.contains("127.0.0.1"),
        "{text}"
    );
    assert!(text.len() < 40_000, "{}", text.len());
}

#[test]
fn live_streams_and_uploads_are_counted_while_they_last() {
    let receiver = Receiver::start();
    let mut live = receiver.client();
    live.send(format!("GET /api/live HTTP/1.1\r\nHost: {}\r\n\r\n", receiver.address));
    wait_until("the stream is counted", || {
        (scrape(&receiver).value("receiver_live_streams") - 1.0).abs() < 1e-9
    });
    drop(live);
    // Noticed when something is sent to it.
    assert_eq!(receiver.ask(post("/api/evenements", "", event())).status, 201);
    wait_until("it is no more", || {
        scrape(&receiver).value("receiver_live_streams").abs() < 1e-9
    });
    let request = post("/api/media", "", clip(&[7; 50_000]));
    let mut half = receiver.client();
    half.send(&request[..request.len() / 2]);
    wait_until("the clip is counted", || {
        (scrape(&receiver).value("receiver_requests_served") - 1.0).abs() < 1e-9
    });
    assert_eq!(half.ask(&request[request.len() / 2..]).status, 201);
    wait_until("it is served", || {
        scrape(&receiver).value("receiver_requests_served").abs() < 1e-9
    });
}

#[test]
fn trouble_is_counted_and_hides_nothing_else() {
    let receiver = Receiver::start();
    let errors =
        |storage: &str| scrape(&receiver).value(&format!(r#"receiver_storage_errors_total{{storage="{storage}"}}"#));
    std::fs::remove_dir(receiver.path().join("incoming")).unwrap();
    let before = errors("clips");
    assert_eq!(receiver.ask(post("/api/media", "", clip(b"hello"))).status, 503);
    assert!(errors("clips") > before && errors("database").abs() < 1e-9);
    let scraped = scrape(&receiver);
    assert!(scraped.value(r#"receiver_storage_up{storage="clips"}"#).abs() < 1e-9);
    assert!((scraped.value(r#"receiver_storage_up{storage="database"}"#) - 1.0).abs() < 1e-9);
    std::fs::create_dir(receiver.path().join("incoming")).unwrap();
    assert!((scrape(&receiver).value(r#"receiver_storage_up{storage="clips"}"#) - 1.0).abs() < 1e-9);
    // Somebody holds the database: what needs no database is told as ever, and in time.
    let database = receiver.database();
    database.execute_batch("BEGIN IMMEDIATE").unwrap();
    let scraped = scrape(&receiver);
    assert!(scraped.value(r#"receiver_storage_up{storage="database"}"#).abs() < 1e-9);
    assert!(scraped.value(&requests("POST", "/api/media", "5xx")) > 0.0);
}

/// A request from another address of this machine is one from elsewhere to a receiver that is asked for another name.
fn status(receiver: &Receiver, headers: &str) -> u16 {
    Client::on(TcpStream::connect(&receiver.address).unwrap())
        .ask(format!("GET /metrics HTTP/1.1\r\n{headers}\r\n"))
        .status
}

#[test]
fn only_this_machine_and_those_who_are_named_read_it() {
    let receiver = Receiver::start();
    let local = format!("Host: {}\r\n", receiver.address);
    assert_eq!(status(&receiver, &local), 200);
    for foreign in [
        "X-Forwarded-For: 192.0.2.1\r\n",
        "Via: 1.1 proxy\r\n",
        "Forwarded: for=192.0.2.1\r\n",
    ] {
        assert_eq!(status(&receiver, &format!("{local}{foreign}")), 403, "{foreign}");
    }
    assert_eq!(status(&receiver, "Host: sync.example.org\r\n"), 403);
    // Also where people are set up, a device's token opens nothing, and one that is named needs no name of this machine.
    receiver.add_person("anna", &[]);
    assert_eq!(status(&receiver, &local), 200);
    let named = Receiver::with(&[("RECEIVER_METRICS_ADDRESSES", "10.0.0.0/8, 127.0.0.0/8")]);
    assert_eq!(status(&named, "Host: sync.example.org\r\n"), 200);
    let others = Receiver::with(&[("RECEIVER_METRICS_ADDRESSES", "10.0.0.0/8")]);
    assert_eq!(status(&others, "Host: sync.example.org\r\n"), 403);
}
