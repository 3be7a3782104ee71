"""Project folders: YAML, the SQL files that it names, and the digests of its data. The server reads the YAML."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

from tiegel.connection import Connection, Upload
from tiegel.errors import TiegelError

Documents: TypeAlias = "str | os.PathLike[str] | Sequence[Mapping[str, Any]]"
"""A project folder, one file of it, or documents as dicts with `apiVersion`, `kind`, `metadata` and `spec`."""

_DIGEST_BLOCK_BYTES = 1 << 20


@dataclass
class Folder:
    """Documents that are ready for plan and apply."""

    project: str
    documents: list[dict[str, Any]]
    files: list[tuple[Path, str]] = field(default_factory=list)
    """Data files, each with its digest."""

    def upload(self, connection: Connection) -> None:
        """Sends the files that the server does not have."""
        for path, digest in self.files:
            target = f"/api/v1/blobs/{digest}"
            if connection.has(target):
                continue
            with path.open("rb") as file:
                connection.request("PUT", target, body=Upload.of(file))


def read(connection: Connection, documents: Documents, project: str) -> Folder:
    """Reads documents; relative paths in dicts start at the working directory."""
    if isinstance(documents, (str, os.PathLike)):
        root, files = _yaml_files(Path(documents).expanduser())
    else:
        root, files = Path(), [{"name": "documents", "text": "\n---\n".join(map(json.dumps, documents))}]
    parsed = connection.post("/api/v1/documents/parse", {"files": files}).json()
    folder = Folder(_project(parsed["project"], project), parsed["documents"])
    for document in folder.documents:
        place = f"{document['kind']}/{document['name']}"
        if source := document["spec"].get("source"):
            _resolve_source(folder, root, source, place)
        for name, step in document["spec"].get("steps", {}).items():
            if str(step.get("sql", "")).strip().endswith(".sql"):
                path = _inside(root, step["sql"].strip(), f"{place}: step '{name}'")
                step["sql"] = _read_text(path, f"{place}: step '{name}'")
    return folder


def _project(named: str, own: str) -> str:
    """A folder's project goes before the connection's default, and may not contradict another one."""
    if "default" in (named, own) or named == own:
        return named if own == "default" else own
    raise TiegelError(
        f"the documents are of project '{named}' and this connection is to '{own}': connect(project='{named}')"
    )


def _yaml_files(path: Path) -> tuple[Path, list[dict[str, str]]]:
    if path.is_file():
        root, files = path.parent, [path]
    elif path.is_dir():
        root, files = path, sorted(p for p in path.iterdir() if p.suffix in (".yaml", ".yml") and p.is_file())
    else:
        raise TiegelError(f"there is no folder or file {path}")
    if not files:
        raise TiegelError(f"{path} holds no .yaml files")
    return root, [{"name": file.name, "text": _read_text(file, "project")} for file in files]


def _resolve_source(folder: Folder, root: Path, source: dict[str, Any], place: str) -> None:
    pattern = source.get("path")
    if pattern is None:
        return
    _inside(root, pattern, place)
    found = sorted(path for path in root.glob(pattern) if path.is_file())
    if not found:
        raise TiegelError(f"{place}: source.path '{pattern}' matches no file in {root.resolve()}")
    source["files"] = []
    for path in found:
        digest = f"sha256:{_digest(path)}"
        name = path.relative_to(root).as_posix()
        source["files"].append({"path": name, "digest": digest, "bytes": path.stat().st_size})
        folder.files.append((path, digest))


def _inside(root: Path, relative: str, place: str) -> Path:
    path = PurePosixPath(relative)
    if path.is_absolute() or ".." in path.parts:
        raise TiegelError(f"{place}: '{relative}' leaves the project folder; write a path below it")
    return root / path


def _read_text(path: Path, place: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TiegelError(f"{place}: cannot read {path} as UTF-8 text: {error}") from error


def _digest(path: Path) -> str:
    hasher = hashlib.sha256()
    for block in _blocks(path):
        hasher.update(block)
    return hasher.hexdigest()


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_DIGEST_BLOCK_BYTES):
            yield block
