"""Webhooks: create, read, change, delete. The addresses are never reached: the hooks are disabled."""

import pytest
from wire import unique

# An address of its own, so that no name has to be resolved.
URL = "https://93.184.216.34/hook"
CREATED = {"entity": "REGISTERED_MODEL", "action": "CREATED"}


@pytest.fixture()
def hook(api):
    name = unique("hook")
    body = {"name": name, "url": URL, "events": [CREATED], "description": "d", "secret": "s", "status": "DISABLED"}
    made = api.post("webhooks", body).ok()["webhook"]
    yield made
    api.delete(f"webhooks/{made['webhook_id']}")


def test_a_new_hook(api, hook):
    read = api.get(f"webhooks/{hook['webhook_id']}").ok()["webhook"]
    assert read == hook
    assert (hook["url"], hook["events"], hook["status"], hook["description"]) == (URL, [CREATED], "DISABLED", "d")
    assert hook["creation_timestamp"] == hook["last_updated_timestamp"] > 1_600_000_000_000
    assert "secret" not in hook


def test_hooks_are_listed(api, hook):
    listed = api.get("webhooks", max_results=1_000).ok()["webhooks"]
    assert hook["webhook_id"] in [entry["webhook_id"] for entry in listed]


def test_pages_of_hooks(api):
    ids = set()
    for _ in range(3):
        body = {"name": unique("page"), "url": URL, "events": [CREATED], "status": "DISABLED"}
        ids.add(api.post("webhooks", body).ok()["webhook"]["webhook_id"])
    found, token = set(), None
    while True:
        query = {"max_results": 1} | ({"page_token": token} if token else {})
        page = api.get("webhooks", **query).ok()
        found |= {entry["webhook_id"] for entry in page.get("webhooks", [])}
        token = page.get("next_page_token")
        if not token:
            break
    assert ids <= found
    for webhook_id in ids:
        assert api.delete(f"webhooks/{webhook_id}").ok() == {}


def test_an_update_changes_what_it_names(api, hook):
    path = f"webhooks/{hook['webhook_id']}"
    event = {"entity": "MODEL_VERSION", "action": "CREATED"}
    changed = api.patch(path, {"name": hook["name"] + "-new", "events": [event]}).ok()["webhook"]
    assert (changed["name"], changed["events"], changed["url"]) == (hook["name"] + "-new", [event], URL)
    assert changed["status"] == "DISABLED"
    assert api.get(path).ok()["webhook"] == changed


def test_a_deleted_hook_is_not_found(api, hook):
    path = f"webhooks/{hook['webhook_id']}"
    assert api.delete(path).ok() == {}
    api.get(path).not_found(hook["webhook_id"])
    api.delete(path).not_found()
    api.patch(path, {"name": "x"}).not_found()


EVENTS = [
    ("REGISTERED_MODEL", "CREATED"),
    ("MODEL_VERSION", "CREATED"),
    ("MODEL_VERSION_TAG", "SET"),
    ("MODEL_VERSION_TAG", "DELETED"),
    ("MODEL_VERSION_ALIAS", "CREATED"),
    ("MODEL_VERSION_ALIAS", "DELETED"),
    ("PROMPT", "CREATED"),
    ("PROMPT_VERSION", "CREATED"),
    ("PROMPT_TAG", "SET"),
    ("PROMPT_ALIAS", "CREATED"),
]


def test_every_event(api):
    events = [{"entity": entity, "action": action} for entity, action in EVENTS]
    body = {"name": unique("all"), "url": URL, "events": events, "status": "DISABLED"}
    made = api.post("webhooks", body).ok()["webhook"]
    assert sorted(map(str, made["events"])) == sorted(map(str, events))
    api.delete(f"webhooks/{made['webhook_id']}").ok()


@pytest.mark.parametrize(
    "change, says",
    [
        ({"name": None}, "Missing value for required parameter 'name'"),
        ({"url": None}, "Missing value for required parameter 'url'"),
        ({"events": None}, "Missing value for required parameter 'events'"),
        ({"url": "http://93.184.216.34/hook"}, "scheme"),
        ({"url": "nonsense"}, "scheme"),
        ({"url": "ftp://93.184.216.34"}, "scheme"),
        ({"url": "https://127.0.0.1/hook"}, "non-public"),
        ({"url": "https://10.0.0.1/hook"}, "non-public"),
        ({"url": "https://192.168.1.1/hook"}, "non-public"),
        ({"url": "https://169.254.169.254/latest"}, "non-public"),
        ({"url": "https://[::1]/hook"}, "non-public"),
        ({"url": "https://0.0.0.0/hook"}, "non-public"),
        ({"url": "https:///hook"}, ""),
        ({"events": []}, "event"),
        ({"events": [{"entity": "REGISTERED_MODEL", "action": "SET"}]}, "Invalid action"),
        ({"name": "bad name*"}, "name"),
        ({"name": "-bad"}, "name"),
        ({"name": "x" * 64}, "name"),
    ],
)
def test_a_bad_hook_is_refused(api, change, says):
    body = {"name": unique("bad"), "url": URL, "events": [CREATED], "status": "DISABLED"} | change
    api.post("webhooks", body).invalid(says)


def test_client_webhooks(client):
    from mlflow.entities.webhook import WebhookStatus

    hook = client.create_webhook(unique("client"), URL, ["model_version.created"], status=WebhookStatus.DISABLED)
    assert client.get_webhook(hook.webhook_id).events[0].entity.value == "model_version"
    client.update_webhook(hook.webhook_id, description="new")
    assert client.get_webhook(hook.webhook_id).description == "new"
    assert hook.webhook_id in [entry.webhook_id for entry in client.list_webhooks(max_results=1_000)]
    client.delete_webhook(hook.webhook_id)
