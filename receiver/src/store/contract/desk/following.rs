use super::*;

/// Eight who store 25 rows each, one after another.
fn store_much(rows: &Arc<dyn Rows>) -> Vec<tokio::task::JoinHandle<()>> {
    (0..8)
        .map(|writer| {
            let rows = Arc::clone(rows);
            tokio::spawn(async move {
                for number in 0..25 {
                    let row = if number % 5 == 0 {
                        clip(&format!("{writer}-{number}.mp4"), "a", "2025-12-18T10:00:00", 1)
                    } else {
                        event("a", "2025-12-18T10:00:00", "door")
                    };
                    ok(rows.add(row)).await;
                }
            })
        })
        .collect()
}

pub(super) async fn what_many_store_at_once_is_told_to_each_follower_once(database: impl Looked) {
    let desk = database.desk();
    let begin = ok(desk.newest()).await;
    assert!(desk.is_own(&begin, &begin) && Cursor::read(begin.as_str()) == Some(begin.clone()));
    let rows: Arc<dyn Rows> = database.open().into();
    let writers = store_much(&rows);
    // One that takes what it gets, and one that breaks off in the middle of each page and comes back.
    let mut cursors = [begin.clone(), begin.clone()];
    let mut seen = [Vec::new(), Vec::new()];
    let end = Instant::now() + WITHIN;
    let mut is_stored = false;
    while !is_stored || seen.iter().any(|seen| seen.len() < 200) {
        assert!(Instant::now() < end, "{seen:?}");
        is_stored = writers.iter().all(tokio::task::JoinHandle::is_finished);
        for (number, (cursor, seen)) in cursors.iter_mut().zip(&mut seen).enumerate() {
            let (changes, after) = ok(desk.changes(cursor.clone(), None, 7)).await;
            let kept = if number == 0 {
                changes.len()
            } else {
                changes.len().min(3)
            };
            *cursor = if kept == changes.len() {
                after
            } else {
                changes[kept - 1].1.clone()
            };
            seen.extend(changes.into_iter().take(kept).map(|(change, _)| match change {
                Change::Event(event) => ("event", event.id),
                Change::Clip(clip) => ("clip", clip.id),
            }));
        }
        tokio::task::yield_now().await;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    for kind in ["event", "clip"] {
        let [one, other] = [&seen[0], &seen[1]].map(|seen| seen.iter().filter(|row| row.0 == kind).collect::<Vec<_>>());
        assert!(one == other, "not in one order");
    }
    let mut once = seen[0].clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!((once.len(), seen[0].len()), (200, 200));
    let (nothing, _) = ok(desk.changes(cursors[0].clone(), None, 7)).await;
    assert_eq!(nothing, []);
}

pub(super) async fn nothing_that_is_asked_is_too_odd(database: impl Looked) {
    let rows = database.open();
    ok(rows.add(event("a", "2025-12-18T10:00:00", "door"))).await;
    let desk = database.desk();
    for odd in ["\0", "a\0b", "' OR 1=1 --", "\u{fffd}", "%", &"x".repeat(10_000)] {
        let filter = Filter {
            device: some(odd),
            sensor: some(odd),
            camera: None,
            visible: some(odd),
            ..Filter::default()
        };
        let after = Some(Place {
            moment: odd.to_string(),
            id: i64::MIN,
        });
        let slice = Slice {
            after,
            ascending: true,
            limit: 3,
        };
        assert_eq!(ok(desk.events(filter.clone(), slice.clone())).await, [], "{odd:?}");
        assert_eq!(ok(desk.clips(filter.clone(), slice.clone())).await, [], "{odd:?}");
        let visible = Filter {
            visible: some(odd),
            ..Filter::default()
        };
        ok(desk.clips(visible, slice)).await;
        assert_eq!(counted(ok(desk.hours(filter)).await), [], "{odd:?}");
        assert_eq!(ok(desk.device(odd.to_string())).await, None, "{odd:?}");
        assert_eq!(ok(desk.backlogs(vec![odd.to_string()], i64::MAX)).await, [vec![]]);
        assert_eq!(ok(desk.unseen(odd.to_string(), some(odd), 3)).await.count, 0);
        ok(desk.seen(odd.to_string(), i64::MAX)).await;
        ok(desk.seen(odd.to_string(), i64::MIN)).await;
        for foreign in [
            "0.0",
            "c1.e0",
            "99999999999999999999.1",
            "c99999999999999999999.e1",
            ".",
            "c9223372036854775807.m1",
        ] {
            let cursor = Cursor::read(foreign).unwrap();
            let (_, after) = ok(desk.changes(cursor, some(odd), 3)).await;
            let newest = ok(desk.newest()).await;
            assert!(desk.is_own(&after, &newest), "{foreign}");
        }
    }
}
