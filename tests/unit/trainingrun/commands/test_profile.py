"""A profile is asked for, waited for and copied; what stands in its way is a sentence."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from trainingrun.api import names
from trainingrun.cli import main
from trainingrun.cluster.kinds import Kind
from unit.trainingrun.commands.world import World

Capture = pytest.CaptureFixture[str]
Stage = dict[str, Any]


class Operator:
    """Answers what is asked of the world's run, and does as a gang would."""

    def __init__(self, world: World, ends: Stage) -> None:
        self._world, self._ends = world, ends
        self.asked: list[str] = []

    def merge(self, kind: Kind, name: str, patch: Mapping[str, Any]) -> Any:
        asked = patch["metadata"]["annotations"][names.ANNOTATION_ASKED]
        self.asked.append(asked)
        status = self._world.runs[name]["status"]
        status |= {"asked": asked, "answer": "Attempt 1 profiles."}
        (stage,) = status["stages"]
        if stage.get("refuses"):
            status["answer"] = "Nothing was done: there is no rank 7; the last one is 1."
            return
        stage |= {"profile": asked.removeprefix("profile ") + " 1"}
        wish = asked.split()[-1].replace(":", "-")
        for rank in (0, 1):
            folder = f"runs/default/{name}-{self._world.runs[name]['metadata']['uid'][:8]}/profiles/{wish}"
            self._world.put(f"{folder}/rank-{rank:05d}.json.gz", b"trace %d" % rank * 100_000)
        progress = stage["progress"] | {"profile": wish} | self._ends.pop("progress", {})
        stage |= {"progress": progress} | self._ends


def training(world: World, monkeypatch: pytest.MonkeyPatch, ends: Stage | None = None, **stage: Any) -> Operator:
    """A run that trains, whose operator answers."""
    known = {"name": "pretrain", "kind": "pretrain", "phase": "Running", "attempt": 1, "progress": {"step": 5}} | stage
    world.add_run("tiny", {"stages": [known]})
    operator = Operator(world, ends or {})
    monkeypatch.setattr(world, "merge", operator.merge, raising=False)
    return operator


def test_the_traces_arrive_whole(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Capture
) -> None:
    operator = training(world, monkeypatch)
    target = tmp_path / "here" / "traces"
    assert main(["profile", "tiny", "--steps", "7", "--all-ranks", "--to", str(target), "-o", "json"]) == 0
    assert operator.asked[0].startswith("profile 7 all 20")
    told = json.loads(capsys.readouterr().out)
    assert [Path(one).read_bytes()[:7] for one in told["traces"]] == [b"trace 0", b"trace 1"]
    assert sorted(one.name for one in target.iterdir()) == ["rank-00000.json.gz", "rank-00001.json.gz"]
    assert (world.volume / told["onVolume"]).is_dir()
    assert world.left == []


def test_people_are_told_where_it_is(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert training(world, monkeypatch) and main(["profile", "tiny"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert Path(said[0]).is_file() and said[0].startswith("tiny-profile-20")
    assert said[-1].startswith(
        "Perfetto (ui.perfetto.dev) and chrome://tracing open them. On the volume they lie in runs/"
    )


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        ({"phase": "Succeeded"}, "Stage pretrain of tiny is complete: only a gang that trains can be profiled."),
        ({"phase": "Waiting", "message": "It waits."}, "Stage pretrain of tiny is not training now: It waits."),
        ({"progress": {"step": 0}, "message": "Attempt 1 of stage pretrain was started."},
         "Stage pretrain of tiny is not training now: Attempt 1 of stage pretrain was started."),
        ({"progress": {"step": 5, "activity": "profiling"}}, "tiny is being profiled already: wait for that."),
        ({"refuses": True}, "Nothing was done: there is no rank 7; the last one is 1."),
    ],
)  # fmt: skip
def test_what_cannot_be_profiled_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: Capture, stage: Stage, said: str
) -> None:
    training(world, monkeypatch, **stage)
    assert main(["profile", "tiny", "--rank", "7"]) == 1
    assert capsys.readouterr().err == f"{said}\n"
    assert world.visits == 0


@pytest.mark.parametrize(
    ("ends", "code", "said"),
    [
        ({"progress": {"profileError": "The volume is full."}}, 1, "There is no profile: The volume is full."),
        ({"progress": {"profile": None}, "phase": "Succeeded", "message": "Stage pretrain is complete."}, 1,
         "Attempt 1 of stage pretrain ended before it was profiled: Stage pretrain is complete."),
        ({"progress": {"profile": None}}, 3, "Attempt 1 of stage pretrain has made no profile within 1 s: "),
    ],
)  # fmt: skip
def test_one_that_does_not_come_is_not_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: Capture, ends: Stage, code: int, said: str
) -> None:
    training(world, monkeypatch, ends)
    assert main(["profile", "tiny", "--timeout", "1"]) == code
    assert capsys.readouterr().err.startswith(said)


def test_a_folder_that_cannot_be_written_says_where_the_traces_are(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Capture
) -> None:
    training(world, monkeypatch)
    (tmp_path / "file").touch()
    assert main(["profile", "tiny", "--to", str(tmp_path / "file")]) == 2
    assert "can't be written: File exists. The traces stay on the volume in runs/" in capsys.readouterr().err
