use super::variables::accepted;
use super::*;
use std::collections::HashMap;

fn read(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let table: HashMap<String, String> = pairs
        .iter()
        .map(|(name, value)| ((*name).to_string(), (*value).to_string()))
        .collect();
    Config::from_lookup(&|name| table.get(name).map(Into::into))
}

fn urls(config: &Config) -> Vec<&str> {
    config.upload.backends.iter().map(WebUrl::as_str).collect()
}

#[test]
fn defaults_are_those_of_the_contract() {
    let config = read(&[]).unwrap();
    assert_eq!(config.local_db_path, PathBuf::from("/data/surveillance.db"));
    assert_eq!(urls(&config), ["http://backend:8000"]);
    assert_eq!(config.interval, Duration::from_secs(300));
    assert_eq!(config.upload.device_id, "raspberry-1");
    assert_eq!(config.mode, Mode::Continuous);
    assert!(config.prune.is_off(), "nothing is deleted unless asked for");
}

#[test]
fn every_wrong_value_names_variable_value_and_what_is_accepted() {
    for (name, value) in [
        ("LOCAL_DB_PATH", ""),
        ("BACKEND_URL", "backend:8000"),
        ("BACKEND_URL", "http://"),
        ("BACKEND_URL", "http://a,,http://b"),
        ("BACKEND_URL", "ftp://a"),
        ("BACKEND_URL", "http://a:99999"),
        ("BACKEND_URL", "http://[::1]:x"),
        ("BACKEND_URL", "http://a?x=1"),
        ("SYNC_INTERVAL_MINUTES", "0"),
        ("SYNC_INTERVAL_MINUTES", "-1"),
        ("SYNC_INTERVAL_MINUTES", "abc"),
        ("SYNC_INTERVAL_MINUTES", "inf"),
        ("SYNC_INTERVAL_MINUTES", "1e3"),
        ("SYNC_INTERVAL_MINUTES", ""),
        ("DEVICE_ID", ""),
        ("DEVICE_ID", "a\nb"),
        ("SYNC_MODE", "sometimes"),
        ("SYNC_OUTPUT", "xml"),
        ("SYNC_COMPRESSION", "brotli"),
        ("SYNC_MAX_RATE_KBPS", "0"),
        ("SYNC_MAX_RATE_KBPS", "fast"),
        ("SYNC_MAX_RATE_KBPS", "07:00,50 19:00"),
        ("SYNC_MAX_RATE_KBPS", "07:00,0 19:00,0"),
        ("SYNC_MAX_RATE_KBPS", "25:00,50"),
        ("SYNC_ALERT_AFTER_MINUTES", "0"),
        ("SYNC_PRUNE_AFTER_DAYS", "0"),
        ("SYNC_PRUNE_AFTER_DAYS", "30 days"),
        ("SYNC_PRUNE_AFTER_DAYS", "1.5"),
        ("SYNC_PRUNE_AFTER_DAYS", "+3"),
        ("SYNC_PRUNE_KEEP_FREE_MB", "0"),
        ("SYNC_PRUNE_KEEP_FREE_MB", "-1"),
        ("SYNC_PRUNE_KEEP_FREE_MB", "99999999999999999999"),
    ] {
        let message = read(&[(name, value)]).unwrap_err().to_string();
        assert!(message.contains(&format!("{name}={value:?}")), "{message}");
        assert!(message.contains(accepted(name)), "{message}");
        assert!(!message.contains('\n'), "{message}");
    }
}

#[test]
fn secrets_are_not_shown_when_they_are_wrong() {
    let message = read(&[("BACKEND_TOKEN", "pass word")]).unwrap_err().to_string();
    assert!(!message.contains("pass word"), "{message}");
    for url in [
        "http://me:pa77@host",
        "http://me:pa,77@host",
        "http://me:p@77@host",
        "http://me:80,http://pa@77@host",
        "http://me:80/77@host",
        "me:77@host",
        "http://me:p?77@host",
    ] {
        let message = read(&[("BACKEND_URL", url)]).unwrap_err().to_string();
        assert!(!message.contains("77") && !message.contains("me:"), "{message}");
        assert!(message.contains("@host"), "{message}");
    }
    let message = read(&[("HEARTBEAT_URL", "https://me:pa77@host/x")])
        .unwrap_err()
        .to_string();
    assert!(!message.contains("pa77"), "{message}");
}

#[test]
fn urls_lose_their_trailing_slash_and_keep_their_prefix() {
    let config = read(&[("BACKEND_URL", "http://a/, https://b/prefix/")]).unwrap();
    assert_eq!(urls(&config), ["http://a", "https://b/prefix"]);
}
