//! Alerts to a server whose certificate an authority of one's own has signed.

use crate::support::hook::Hook;
use crate::support::tls::Authority;
use crate::support::{Receiver, wait_until};

/// A device tells that its disk is nearly full.
fn tell(receiver: &Receiver) {
    let body = r#"{"version":1,"disk":{"free_bytes":5,"total_bytes":100}}"#;
    let answer = receiver.ask(format!(
        "PUT /api/devices/shop-1/status HTTP/1.1\r\nHost: receiver\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    assert_eq!(answer.status, 204, "{answer:?}");
}

#[test]
fn alerts_go_to_a_server_whose_authority_is_trusted_and_to_no_other() {
    let (authority, other) = (Authority::new(), Authority::new());
    let hook = Hook::behind_tls(authority.server());
    let (url, ca, other_ca) = (hook.url(), authority.file(), other.file());
    let settings = |ca| [("RECEIVER_ALERT_URL", url.as_str()), ("SSL_CERT_FILE", ca)];
    let mut receiver = Receiver::with(&settings(&other_ca));
    tell(&receiver);
    wait_until("it was tried", || {
        let metrics = receiver.local("GET /metrics").body;
        metrics
            .lines()
            .any(|line| line.starts_with("receiver_alert_errors_total") && !line.ends_with(" 0"))
    });
    receiver.signal(rustix::process::Signal::TERM);
    receiver.wait(std::time::Duration::from_secs(5));
    let said = receiver.errors();
    assert!(said.contains("certificate") && said.contains("SSL_CERT_FILE"), "{said}");
    assert!(!said.contains("/hook") && said.lines().count() == 1, "{said}");
    assert!(hook.asked().is_empty());
    let receiver = Receiver::on(receiver.kill(), &settings(&ca));
    wait_until("it is told", || hook.told() == ["shop-1 disk_low begins"]);
    drop(receiver);
}
