"""Two replicas: one acts at a time, the other takes over within seconds, and nobody writes who may not act any more."""

import dataclasses
import functools
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from control_plane.api import Api, ApiError, Object, until
from control_plane.http_proxies import HttpProxy, serving
from control_plane.kubelet import Kubelet
from control_plane.operator_process import ACCOUNT_NAMESPACE, RELEASE, Operator, running
from control_plane.test_crashes import final_state, short, succeeded
from control_plane.test_failures import attempt
from control_plane.test_reports import Stage, send
from trainingrun.api import names

LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{ACCOUNT_NAMESPACE}/leases/{RELEASE}"


def acts(operator: Operator) -> bool:
    return operator.metric("trainingrun_leader") == 1.0


@dataclasses.dataclass
class Replicas:
    """Two replicas that watch one namespace; the first acts."""

    first: Operator
    second: Operator
    proxy: HttpProxy  # between the first and the API server


@contextmanager
def two_replicas(api: Api, folder: Path, namespace: str) -> Iterator[Replicas]:
    with serving(HttpProxy(api)) as proxy:
        first = Operator(api, folder / "first", proxy.server, identity="first", namespaces=namespace)
        second = Operator(api, folder / "second", identity="second", namespaces=namespace)
        with running(first):
            until(functools.partial(acts, first))
            with running(second):
                assert not acts(second)
                yield Replicas(first, second, proxy)
                for one in (first, second):  # so that the next test's operator need not wait for the Lease
                    if not one.has_ended():
                        one.process_signal(signal.SIGCONT)
                        one.stop()


@pytest.fixture
def replicas(api: Api, namespace: str, tmp_path: Path) -> Iterator[Replicas]:
    with two_replicas(api, tmp_path, namespace) as both:
        yield both


def test_a_killed_leader_is_followed_within_twenty_seconds_and_nothing_is_done_twice(
    api: Api, replicas: Replicas, namespace: str, kubelet: Kubelet, manifest: Object
) -> None:
    api.create(short(manifest))
    tokenize = until(lambda: attempt(kubelet, "tiny-tokenize-a1"))
    kubelet.start(tokenize)
    replicas.first.kill()
    killed = time.monotonic()
    kubelet.complete(tokenize)
    until(lambda: attempt(kubelet, "tiny-pretrain-a1"), 20)
    print(f"fail-over after kill -9: the next stage's object was there after {time.monotonic() - killed:.1f} s")
    kubelet.play(lambda: succeeded(api, namespace))
    found = final_state(api, namespace)
    assert {cause for _, _, cause in found["attempts"]} == {"Completed"}
    assert {stage["attempt"] for stage in found["stages"] if stage["name"] != "convert"} == {1}
    made = [one["metadata"]["name"] for one in kubelet.work()]
    assert sorted(made) == sorted(set(made)) and len(api.list("PyTorchJob", namespace)) <= 1


def test_a_paused_leader_that_wakes_writes_nothing_and_can_take_over_again(
    api: Api, replicas: Replicas, namespace: str, kubelet: Kubelet, manifest: Object
) -> None:
    first, second, proxy = replicas.first, replicas.second, replicas.proxy
    # Paused in the middle of a pass: when it wakes it has the answer that it waited for, and goes on to write.
    proxy.hold(lambda method, path: "/persistentvolumeclaims/" in path)
    run = api.create(short(manifest))
    assert proxy.holding.wait(20)
    first.process_signal(signal.SIGSTOP)
    proxy.let_go()
    paused = time.monotonic()
    until(lambda: acts(second), 20)
    tokenize = until(lambda: attempt(kubelet, "tiny-tokenize-a1"), 5)
    print(f"fail-over after SIGSTOP: the first object was there after {time.monotonic() - paused:.1f} s")
    pod = kubelet.start(tokenize)[0]
    woken = time.monotonic()
    first.process_signal(signal.SIGCONT)
    for _ in range(10):
        time.sleep(0.5)
        assert not acts(first) and acts(second)
    assert proxy.writes(woken) == []
    assert first.answer("/readyz") == (200, "ok")

    # A report reaches whoever acts, whichever replica the Service has chosen.
    stage = Stage(api, namespace, run, pod)
    assert [send(one, stage.report(), stage.token()) for one in (second, first)] == [204, 204]
    assert send(first, stage.report(), "made-up") == 401
    until(lambda: api.get("TrainingRun", "tiny", namespace)["status"].get("progress") == "3/12", 30)

    # Told to end, a replica hands over at once.
    second.stop()
    told = time.monotonic()
    until(lambda: acts(first), 5)
    print(f"hand-over after SIGTERM: {time.monotonic() - told:.1f} s")
    kubelet.play(lambda: succeeded(api, namespace))
    assert {one["cause"] for one in api.get("TrainingRun", "tiny", namespace)["status"]["attempts"]} == {"Completed"}


def test_while_somebody_elses_lease_holds_nothing_is_written_and_reports_are_put_off(
    api: Api, namespace: str, manifest: Object, tmp_path: Path
) -> None:
    forget_lease(api)
    held = {"holderIdentity": "somebody-else", "leaseDurationSeconds": 600}
    metadata = {"name": RELEASE, "namespace": ACCOUNT_NAMESPACE}
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": held}
    api.call("POST", LEASE.rpartition("/")[0], lease)
    try:
        with serving(HttpProxy(api)) as proxy, running(Operator(api, tmp_path, proxy.server)) as one:
            api.create(manifest)
            time.sleep(3)
            status, text = one.answer(names.REPORT_PATH, b"{}", "any")
            assert (status, text) == (503, "No replica acts at the moment.")
            assert not acts(one) and proxy.writes() == []
            assert one.answer("/healthz") == one.answer("/readyz") == (200, "ok")
    finally:
        forget_lease(api)


def forget_lease(api: Api) -> None:
    """Delete the Lease, if there is one."""
    try:
        api.call("DELETE", LEASE)
    except ApiError as error:
        assert error.status == 404, error
