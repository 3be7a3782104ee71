use super::*;
use crate::testing::store_tests;

/// A history whose points come in pieces, some of them twice, some late.
fn curve(points: i64) -> Vec<Point> {
    (0..points).map(|step| Point::new(1_000 + step / 3, step, f64::from((step % 997) as i32) / 7.0)).collect()
}

fn metrics(points: &[Point]) -> Vec<LoggedMetric> {
    points.iter().map(|point| LoggedMetric { key: "m".to_owned(), point: *point, model: None }).collect()
}

async fn pages(store: &Store, points_max: usize) -> Vec<Point> {
    let (mut points, mut after) = (Vec::new(), None);
    loop {
        let query = HistoryQuery { run: "r1".to_owned(), key: "m".to_owned(), after, points_max };
        let page = store.history(&Scope::All, query).await.unwrap();
        assert!(page.points.len() <= points_max && (!page.more || page.points.len() == points_max));
        points.extend(&page.points);
        after = points.last().copied();
        if !page.more {
            return points;
        }
    }
}

async fn sample(store: &Store, steps: Option<(i64, i64)>, points_max: usize) -> Vec<Point> {
    let runs = vec!["r1".to_owned(), "none".to_owned()];
    let query = SampleQuery { runs, key: "m".to_owned(), steps, points_max };
    let mut sampled = store.sample(&Scope::All, query).await.unwrap();
    assert_eq!(sampled.pop(), Some(vec![]));
    sampled.remove(0)
}

async fn segments(store: &Store) -> i64 {
    let sql = "SELECT COUNT(*) FROM metric_segments";
    store.query(move |tx| tx.row(sql, &[], |row| row.int(0))).await.unwrap().unwrap()
}

store_tests! {
    async fn special_values_have_one_form(store) {
        start(&store, "r1", "delays", 5).await;
        let values = [f64::NAN, 0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
        for _ in 0..2 {
            log(&store, "r1", metrics(&values.map(|value| Point::new(1, 1, value)))).await;
        }
        let stored: Vec<_> = history(&store, "r1", "m").await.iter().map(|point| point.value).collect();
        assert_eq!((stored.len(), stored[0], stored[1], stored[3]), (4, f64::MIN, 0.0, f64::MAX));
        assert!(stored[2].is_nan());
    }

    async fn the_latest_point_is_the_greatest_one_by_one_and_at_once(store) {
        start(&store, "r1", "delays", 5).await;
        start(&store, "r2", "delays", 5).await;
        let points = [(2, 1, 0.6), (1, 9, 0.9), (2, 3, 0.7), (2, 3, 0.71), (2, 3, f64::NAN), (-5, 99, 9.0)];
        let all: Vec<_> = points.iter().map(|(step, at, value)| metric("auc", *step, *at, *value)).collect();
        log(&store, "r2", all.clone()).await;
        for one in all {
            store.log_metric(&Scope::All, "r1", one).await.unwrap();
        }
        for run in ["r1", "r2"] {
            let latest = store.latest_metrics(&run_id(run)).await.unwrap();
            assert_eq!(latest, [("auc".to_owned(), Point::new(3, 2, 0.71))]);
            assert_eq!(history(&store, run, "auc").await.len(), 6);
        }
    }

    async fn a_long_history_moves_into_segments_and_stays_the_same(store) {
        start(&store, "r1", "delays", 5).await;
        let points = curve(20_000);
        for batch in points.chunks(1_000) {
            log(&store, "r1", metrics(batch)).await;
        }
        assert_eq!(segments(&store).await, 3);
        // Again, late, in small pieces, and beyond the end.
        log(&store, "r1", metrics(&points[4_000..4_600])).await;
        let late: Vec<_> = (0..300).map(|step| Point::new(1_500 + step * 10, step, -1.0)).collect();
        for batch in late.chunks(10) {
            log(&store, "r1", metrics(batch)).await;
        }
        let more: Vec<_> = (0..2_500).map(|step| Point::new(9_000, 30_000 + step, 0.5)).collect();
        for batch in more.chunks(100) {
            log(&store, "r1", metrics(batch)).await;
        }
        let mut expected = [points, late, more].concat();
        expected.sort();
        let stored = history(&store, "r1", "m").await;
        assert!(stored == expected, "{} points, not {}", stored.len(), expected.len());
        for points_max in [777, 8_192, 22_800] {
            assert!(pages(&store, points_max).await == expected, "pages of {points_max}");
        }
        let latest = store.latest_metrics(&run_id("r1")).await.unwrap();
        assert_eq!(latest[0].1, *expected.iter().max_by(|a, b| a.cmp_by_step(b)).unwrap());
    }

    async fn points_logged_one_by_one_are_compacted(store) {
        start(&store, "r1", "delays", 5).await;
        let points = curve(1_100);
        for point in &points {
            let metric = LoggedMetric { key: "m".to_owned(), point: *point, model: None };
            store.log_metric(&Scope::All, "r1", metric).await.unwrap();
        }
        assert_eq!(segments(&store).await, 1);
        assert!(history(&store, "r1", "m").await == points);
    }

    async fn few_points_are_sampled_evenly_and_many_by_their_extremes(store) {
        start(&store, "r1", "delays", 5).await;
        let mut points = curve(60_000);
        points[12_345].value = 5_000.0;
        points[54_321].value = -5_000.0;
        for batch in points[..2_000].chunks(500) {
            log(&store, "r1", metrics(batch)).await;
        }
        let even: Vec<i64> = sample(&store, None, 5).await.iter().map(|point| point.step).collect();
        assert_eq!(even, [0, 400, 800, 1_200, 1_999]);
        assert!(sample(&store, Some((100, 199)), 100).await == points[100..200]);
        for batch in points[2_000..].chunks(1_000) {
            log(&store, "r1", metrics(batch)).await;
        }
        for points_max in [4, 50, 320, 2_500] {
            let sampled = sample(&store, None, points_max).await;
            assert!(sampled.len() <= points_max && sampled.is_sorted_by(|a, b| a.step < b.step));
            assert_eq!((sampled[0], *sampled.last().unwrap()), (points[0], points[59_999]));
            assert!(sampled.contains(&points[12_345]) && sampled.contains(&points[54_321]), "{points_max}");
        }
        assert_eq!(sample(&store, None, 1).await, [points[59_999]]);
        let window = sample(&store, Some((10_000, 50_000)), 100).await;
        assert_eq!((window[0].step, window.last().unwrap().step), (10_000, 50_000));
        assert!(window.contains(&points[12_345]) && window.len() <= 100 && window.len() > 80);
        assert_eq!(sample(&store, Some((70_000, 80_000)), 100).await, []);
    }
}

/// Metrics of one step, of which every 50th is logged at some steps only.
fn step(number: i64) -> Vec<LoggedMetric> {
    let is_logged = |key: &i64| key % 50 != 0 || number % (key / 50 + 2) == 0;
    let logged = |key: i64| metric(&format!("m{key}"), number, 1_000 + number, (number * key) as f64);
    (0..200).filter(is_logged).map(logged).collect()
}

store_tests! {
    async fn steps_of_many_metrics_are_folded_and_stay_the_same(store) {
        start(&store, "r1", "delays", 5).await;
        for number in 0..600 {
            log(&store, "r1", step(number)).await;
            if number % 100 == 0 {
                // Again, and late.
                log(&store, "r1", step(number)).await;
                log(&store, "r1", step(number / 2)).await;
            }
        }
        for key in [0, 1, 50, 100, 150, 199] {
            let name = format!("m{key}");
            let expected: Vec<Point> =
                (0..600).flat_map(step).filter(|metric| metric.key == name).map(|metric| metric.point).collect();
            assert!(history(&store, "r1", &name).await == expected, "{name}");
            let after = Some(expected[expected.len() / 3]);
            let query = HistoryQuery { run: "r1".to_owned(), key: name.clone(), after, points_max: 50 };
            let page = store.history(&Scope::All, query).await.unwrap();
            assert!(page.points == expected[expected.len() / 3 + 1..][..50] && page.more, "{name}");
            let query = SampleQuery { runs: vec!["r1".to_owned()], key: name, steps: None, points_max: 2_500 };
            assert!(store.sample(&Scope::All, query).await.unwrap()[0] == expected);
        }
        let sql = "SELECT COUNT(*) FROM metric_batches";
        let batches = store.query(move |tx| tx.row(sql, &[], |row| row.int(0))).await.unwrap().unwrap();
        assert!(batches < 256, "{batches} batches are left");
        assert!(segments(&store).await >= 190);
    }

    async fn a_batch_that_comes_late_while_others_are_folded_is_kept(store) {
        let number = |run: &str| format!("SELECT id FROM runs WHERE run_id = '{run}'");
        start(&store, "r1", "delays", 5).await;
        // The fold of so many metrics takes more than one operation.
        for number in 0..258 {
            log(&store, "r1", step(number)).await;
        }
        let late = super::super::wide::encode(&[(10, Point::new(1, -7, 0.5)), (20, Point::new(2, -7, f64::NAN))]);
        let insert = format!("INSERT INTO metric_batches (id, run, data) VALUES (-1, ({}), $1)", number("r1"));
        store.transact(move |tx| tx.execute(&insert, &[late[..].into()])).await.unwrap();
        for number in 258..300 {
            log(&store, "r1", step(number)).await;
        }
        assert!(segments(&store).await > 0, "nothing was folded");
        let mut late = 0;
        for key in 0..200 {
            late += history(&store, "r1", &format!("m{key}")).await.iter().filter(|point| point.step == -7).count();
        }
        assert_eq!(late, 2);
    }

    async fn metrics_logged_at_once_are_read_at_once(store) {
        start(&store, "r1", "delays", 5).await;
        let values = [0.5, f64::NAN, f64::INFINITY, -0.0];
        let batch = |step: i64| -> Vec<LoggedMetric> {
            (0..60).map(|key| metric(&format!("m{key}"), step, 9 - step, values[(key % 4) as usize])).collect()
        };
        for number in [3, 1, 3, 2] {
            log(&store, "r1", batch(number)).await;
        }
        let latest = store.latest_metrics(&run_id("r1")).await.unwrap();
        assert_eq!((latest.len(), latest[0].1), (60, Point::new(6, 3, 0.5)));
        for (key, value) in values.into_iter().enumerate() {
            let expected = [3, 2, 1].map(|step| Point::new(9 - step, step, value));
            assert_eq!(history(&store, "r1", &format!("m{key}")).await, expected);
            let query = HistoryQuery {
                run: "r1".to_owned(),
                key: format!("m{key}"),
                after: Some(expected[0]),
                points_max: 1,
            };
            let page = store.history(&Scope::All, query).await.unwrap();
            assert_eq!(page, HistoryPage { points: vec![expected[1]], more: true });
        }
        // A point that is a row as well is one point.
        store.log_metric(&Scope::All, "r1", metric("m0", 3, 6, 0.5)).await.unwrap();
        assert_eq!(history(&store, "r1", "m0").await.len(), 3);
        let run = store.run(&run_id("r1")).await.unwrap().unwrap().id;
        assert_eq!(store.query(move |tx| count_points(tx, run)).await.unwrap(), 180);
    }

    async fn writers_of_many_metrics_at_once_fold_together(store) {
        start(&store, "r1", "delays", 5).await;
        let writer = |number: i64| {
            let store = store.clone();
            async move {
                for step in 0..150 {
                    let metrics = (0..40).map(|key| metric(&format!("m{key}"), step, number, 1.0)).collect();
                    log(&store, "r1", metrics).await;
                }
            }
        };
        tokio::join!(writer(0), writer(1), writer(2), writer(3));
        for key in 0..40 {
            assert_eq!(history(&store, "r1", &format!("m{key}")).await.len(), 600, "{key}");
        }
    }
}
