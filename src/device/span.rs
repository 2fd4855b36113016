//! Where a column's bytes are in a record, and what they say
//! (<https://www.sqlite.org/fileformat2.html>, section 2.1, "Record Format").

use super::pages::varint;
use crate::row::Scalar;

/// A column in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// Offset from the start of the record.
    pub offset: u64,
    /// Length in bytes.
    pub length: u64,
    /// The serial type.
    kind: u64,
}

impl Span {
    /// Whether it is a blob or text.
    pub(super) fn is_bytes(&self) -> bool {
        self.kind >= 12
    }

    pub(super) fn end(&self) -> u64 {
        self.offset + self.length
    }

    /// What of it is in `bytes`, which begin at `start` of the record.
    pub(super) fn part<'b>(&self, start: u64, bytes: &'b [u8]) -> &'b [u8] {
        let place = |at: u64| usize::try_from(at.saturating_sub(start)).map_or(bytes.len(), |at| at.min(bytes.len()));
        &bytes[place(self.offset)..place(self.end())]
    }

    /// Its value; `None` when `bytes` are not all of it.
    pub(super) fn value(&self, bytes: &[u8], encoding: &str) -> Option<Scalar> {
        if bytes.len() as u64 != self.length {
            return None;
        }
        Some(match self.kind {
            0 => Scalar::Null,
            1..=6 => Scalar::Integer(integer(bytes)),
            7 => real(f64::from_be_bytes(bytes.try_into().ok()?)),
            8 => Scalar::Integer(0),
            9 => Scalar::Integer(1),
            kind if kind % 2 == 1 && encoding != "UTF-8" => Scalar::Text(utf16(bytes, encoding)),
            _ => Scalar::Text(String::from_utf8_lossy(bytes).into_owned()),
        })
    }
}

/// Finds a column in a record by its header. `Some(None)` when the record has no such column (it was added by ALTER TABLE
/// later), `None` when this is no record.
pub(super) fn column(local: &[u8], position: usize) -> Option<Option<Span>> {
    let (header_len, mut at) = varint(local, 0)?;
    let header_len = usize::try_from(header_len).ok()?;
    let mut offset = header_len as u64;
    let mut index = 0;
    while at < header_len {
        let (kind, length) = varint(local, at)?;
        at += length;
        let kind = u64::try_from(kind).ok()?;
        let length = match kind {
            0 | 8 | 9 => 0,
            1..=4 => kind,
            5 => 6,
            6 | 7 => 8,
            12.. => (kind - 12) / 2,
            _ => return None,
        };
        if index == position {
            return Some(Some(Span { offset, length, kind }));
        }
        offset += length;
        index += 1;
    }
    Some(None)
}

/// Big-endian two's complement of up to eight bytes.
fn integer(bytes: &[u8]) -> i64 {
    let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    bytes.iter().fold(if negative { -1 } else { 0 }, |value, byte| {
        (value << 8) | i64::from(*byte)
    })
}

/// SQLite knows no NaN: it reads one as NULL.
fn real(number: f64) -> Scalar {
    if number.is_nan() {
        Scalar::Null
    } else {
        Scalar::Real(number)
    }
}

fn utf16(bytes: &[u8], encoding: &str) -> String {
    let units: Vec<u16> = bytes
        .chunks_exact(2)
        .map(|pair| match encoding {
            "UTF-16be" => u16::from_be_bytes([pair[0], pair[1]]),
            _ => u16::from_le_bytes([pair[0], pair[1]]),
        })
        .collect();
    String::from_utf16_lossy(&units)
}
