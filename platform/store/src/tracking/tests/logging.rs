use super::*;
use crate::testing::store_tests;

store_tests! {
    async fn a_param_keeps_its_first_value(store) {
        start(&store, "r1", "delays", 5).await;
        let log = async |params: &[(&str, &str)]| {
            let params = params.iter().map(|(key, value)| pair(key, value)).collect();
            store.log_params(&Scope::All, "r1", params, refuse).await
        };
        let long = "é".repeat(6_000);
        log(&[("lr", "0.1"), ("epochs", "3"), ("long", &long), ("none", "")]).await.unwrap();
        log(&[("lr", "0.1"), ("long", &long)]).await.unwrap();
        let changed = log(&[("seed", "1"), ("lr", "0.2"), ("long", &long[2..])]).await.unwrap_err().to_string();
        assert!(changed.contains("lr is 0.1 and not 0.2") && changed.contains("long is é"), "{changed}");
        let params = store.params(&run_id("r1")).await.unwrap();
        assert_eq!(params, [pair("epochs", "3"), pair("long", &long), pair("lr", "0.1"), pair("none", "")]);
    }

    async fn a_tag_keeps_its_last_value(store) {
        start(&store, "r1", "delays", 5).await;
        let set = async |tags: Vec<(String, String)>| store.set_tags(&Scope::All, "r1", tags).await;
        set(vec![pair("a", "1"), pair("a", "2"), pair("b", "")]).await.unwrap();
        set(vec![pair("b", &"x".repeat(8_000))]).await.unwrap();
        set(vec![pair("b", "3")]).await.unwrap();
        assert_eq!(tags(&store, "r1").await, [pair("a", "2"), pair("b", "3"), pair("mlflow.runName", "delay")]);
        let refused = set(vec![pair("c", "nul \0")]).await;
        assert!(matches!(refused, Err(StoreError::Invalid(_))), "{refused:?}");
        store.amend_tag(&Scope::All, "r1", "a", |old| Ok(format!("{} more", old.unwrap_or("none")))).await.unwrap();
        store.amend_tag(&Scope::All, "r1", "new", |old| Ok(format!("{} more", old.unwrap_or("none")))).await.unwrap();
        store.delete_tag(&Scope::All, "r1", "b").await.unwrap();
        let gone = store.delete_tag(&Scope::All, "r1", "b").await.unwrap_err();
        assert_eq!(gone.to_string(), "No tag with name: b in run with id r1");
        let expected = [pair("a", "2 more"), pair("mlflow.runName", "delay"), pair("new", "none more")];
        assert_eq!(tags(&store, "r1").await, expected);
    }

    async fn a_batch_is_all_or_nothing(store) {
        start(&store, "r1", "delays", 5).await;
        let batch = |value: &str| Batch {
            metrics: vec![metric("loss", 1, 1, 0.5), metric("lr", 1, 1, 0.1)],
            params: vec![pair("lr", value), pair("seed", "1")],
            tags: vec![pair("lr", "t"), pair("mlflow.runName", "named")],
        };
        store.log_params(&Scope::All, "r1", vec![pair("lr", "0.1")], refuse).await.unwrap();
        let refused = store.log_batch(&Scope::All, "r1", batch("0.2"), refuse).await;
        assert!(matches!(&refused, Err(StoreError::Conflict(why)) if why == "lr is 0.1 and not 0.2"), "{refused:?}");
        let data = store.run_data(&Scope::All, "r1").await.unwrap();
        assert_eq!((data.metrics.len(), data.params.len(), data.tags.len()), (0, 1, 1));
        for _ in 0..2 {
            store.log_batch(&Scope::All, "r1", batch("0.1"), refuse).await.unwrap();
        }
        let data = store.run_data(&Scope::All, "r1").await.unwrap();
        assert_eq!((data.metrics.len(), data.params.len(), data.run.name.as_str()), (2, 2, "named"));
        assert_eq!(tags(&store, "r1").await, [pair("lr", "t"), pair("mlflow.runName", "named")]);
        assert_eq!(history(&store, "r1", "loss").await, [Point::new(1, 1, 0.5)]);
    }

    async fn names_of_a_batch_that_failed_are_given_again(store) {
        start(&store, "r1", "delays", 5).await;
        store.log_params(&Scope::All, "r1", vec![pair("p", "1")], refuse).await.unwrap();
        for name in ["fresh", "fresher"] {
            let batch = Batch { metrics: vec![metric(name, 0, 0, 1.0)], params: vec![pair("p", "2")], tags: vec![] };
            store.log_batch(&Scope::All, "r1", batch, refuse).await.unwrap_err();
        }
        for name in ["fresher", "fresh"] {
            store.log_metric(&Scope::All, "r1", metric(name, 0, 0, 1.0)).await.unwrap();
            store.set_tags(&Scope::All, "r1", vec![pair(name, name)]).await.unwrap();
        }
        let latest = store.latest_metrics(&run_id("r1")).await.unwrap();
        assert_eq!(latest.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["fresh", "fresher"]);
        assert_eq!(tags(&store, "r1").await[..2], [pair("fresh", "fresh"), pair("fresher", "fresher")]);
    }

    async fn many_writers_of_one_run_lose_nothing(store) {
        start(&store, "r1", "delays", 5).await;
        let writer = |number: i64| {
            let store = store.clone();
            async move {
                for step in 0..40 {
                    let key = format!("m{}", (number + step) % 7);
                    store.log_metric(&Scope::All, "r1", metric(&key, step, number, 1.0)).await.unwrap();
                    let metrics = (0..7).map(|key| metric(&format!("m{key}"), step, 100 + number, 2.0)).collect();
                    log(&store, "r1", metrics).await;
                }
            }
        };
        #[expect(clippy::disallowed_methods, reason = "the test waits for them all")]
        let tasks: Vec<_> = (0..8).map(|number| tokio::spawn(writer(number))).collect();
        for task in tasks {
            task.await.unwrap();
        }
        let mut points = 0;
        for key in 0..7 {
            points += history(&store, "r1", &format!("m{key}")).await.len();
        }
        assert_eq!(points, 8 * 40 * 8);
    }
}
