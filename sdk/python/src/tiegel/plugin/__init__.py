"""Write Tiegel plugins in Python: subclass `Transform`, or `Estimator` where a state is learned.

The same class runs in an author's tests (`tiegel.plugin.testing`) and, built by `tiegel plugin build`, as a sandboxed
component in the platform. It needs the standard library only.
"""

from tiegel.plugin.base import Estimator, Payload, RequestProcessor, Tensor, Transform
from tiegel.plugin.batch import Batch
from tiegel.plugin.builder import Builder, column
from tiegel.plugin.codec import Reader, Writer
from tiegel.plugin.columns import Column
from tiegel.plugin.config import NoConfig, Range
from tiegel.plugin.errors import (
    BadState,
    InvalidConfig,
    InvalidInput,
    InvalidSchema,
    NotFitted,
    PluginError,
    Unsupported,
)
from tiegel.plugin.host import artifact, log, random, random_u64
from tiegel.plugin.schema import DType, Field, Schema

__all__ = [
    "BadState",
    "Batch",
    "Builder",
    "Column",
    "DType",
    "Estimator",
    "Field",
    "InvalidConfig",
    "InvalidInput",
    "InvalidSchema",
    "NoConfig",
    "NotFitted",
    "Payload",
    "PluginError",
    "Range",
    "Reader",
    "RequestProcessor",
    "Schema",
    "Tensor",
    "Transform",
    "Unsupported",
    "Writer",
    "artifact",
    "column",
    "log",
    "random",
    "random_u64",
]
