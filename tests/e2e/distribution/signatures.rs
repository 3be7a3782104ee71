use std::path::Path;
use std::process::{Command, Output};

use reqwest::Method;
use serde_json::{Value, json};
use tiegel_tests::{Database, ProjectFolder, TestServer, tiegel_binary};
use tiegel_types::Digest;

use super::{MANIFEST, Repository, component, start};
use crate::text;

const SIGNATURE: &str = "application/vnd.tiegel.plugin.signature.v1";

/// Runs the command line without a server; answers what it prints.
fn offline(folder: &Path, args: &[&str]) -> String {
    let output = Command::new(tiegel_binary()).args(args).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

fn ok(output: &Output) -> String {
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    text(&output.stderr)
}

/// A folder with the keys `ours` and `theirs`, and the component; and the public half of `ours`.
fn workshop() -> (ProjectFolder, String) {
    let folder = ProjectFolder::empty();
    for name in ["ours", "theirs"] {
        offline(folder.path(), &["plugin", "keygen", name]);
    }
    std::fs::write(folder.path().join("reverse.wasm"), component("0.1.0")).unwrap();
    let key = folder.read("ours.pub").trim().to_owned();
    (folder, key)
}

async fn strict(database: Database, key: &str) -> TestServer {
    let keys = format!("{{ release = \"{key}\" }}");
    let env =
        [("TIEGEL_PLUGINS__TRUSTED_KEYS", keys), ("TIEGEL_PLUGINS__REQUIRE_SIGNED_PLUGINS", "[\"prod\"]".to_owned())];
    start(database, &env).await
}

pub async fn required(database: Database) {
    let (folder, key) = workshop();
    let server = strict(database, &key).await;
    let path = folder.path();
    let push = |more: &[&str]| {
        let args = ["plugin", "push", "reverse.wasm", "--project", "prod"];
        server.cli_in(path, &[&args[..], more].concat())
    };
    assert!(refused(&push(&[])).contains("signed by a trusted key (release), and it has no signature"));
    assert!(refused(&push(&["--sign", "theirs.key"])).contains("which is not trusted here"));
    by_oci(&server, &folder).await;
    let listed = server.get("/api/v1/projects/prod/plugins").await;
    assert_eq!(listed.body, json!([]));

    offline(path, &["plugin", "sign", "reverse.wasm", "--key", "ours.key"]);
    assert!(ok(&push(&[])).contains("reverse@0.1.0") && ok(&push(&[])).contains("signed by release"));
    let plugin = server.get("/api/v1/projects/prod/plugins/reverse").await.body;
    assert_eq!(plugin["signed_by"], json!([{ "key": key, "trusted_as": "release" }]));
    // Elsewhere nobody asks for a signature, and a forged one is refused all the same.
    let lab = ["plugin", "push", "reverse.wasm", "--project", "lab"];
    let forged = server.http.post(format!("{}/api/v1/projects/lab/plugins", server.url));
    let forged = forged.header("tiegel-signature", folder.read("reverse.wasm.sig").trim()).body(component("0.2.0"));
    let forged = forged.send().await.unwrap();
    assert_eq!(forged.status(), 422);
    assert!(forged.text().await.unwrap().contains("does not fit"));
    ok(&server.cli_in(path, &lab));
    stripped(&server, &folder).await;
    server.finish().await;
}

/// An unsigned manifest is refused; so is one whose signature is of something else.
async fn by_oci(server: &TestServer, folder: &ProjectFolder) {
    let repository = Repository::new(server, "plugins/prod/reverse");
    let manifest = repository.manifest_of(&component("0.1.0")).await;
    let unsigned = repository.put_manifest("0.1.0", &manifest).await;
    assert_eq!(unsigned.error(), (403, "DENIED".to_owned()));
    std::fs::write(folder.path().join("other.wasm"), component("0.2.0")).unwrap();
    offline(folder.path(), &["plugin", "sign", "other.wasm", "--key", "ours.key"]);
    let stolen = folder.read("other.wasm.sig").trim().to_owned();
    let mut annotated = manifest.clone();
    annotated["annotations"] = json!({ "dev.tiegel.plugin.signature": stolen });
    let forged = repository.put_manifest("0.1.0", &annotated).await;
    assert!(forged.error().0 == 403 && forged.message().contains("does not fit"), "{}", forged.message());
    let about = signature_of(&repository, &stolen, &manifest).await;
    let taken = repository.put_manifest(&digest(&about), &about).await;
    assert_eq!(taken.status, 201, "{}", text(&taken.body));
    let forged = repository.put_manifest("0.1.0", &manifest).await;
    assert!(forged.error().0 == 403 && forged.message().contains("does not fit"), "{}", forged.message());
    let gone = repository.send(Method::DELETE, &format!("manifests/{}", digest(&about))).await;
    assert_eq!(gone.status, 202);
}

fn digest(manifest: &Value) -> String {
    Digest::of(manifest.to_string().as_bytes()).to_string()
}

async fn signature_of(repository: &Repository<'_>, signature: &str, subject: &Value) -> Value {
    let layer = repository.put_blob(signature.as_bytes()).await;
    let empty = repository.put_blob(b"{}").await;
    json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": SIGNATURE,
        "config": { "mediaType": "application/vnd.oci.empty.v1+json", "digest": empty, "size": 2 },
        "layers": [{ "mediaType": SIGNATURE, "digest": layer, "size": signature.len() }],
        "subject": { "mediaType": MANIFEST, "digest": digest(subject), "size": subject.to_string().len() },
    })
}

const PIPELINE: &str = r#"apiVersion: tiegel/v1
kind: Dataset
metadata: {name: numbers, project: prod}
spec:
  source: {path: numbers.csv}
---
kind: Pipeline
metadata: {name: reversed, project: prod}
spec:
  steps:
    rows: {sql: "select id, cast(value as bigint) as value from numbers", key: [id]}
    reversed: {wasm: reverse@0.1.0, columns: [value], ordering: {partitionBy: [], orderBy: [id]}}
"#;

/// Once its signature is taken back, what was installed is used no more.
async fn stripped(server: &TestServer, folder: &ProjectFolder) {
    folder.write("numbers.csv", "id,value\n1,3\n2,4\n");
    folder.write("tiegel.yaml", PIPELINE);
    let path = folder.path();
    ok(&server.cli_in(path, &["apply"]));
    let deprecate = ["plugin", "deprecate", "reverse@0.1.0", "--project", "prod"];
    ok(&server.cli_in(path, &[&deprecate[..], &["--reason", "use forward"]].concat()));
    let warning = "warning: pipeline 'reversed', step 'reversed': plugin reverse@0.1.0 is deprecated: use forward";
    assert!(ok(&server.cli_in(path, &["apply"])).contains(warning));
    assert!(text(&server.cli_in(path, &["plan"]).stdout).contains(warning));
    assert!(ok(&server.cli_in(path, &["plugin", "list", "--project", "prod"])).contains("use forward"));
    ok(&server.cli_in(path, &[&deprecate[..], &["--undo"]].concat()));
    assert!(!ok(&server.cli_in(path, &["apply"])).contains("warning"));

    let repository = Repository::new(server, "plugins/prod/reverse");
    let manifest = repository.send(Method::HEAD, "manifests/0.1.0").await.header("docker-content-digest").to_owned();
    let referrers = repository.get(&format!("referrers/{manifest}?artifactType={SIGNATURE}")).await;
    assert_eq!(referrers.header("oci-filters-applied"), "artifactType");
    let found = referrers.json()["manifests"].clone();
    assert_eq!(found.as_array().map(Vec::len), Some(1), "{found}");
    let signature = found[0]["digest"].as_str().unwrap();
    assert_eq!(repository.send(Method::DELETE, &format!("manifests/{signature}")).await.status, 202);
    let after = repository.get(&format!("referrers/{manifest}")).await.json();
    assert_eq!(after["manifests"], json!([]));
    let job = server.post("/api/v1/projects/prod/jobs", &json!({ "target": "pipeline/reversed" })).await;
    let job = server.wait_job(job.body["id"].as_str().unwrap()).await;
    assert_eq!(job["state"], "failed", "{job}");
    let why = job["error"].as_str().unwrap();
    assert!(why.contains("takes only plugins that are signed by a trusted key"), "{why}");
}

/// To a project, to another registry (the same server, by its other door), and back to a file.
pub async fn travels(database: Database) {
    let (folder, key) = workshop();
    let server = strict(database, &key).await;
    let path = folder.path();
    let place = format!("oci://{}/plugins/prod/reverse", server.url.trim_start_matches("http://"));
    let tagged = format!("{place}:0.1.0");
    let unsigned = server.cli_in(path, &["plugin", "push", "reverse.wasm", "--to", &tagged]);
    assert!(refused(&unsigned).contains("it has no signature"));
    let args = ["plugin", "push", "reverse.wasm", "--to", &tagged, "--sign", "ours.key"];
    ok(&server.cli_in(path, &args));
    assert_eq!(ok(&server.cli_in(path, &["plugin", "list", &place])), "0.1.0\n");
    let pulled = |plugin: &str, more: &[&str]| {
        server.cli_in(path, &[&["plugin", "pull", plugin, "--out", "pulled.wasm", "--project", "prod"], more].concat())
    };
    assert!(refused(&pulled(&tagged, &["--trusted", "theirs.pub"])).contains("by a key that you trust"));
    assert!(!path.join("pulled.wasm").exists());
    for plugin in [tagged.as_str(), "reverse", "reverse@0.1.0"] {
        ok(&pulled(plugin, &["--trusted", "ours.pub"]));
        assert_eq!(std::fs::read(path.join("pulled.wasm")).unwrap(), component("0.1.0"));
        offline(path, &["plugin", "verify", "pulled.wasm", "--trusted", &key]);
        std::fs::remove_file(path.join("pulled.wasm")).unwrap();
    }
    std::fs::write(path.join("pulled.wasm"), component("0.2.0")).unwrap();
    let changed = server.cli_in(path, &["plugin", "verify", "pulled.wasm", "--trusted", &key]);
    assert!(refused(&changed).contains("these bytes are not what was signed"));
    server.finish().await;
}
