//! The owner's programs and servers that are told how the work goes: each in a thread of its own, for a bounded time,
//! so that neither the next pass nor a stop waits for it.

pub(crate) mod alert;
pub(crate) mod device_status;
pub(crate) mod heartbeat;
