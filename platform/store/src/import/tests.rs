use tiegel_types::transfer::{
    Counts, Dataset, Direction, Experiment, LoggedModel, ModelLink, ModelMetric, Points, Record, RegisteredModel, Run,
    Series, Version,
};
use tiegel_types::{Name, RunStatus};

use super::ToCount;
use crate::testing::store_tests;
use crate::{ArtifactLocation, Change, HistoryQuery, NewExperiment, NewVersion, Scope, Stage, Store, StoreError};

const RUN: &str = "0123456789abcdef0123456789abcdef";
const LONG: i64 = 5_000;

fn project() -> Name {
    Name::new("default").unwrap()
}

fn change() -> Change {
    Change { actor: "admin".to_owned(), at_ms: 1_000, project: project() }
}

fn pair(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

fn experiment(id: i64, name: &str) -> Experiment {
    Experiment {
        id,
        name: name.to_owned(),
        artifact_location: format!("mlflow-artifacts:/{id}"),
        deleted: false,
        created_ms: 10,
        updated_ms: 20,
        tags: vec![pair("team", "red")],
    }
}

fn run(experiment_id: i64) -> Run {
    Run {
        run_id: RUN.to_owned(),
        experiment_id,
        name: "first".to_owned(),
        user_id: "ann".to_owned(),
        status: RunStatus::Failed,
        start_ms: 30,
        end_ms: Some(40),
        deleted: true,
        deleted_ms: Some(50),
        artifact_uri: format!("mlflow-artifacts:/{experiment_id}/{RUN}/artifacts"),
        params: vec![pair("p", &"x".repeat(6_000)), pair("q", "")],
        tags: vec![pair("mlflow.runName", "first"), pair("t", "ü")],
        datasets: vec![Dataset {
            name: "set".to_owned(),
            digest: "ff".to_owned(),
            source_type: "local".to_owned(),
            source: "{}".to_owned(),
            schema: None,
            profile: None,
            tags: vec![pair("mlflow.data.context", "train")],
        }],
        models: vec![ModelLink { model_id: "m-1".to_owned(), direction: Direction::Output, step: 3 }],
    }
}

fn series(key: &str, values: impl Iterator<Item = (i64, i64, f64)>) -> Record {
    let mut points = Points::default();
    values.for_each(|(time, step, value)| points.push(time, step, value));
    Record::Series(Series { run_id: RUN.to_owned(), key: key.to_owned(), points })
}

fn models(experiment_id: i64) -> [Record; 2] {
    let logged = LoggedModel {
        model_id: "m-1".to_owned(),
        experiment_id,
        name: "model".to_owned(),
        artifact_location: "mlflow-artifacts:/7/models/m-1/artifacts".to_owned(),
        model_type: String::new(),
        source_run_id: RUN.to_owned(),
        status: "READY".to_owned(),
        status_message: None,
        deleted: false,
        created_ms: 60,
        updated_ms: 70,
        params: vec![pair("C", "1")],
        tags: vec![],
        metrics: vec![ModelMetric {
            run_id: RUN.to_owned(),
            key: "loss".to_owned(),
            timestamp_ms: 100,
            step: 0,
            value: Some(1.0),
            dataset_name: Some("set".to_owned()),
            dataset_digest: Some("ff".to_owned()),
        }],
    };
    let version = Version {
        version: 2,
        description: Some("second".to_owned()),
        user_id: None,
        stage: "Production".to_owned(),
        source: "models:/m-1".to_owned(),
        storage_location: "mlflow-artifacts:/7/models/m-1/artifacts".to_owned(),
        run_id: RUN.to_owned(),
        run_link: String::new(),
        logged_model_id: Some("m-1".to_owned()),
        created_ms: 80,
        updated_ms: 90,
        tags: vec![pair("k", "v")],
    };
    let registered = RegisteredModel {
        name: "a model".to_owned(),
        description: "words".to_owned(),
        created_ms: 75,
        updated_ms: 95,
        tags: vec![pair("task", "binary")],
        aliases: vec![("champion".to_owned(), 2)],
        versions: vec![version],
        last_version: 5,
    };
    [Record::LoggedModel(Box::new(logged)), Record::RegisteredModel(Box::new(registered))]
}

fn all(experiment_id: i64) -> Vec<Record> {
    let mut records = vec![
        Record::Run(Box::new(run(experiment_id))),
        series("loss", (0..LONG).map(|step| (100 + step / 3, step, 1.0 / (step + 1) as f64))),
        series("odd", [(5, -4, f64::NAN), (5, -3, f64::MAX), (5, 2, 5e-324)].into_iter()),
    ];
    records.extend(models(experiment_id));
    records
}

async fn import(store: &Store, records: Vec<Record>) -> Result<std::collections::BTreeMap<i64, i64>, StoreError> {
    Ok(store.import(&project(), records, change()).await?.experiments)
}

fn everything(experiment_id: i64) -> ToCount {
    ToCount {
        experiments: vec![experiment_id],
        runs: vec![RUN.to_owned(), "none".to_owned()],
        logged_models: vec!["m-1".to_owned()],
        registered_models: vec!["a model".to_owned()],
        ..ToCount::default()
    }
}

fn expected(records: &[Record]) -> Counts {
    let mut counts = Counts { experiments: 1, experiment_tags: 1, ..Counts::default() };
    records.iter().for_each(|record| counts += Counts::of(record));
    counts
}

store_tests! {
    async fn what_is_imported_is_there_as_it_was_and_twice_is_once(store) {
        for _ in 0..2 {
            let numbers = import(&store, vec![Record::Experiment(experiment(7, "seventh"))]).await.unwrap();
            assert_eq!(numbers[&7], 7);
            import(&store, all(7)).await.unwrap();
            assert_eq!(store.import_counts(&project(), everything(7)).await.unwrap(), expected(&all(7)));
        }
        let row = store.run(&RUN.parse().unwrap()).await.unwrap().unwrap();
        assert_eq!((row.name.as_str(), row.user_id.as_str(), row.status), ("first", "ann", RunStatus::Failed));
        assert_eq!((row.start_ms, row.end_ms, row.lifecycle.as_str()), (30, Some(40), "deleted"));
        let query = |key: &str| HistoryQuery { run: RUN.to_owned(), key: key.to_owned(), after: None, points_max: 9_999 };
        assert_eq!(store.history(&Scope::All, query("loss")).await.unwrap().points.len(), LONG as usize);
        let odd: Vec<_> = store.history(&Scope::All, query("odd")).await.unwrap().points;
        let odd: Vec<_> = odd.iter().map(|point| (point.step, point.value.to_string())).collect();
        assert_eq!(odd[0], (-4, "NaN".to_owned()));
        let found = store.experiment(&Scope::All, 7).await.unwrap().0;
        assert_eq!((found.created_ms, found.updated_ms), (10, 20));
    }

    async fn an_experiment_whose_number_is_taken_gets_the_next(store) {
        let new = |name: &str| NewExperiment {
            project: project(),
            name: name.to_owned(),
            artifact_location: ArtifactLocation::Below("mlflow-artifacts:/".to_owned()),
            tags: vec![],
            created_ms: 1,
        };
        assert_eq!(store.create_experiment(new("own")).await.unwrap(), 1);
        let records = [(0, "Default"), (1, "theirs"), (9, "ninth")].map(|(id, name)| experiment(id, name));
        let numbers = import(&store, records.map(Record::Experiment).to_vec()).await.unwrap();
        assert_eq!(numbers, [(0, 0), (1, 2), (9, 9)].into());
        let place = store.experiment(&Scope::All, 2).await.unwrap().0.artifact_location;
        assert_eq!(place, "mlflow-artifacts:/2", "the folder of 1 is another experiment's");
        assert_eq!(store.create_experiment(new("later")).await.unwrap(), 10);
        let again = import(&store, vec![Record::Experiment(experiment(1, "theirs"))]).await.unwrap();
        assert_eq!(again[&1], 2, "the name says which it is");
    }

    async fn numbers_of_versions_stay_and_deleted_ones_are_not_given_again(store) {
        import(&store, vec![Record::Experiment(experiment(7, "seventh"))]).await.unwrap();
        import(&store, all(7)).await.unwrap();
        let version = store.model_version(&project(), "a model", 2).await.unwrap().unwrap();
        assert_eq!((version.stage, version.created_ms, version.updated_ms), (Stage::Production, 80, 90));
        assert_eq!(version.aliases, ["champion"]);
        let new = NewVersion {
            model: "a model".to_owned(),
            source: "models:/m-1".to_owned(),
            storage_location: String::new(),
            run_id: String::new(),
            run_link: String::new(),
            logged_model_id: None,
            description: None,
            user: None,
            signature: None,
            tags: vec![],
        };
        assert_eq!(store.create_version(new, change()).await.unwrap().version, 6);
        assert_eq!(store.audit(9, None).await.unwrap().iter().filter(|row| row.action == "model.import").count(), 1);
    }

    async fn what_another_project_has_is_refused(store) {
        import(&store, vec![Record::Experiment(experiment(7, "seventh"))]).await.unwrap();
        import(&store, all(7)).await.unwrap();
        let other = Name::new("other").unwrap();
        // Names of models are a project's; all else has a number or an id that is the server's.
        for record in all(7).into_iter().filter(|record| !matches!(record, Record::RegisteredModel(_))) {
            let refused = store.import(&other, vec![record.clone()], change()).await;
            assert!(refused.is_err(), "{record:?}");
        }
        let counts = store.import_counts(&other, everything(7)).await.unwrap();
        assert_eq!(counts, Counts::default());
        let mut moved = run(7);
        moved.experiment_id = 0;
        let error = import(&store, vec![Record::Run(Box::new(moved))]).await.unwrap_err();
        assert!(error.to_string().contains("in another experiment"), "{error}");
        let mut changed = run(7);
        changed.params[1].1 = "other".to_owned();
        let error = import(&store, vec![Record::Run(Box::new(changed))]).await.unwrap_err();
        assert!(error.to_string().contains("param 'q'"), "{error}");
    }
}
