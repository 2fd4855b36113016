//! What is stored, as plain values.

/// A value as a device's database holds it: SQLite lets any type appear in any column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
}

/// What events and clips have in common.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Origin {
    pub(crate) date: Scalar,
    pub(crate) sensor_id: Scalar,
    pub(crate) sensor_name: Scalar,
    pub(crate) device_id: String,
    pub(crate) source: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    pub(crate) origin: Origin,
    pub(crate) sensor_state: Scalar,
}

/// A clip without its video.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Clip {
    pub(crate) origin: Origin,
    pub(crate) camera: Scalar,
}
