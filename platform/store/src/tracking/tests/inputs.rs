use super::*;
use crate::testing::store_tests;

fn dataset(name: &str, profile: &str, context: &str) -> DatasetInput {
    DatasetInput {
        name: name.to_owned(),
        digest: "abc".to_owned(),
        source_type: "s3".to_owned(),
        source: "{}".to_owned(),
        schema: None,
        profile: Some(profile.to_owned()),
        tags: vec![pair("mlflow.data.context", context), pair("version", "3")],
    }
}

fn model(model_id: &str, step: i64) -> ModelLink {
    ModelLink { model_id: model_id.to_owned(), step }
}

store_tests! {
    async fn a_dataset_is_one_in_its_experiment_and_once_in_a_run(store) {
        let experiment = start(&store, "r1", "delays", 5).await.experiment_id;
        start(&store, "r2", "delays", 5).await;
        start(&store, "r3", "others", 5).await;
        let twice = vec![dataset("a", "1", "training"), dataset("b", "1", "test"), dataset("a", "2", "test")];
        for datasets in [twice, vec![dataset("a", "3", "test")]] {
            store.log_inputs(&Scope::All, "r1", datasets, vec![]).await.unwrap();
        }
        let first = store.run_data(&Scope::All, "r1").await.unwrap().datasets;
        assert_eq!(first, [dataset("a", "1", "training"), dataset("b", "1", "test")]);
        for run in ["r2", "r3"] {
            store.log_inputs(&Scope::All, run, vec![dataset("a", "4", "validation")], vec![]).await.unwrap();
        }
        assert_eq!(store.run_data(&Scope::All, "r2").await.unwrap().datasets, [dataset("a", "1", "validation")]);
        assert_eq!(store.run_data(&Scope::All, "r3").await.unwrap().datasets, [dataset("a", "4", "validation")]);
        let found = store.dataset_summaries(&Scope::All, vec![experiment, 77, 78]).await.unwrap();
        let found: Vec<_> = found.iter().map(|s| (s.name.as_str(), s.context.as_deref().unwrap_or(""))).collect();
        assert_eq!(found, [("a", "training"), ("a", "validation"), ("b", "test")]);
        let elsewhere = Scope::Project("default".parse().unwrap());
        assert_eq!(store.dataset_summaries(&elsewhere, vec![experiment]).await.unwrap(), []);
    }

    async fn models_go_in_and_come_out(store) {
        start(&store, "r1", "delays", 5).await;
        for step in [3, 4] {
            store.log_inputs(&Scope::All, "r1", vec![], vec![model("m-1", 0)]).await.unwrap();
            store.log_outputs(&Scope::All, "r1", vec![model("m-2", step), model("m-3", 1)]).await.unwrap();
        }
        let data = store.run_data(&Scope::All, "r1").await.unwrap();
        assert_eq!(data.model_inputs, [model("m-1", 0)]);
        assert_eq!(data.model_outputs, [model("m-2", 4), model("m-3", 1)]);
    }
}
