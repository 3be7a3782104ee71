"""What MLflow's web page asks a server for, page by page, and what it would show: ids and times that a server gives itself
are replaced by names."""

import dataclasses
import json
import re
from typing import Any

import requests

SOURCE_RUN = "tiegel.source_run_id"
SOURCE_MODEL = "tiegel.source_model_id"
VIEW_ALL = "ALL"
PROMPTS = "tags.`mlflow.prompt.is_prompt` = 'true'"
NO_PROMPTS = "tags.`mlflow.prompt.is_prompt` != 'true'"
# A server gives these itself.
OWN = ("experiment_id", "run_id", "run_uuid", "model_id", "artifact_uri", "artifact_location", "source_run_id")
TIMES = ("creation_time", "last_update_time", "creation_timestamp", "last_updated_timestamp", "creation_timestamp_ms")
TIMES = (*TIMES, "last_updated_timestamp_ms")


@dataclasses.dataclass
class Page:
    """A browser at one server."""

    url: str

    def get(self, path: str, /, **query: Any) -> dict[str, Any]:
        return self.answer(requests.get(f"{self.url}/ajax-api/{path}", params=query, timeout=60))

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self.answer(requests.post(f"{self.url}/ajax-api/{path}", json=body, timeout=60))

    @staticmethod
    def answer(response: requests.Response) -> dict[str, Any]:
        assert response.status_code == 200, f"{response.request.method} {response.url}: {response.text[:400]}"
        return response.json()

    def experiments(self) -> list[dict[str, Any]]:
        found = self.get("2.0/mlflow/experiments/search", max_results=1000, view_type=VIEW_ALL)
        return sorted(found["experiments"], key=lambda e: e["name"])

    def runs(self, experiments: list[str], **more: Any) -> list[dict[str, Any]]:
        body = {"experiment_ids": experiments, "max_results": 2, "run_view_type": VIEW_ALL} | more
        runs, token = [], None
        while True:
            page = self.post("2.0/mlflow/runs/search", body | ({"page_token": token} if token else {}))
            runs += page.get("runs", [])
            token = page.get("next_page_token")
            if not token:
                return runs


class Shown:
    """All that the page shows, with the ids of the first server for those of this one."""

    def __init__(self, url: str):
        self.page = Page(url)
        self.experiments = self.page.experiments()
        self.ids = [e["experiment_id"] for e in self.experiments]
        self.runs = self.page.runs(self.ids)
        models = self.page.post("2.0/mlflow/logged-models/search", {"experiment_ids": self.ids, "max_results": 50})
        self.models = models.get("models", [])
        self.names = {e["experiment_id"]: e["name"] for e in self.experiments}
        self.first = {run["info"]["run_id"]: tag(run["data"], SOURCE_RUN) or run["info"]["run_id"] for run in self.runs}
        self.first |= {m["info"]["model_id"]: tag(m["info"], SOURCE_MODEL) or m["info"]["model_id"] for m in self.models}
        self.pattern = re.compile("|".join(map(re.escape, self.first)))

    def plain(self, value: Any) -> Any:
        """Without what a server gives itself, in one order, and with the ids that things had first."""
        if isinstance(value, dict):
            if value.get("key") == "mlflow.modelVersions":
                # MLflow's client and its server both add a version to it, one as a text.
                versions = {(one["name"], str(one["version"])) for one in json.loads(value["value"])}
                return {"key": value["key"], "value": sorted(versions)}
            kept = {key: self.plain(one) for key, one in value.items() if key not in (*OWN, *TIMES)}
            return kept | {key: self.first.get(value[key], value[key]) for key in OWN[1:4] if key in value}
        if isinstance(value, list):
            mine = [one for one in value if not (isinstance(one, dict) and one.get("key") in (SOURCE_RUN, SOURCE_MODEL))]
            return sorted((self.plain(one) for one in mine), key=str)
        if isinstance(value, str):
            return self.pattern.sub(lambda found: self.first[found[0]], value)
        return value

    def experiment_list(self) -> list[Any]:
        return [self.plain(e) for e in self.experiments]

    def run_table(self) -> dict[str, Any]:
        shown = {self.first[run["info"]["run_id"]]: self.plain(run) for run in self.runs}
        for run in self.runs:
            found = shown[self.first[run["info"]["run_id"]]]
            found["experiment"] = self.names[run["info"]["experiment_id"]]
        return shown

    def searches(self) -> dict[str, list[str]]:
        """The table, ordered and filtered as its controls do."""
        asked = {
            "finished": {"filter": "attributes.status = 'FINISHED'"},
            "by_metric": {"filter": "metrics.`loss` > 0", "order_by": ["metrics.`loss` DESC"]},
            "by_param": {"filter": "params.`C` = '1.0'"},
            "by_tag": {"filter": "tags.`kind` = 'long'"},
            "by_dataset": {"filter": "dataset.name = 'set-train'"},
            "deleted": {"run_view_type": "DELETED_ONLY"},
            "newest_first": {"order_by": ["attributes.start_time DESC"]},
        }
        found = {name: self.page.runs(self.ids, **body) for name, body in asked.items()}
        return {name: [self.first[run["info"]["run_id"]] for run in runs] for name, runs in found.items()}

    def run_page(self, run: dict[str, Any]) -> dict[str, Any]:
        run_id = run["info"]["run_id"]
        keys = sorted(metric["key"] for metric in run["data"].get("metrics", []))
        bulk = "2.0/mlflow/metrics/get-history-bulk-interval"
        return {
            "run": self.plain(self.page.get("2.0/mlflow/runs/get", run_id=run_id)),
            "history": {key: self.history(run_id, key) for key in keys},
            "curves": {
                key: self.plain(self.page.get(bulk, run_ids=run_id, metric_key=key, max_results=320)) for key in keys
            },
            "files": self.files(run_id, None),
        }

    def history(self, run_id: str, key: str) -> Any:
        found = self.page.get("2.0/mlflow/metrics/get-history", run_id=run_id, metric_key=key, max_results=25_000)
        return self.plain(found["metrics"])

    def files(self, run_id: str, folder: str | None) -> dict[str, Any]:
        query = {"run_id": run_id} | ({"path": folder} if folder else {})
        found = {}
        for entry in self.page.get("2.0/mlflow/artifacts/list", **query).get("files", []):
            if entry["is_dir"]:
                found |= self.files(run_id, entry["path"])
            else:
                url = f"{self.page.url}/get-artifact"
                answer = requests.get(url, params={"path": entry["path"], "run_uuid": run_id}, timeout=60)
                assert answer.status_code == 200, entry
                found[entry["path"]] = (entry.get("file_size"), hash(self.bytes_shown(answer.content)))
        return found

    def bytes_shown(self, content: bytes) -> Any:
        """A model's description names its run and itself."""
        try:
            return self.plain(content.decode())
        except UnicodeDecodeError:
            return content

    def model_pages(self) -> dict[str, Any]:
        found = {}
        for model in self.models:
            model_id = model["info"]["model_id"]
            page = self.page.get(f"2.0/mlflow/logged-models/{model_id}")
            listed = self.page.get(f"2.0/mlflow/logged-models/{model_id}/artifacts/directories")
            files = sorted((f["path"], f["is_dir"], f.get("file_size")) for f in listed["files"])
            found[self.first[model_id]] = {"page": self.plain(page), "files": files}
        return found

    def registry(self, chosen: str) -> dict[str, Any]:
        found = self.page.get("2.0/mlflow/registered-models/search", filter=chosen, max_results=25)
        shown = {}
        for model in found.get("registered_models", []):
            name = model["name"]
            wanted = {"filter": f"name='{name}'" + (f" AND {PROMPTS}" if chosen == PROMPTS else ""), "max_results": 100}
            versions = self.page.get("2.0/mlflow/model-versions/search", **wanted)
            one = self.page.get("2.0/mlflow/registered-models/get", name=name)
            shown[name] = {
                "listed": self.plain(model),
                "page": self.plain(one),
                "versions": self.plain(versions.get("model_versions", [])),
            }
        return shown

    def traces(self) -> dict[str, Any]:
        locations = [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": one}} for one in self.ids]
        found = self.page.post("3.0/mlflow/traces/search", {"locations": locations, "max_results": 100})
        shown = {}
        for info in found.get("traces", []):
            spans = self.page.get("3.0/mlflow/get-trace-artifact", request_id=info["trace_id"])
            info["tags"].pop("mlflow.artifactLocation", None)
            shown[info["trace_id"]] = {"info": self.plain(info), "spans": self.plain(spans)}
        return shown


def tag(holder: dict[str, Any], key: str) -> str | None:
    return next((one["value"] for one in holder.get("tags", []) if one["key"] == key), None)


def differences(before: Any, after: Any, at: str = "") -> list[str]:
    """Where two values differ, for people."""
    if isinstance(before, dict) and isinstance(after, dict):
        keys = sorted({*before, *after}, key=str)
        return [found for key in keys for found in differences(before.get(key), after.get(key), f"{at}/{key}")]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        return [found for index, (one, other) in pairs for found in differences(one, other, f"{at}[{index}]")]
    return [] if before == after else [f"{at}: {before!r} became {after!r}"]
