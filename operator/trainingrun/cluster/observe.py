"""Every read of a pass: from the store where the watches fill it, from the API server for what is rarely needed."""

import dataclasses
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from trainingrun.api.training_run import TrainingRun
from trainingrun.cluster.client import Client
from trainingrun.cluster.deliveries import Deliveries
from trainingrun.cluster.errors import RefusedError
from trainingrun.cluster.kinds import CLAIM, NODE, PYTORCHJOB
from trainingrun.cluster.problems import Problems
from trainingrun.cluster.recent import Recent
from trainingrun.cluster.shelf import Key
from trainingrun.cluster.snapshots import Snapshots
from trainingrun.cluster.store import Store
from trainingrun.cluster.views import SeenPod, SeenWork, claim_view, epoch, newest_warning, node_is_ready
from trainingrun.plan.observed import ClaimView, Observed, PodView, WorkView

CLAIM_SECONDS: Final = 15.0  # how old the sight of a bound claim may be
UNBOUND_SECONDS: Final = 3.0  # and of one that is missing or unbound
NODE_SECONDS: Final = 5.0
SERVED_SECONDS: Final = 300.0  # a kind that is served stays so for long
UNSERVED_SECONDS: Final = 10.0
PATIENCE: Final = 20.0  # how long the pods of new work may take before somebody asks why there are none


@dataclass
class Sight:
    """What a pass has seen, and after how many seconds it should look again although nothing tells it to."""

    observed: Observed = field(default_factory=Observed)
    look_again: list[float] = field(default_factory=list)


class Observer:
    """Reads of all passes, with what they share."""

    def __init__(
        self,
        client: Client,
        store: Store,
        snapshots: Snapshots,
        problems: Problems,
        deliveries: Deliveries,
        nodes: bool,
    ) -> None:
        """`nodes` says whether the operator may read nodes; where it may not, each counts as ready."""
        self._client, self._store, self._snapshots, self._problems = client, store, snapshots, problems
        self._deliveries = deliveries
        self._may_read_nodes = nodes
        self._listening_since = 0.0  # until the first look
        self._claims: Recent[Key, ClaimView | None] = Recent()
        self._nodes: Recent[str, bool] = Recent()
        self._refusals: Recent[str, str] = Recent()
        self._served: Recent[str, bool] = Recent()

    async def observe(self, run: TrainingRun, now: float) -> Sight:
        """Everything that is known of a run at `now`; the store is read last and in one go."""
        sight = Sight()
        claim = await self._claim(run, sight)
        served = await self.serves_pytorchjobs()
        refusals = await self._ask_about_missing_pods(run, now, sight)
        self._listening_since = self._listening_since or now
        lost = await self._lost_nodes(run, sight)
        key, uid = (run.metadata.namespace, run.metadata.name), run.metadata.uid
        on_claim = (key[0], claim_name(run))
        sight.observed = Observed(
            claim=claim,
            pytorchjobs_served=served,
            work=tuple(self._with_refusal(one, refusals) for one in self._work(run)),
            pods=tuple(_pod(one, now, lost, sight) for one in self._pods(run)),
            config_maps=tuple(one.value.name for one in self._store.config_maps.of(key) if one.value.owner == uid),
            snapshots=self._snapshots.of(uid),
            neighbours=self._store.neighbours(*on_claim, key[1]),
            made=self._store.made(*on_claim),
            problems=self._problems.of(uid),
            listening_since=self._listening_since,
            deliveries=self._deliveries.of(uid),
        )
        return sight

    async def serves_pytorchjobs(self) -> bool:
        """Whether the API server knows PyTorchJobs; asked again from time to time."""
        known = await self._served.get("PyTorchJob", SERVED_SECONDS, self._ask_served)
        return known or await self._served.get("PyTorchJob", UNSERVED_SECONDS, self._ask_served)

    def forget_claim(self, namespace: str, claim: str) -> None:
        """Look at a claim anew: the operator has just made it."""
        self._claims.forget((namespace, claim))

    def clean(self) -> None:
        """Drop answers that nobody will ask for again."""
        for answers in (self._claims, self._nodes, self._refusals):
            answers.clean(600.0)

    def forget_served(self) -> None:
        """Ask anew whether PyTorchJobs are served: the API server has just not known a kind."""
        self._served.forget("PyTorchJob")

    async def _ask_served(self) -> bool:
        return await self._client.serves(PYTORCHJOB)

    async def _claim(self, run: TrainingRun, sight: Sight) -> ClaimView | None:
        key = (run.metadata.namespace, claim_name(run))

        async def ask() -> ClaimView | None:
            raw = await self._client.get(CLAIM, *key)
            return claim_view(raw) if raw is not None else None

        claim = await self._claims.get(key, CLAIM_SECONDS, ask)
        if claim is None or claim.phase != "Bound" or claim.deleting:
            claim = await self._claims.get(key, UNBOUND_SECONDS, ask)
        if claim is None or claim.deleting:
            sight.look_again.append(UNBOUND_SECONDS)
        return claim

    def _work(self, run: TrainingRun) -> Iterable[SeenWork]:
        key = (run.metadata.namespace, run.metadata.name)
        for shelf in (self._store.jobs, self._store.pytorchjobs):
            yield from (one.value for one in shelf.of(key) if one.value.owner == run.metadata.uid)

    def _pods(self, run: TrainingRun) -> Iterable[SeenPod]:
        """The run's pods: not those of an earlier run of the same name, nor of a stranger with the same labels."""
        key, uid = (run.metadata.namespace, run.metadata.name), run.metadata.uid
        since = epoch(run.metadata.created_at) or 0.0
        for one in self._store.pods.of(key):
            owner = one.value.owner
            if owner and one.value.view.created_at >= since and self._store.owner_of_work(owner) in (None, uid):
                yield one.value

    async def _ask_about_missing_pods(self, run: TrainingRun, now: float, sight: Sight) -> dict[str, str]:
        """Why work has no pods, by the work's uid: what its controller says in events."""
        owners = {pod.owner for pod in self._pods(run)}
        refusals: dict[str, str] = {}
        for one in [one for one in self._work(run) if _has_no_pods(one, owners)]:
            age = now - one.created_at
            if age < PATIENCE:
                sight.look_again.append(PATIENCE - age)
                continue
            uid = one.view.uid
            wait = min(max(age, PATIENCE), 60.0)  # the longer it lasts, the more rarely it is asked
            refusals[uid] = await self._refusals.get(uid, wait, self._refusal_asker(run.metadata.namespace, uid))
            sight.look_again.append(wait)
        return refusals

    def _refusal_asker(self, namespace: str, uid: str) -> Callable[[], Awaitable[str]]:
        async def ask() -> str:
            return newest_warning(await self._client.warnings_about(namespace, uid))

        return ask

    def _with_refusal(self, one: SeenWork, refusals: dict[str, str]) -> WorkView:
        return dataclasses.replace(one.view, refusal=refusals.get(one.view.uid, ""))

    async def _lost_nodes(self, run: TrainingRun, sight: Sight) -> frozenset[str]:
        """Nodes of the run's pods that are not ready; only those of pods that are not ready are asked about."""
        if not self._may_read_nodes:
            return frozenset()
        asked = {pod.view.node for pod in self._pods(run) if _is_doubtful(pod)}
        lost = set()
        for node in asked:
            if not await self._nodes.get(node, NODE_SECONDS, self._node_asker(node)):
                lost.add(node)
        if asked:
            sight.look_again.append(NODE_SECONDS)
        return frozenset(lost)

    def _node_asker(self, node: str) -> Callable[[], Awaitable[bool]]:
        async def ask() -> bool:
            try:
                return node_is_ready(await self._client.get(NODE, None, node))
            except RefusedError:
                self._may_read_nodes = False
                return True

        return ask


def claim_name(run: TrainingRun) -> str:
    """Name of a run's claim: the user's own, or the one made for the run."""
    return run.spec.storage.claim_name or run.metadata.name


def _has_no_pods(one: SeenWork, owners: set[str]) -> bool:
    return not one.view.end and not one.view.deleting and not one.view.suspended and one.view.uid not in owners


def _is_doubtful(pod: SeenPod) -> bool:
    """Whether the pod's node may be lost: a pod on a ready node becomes ready, ends or goes."""
    return (
        bool(pod.view.node)
        and pod.view.phase in ("Pending", "Running", "Unknown")
        and (not pod.ready or pod.view.deleting)
    )


def _pod(pod: SeenPod, now: float, lost: frozenset[str], sight: Sight) -> PodView:
    ended = pod.deletion_deadline is not None and now > pod.deletion_deadline
    if pod.deletion_deadline is not None and not ended and pod.view.node in lost:
        sight.look_again.append(pod.deletion_deadline - now + 1.0)
    return dataclasses.replace(pod.view, node_ready=pod.view.node not in lost, delete_grace_ended=ended)
