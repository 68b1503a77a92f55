"""An API server that is away, forgets, refuses, is busy or distrusts: runs go on when it is well again."""

import contextlib
import itertools
import os
import time
from pathlib import Path

import pytest
from kubernetes.aio import client

from control_plane.api import Api, Object, until
from control_plane.http_proxies import Fault, HttpProxy, is_write, serving
from control_plane.kubelet import Kubelet
from control_plane.operator_process import ACCOUNT_NAMESPACE, RELEASE, Operator, running
from control_plane.proxies import wire
from control_plane.test_crashes import final_state, short, succeeded
from control_plane.test_failures import attempt
from trainingrun.cluster.client import Client
from trainingrun.cluster.kinds import CONFIG_MAP, JOB, Kind

AWAY_SECONDS = float(os.environ.get("TRAININGRUN_AWAY_SECONDS", "60"))  # 300 for the five minutes of an upgrade
CAUGHT_UP_SECONDS = 90.0
GONE = (
    '{"type": "ERROR", "object": {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", '
    '"reason": "Expired", "code": 410, "message": "too old resource version: 1 (2)"}}\n'
)
MOODS = (
    {"status": 409},
    {"status": 429, "headers": {"Retry-After": "1"}},
    {"status": 500},
    {"status": 503},
    {"status": 0},
)


def is_watch(method: str, path: str) -> bool:
    return "watch=true" in path


def test_an_api_server_that_was_away_is_caught_up_with_when_it_is_back(
    api: Api, namespace: str, kubelet: Kubelet, manifest: Object, tmp_path: Path
) -> None:
    with wire(api) as line:
        with running(Operator(api, tmp_path, server=line.server, namespaces=namespace)) as operator:
            api.create(short(manifest))
            tokenize = until(lambda: attempt(kubelet, "tiny-tokenize-a1"))
            kubelet.start(tokenize)
            line.go_dead(new_connections_too=True)
            kubelet.complete(tokenize)
            until(lambda: operator.metric("trainingrun_leader") == 0.0, 15)
            time.sleep(AWAY_SECONDS)
            line.revive()
            healed = time.monotonic()
            until(lambda: attempt(kubelet, "tiny-pretrain-a1"), CAUGHT_UP_SECONDS)
            print(f"away for {AWAY_SECONDS:.0f} s: caught up {time.monotonic() - healed:.1f} s after it was back")
            kubelet.play(lambda: succeeded(api, namespace))
            assert {cause for _, _, cause in final_state(api, namespace)["attempts"]} == {"Completed"}
            assert not operator.has_ended() and operator.answer("/healthz") == (200, "ok")


@pytest.mark.parametrize(
    "answer", [{"status": 200, "body": GONE}, {"status": 410}], ids=["in the watch", "to the watch"]
)
def test_a_watch_whose_history_is_gone_lists_anew(
    api: Api, namespace: str, kubelet: Kubelet, manifest: Object, tmp_path: Path, answer: Object
) -> None:
    with serving(HttpProxy(api)) as proxy:
        proxy.faults += [Fault(is_watch, times=12, **answer)]
        with running(Operator(api, tmp_path, proxy.server, namespaces=namespace)):
            api.create(short(manifest))
            kubelet.play(lambda: succeeded(api, namespace), 90)
        assert proxy.faults[0].times == 0


def test_whatever_a_write_is_answered_at_first_the_run_ends_as_if_nothing_had_happened(
    api: Api, namespace: str, kubelet: Kubelet, manifest: Object, tmp_path: Path
) -> None:
    api.create(short(manifest))
    with running(Operator(api, tmp_path / "calm", namespaces=namespace)):
        kubelet.play(lambda: succeeded(api, namespace))
    undisturbed = final_state(api, namespace)
    api.delete("TrainingRun", "tiny", namespace)
    kubelet.collect_garbage()

    api.create(short(manifest))
    with serving(Moody(api)) as proxy:
        with running(Operator(api, tmp_path / "moody", proxy.server, namespaces=namespace)):
            kubelet.play(lambda: succeeded(api, namespace), 120)
            with contextlib.suppress(AssertionError):  # what is no longer needed goes
                until(lambda: final_state(api, namespace) == undisturbed, 20)
            assert final_state(api, namespace) == undisturbed, proxy.writes()
    spoilt = {one.status for one in proxy.writes()} & {mood["status"] for mood in MOODS}
    assert len(spoilt) >= 4, proxy.writes()


class Moody(HttpProxy):
    """Spoils every fourth write, each time in another way."""

    def __init__(self, api: Api) -> None:
        super().__init__(api)
        self._moods = itertools.cycle(MOODS)
        self._count = itertools.count()

    def fault(self, method: str, path: str) -> Fault | None:
        if not is_write(method, path) or next(self._count) % 4 != 1:
            return None
        return Fault(is_write, **next(self._moods))


def test_a_busy_api_server_is_left_alone_for_as_long_as_it_asks(
    api: Api, namespace: str, kubelet: Kubelet, manifest: Object, tmp_path: Path
) -> None:
    with serving(HttpProxy(api)) as proxy:
        proxy.faults += [Fault(is_status, 429, headers={"Retry-After": "3"})]
        with running(Operator(api, tmp_path, proxy.server, namespaces=namespace)):
            api.create(manifest)
            until(kubelet.work)
        first, second = [one for one in proxy.writes() if is_status(one.method, one.path)][:2]
        assert (first.status, second.status) == (429, 200)
        assert second.at - first.at >= 3.0 * 0.8, "it has asked for three seconds; a fifth is spread"


def is_status(method: str, path: str) -> bool:
    return method == "PUT" and path.partition("?")[0].endswith("/status")


def test_a_token_that_is_refused_is_read_anew_and_nothing_is_lost(
    api: Api, namespace: str, kubelet: Kubelet, manifest: Object, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text(revocable_token(api))
    with running(Operator(api, tmp_path, namespaces=namespace, token_file=token)) as operator:
        api.create(short(manifest))
        tokenize = until(lambda: attempt(kubelet, "tiny-tokenize-a1"))
        kubelet.start(tokenize)
        # The only way to have a token refused within a test: Kubernetes makes none for less than ten minutes.
        api.delete("Secret", SECRET, ACCOUNT_NAMESPACE)
        until(lambda: operator.metric("trainingrun_leader") == 0.0, 60)
        kubelet.complete(tokenize)
        time.sleep(5)
        assert not operator.has_ended(), operator.said()
        token.write_text(api.token(RELEASE, ACCOUNT_NAMESPACE))
        renewed = time.monotonic()
        until(lambda: attempt(kubelet, "tiny-pretrain-a1"), CAUGHT_UP_SECONDS)
        print(f"token renewed: caught up after {time.monotonic() - renewed:.1f} s")


SECRET = "operator-token"


def revocable_token(api: Api) -> str:
    """A token of the operator's account that is good for as long as a Secret is there."""
    secret = api.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": SECRET}})
    reference = {"kind": "Secret", "apiVersion": "v1", "name": SECRET, "uid": secret["metadata"]["uid"]}
    return api.token(RELEASE, ACCOUNT_NAMESPACE, bound_to=reference)


@pytest.mark.parametrize("shift", [-600.0, 600.0], ids=["ten minutes slow", "ten minutes fast"])
def test_an_operator_whose_clock_is_wrong_does_the_same(
    api: Api, namespace: str, kubelet: Kubelet, manifest: Object, tmp_path: Path, shift: float
) -> None:
    api.create(short(manifest))
    with running(Operator(api, tmp_path, namespaces=namespace, clock_shift=shift)):
        kubelet.fail(until(lambda: attempt(kubelet, "tiny-tokenize-a1")), 1)
        kubelet.play(lambda: succeeded(api, namespace), CAUGHT_UP_SECONDS)
    causes = [(stage, cause) for stage, _, cause in final_state(api, namespace)["attempts"]]
    assert causes[:2] == [("tokenize", "Crashed"), ("tokenize", "Completed")]


def test_a_replica_does_not_wait_for_the_times_that_another_ones_fast_clock_has_written(
    api: Api, namespace: str, kubelet: Kubelet, manifest: Object, tmp_path: Path
) -> None:
    api.create(short(manifest))
    fast = Operator(api, tmp_path / "fast", namespaces=namespace, clock_shift=3600.0)
    with running(fast):
        kubelet.fail(until(lambda: attempt(kubelet, "tiny-tokenize-a1")), 1)
        until(lambda: not attempt(kubelet, "tiny-tokenize-a1"))
        fast.kill()
    kubelet.collect_garbage()
    with running(Operator(api, tmp_path / "right", namespaces=namespace)):
        until(lambda: attempt(kubelet, "tiny-tokenize-a2"), CAUGHT_UP_SECONDS)


@pytest.mark.parametrize("kind", [JOB, CONFIG_MAP], ids=lambda one: one.name)
async def test_an_object_that_was_made_anew_meanwhile_is_not_deleted(api: Api, namespace: str, kind: Kind) -> None:
    made = client.Configuration(host=api.server)
    made.ssl_ca_cert, made.cert_file, made.key_file = api.authority, api.certificate, api.private_key
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "it", "image": "registry.example/it:1"}]}}
    body = {"spec": {"template": template}} if kind is JOB else {}
    metadata = {"name": "again", "namespace": namespace}
    api.create({"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata, **body})
    one = Client(made)
    await one.delete(kind, namespace, "again", "an-earlier-uid", force=False)
    await one.close()
    assert api.exists(kind.name, "again", namespace)
