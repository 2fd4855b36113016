//! What a list is narrowed to, in every combination.

use super::*;

/// Nobody has the last of each.
const DEVICES: [&str; 4] = ["shop-1", "shop-2", "home", "nowhere"];
const SENSORS: [&str; 3] = ["door", "PIR", "none"];
const CAMERAS: [&str; 3] = ["1", "2", "3"];

/// A row as the filters see it: its moment, what it is of, its id.
type Kept = (String, i64, [&'static str; 3]);

/// An event and a clip of each, the same in both lists.
async fn store_of_each(rows: &dyn Rows) -> Vec<Kept> {
    let mut kept = Vec::new();
    for number in 0..36_usize {
        let (device, sensor, camera) = (DEVICES[number * 7 % 3], SENSORS[number / 3 % 2], number / 6 % 2);
        let date = format!("2025-12-18T10:{:02}:00", number * 5 % 12);
        ok(rows.add(event(device, &date, sensor))).await;
        let mut film = clip(
            &format!("{number}.mp4"),
            device,
            &date,
            i64::try_from(camera).unwrap() + 1,
        );
        if let Content::Clip(clip, _) = &mut film.content {
            clip.origin.sensor_name = text(sensor);
        }
        ok(rows.add(film)).await;
        kept.push((
            date,
            i64::try_from(number).unwrap() + 1,
            [device, sensor, CAMERAS[camera]],
        ));
    }
    kept.sort_unstable();
    kept.reverse();
    kept
}

pub(super) async fn each_set_of_filters_finds_what_has_all_of_them(database: impl Looked) {
    let kept = store_of_each(&*database.open()).await;
    let desk = database.desk();
    let each = |of: &[&'static str]| of.iter().copied().map(Some).chain([None]).collect::<Vec<_>>();
    for device in each(&DEVICES) {
        for sensor in each(&SENSORS) {
            for camera in each(&CAMERAS) {
                for visible in [None, some("shop-*"), some("nobody-*")] {
                    let filter = Filter {
                        device: device.and_then(some),
                        sensor: sensor.and_then(some),
                        camera: camera.and_then(some),
                        visible,
                        ..Filter::default()
                    };
                    let is_seen = |of: &str| match filter.visible.as_deref() {
                        None => true,
                        Some(pattern) => pattern == "shop-*" && of.starts_with("shop-"),
                    };
                    let has_all = |of: &[&str; 3]| {
                        let asked = [device, sensor, camera].into_iter().zip(of);
                        is_seen(of[0])
                            && asked
                                .into_iter()
                                .all(|(asked, is)| asked.is_none_or(|asked| asked == *is))
                    };
                    let found = kept.iter().filter(|(_, _, of)| has_all(of));
                    let ids: Vec<i64> = found.map(|(_, id, _)| *id).collect();
                    finds(&*desk, &filter, &ids).await;
                }
            }
        }
    }
}

/// These are the clips of a filter, its events unless it names a camera, and what its hours count.
async fn finds(desk: &dyn Desk, filter: &Filter, ids: &[i64]) {
    let events = if filter.camera.is_some() { &[][..] } else { ids };
    for limit in [1, 5, 50] {
        for ascending in [false, true] {
            let mut found = [
                walk(desk, filter, limit, ascending).await,
                walk_clips(desk, filter, limit, ascending).await,
            ];
            if ascending {
                found.iter_mut().for_each(|ids| ids.reverse());
            }
            assert_eq!(found, [events, ids], "{filter:?} {limit} {ascending}");
        }
    }
    let day = Filter {
        from: some("2025-12-18"),
        to: some("2025-12-19"),
        ..filter.clone()
    };
    let hour = ok(desk.hours(day)).await[10];
    let counted = (events.len() as u64, ids.len() as u64);
    assert_eq!((hour.events, hour.clips), counted, "{filter:?}");
}

/// Text that no index makes shorter.
fn long(seed: u32) -> String {
    let next = |state: &mut u32| {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from_u32(0x4e00 + (*state >> 18))
    };
    std::iter::repeat_n((), 490)
        .scan(seed, |state, ()| next(state))
        .collect()
}

pub(super) async fn names_of_any_length_are_stored_and_found(database: impl Looked) {
    let rows = database.open();
    let (device, sensor, camera) = (long(1), long(2), long(3));
    ok(rows.add(event(&device, "2025-12-18T10:00:00", &sensor))).await;
    let mut film = clip("1.mp4", &device, "2025-12-18T10:00:00", 1);
    if let Content::Clip(clip, _) = &mut film.content {
        clip.origin.sensor_name = text(&sensor);
        clip.camera = text(&camera);
    }
    ok(rows.add(film)).await;
    let desk = database.desk();
    let mut filter = Filter {
        device: some(&device),
        sensor: some(&sensor),
        ..Filter::default()
    };
    assert_eq!(walk(&*desk, &filter, 10, false).await, [1]);
    filter.camera = some(&camera);
    assert_eq!(walk_clips(&*desk, &filter, 10, false).await, [1]);
}
