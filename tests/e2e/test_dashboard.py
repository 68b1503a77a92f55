"""The dashboard and the notebook on the demo's finished run, on a real cluster: real pods, logs and curves."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browser import Watched, browser
from control_plane.dashboards import asked, dashboard
from e2e.demo import NAME, NAMESPACE
from e2e.installation import environment, get
from notebooks import executed

pytestmark = pytest.mark.demo


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cluster's, with the demo's namespace."""
    import yaml

    document = yaml.safe_load(Path(environment()["KUBECONFIG"]).read_text())
    for one in document["contexts"]:
        one["context"]["namespace"] = NAMESPACE
    file = tmp_path_factory.mktemp("user") / "kubeconfig"
    file.write_text(yaml.safe_dump(document))
    return file


@pytest.fixture(scope="module")
def address(kubeconfig: Path) -> Iterator[str]:
    with dashboard(kubeconfig) as address:
        yield address


@pytest.fixture(scope="module")
def started() -> Iterator[Any]:
    with browser() as one:
        yield one


@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (390, "dark")])
def test_the_finished_run_is_shown_whole(width: int, scheme: str, started: Any, address: str) -> None:
    watched = Watched(started, f"{address}#/{NAMESPACE}/{NAME}", width, scheme)
    watched.page.wait_for_selector("svg.chain .succeeded", timeout=60_000)
    watched.page.wait_for_timeout(3000)  # logs are read beside the page
    assert watched.text(".pill") == "Succeeded"
    assert watched.page.locator("svg.chain .box.succeeded").count() == 13
    assert watched.page.locator("#Checkpoints tbody tr").count() == 4
    watched.shot(f"demo-{width}")
    assert (watched.too_wide(), watched.outside(), watched.errors) == (0, [], [])
    watched.close()


def test_the_curves_of_pods_that_are_still_there_are_whole(address: str) -> None:
    label = f"trainingrun.dev/run={NAME},trainingrun.dev/stage=pretrain"
    pods = get("pods", "-n", NAMESPACE, "-l", label)["items"]
    if not pods:
        pytest.skip("The pretraining pods of the demo are gone: their logs went with them.")
    for _ in range(3):  # the first looks may come before the logs
        model = asked(f"{address}api/runs/{NAMESPACE}/{NAME}")["model"]
    (curve,) = [one for one in model["curves"] if one["stage"] == "pretrain"]
    loss = next(one for one in curve["lines"] if one["key"] == "loss")
    assert loss["all"] > 80
    assert loss["points"][0][1] > loss["points"][-1][1] + 2
    log = asked(f"{address}api/runs/{NAMESPACE}/{NAME}/pods/{_master(pods)}/log")
    assert any("tokens/s" in line for line in log["lines"])


def _master(pods: list[dict[str, Any]]) -> str:
    return next(one["metadata"]["name"] for one in pods if "master" in one["metadata"]["name"])


def test_the_notebook_reads_the_curve_off_the_volume(kubeconfig: Path, tmp_path: Path) -> None:
    shown = executed("python.ipynb", kubeconfig, tmp_path / "out.ipynb", seconds=300.0, environment=environment())
    curve = next(text for cell, text in shown.items() if cell.startswith("curve = "))
    assert "loss" in curve and "count" in curve
