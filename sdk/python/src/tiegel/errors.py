"""What goes wrong, as exceptions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tiegel.jobs import Job


class TiegelError(Exception):
    """Everything that this package raises on its own account."""


class ConnectionFailed(TiegelError):
    """No server answers, or it stopped in the middle of an answer."""


class MissingPackage(TiegelError, ImportError):
    """A package that this call needs is not installed."""


class TruncatedWarning(UserWarning):
    """A query's answer stops at the server's limit of rows."""


class ApiError(TiegelError):
    """The server refused a request. `code` is stable, for programs; `detail` says what was wrong and what to do."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self.code: str = problem.get("code") or f"http_{status}"
        self.detail: str = problem.get("detail") or f"the server answered {status}"
        self.trace_id: str | None = problem.get("trace_id")
        """Finds the request in the server's log and traces."""
        self.errors: Sequence[Mapping[str, Any]] = problem.get("errors") or ()
        """One entry for each field that is wrong: `path`, `detail`, and where it is known `line` and `column`."""
        super().__init__(str(self))

    def __str__(self) -> str:
        lines = [f"{self.detail} [{self.code}]"]
        for error in self.errors:
            place = f", line {error['line']}" if error.get("line") else ""
            lines.append(f"  {error.get('path') or 'document'}{place}: {error.get('detail', '')}")
        if self.trace_id and self.status >= 500:
            lines.append(f"  trace id {self.trace_id}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[Any, ...]:
        problem = {"code": self.code, "detail": self.detail, "trace_id": self.trace_id, "errors": list(self.errors)}
        return type(self), (self.status, problem)


class Invalid(ApiError):
    """400, 413 or 422: the request itself is wrong."""


class Denied(ApiError):
    """401 or 403: the token is missing or wrong, or the server does not answer to this name."""


class NotFound(ApiError):
    """404."""


class Conflict(ApiError):
    """409: it exists already, or somebody else was faster."""


class Busy(ApiError):
    """429 or 503: try again in `retry_after` seconds."""

    retry_after: float = 1.0


_CLASSES: dict[int, type[ApiError]] = {
    400: Invalid,
    401: Denied,
    403: Denied,
    404: NotFound,
    409: Conflict,
    413: Invalid,
    422: Invalid,
    429: Busy,
    503: Busy,
}


def api_error(status: int, problem: Mapping[str, Any], retry_after: str | None) -> ApiError:
    """The exception that stands for an answer's status."""
    error = _CLASSES.get(status, ApiError)(status, problem)
    if isinstance(error, Busy) and retry_after is not None and retry_after.isdecimal():
        error.retry_after = float(retry_after)
    return error


class JobFailed(TiegelError):
    """A job ended without success."""

    def __init__(self, job: Job) -> None:
        self.job = job
        super().__init__(f"run {job.id} of {job.target} {job.state}: {job.error or 'no reason was given'}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.job,)
