"""Client of Tiegel, a machine-learning platform in one binary.

Experiments, runs and models are MLflow's own client's business: `connect()` points it at the server. This package adds
what MLflow has no words for: datasets, SQL, project folders, jobs and predictions. `tiegel.plugin` is for those who
write plugins; it needs nothing of the client, which is therefore loaded only when it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tiegel.answers import Applied, Change, Dataset, Field, Overview, Plan, PlannedStep
    from tiegel.client import Client, connect
    from tiegel.errors import (
        ApiError,
        Busy,
        Conflict,
        ConnectionFailed,
        Denied,
        Invalid,
        JobFailed,
        MissingPackage,
        NotFound,
        TiegelError,
        TruncatedWarning,
    )
    from tiegel.jobs import Job, Step
    from tiegel.predictions import Predictions

__all__ = [
    "ApiError",
    "Applied",
    "Busy",
    "Change",
    "Client",
    "Conflict",
    "ConnectionFailed",
    "Dataset",
    "Denied",
    "Field",
    "Invalid",
    "Job",
    "JobFailed",
    "MissingPackage",
    "NotFound",
    "Overview",
    "Plan",
    "PlannedStep",
    "Predictions",
    "Step",
    "TiegelError",
    "TruncatedWarning",
    "connect",
]
__version__ = "0.1.0"

_HOMES = {
    "ApiError": "tiegel.errors",
    "Applied": "tiegel.answers",
    "Busy": "tiegel.errors",
    "Change": "tiegel.answers",
    "Client": "tiegel.client",
    "Conflict": "tiegel.errors",
    "ConnectionFailed": "tiegel.errors",
    "Dataset": "tiegel.answers",
    "Denied": "tiegel.errors",
    "Field": "tiegel.answers",
    "Invalid": "tiegel.errors",
    "Job": "tiegel.jobs",
    "JobFailed": "tiegel.errors",
    "MissingPackage": "tiegel.errors",
    "NotFound": "tiegel.errors",
    "Overview": "tiegel.answers",
    "Plan": "tiegel.answers",
    "PlannedStep": "tiegel.answers",
    "Predictions": "tiegel.predictions",
    "Step": "tiegel.jobs",
    "TiegelError": "tiegel.errors",
    "TruncatedWarning": "tiegel.errors",
    "connect": "tiegel.client",
}


def __getattr__(name: str) -> Any:
    if (home := _HOMES.get(name)) is None:
        raise AttributeError(f"module 'tiegel' has no attribute '{name}'")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
