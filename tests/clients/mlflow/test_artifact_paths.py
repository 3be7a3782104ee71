"""No path leaves its folder, however it is spelled."""

import http.client
import urllib.parse

import pytest
from wire import unique

PROXY = "/api/2.0/mlflow-artifacts/artifacts"

ESCAPES = [
    "../secret",
    "a/../../secret",
    "a/../b",
    "..",
    "a/..",
    "%2e%2e/secret",
    "%2e%2e%2fsecret",
    "..%2fsecret",
    "a%2f..%2f..%2fsecret",
    "%252e%252e%252fsecret",
    "..%252fsecret",
    "%25252e%25252e%25252fsecret",
    "%2fetc%2fpasswd",
    "/etc/passwd",
    "%252fetc%252fpasswd",
    "file:%2f%2f%2fetc%2fpasswd",
    "a/%2e%2e/b",
    "C:%5cwindows",
]


def raw(api, method: str, target: str, body: bytes | None = None) -> tuple[int, str]:
    """A request whose target reaches the server as it is written: `requests` would tidy it."""
    address = urllib.parse.urlsplit(api.url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
    try:
        connection.putrequest(method, target, skip_accept_encoding=True)
        if body is not None:
            connection.putheader("content-length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        return response.status, response.read().decode(errors="replace")
    finally:
        connection.close()


@pytest.mark.parametrize("path", ESCAPES)
@pytest.mark.parametrize("method", ["PUT", "GET", "DELETE"])
def test_an_escape_is_refused(api, method, path):
    status, text = raw(api, method, f"{PROXY}/{path}", b"x" if method == "PUT" else None)
    assert status in (308, 400, 404, 405), (status, text)
    assert "root:" not in text


@pytest.mark.parametrize("path", ESCAPES)
def test_an_escape_is_not_listed(api, run, path):
    status, text = raw(api, "GET", f"{PROXY}?path={path}")
    assert status == 400, (status, text)
    status, text = raw(api, "GET", f"/api/2.0/mlflow/artifacts/list?run_id={run}&path={path}")
    assert status == 400, (status, text)
    assert '"INVALID_PARAMETER_VALUE"' in text


@pytest.mark.parametrize("path", ESCAPES)
def test_an_escape_is_not_reached_from_a_run(api, run, path):
    status, text = raw(api, "GET", f"/get-artifact?run_id={run}&path={path}")
    assert status == 400, (status, text)
    target = f"/ajax-api/2.0/mlflow/upload-artifact?run_uuid={run}&path={path}"
    status, text = raw(api, "POST", target, b"x")
    assert status == 400, (status, text)


def test_the_refusal_says_so(api):
    status, text = raw(api, "GET", f"{PROXY}/%2e%2e%2fsecret")
    assert status == 400 and "Invalid path" in text


def test_dots_inside_of_names_are_fine(api):
    folder = unique("dots")
    for name in ("a..b", "...", "..a", "a..", ".hidden"):
        answer = api.send("PUT", f"{PROXY}/{folder}/{name}", data=b"x")
        assert answer.status == 200, answer
        assert api.get(f"{PROXY}/{folder}/{name}").content == b"x"


@pytest.mark.parametrize("name", ["..%5csecret", "a%5c..%5c..%5csecret"])
def test_a_backslash_separates_nothing(api, name):
    folder = unique("backslash")
    status, text = raw(api, "PUT", f"{PROXY}/{folder}/sub/{name}", b"x")
    assert status in (200, 400), (status, text)
    names = [entry["path"] for entry in api.get(PROXY, path=f"{folder}/sub").ok().get("files", [])]
    assert names == ([urllib.parse.unquote(name)] if status == 200 else [])


@pytest.mark.parametrize("path", ["a//b", "a/./b", "./a", "a/"])
def test_an_untidy_path_never_fails_hard(api, path):
    status, _ = raw(api, "PUT", f"{PROXY}/{unique('untidy')}/{path}", b"x")
    assert status < api.differs(ours=500, original=501, because="MLflow fails on a path that it cannot tidy")
