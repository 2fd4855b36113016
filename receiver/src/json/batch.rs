//! The JSON of a batch: a list of entries, each right or wrong for itself.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;
use sync_protocol::{KEY_MAX_BYTES, batch};

use super::DEPTH_MAX;
use super::fields::{Fields, missing, read};
use crate::answer::Refusal;
use crate::record::{Clip, Event};

/// An entry: its key and its event, or what is wrong with it.
pub(crate) type Entry = Result<(String, Event), Refusal>;

/// Reads a batch.
///
/// # Errors
/// 400 when it is no list in JSON, 413 when there are too many in it.
pub(crate) fn entries(body: &[u8]) -> Result<Vec<Entry>, Refusal> {
    let text = std::str::from_utf8(body).map_err(super::fields::invalid)?;
    let list: List<'_> = read(text)?;
    if list.is_too_long {
        let most = batch::MAX_EVENTS;
        return Err(Refusal::too_long(format!("plus de {most} événements")));
    }
    Ok(list.entries.into_iter().map(|json| entry(json.get())).collect())
}

fn entry(json: &str) -> Entry {
    // Around an event are the levels of an entry.
    if depth(json) > DEPTH_MAX {
        return Err(super::fields::invalid(format_args!("plus de {DEPTH_MAX} niveaux")));
    }
    let raw: RawEntry<'_> = read(json)?;
    let key: String = match raw.key {
        Some(key) => serde_json::from_str(key.get()).map_err(|_| Refusal::bad("key: un texte est attendu"))?,
        None => return Err(missing("key")),
    };
    if !is_key(&key) {
        return Err(Refusal::bad(format!(
            "key: 1 à {KEY_MAX_BYTES} caractères ASCII sont attendus"
        )));
    }
    let event = raw.evenement.ok_or_else(|| missing("evenement"))?;
    if !event.get().starts_with('{') {
        return Err(Refusal::bad("evenement: un objet est attendu"));
    }
    Ok((key, read::<Fields>(event.get())?.into_event()?))
}

/// Reads a clip without its video.
///
/// # Errors
/// 400 when it is not what is expected.
pub(crate) fn clip(body: &[u8]) -> Result<Clip, Refusal> {
    let text = std::str::from_utf8(body).map_err(super::fields::invalid)?;
    if depth(text) > DEPTH_MAX {
        return Err(super::fields::invalid(format_args!("plus de {DEPTH_MAX} niveaux")));
    }
    read::<Fields>(text)?.into_clip()
}

/// How deep lists and objects nest in a value.
fn depth(json: &str) -> u32 {
    let (mut depth, mut deepest) = (0_u32, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// What `Idempotency-Key` may hold.
fn is_key(key: &str) -> bool {
    (1..=KEY_MAX_BYTES).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
}

#[derive(Deserialize)]
struct RawEntry<'a> {
    #[serde(borrow)]
    key: Option<&'a RawValue>,
    #[serde(borrow)]
    evenement: Option<&'a RawValue>,
}

/// The entries as text, no more of them than there may be.
#[derive(Default)]
struct List<'a> {
    entries: Vec<&'a RawValue>,
    is_too_long: bool,
}

impl<'de> Deserialize<'de> for List<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ListVisitor)
    }
}

struct ListVisitor;

impl<'de> Visitor<'de> for ListVisitor {
    type Value = List<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<List<'de>, A::Error> {
        let mut list = List::default();
        while list.entries.len() < batch::MAX_EVENTS {
            match elements.next_element()? {
                Some(entry) => list.entries.push(entry),
                None => return Ok(list),
            }
        }
        while elements.next_element::<IgnoredAny>()?.is_some() {
            list.is_too_long = true;
        }
        Ok(list)
    }
}
