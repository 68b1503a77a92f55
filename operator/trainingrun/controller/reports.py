"""Reports of pods: a snapshot is taken where the token proves that it comes from a pod of that very run."""

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from pydantic import ValidationError

from trainingrun.api import names
from trainingrun.api.training import Checkpoints
from trainingrun.api.training_run import parse_status
from trainingrun.cluster.client import Client
from trainingrun.cluster.errors import ClusterError
from trainingrun.cluster.kinds import POD
from trainingrun.cluster.recent import Recent
from trainingrun.cluster.shelf import Key
from trainingrun.cluster.snapshots import Snapshots
from trainingrun.cluster.store import Store
from trainingrun.cluster.views import SeenPod, seen_pod
from trainingrun.plan import profiles
from trainingrun.plan.retained import retained
from trainingrun_workers.contract import Answer, Snapshot

MAX_BODY: Final = 64 * 1024
TOKEN_SECONDS: Final = 60.0  # how long the API server's word on a token is good
LATER: Final = 3.0  # seconds until a report that brings nothing but progress is looked at
POD_NAME: Final = "authentication.kubernetes.io/pod-name"
POD_UID: Final = "authentication.kubernetes.io/pod-uid"
NUMBERS: Final = (
    "time", "loss", "learning_rate", "gradient_norm", "tokens", "tokens_per_second", "eta_seconds", "checkpoint",
    "volume_free", "volume_size",
)  # fmt: skip


@dataclass(frozen=True)
class Bearer:
    """Who a token is: a pod in a namespace, or nobody."""

    namespace: str
    pod: str
    pod_uid: str


class ReportError(Exception):
    """A report that is not taken; `status` is the HTTP status that says so."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Reports:
    """Takes reports, and rings the runs that they are about."""

    def __init__(self, client: Client, store: Store, snapshots: Snapshots, ring: Callable[[Key, float], None]) -> None:
        """`ring(key, after)` asks for a pass."""
        self._client, self._store, self._snapshots, self._ring = client, store, snapshots, ring
        self._bearers: Recent[str, Bearer | None] = Recent()

    async def take(self, authorization: str, body: bytes) -> Answer | None:
        """Take one report; yields what its stage is to be answered. ReportError where it is refused."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise ReportError(401, "The report carries no bearer token.")
        bearer = await self._bearer(token.strip())
        if bearer is None:
            raise ReportError(401, f"The token is not valid for audience {names.TOKEN_AUDIENCE}.")
        snapshot = read_snapshot(body)
        if bearer.namespace != snapshot.namespace:
            raise ReportError(403, f"The token is of namespace {bearer.namespace}, the report of {snapshot.namespace}.")
        key = (snapshot.namespace, snapshot.run)
        run = self._store.run(key)
        if run is None or run.uid != snapshot.uid:
            raise ReportError(404, f"There is no run {snapshot.run} with uid {snapshot.uid}.")
        await self._check_pod(bearer, snapshot)
        self._ring(key, 0.0 if self._snapshots.put(snapshot) else LATER)
        return answer_to(snapshot, run.value.raw) if snapshot.stage == "pretrain" else None

    def clean(self) -> None:
        """Forget tokens that have not been seen for a while."""
        self._bearers.clean(TOKEN_SECONDS)

    async def _bearer(self, token: str) -> Bearer | None:
        async def ask() -> Bearer | None:
            return bearer_of(await self._client.review_token(token))

        try:
            # Never by the token itself: what lies in memory must be of no use to anybody.
            return await self._bearers.get(hashlib.sha256(token.encode()).hexdigest(), TOKEN_SECONDS, ask)
        except ClusterError as error:
            raise ReportError(503, f"The token can't be checked: {error.message}") from error

    async def _check_pod(self, bearer: Bearer, snapshot: Snapshot) -> None:
        """The token's pod must be of the attempt that it reports on, and owned by it: labels alone prove nothing."""
        key = (snapshot.namespace, snapshot.run)
        seen = next((one.value for one in self._store.pods.of(key) if one.uid == bearer.pod_uid), None)
        if seen is None:
            seen = await self._pod_by_name(bearer, snapshot.run)
        said = (snapshot.stage, snapshot.attempt)
        if seen is None or not seen.owner or (seen.view.stage, seen.view.attempt) != said:
            raise ReportError(403, f"Pod {bearer.pod} is not of run {snapshot.run}, stage and attempt {said}.")

    async def _pod_by_name(self, bearer: Bearer, run: str) -> SeenPod | None:
        """A pod that the watch has not shown yet; None where it is not of this run."""
        try:
            raw = await self._client.get(POD, bearer.namespace, bearer.pod)
        except ClusterError as error:
            raise ReportError(503, f"Pod {bearer.pod} can't be looked up: {error.message}") from error
        if raw is None or raw["metadata"]["uid"] != bearer.pod_uid:
            raise ReportError(403, f"There is no pod {bearer.pod} with the token's uid.")
        self._store.put(POD, raw)
        return seen_pod(raw) if (raw["metadata"].get("labels") or {}).get(names.LABEL_RUN) == run else None


def answer_to(snapshot: Snapshot, raw: Mapping[str, Any]) -> Answer | None:
    """What a pretrain stage is answered; None to pods that save nothing and where the run can't be read."""
    if snapshot.index:
        return None
    try:
        # No more than is needed: reports are many.
        wanted = Checkpoints.model_validate(raw["spec"]["pretrain"].get("checkpoints") or {})
        known = raw.get("status") or {}
        status = parse_status({"checkpoints": known.get("checkpoints") or []})
        asked = next((one.get("profile") for one in known.get("stages") or () if one["name"] == snapshot.stage), None)
    except (ValidationError, KeyError):
        return None
    return replace(retained(wanted, status.checkpoints), profile=profiles.wanted(asked, snapshot.attempt))


def bearer_of(review: Mapping[str, Any]) -> Bearer | None:
    """Who a TokenReview's status names: a pod by its service account's bound token, None for anybody else."""
    if not review.get("authenticated") or names.TOKEN_AUDIENCE not in (review.get("audiences") or ()):
        return None
    user = review.get("user") or {}
    parts = str(user.get("username", "")).split(":")
    extra = user.get("extra") or {}
    pod, uid = next(iter(extra.get(POD_NAME) or ()), ""), next(iter(extra.get(POD_UID) or ()), "")
    if parts[:2] != ["system", "serviceaccount"] or len(parts) != 4 or not (pod and uid):
        return None
    return Bearer(parts[2], pod, uid)


def read_snapshot(body: bytes) -> Snapshot:
    """The snapshot in a report; ReportError where it is none. What is not a number (NaN) counts as not said."""
    try:
        raw = json.loads(body, parse_constant=lambda _: None)
        snapshot = Snapshot.from_dict(raw)
    except (ValueError, TypeError, AttributeError) as error:
        raise ReportError(400, f"The report is no snapshot: {error}") from error
    for field in NUMBERS:
        value = getattr(snapshot, field)
        if value is not None and not _is_number(value):
            raise ReportError(400, f"The report's {field} is not a number.")
    return snapshot


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
