"""Calls to the API server over kubernetes' client: what is sent, what comes back, and what a lost connection is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from trainingrun.commands.kubeconfig import Place
from trainingrun.commands.manifest import NO_CLUSTER, CommandError
from trainingrun.commands.refusals import Call, UnreachableError, refusal

CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 30.0
JSON: Final = "application/json"
MERGE_PATCH: Final = "application/merge-patch+json"
CHUNK: Final = 2**16  # bytes


class Wire:
    """One connection, or a few, to one API server."""

    def __init__(self, place: Place) -> None:
        """Prepare it; nothing is sent yet."""
        import urllib3
        from kubernetes import client

        place.configuration.retries = urllib3.Retry(0, redirect=2)  # whoever typed the command may type it again
        self._context = place.context
        self._api = client.ApiClient(place.configuration)
        self._api.user_agent = "trainingrun"

    def json(
        self,
        call: Call,
        query: Mapping[str, str] | None = None,
        method: str = "GET",
        body: Mapping[str, Any] | None = None,
        content: str = JSON,
    ) -> dict[str, Any]:
        """The answer, decoded; the CommandError that it stands for where it is a refusal."""
        import urllib3

        response = self._send(call, query, ANSWER_SECONDS, method, body, content)
        try:
            data = bytes(response.data)
        except urllib3.exceptions.HTTPError as error:
            raise self._lost(error) from error
        if response.status >= 300:
            raise refusal(call, response.status, data)
        return dict(json.loads(data))

    def lines(self, call: Call, query: Mapping[str, str], seconds: float | None) -> Iterator[bytes]:
        """The lines of an answer as they come; no line for `seconds` ends it, as the end of the answer does."""
        import urllib3

        response = self._send(call, query, seconds)
        rest = b""
        try:
            if response.status >= 300:
                raise refusal(call, response.status, bytes(response.data))
            for chunk in response.stream(CHUNK):
                *whole, rest = (rest + chunk).split(b"\n")
                yield from whole
        except urllib3.exceptions.ReadTimeoutError:
            return
        except urllib3.exceptions.HTTPError as error:
            raise self._lost(error) from error
        finally:
            response.close()
        if rest:
            yield rest

    def _send(
        self,
        call: Call,
        query: Mapping[str, str] | None,
        seconds: float | None,
        method: str = "GET",
        body: Any = None,
        content: str = JSON,
    ) -> Any:
        """urllib3's response, whose body has still to be read."""
        import urllib3

        headers = {"Accept": f"{JSON}, */*", "Content-Type": content}
        asked = self._api.param_serialize(
            method, call.url, query_params=list((query or {}).items()), header_params=headers, body=body,
            auth_settings=["BearerToken"],
        )  # fmt: skip
        try:
            return self._api.call_api(*asked, _request_timeout=(CONNECT_SECONDS, seconds)).response
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._lost(error) from error

    def _lost(self, error: Exception) -> CommandError:
        server = self._api.configuration.host
        why = getattr(error, "reason", None) or error
        if "CERTIFICATE_VERIFY_FAILED" in str(why):
            return CommandError(
                f"The API server {server} of context {self._context} shows a certificate that the kubeconfig does not "
                "trust: get the kubeconfig anew.",
                NO_CLUSTER,
            )
        return UnreachableError(
            f"The API server {server} of context {self._context} can't be reached ({_reason(why)}): look at the "
            "network, or choose another context."
        )


def _reason(error: Any) -> str:
    """The operating system's words for a lost connection, where there are any."""
    seen: Any = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.strerror:
            return str(seen.strerror)
        seen = seen.__cause__ or seen.__context__ or next((one for one in seen.args if isinstance(one, OSError)), None)
    return " ".join(str(error).rpartition(": ")[2].split())[:200] or type(error).__name__
