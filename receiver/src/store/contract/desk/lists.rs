use super::*;

pub(super) async fn each_filter_narrows_a_list(database: impl Looked) {
    let rows = database.open();
    for (device, date, sensor) in [
        ("a", "2025-12-18T10:00:00", "door"),
        ("b", "2025-12-18T11:00:00", "door"),
        ("a", "2025-12-18T12:00:00", "PIR Entrée"),
        ("b", "2025-12-19T00:00:00.5", "door"),
    ] {
        ok(rows.add(event(device, date, sensor))).await;
    }
    let desk = database.desk();
    for (from, to, device, sensor, expected) in [
        ("", "", "", "", &[4, 3, 2, 1][..]),
        ("", "", "a", "", &[3, 1]),
        ("", "", "", "door", &[4, 2, 1]),
        ("", "", "a", "door", &[1]),
        ("", "", "c", "", &[]),
        ("", "", "", "Door", &[]),
        ("2025-12-18T11:00:00", "", "", "", &[4, 3, 2]),
        ("", "2025-12-18T11:00:00", "", "", &[1]),
        ("2025-12-18T11", "2025-12-19", "", "", &[3, 2]),
        ("2025-12-18T11:00:00", "", "b", "door", &[4, 2]),
    ] {
        let given = |text: &str| Some(text.to_string()).filter(|text| !text.is_empty());
        let filter = Filter {
            from: given(from),
            to: given(to),
            device: given(device),
            sensor: given(sensor),
            ..Filter::default()
        };
        let found = ok(desk.events(filter.clone(), slice(10))).await;
        assert_eq!(event_ids(&found), expected, "{filter:?}");
        let mut ascending = walk(&*desk, &filter, 10, true).await;
        ascending.reverse();
        assert_eq!(ascending, expected, "{filter:?}");
    }
}

pub(super) async fn a_camera_narrows_clips_alone(database: impl Looked) {
    let rows = database.open();
    ok(rows.add(event("a", "2025-12-18T10:00:00", "door"))).await;
    for (number, (device, camera)) in [("a", 1), ("a", 2), ("b", 2)].into_iter().enumerate() {
        ok(rows.add(clip(&format!("{number}.mp4"), device, "2025-12-18T10:00:00", camera))).await;
    }
    let desk = database.desk();
    let camera = |camera: &str, device: Option<&str>| Filter {
        camera: some(camera),
        device: device.map(str::to_string),
        ..Filter::default()
    };
    assert_eq!(clip_ids(&ok(desk.clips(camera("2", None), slice(10))).await), [3, 2]);
    assert_eq!(clip_ids(&ok(desk.clips(camera("2", Some("a")), slice(10))).await), [2]);
    assert_eq!(ok(desk.events(camera("2", None), slice(10))).await, []);
    let one = ok(desk.clip(2)).await.unwrap();
    assert_eq!(
        (one.file.as_str(), one.size_bytes, one.camera),
        ("1.mp4", 512, Scalar::Integer(2))
    );
    assert_eq!(one.received_at.len(), "2025-12-18T10:00:00.000Z".len());
    assert_eq!(ok(desk.clip(4)).await, None);
}

pub(super) async fn pages_lose_and_double_nothing_where_rows_share_a_moment(database: impl Looked) {
    let rows = database.open();
    for number in 0..40 {
        let minute = [3, 1, 3, 3, 2, 1, 1, 3][number % 8];
        ok(rows.add(event("a", &format!("2025-12-18T10:0{minute}:00"), "door"))).await;
    }
    let desk = database.desk();
    let all = walk(&*desk, &Filter::default(), 1000, false).await;
    assert_eq!(all.len(), 40);
    let of = |device: Option<&str>, sensor: Option<&str>, visible: Option<&str>| Filter {
        device: device.map(str::to_string),
        sensor: sensor.map(str::to_string),
        visible: visible.map(str::to_string),
        ..Filter::default()
    };
    for filter in [
        of(None, None, None),
        of(Some("a"), None, None),
        of(None, Some("door"), None),
        of(None, None, Some("*")),
    ] {
        for limit in [1, 2, 3, 7, 40, 41] {
            assert_eq!(walk(&*desk, &filter, limit, false).await, all, "{filter:?} {limit}");
            let mut ascending = walk(&*desk, &filter, limit, true).await;
            ascending.reverse();
            assert_eq!(ascending, all, "{filter:?} {limit}");
        }
    }
}

pub(super) async fn rows_without_a_date_have_the_moment_at_which_they_came(database: impl Looked) {
    let rows = database.open();
    for date in [
        Scalar::Null,
        Scalar::Integer(1_766_075_400),
        text("yesterday"),
        text("2025-12-18 10:00:00"),
    ] {
        let content = Content::Event(Event {
            origin: origin("a", date, "door"),
            sensor_state: Scalar::Null,
        });
        ok(rows.add(NewRow { content, key: None })).await;
    }
    let desk = database.desk();
    let found = ok(desk.events(Filter::default(), slice(10))).await;
    assert_eq!(event_ids(&found), [3, 2, 1, 4]);
    for row in &found[..3] {
        assert_eq!(Some(row.moment.as_str()), row.received_at.strip_suffix('Z'), "{row:?}");
    }
    assert_eq!(
        (found[3].moment.as_str(), &found[3].date),
        ("2025-12-18T10:00:00", &text("2025-12-18 10:00:00"))
    );
    assert_eq!(
        (&found[1].date, &found[2].date),
        (&Scalar::Integer(1_766_075_400), &Scalar::Null)
    );
}

pub(super) fn counted(hours: [HourRow; 24]) -> Vec<(usize, u64, u64)> {
    let all = hours
        .iter()
        .enumerate()
        .map(|(hour, row)| (hour, row.events, row.clips));
    all.filter(|(_, events, clips)| events + clips > 0).collect()
}

pub(super) async fn hours_are_those_of_the_devices_clocks(database: impl Looked) {
    let rows = database.open();
    for (device, date, sensor) in [
        ("a", "2025-12-18T00:00:00", "door"),
        ("a", "2025-12-18T17:30:00", "door"),
        ("b", "2025-12-18T17:59:59.999", "PIR"),
        ("a", "2025-12-18T23:59:59", "door"),
        ("a", "2025-12-19T00:00:00", "door"),
    ] {
        ok(rows.add(event(device, date, sensor))).await;
    }
    ok(rows.add(clip("1.mp4", "a", "2025-12-18T17:30:00", 1))).await;
    ok(rows.add(clip("2.mp4", "b", "2025-12-18T17:30:00", 2))).await;
    let desk = database.desk();
    let day = Filter {
        from: some("2025-12-18"),
        to: some("2025-12-18~"),
        ..Filter::default()
    };
    let hours = |filter: Filter| async { counted(ok(desk.hours(filter)).await) };
    assert_eq!(hours(day.clone()).await, [(0, 1, 0), (17, 2, 2), (23, 1, 0)]);
    let of_a = Filter {
        device: some("a"),
        ..day.clone()
    };
    assert_eq!(hours(of_a).await, [(0, 1, 0), (17, 1, 1), (23, 1, 0)]);
    let of_sensor = Filter {
        sensor: some("PIR"),
        ..day.clone()
    };
    assert_eq!(hours(of_sensor).await, [(17, 1, 0)]);
    let of_camera = Filter {
        camera: some("2"),
        ..day.clone()
    };
    assert_eq!(hours(of_camera).await, [(17, 0, 1)]);
    let visible = Filter {
        visible: some("b*"),
        ..day.clone()
    };
    assert_eq!(hours(visible).await, [(17, 1, 1)]);
    let visible = Filter {
        visible: some("a*"),
        camera: some("1"),
        ..day
    };
    assert_eq!(hours(visible).await, [(17, 0, 1)]);
}

pub(super) async fn of_a_long_text_the_beginning_is_read(database: impl Looked) {
    let rows = database.open();
    let long = format!("é\"\n{}", "🎥".repeat(50_000));
    ok(rows.add(event("a", "2025-12-18T10:00:00", &long))).await;
    let found = ok(database.desk().events(Filter::default(), slice(1))).await;
    let expected: String = long.chars().take(1000).collect();
    assert_eq!(found[0].sensor_name, Scalar::Text(expected));
}
