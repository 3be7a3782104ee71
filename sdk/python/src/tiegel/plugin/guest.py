"""Between the contract's exports and an author's class. It exists inside a component only.

`tiegel plugin build` writes a module that calls `bind` and takes the exported classes from here.
"""

from __future__ import annotations

import json
import pathlib
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType, TracebackType
from typing import Any, NamedTuple, TypeVar, cast

from componentize_py_types import Err
from wit_world.imports import artifacts, types
from wit_world.imports import log as host_log

from tiegel.plugin import base, config, host
from tiegel.plugin.base import Configured, Estimator, RequestProcessor, Transform
from tiegel.plugin.batch import Batch
from tiegel.plugin.columns import Column
from tiegel.plugin.errors import InvalidInput, NotFitted, PluginError, Unsupported
from tiegel.plugin.schema import DTYPES, Field, Schema

try:
    from wit_world.imports import random as host_random
except ImportError:  # The edge of an endpoint has no random numbers.
    host_random = None

T = TypeVar("T")

_WORLDS: dict[str, type] = {"transform": Transform, "estimator": Estimator, "request-processor": RequestProcessor}


@dataclass(frozen=True)
class About:
    """What the manifest says."""

    name: str
    version: str
    summary: str
    world: str


class _Component(NamedTuple):
    about: About
    plugin: type[Configured[Any]]


_component: _Component | None = None
_instance: Configured[Any] | None = None


def bind(module: ModuleType, about: About) -> None:
    """Makes the one plugin class of the author's module the plugin of this component."""
    global _component
    wanted = _WORLDS[about.world]
    own = [kind for kind in vars(module).values() if isinstance(kind, type) and kind.__module__ == module.__name__]
    found = [kind for kind in own if issubclass(kind, Configured) and not getattr(kind, "__abstractmethods__", None)]
    names = ", ".join(kind.__name__ for kind in found)
    if len(found) != 1:
        unfinished = [kind for kind in own if issubclass(kind, Configured) and kind not in found]
        lacking = [f"{kind.__name__} lacks {', '.join(sorted(kind.__abstractmethods__))}" for kind in unfinished]
        raise SystemExit(
            f"{module.__name__}.py has {'two plugin classes or more: ' + names if found else 'no plugin class'}; "
            f"one that subclasses {wanted.__name__} is needed" + (f" ({'; '.join(lacking)})" if lacking else "")
        )
    if not issubclass(found[0], wanted) or (issubclass(found[0], Estimator) and wanted is not Estimator):
        raise SystemExit(
            f'tiegel-plugin.toml says world = "{about.world}", so {names} must subclass {wanted.__name__} directly'
        )
    found[0].config_schema()
    _component = _Component(about, found[0])
    host.use(_Platform())


class _Platform:
    """The host's services behind the SDK's."""

    def log(self, level: str, message: str, fields: list[tuple[str, str]]) -> None:
        host_log.log(host_log.Level[level.upper()], message, fields)

    def next_u64(self) -> int:
        if host_random is None:
            raise Unsupported("a request processor has no random numbers")
        return int(host_random.next_u64())

    def read_artifact(self, name: str, offset: int, count: int) -> bytes:
        try:
            return bytes(artifacts.read(name, offset, count))
        except Err as error:
            raise Unsupported(str(error.value)) from None


class Meta:
    def describe(self) -> Any:
        from wit_world.exports import meta

        return _guarded(lambda: meta.Descriptor(*_description()))

    def configure(self, config_json: str, schema: Any, target: Any) -> Any:
        return _guarded(lambda: _configure(config_json, schema, target))


class Transformer:
    def transform(self, batch: Any) -> Any:
        return _guarded(lambda: _transform(batch))

    def flush(self) -> Any:
        return _guarded(_flush)


class Fitter:
    def partial_fit(self, batch: Any, target: Any) -> None:
        _guarded(lambda: _partial_fit(batch, target))

    def partial(self) -> bytes:
        return _guarded(lambda: _estimator().partial())

    def merge(self, partial: bytes) -> None:
        _guarded(lambda: _estimator().merge(partial))

    def finish(self) -> Any:
        def finished() -> Any:
            state = base.close(_estimator())
            return _declared(), state

        return _guarded(finished)

    def load(self, state: bytes, state_version: int) -> Any:
        def restored() -> Any:
            base.restore(_estimator(), state, state_version)
            return _declared()

        return _guarded(restored)


class Request:
    def preprocess(self, request: Any) -> Any:
        payload = base.Payload(request.content_type, request.body, tuple(request.params))
        return _guarded(lambda: [_raw_tensor(tensor) for tensor in _bound(RequestProcessor).preprocess(payload)])

    def postprocess(self, outputs: Any, accept: str) -> Any:
        from wit_world.exports import request

        def answer() -> Any:
            payload = _bound(RequestProcessor).postprocess([_tensor(raw) for raw in outputs], accept)
            return request.Payload(payload.content_type, bytes(payload.body), list(payload.params))

        return _guarded(answer)


def _description() -> tuple[str, str, str, str, bool, int, int]:
    assert _component is not None, "the component was bound while it was built"
    about, plugin = _component
    state_version = plugin.state_version if issubclass(plugin, Estimator) else 0
    row_wise, preferred = (plugin.row_wise, plugin.preferred_rows) if issubclass(plugin, Transform) else (True, 0)
    schema = json.dumps(plugin.config_schema())
    return about.name, about.version, about.summary, schema, row_wise, preferred, state_version


def _configure(text: str, raw_input: Any, raw_target: Any) -> Any:
    global _instance
    assert _component is not None, "the component was bound while it was built"
    plugin = _component.plugin
    settings: Any = config.parse(plugin.config_type, text)
    if issubclass(plugin, RequestProcessor):
        _instance = plugin(settings)
        return None
    assert issubclass(plugin, Transform), "there are two kinds of plugins"
    target = None if raw_target is None else _field(raw_target)
    bound = plugin(settings, Schema(map(_field, raw_input.fields)), target)
    _instance = bound
    output = bound.output()
    return None if output is None else _raw_schema(output)


def _transform(raw: Any) -> Any:
    plugin = _bound(Transform)
    if isinstance(plugin, Estimator) and not plugin.is_fitted:
        raise NotFitted("fit the plugin or load a state first")
    batch = _batch(plugin, raw)
    return _raw_batch(base.answered(plugin, plugin.transform(batch), batch.rows if plugin.row_wise else None))


def _flush() -> Any:
    plugin = _bound(Transform)
    answer = plugin.flush()
    return None if answer is None else _raw_batch(base.answered(plugin, answer, None))


def _partial_fit(raw: Any, raw_target: Any) -> None:
    plugin = _estimator()
    batch = _batch(plugin, raw)
    target = None
    if plugin.target is not None and raw_target is not None:
        target = Column(plugin.target, batch.rows, raw_target.data, raw_target.validity, raw_target.offsets)
    plugin.partial_fit(batch, target)


def _estimator() -> Estimator[Any]:
    return _bound(Estimator)


def _bound(kind: Callable[..., T]) -> T:
    """The configured plugin, which is one of that kind."""
    if not (isinstance(kind, type) and isinstance(_instance, kind)):
        raise PluginError("configure was not called first")
    return cast(T, _instance)


def _declared() -> Any:
    output = _estimator().output()
    if output is None:
        raise PluginError("fitted, but `output` declares no columns")
    return _raw_schema(output)


def _field(raw: Any) -> Field:
    return Field(raw.name, DTYPES[raw.dtype.value], raw.nullable, raw.width)


def _raw_schema(schema: Schema) -> Any:
    fields = [types.Field(f.name, types.Dtype(DTYPES.index(f.dtype)), f.nullable, f.width) for f in schema]
    return types.Schema(fields)


def _batch(plugin: Transform[Any], raw: Any) -> Batch:
    fields: Sequence[Field] = plugin.input.fields
    if len(raw.columns) != len(fields):
        raise InvalidInput(f"{len(raw.columns)} columns came where {len(fields)} were configured")
    columns = [
        Column(field, raw.rows, one.data, one.validity, one.offsets)
        for field, one in zip(fields, raw.columns, strict=True)
    ]
    return Batch(plugin.input, columns, raw.rows)


def _raw_batch(batch: Batch) -> Any:
    return types.Batch(batch.rows, [_raw_column(column) for column in batch])


def _raw_column(column: Column) -> Any:
    # The bindings copy bytes as a block, and know no other buffer.
    validity = None if column.validity is None else bytes(column.validity)
    return types.Column(bytes(column.data), validity, None if column.offsets is None else bytes(column.offsets))


def _tensor(raw: Any) -> base.Tensor:
    return base.Tensor(raw.name, DTYPES[raw.dtype.value], tuple(raw.shape), raw.data)


def _raw_tensor(tensor: base.Tensor) -> Any:
    return types.Tensor(tensor.name, types.Dtype(DTYPES.index(tensor.dtype)), list(tensor.shape), bytes(tensor.data))


def _guarded(call: Callable[[], T]) -> T:
    """Runs a call; whatever it raises becomes an error of the contract, and what nobody foresaw is logged as well."""
    try:
        return call()
    except PluginError as error:
        raise Err(_raw_error(error.code, error.message, error.column, error.row)) from None
    except Exception as error:
        for line in traceback.format_exception(error):
            host_log.log(host_log.Level.ERROR, line.rstrip(), [])
        message = f"{type(error).__name__}: {error}{_place(error.__traceback__)}"
        raise Err(_raw_error("internal", message, None, None)) from None


def _raw_error(code: str, message: str, column: str | None, row: int | None) -> Any:
    return types.PluginError(types.ErrorCode[code.replace("-", "_").upper()], message, column, row)


def _place(trace: TracebackType | None) -> str:
    """Where the author's own code was last."""
    sdk = pathlib.PurePath(__file__).parent
    frames = [frame for frame in traceback.extract_tb(trace) if pathlib.PurePath(frame.filename).parent != sdk]
    if not frames:
        return ""
    return f" ({pathlib.PurePath(frames[-1].filename).name}, line {frames[-1].lineno}, in {frames[-1].name})"
