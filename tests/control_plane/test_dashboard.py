"""The dashboard on a real API server, in a real browser, with runs that a real operator has led to their states."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browser import Watched, browser
from control_plane.api import Api, until
from control_plane.conftest import create_claim
from control_plane.dashboards import (
    BUSY,
    MARKUP,
    a_run_full_of_everything,
    asked,
    dashboard,
    kubeconfig,
    runs_in_states,
)
from control_plane.kubelet import Kubelet
from control_plane.operator_process import Operator, running
from control_plane.proxies import Background, Wire

NAMESPACE = "dashboard"
PHASES = {
    "bad": "Failed", BUSY: "Running", "done": "Succeeded", "full": "Running", "new": "Pending", "still": "Suspended",
}  # fmt: skip
VIEWER = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: viewer, namespace: dashboard}
rules: [{apiGroups: [trainingrun.dev], resources: [trainingruns], verbs: [get, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: viewer, namespace: dashboard}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: viewer}
subjects: [{kind: ServiceAccount, name: default, namespace: dashboard}]
"""


class Line:
    """A wire to the API server that can be cut and mended."""

    def __init__(self, api: Api) -> None:
        self._background, self._wire = Background(), Wire(api.server)
        self.server = self._wire.server
        self.mend()

    def mend(self) -> None:
        self._listening = self._background.call(self._wire.serve())

    def cut(self) -> None:
        self._background.call(self._wire.close(self._listening))

    def close(self) -> None:
        self.cut()
        self._background.close()


@pytest.fixture(scope="module")
def runs(api: Api, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Runs in every state; no operator runs any more."""
    api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    account = {"name": "default", "namespace": NAMESPACE}
    api.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
    create_claim(api, NAMESPACE)
    with running(Operator(api, tmp_path_factory.mktemp("operator"))) as operator:
        runs_in_states(api, operator, Kubelet(api, NAMESPACE))
    a_run_full_of_everything(api, NAMESPACE)


@pytest.fixture(scope="module")
def line(api: Api) -> Iterator[Line]:
    made = Line(api)
    yield made
    made.close()


@pytest.fixture(scope="module")
def address(runs: None, api: Api, line: Line, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the dashboard is."""
    file = kubeconfig(api, tmp_path_factory.mktemp("user") / "kubeconfig", line.server)
    with dashboard(file, "-n", NAMESPACE) as address:
        yield address


@pytest.fixture(scope="module")
def started() -> Iterator[Any]:
    with browser() as one:
        yield one


def page_of(name: str, address: str) -> str:
    return f"{address}#/{NAMESPACE}/{name}"


@pytest.mark.parametrize("width", [1200, 390])
def test_all_runs_are_on_the_first_page_with_their_states(width: int, started: Any, address: str) -> None:
    watched = Watched(started, address, width)
    watched.page.wait_for_selector(".card")
    cards = watched.page.locator(".card").all()
    assert {one.locator("strong").inner_text(): one.locator(".pill").inner_text() for one in cards} == PHASES
    assert "The file raw/en/a.parquet is torn." in watched.text(".card .trouble")
    watched.shot(f"all-{width}")
    assert (watched.too_wide(), watched.outside(), watched.errors) == (0, [], [])
    cards[0].click()
    watched.page.wait_for_selector("svg.chain")
    watched.close()


@pytest.mark.parametrize(("name", "width"), list(itertools.product(PHASES, (1200, 390))))
def test_a_run_is_shown_whole_at_every_width(name: str, width: int, started: Any, address: str) -> None:
    watched = Watched(started, page_of(name, address), width, "dark" if width < 700 else "light")
    watched.page.wait_for_selector(".pill")
    watched.page.wait_for_timeout(300)
    assert watched.text(".pill") == PHASES[name]
    assert watched.page.locator("svg.chain .box").count() == (6 if name == "done" else 13)
    watched.shot(f"{name}-{width}")
    assert (watched.too_wide(), watched.outside(), watched.errors) == (0, [], [])
    watched.close()


def test_a_run_that_was_restarted_says_when_and_why(started: Any, address: str) -> None:
    watched = Watched(started, page_of(BUSY, address), 1200)
    watched.page.wait_for_selector(".causes li")
    assert "Killed ended attempt 1 of pretrain" in watched.text(".causes li")
    assert watched.page.locator(".track i.running").count() >= 1
    assert "310 of 900" in watched.text(".facts")
    assert "StageStarted" in watched.text(".events")
    assert "Loss" in watched.text("#Training")
    watched.close()


def test_what_people_write_is_text_and_never_markup(started: Any, address: str) -> None:
    watched = Watched(started, page_of("full", address), 1200)
    watched.page.wait_for_selector(".causes li")
    assert MARKUP in watched.text("ol.causes")
    assert MARKUP in watched.text("ul.causes"), "why a node is avoided"
    assert watched.page.title() == "full · trainingrun"
    assert watched.page.locator("main img").count() == 0
    watched.close()


def test_the_page_follows_the_run(started: Any, address: str, api: Api) -> None:
    watched = Watched(started, page_of(BUSY, address), 1200)
    watched.page.wait_for_selector(".facts")
    stages = api.get("TrainingRun", BUSY, NAMESPACE)["status"]["stages"]
    stages[1]["progress"] |= {"step": 320, "loss": 5.125}
    api.merge("TrainingRun", BUSY, {"status": {"stages": stages, "progress": "320/900", "loss": "5.125"}}, NAMESPACE,
              "status")  # fmt: skip
    watched.page.wait_for_selector(".facts:has-text('320 of 900')", timeout=30_000)
    assert "5.125" in watched.text(".facts")
    assert "5.125 at step 320" in watched.text("#Training")
    watched.close()


def test_a_cluster_that_is_lost_leaves_what_was_there_and_says_so(started: Any, address: str, line: Line) -> None:
    watched = Watched(started, page_of(BUSY, address), 390, "dark")
    watched.page.wait_for_selector("svg.chain")
    line.cut()
    try:
        watched.page.wait_for_selector("#banner:not([hidden])", timeout=40_000)
        assert "can't be reached" in watched.text("#banner")
        assert "Below is what was there at" in watched.text("#banner")
        assert watched.text(".pill") == "Running"
        watched.shot("lost-390")
    finally:
        line.mend()
    watched.page.wait_for_selector("#banner", state="hidden", timeout=40_000)
    assert (watched.too_wide(), watched.errors) == (0, [])
    watched.close()


def test_a_dashboard_that_was_ended_says_so(started: Any, runs: None, api: Api, tmp_path: Path) -> None:
    with dashboard(kubeconfig(api, tmp_path / "kubeconfig"), "-n", NAMESPACE) as address:
        watched = Watched(started, address, 1200)
        watched.page.wait_for_selector(".card")
    watched.page.wait_for_selector("#banner:not([hidden])", timeout=20_000)
    assert "start trainingrun dashboard again" in watched.text("#banner")
    assert watched.page.locator(".card").count() == len(PHASES)
    watched.close()


def test_a_log_that_can_t_be_had_is_a_sentence(started: Any, address: str) -> None:
    watched = Watched(started, page_of(BUSY, address), 1200)
    watched.page.wait_for_selector("select option:nth-child(2)", state="attached")
    watched.page.select_option("select", index=1)
    watched.page.wait_for_selector("#Logs p:not(:empty)", timeout=45_000)
    assert "Traceback" not in watched.text("#Logs")
    watched.close()


def test_a_run_that_is_deleted_is_said_to_be_gone(started: Any, address: str, api: Api) -> None:
    api.create({**api.get("TrainingRun", "new", NAMESPACE), "metadata": {"name": "short", "namespace": NAMESPACE}})
    watched = Watched(started, page_of("short", address), 390)
    watched.page.wait_for_selector("svg.chain")
    api.delete("TrainingRun", "short", NAMESPACE)
    watched.page.wait_for_selector("text=There is no run short in namespace dashboard", timeout=20_000)
    watched.close()


def test_with_fewer_rights_there_is_less_and_a_sentence_for_each(runs: None, api: Api, tmp_path: Path) -> None:
    api.kubectl("apply", "-f", "-", stdin=VIEWER)
    file = kubeconfig(api, tmp_path / "kubeconfig", token=api.token("default", NAMESPACE))
    with dashboard(file, "-n", NAMESPACE) as address:

        def whole() -> Any:
            return asked(f"{address}api/runs")["model"]

        assert len(until(whole, 20)["runs"]) == len(PHASES)
        model = asked(f"{address}api/runs/{NAMESPACE}/{BUSY}")["model"]
        assert model["phase"] == "Running"
        for part in ("events", "pods"):
            assert f"may not list {part} in namespace dashboard" in model["missing"][part]
    with dashboard(file, "-A") as address:
        told = asked(f"{address}api/runs")
        assert told["model"] is None
        assert "may not list trainingruns.trainingrun.dev in all namespaces" in told["trouble"]["message"]
