//! The owner's programs and servers that are told how the work goes.

pub mod alert;
pub mod heartbeat;
