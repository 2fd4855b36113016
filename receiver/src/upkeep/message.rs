//! What is told to people, as JSON that ntfy, Slack and Home Assistant take alike.

use chrono::{DateTime, Local, SecondsFormat};
use serde::Serialize;

use crate::device_state::State;
use crate::store::upkeep::{Alarm, Subject};

/// What an alarm of an event is called.
pub(super) const EVENT: &str = "event";

/// What is told. `text` is Slack's; `title`, `message`, `click` and `topic` are ntfy's; the rest is for programs.
#[derive(Serialize)]
struct Message<'a> {
    title: String,
    message: &'a str,
    text: String,
    click: &'a str,
    link: &'a str,
    /// `begins` or `over`.
    state: &'static str,
    /// The name of a device's state, or `event`.
    alert: &'a str,
    device_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sensor: Option<&'a str>,
    /// When it began, UTC.
    since: String,
    /// When it was noticed, or was over.
    at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<&'a str>,
}

/// How messages are written here.
pub(super) struct Writer {
    /// Where people open the page.
    pub(super) page: String,
    pub(super) topic: Option<String>,
}

impl Writer {
    /// That something begins.
    pub(super) fn begins(&self, alarm: &Alarm, now_s: i64) -> String {
        self.write(alarm, "begins", sentence(&alarm.subject), now_s)
    }

    /// That it is over.
    pub(super) fn over(&self, alarm: &Alarm, now_s: i64) -> String {
        self.write(alarm, "over", end(&alarm.subject), now_s)
    }

    fn write(&self, alarm: &Alarm, state: &'static str, message: &str, now_s: i64) -> String {
        let Subject {
            device_id,
            what,
            sensor,
        } = &alarm.subject;
        let name = if sensor.is_empty() {
            device_id.clone()
        } else {
            format!("{device_id}, {sensor}")
        };
        let title = format!("{}{name}: {}", if state == "over" { "✅ " } else { "⚠️ " }, word(what));
        let link = self.link(alarm);
        let message = Message {
            text: format!("{title}. {message} {link}"),
            title,
            message,
            click: &link,
            link: &link,
            state,
            alert: what,
            device_id,
            sensor: Some(sensor.as_str()).filter(|sensor| !sensor.is_empty()),
            since: utc(alarm.began_s),
            at: utc(now_s),
            topic: self.topic.as_deref(),
        };
        serde_json::to_string(&message).unwrap_or_default()
    }

    /// The page's day at that moment.
    fn link(&self, alarm: &Alarm) -> String {
        let Alarm { subject, moment, .. } = alarm;
        let (date, time) = (
            moment.get(..10).unwrap_or_default(),
            moment.get(11..19).unwrap_or_default(),
        );
        let mut link = format!("{}/day/{date}?device={}", self.page, escaped(&subject.device_id));
        if !subject.sensor.is_empty() {
            link += &format!("&sensor={}", escaped(&subject.sensor));
        }
        if !time.is_empty() {
            link += &format!("&at={}", escaped(time));
        }
        link
    }
}

/// This machine's wall clock as a moment is written.
pub(super) fn moment(unix_s: i64) -> String {
    let time = DateTime::from_timestamp(unix_s, 0).unwrap_or_default();
    time.with_timezone(&Local).format("%Y-%m-%dT%H:%M:%S").to_string()
}

fn utc(unix_s: i64) -> String {
    let time = DateTime::from_timestamp(unix_s, 0).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn word(what: &str) -> &'static str {
    match State::of(what) {
        Some(State::Silent) => "silencieux",
        Some(State::DiskLow) => "disque presque plein",
        Some(State::Backlog) => "envois en attente",
        Some(State::ClockOff) => "heure fausse",
        _ => "événement",
    }
}

fn sentence(subject: &Subject) -> &'static str {
    match State::of(&subject.what) {
        Some(State::Silent) => "Aucun signe depuis trois intervalles.",
        Some(State::DiskLow) => "Moins de 10 % du disque est libre.",
        Some(State::Backlog) => "Le plus ancien envoi attend depuis plus d'une heure.",
        Some(State::ClockOff) => "L'horloge de l'appareil est fausse de plus d'une minute.",
        _ => "Le capteur, marqué important, a envoyé un événement.",
    }
}

fn end(subject: &Subject) -> &'static str {
    match State::of(&subject.what) {
        Some(State::Silent) => "L'appareil donne de nouveau signe.",
        Some(State::DiskLow) => "Le disque a de nouveau de la place.",
        Some(State::Backlog) => "Aucun envoi n'attend plus depuis plus d'une heure.",
        Some(State::ClockOff) => "L'horloge de l'appareil est de nouveau juste.",
        _ => "Le capteur est de nouveau calme.",
    }
}

/// As a value of a query.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped += &format!("%{byte:02X}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_what_each_of_those_who_take_it_looks_for() {
        let writer = Writer {
            page: "https://sync.example.org/x".to_string(),
            topic: Some("cams".to_string()),
        };
        let alarm = Alarm {
            subject: Subject {
                device_id: "shop 1&2".to_string(),
                what: EVENT.to_string(),
                sensor: "Porte d'entrée".to_string(),
            },
            moment: "2025-12-18T17:30:00.123456".to_string(),
            began_s: 1_766_075_400,
            last_s: 1_766_075_400,
        };
        let message: serde_json::Value = serde_json::from_str(&writer.begins(&alarm, 1_766_075_401)).unwrap();
        let link =
            "https://sync.example.org/x/day/2025-12-18?device=shop%201%262&sensor=Porte%20d%27entr%C3%A9e&at=17:30:00";
        for (field, value) in [
            ("title", "⚠️ shop 1&2, Porte d'entrée: événement"),
            ("message", "Le capteur, marqué important, a envoyé un événement."),
            ("link", link),
            ("click", link),
            ("topic", "cams"),
            ("state", "begins"),
            ("alert", "event"),
            ("device_id", "shop 1&2"),
            ("sensor", "Porte d'entrée"),
            ("since", "2025-12-18T16:30:00Z"),
            ("at", "2025-12-18T16:30:01Z"),
        ] {
            assert_eq!(message[field], value, "{field}");
        }
        assert!(message["text"].as_str().unwrap().ends_with(link));
        let over: serde_json::Value = serde_json::from_str(&writer.over(&alarm, 1_766_075_402)).unwrap();
        assert_eq!((&over["state"], &over["since"]), (&"over".into(), &message["since"]));
    }

    #[test]
    fn every_state_that_is_told_has_its_words() {
        for state in super::super::turns::TOLD {
            let subject = Subject {
                device_id: "a".to_string(),
                what: state.name().to_string(),
                sensor: String::new(),
            };
            assert_ne!(word(&subject.what), word(EVENT));
            let other = Subject {
                what: EVENT.to_string(),
                ..subject.clone()
            };
            assert!(sentence(&subject) != sentence(&other) && end(&subject) != end(&other));
        }
    }
}
