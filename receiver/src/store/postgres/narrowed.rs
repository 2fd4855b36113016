//! What a list is narrowed to, and the index that has such rows in their order.

/// What a list is narrowed to: each is a parameter, in this order, after those that every list has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Narrowed {
    pub(super) device: bool,
    pub(super) sensor: bool,
    pub(super) camera: bool,
    /// To a pattern of devices: three parameters, the pattern and its range.
    pub(super) visible: bool,
}

impl Narrowed {
    /// The columns that have one value, and their parameters.
    pub(super) fn columns(self, first: usize) -> Vec<(&'static str, String)> {
        let columns = [
            (self.device, "device_id"),
            (self.sensor, "sensor"),
            (self.camera, "camera"),
        ];
        let given = columns.into_iter().filter(|(is_given, _)| *is_given);
        (first..)
            .zip(given)
            .map(|(number, (_, column))| (column, format!("${number}::text")))
            .collect()
    }

    /// The condition of the pattern, if there is one.
    pub(super) fn theirs(self, first: usize) -> String {
        if self.visible {
            theirs(first + self.columns(first).len())
        } else {
            String::new()
        }
    }

    /// The same where another index than the devices' is to be read along.
    pub(super) fn are_theirs(self, first: usize) -> String {
        if self.visible {
            aside(&format!("true{}", self.theirs(first)))
        } else {
            String::new()
        }
    }
}

/// A condition, with ` AND ` before it, for which no index is looked for, and which does not seem to leave but few rows: those
/// would rather be sorted than read in their order.
fn aside(condition: &str) -> String {
    format!(" AND CASE WHEN {condition} THEN true END")
}

/// Devices of a pattern: `number` is the pattern, the next two its range.
pub(super) fn theirs(number: usize) -> String {
    let (start, end) = (number + 1, number + 2);
    format!(" AND device_id LIKE ${number} AND device_id >= ${start} AND (${end}::text IS NULL OR device_id < ${end})")
}

/// The columns of one device's list.
pub(super) fn of_device(device: &str, mut columns: Vec<(&'static str, String)>) -> Vec<(&'static str, String)> {
    columns.insert(0, ("device_id", device.to_string()));
    columns
}

/// What the rows of a list have in common, as its index has it.
struct Lead {
    key: String,
    value: String,
    /// What several have in common is found by a hash of it, and compared.
    check: String,
}

fn lead(columns: &[(&str, String)]) -> Option<Lead> {
    if let [(key, value)] = columns {
        return Some(Lead {
            key: (*key).to_string(),
            value: value.clone(),
            check: String::new(),
        });
    }
    let (keys, values): (Vec<&str>, Vec<&str>) = columns.iter().map(|(key, value)| (*key, value.as_str())).unzip();
    let hash = |of: &[&str]| format!("hashtextextended({}, 0)", of.join(" || "));
    let same: Vec<_> = columns.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    (!columns.is_empty()).then(|| Lead {
        key: hash(&keys),
        value: hash(&values),
        check: aside(&same.join(" AND ")),
    })
}

/// The condition by which columns have their values, with ` AND ` before it.
pub(super) fn equal(columns: &[(&str, String)]) -> String {
    lead(columns).map_or_else(String::new, |Lead { key, value, check }| {
        format!(" AND {key} = {value}{check}")
    })
}

/// The rows between a place and the other end, and their order. What they have in common leads both: so its own index is
/// the only one that has them in their order, and none is read along another in the hope to meet it soon.
pub(super) fn span(columns: &[(&str, String)], ascending: bool) -> (String, String) {
    let (after, until, order) = if ascending {
        (">", "<", "ASC")
    } else {
        ("<", ">=", "DESC")
    };
    match lead(columns) {
        None => (
            format!("(moment, id) {after} ($1, $2) AND moment {until} $3"),
            format!("moment {order}, id {order}"),
        ),
        Some(Lead { key, value, check }) => (
            format!("({key}, moment, id) {after} ({value}, $1, $2) AND ({key}, moment) {until} ({value}, $3){check}"),
            format!("{key} {order}, moment {order}, id {order}"),
        ),
    }
}
