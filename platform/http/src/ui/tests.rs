use super::*;
use crate::edge::testing::{body_of, problem_of};

const BROWSER: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");

fn built(name: &str) -> Option<EmbeddedFile> {
    let text = match name {
        "index.html" => "<!doctype html><title>Tiegel</title>",
        "theme.js" => "theme",
        "assets/app-1a2b.js" => "console.log('a long script')",
        "assets/app-1a2b.js.br" => "brotli",
        _ => return None,
    };
    // Any real file's metadata will do, as long as it differs with the text.
    let folder = std::env::temp_dir().join(format!("tiegel-ui-{}-{}", std::process::id(), text.len()));
    std::fs::write(&folder, text).unwrap();
    let file = rust_embed::utils::read_file_from_fs(&folder).unwrap();
    Some(file)
}

fn unbuilt(_: &str) -> Option<EmbeddedFile> {
    None
}

fn get_with(path: &str, headers: &[(&'static str, &str)]) -> Response {
    let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
    answer(built, &Method::GET, path, &headers)
}

#[tokio::test]
async fn a_browser_gets_the_index_for_every_page_of_the_ui() {
    for path in ["/", "/runs/0af7", "/models/delay.v2"] {
        let response = get_with(path, &[BROWSER]);
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-cache");
        assert_eq!(response.headers()[header::CONTENT_SECURITY_POLICY], UI_POLICY);
        assert!(body_of(response).await.starts_with(b"<!doctype html>"), "{path}");
    }
}

#[tokio::test]
async fn a_program_gets_a_problem_and_no_page() {
    let response = get_with("/runs/0af7", &[("accept", "application/json")]);
    assert_eq!(problem_of(response).await.code, "route_not_found");
}

#[tokio::test]
async fn an_api_path_is_never_a_page() {
    for path in ["/api/v1/nothing", "/v2/models/x/nope", "/v2", "/metrics/x", "/ajax-api/x", "/v1/models/m:fit"] {
        let problem = problem_of(get_with(path, &[BROWSER])).await;
        assert_eq!((problem.status, problem.code.as_str()), (404, "route_not_found"), "{path}");
        assert_eq!(
            problem.detail,
            format!("there is no GET {path}: see /api/v1/openapi.json for the routes of this server")
        );
    }
}

#[tokio::test]
async fn only_reading_reaches_the_ui() {
    let response = answer(built, &Method::POST, "/runs", &HeaderMap::new());
    assert_eq!(problem_of(response).await.detail.split(':').next(), Some("there is no POST /runs"));
}

#[test]
fn hashed_assets_are_kept_forever_and_others_are_revalidated() {
    let asset = get_with("/assets/app-1a2b.js", &[]);
    assert_eq!(asset.headers()[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
    assert_eq!(asset.headers()[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
    assert_eq!(get_with("/theme.js", &[]).headers()[header::CACHE_CONTROL], "no-cache");
}

#[tokio::test]
async fn a_missing_asset_is_not_the_index() {
    assert_eq!(get_with("/assets/old-9f.js", &[BROWSER]).status(), 404);
    assert_eq!(get_with("/assets/app-1a2b.js.br", &[BROWSER]).status(), 404);
}

#[tokio::test]
async fn brotli_is_sent_to_those_who_take_it() {
    for (accept, encoded) in [("gzip, deflate, br, zstd", true), ("gzip", false), ("br;q=0, gzip", false)] {
        let response = get_with("/assets/app-1a2b.js", &[("accept-encoding", accept)]);
        assert_eq!(response.headers()[header::VARY], "accept-encoding");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
        assert_eq!(response.headers().contains_key(header::CONTENT_ENCODING), encoded, "{accept}");
        assert_eq!(body_of(response).await == "brotli", encoded, "{accept}");
    }
}

#[tokio::test]
async fn a_file_that_the_client_has_is_not_sent_again() {
    let first = get_with("/assets/app-1a2b.js", &[]);
    let etag = first.headers()[header::ETAG].to_str().unwrap().to_owned();
    for tags in [etag.clone(), format!("\"x\", {etag}"), etag.trim_start_matches("W/").to_owned()] {
        let again = get_with("/assets/app-1a2b.js", &[("if-none-match", &tags)]);
        assert_eq!(again.status(), 304, "{tags}");
        assert_eq!(again.headers()[header::ETAG], etag.as_str());
        assert!(body_of(again).await.is_empty());
    }
    assert_eq!(get_with("/assets/app-1a2b.js", &[("if-none-match", "\"x\"")]).status(), 200);
}

#[tokio::test]
async fn without_a_build_the_page_says_how_to_make_one() {
    let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static("text/html"))]);
    let response = answer(unbuilt, &Method::GET, "/", &headers);
    assert_eq!(response.status(), 200);
    let page = String::from_utf8(body_of(response).await.to_vec()).unwrap();
    assert!(page.contains("make web"), "{page}");
}
