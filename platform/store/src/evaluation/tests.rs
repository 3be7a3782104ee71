use tiegel_search::{Entity, Filter, Order};

use super::*;
use crate::testing::store_tests;
use crate::{Scope, Store, StoreError};

async fn experiment(store: &Store, name: &str) -> i64 {
    let project = "flights".parse().unwrap();
    store.ensure_project(&project, 1).await.unwrap();
    store.ensure_experiment(&project, name, 1).await.unwrap().id
}

fn dataset(id: &str, created_ms: i64) -> EvaluationDatasetRow {
    EvaluationDatasetRow {
        dataset_id: id.to_owned(),
        project: "flights".parse().unwrap(),
        name: "questions".to_owned(),
        schema: None,
        profile: None,
        digest: "d".to_owned(),
        created_ms,
        updated_ms: created_ms,
        created_by: Some("ann".to_owned()),
        updated_by: None,
        tags: vec![("a".to_owned(), "1".to_owned())],
    }
}

/// A record that is added, or whose outputs change.
fn record(hash: &str, outputs: &str) -> NewRecord {
    let (input_hash, outputs) = (hash.to_owned(), Some(outputs.to_owned()));
    let merge = Box::new({
        let input_hash = input_hash.clone();
        move |old: Option<RecordRow>| match old {
            Some(old) => RecordRow { outputs, updated_ms: 9, ..old },
            None => RecordRow {
                record_id: format!("dr-{input_hash}"),
                inputs: "{}".to_owned(),
                created_ms: 5,
                updated_ms: 5,
                input_hash,
                outputs,
                ..RecordRow::default()
            },
        }
    });
    NewRecord { input_hash, merge }
}

async fn put(store: &Store, id: &str, records: Vec<NewRecord>) -> Result<(u64, u64), StoreError> {
    let after = |name: &str, schema: Option<&str>| RecordsAfter {
        schema: Some(format!("{name}{}", schema.unwrap_or_default())),
        digest: "e".to_owned(),
        updated_by: None,
        updated_ms: 9,
    };
    store.put_evaluation_records(&Scope::All, id, records, after).await
}

fn page(id: &str, after: Option<(i64, &str)>) -> RecordPage {
    let after = after.map(|(ms, id)| (ms, id.to_owned()));
    RecordPage { dataset_id: id.to_owned(), after, records_max: 2 }
}

/// Two to a page.
async fn found(store: &Store, experiment_ids: Vec<String>, filter: &str) -> Vec<String> {
    let (mut ids, mut page_token) = (Vec::new(), None);
    loop {
        let asked = EvaluationDatasetSearch {
            project: "flights".parse().unwrap(),
            experiment_ids: experiment_ids.clone(),
            filter: Filter::parse(Entity::EvaluationDataset, filter).unwrap(),
            order: Order::default_of(Entity::EvaluationDataset),
            datasets_max: 2,
            page_token,
        };
        let page = store.search_evaluation_datasets(asked).await.unwrap();
        ids.extend(page.rows.into_iter().map(|row| row.dataset_id));
        page_token = page.next;
        if page_token.is_none() {
            return ids;
        }
    }
}

fn scorer(experiment_id: i64, id: &str, name: &str) -> NewScorerVersion {
    NewScorerVersion {
        scorer_id: id.to_owned(),
        experiment_id,
        name: name.to_owned(),
        serialized: format!("{{\"by\": \"{id}\"}}"),
        now_ms: 3,
    }
}

store_tests! {
    async fn a_dataset_has_tags_and_experiments(store) {
        let exp = experiment(&store, "e").await;
        store.create_evaluation_dataset(dataset("d-1", 5), vec!["77".to_owned()]).await.unwrap();
        store.create_evaluation_dataset(dataset("d-2", 6), vec![]).await.unwrap();
        let (all, id) = (Scope::All, "d-1");
        store.set_evaluation_dataset_tags(&all, id, vec![("b".to_owned(), "2".to_owned())]).await.unwrap();
        store.delete_evaluation_dataset_tag(&all, id, "a").await.unwrap();
        let ids = vec![exp.to_string()];
        let row = store.add_evaluation_dataset_experiments(&all, id, ids.clone(), 8).await.unwrap();
        assert_eq!((row.updated_ms, row.tags), (8, vec![("b".to_owned(), "2".to_owned())]));
        assert_eq!(store.evaluation_dataset_experiments(&all, id).await.unwrap(), [exp.to_string(), "77".to_owned()]);
        assert_eq!(found(&store, ids.clone(), "").await, ["d-1"]);
        store.remove_evaluation_dataset_experiments(&all, id, ids.clone(), 9).await.unwrap();
        assert!(found(&store, ids, "").await.is_empty());
        let unknown = store.add_evaluation_dataset_experiments(&all, id, vec!["999".to_owned()], 8).await.unwrap_err();
        assert_eq!(unknown.to_string(), "No Experiment with id=999");
        let missing = store.set_evaluation_dataset_tags(&all, "d-9", vec![]).await.unwrap_err();
        assert_eq!(missing.to_string(), "Could not find evaluation dataset with ID d-9");
    }

    async fn datasets_are_searched_by_name_and_tags(store) {
        experiment(&store, "e").await;
        for (at, name) in ["beta", "alpha", "alphabet"].into_iter().enumerate() {
            let id = format!("d-{at}");
            let row = EvaluationDatasetRow { name: name.to_owned(), ..dataset(&id, at as i64) };
            let tags = if at == 0 { vec![] } else { row.tags.clone() };
            store.create_evaluation_dataset(EvaluationDatasetRow { tags, ..row }, vec!["7".to_owned()]).await.unwrap();
        }
        assert_eq!(found(&store, vec![], "").await, ["d-2", "d-1", "d-0"]);
        assert_eq!(found(&store, vec!["7".to_owned()], "name LIKE 'alpha%'").await, ["d-2", "d-1"]);
        assert_eq!(found(&store, vec![], "name LIKE 'alpha' AND tags.a = '1'").await, ["d-1"]);
        assert_eq!(found(&store, vec!["8".to_owned()], "created_time >= 0").await, [""; 0]);
        let elsewhere = Scope::Project("ships".parse().unwrap());
        assert!(store.evaluation_dataset(&elsewhere, "d-1").await.is_err());
    }

    async fn records_with_the_same_inputs_are_one(store) {
        experiment(&store, "e").await;
        store.create_evaluation_dataset(dataset("d-1", 5), vec![]).await.unwrap();
        assert_eq!(put(&store, "d-1", vec![record("a", "1"), record("b", "2"), record("a", "3")]).await.unwrap(), (2, 1));
        assert_eq!(put(&store, "d-1", vec![record("b", "4"), record("c", "5")]).await.unwrap(), (1, 1));
        let rows = store.evaluation_records(&Scope::All, page("d-1", None)).await.unwrap();
        let outputs: Vec<_> = rows.iter().map(|row| (row.record_id.as_str(), row.outputs.as_deref().unwrap())).collect();
        assert_eq!(outputs, [("dr-a", "3"), ("dr-b", "4"), ("dr-c", "5")]);
        let rest = store.evaluation_records(&Scope::All, page("d-1", Some((5, "dr-b")))).await.unwrap();
        assert_eq!(rest.len(), 1);
        let row = store.evaluation_dataset(&Scope::All, "d-1").await.unwrap();
        assert_eq!(row.profile.as_deref(), Some("{\"num_records\": 3}"));
        assert_eq!((row.schema.as_deref(), row.digest.as_str()), (Some("questionsquestions"), "e"));
        let missing = put(&store, "d-9", vec![record("a", "1")]).await;
        assert!(matches!(missing, Err(StoreError::NotFound(_))), "{missing:?}");
    }

    async fn deleted_records_are_counted(store) {
        experiment(&store, "e").await;
        store.create_evaluation_dataset(dataset("d-1", 5), vec![]).await.unwrap();
        put(&store, "d-1", vec![record("a", "1"), record("b", "2")]).await.unwrap();
        let ids = vec!["dr-a".to_owned(), "dr-x".to_owned()];
        assert_eq!(store.delete_evaluation_records(&Scope::All, "d-1", ids).await.unwrap(), 1);
        let row = store.evaluation_dataset(&Scope::All, "d-1").await.unwrap();
        assert_eq!(row.profile.as_deref(), Some("{\"num_records\": 1}"));
        store.delete_evaluation_dataset(&Scope::All, "d-1").await.unwrap();
        store.delete_evaluation_dataset(&Scope::All, "d-1").await.unwrap();
        assert!(store.evaluation_records(&Scope::All, page("d-1", None)).await.unwrap().is_empty());
    }

    async fn a_scorer_counts_its_versions(store) {
        let exp = experiment(&store, "e").await;
        for id in ["s-1", "s-2"] {
            store.register_scorer(&Scope::All, scorer(exp, id, "g")).await.unwrap();
        }
        store.register_scorer(&Scope::All, scorer(exp, "s-3", "f")).await.unwrap();
        let all = Scope::All;
        let last = store.scorer(&all, (exp, "g"), None).await.unwrap();
        assert_eq!((last.scorer_id.as_str(), last.version, last.serialized.as_str()), ("s-1", 2, r#"{"by": "s-2"}"#));
        let names: Vec<_> = store.scorers(&all, exp).await.unwrap().into_iter().map(|row| (row.name, row.version)).collect();
        assert_eq!(names, [("f".to_owned(), 1), ("g".to_owned(), 2)]);
        assert_eq!(store.scorers_of(&all, None).await.unwrap(), store.scorers_of(&all, Some(vec![exp, 999])).await.unwrap());
        store.delete_scorer(&all, (exp, "g"), Some(1)).await.unwrap();
        assert_eq!(store.scorer_versions(&all, (exp, "g")).await.unwrap(), [last]);
        let gone = store.delete_scorer(&all, (exp, "g"), Some(1)).await.unwrap_err();
        assert_eq!(gone.to_string(), format!("Scorer with name 'g' and version 1 not found for experiment {exp}."));
        store.delete_scorer(&all, (exp, "g"), None).await.unwrap();
        let gone = store.scorer(&all, (exp, "g"), None).await.unwrap_err();
        assert_eq!(gone.to_string(), format!("Scorer with name 'g' not found for experiment {exp}."));
    }

    async fn a_scorer_has_one_online_config(store) {
        let exp = experiment(&store, "e").await;
        store.register_scorer(&Scope::All, scorer(exp, "s-1", "g")).await.unwrap();
        let new = |id: &str, sample_rate| NewOnlineConfig {
            config_id: id.to_owned(),
            experiment_id: exp,
            name: "g".to_owned(),
            sample_rate,
            filter: None,
        };
        store.put_online_config(&Scope::All, new("c-1", 0.5), |_| Ok(())).await.unwrap();
        let row = store.put_online_config(&Scope::All, new("c-2", 0.25), |_| Ok(())).await.unwrap();
        assert_eq!(store.online_configs(&Scope::All, vec!["s-1".to_owned(), "s-9".to_owned()]).await.unwrap(), [row]);
        let refused = store.put_online_config(&Scope::All, new("c-3", 1.0), |_| Err(StoreError::Invalid("no".to_owned()))).await;
        assert!(matches!(refused, Err(StoreError::Invalid(_))), "{refused:?}");
    }
}
