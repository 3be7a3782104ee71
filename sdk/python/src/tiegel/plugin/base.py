"""What an author subclasses."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar, get_args, get_origin

from tiegel.plugin import config as configs
from tiegel.plugin.batch import Batch
from tiegel.plugin.columns import Column
from tiegel.plugin.config import NoConfig
from tiegel.plugin.errors import BadState, InvalidInput, InvalidSchema
from tiegel.plugin.schema import DType, Field, Schema

C = TypeVar("C")


class Configured(ABC, Generic[C]):
    """A class whose config is the dataclass that it names in brackets."""

    config_type: ClassVar[type] = NoConfig

    config: C

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for base in cls.__dict__.get("__orig_bases__", ()):
            origin, args = get_origin(base), get_args(base)
            if isinstance(origin, type) and issubclass(origin, Configured) and not isinstance(args[0], TypeVar):
                configs.check_type(args[0])
                cls.config_type = args[0]

    @classmethod
    def config_schema(cls) -> dict[str, Any]:
        """JSON Schema of the config; the class's docstring becomes its description."""
        words = inspect.cleandoc(cls.__doc__) if cls.__doc__ else None
        return configs.json_schema(cls.config_type, words)


class Transform(Configured[C]):
    """A plugin that turns rows into rows.

    Name, version and summary are in `tiegel-plugin.toml`. `Transform[Config]` names the config's dataclass.
    """

    row_wise: ClassVar[bool] = True
    """Output row i depends on input row i, the config and the state alone. Only such plugins run in endpoints."""

    preferred_rows: ClassVar[int] = 0
    """Rows a call should carry for good throughput; 0 leaves it to the host."""

    input: Schema
    target: Field | None

    def __init__(self, config: C, schema: Schema, target: Field | None = None) -> None:
        """As the host does it. Override `configure` instead."""
        self.config = config
        self.input = schema
        self.target = target
        self.configure()

    def configure(self) -> None:
        """Checks `self.input` against `self.config` and prepares. `self.target` is there only while fitting."""

    @abstractmethod
    def output(self) -> Schema | None:
        """The output columns; `None` while they need a state that is not there yet."""

    @abstractmethod
    def transform(self, batch: Batch) -> Batch | Sequence[Column]:
        """Columns in the order of `output`, as many rows as came in where `row_wise`."""

    def flush(self) -> Batch | Sequence[Column] | None:
        """After the last batch, called until it answers `None`. Row-wise plugins hold nothing back."""
        return None


class Estimator(Transform[C]):
    """A plugin that learns a state from rows first.

    What it learns must not depend on how the rows were cut into chunks: exactly for counts and sets, within rounding
    for sums of floats. The same rows give the same bytes: write states with `Writer`, and sort what has no order.
    """

    state_version: ClassVar[int] = 1
    """Raised when the bytes of `finish` change meaning."""

    is_fitted: bool = False
    """Whether there is a state; `transform` is called only then."""

    @abstractmethod
    def partial_fit(self, batch: Batch, target: Column | None) -> None:
        """Learns from rows. The target is there only where the step names one."""

    @abstractmethod
    def partial(self) -> bytes:
        """All that this instance has seen so far."""

    @abstractmethod
    def merge(self, partial: bytes) -> None:
        """Adds what another instance has seen, from the bytes of its `partial`."""

    def finish(self) -> bytes:
        """The state: what was seen, unless the plugin keeps less."""
        return self.partial()

    def load(self, state: bytes) -> None:
        """Restores a state: what was seen elsewhere, unless the plugin keeps less."""
        self.merge(state)

    def fitted(self) -> None:
        """Called after `finish` and after `load`: prepares what `transform` and `output` need."""


@dataclass(frozen=True)
class Tensor:
    """A named n-dimensional array, row-major, little-endian."""

    name: str
    dtype: DType
    shape: tuple[int, ...]
    data: bytes


@dataclass(frozen=True)
class Payload:
    """The body of a request or of an answer."""

    content_type: str
    body: bytes
    params: tuple[tuple[str, str], ...] = ()


class RequestProcessor(Configured[C]):
    """A plugin on the edge of an endpoint: a request body becomes tensors, model outputs become an answer."""

    def __init__(self, config: C) -> None:
        self.config = config
        self.configure()

    def configure(self) -> None:
        """Prepares."""

    @abstractmethod
    def preprocess(self, payload: Payload) -> Sequence[Tensor]: ...

    @abstractmethod
    def postprocess(self, outputs: Sequence[Tensor], accept: str) -> Payload: ...


def answered(plugin: Transform[Any], answer: Batch | Sequence[Column], rows: int | None) -> Batch:
    """What `transform` or `flush` answered, as a batch of the declared output."""
    output = plugin.output()
    if output is None:
        raise InvalidSchema("rows came out, but `output` declares no columns")
    batch = Batch(output, answer.columns if isinstance(answer, Batch) else list(answer))
    if rows is not None and batch.rows != rows:
        raise InvalidInput(f"{batch.rows} rows came out for {rows}, though the plugin is row-wise")
    return batch


def restore(plugin: Estimator[Any], state: bytes, version: int) -> None:
    """`load`, once the version fits."""
    if version != plugin.state_version:
        raise BadState(f"the state has version {version}; version {plugin.state_version} is needed")
    plugin.load(state)
    _close(plugin)


def close(plugin: Estimator[Any]) -> bytes:
    """`finish`."""
    state = plugin.finish()
    _close(plugin)
    return state


def _close(plugin: Estimator[Any]) -> None:
    plugin.fitted()
    plugin.is_fitted = True
