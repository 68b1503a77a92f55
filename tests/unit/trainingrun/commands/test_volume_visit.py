"""A pod on a claim that commands read through: what it is, and what is said where it fails."""

import json

import pytest

from trainingrun.commands import volume_visit
from trainingrun.commands.manifest import CommandError
from trainingrun.commands.volume_pod import Kubectl
from trainingrun.commands.volume_visit import Visit
from unit.trainingrun.commands.world import World


def test_one_restricted_pod_serves_all_readings_and_goes_afterwards(world: World) -> None:
    world.put("runs/a/file", "line one\nline two\n")
    with Visit(Kubectl("default"), "quickstart") as visit:
        assert visit.document("files", "runs/a") == {"files": [{"name": "file", "bytes": 18}]}
        assert list(visit.lines("send", "runs/a/file")) == ["line one", "line two"]
        assert world.left == ["visit-0"]
    assert world.left == []
    pod = json.loads((world.root / "made" / "visit-0").read_text())
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
    assert pod["spec"]["activeDeadlineSeconds"] == volume_visit.SECONDS
    (container,) = pod["spec"]["containers"]
    assert container["args"] == ["artifacts", "wait", str(volume_visit.SECONDS)]
    assert container["image"] == "registry.example/datatrove:1"


def test_a_visit_that_reads_nothing_makes_no_pod(world: World) -> None:
    with Visit(Kubectl("default"), "quickstart"):
        pass
    assert world.visits == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("files", "runs/none"), "claim quickstart failed: runs/none can't be read on the volume: No such file or d"),
        (("bake", "bread"), "The workers' image that is installed is older than this command: upgrade the chart"),
    ],
)
def test_what_the_pod_refuses_is_one_sentence(words: tuple[str, ...], said: str, world: World) -> None:
    with pytest.raises(CommandError, match=said), Visit(Kubectl("default"), "quickstart") as visit:
        visit.document(*words)
    assert world.left == []


@pytest.mark.parametrize(
    ("phase", "said"),
    [
        ("Pending", "did not start within 0 s: ImagePullBackOff: no such image."),
        ("Failed", "The workers' image that is installed is older than this command: upgrade the chart"),
    ],
)
def test_a_pod_that_does_not_start_says_why(
    phase: str, said: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(volume_visit, "START_SECONDS", 0.0)
    monkeypatch.setenv("PHASE", phase)
    with pytest.raises(CommandError, match=said), Visit(Kubectl("default"), "quickstart") as visit:
        visit.document("files", "runs")
    assert world.left == []


@pytest.mark.parametrize(
    ("claim", "may_list", "said"),
    [
        ("quickstrat", True, "There is no claim quickstrat in namespace default: did you mean quickstart?"),
        ("other", True, "There is no claim other in namespace default: it has quickstart."),
        ("quickstrat", False, "There is no claim quickstrat in namespace default."),
    ],
)
def test_a_claim_that_is_not_there_is_told_with_the_nearest_name(
    claim: str, may_list: bool, said: str, world: World
) -> None:
    if not may_list:
        (world.root / "no-list").touch()
    with pytest.raises(CommandError) as caught, Visit(Kubectl("default"), claim) as visit:
        visit.document("files", "runs")
    assert (str(caught.value), caught.value.code) == (said, 4)
    assert world.left == []


def test_without_kubectl_a_sentence_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(CommandError, match="kubectl can't be started"), Visit(Kubectl(), "quickstart") as visit:
        visit.document("files", "runs")
