//! What becomes of what holds: pure, from what is known to what is told.

use std::collections::BTreeMap;

use super::message::{EVENT, Writer, moment};
use crate::device_state::{Facts, State, states};
use crate::known_devices::Known;
use crate::record::Scalar;
use crate::store::reading::EventRow;
use crate::store::upkeep::{Alarm, Subject, Turn};

/// The states that are told.
pub(super) const TOLD: [State; 4] = [State::Silent, State::DiskLow, State::Backlog, State::ClockOff];

/// A sensor without an event for so long is calm again.
const CALM_S: i64 = 600;

/// What holds, and what becomes of it.
pub(super) struct Turns<'a> {
    pub(super) writer: &'a Writer,
    pub(super) now_s: i64,
    pub(super) held: BTreeMap<Subject, Alarm>,
    pub(super) turns: Vec<Turn>,
}

/// What a sensor is called: its name, or its id where it has none.
pub(super) fn sensor_of(event: &EventRow) -> String {
    [&event.sensor_name, &event.sensor_id]
        .into_iter()
        .find_map(|value| match value {
            Scalar::Null => None,
            Scalar::Text(text) => Some(text.clone()),
            Scalar::Integer(number) => Some(number.to_string()),
            Scalar::Real(number) => Some(format!("{number:?}")),
        })
        .unwrap_or_default()
}

impl Turns<'_> {
    fn begin(&mut self, subject: Subject, moment: String) {
        let alarm = Alarm {
            subject,
            moment,
            began_s: self.now_s,
            last_s: self.now_s,
        };
        let body = self.writer.begins(&alarm, self.now_s);
        self.held.insert(alarm.subject.clone(), alarm.clone());
        self.turns.push(Turn::Begins(alarm, body));
    }

    fn end(&mut self, subject: &Subject) {
        if let Some(alarm) = self.held.remove(subject) {
            let body = self.writer.over(&alarm, self.now_s);
            self.turns.push(Turn::IsOver(alarm.subject, body));
        }
    }

    /// An event of a sensor that is important: the first begins it, and it goes on until the sensor is calm.
    pub(super) fn event(&mut self, event: EventRow, sensor: String) {
        let subject = Subject {
            device_id: event.device_id,
            what: EVENT.to_string(),
            sensor,
        };
        match self.held.get_mut(&subject) {
            None => self.begin(subject, event.moment),
            Some(alarm) if alarm.last_s != self.now_s => {
                alarm.last_s = self.now_s;
                self.turns.push(Turn::GoesOn(subject, self.now_s));
            }
            Some(_) => {}
        }
    }

    /// Sensors that sent nothing for a while.
    pub(super) fn calm(&mut self) {
        let is_calm = |alarm: &&Alarm| alarm.subject.what == EVENT && self.now_s - alarm.last_s > CALM_S;
        let calm: Vec<Subject> = self
            .held
            .values()
            .filter(is_calm)
            .map(|alarm| alarm.subject.clone())
            .collect();
        calm.iter().for_each(|subject| self.end(subject));
    }

    /// What begins to hold for devices, and what does no more.
    pub(super) fn devices(&mut self, known: &[Known], since_s: i64) {
        for device in known {
            let holds = states(&device.facts, self.now_s);
            for state in TOLD {
                let subject = Subject {
                    device_id: device.device_id.clone(),
                    what: state.name().to_string(),
                    sensor: String::new(),
                };
                match (holds.contains(&state), self.held.contains_key(&subject)) {
                    (true, false) if state != State::Silent || self.is_silent_since(&device.facts, since_s) => {
                        let last_s = device.facts.last_sign_s.filter(|_| state == State::Silent);
                        self.begin(subject, moment(last_s.unwrap_or(self.now_s)));
                    }
                    (false, true) => self.end(&subject),
                    _ => {}
                }
            }
        }
    }

    /// Whether a device is silent although somebody was there to hear it.
    fn is_silent_since(&self, facts: &Facts, since_s: i64) -> bool {
        let heard = Facts {
            last_sign_s: facts.last_sign_s.max(Some(since_s)),
            ..facts.clone()
        };
        states(&heard, self.now_s).contains(&State::Silent)
    }
}
