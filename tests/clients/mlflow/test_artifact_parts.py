"""Uploads in parts and signed addresses, where a server offers them; a clear refusal where it does not."""

import random

from wire import unique

ARTIFACTS = "/api/2.0/mlflow-artifacts"
PART_BYTES = 5 * 1024 * 1024


def offers(api, flag: str) -> bool:
    return api.get("/api/3.0/mlflow/server-info").ok()[flag]


def create(api, folder):
    return api.post(f"{ARTIFACTS}/mpu/create/{folder}", {"path": f"{folder}/large.bin", "num_parts": 2})


def test_an_upload_in_parts(api):
    folder = unique("parts")
    if not offers(api, "multipart_uploads_enabled"):
        create(api, folder).refused(501, "NOT_IMPLEMENTED")
        return
    data = random.Random(3).randbytes(PART_BYTES + 1000)
    created = create(api, folder).ok()
    parts = []
    for credential in created["credentials"]:
        number = credential["part_number"]
        piece = data[(number - 1) * PART_BYTES : number * PART_BYTES]
        address = credential["url"]
        address = address if "://" in address else api.url + address
        response = api.session.put(address, data=piece, headers=dict(credential.get("headers", {})))
        assert response.status_code == 200, response.text
        parts.append({"part_number": number, "etag": response.headers.get("etag", "")})
    body = {"path": f"{folder}/large.bin", "upload_id": created["upload_id"], "parts": parts}
    api.post(f"{ARTIFACTS}/mpu/complete/{folder}", body).ok()
    assert api.get(f"{ARTIFACTS}/artifacts/{folder}/large.bin").content == data


def test_an_upload_in_parts_can_be_given_up(api):
    folder = unique("parts")
    abort = f"{ARTIFACTS}/mpu/abort/{folder}"
    if not offers(api, "multipart_uploads_enabled"):
        api.post(abort, {"path": "a", "upload_id": "x"}).refused(501, "NOT_IMPLEMENTED")
        return
    upload = create(api, folder).ok()["upload_id"]
    api.post(abort, {"path": f"{folder}/large.bin", "upload_id": upload}).ok()
    api.get(f"{ARTIFACTS}/artifacts/{folder}/large.bin").not_found()


def test_a_completion_needs_its_parts(api):
    answer = api.post(f"{ARTIFACTS}/mpu/complete/{unique('parts')}", {"path": "a", "upload_id": "x"})
    answer.invalid("Missing value for required parameter 'parts'")


def test_signed_addresses(api, experiment, run):
    path = f"{experiment}/{run}/artifacts/a.bin"
    assert api.send("PUT", f"{ARTIFACTS}/artifacts/{path}", data=b"x").status == 200
    answer = api.get(f"{ARTIFACTS}/presigned/{path}")
    if not offers(api, "multipart_downloads_enabled"):
        answer.refused(501, "NOT_IMPLEMENTED")
        return
    assert api.session.get(answer.ok()["url"]).content == b"x"


def test_signed_addresses_of_a_run_need_a_store_that_signs(api, run):
    for direction in ("upload", "download"):
        answer = api.post(f"artifacts/presigned-{direction}-url", {"run_id": run, "path": "a.bin"})
        assert answer.status in (200, 400), answer
        if answer.status == 400:
            answer.invalid("not supported")
