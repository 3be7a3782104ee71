"""What the server answers, as it sends it."""

from __future__ import annotations

from typing import Any, Literal, TypedDict


class Field(TypedDict):
    """A column."""

    name: str
    dtype: str
    nullable: bool
    width: int
    """Values in each row; more than 1 for a fixed-size list."""


class Dataset(TypedDict):
    """A dataset version."""

    name: str
    version: int
    digest: str
    rows: int
    bytes: int
    created_ms: int
    schema: list[Field]
    profile: dict[str, Any] | None
    """Absent for a pipeline's tables, and in listings."""
    tests: list[dict[str, Any]]


class FieldChange(TypedDict):
    path: str
    old: Any
    new: Any


class Change(TypedDict):
    action: Literal["create", "update", "delete", "none"]
    kind: str
    name: str
    fields: list[FieldChange]


class PlannedStep(TypedDict):
    step: str
    verdict: Literal["cached", "run"]
    why: str


class PlannedPipeline(TypedDict):
    pipeline: str
    serves: str
    """Where an endpoint takes over, or why none can."""
    servable: bool


class Plan(TypedDict):
    """What applying would change, and what running afterwards would run."""

    serial: int
    changes: list[Change]
    steps: list[PlannedStep]
    pipelines: list[PlannedPipeline]


class Applied(TypedDict):
    serial: int
    changes: list[Change]


class Overview(TypedDict):
    """A project at a glance."""

    version: str
    project: str
    projects: list[dict[str, Any]]
    datasets: list[dict[str, Any]]
    pipelines: list[dict[str, Any]]
    trainings: list[dict[str, Any]]
    runs: list[dict[str, Any]]
    models: list[dict[str, Any]]
    endpoints: list[dict[str, Any]]
    jobs: list[dict[str, Any]]
