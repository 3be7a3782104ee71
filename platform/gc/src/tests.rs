use std::time::SystemTime;

use futures::stream;
use serde_json::json;
use tiegel_artifacts::{ArtifactPath, Places};
use tiegel_context::testing::TestContext;
use tiegel_store::{Change, NewModel, NewRun, NewVersion, Scope, Store};
use tiegel_types::{Digest, Name};

use super::*;

const DAY_MS: i64 = 86_400_000;
const ALL: Pass = Pass { older_than: Some(Age::NONE), dry_run: false };
const NOTHING_DELETED: Pass = Pass { older_than: None, dry_run: false };

struct Fixture {
    context: TestContext,
    artifacts: Artifacts,
    collector: Collector,
}

impl Fixture {
    async fn new() -> Self {
        Self::with(Places::default()).await
    }

    async fn with(places: Places) -> Self {
        let context = TestContext::new().await;
        let artifacts = Artifacts::new(context.ctx.clone(), places).unwrap();
        // All that is stored is young.
        context.clock.set_ms(real_ms());
        Self { collector: Collector::new(artifacts.clone()), context, artifacts }
    }

    fn store(&self) -> &Store {
        &self.context.ctx.store
    }

    /// All that was stored so far is old from here on.
    fn after_grace(&self) {
        self.context.clock.set_ms(real_ms() + 2 * DAY_MS);
    }

    async fn run(&self, name: &str) {
        let new = NewRun {
            run_id: name.parse().unwrap(),
            experiment_id: 0,
            name: name.to_owned(),
            user_id: String::new(),
            start_ms: 1,
            job_id: None,
            source: json!({}),
            tags: vec![],
        };
        self.store().create_run(&Scope::All, new).await.unwrap();
    }

    async fn delete_run(&self, name: &str) {
        self.store().delete_run(&Scope::All, name, self.context.ctx.now_ms()).await.unwrap();
    }

    async fn put(&self, at: &str, body: &'static [u8]) -> Digest {
        let body = stream::iter([Ok::<_, String>(body.into())]);
        self.artifacts.put(&ArtifactPath::decode(at).unwrap(), body).await.unwrap().digest
    }

    async fn has(&self, digest: &Digest) -> bool {
        self.context.ctx.blobs.exists(digest).await.unwrap()
    }

    async fn is_file(&self, at: &str) -> bool {
        self.store().artifact(at).await.unwrap().is_some()
    }

    async fn version_at(&self, location: &str) {
        let project: Name = "default".parse().unwrap();
        let change = || Change { actor: "ann".to_owned(), at_ms: 1, project: project.clone() };
        let new = NewModel { project: project.clone(), name: "m".to_owned(), description: String::new(), tags: vec![] };
        self.store().create_model(new, change()).await.unwrap();
        let version = NewVersion {
            model: "m".to_owned(),
            source: location.to_owned(),
            storage_location: location.to_owned(),
            run_id: String::new(),
            run_link: String::new(),
            logged_model_id: None,
            description: None,
            user: None,
            signature: None,
            tags: vec![],
        };
        self.store().create_version(version, change()).await.unwrap();
    }
}

fn real_ms() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "files are as old as the file system says")]
    let now = SystemTime::now();
    now.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as i64
}

#[tokio::test]
async fn bytes_of_two_runs_stay_until_both_are_gone() {
    let fixture = Fixture::new().await;
    for run in ["a", "b"] {
        fixture.run(run).await;
        fixture.put(&format!("0/{run}/artifacts/same"), b"same").await;
    }
    let (same, own) = (Digest::of(b"same"), fixture.put("0/a/artifacts/own", b"own").await);
    fixture.delete_run("a").await;
    fixture.after_grace();
    let would = fixture.collector.collect(Pass { dry_run: true, ..ALL }).await.unwrap();
    assert!(fixture.store().run(&"a".parse().unwrap()).await.unwrap().is_some(), "a dry run changes nothing");
    assert!(fixture.is_file("0/a/artifacts/own").await && fixture.has(&own).await);
    let collected = fixture.collector.collect(ALL).await.unwrap();
    assert_eq!(collected, Collected { runs: 1, files: 2, blobs: 1, bytes: 3, ..Collected::default() });
    assert_eq!(would, collected);
    assert!(fixture.is_file("0/b/artifacts/same").await && fixture.has(&same).await && !fixture.has(&own).await);
    fixture.delete_run("b").await;
    let collected = fixture.collector.collect(ALL).await.unwrap();
    assert_eq!(collected, Collected { runs: 1, files: 1, blobs: 1, bytes: 4, ..Collected::default() });
    assert!(!fixture.has(&same).await);
    assert_eq!(fixture.collector.collect(ALL).await.unwrap(), Collected::default());
}

#[tokio::test]
async fn what_was_deleted_lately_or_restored_stays() {
    let fixture = Fixture::new().await;
    for run in ["old", "restored", "young", "active"] {
        fixture.run(run).await;
    }
    for run in ["old", "restored"] {
        fixture.delete_run(run).await;
    }
    fixture.after_grace();
    fixture.delete_run("young").await;
    fixture.store().restore_run(&Scope::All, "restored").await.unwrap();
    assert_eq!(fixture.collector.collect(NOTHING_DELETED).await.unwrap(), Collected::default());
    let day = Pass { older_than: Some("1d".parse().unwrap()), dry_run: false };
    assert_eq!(fixture.collector.collect(day).await.unwrap().runs, 1);
    for (run, there) in [("old", false), ("restored", true), ("young", true), ("active", true)] {
        assert_eq!(fixture.store().run(&run.parse().unwrap()).await.unwrap().is_some(), there, "{run}");
    }
}

#[tokio::test]
async fn a_young_blob_waits_for_its_row() {
    let fixture = Fixture::new().await;
    let digest = fixture.context.ctx.blobs.put_bytes("no row yet".into()).await.unwrap();
    assert_eq!(fixture.collector.collect(ALL).await.unwrap(), Collected::default());
    assert!(fixture.has(&digest).await);
    fixture.after_grace();
    assert_eq!(fixture.collector.collect(NOTHING_DELETED).await.unwrap().blobs, 1);
}

#[tokio::test]
async fn files_that_a_registered_version_stands_on_outlive_their_run() {
    let fixture = Fixture::new().await;
    fixture.run("a").await;
    let model = fixture.put("0/a/artifacts/model/weights", b"weights").await;
    fixture.put("0/a/artifacts/log.txt", b"log").await;
    fixture.version_at("mlflow-artifacts:/0/a/artifacts/model").await;
    fixture.delete_run("a").await;
    fixture.after_grace();
    let would = fixture.collector.collect(Pass { dry_run: true, ..ALL }).await.unwrap();
    let collected = fixture.collector.collect(ALL).await.unwrap();
    assert_eq!(collected, Collected { runs: 1, files: 1, blobs: 1, bytes: 3, ..Collected::default() });
    assert_eq!(would, collected);
    assert!(fixture.is_file("0/a/artifacts/model/weights").await && fixture.has(&model).await);
    assert_eq!(fixture.collector.collect(ALL).await.unwrap(), Collected::default());
    // And not the version.
    let project: Name = "default".parse().unwrap();
    let change = Change { actor: "ann".to_owned(), at_ms: 2, project };
    fixture.store().delete_version("m", 1, change).await.unwrap();
    let would = fixture.collector.collect(Pass { dry_run: true, ..ALL }).await.unwrap();
    let collected = fixture.collector.collect(NOTHING_DELETED).await.unwrap();
    assert_eq!(collected, Collected { files: 1, blobs: 1, bytes: 7, ..Collected::default() });
    assert_eq!(would, collected);
    assert_eq!(fixture.store().leftovers().await.unwrap(), []);
}

#[tokio::test]
async fn what_a_bundle_is_made_of_stays_with_it() {
    let fixture = Fixture::new().await;
    let blobs = &fixture.context.ctx.blobs;
    let weights = blobs.put_bytes("weights".into()).await.unwrap();
    let lost = blobs.put_bytes("lost".into()).await.unwrap();
    let manifest = json!({ "model": { "weights": weights } }).to_string();
    let bundle = blobs.put_bytes(manifest.into()).await.unwrap();
    let row = tiegel_store::ArtifactRow {
        path: "bundles/00/bundle.json".to_owned(),
        digest: bundle,
        bytes: 1,
        modified_ms: 1,
    };
    fixture.store().put_artifact(row).await.unwrap();
    fixture.after_grace();
    assert_eq!(fixture.collector.collect(NOTHING_DELETED).await.unwrap().blobs, 1);
    assert!(fixture.has(&weights).await && fixture.has(&bundle).await && !fixture.has(&lost).await);
}

#[tokio::test]
async fn an_interrupted_removal_is_completed_by_the_next_pass() {
    let fixture = Fixture::new().await;
    fixture.run("a").await;
    fixture.put("0/a/artifacts/x", b"x").await;
    fixture.delete_run("a").await;
    let until = fixture.context.ctx.now_ms();
    // The rows went, and then the process ended.
    let run = fixture.store().deleted_until(until).await.unwrap().runs.remove(0);
    assert!(fixture.store().remove_deleted_run(run.id, until).await.unwrap());
    fixture.after_grace();
    let collected = fixture.collector.collect(NOTHING_DELETED).await.unwrap();
    assert_eq!(collected, Collected { files: 1, blobs: 1, bytes: 1, ..Collected::default() });
    assert_eq!(fixture.store().leftovers().await.unwrap(), []);
}

#[tokio::test]
async fn parts_of_uploads_that_were_given_up_go() {
    let fixture = Fixture::new().await;
    let at = ArtifactPath::decode("0/a/artifacts/big").unwrap();
    let upload = fixture.artifacts.begin_upload(&at, 2).await.unwrap();
    let part = stream::iter([Ok::<_, String>("part".into())]);
    fixture.artifacts.put_part((&upload.id, 1), part).await.unwrap();
    let orphan = stream::iter([Ok::<_, String>("part".into())]);
    fixture.context.ctx.blobs.put_part(("nobody", 1), orphan, 99).await.unwrap();
    assert_eq!(fixture.collector.collect(ALL).await.unwrap().uploads, 0);
    fixture.after_grace();
    assert_eq!(fixture.collector.collect(ALL).await.unwrap().uploads, 2);
    let parts = fixture.context.folder.path().join("blobs/parts");
    assert_eq!(std::fs::read_dir(parts).unwrap().count(), 0);
}

#[tokio::test]
async fn files_that_others_left_by_name_go_with_their_run() {
    let folder = tempfile::tempdir().unwrap();
    let destination = folder.path().join("mlartifacts");
    for file in ["0/a/artifacts/old.txt", "0/b/artifacts/old.txt"] {
        let path = destination.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "old").unwrap();
    }
    let places = Places { destination: Some(destination.display().to_string()), ..Places::default() };
    let fixture = Fixture::with(places).await;
    for run in ["a", "b"] {
        fixture.run(run).await;
    }
    fixture.delete_run("a").await;
    assert_eq!(fixture.collector.collect(ALL).await.unwrap().runs, 1);
    assert!(!destination.join("0/a/artifacts").exists() && destination.join("0/b/artifacts/old.txt").exists());
}
