"""Calls to the API server: one session for all, every answer decoded, every error one of `cluster.errors`."""

import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import aiohttp
from kubernetes.aio import client

from trainingrun.api import names
from trainingrun.cluster.connection import session
from trainingrun.cluster.errors import ClusterError, RefusedError, StaleError, TemporaryError, from_response
from trainingrun.cluster.kinds import ACCESS_REVIEW, BY_NAME, CONFIG_MAP, EVENT, RUN, TOKEN_REVIEW, Kind, described

JSON: Final = "application/json"
APPLY: Final = "application/apply-patch+yaml"
MERGE_PATCH: Final = "application/merge-patch+json"
METADATA_LIST: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
METADATA: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
# The object of this name is not the one that was meant; the API server has two ways to say so.
ANOTHER_UID: Final = re.compile("UID in (the )?precondition")
PAGE: Final = "100"  # objects of a list in one answer: decoded, a thousand weigh as much as the rest of the operator
TIMEOUT: Final = aiohttp.ClientTimeout(total=20, sock_connect=5)

Object = dict[str, Any]
OnCall = Callable[[str, str, str, float], None]  # verb, resource, code, seconds


class Client:
    """The few calls that the operator makes; `on_write(verb, kind)` is told of each that may change something."""

    def __init__(
        self,
        configuration: Any,
        on_write: Callable[[str, str], None] = lambda verb, kind: None,
        may_act: Callable[[], bool] = lambda: True,
        on_call: OnCall = lambda verb, resource, code, seconds: None,
    ) -> None:
        """Prepare a session; nothing is sent yet, and no write is while `may_act` says no.

        `on_call` is told of every call, with the HTTP status ("none" where none came) and the seconds that it took.
        """
        self._api = client.ApiClient(configuration)
        self._api.rest_client.pool_manager = session(self._api.rest_client, may_act)
        self._api.user_agent = names.FIELD_MANAGER
        self._on_write, self._on_call = on_write, on_call

    async def close(self) -> None:
        """Close the session."""
        await self._api.close()

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Object | None:
        """An object, or None where there is none."""
        try:
            return await self._call("GET", kind.path(namespace, name))
        except RefusedError as error:
            if error.status == 404:
                return None
            raise

    async def list_metadata(self, kind: Kind, namespace: str | None, label: str | None) -> list[Object]:
        """The metadata of every object that carries a label, in a namespace or in all."""
        query = {"limit": PAGE} | ({"labelSelector": label} if label else {})
        listed: list[Object] = []
        while True:
            found = await self._call("GET", kind.path(namespace), query, accept=METADATA_LIST)
            listed += [_without_managed_fields(one) for one in found.get("items") or ()]
            query["continue"] = found["metadata"].get("continue") or ""
            if not query["continue"]:
                return listed

    async def warnings_about(self, namespace: str, uid: str) -> list[Object]:
        """The warning events about an object."""
        query = {"fieldSelector": f"involvedObject.uid={uid},type=Warning", "limit": "50"}
        return list((await self._call("GET", EVENT.path(namespace), query)).get("items") or ())

    async def serves(self, kind: Kind) -> bool:
        """Whether the API server knows a kind."""
        try:
            found = await self._call("GET", f"/apis/{kind.api_version}")
        except RefusedError as error:
            if error.status == 404:
                return False
            raise
        return any(one.get("name") == kind.plural for one in found.get("resources") or ())

    async def apply(self, manifest: Object) -> Object:
        """Create an object, or find that it is as it should be.

        Server-side apply without force: an object that something else has made is refused, never taken over.
        """
        kind, metadata = BY_NAME[manifest["kind"]], manifest["metadata"]
        self._on_write("apply", kind.name)
        path = kind.path(metadata["namespace"], metadata["name"])
        # Of a ConfigMap nothing but the metadata is of use; answers cost both sides time.
        accept = METADATA if kind is CONFIG_MAP else JSON
        return await self._call("PATCH", path, {"fieldManager": names.FIELD_MANAGER}, manifest, APPLY, accept)

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str | None, force: bool) -> None:
        """Delete an object and all that it owns, if it is there and still is the one with this uid."""
        options: Object = {"propagationPolicy": "Background"}
        if uid:
            options["preconditions"] = {"uid": uid}
        if force:
            options["gracePeriodSeconds"] = 0
        self._on_write("delete", kind.name)
        try:
            await self._call("DELETE", kind.path(namespace, name), None, options)
        except ClusterError as error:
            another = error.status == 409 and ANOTHER_UID.search(error.message)
            if error.status != 404 and not another:
                raise

    async def write_status(self, namespace: str, name: str, version: str, status: Object) -> Object:
        """Replace a run's whole status; its new metadata. StaleError when the run is not at that resourceVersion."""
        # The API server takes nothing but the status from what is put here: the spec need not travel.
        body = {
            "apiVersion": RUN.api_version,
            "kind": RUN.name,
            "metadata": {"namespace": namespace, "name": name, "resourceVersion": version},
            "status": status,
        }
        self._on_write("status", RUN.name)
        query = {"fieldManager": names.FIELD_MANAGER}
        try:
            path = RUN.path(namespace, name, "status")
            written = await self._call("PUT", path, query, body, JSON, METADATA)
        except ClusterError as error:
            if error.status in (404, 409):
                raise StaleError(error.message, error.status) from error
            raise
        return dict(written["metadata"])

    async def create_event(self, namespace: str, event: Object) -> bool:
        """Record an event; False where one of this name exists."""
        self._on_write("create", EVENT.name)
        try:
            await self._call("POST", EVENT.path(namespace), None, event)
        except TemporaryError as error:
            if error.status == 409:
                return False
            raise
        return True

    async def repeat_event(self, namespace: str, name: str, count: int, at: str) -> None:
        """Say that an event has happened again."""
        self._on_write("patch", EVENT.name)
        body = {"count": count, "lastTimestamp": at}
        await self._call("PATCH", EVENT.path(namespace, name), None, body, MERGE_PATCH)

    async def create(self, kind: Kind, manifest: Object) -> Object:
        """A new object; StaleError where one of this name exists."""
        return await self._replace("POST", kind.path(manifest["metadata"]["namespace"]), manifest)

    async def replace(self, kind: Kind, manifest: Object) -> Object:
        """An object put in place of the one with the manifest's resourceVersion; StaleError where that has changed."""
        metadata = manifest["metadata"]
        return await self._replace("PUT", kind.path(metadata.get("namespace"), metadata["name"]), manifest)

    async def _replace(self, method: str, path: str, manifest: Object) -> Object:
        try:
            return await self._call(method, path, {"fieldManager": names.FIELD_MANAGER}, manifest)
        except ClusterError as error:
            if error.status in (404, 409):
                raise StaleError(error.message, error.status) from error
            raise

    async def review_token(self, token: str) -> Object:
        """The status of a TokenReview for the audience of reports."""
        review = {
            "apiVersion": TOKEN_REVIEW.api_version,
            "kind": TOKEN_REVIEW.name,
            "spec": {"token": token, "audiences": [names.TOKEN_AUDIENCE]},
        }
        return dict((await self._call("POST", TOKEN_REVIEW.path(None), None, review)).get("status") or {})

    async def may(self, verb: str, group: str, resource: str, namespace: str | None = None) -> bool:
        """Whether the caller has a right, in a namespace or in all; `resource` may name a subresource: jobs/status."""
        plural, _, subresource = resource.partition("/")
        asked = {"verb": verb, "group": group, "resource": plural, "subresource": subresource}
        review = {
            "apiVersion": ACCESS_REVIEW.api_version,
            "kind": ACCESS_REVIEW.name,
            "spec": {"resourceAttributes": asked | ({"namespace": namespace} if namespace else {})},
        }
        return bool((await self._call("POST", ACCESS_REVIEW.path(None), None, review))["status"].get("allowed"))

    async def served_schema(self, kind: Kind) -> Object:
        """The OpenAPI schema of a kind as the API server gives it to everybody; RefusedError where it has none."""
        group, _, version = kind.api_version.partition("/")
        found = await self._call("GET", f"/openapi/v3/apis/{kind.api_version}")
        name = ".".join([*reversed(group.split(".")), version, kind.name])
        return dict(found["components"]["schemas"][name])

    async def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content: str = JSON,
        accept: str = JSON,
    ) -> Object:
        code, began = "none", time.monotonic()
        try:
            verb, url, headers, *_ = await self._api.param_serialize(
                method,
                path,
                query_params=list((query or {}).items()),
                header_params={"Accept": accept, "Content-Type": content},
                auth_settings=["BearerToken"],
            )
            # The body is plain JSON already: the client need not walk through it.
            answer = await self._api.call_api(verb, url, headers, body, _request_timeout=TIMEOUT)
            code, data = str(answer.status), await answer.read()
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise TemporaryError(f"The API server can't be reached: {error or type(error).__name__}") from error
        finally:
            self._on_call(*described(method, path), code, time.monotonic() - began)
        if answer.status >= 300:
            raise from_response(answer.status, answer.headers, data)
        decoded: Object = json.loads(data)
        return decoded


def _without_managed_fields(raw: Object) -> Object:
    """Nine tenths of an object's metadata are of no use here."""
    raw["metadata"].pop("managedFields", None)
    return raw
