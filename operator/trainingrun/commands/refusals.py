"""What the API server's refusals mean to whoever typed the command, a sentence each."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from trainingrun.cluster.kinds import Kind
from trainingrun.commands.manifest import FAULTY, NO_CLUSTER, NOT_FOUND, CommandError

NO_RIGHTS: Final = re.compile(r'User "(?P<user>[^"]*)" cannot ')
UNKNOWN_FIELD: Final = re.compile(r'unknown field "(?P<field>[^"]+)"')
NOBODY: Final = "system:anonymous"
BUSY: Final = (408, 425, 429)


class UnreachableError(CommandError):
    """The API server doesn't answer, or answers that it can't at the moment: another try may succeed."""

    def __init__(self, message: str) -> None:
        super().__init__(message, NO_CLUSTER)


class AbsentError(CommandError):
    """There is no such object."""

    def __init__(self, message: str) -> None:
        super().__init__(message, NOT_FOUND)


class UnservedError(CommandError):
    """The API server doesn't know the kind."""

    def __init__(self, message: str) -> None:
        super().__init__(message, NO_CLUSTER)


@dataclass(frozen=True)
class Call:
    """What was asked of the API server, in the words of its rights."""

    verb: str
    kind: Kind
    namespace: str | None  # None: in all namespaces
    context: str
    name: str | None = None
    subresource: str | None = None
    path: str | None = None  # where it is none of the kind's

    @property
    def url(self) -> str:
        """The path on the API server."""
        return self.path or self.kind.path(self.namespace, self.name, self.subresource)

    @property
    def resource(self) -> str:
        """The resource as a Role names it, with its group."""
        group = self.kind.api_version.rpartition("/")[0]
        whole = f"{self.kind.plural}/{self.subresource}" if self.subresource else self.kind.plural
        return f"{whole}.{group}" if group else whole

    @property
    def where(self) -> str:
        """The namespace in words."""
        return f"in namespace {self.namespace}" if self.namespace else "in all namespaces"


def refusal(call: Call, status: int, body: bytes) -> CommandError:
    """The error for an answer of 300 and more."""
    told = _status(body)
    message = str(told.get("message") or body.decode(errors="replace").strip()[:300] or f"it answered {status}")
    message = " ".join(message.split()).rstrip(".")
    if status == 401:
        return CommandError(f"The cluster of context {call.context} does not know you: log in again.", NO_CLUSTER)
    if status == 403 and (found := NO_RIGHTS.search(message)):
        return _no_rights(call, found["user"])
    if status == 404:
        return _absent(call, told)
    if found := UNKNOWN_FIELD.search(message):
        return CommandError(
            f"The cluster's {call.kind.name} has no field {found['field']}: its definition is older than this command; "
            "upgrade it with the chart's crds folder.",
            NO_CLUSTER,
        )
    if status in BUSY or status >= 500:
        return UnreachableError(f"The API server of context {call.context} can't answer now: {message}. Try again.")
    return CommandError(f"The API server refuses: {message}.", FAULTY)


def _no_rights(call: Call, user: str) -> CommandError:
    if user == NOBODY:
        return CommandError(f"The cluster of context {call.context} does not know you: log in again.", NO_CLUSTER)
    return CommandError(
        f"You are {user} in context {call.context} and may not {call.verb} {call.resource} {call.where}: ask for a "
        "role that allows it, or choose another namespace or context.",
        NO_CLUSTER,
    )


def _absent(call: Call, told: dict[str, Any]) -> CommandError:
    if call.name and (told.get("details") or {}).get("name"):
        return AbsentError(f"There is no {call.kind.name} {call.name} {call.where}.")
    return UnservedError(f"The cluster of context {call.context} serves no {call.resource}.")


def _status(body: bytes) -> dict[str, Any]:
    try:
        decoded = json.loads(body)
    except ValueError:
        return {}
    return decoded if isinstance(decoded, dict) else {}
