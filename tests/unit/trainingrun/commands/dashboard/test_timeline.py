"""When stages ran and how their attempts ended."""

from builders import World
from trainingrun.api.status import Attempt, StageStatus, TrainingRunStatus
from trainingrun.commands.dashboard.timeline import restarts, timeline


def test_nothing_has_started_yet() -> None:
    made = timeline(TrainingRunStatus(), 1000.0)
    assert made["rows"] == []
    assert made["end"] > made["start"]


def test_each_attempt_is_a_bar_that_says_how_it_ended() -> None:
    world = World().settle().completes("tokenize").settle()
    world.wait(100).fails("pretrain", exit_code=1).wait(20).wait(60)
    world.reports("pretrain", step=300, total=900, checkpoint=300, checkpoints=(0, 300)).settle()
    world.wait(100).fails("pretrain", exit_code=143).wait(20)
    rows = {row["stage"]: row["bars"] for row in timeline(world.run.status, world.now)["rows"]}
    assert [(bar["number"], bar["look"], bar["cause"]) for bar in rows["pretrain"]] == [
        (1, "bad", "Crashed"), (2, "moved", "Preempted"), (3, "running", "running"),
    ]  # fmt: skip
    assert [bar["look"] for bar in rows["tokenize"]] == ["good"]
    assert all(bar["from"] <= bar["to"] <= world.now for bars in rows.values() for bar in bars)
    assert restarts(world.run.status.attempts, "pretrain")[-1] == {"step": 300, "number": 3}


def test_attempts_that_the_status_lists_no_more_are_one_bar() -> None:
    stage = StageStatus(
        name="pretrain", kind="pretrain", phase="Running", attempt=31, started_at="2027-01-15T08:00:00Z"
    )  # fmt: skip
    newest = Attempt(stage="pretrain", number=31, started_at="2027-01-15T10:00:00Z")
    status = TrainingRunStatus(stages=[stage], attempts=[newest])
    (row,) = timeline(status, 1_800_010_800.0)["rows"]
    first, second = row["bars"]
    assert (first["look"], first["message"]) == ("earlier", "30 attempts that the status lists no more.")
    assert (second["number"], second["look"]) == (31, "running")
    assert first["to"] == second["from"]
