use super::*;

pub(super) async fn devices_are_known_by_rows_and_by_what_they_tell(database: impl Looked) {
    let rows = database.open();
    ok(rows.add(event("rows", "2025-12-18T10:00:00", "door"))).await;
    ok(rows.add(event("both", "2025-12-18T10:00:00", "door"))).await;
    let told = |device: &str, backlog, at_s: i64| NewStatus {
        device_id: device.to_string(),
        json: "{}".to_string(),
        backlog,
        clock_ahead_ms: Some(-7),
        received_unix_s: at_s,
    };
    for (backlog, at_s) in [(3, 900_000), (5, 900_100), (4, 900_200), (9, 900_900)] {
        ok(rows.put_status(told("both", backlog, at_s))).await;
    }
    ok(rows.put_status(told("status", 1, 900_000))).await;
    let desk = database.desk();
    let mut devices = ok(desk.devices()).await;
    devices.sort_by(|one, other| one.device_id.cmp(&other.device_id));
    let names: Vec<_> = devices.iter().map(|device| device.device_id.as_str()).collect();
    assert_eq!(names, ["both", "rows", "status"]);
    let known = |device: &crate::store::reading::DeviceRow| {
        (device.row_at_s.is_some(), device.status_at_s, device.clock_ahead_ms)
    };
    assert_eq!(known(&devices[0]), (true, Some(900_900), Some(-7)));
    assert_eq!(known(&devices[1]), (true, None, None));
    assert_eq!(known(&devices[2]), (false, Some(900_000), Some(-7)));
    assert_eq!(devices[0].status.as_deref(), Some("{}"));
    for device in devices {
        assert_eq!(ok(desk.device(device.device_id.clone())).await, Some(device));
    }
    assert_eq!(ok(desk.device("nobody".to_string())).await, None);
    let of = |names: &[&str], since| ok(desk.backlogs(names.iter().map(|name| (*name).to_string()).collect(), since));
    let quarters = |all: Vec<Vec<crate::store::reading::Backlog>>| -> Vec<Vec<(i64, u64)>> {
        let one = |of_one: &Vec<crate::store::reading::Backlog>| of_one.iter().map(|b| (b.quarter_s, b.rows)).collect();
        all.iter().map(one).collect()
    };
    let both = vec![(900_000, 5), (900_900, 9)];
    let found = quarters(of(&["status", "nobody", "both", "both"], 0).await);
    assert_eq!(found, [vec![(900_000, 1)], vec![], both.clone(), both]);
    assert_eq!(quarters(of(&["both"], 900_000).await), [vec![(900_900, 9)]]);
}

pub(super) async fn a_pin_stays_until_it_is_taken_off(database: impl Looked) {
    let rows = database.open();
    ok(rows.add(clip("1.mp4", "a", "2025-12-18T10:00:00", 1))).await;
    for pinned in [true, true, false] {
        let desk = database.desk();
        ok(desk.pin(1, pinned)).await;
        ok(desk.pin(99, pinned)).await;
        assert_eq!(ok(database.desk().clip(1)).await.unwrap().pinned, pinned);
    }
}

pub(super) async fn what_is_new_is_each_persons_own(database: impl Looked) {
    let rows = database.open();
    let desk = database.desk();
    let new = |person: &str, visible: Option<&str>, limit| {
        let (desk, person, visible) = (Arc::clone(&desk), person.to_string(), visible.map(str::to_string));
        async move {
            let unseen = ok(desk.unseen(person, visible, limit)).await;
            (unseen.count, unseen.newest, clip_ids(&unseen.clips))
        }
    };
    assert_eq!(new("anna", None, 10).await, (0, 0, vec![]));
    for number in 1..=30 {
        let device = if number % 3 == 0 { "shop-1" } else { "home" };
        ok(rows.add(clip(&format!("{number}.mp4"), device, "2025-12-18T10:00:00", 1))).await;
    }
    followed(&*desk, 30).await;
    // Who looks for the first time is shown some, not all that there are.
    assert_eq!(new("anna", None, 3).await, (20, 30, vec![11, 12, 13]));
    assert_eq!(new("anna", Some("shop-*"), 2).await, (7, 30, vec![12, 15]));
    ok(desk.seen("anna".to_string(), 25)).await;
    assert_eq!(new("anna", None, 10).await, (5, 30, vec![26, 27, 28, 29, 30]));
    // Never back.
    ok(desk.seen("anna".to_string(), 3)).await;
    assert_eq!(new("anna", None, 1).await, (5, 30, vec![26]));
    assert_eq!(new("ben", None, 1).await, (20, 30, vec![11]));
    // Nobody has seen what is not there yet.
    ok(desk.seen("anna".to_string(), 1000)).await;
    ok(rows.add(clip("31.mp4", "home", "2025-12-18T10:00:00", 1))).await;
    followed(&*desk, 31).await;
    assert_eq!(new("anna", None, 10).await, (1, 31, vec![31]));
    // The last one that was seen may be gone.
    ok(desk.seen("ben".to_string(), 28)).await;
    database.change("DELETE FROM media WHERE id BETWEEN 27 AND 28");
    assert_eq!(new("ben", None, 10).await, (3, 31, vec![29, 30, 31]));
}
