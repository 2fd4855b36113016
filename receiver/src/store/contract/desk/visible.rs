use super::*;

const DEVICES: [&str; 10] = [
    "shop-1", "shop-2", "Shop-3", "home", "a_b", "axb", "a%b", "a[1]", "a1", "é1",
];

/// Patterns, and the numbers of the devices above that each means, newest first.
const PATTERNS: [(&str, &[i64]); 11] = [
    ("shop-*", &[2, 1]),
    ("shop-1", &[1]),
    ("*", &[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]),
    ("?hop-?", &[3, 2, 1]),
    ("a_b", &[5]),
    ("a%b", &[7]),
    ("a?b", &[7, 6, 5]),
    ("a[1]", &[8]),
    ("é?", &[10]),
    ("nothing*", &[]),
    ("\\", &[]),
];

async fn store_of_each(rows: &dyn Rows) {
    for (number, device) in DEVICES.into_iter().enumerate() {
        ok(rows.add(event(device, &format!("2025-12-18T10:0{number}:00"), "door"))).await;
        ok(rows.add(clip(
            &format!("{number}.mp4"),
            device,
            &format!("2025-12-18T10:0{number}:00"),
            1,
        )))
        .await;
    }
}

pub(super) async fn one_sees_only_ones_own_devices(database: impl Looked) {
    let rows = database.open();
    store_of_each(&*rows).await;
    let desk = database.desk();
    for (pattern, ids) in PATTERNS {
        let filter = Filter {
            visible: some(pattern),
            ..Filter::default()
        };
        assert_eq!(
            event_ids(&ok(desk.events(filter.clone(), slice(20))).await),
            ids,
            "{pattern}"
        );
        assert_eq!(
            clip_ids(&ok(desk.clips(filter.clone(), slice(20))).await),
            ids,
            "{pattern}"
        );
        for filter in [
            Filter {
                sensor: some("door"),
                ..filter.clone()
            },
            Filter {
                device: some("shop-1"),
                ..filter.clone()
            },
        ] {
            let expected: Vec<i64> = ids
                .iter()
                .copied()
                .filter(|id| filter.device.is_none() || *id == 1)
                .collect();
            assert_eq!(
                event_ids(&ok(desk.events(filter, slice(20))).await),
                expected,
                "{pattern}"
            );
        }
    }
}

pub(super) async fn one_counts_only_ones_own_devices(database: impl Looked) {
    let rows = database.open();
    store_of_each(&*rows).await;
    let desk = database.desk();
    followed(&*desk, 10).await;
    for (pattern, ids) in PATTERNS {
        let day = Filter {
            from: some("2025-12-18"),
            to: some("2025-12-19"),
            visible: some(pattern),
            ..Filter::default()
        };
        let hours = ok(desk.hours(day)).await;
        assert_eq!(
            (hours[10].events, hours[10].clips),
            (ids.len() as u64, ids.len() as u64),
            "{pattern}"
        );
        let unseen = ok(desk.unseen("anna".to_string(), some(pattern), 50)).await;
        assert_eq!(unseen.count, ids.len() as u64, "{pattern}");
    }
}

pub(super) async fn one_follows_only_ones_own_devices(database: impl Looked) {
    let rows = database.open();
    let desk = database.desk();
    let begin = ok(desk.newest()).await;
    for device in DEVICES {
        ok(rows.add(event(device, "2025-12-18T11:00:00", "door"))).await;
    }
    for (pattern, ids) in PATTERNS {
        let changes = told(&*desk, begin.clone(), pattern, ids.len()).await;
        let found: Vec<i64> = changes
            .iter()
            .map(|change| match change {
                Change::Event(event) => event.id,
                Change::Clip(clip) => panic!("{clip:?}"),
            })
            .collect();
        assert_eq!(found, ids.iter().rev().copied().collect::<Vec<_>>(), "{pattern}");
    }
}

pub(super) async fn few_devices_among_many_are_found_in_pages_too(database: impl Looked) {
    let rows = database.open();
    // More than are looked at one by one for a page of a thousand.
    let mut wanted = Vec::new();
    let mut all = Vec::new();
    for number in 0..480_usize {
        let device = format!("shop-{:03}", number * 7 % 120);
        let minute = number * 13 % 60;
        let date = format!("2025-12-18T1{}:{minute:02}:00", number % 3);
        if device.starts_with("shop-00") {
            wanted.push((date.clone(), i64::try_from(number).unwrap() + 1));
        }
        all.push(event(&device, &date, "door"));
    }
    ok(rows.add_all(all)).await;
    wanted.sort();
    wanted.reverse();
    let wanted: Vec<i64> = wanted.into_iter().map(|(_, id)| id).collect();
    assert_eq!(wanted.len(), 40);
    let desk = database.desk();
    let few = Filter {
        visible: some("shop-00*"),
        ..Filter::default()
    };
    for limit in [1, 3, 10, 39, 40, 1000] {
        assert_eq!(walk(&*desk, &few, limit, false).await, wanted, "{limit}");
        let mut ascending = walk(&*desk, &few, limit, true).await;
        ascending.reverse();
        assert_eq!(ascending, wanted, "{limit}");
    }
    let many = Filter {
        visible: some("shop-*"),
        ..Filter::default()
    };
    let everybody = walk(&*desk, &Filter::default(), 1000, false).await;
    for limit in [7, 50, 1000] {
        assert_eq!(walk(&*desk, &many, limit, false).await, everybody, "{limit}");
    }
}
