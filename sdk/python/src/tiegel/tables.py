"""Tables of other packages, to and from what the server speaks: Parquet up, Arrow streams and JSON lines down."""

from __future__ import annotations

import datetime
import importlib
import io
import json
import math
import os
import tempfile
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import IO, Any, Literal, TypeAlias

from tiegel.errors import MissingPackage, TiegelError

FrameKind: TypeAlias = Literal["pandas", "polars", "pyarrow", "rows"]
"""What a table comes back as; `rows` is a list of dicts and needs no package."""

Row: TypeAlias = Mapping[str, Any]

ARROW_STREAM = "application/vnd.apache.arrow.stream"
JSON_LINES = "application/jsonl"
# What writes and reads each kind.
_NEEDS: dict[str, tuple[str, ...]] = {
    "pandas": ("pandas", "pyarrow"),
    "polars": ("polars",),
    "pyarrow": ("pyarrow",),
    "rows": (),
}


def media_of(kind: FrameKind) -> str:
    """What to ask the server for, to make `kind` of it. Says at once where a package is missing."""
    if kind not in _NEEDS:
        raise TiegelError(f"'{kind}' is no kind of table; there is: {', '.join(_NEEDS)}")
    for package in _NEEDS[kind]:
        _load(package, kind)
    return JSON_LINES if kind == "rows" else ARROW_STREAM


def decode(body: bytes, kind: FrameKind) -> Any:
    """The table in an answer's body."""
    if kind == "rows":
        return [json.loads(line) for line in body.splitlines()]
    if kind == "polars":
        return _load("polars", kind).read_ipc_stream(io.BytesIO(body))
    table = _load("pyarrow", kind).ipc.open_stream(body).read_all()
    return table if kind == "pyarrow" else table.to_pandas()


def rows_of(table: Any, kind: FrameKind) -> int:
    return int(table.num_rows) if kind == "pyarrow" else len(table)


def encode(table: Any) -> tuple[IO[bytes], str]:
    """A table as a file, with the format's name."""
    package = _package_of(table)
    if package == "polars":
        frame = table.collect() if hasattr(table, "collect") else table
        file = _scratch()
        frame.write_parquet(file)
        return file, "parquet"
    if package == "pandas" or package == "pyarrow" or hasattr(table, "__arrow_c_stream__"):
        return _parquet(_arrow(table, package)), "parquet"
    if isinstance(table, Iterable) and not isinstance(table, (str, bytes, Mapping)):
        return _json_lines(table), "json-lines"
    raise TiegelError(
        f"a {type(table).__name__} is no table: give a pandas, polars or pyarrow table, rows as dicts, or a file's path"
    )


def to_rows(table: Any) -> list[dict[str, Any]]:
    """Rows with values that JSON can hold, as an endpoint reads them."""
    package = _package_of(table)
    if package == "pandas":
        # What pandas shows as NaN, NaT or NA is a missing value.
        records = table.astype(object).where(table.notna(), None).to_dict("records")
    elif package == "polars":
        records = (table.collect() if hasattr(table, "collect") else table).to_dicts()
    elif package == "pyarrow":
        records = table.to_pylist()
    elif isinstance(table, Mapping):
        records = [table]
    elif isinstance(table, Sequence) and not isinstance(table, (str, bytes)):
        records = table
    else:
        raise TiegelError(f"a {type(table).__name__} holds no rows: give a table, a list of dicts, or one dict")
    return [{str(name): plain(value) for name, value in record.items()} for record in records]


def plain(value: Any) -> Any:
    """A cell as JSON: times with a zone, bytes as base64, NaN and infinities as their names."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, datetime.datetime):
        return (value if value.tzinfo else value.replace(tzinfo=datetime.timezone.utc)).isoformat()
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray)):
        return b64encode(value).decode()
    if isinstance(value, Decimal):
        return plain(float(value))
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):  # numpy's scalars and arrays
        return plain(value.tolist())
    raise TiegelError(f"a value of type {type(value).__name__} cannot be sent: make it a number, a text or a time")


def open_file(path: str | os.PathLike[str]) -> IO[bytes]:
    return Path(path).expanduser().open("rb")


def _arrow(table: Any, package: str) -> Any:
    """A reader of record batches."""
    arrow = _load("pyarrow", "pandas" if package == "pandas" else "pyarrow")
    if package == "pandas":
        # An index with a name is data; one without is a row number.
        has_names = all(name is not None for name in table.index.names)
        return arrow.Table.from_pandas(table, preserve_index=has_names).to_reader()
    if isinstance(table, arrow.RecordBatch):
        table = arrow.Table.from_batches([table])
    return table.to_reader() if isinstance(table, arrow.Table) else arrow.RecordBatchReader.from_stream(table)


def _parquet(reader: Any) -> IO[bytes]:
    parquet = importlib.import_module("pyarrow.parquet")
    file = _scratch()
    with parquet.ParquetWriter(file, reader.schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch)
    return file


def _json_lines(rows: Iterable[Any]) -> IO[bytes]:
    file = _scratch()
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise TiegelError(f"row {number} is a {type(row).__name__}: rows are dicts from column to value")
        record = {str(name): plain(value) for name, value in row.items()}
        file.write(json.dumps(record, allow_nan=False).encode() + b"\n")
    return file


def _scratch() -> IO[bytes]:
    return tempfile.TemporaryFile(prefix="tiegel-")


def _package_of(table: Any) -> str:
    return type(table).__module__.partition(".")[0]


def _load(package: str, kind: str) -> ModuleType:
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise MissingPackage(
            f"{package} is not installed, and tables of kind '{kind}' need it: pip install 'tiegel[{kind}]'"
        ) from error
