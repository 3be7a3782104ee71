"""One server, spoken to over kept-alive HTTP/1.1 connections, one a thread."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import threading
import urllib.parse
from dataclasses import dataclass
from typing import IO, Any

from tiegel.errors import ConnectionFailed, NotFound, TiegelError, api_error

# What an idle connection ends with when the server closed it meanwhile.
_STALE = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)


@dataclass(frozen=True)
class Answer:
    """A response with a 2xx status, read to its end."""

    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Upload:
    """A body that is sent from a file."""

    file: IO[bytes]
    length: int

    @classmethod
    def of(cls, file: IO[bytes]) -> Upload:
        """The whole file."""
        length = file.seek(0, os.SEEK_END)
        file.seek(0)
        return cls(file, length)


class Connection:
    """Sends requests and raises what the server refuses."""

    def __init__(self, url: str, token: str | None, timeout: float) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise TiegelError(f"'{url}' is not a server's URL: write http://HOST:PORT or https://HOST:PORT")
        self.url = url.rstrip("/")
        self._parts = parts
        self._prefix = parts.path.rstrip("/")
        self._token = token
        self._timeout = timeout
        self._local = threading.local()

    def get(self, path: str, query: dict[str, str] | None = None, accept: str = "application/json") -> Answer:
        return self.request("GET", path, query=query, accept=accept)

    def post(self, path: str, body: Any, accept: str = "application/json") -> Answer:
        text = json.dumps(body, allow_nan=False, separators=(",", ":")).encode()
        return self.request("POST", path, body=text, media="application/json", accept=accept)

    def has(self, path: str) -> bool:
        """Whether a HEAD request finds something."""
        try:
            self.request("HEAD", path)
        except NotFound:
            return False
        return True

    def request(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: bytes | Upload = b"",
        media: str = "application/octet-stream",
        accept: str = "application/json",
    ) -> Answer:
        """Sends one request; raises `ApiError` for a status that is not 2xx."""
        target = self._prefix + path + (f"?{urllib.parse.urlencode(query)}" if query else "")
        headers = {"Accept": accept, "User-Agent": "tiegel-python"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        if body or method not in ("GET", "HEAD"):
            headers["Content-Type"] = media
            headers["Content-Length"] = str(body.length if isinstance(body, Upload) else len(body))
        try:
            response, content = self._exchange(method, target, headers, body)
        except ssl.SSLError as error:
            raise ConnectionFailed(f"no secure connection to {self.url}: {error}") from error
        except (OSError, http.client.HTTPException) as error:
            self.close()
            reason = str(error) or type(error).__name__
            raise ConnectionFailed(
                f"no server answers at {self.url} ({reason}); start one with `tiegel serve`, or name another with "
                "connect(url) or TIEGEL_SERVER"
            ) from error
        if not 200 <= response.status < 300:
            raise api_error(response.status, _problem(content), response.headers.get("Retry-After"))
        return Answer(response.headers, content)

    def close(self) -> None:
        """Closes this thread's connection; the next request opens a new one."""
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
        self._local.connection = None

    def _exchange(
        self, method: str, target: str, headers: dict[str, str], body: bytes | Upload
    ) -> tuple[http.client.HTTPResponse, bytes]:
        connection, is_fresh = self._open()
        try:
            return _send(connection, (method, target), headers, body)
        except _STALE:
            self.close()
            if is_fresh:
                raise
        # The server closes idle connections. Should it have begun on this request nevertheless: every request of this
        # package may come twice.
        connection, _ = self._open()
        if isinstance(body, Upload):
            body.file.seek(0)
        return _send(connection, (method, target), headers, body)

    def _open(self) -> tuple[http.client.HTTPConnection, bool]:
        """This thread's connection, and whether it is new. A forked child opens its own."""
        if getattr(self._local, "process", None) != os.getpid():
            self._local.connection = None
            self._local.process = os.getpid()
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is not None and connection.sock is not None:
            return connection, False
        host, port = self._parts.hostname or "", self._parts.port
        if self._parts.scheme == "https":
            connection = http.client.HTTPSConnection(host, port, timeout=self._timeout)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=self._timeout)
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._local.connection = connection
        return connection, True


def _send(
    connection: http.client.HTTPConnection, line: tuple[str, str], headers: dict[str, str], body: bytes | Upload
) -> tuple[http.client.HTTPResponse, bytes]:
    try:
        connection.request(*line, body=body.file if isinstance(body, Upload) else body or None, headers=headers)
    except (BrokenPipeError, ConnectionResetError):
        # A server may refuse an upload before it has read it all; what it said is worth more than the broken pipe.
        if not isinstance(body, Upload):
            raise
    response = connection.getresponse()
    return response, response.read()


def _problem(content: bytes) -> dict[str, Any]:
    try:
        problem = json.loads(content)
    except ValueError:
        return {"detail": content.decode(errors="replace").strip()}
    return problem if isinstance(problem, dict) else {"detail": str(problem)}
