use serde_json::json;
use tiegel_types::Name;

use super::*;
use crate::testing::store_tests;
use crate::{ArtifactLocation, Batch, Change, LoggedMetric, Made, NewExperiment, NewModel, NewRun, Point, Scope};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn workspace(text: &str) -> WorkspaceRow {
    WorkspaceRow { name: name(text), description: None, artifact_root: None }
}

async fn experiment(store: &Store, project: &str, called: &str) -> i64 {
    let new = NewExperiment {
        project: name(project),
        name: called.to_owned(),
        artifact_location: ArtifactLocation::Below("mlflow-artifacts:/".to_owned()),
        tags: vec![("team".to_owned(), "red".to_owned())],
        created_ms: 1,
    };
    store.create_experiment(new).await.unwrap()
}

async fn model(store: &Store, project: &str, called: &str) {
    let change = Change { actor: "ana".to_owned(), at_ms: 1, project: name(project) };
    let (called, description) = (called.to_owned(), String::new());
    let new = NewModel { project: name(project), name: called, description, tags: vec![] };
    assert!(matches!(store.create_model(new, change).await.unwrap(), Made::Made(_)));
}

/// A workspace with an experiment, a run with a metric, and a model, all called `mine`.
async fn filled(store: &Store) -> i64 {
    store.create_workspace(workspace("team-a"), "ana", 1).await.unwrap();
    let experiment_id = experiment(store, "team-a", "mine").await;
    let new = NewRun {
        run_id: "0123456789abcdef0123456789abcdef".parse().unwrap(),
        experiment_id,
        name: "r".to_owned(),
        user_id: String::new(),
        start_ms: 1,
        job_id: None,
        source: json!({}),
        tags: vec![],
    };
    let scope = Scope::Project(name("team-a"));
    let run = store.create_run(&scope, new).await.unwrap().run_id;
    let metric = LoggedMetric { key: "loss".to_owned(), point: Point::new(1, 1, 0.5), model: None };
    let batch = Batch { metrics: vec![metric], params: vec![("p".to_owned(), "1".to_owned())], ..Batch::default() };
    store.log_batch(&scope, run.as_str(), batch, |_| StoreError::Conflict(String::new())).await.unwrap();
    model(store, "team-a", "mine").await;
    experiment_id
}

store_tests! {
    async fn a_workspace_is_a_project(store) {
        let made = WorkspaceRow { description: Some("ours".to_owned()), ..workspace("team-a") };
        store.create_workspace(made.clone(), "ana", 1).await.unwrap();
        let again = store.create_workspace(made.clone(), "ana", 2).await.unwrap_err();
        assert!(matches!(again, StoreError::Exists(_)), "{again}");
        assert_eq!(store.workspaces().await.unwrap(), [workspace("default"), made]);
        assert!(store.has_project(&name("team-a")).await.unwrap());
        let change = WorkspaceChange { artifact_root: Some("s3://b/a".to_owned()), ..WorkspaceChange::default() };
        let row = store.update_workspace(&name("team-a"), change).await.unwrap();
        assert_eq!((row.description.as_deref(), row.artifact_root.as_deref()), (Some("ours"), Some("s3://b/a")));
        let change = WorkspaceChange { artifact_root: Some(String::new()), ..WorkspaceChange::default() };
        assert_eq!(store.update_workspace(&name("team-a"), change).await.unwrap().artifact_root, None);
        let missing = store.update_workspace(&name("team-b"), WorkspaceChange::default()).await.unwrap_err();
        assert_eq!(missing.to_string(), "Workspace 'team-b' not found");
    }

    async fn artifacts_of_projects_lie_apart(store) {
        store.create_workspace(workspace("team-a"), "ana", 1).await.unwrap();
        let root = |text: &str| WorkspaceRow { artifact_root: Some(text.to_owned()), ..workspace("x") };
        store.create_workspace(WorkspaceRow { name: name("bucket"), ..root("s3://b/a") }, "ana", 1).await.unwrap();
        store.create_workspace(WorkspaceRow { name: name("own"), ..root("mlflow-artifacts:/p/q") }, "ana", 1).await.unwrap();
        for (project, place) in [
            ("default", "mlflow-artifacts:/"),
            ("team-a", "mlflow-artifacts:/workspaces/team-a/"),
            ("bucket", "s3://b/a/"),
            ("own", "mlflow-artifacts:/workspaces/own/p/q/"),
        ] {
            let id = experiment(&store, project, "e").await;
            let row = store.experiment(&Scope::All, id).await.unwrap().0;
            assert_eq!(row.artifact_location, format!("{place}{id}"));
        }
        let native = store.ensure_experiment(&name("bucket"), "native", 1).await.unwrap();
        assert_eq!(native.artifact_location, format!("mlflow-artifacts:/workspaces/bucket/{}", native.id));
    }

    async fn a_workspace_with_contents_stays(store) {
        filled(&store).await;
        let kept = store.delete_workspace(&name("team-a"), Contents::Keep, "ana", 2).await.unwrap_err();
        let message = kept.to_string();
        assert!(message.contains("table 'registered_models' still contains 1 resource(s)"), "{message}");
        store.create_workspace(workspace("empty"), "ana", 1).await.unwrap();
        store.delete_workspace(&name("empty"), Contents::Keep, "ana", 2).await.unwrap();
        assert_eq!(store.workspace(&name("empty")).await.unwrap(), None);
        let gone = store.delete_workspace(&name("empty"), Contents::Keep, "ana", 2).await.unwrap_err();
        assert_eq!(gone.to_string(), "Workspace 'empty' not found");
        let newest = store.audit(1, None).await.unwrap().remove(0);
        assert_eq!((newest.action.as_str(), newest.subject.as_str()), ("workspace.delete", "project/empty"));
    }

    async fn contents_go_with_their_workspace(store) {
        let id = filled(&store).await;
        store.delete_workspace(&name("team-a"), Contents::Delete, "ana", 2).await.unwrap();
        assert_eq!(store.project_of_experiment(id).await.unwrap(), None);
        let left = store.query(|tx| {
            let tables = OF_EXPERIMENTS.iter().chain(&OF_RUNS).chain(&["runs", "registered_models"]);
            let mut left = Vec::new();
            for table in tables {
                let rows = tx.row(&format!("SELECT COUNT(*) FROM {table}"), &[], |row| row.int(0))?;
                left.extend(rows.filter(|rows| *rows > 0).map(|rows| (*table, rows)));
            }
            Ok(left)
        });
        assert_eq!(left.await.unwrap(), []);
    }

    async fn contents_move_to_the_default_workspace_unless_names_clash(store) {
        let id = filled(&store).await;
        model(&store, "default", "mine").await;
        let clash = store.delete_workspace(&name("team-a"), Contents::Move, "ana", 2).await.unwrap_err().to_string();
        assert!(clash.contains("\n  - registered_models: 'mine'\n"), "{clash}");
        let change = Change { actor: "ana".to_owned(), at_ms: 1, project: name("default") };
        store.delete_model("mine", change).await.unwrap();
        store.delete_workspace(&name("team-a"), Contents::Move, "ana", 2).await.unwrap();
        assert_eq!(store.project_of_experiment(id).await.unwrap(), Some(name("default")));
        let run = store.run(&"0123456789abcdef0123456789abcdef".parse().unwrap()).await.unwrap().unwrap();
        assert_eq!(run.project, name("default"));
        assert!(store.model(&name("default"), "mine").await.unwrap().is_some());
    }

    async fn what_documents_and_jobs_made_keeps_its_project(store) {
        store.create_workspace(workspace("flights"), "ana", 1).await.unwrap();
        let sql = "INSERT INTO cache (project, cache_key, output, inputs, job_id, created_ms) \
                   SELECT 'flights', 'k', '{}', '{}', id, 1 FROM jobs";
        let job = "INSERT INTO jobs (id, project, target, payload, state, priority, attempt, cancel_requested, created_ms) \
                   VALUES ('j', 'flights', 'all', '{}', 'succeeded', 0, 1, 0, 1)";
        store.transact(move |tx| tx.execute(job, &[]).and_then(|_| tx.execute(sql, &[]))).await.unwrap();
        for contents in [Contents::Keep, Contents::Delete, Contents::Move] {
            let refused = store.delete_workspace(&name("flights"), contents, "ana", 2).await.unwrap_err().to_string();
            assert!(refused.contains("table 'jobs' still contains 1 resource(s)"), "{refused}");
        }
    }
}
