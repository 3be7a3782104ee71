"""The connection to a server, as a data scientist uses it."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast, overload
from urllib.parse import quote

from tiegel import documents as project_documents
from tiegel import environment, tables
from tiegel.answers import Applied, Dataset, Overview, Plan
from tiegel.connection import Connection, Upload
from tiegel.documents import Documents, Folder
from tiegel.errors import JobFailed, TruncatedWarning
from tiegel.jobs import Job
from tiegel.predictions import Predictions
from tiegel.tables import FrameKind

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

Table: TypeAlias = Any
"""A pandas, polars or pyarrow table, anything else that speaks Arrow's C stream, or rows as dicts."""

PREDICT_ROWS_MAX = 10_000
POLL_SECONDS_MIN = 0.02
POLL_SECONDS_MAX = 0.5
TIMEOUT_SECONDS = 300.0


def connect(url: str | None = None, token: str | None = None, project: str = "default") -> Client:
    """Connects to a server, and points MLflow's client at it.

    `url` and `token` default to TIEGEL_SERVER and TIEGEL_TOKEN. MLflow's tracking URI, its token and, where the project
    is not `default`, the workspace that it sends become those of this connection, here and in child processes. Raises
    `ConnectionFailed` where no server answers.
    """
    url = url or os.environ.get(environment.SERVER) or environment.DEFAULT_SERVER
    token = token or os.environ.get(environment.TOKEN) or None
    client = Client(url, token, project)
    client.version()
    environment.point_mlflow_at(client.url, token, project)
    return client


class Client:
    """One project of one server. Threads may share it; it touches nothing outside itself, unlike `connect`."""

    def __init__(
        self,
        url: str = environment.DEFAULT_SERVER,
        token: str | None = None,
        project: str = "default",
        *,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        self._connection = Connection(url, token, timeout)
        self.url = self._connection.url
        self.project = project

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"tiegel.Client({self.url!r}, project={self.project!r})"

    def close(self) -> None:
        """Closes this thread's connection."""
        self._connection.close()

    def version(self) -> str:
        """The server's version."""
        return str(self._connection.get("/api/v1/version").json()["version"])

    def status(self) -> Overview:
        """Datasets, pipelines, trainings, runs, models, endpoints and jobs of the project at a glance."""
        return cast(Overview, self._connection.get("/api/v1/overview", {"project": self.project}).json())

    # --- datasets

    @overload
    def upload_dataset(
        self, name: str, data: Table, *, format: str | None = None, wait: Literal[True] = True
    ) -> Dataset: ...
    @overload
    def upload_dataset(self, name: str, data: Table, *, format: str | None = None, wait: Literal[False]) -> Job: ...
    def upload_dataset(
        self,
        name: str,
        data: Table | str | os.PathLike[str],
        *,
        format: str | None = None,  # noqa: A002 (the word that the server uses)
        wait: bool = True,
    ) -> Dataset | Job:
        """Makes a dataset of a table or of a file, or a new version of it.

        A file may be CSV (also `.gz` and `.zip`), Parquet, JSON lines or Arrow IPC, by its ending or by `format`. The
        types and tests that the project's documents declare stay in force; a test that fails raises `JobFailed`.
        """
        if isinstance(data, (str, os.PathLike)):
            file, query = tables.open_file(data), {"file": Path(data).name}
            query |= {"format": format} if format else {}
        else:
            file, encoded = tables.encode(data)
            query = {"format": encoded, "file": name}
        with file:
            answer = self._connection.request("POST", f"{self._dataset(name)}/rows", query=query, body=Upload.of(file))
        job = Job._read(answer.json())
        if not wait:
            return job
        self.wait(job)
        return self.dataset(name)

    def datasets(self) -> list[Dataset]:
        """The project's datasets, pipelines' tables included, at their newest version."""
        return cast("list[Dataset]", self._connection.get(self._path("datasets")).json())

    def dataset(self, name: str, version: int | None = None) -> Dataset:
        """A dataset's schema, profile and tests; the newest version unless told."""
        query = {"version": str(version)} if version is not None else None
        return cast(Dataset, self._connection.get(self._dataset(name), query).json())

    @overload
    def read_dataset(
        self,
        name: str,
        into: Literal["pandas"] = "pandas",
        *,
        version: int | None = None,
        columns: Iterable[str] | None = None,
        limit: int | None = None,
    ) -> pandas.DataFrame: ...
    @overload
    def read_dataset(
        self,
        name: str,
        into: Literal["polars"],
        *,
        version: int | None = None,
        columns: Iterable[str] | None = None,
        limit: int | None = None,
    ) -> polars.DataFrame: ...
    @overload
    def read_dataset(
        self,
        name: str,
        into: Literal["pyarrow"],
        *,
        version: int | None = None,
        columns: Iterable[str] | None = None,
        limit: int | None = None,
    ) -> pyarrow.Table: ...
    @overload
    def read_dataset(
        self,
        name: str,
        into: Literal["rows"],
        *,
        version: int | None = None,
        columns: Iterable[str] | None = None,
        limit: int | None = None,
    ) -> list[dict[str, Any]]: ...
    def read_dataset(
        self,
        name: str,
        into: FrameKind = "pandas",
        *,
        version: int | None = None,
        columns: Iterable[str] | None = None,
        limit: int | None = None,
    ) -> Any:
        """All rows of a dataset, or the first `limit`, in their order."""
        query = {"version": version, "columns": ",".join(columns) if columns is not None else None, "limit": limit}
        given = {key: str(value) for key, value in query.items() if value is not None}
        answer = self._connection.get(f"{self._dataset(name)}/rows", given, tables.media_of(into))
        return tables.decode(answer.body, into)

    @overload
    def query(
        self, sql: str, into: Literal["pandas"] = "pandas", *, rows_max: int | None = None
    ) -> pandas.DataFrame: ...
    @overload
    def query(self, sql: str, into: Literal["polars"], *, rows_max: int | None = None) -> polars.DataFrame: ...
    @overload
    def query(self, sql: str, into: Literal["pyarrow"], *, rows_max: int | None = None) -> pyarrow.Table: ...
    @overload
    def query(self, sql: str, into: Literal["rows"], *, rows_max: int | None = None) -> list[dict[str, Any]]: ...
    def query(self, sql: str, into: FrameKind = "pandas", *, rows_max: int | None = None) -> Any:
        """One SELECT over the project's datasets; a pipeline's table is `"pipeline.step"`.

        Warns with `TruncatedWarning` where the answer has as many rows as the server gives at most; `rows_max` asks for
        fewer and says that this is meant.
        """
        request = {"sql": sql} if rows_max is None else {"sql": sql, "rows_max": rows_max}
        answer = self._connection.post(self._path("sql"), request, tables.media_of(into))
        table = tables.decode(answer.body, into)
        limit = answer.headers.get("x-tiegel-rows-max")
        if rows_max is None and limit is not None and tables.rows_of(table, into) >= int(limit):
            text = f"the answer stops after {limit} rows, the server's limit; narrow it down or aggregate"
            warnings.warn(text, TruncatedWarning, stacklevel=2)
        return table

    # --- projects and jobs

    def plan(self, documents: Documents = ".", *, prune: bool = False) -> Plan:
        """What applying a project folder would change, and which steps would run. Changes nothing."""
        folder = self._read(documents)
        return cast(Plan, self._post_documents(folder, "plan", {"prune": prune}))

    def apply(self, documents: Documents = ".", *, prune: bool = False, serial: int | None = None) -> Applied:
        """Makes a folder's documents the project's, all or none, and uploads the files that they name. Runs nothing.

        `prune` removes what the folder no longer names. `serial`, from a plan, refuses where somebody applied since.
        """
        folder = self._read(documents)
        folder.upload(self._connection)
        return cast(Applied, self._post_documents(folder, "apply", {"prune": prune, "serial": serial}))

    def run(self, target: str, *, no_cache: bool = False, wait: bool = True, timeout: float | None = None) -> Job:
        """Brings a dataset, pipeline, training or endpoint up to date: `training/delay`. Raises `JobFailed`."""
        answer = self._connection.post(self._path("jobs"), {"target": target, "no_cache": no_cache})
        job = Job._read(answer.json())
        return self.wait(job, timeout=timeout) if wait else job

    def wait(self, job: Job | str, *, timeout: float | None = None) -> Job:
        """Waits for a job's end. Raises `JobFailed`, or `TimeoutError` while the job goes on."""
        id_ = job.id if isinstance(job, Job) else job
        deadline = None if timeout is None else time.monotonic() + timeout
        pause = POLL_SECONDS_MIN
        while not (found := self.job(id_)).is_final:
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(f"run {id_} of {found.target} is still {found.state} after {timeout} s")
            time.sleep(pause)
            pause = min(2 * pause, POLL_SECONDS_MAX)
        if found.state != "succeeded":
            raise JobFailed(found)
        return found

    def job(self, id: str = "latest") -> Job:  # noqa: A002 (the field's name)
        """A job with its steps."""
        return Job._read(self._connection.get(f"/api/v1/jobs/{quote(id, safe='')}").json())

    def jobs(self, limit: int = 50) -> list[Job]:
        """The project's newest jobs."""
        return [Job._read(job) for job in self._connection.get(self._path("jobs"), {"limit": str(limit)}).json()]

    def cancel(self, job: Job | str) -> Job:
        """Asks a job to stop; what it finished stays."""
        id_ = job.id if isinstance(job, Job) else job
        return Job._read(self._connection.post(f"/api/v1/jobs/{quote(id_, safe='')}/cancel", {}).json())

    # --- serving

    def predict(self, endpoint: str, rows: Table | Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> Predictions:
        """Predicts a table, a list of dicts, or one row as a dict. An answer has one number a row."""
        records = tables.to_rows(rows)
        path = f"/api/v1/endpoints/{quote(endpoint, safe='')}/predict"
        starts = range(0, max(len(records), 1), PREDICT_ROWS_MAX)
        answers = [self._connection.post(path, {"rows": records[at : at + PREDICT_ROWS_MAX]}) for at in starts]
        bodies = [answer.json() for answer in answers]
        values = tuple(value for body in bodies for value in body["predictions"])
        bundle = answers[-1].headers.get("x-tiegel-bundle", "")
        return Predictions(values, bodies[-1]["model"], bodies[-1]["version"], bundle)

    # --- inside

    def _path(self, rest: str, project: str | None = None) -> str:
        return f"/api/v1/projects/{quote(project or self.project, safe='')}/{rest}"

    def _dataset(self, name: str) -> str:
        return self._path(f"datasets/{quote(name, safe='')}")

    def _read(self, documents: Documents) -> Folder:
        return project_documents.read(self._connection, documents, self.project)

    def _post_documents(self, folder: Folder, verb: str, options: dict[str, Any]) -> Any:
        body = {"documents": folder.documents, **{key: value for key, value in options.items() if value is not None}}
        return self._connection.post(self._path(verb, folder.project), body).json()
