//! Plugins on their way: the OCI registry by its protocol, signatures, deprecation. On both databases.

mod protocol;
mod signatures;

use std::path::Path;

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tiegel_store::testing::fresh_postgres_url;
use tiegel_tests::{Database, Options, TestServer};
use tiegel_types::Digest;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.wasm.config.v0+json";

async fn start(database: Database, env: &[(&str, String)]) -> TestServer {
    let env = env.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    // Beside other tests a migration may take its time.
    let expected_logs = vec!["slow statement".to_owned()];
    TestServer::start_with(Options { database, env, expected_logs }).await
}

/// A small plugin that calls itself `reverse`, in some version of five characters; its code and its manifest agree.
fn component(version: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/dist/reverse.wasm");
    let mut wasm = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}: run `make plugins`", path.display()));
    for says in ["reverse0.1.0", r#""version":"0.1.0"#] {
        let found = wasm.windows(says.len()).position(|bytes| bytes == says.as_bytes());
        let end = found.unwrap_or_else(|| panic!("the component does not say {says}")) + says.len();
        wasm[end - version.len()..end].copy_from_slice(version.as_bytes());
    }
    wasm
}

/// A repository, spoken to by the letter of the specification.
struct Repository<'a> {
    server: &'a TestServer,
    name: String,
}

/// A response, read.
struct Said {
    status: StatusCode,
    headers: reqwest::header::HeaderMap,
    body: Vec<u8>,
}

impl Said {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("-", |value| value.to_str().unwrap())
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", crate::text(&self.body)))
    }

    /// Status and code of an error.
    fn error(&self) -> (u16, String) {
        let body = self.json();
        assert!(body["errors"][0]["message"].is_string(), "{body}");
        (self.status.as_u16(), body["errors"][0]["code"].as_str().unwrap_or("-").to_owned())
    }

    fn message(&self) -> String {
        self.json()["errors"][0]["message"].as_str().unwrap_or("-").to_owned()
    }
}

async fn read(response: Response) -> Said {
    let (status, headers) = (response.status(), response.headers().clone());
    Said { status, headers, body: response.bytes().await.unwrap().to_vec() }
}

impl<'a> Repository<'a> {
    fn new(server: &'a TestServer, name: &str) -> Self {
        Self { server, name: name.to_owned() }
    }

    fn request(&self, method: Method, rest: &str) -> RequestBuilder {
        self.server.http.request(method, format!("{}/v2/{}/{rest}", self.server.url, self.name))
    }

    async fn send(&self, method: Method, rest: &str) -> Said {
        read(self.request(method, rest).send().await.unwrap()).await
    }

    async fn get(&self, rest: &str) -> Said {
        self.send(Method::GET, rest).await
    }

    /// At the place that an answer named.
    fn at(&self, method: Method, said: &Said) -> RequestBuilder {
        self.server.http.request(method, format!("{}{}", self.server.url, said.header("location")))
    }

    async fn put_blob(&self, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        let request = self.request(Method::POST, &format!("blobs/uploads/?digest={digest}")).body(bytes.to_vec());
        let said = read(request.send().await.unwrap()).await;
        assert_eq!(said.status, 201, "{}", crate::text(&said.body));
        digest
    }

    async fn put_manifest(&self, reference: &str, manifest: &Value) -> Said {
        let request = self.request(Method::PUT, &format!("manifests/{reference}"));
        read(request.header("content-type", MANIFEST).body(manifest.to_string()).send().await.unwrap()).await
    }

    /// Uploads a component and answers a manifest for it.
    async fn manifest_of(&self, wasm: &[u8]) -> Value {
        let layer = self.put_blob(wasm).await;
        let config = json!({ "architecture": "wasm", "os": "wasip2", "layerDigests": [layer] }).to_string();
        let digest = self.put_blob(config.as_bytes()).await;
        json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": { "mediaType": CONFIG, "digest": digest, "size": config.len() },
            "layers": [{ "mediaType": "application/wasm", "digest": layer, "size": wasm.len() }],
        })
    }
}

/// Each of these runs on both databases.
macro_rules! on_both {
    ($($test:path as $sqlite:ident and $postgres:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $sqlite() {
                $test(Database::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $postgres() {
                $test(Database::Postgres(fresh_postgres_url().await)).await;
            }
        )+
    };
}

on_both! {
    protocol::blobs as blobs_arrive_at_once_in_chunks_and_by_mount_on_sqlite
        and blobs_arrive_at_once_in_chunks_and_by_mount_on_postgres,
    protocol::manifests as a_tag_is_a_version_of_a_validated_plugin_on_sqlite
        and a_tag_is_a_version_of_a_validated_plugin_on_postgres,
    protocol::kept as what_a_manifest_names_survives_the_collection_of_garbage_on_sqlite
        and what_a_manifest_names_survives_the_collection_of_garbage_on_postgres,
    signatures::required as only_plugins_signed_by_a_trusted_key_get_in_on_sqlite
        and only_plugins_signed_by_a_trusted_key_get_in_on_postgres,
    signatures::travels as a_signed_plugin_travels_to_another_registry_and_back_on_sqlite
        and a_signed_plugin_travels_to_another_registry_and_back_on_postgres,
}
