"""What `trainingrun doctor` looks at in a cluster, with the user's own rights; nothing is changed.

Whatever may not be looked at is `Unseen` and told as such. Only a cluster that can't be reached, or that doesn't know
the user, ends the command.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from typing import Any, Final

from trainingrun.api import names
from trainingrun.cluster.kinds import ACCESS_REVIEW, CLAIM, NODE, PYTORCHJOB, RUN, Kind
from trainingrun.commands.doctor.facts import Facts, Object, Right, Seen, Unseen
from trainingrun.commands.doctor.installed import fields_of, pull_secrets
from trainingrun.commands.doctor.surroundings import KUEUE, RIGHTS
from trainingrun.commands.kubeconfig import Place
from trainingrun.commands.manifest import CommandError
from trainingrun.commands.refusals import AbsentError, Call, UnreachableError, UnservedError
from trainingrun.commands.wire import Wire

DEPLOYMENT: Final = Kind("Deployment", "apps/v1", "deployments")
NAMESPACE: Final = Kind("Namespace", "v1", "namespaces")
CLASS: Final = Kind("StorageClass", "storage.k8s.io/v1", "storageclasses")
QUOTA: Final = Kind("ResourceQuota", "v1", "resourcequotas")
LIMITS: Final = Kind("LimitRange", "v1", "limitranges")
ACCOUNT: Final = Kind("ServiceAccount", "v1", "serviceaccounts")
SECRET: Final = Kind("Secret", "v1", "secrets")
QUEUE: Final = Kind("LocalQueue", "kueue.x-k8s.io/v1beta1", "localqueues")

OPERATOR: Final = f"app.kubernetes.io/name={names.MANAGED_BY}"
TRAINING_OPERATOR: Final = "control-plane=kubeflow-training-operator"
PAGE: Final = "500"
AT_ONCE: Final = 8  # questions about rights


def observe(where: Place, secrets: Iterable[str] = ()) -> Facts:
    """Everything there is to see, these Secrets and those of the chart among it; CommandError if nothing is."""
    look = _Look(where)
    version = str(look.raw("/version").get("gitVersion") or "")
    groups = {one["name"]: [each["version"] for each in one["versions"]] for one in look.raw("/apis")["groups"]}
    operators = look.all(DEPLOYMENT, None, OPERATOR)
    wanted = dict.fromkeys([*pull_secrets(operators), *secrets])
    here = where.namespace
    return Facts(
        context=where.context,
        namespace=here,
        version=version,
        clock_seconds=look.clock(),
        groups=groups,
        run_fields=look.run_fields() if names.VERSION in groups.get(names.GROUP, ()) else None,
        namespaces=look.one(NAMESPACE, None, here),
        operators=operators,
        runs=look.all(RUN, here) if names.VERSION in groups.get(names.GROUP, ()) else (),
        training_operators=look.all(DEPLOYMENT, None, TRAINING_OPERATOR),
        pytorchjobs=look.serves(PYTORCHJOB, groups),
        classes=look.all(CLASS, None),
        claims=look.all(CLAIM, here),
        nodes=look.all(NODE, None),
        quotas=look.all(QUOTA, here),
        limit_ranges=look.all(LIMITS, here),
        accounts=look.all(ACCOUNT, here),
        secrets={name: look.has_secret(here, name) for name in wanted},
        queues=look.all(QUEUE, here) if KUEUE in groups else (),
        rights=look.rights(here, [one.right for one in RIGHTS]),
    )


class _Look:
    """Reading calls, each of which yields what was seen or why nothing was."""

    def __init__(self, where: Place) -> None:
        self._wire, self._context = Wire(where), where.context

    def raw(self, path: str) -> dict[str, Any]:
        """What is answered below a path; CommandError where nothing is."""
        return self._wire.json(Call("get", Kind(path, "v1", path), None, self._context, path=path))

    def all(self, kind: Kind, namespace: str | None, label: str | None = None) -> Seen:
        """All objects of a kind."""

        def look() -> list[Object]:
            query = {"limit": PAGE} | ({"labelSelector": label} if label else {})
            found: list[Object] = []
            while True:
                page = self._wire.json(Call("list", kind, namespace, self._context), query)
                found += page.get("items") or []
                query["continue"] = (page.get("metadata") or {}).get("continue") or ""
                if not query["continue"]:
                    return found

        return _seen(look, [])

    def one(self, kind: Kind, namespace: str | None, name: str) -> Seen:
        """The object of a name, in a list of one or none."""
        return _seen(lambda: [self._wire.json(Call("get", kind, namespace, self._context, name))], [])

    def has_secret(self, namespace: str, name: str) -> bool | Unseen:
        """Whether there is a Secret, by its metadata alone."""

        def look() -> list[Object]:
            return [self._wire.metadata(Call("get", SECRET, namespace, self._context, name))]

        found = _seen(look, [])
        return found if isinstance(found, Unseen) else bool(found)

    def serves(self, kind: Kind, groups: dict[str, list[str]]) -> bool:
        """Whether the API server knows a kind of a group."""
        group, _, version = kind.api_version.partition("/")
        if version not in groups.get(group, ()):
            return False
        resources = self.raw(f"/apis/{kind.api_version}").get("resources") or ()
        return any(one.get("name") == kind.plural for one in resources)

    def run_fields(self) -> frozenset[str] | None | Unseen:
        """The fields of the TrainingRun that is served, by the schema that the API server publishes to everybody."""
        try:
            document = self.raw(f"/openapi/v3/apis/{names.API_VERSION}")
        except (AbsentError, UnservedError):
            return None
        except UnreachableError:
            raise
        except CommandError as error:
            return Unseen(str(error))
        for one in ((document.get("components") or {}).get("schemas") or {}).values():
            kinds = [kind.get("kind") for kind in one.get("x-kubernetes-group-version-kind") or ()]
            if names.KIND in kinds:
                return frozenset(fields_of(one))
        return None

    def clock(self) -> float | Unseen:
        """Seconds that this machine's clock is ahead of the API server's, by the Date of an answer."""
        before = time.time()
        headers = self._wire.headers(Call("get", Kind("", "v1", ""), None, self._context, path="/version"))
        between = (before + time.time()) / 2
        date = next((value for name, value in headers.items() if name.lower() == "date"), None)
        if date is None:
            return Unseen("Its answers have no Date.")
        return between - parsedate_to_datetime(date).timestamp() - 0.5  # of whole seconds half of one on average

    def rights(self, namespace: str, wanted: list[Right]) -> dict[Right, bool | Unseen]:
        """Whether the user may do each of these."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return dict(zip(wanted, pool.map(lambda one: self._may(namespace, one), wanted), strict=True))

    def _may(self, namespace: str, right: Right) -> bool | Unseen:
        attributes = {"verb": right.verb, "group": right.group, "resource": right.resource}
        attributes |= {"subresource": right.subresource} if right.subresource else {}
        attributes |= {} if right.everywhere else {"namespace": namespace}
        review = {
            "apiVersion": ACCESS_REVIEW.api_version,
            "kind": ACCESS_REVIEW.name,
            "spec": {"resourceAttributes": attributes},
        }
        try:
            answer = self._wire.json(Call("create", ACCESS_REVIEW, None, self._context), None, "POST", review)
        except UnreachableError:
            raise
        except CommandError as error:
            return Unseen(str(error))
        return bool((answer.get("status") or {}).get("allowed"))


def _seen(look: Callable[[], list[Object]], absent: list[Object]) -> Seen:
    try:
        return look()
    except (AbsentError, UnservedError):
        return absent
    except UnreachableError:
        raise
    except CommandError as error:
        return Unseen(str(error))
