"""An operator that has gone deaf recovers by itself, or its probe says so."""

from pathlib import Path

from control_plane.api import Api, Object, until
from control_plane.kubelet import GARBAGE, Kubelet
from control_plane.operator_process import Operator, running
from control_plane.proxies import wire


def test_watches_that_have_died_without_a_word_are_made_anew(
    api: Api, namespace: str, manifest: Object, tmp_path: Path
) -> None:
    with wire(api) as line:
        with running(Operator(api, tmp_path, server=line.server, silence_seconds="6")) as operator:
            line.go_dead(new_connections_too=False)
            api.create(manifest)
            until(lambda: api.list("Job", namespace), 40)
            assert operator.answer("/healthz") == (200, "ok")


def test_the_probe_fails_while_nothing_is_heard(api: Api, namespace: str, manifest: Object, tmp_path: Path) -> None:
    limits = {"silence_seconds": "4", "audit_seconds": "2", "deaf_seconds": "8"}
    with wire(api) as line:
        with running(Operator(api, tmp_path, server=line.server, **limits)) as operator:
            assert operator.answer("/healthz") == (200, "ok")
            line.go_dead(new_connections_too=True)
            status, text = until(lambda: _unhealthy(operator), 60)
            assert status == 503
            assert "have not been in step" in text


def _unhealthy(operator: Operator) -> tuple[int, str] | None:
    answer = operator.answer("/healthz")
    return answer if answer[0] != 200 else None


def test_a_quiet_cluster_is_not_taken_for_a_dead_one(api: Api, namespace: str, tmp_path: Path) -> None:
    limits = {"silence_seconds": "3", "audit_seconds": "2", "deaf_seconds": "6"}
    with running(Operator(api, tmp_path, **limits)) as operator:
        for _ in range(20):
            until(lambda: operator.metric("trainingrun_watch_age_seconds") < 5.0, 5, every=0.5)
            assert operator.answer("/healthz") == (200, "ok")


def test_an_object_whose_deletion_was_missed_is_forgotten(
    api: Api, namespace: str, manifest: Object, kubelet: Kubelet, tmp_path: Path
) -> None:
    limits = {"silence_seconds": "600", "audit_seconds": "2", "deaf_seconds": "600"}
    with wire(api) as line:
        with running(Operator(api, tmp_path, server=line.server, **limits)):
            api.create(manifest)
            job = until(lambda: api.list("Job", namespace))[0]
            # The watches hear no more, but every other call gets through on a new connection.
            line.go_dead(new_connections_too=False)
            api.delete("Job", job["metadata"]["name"], namespace, **GARBAGE)
            made_again = until(lambda: api.list("Job", namespace), 60)[0]
            assert made_again["metadata"]["uid"] != job["metadata"]["uid"]
