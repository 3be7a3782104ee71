"""Client of Tiegel, a machine-learning platform in one binary.

Experiments, runs and models are MLflow's own client's business: `connect()` points it at the server. This package adds
what MLflow has no words for: datasets, SQL, project folders, jobs and predictions.
"""

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
