"""Background work on the server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

State = Literal["queued", "running", "succeeded", "failed", "cancelled"]


@dataclass(frozen=True)
class Step:
    """One unit of a job: a dataset, a pipeline's step, a training or an endpoint."""

    name: str
    kind: str
    state: str
    why: str | None
    """Why it ran or did not."""
    progress: str | None
    rows: int | None
    error: str | None
    trace_id: str | None
    output: Any
    """What it left, by digest."""

    @classmethod
    def _read(cls, step: Mapping[str, Any]) -> Step:
        known: dict[str, Any] = {name: step.get(name) for name in cls.__dataclass_fields__}
        return cls(**known)


@dataclass(frozen=True)
class Job:
    """A job as it was when the server was asked; `Client.job` asks again."""

    id: str
    project: str
    target: str
    """`kind/name`, such as `training/delay`."""
    state: State
    error: str | None
    created_ms: int
    finished_ms: int | None
    steps: tuple[Step, ...]
    """Empty in listings, and as long as the job is queued."""

    @property
    def is_final(self) -> bool:
        return self.state in ("succeeded", "failed", "cancelled")

    @classmethod
    def _read(cls, job: Mapping[str, Any]) -> Job:
        return cls(
            id=job["id"],
            project=job["project"],
            target=job["target"],
            state=job["state"],
            error=job.get("error"),
            created_ms=job["created_ms"],
            finished_ms=job.get("finished_ms"),
            steps=tuple(Step._read(step) for step in job.get("steps", ())),
        )
