//! On Postgres a key that was read before makes operations go another way, which must not show.

use super::*;
use crate::testing::store_tests;

async fn param(store: &Store, scope: &Scope, run: &str, value: &str) -> Result<(), StoreError> {
    store.log_params(scope, run, vec![pair("depth", value)], refuse).await
}

async fn tag(store: &Store, scope: &Scope, run: &str, value: &str) -> Result<(), StoreError> {
    store.set_tags(scope, run, vec![pair("phase", value)]).await
}

async fn auc(store: &Store, scope: &Scope, run: &str, step: i64) -> Result<(), StoreError> {
    store.log_metric(scope, run, metric("auc", step, 10 - step, 0.5)).await
}

/// After this all keys are known to the process.
async fn warm_up(store: &Store) {
    for name in ["w1", "w2", "w3"] {
        start(store, name, "delays", 1).await;
        let tagged = NewRun { tags: vec![pair("phase", "a")], ..new_run(name, 1, 1) };
        let experiment_id = store.run(&run_id(name)).await.unwrap().unwrap().experiment_id;
        store.create_run(&Scope::All, NewRun { experiment_id, ..tagged }).await.unwrap();
        param(store, &Scope::All, name, "1").await.unwrap();
        tag(store, &Scope::All, name, "a").await.unwrap();
        auc(store, &Scope::All, name, 1).await.unwrap();
    }
}

store_tests! {
    async fn values_logged_again_and_again_are_the_last_and_the_first(store) {
        warm_up(&store).await;
        start(&store, "r1", "delays", 5).await;
        let long = "é".repeat(300);
        for step in [1, 3, 2, 3] {
            auc(&store, &Scope::All, "r1", step).await.unwrap();
            tag(&store, &Scope::All, "r1", &format!("{long}{step}")).await.unwrap();
            param(&store, &Scope::All, "r1", &long).await.unwrap();
        }
        let refused = param(&store, &Scope::All, "r1", "other").await;
        let expected = StoreError::Conflict(format!("depth is {long} and not other"));
        assert_eq!(refused.unwrap_err().to_string(), expected.to_string());
        let data = store.run_data(&Scope::All, "r1").await.unwrap();
        assert_eq!(data.metrics[0].point, Point::new(7, 3, 0.5));
        assert_eq!(data.params, [("depth".into(), long.clone())]);
        assert!(tags(&store, "r1").await.contains(&pair("phase", &format!("{long}3"))));
        let steps: Vec<i64> = history(&store, "r1", "auc").await.iter().map(|point| point.step).collect();
        assert_eq!(steps, [3, 2, 1]);
    }

    async fn runs_that_take_no_writes_are_told_apart(store) {
        warm_up(&store).await;
        store.delete_run(&Scope::All, "w1", 9).await.unwrap();
        let own = Scope::Project(project());
        let other = Scope::Project("default".parse().unwrap());
        for (scope, run, says) in [
            (&own, "none", "Run with id=none not found"),
            (&other, "w2", "Run with id=w2 not found"),
            (&own, "w1", "The run w1 must be in the 'active' state. Current state is deleted."),
        ] {
            let refusals = [
                auc(&store, scope, run, 9).await,
                tag(&store, scope, run, "b").await,
                param(&store, scope, run, "2").await,
            ];
            for refused in refusals {
                assert_eq!(refused.unwrap_err().to_string(), says);
            }
        }
        let refused = tag(&store, &own, "w2", "a\0b").await;
        assert!(matches!(refused, Err(StoreError::Invalid(_))), "{refused:?}");
        tag(&store, &own, "w2", "b").await.unwrap();
        assert!(tags(&store, "w2").await.contains(&pair("phase", "b")));
    }

    async fn a_run_made_with_known_tags_has_them_and_its_name(store) {
        warm_up(&store).await;
        let experiment_id = store.ensure_experiment(&project(), "delays", 1).await.unwrap().id;
        let name = "é".repeat(300);
        let all = vec![pair("phase", "a"), pair("mlflow.runName", "not this"), pair("phase", &name)];
        let new = NewRun { name: name.clone(), tags: all, ..new_run("r1", experiment_id, 5) };
        let made = store.create_run(&Scope::Project(project()), new.clone()).await.unwrap();
        assert_eq!((&made.name, made.start_ms, made.project.as_str()), (&name, 5, "flights"));
        let expected = [pair("mlflow.runName", &name), pair("phase", &name)];
        assert_eq!(tags(&store, "r1").await, expected);
        // It goes on under the name that it has.
        let again = NewRun { name: "other".to_owned(), tags: vec![pair("phase", "b")], ..new };
        assert_eq!(store.create_run(&Scope::All, again).await.unwrap(), made);
        assert_eq!(tags(&store, "r1").await, [expected[0].clone(), pair("phase", "b")]);
        let elsewhere = store.ensure_experiment(&project(), "elsewhere", 1).await.unwrap().id;
        let moved = store.create_run(&Scope::All, new_run("r1", elsewhere, 5)).await;
        assert_eq!(moved.unwrap_err().to_string(), "run r1 belongs to another experiment");
        let hidden = store.create_run(&Scope::Project("default".parse().unwrap()), new_run("r2", elsewhere, 5)).await;
        assert!(matches!(hidden, Err(StoreError::NotFound(_))), "{hidden:?}");
    }
}
