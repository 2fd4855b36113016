//! What tells a row from another one that later got its id: an event's date, a clip's date and length. None of it needs a video to be
//! read.

use super::layout::Layout;
use crate::row::Table;

/// A date longer than this is told by its length.
const DATE_BYTES: u32 = 256;

/// The date behind a video is read up to this length of the video.
const VIDEO_BYTES: u32 = 65_536;

/// What of row `r` is kept (`shown`).
pub(super) fn shown(table: Table, layout: &Layout) -> String {
    match table {
        Table::Event => {
            let date = layout.event_date;
            format!("CASE WHEN octet_length(r.{date}) <= {DATE_BYTES} THEN r.{date} ELSE octet_length(r.{date}) END")
        }
        Table::Media => "octet_length(r.video)".to_string(),
    }
}

/// The date of clip `r` where reading it costs little. Large clips are told apart by their lengths.
pub(super) fn cheap_date(table: Table, layout: &Layout) -> String {
    match table {
        Table::Event => "NULL".to_string(),
        Table::Media => {
            let date = layout.media_date;
            format!(
                "CASE WHEN octet_length(r.video) <= {VIDEO_BYTES} AND octet_length(r.{date}) <= {DATE_BYTES}
                AND typeof(r.{date}) = 'text' THEN r.{date} END"
            )
        }
    }
}

/// Whether row `r` is the one of which `shown` and `date` were kept. Not by the index on dates: a seek compares with keys of
/// other rows, and one of 100 MB would be read for it.
pub(super) fn is_same(table: Table, layout: &Layout, shown: &str, date: &str) -> String {
    let same = format!("({}) IS {shown}", self::shown(table, layout));
    let Table::Media = table else { return same };
    let column = layout.media_date;
    format!(
        "{same} AND ({date} IS NULL OR CASE WHEN octet_length(r.video) <= {VIDEO_BYTES} AND octet_length(r.{column}) <= {DATE_BYTES}
            THEN r.{column} IS {date} ELSE 1 END)"
    )
}
