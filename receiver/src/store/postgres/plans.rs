//! Which index serves each list, as PostgreSQL itself says on tables that are full enough for it to matter.

mod on_postgres {
    use crate::store::postgres::OwnDatabase;
    use crate::store::postgres::read_sql::{self as sql, List, Narrowed};

    /// Rows in which no list but by its index is quick: devices, sensors and cameras alternate, a row a minute.
    const FILL: &str = "
INSERT INTO evenement (device_id, source, date, capteur_nom, sensor, received_at, moment)
SELECT 'shop-' || n * 7919 % 100, 's', to_json(n), to_json(n), 'sensor ' || n % 5, now(),
       to_char(timestamp '2025-01-01' + n * interval '1 minute', 'YYYY-MM-DD\"T\"HH24:MI:SS')
FROM generate_series(1, 100000) AS n;
INSERT INTO media (device_id, source, sensor, camera, file, size_bytes, sha256, moment)
SELECT 'shop-' || n * 7919 % 100, 's', 'sensor ' || n % 5, (1 + n % 2)::text, n || '.mp4', 1, '',
       to_char(timestamp '2025-01-01' + n * interval '1 minute', 'YYYY-MM-DD\"T\"HH24:MI:SS')
FROM generate_series(1, 100000) AS n;
INSERT INTO device_row SELECT 'shop-' || n, 1 FROM generate_series(0, 999) AS n;
INSERT INTO device_backlog SELECT 'shop-' || n / 96, n % 96 * 900, 1 FROM generate_series(1, 96000) AS n;
INSERT INTO token (device_id, sha256) SELECT 'shop-' || n, sha256(n::text::bytea) FROM generate_series(1, 5000) AS n;
INSERT INTO session SELECT n, '', 'anna', 1 FROM generate_series(1, 5000) AS n;
ANALYZE";

    const DAY: [&str; 2] = ["2025-02-01", "2025-02-02"];
    const PAGE: [&str; 4] = ["2025-02-01", "0", "2025-01-01", "50"];
    const VISIBLE: [&str; 3] = ["shop-1%", "shop-1", "shop-2"];

    struct Wanted {
        sql: String,
        values: Vec<&'static str>,
        /// The index, and what is looked up in it.
        index: &'static str,
        may_sort: bool,
    }

    fn wanted(sql: String, values: &[&[&'static str]], index: &'static str) -> Wanted {
        let values = values.concat();
        Wanted {
            sql,
            values,
            index,
            may_sort: false,
        }
    }

    fn pages() -> Vec<Wanted> {
        let mut all = Vec::new();
        let none = Narrowed::default();
        for (list, [moment, device, sensor]) in [
            (
                List::Events,
                ["evenement_by_moment", "evenement_by_device", "evenement_by_sensor"],
            ),
            (List::Clips, ["media_by_moment", "media_by_device", "media_by_sensor"]),
        ] {
            let by_device = Narrowed { device: true, ..none };
            let by_sensor = Narrowed { sensor: true, ..none };
            let visible = Narrowed { visible: true, ..none };
            for ascending in [false, true] {
                let page = if ascending {
                    ["2025-01-01", "0", "2025-02-01", "50"]
                } else {
                    PAGE
                };
                all.push(wanted(list.page(none, ascending), &[&page], moment));
                all.push(wanted(list.page(by_device, ascending), &[&page, &["shop-1"]], device));
                all.push(wanted(list.page(by_sensor, ascending), &[&page, &["sensor 1"]], sensor));
                let both = Narrowed {
                    device: true,
                    sensor: true,
                    ..none
                };
                all.push(wanted(
                    list.page(both, ascending),
                    &[&page, &["shop-1", "sensor 1"]],
                    device,
                ));
                let few = wanted(list.page_of_few(visible, ascending), &[&page, &VISIBLE], device);
                all.push(Wanted { may_sort: true, ..few });
            }
            all.extend(hours(list, moment, device));
        }
        let camera = Narrowed {
            device: true,
            camera: true,
            ..none
        };
        all.push(wanted(
            List::Clips.page(camera, false),
            &[&PAGE, &["shop-1", "2"]],
            "media_by_device",
        ));
        all
    }

    fn hours(list: List, moment: &'static str, device: &'static str) -> Vec<Wanted> {
        let none = Narrowed::default();
        let (by_device, visible) = (Narrowed { device: true, ..none }, Narrowed { visible: true, ..none });
        let mut hours = vec![
            wanted(list.hours(none), &[&DAY], moment),
            wanted(list.hours(by_device), &[&DAY, &["shop-1"]], device),
            wanted(list.hours_of_theirs(visible), &[&DAY, &VISIBLE], device),
        ];
        hours.iter_mut().for_each(|hours| hours.may_sort = true);
        hours
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
                    plan.contains(index) && plan.contains("Index Cond"),
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
}
