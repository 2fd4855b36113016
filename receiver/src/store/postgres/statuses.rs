//! What devices tell of themselves.

use std::collections::BTreeMap;

use super::link::Link;
use crate::store::StoreError;
use crate::store::row::NewStatus;

/// What a day's backlog is kept in: quarters of an hour, each with its worst.
const QUARTER_S: i64 = 900;
const QUARTERS_KEPT: i64 = 96;

/// Devices in their order, so that two receivers never wait each for the other.
const PUT: &str = "
WITH told AS MATERIALIZED (
    SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
    AS given (device, status, clock_ahead, at, quarter, most)
), status AS (
    INSERT INTO device (device_id, status, clock_ahead_ms, received_at)
    SELECT device, status, clock_ahead, to_timestamp(at) FROM told ORDER BY device
    ON CONFLICT (device_id) DO UPDATE
    SET status = excluded.status, clock_ahead_ms = excluded.clock_ahead_ms, received_at = excluded.received_at
), backlog AS (
    INSERT INTO device_backlog (device_id, quarter, most_rows)
    SELECT device, quarter, most FROM told ORDER BY device
    ON CONFLICT (device_id, quarter) DO UPDATE SET most_rows = excluded.most_rows
    WHERE device_backlog.most_rows < excluded.most_rows
)
DELETE FROM device_backlog USING told WHERE device_id = device AND device_backlog.quarter <= told.quarter - $7";

/// Keeps them, the last one of each device.
pub(super) async fn put(link: &Link, statuses: &[Box<NewStatus>]) -> Result<(), StoreError> {
    let mut last: BTreeMap<&str, (&NewStatus, u64)> = BTreeMap::new();
    for status in statuses {
        let (kept, most) = last.entry(&status.device_id).or_insert((status, 0));
        (*kept, *most) = (status, status.backlog.max(*most));
    }
    let integer = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let quarter = |status: &NewStatus| status.received_unix_s - status.received_unix_s.rem_euclid(QUARTER_S);
    let devices: Vec<&str> = last.keys().copied().collect();
    let jsons: Vec<&str> = last.values().map(|(status, _)| status.json.as_str()).collect();
    let clocks: Vec<Option<i64>> = last.values().map(|(status, _)| status.clock_ahead_ms).collect();
    let at: Vec<i64> = last.values().map(|(status, _)| status.received_unix_s).collect();
    let quarters: Vec<i64> = last.values().map(|(status, _)| quarter(status)).collect();
    let most: Vec<i64> = last.values().map(|(_, most)| integer(*most)).collect();
    let kept_s = QUARTERS_KEPT * QUARTER_S;
    link.rows(PUT, &[&devices, &jsons, &clocks, &at, &quarters, &most, &kept_s])
        .await
        .map(drop)
}
