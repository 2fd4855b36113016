//! What readers ask of the rows, as plain data: the store's other half.

use tokio::sync::watch;

use super::Pending;
use super::rows::Load;
use crate::record::Scalar;

/// Which rows are asked for. Dates are the devices' own, compared as text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// The first moment.
    pub(crate) from: Option<String>,
    /// The moment before which the last one lies.
    pub(crate) to: Option<String>,
    /// `device_id`.
    pub(crate) device: Option<String>,
    /// A sensor's name, or its id where it has none.
    pub(crate) sensor: Option<String>,
    /// A clip's `numero_camera`.
    pub(crate) camera: Option<String>,
    /// The devices that the reader may see.
    pub(crate) visible: Option<String>,
}

/// Where a page of a list begins, and how long it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slice {
    /// The place of the last row of the page before.
    pub(crate) after: Option<Place>,
    /// Oldest first instead of newest first.
    pub(crate) ascending: bool,
    /// Rows at most.
    pub(crate) limit: u32,
}

/// A row's place in its list: by moment, then by arrival.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its date as text that sorts, or when it came where its date is none.
    pub(crate) moment: String,
    /// Its id.
    pub(crate) id: i64,
}

/// An event as it is read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EventRow {
    pub(crate) id: i64,
    pub(crate) date: Scalar,
    pub(crate) sensor_id: Scalar,
    pub(crate) sensor_name: Scalar,
    pub(crate) sensor_state: Scalar,
    pub(crate) device_id: String,
    pub(crate) received_at: String,
    pub(crate) moment: String,
}

/// A clip as it is read, without its bytes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ClipRow {
    pub(crate) id: i64,
    pub(crate) date: Scalar,
    pub(crate) sensor_id: Scalar,
    pub(crate) sensor_name: Scalar,
    pub(crate) camera: Scalar,
    pub(crate) device_id: String,
    pub(crate) received_at: String,
    pub(crate) moment: String,
    pub(crate) size_bytes: u64,
    pub(crate) sha256: String,
    pub(crate) pinned: bool,
    /// Its file's name.
    pub(crate) file: String,
}

/// What is known of a device.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct DeviceRow {
    pub(crate) device_id: String,
    /// When its last row came, in seconds since 1970.
    pub(crate) row_at_s: Option<i64>,
    /// When it last told how it is.
    pub(crate) status_at_s: Option<i64>,
    /// What it told, as JSON.
    pub(crate) status: Option<String>,
    /// How far its clock was ahead then.
    pub(crate) clock_ahead_ms: Option<i64>,
}

/// The most rows that waited on a device in a quarter of an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Backlog {
    /// When the quarter began, in seconds since 1970.
    pub(crate) quarter_s: i64,
    pub(crate) rows: u64,
}

/// Rows of an hour of a day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct HourRow {
    pub(crate) events: u64,
    pub(crate) clips: u64,
}

/// How far a reader has followed what is stored, in the words of the database that wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor(String);

/// Longest text of a cursor.
const CURSOR_MOST: usize = 60;

impl Cursor {
    pub(super) fn new(words: String) -> Self {
        Self(words)
    }

    /// One that came back from a reader; none where no database wrote it.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let is_word = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'c' | b'e' | b'm');
        let fits = text.len() <= CURSOR_MOST && text.contains('.') && text.bytes().all(is_word);
        fits.then(|| Self(text.to_string()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Something that was stored.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    Event(EventRow),
    Clip(ClipRow),
}

/// What was stored after a place, each with the place after it, and the place after all.
pub(crate) type Changes = (Vec<(Change, Cursor)>, Cursor);

/// The clips somebody has not seen.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Unseen {
    /// How many; not counted further than [`UNSEEN_MOST`].
    pub(crate) count: u64,
    /// The newest clip's id.
    pub(crate) newest: i64,
    /// The oldest of them, oldest first.
    pub(crate) clips: Vec<ClipRow>,
}

/// Unseen clips are not counted further than this.
pub(crate) const UNSEEN_MOST: i64 = 1000;

/// Somebody who looks for the first time is shown this many clips as new, not all that there are.
pub(super) const NEW_AT_FIRST: i64 = 20;

/// A list of a pattern of devices is read device by device where the devices times the rows of its page are no more than this.
pub(super) const FEW_ROWS: i64 = 100_000;

/// Reading the rows.
pub(crate) trait Reading: Send + Sync {
    /// A page of events.
    fn events(&self, filter: Filter, slice: Slice) -> Pending<'_, Vec<EventRow>>;

    /// A page of clips.
    fn clips(&self, filter: Filter, slice: Slice) -> Pending<'_, Vec<ClipRow>>;

    /// One clip.
    fn clip(&self, id: i64) -> Pending<'_, Option<ClipRow>>;

    /// Keeps a clip from being deleted by age, or no more.
    fn pin(&self, id: i64, pinned: bool) -> Pending<'_, ()>;

    /// Rows an hour of what `filter` asks for, which is a day.
    fn hours(&self, filter: Filter) -> Pending<'_, [HourRow; 24]>;

    /// Every device.
    fn devices(&self) -> Pending<'_, Vec<DeviceRow>>;

    /// One device.
    fn device(&self, device_id: String) -> Pending<'_, Option<DeviceRow>>;

    /// The backlog of each of these devices since then.
    fn backlogs(&self, device_ids: Vec<String>, since_s: i64) -> Pending<'_, Vec<Vec<Backlog>>>;

    /// Where following begins: after all that is stored now.
    fn newest(&self) -> Pending<'_, Cursor>;

    /// What changes when something was committed by anybody who tells, where `own` does when it was committed here.
    fn commits(&self, own: watch::Receiver<u64>) -> watch::Receiver<u64> {
        own
    }

    /// Whether a cursor is this database's, where following begins at `newest` now: another one's place means nothing here,
    /// nor does one ahead of all, which is of a database that has been put back from a backup since.
    fn is_own(&self, cursor: &Cursor, newest: &Cursor) -> bool;

    /// What was stored after `cursor`, each once, events and clips each in an order that never changes, with the cursor
    /// after each; and the cursor after all of them.
    fn changes(&self, cursor: Cursor, visible: Option<String>, limit: u32) -> Pending<'_, Changes>;

    /// The clips that `person` has not seen.
    fn unseen(&self, person: String, visible: Option<String>, limit: u32) -> Pending<'_, Unseen>;

    /// `person` has seen the clips up to `clip`, in the order in which they came; nobody has seen what is not there yet.
    fn seen(&self, person: String, clip: i64) -> Pending<'_, ()>;

    /// How much the database has to do for those who read.
    fn load(&self) -> Load {
        Load::default()
    }
}
