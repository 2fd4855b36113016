//! Which index serves each list, as PostgreSQL itself says on tables that are full enough for it to matter.

mod on_postgres {
    use crate::store::postgres::narrowed::Narrowed;
    use crate::store::postgres::read_sql::{self as sql, List};
    use crate::store::postgres::{OwnDatabase, PostgresDesk};
    use crate::store::reading::Filter;

    /// Rows in which no list but by its index is quick: devices alternate, then sensors, then cameras; a row a minute.
    const FILL: &str = "
INSERT INTO evenement (device_id, source, date, capteur_nom, sensor, received_at, moment)
SELECT 'shop-' || n * 7919 % 100, 's', to_json(n), to_json(n), 'sensor ' || n / 100 % 5, now(),
       to_char(timestamp '2025-01-01' + n * interval '1 minute', 'YYYY-MM-DD\"T\"HH24:MI:SS')
FROM generate_series(1, 100000) AS n;
INSERT INTO media (device_id, source, sensor, camera, file, size_bytes, sha256, moment)
SELECT 'shop-' || n * 7919 % 100, 's', 'sensor ' || n / 100 % 5, (1 + n / 500 % 2)::text, n || '.mp4', 1, '',
       to_char(timestamp '2025-01-01' + n * interval '1 minute', 'YYYY-MM-DD\"T\"HH24:MI:SS')
FROM generate_series(1, 100000) AS n;
INSERT INTO device_row SELECT 'shop-' || n, 1 FROM generate_series(0, 999) AS n;
INSERT INTO device_backlog SELECT 'shop-' || n / 96, n % 96 * 900, 1 FROM generate_series(1, 96000) AS n;
INSERT INTO token (device_id, sha256) SELECT 'shop-' || n, sha256(n::text::bytea) FROM generate_series(1, 5000) AS n;
INSERT INTO session SELECT n, '', 'anna', 1 FROM generate_series(1, 5000) AS n;
ANALYZE";

    const DAY: [&str; 2] = ["2025-02-01", "2025-02-02"];
    const PAGE: [&str; 4] = ["2025-02-01", "0", "2025-01-01", "50"];
    const PAGE_UP: [&str; 4] = ["2025-01-01", "0", "2025-02-01", "50"];
    /// Without a day.
    const WHOLE: [&str; 4] = ["~", "0", "", "50"];
    const WHOLE_UP: [&str; 4] = ["", "0", "~", "50"];
    /// A pattern of some devices, and one of none.
    const VISIBLE: [[&str; 3]; 2] = [["shop-1%", "shop-1", "shop-2"], ["nobody-%", "nobody-", "nobody."]];

    struct Wanted {
        sql: String,
        values: Vec<&'static str>,
        index: String,
        may_sort: bool,
    }

    fn wanted(sql: String, values: &[&[&'static str]], index: &str) -> Wanted {
        Wanted {
            sql,
            values: values.concat(),
            index: index.to_string(),
            may_sort: false,
        }
    }

    fn table(list: List) -> &'static str {
        match list {
            List::Events => "evenement",
            List::Clips => "media",
        }
    }

    /// Every set of what a list can be narrowed to.
    fn every() -> impl Iterator<Item = (List, Narrowed)> {
        let sets = |bits: u8| Narrowed {
            device: bits & 1 > 0,
            sensor: bits & 2 > 0,
            camera: bits & 4 > 0,
            visible: false,
        };
        let events = (0..4).map(move |bits| (List::Events, sets(bits)));
        events.chain((0..8).map(move |bits| (List::Clips, sets(bits))))
    }

    /// Values that many rows have, and such that none has.
    const VALUES: [[&str; 3]; 2] = [["shop-1", "sensor 1", "2"], ["nowhere", "none", "9"]];

    fn pages() -> Vec<Wanted> {
        let all = every().flat_map(|(list, narrowed)| VALUES.map(|of| (list, narrowed, of)));
        all.flat_map(|(list, narrowed, of)| of_list(list, narrowed, of))
            .collect()
    }

    /// Everything that a list is asked for.
    fn of_list(list: List, narrowed: Narrowed, of: [&'static str; 3]) -> Vec<Wanted> {
        let by: Vec<_> = [
            (narrowed.device, "device", of[0]),
            (narrowed.sensor, "sensor", of[1]),
            (narrowed.camera, "camera", of[2]),
        ]
        .into_iter()
        .filter(|(is_given, ..)| *is_given)
        .collect();
        let values: Vec<_> = by.iter().map(|(.., value)| *value).collect();
        let index = |names: &[&'static str]| format!("{}_by_{}", table(list), names.join("_"));
        let names: Vec<_> = by.iter().map(|(_, name, _)| *name).collect();
        let own = index(if names.is_empty() { &["moment"] } else { &names });
        let of_each = index(&[&["device"], &names[..]].concat());
        let theirs = Narrowed {
            visible: true,
            ..narrowed
        };
        let mut pages = Vec::new();
        // The few rows of a page, and those of a day's hours.
        let mut sorted = Vec::new();
        for (ascending, page) in [(false, PAGE), (true, PAGE_UP), (false, WHOLE), (true, WHOLE_UP)] {
            pages.push(wanted(list.page(narrowed, ascending), &[&page, &values], &own));
            for visible in VISIBLE {
                let sql = list.page(theirs, ascending);
                pages.push(wanted(sql, &[&page, &values, &visible], &own));
                if !narrowed.device {
                    let sql = list.page_of_few(theirs, ascending);
                    sorted.push(wanted(sql, &[&page, &values, &visible], &of_each));
                }
            }
        }
        sorted.push(wanted(list.hours(narrowed), &[&DAY, &values], &own));
        for visible in VISIBLE {
            sorted.push(wanted(list.hours(theirs), &[&DAY, &values, &visible], &own));
            if !narrowed.device {
                let sql = list.hours_of_theirs(theirs);
                sorted.push(wanted(sql, &[&DAY, &values, &visible], &of_each));
            }
        }
        let sorted = sorted.into_iter().map(|wanted| Wanted {
            may_sort: true,
            ..wanted
        });
        pages.into_iter().chain(sorted).collect()
    }

    fn others() -> Vec<Wanted> {
        let place = ["1", "7"];
        let mut after = wanted(sql::after(false), &[&["1", "7", "0", "200"]], "evenement_by_xid");
        // The few rows of a page, of both tables.
        after.may_sort = true;
        let mut backlogs = wanted(
            sql::BACKLOGS.to_string(),
            &[&["{shop-1,shop-2}", "900"]],
            "device_backlog_pkey",
        );
        backlogs.may_sort = true;
        vec![
            after,
            backlogs,
            wanted(sql::clips_after(false), &[&place, &["50"]], "media_by_xid"),
            wanted(sql::count_after(false), &[&place, &["1000"]], "media_by_xid"),
            wanted(sql::NEWEST_CLIP.to_string(), &[&["20"]], "media_by_xid"),
            wanted(sql::PLACE_OF_CLIP.to_string(), &[&["7"]], "media_pkey"),
            wanted(sql::one_clip(), &[&["7"]], "media_pkey"),
        ]
    }

    #[tokio::test]
    #[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
    async fn every_list_is_read_along_its_index_without_sorting() {
        let database = OwnDatabase::default();
        database.ready();
        database.run(FILL);
        let (client, connection) = tokio_postgres::connect(&database.url(), tokio_postgres::NoTls)
            .await
            .unwrap();
        tokio::spawn(connection);
        for wanted in pages().into_iter().chain(others()) {
            for mode in ["force_generic_plan", "force_custom_plan"] {
                let Wanted {
                    sql,
                    values,
                    index,
                    may_sort,
                } = &wanted;
                client
                    .batch_execute(&format!("SET plan_cache_mode = {mode}; PREPARE asked AS {sql}"))
                    .await
                    .unwrap();
                let values: Vec<String> = values.iter().map(|value| format!("'{value}'")).collect();
                let explain = format!("EXPLAIN EXECUTE asked ({})", values.join(", "));
                let rows = client.query(&explain, &[]).await.unwrap();
                let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
                let plan = plan.join("\n");
                client.batch_execute("DEALLOCATE asked").await.unwrap();
                assert!(
                    plan.split_whitespace().any(|word| word == index) && plan.contains("Index Cond"),
                    "{mode} {index}\n{sql}\n{plan}"
                );
                for scan in [
                    "Seq Scan on evenement",
                    "Seq Scan on media",
                    "Seq Scan on device_backlog",
                ] {
                    assert!(!plan.contains(scan), "{mode}\n{sql}\n{plan}");
                }
                assert!(*may_sort || !plan.contains("Sort"), "{mode}\n{sql}\n{plan}");
            }
        }
    }

    #[tokio::test]
    #[ignore = "needs PostgreSQL: scripts/test-fleet.sh"]
    async fn only_rows_of_the_few_are_asked_for_whatever_else_is() {
        let database = OwnDatabase::default();
        let desk = PostgresDesk::beside(&database.ready()).unwrap();
        database.run("INSERT INTO device_row VALUES ('shop-1', 1), ('shop-2', 1), ('home', 1)");
        let some = |text: &str| Some(text.to_string());
        for (sensor, camera) in [(None, None), (some("door"), None), (None, some("1"))] {
            let mut filter = Filter {
                sensor,
                camera,
                visible: some("shop-*"),
                ..Filter::default()
            };
            assert!(desk.is_few(&filter, 50_000).await.unwrap(), "{filter:?}");
            assert!(!desk.is_few(&filter, 50_001).await.unwrap(), "{filter:?}");
            filter.device = some("shop-1");
            assert!(!desk.is_few(&filter, 1).await.unwrap(), "{filter:?}");
        }
    }
}
