use reqwest::Method;
use serde_json::json;
use tiegel_tests::Database;
use tiegel_types::Digest;

use super::{Repository, Said, component, read, start};

pub async fn blobs(database: Database) {
    let server = start(database, &[]).await;
    let base = server.http.get(format!("{}/v2/", server.url)).send().await.unwrap();
    assert_eq!(
        (base.status().as_u16(), &base.headers()["docker-distribution-api-version"]),
        (200, &"registry/2.0".parse().unwrap())
    );
    // The Open Inference Protocol keeps its own paths.
    assert_eq!(server.get("/v2").await.body["name"], "tiegel");
    assert_eq!(server.get("/v2/models/none").await.status, 404);
    let repository = Repository::new(&server, "plugins/default/reverse");
    chunks(&repository).await;
    wrong_uploads(&repository).await;
    mounts(&repository, &Repository::new(&server, "plugins/other/reverse")).await;
    names(&repository).await;
    server.finish().await;
}

async fn begin(repository: &Repository<'_>) -> Said {
    let begun = repository.send(Method::POST, "blobs/uploads/").await;
    assert_eq!(begun.status, 202);
    begun
}

async fn chunk(repository: &Repository<'_>, begun: &Said, (range, bytes): (&str, &[u8])) -> Said {
    let request = repository.at(Method::PATCH, begun).header("content-range", range).body(bytes.to_vec());
    read(request.send().await.unwrap()).await
}

async fn chunks(repository: &Repository<'_>) {
    let whole: Vec<u8> = (0..10_000u32).map(|i| (i % 251) as u8).collect();
    let digest = Digest::of(&whole);
    assert_eq!(repository.get(&format!("blobs/{digest}")).await.error(), (404, "BLOB_UNKNOWN".to_owned()));
    let begun = begin(repository).await;
    let first = chunk(repository, &begun, ("0-3999", &whole[..4_000])).await;
    assert_eq!((first.status.as_u16(), first.header("range")), (202, "0-3999"));
    let gap = chunk(repository, &begun, ("5000-5999", &whole[5_000..6_000])).await;
    assert_eq!((gap.error(), gap.header("range")), ((416, "BLOB_UPLOAD_INVALID".to_owned()), "0-3999"));
    let short = chunk(repository, &begun, ("4000-8999", &whole[4_000..5_000])).await;
    assert_eq!(short.error(), (413, "SIZE_INVALID".to_owned()));
    assert_eq!(chunk(repository, &begun, ("some", b"x")).await.error(), (400, "BLOB_UPLOAD_INVALID".to_owned()));
    // Without a range: as a stream.
    let streamed =
        read(repository.at(Method::PATCH, &begun).body(whole[4_000..8_000].to_vec()).send().await.unwrap()).await;
    assert_eq!(streamed.status, 202);
    let status = read(repository.at(Method::GET, &begun).send().await.unwrap()).await;
    assert_eq!((status.status.as_u16(), status.header("range")), (204, "0-7999"));
    let last = repository.at(Method::PUT, &begun).query(&[("digest", digest.to_string())]);
    let last =
        read(last.header("content-range", "8000-9999").body(whole[8_000..].to_vec()).send().await.unwrap()).await;
    assert_eq!((last.status.as_u16(), last.header("docker-content-digest")), (201, digest.to_string().as_str()));

    let blob = format!("blobs/{digest}");
    let head = repository.send(Method::HEAD, &blob).await;
    assert_eq!((head.status.as_u16(), head.header("content-length")), (200, "10000"));
    let got = repository.get(&blob).await;
    assert_eq!((got.header("docker-content-digest"), &got.body), (digest.to_string().as_str(), &whole));
    let part = read(repository.request(Method::GET, &blob).header("range", "bytes=9000-").send().await.unwrap()).await;
    assert_eq!((part.status.as_u16(), part.header("content-range")), (206, "bytes 9000-9999/10000"));
    assert_eq!(part.body, whole[9_000..]);
    let outside = repository.request(Method::GET, &blob).header("range", "bytes=10000-").send().await.unwrap();
    assert_eq!(outside.status(), 416);
    assert_eq!(repository.send(Method::DELETE, &blob).await.error(), (405, "UNSUPPORTED".to_owned()));
}

async fn wrong_uploads(repository: &Repository<'_>) {
    let other = Digest::of(b"other");
    let begun = begin(repository).await;
    let wrong = repository.at(Method::PUT, &begun).query(&[("digest", other.to_string())]).body("these").send();
    assert_eq!(read(wrong.await.unwrap()).await.error(), (400, "DIGEST_INVALID".to_owned()));
    let gone = read(repository.at(Method::GET, &begun).send().await.unwrap()).await;
    assert_eq!(gone.error(), (404, "BLOB_UPLOAD_UNKNOWN".to_owned()));
    let at_once = repository.request(Method::POST, &format!("blobs/uploads/?digest={other}")).body("these");
    assert_eq!(read(at_once.send().await.unwrap()).await.error(), (400, "DIGEST_INVALID".to_owned()));
    assert_eq!(repository.get(&format!("blobs/{other}")).await.error(), (404, "BLOB_UNKNOWN".to_owned()));
    for digest in ["sha512:00", "sha256:00", "..%2f..%2fetc%2fpasswd", &other.to_string().to_uppercase()] {
        assert_eq!(
            repository.get(&format!("blobs/{digest}")).await.error(),
            (400, "DIGEST_INVALID".to_owned()),
            "{digest}"
        );
    }
    let begun = begin(repository).await;
    // An upload into one repository is none of another.
    let id = begun.header("docker-upload-uuid").to_owned();
    let elsewhere = Repository::new(repository.server, "plugins/default/other");
    let stolen = elsewhere.get(&format!("blobs/uploads/{id}")).await;
    assert_eq!(stolen.error(), (404, "BLOB_UPLOAD_UNKNOWN".to_owned()));
    assert_eq!(read(repository.at(Method::DELETE, &begun).send().await.unwrap()).await.status, 204);
    assert_eq!(read(repository.at(Method::DELETE, &begun).send().await.unwrap()).await.status, 404);
}

async fn mounts(from: &Repository<'_>, to: &Repository<'_>) {
    let digest = from.put_blob(b"shared").await;
    let blob = format!("blobs/{digest}");
    // What the server has is not what each repository has.
    assert_eq!(to.get(&blob).await.error(), (404, "BLOB_UNKNOWN".to_owned()));
    for elsewhere in ["plugins/default/none", "library/alpine", "plugins/..%2fx/y"] {
        let begun = to.send(Method::POST, &format!("blobs/uploads/?mount={digest}&from={elsewhere}")).await;
        assert_eq!(begun.status, 202, "{elsewhere}");
    }
    let mounted = to.send(Method::POST, &format!("blobs/uploads/?mount={digest}&from={}", from.name)).await;
    assert_eq!(mounted.status, 201);
    assert_eq!(to.get(&blob).await.body, b"shared");
}

async fn names(repository: &Repository<'_>) {
    for name in
        ["plugins/default/..%2f..%2fx", "plugins/%2e%2e%2fx/y", "plugins/1st/x", "plugins/a%20b/x", "plugins/a/b/c"]
    {
        let bad = Repository::new(repository.server, name);
        let (status, code) = bad.send(Method::POST, "blobs/uploads/").await.error();
        assert_eq!((status, code.as_str()), (400, "NAME_INVALID"), "{name}");
    }
    let none = Repository::new(repository.server, "plugins/default/none");
    assert_eq!(none.get("tags/list").await.error(), (404, "NAME_UNKNOWN".to_owned()));
    assert_eq!(none.get("manifests/1.0.0").await.error(), (404, "MANIFEST_UNKNOWN".to_owned()));
    assert_eq!(none.get("manifests/-x").await.error(), (400, "MANIFEST_INVALID".to_owned()));
}

pub async fn manifests(database: Database) {
    let server = start(database, &[]).await;
    let repository = Repository::new(&server, "plugins/default/reverse");
    refused_manifests(&repository).await;
    let wasm = component("0.1.0");
    let manifest = repository.manifest_of(&wasm).await;
    let put = repository.put_manifest("0.1.0", &manifest).await;
    let digest = Digest::of(manifest.to_string().as_bytes()).to_string();
    assert_eq!((put.status.as_u16(), put.header("docker-content-digest")), (201, digest.as_str()));
    // It is a plugin of the project like any other.
    let native = server.get("/api/v1/projects/default/plugins/reverse").await;
    assert_eq!(native.body["digest"], Digest::of(&wasm).to_string());
    for reference in ["0.1.0", &digest] {
        let got = repository.get(&format!("manifests/{reference}")).await;
        assert_eq!((got.json(), got.header("content-type")), (manifest.clone(), MANIFEST));
        let head = repository.send(Method::HEAD, &format!("manifests/{reference}")).await;
        assert_eq!(head.header("content-length"), manifest.to_string().len().to_string());
        let (status, code) = repository.send(Method::DELETE, &format!("manifests/{reference}")).await.error();
        assert_eq!((status, code.as_str()), (405, "UNSUPPORTED"));
    }
    // Another component under the same version is refused, whichever way it comes.
    let mut changed = wasm.clone();
    changed.extend_from_slice(&[0, 3, 1, b'x', 0]);
    let conflict = repository.put_manifest("0.1.0", &repository.manifest_of(&changed).await).await;
    assert_eq!(conflict.error(), (403, "DENIED".to_owned()));
    assert!(conflict.message().contains("immutable"), "{}", conflict.message());
    pages(&repository).await;
    server.finish().await;
}

use super::MANIFEST;

async fn refused_manifests(repository: &Repository<'_>) {
    let refused = |said: Said, status: u16, code: &str, part: &str| {
        assert_eq!(said.error(), (status, code.to_owned()), "{}", said.message());
        assert!(said.message().contains(part), "{}", said.message());
    };
    let wasm = component("0.1.0");
    let manifest = repository.manifest_of(&wasm).await;
    let wrong_tag = repository.put_manifest("9.9.9", &manifest).await;
    refused(wrong_tag, 400, "MANIFEST_INVALID", "says that it is reverse@0.1.0, and was pushed as reverse:9.9.9");
    let other = Repository::new(repository.server, "plugins/default/forward");
    let wrong_name = other.put_manifest("0.1.0", &other.manifest_of(&wasm).await).await;
    refused(wrong_name, 400, "MANIFEST_INVALID", "push it as plugins/default/reverse:0.1.0");
    let mut absent = manifest.clone();
    absent["layers"][0]["digest"] = json!(Digest::of(b"absent"));
    refused(repository.put_manifest("0.1.0", &absent).await, 404, "MANIFEST_BLOB_UNKNOWN", "has no blob");
    let mut larger = manifest.clone();
    larger["layers"][0]["size"] = json!(1);
    refused(repository.put_manifest("0.1.0", &larger).await, 400, "MANIFEST_INVALID", "the manifest says 1");
    let text = repository.manifest_of(b"no component at all").await;
    refused(repository.put_manifest("0.1.0", &text).await, 400, "MANIFEST_INVALID", "not a WebAssembly component");
    let index = json!({ "schemaVersion": 2, "manifests": [] });
    refused(repository.put_manifest("0.1.0", &index).await, 400, "MANIFEST_INVALID", "no image manifest");
    let digest = Digest::of(b"another");
    refused(repository.put_manifest(&digest.to_string(), &manifest).await, 400, "DIGEST_INVALID", "has the digest");
    let huge = repository.request(Method::PUT, "manifests/0.1.0").body(vec![b' '; (4 << 20) + 1]).send().await.unwrap();
    refused(read(huge).await, 413, "SIZE_INVALID", "at most 4 MiB");
    assert_eq!(repository.get("manifests/0.1.0").await.status, 404);
}

/// Versions that came through the native API are tags, too; their manifests are the same on each server.
async fn pages(repository: &Repository<'_>) {
    for version in ["0.3.0", "0.2.0"] {
        let request = repository.server.http.post(format!("{}/api/v1/projects/default/plugins", repository.server.url));
        assert_eq!(request.body(component(version)).send().await.unwrap().status(), 201);
    }
    let all = repository.get("tags/list").await;
    let expected = json!({ "name": "plugins/default/reverse", "tags": ["0.1.0", "0.2.0", "0.3.0"] });
    assert_eq!((all.json(), all.header("link")), (expected, "-"));
    let first = repository.get("tags/list?n=2").await;
    assert_eq!(first.json()["tags"], json!(["0.1.0", "0.2.0"]));
    let next = "/v2/plugins/default/reverse/tags/list?n=2&last=0.2.0";
    assert_eq!(first.header("link"), format!("<{next}>; rel=\"next\""));
    assert_eq!(repository.server.get(next).await.body["tags"], json!(["0.3.0"]));
    let generated = repository.get("manifests/0.2.0").await;
    assert_eq!(generated.json()["layers"][0]["digest"], Digest::of(&component("0.2.0")).to_string());
    assert_eq!(generated.header("docker-content-digest"), Digest::of(&generated.body).to_string());
    let config = generated.json()["config"]["digest"].as_str().unwrap().to_owned();
    let config = repository.get(&format!("blobs/{config}")).await.json();
    assert_eq!(config["layerDigests"], json!([Digest::of(&component("0.2.0"))]));
}

pub async fn kept(database: Database) {
    let server = start(database, &[("TIEGEL_GC__BLOB_GRACE_SECONDS", "1".to_owned())]).await;
    let repository = Repository::new(&server, "plugins/default/reverse");
    let manifest = repository.manifest_of(&component("0.1.0")).await;
    assert_eq!(repository.put_manifest("0.1.0", &manifest).await.status, 201);
    let orphan = repository.put_blob(b"no manifest names this").await;
    tokio::time::sleep(std::time::Duration::from_millis(1_300)).await;
    let collected = server.post("/api/v1/gc", &json!({})).await;
    assert_eq!(collected.status, 200, "{}", collected.text);
    assert_eq!(repository.get(&format!("blobs/{orphan}")).await.status, 404);
    assert_eq!(repository.get("manifests/0.1.0").await.json(), manifest);
    for named in [&manifest["config"], &manifest["layers"][0]] {
        let digest = named["digest"].as_str().unwrap();
        assert_eq!(repository.get(&format!("blobs/{digest}")).await.status, 200, "{digest}");
    }
    server.finish().await;
}
