"""What can go wrong between the operator and the API server, and which of it is worth another try.

ClusterError
├── TemporaryError   another try may succeed: the pass is repeated with back-off
│   └── NotActingError   this replica holds no lease at the moment: nothing was sent
├── StaleError       the object has changed since it was read: the pass is repeated when the change is seen
└── RefusedError     the API server has said no: told on the run, tried again at long intervals
"""

import json
from collections.abc import Mapping
from typing import Any, Final

TEMPORARY_STATUSES: Final = frozenset({401, 408, 409, 425, 429})  # 401: a token that is just being renewed
# Webhooks that time out, and namespaces and kinds in the making, answer with these words among others.
TEMPORARY_WORDS: Final = ("failed calling webhook", "failed to call webhook", "storage is (re)initializing")
APPLY_CONFLICT: Final = "Apply failed with"  # a server-side apply that would take fields from another owner


class ClusterError(Exception):
    """A call to the API server that failed; `status` is the HTTP status, 0 where none came."""

    def __init__(self, message: str, status: int = 0, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after

    @property
    def message(self) -> str:
        """What happened, as the API server says."""
        return str(self.args[0])


class TemporaryError(ClusterError):
    """Another try may succeed."""


class NotActingError(TemporaryError):
    """A write that was not sent, since another replica may be acting by now."""


class StaleError(ClusterError):
    """The object has changed since it was read."""


class RefusedError(ClusterError):
    """The API server refuses: forbidden, over quota, invalid, unknown kind, owned by something else."""


def from_response(status: int, headers: Mapping[str, str], body: bytes) -> ClusterError:
    """The error that a response with a status of 300 and more stands for."""
    message = _message(body) or f"The API server answered {status}."
    retry_after = headers.get("Retry-After", "")
    wait = float(retry_after) if retry_after.isdigit() else None
    if status == 409 and APPLY_CONFLICT in message:
        return RefusedError(message, status)
    temporary = status >= 500 or status in TEMPORARY_STATUSES or any(word in message for word in TEMPORARY_WORDS)
    return TemporaryError(message, status, wait) if temporary else RefusedError(message, status)


def _message(body: bytes) -> str:
    """The message of a `Status` object, or the first line of whatever else was answered."""
    try:
        decoded: Any = json.loads(body)
    except ValueError:
        return body.decode(errors="replace").strip().partition("\n")[0][:300]
    return str(decoded.get("message") or "") if isinstance(decoded, dict) else ""
