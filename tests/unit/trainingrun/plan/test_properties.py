"""What holds of decisions whatever happens: pods and events lost, doubled and late, the operator killed anywhere."""

import os
from collections.abc import Sequence
from functools import cache
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from builders import World, a_manifest
from trainingrun.api.status import MAX_ATTEMPTS, MAX_CHECKPOINTS, Attempt, CheckpointStatus, TrainingRunStatus
from trainingrun.plan.bounds import MEAN, fitted, size
from trainingrun.plan.retained import best
from trainingrun_workers.contract import Result, checkpoint_name
from unruly import DEEDS, HARMLESS, Deed, Unruly

History = Sequence[tuple[Deed, int, int]]
SIXTY_FOUR_KIB = 64 * 1024
EXAMPLES = int(os.environ.get("TRAININGRUN_EXAMPLES", "30"))  # more of them, and new ones, are for nights
MAX_RESTARTS = 3
MAX_SKIPS = 2


def histories(deeds: Sequence[Deed]) -> st.SearchStrategy[History]:
    numbers = st.integers(0, 59)
    return st.lists(st.tuples(st.sampled_from(deeds), numbers, numbers), max_size=60)


def manifest(max_restarts: int) -> dict[str, Any]:
    made = a_manifest()
    made["spec"]["pretrain"]["recovery"] = {"maxRestarts": max_restarts, "schedulingTimeout": "3m"}
    made["spec"]["pretrain"]["badLoss"] = {"policy": "skip", "maxSkips": MAX_SKIPS}
    made["spec"]["variants"][0]["stages"][0]["sft"]["recovery"] = {"maxRestarts": max_restarts}
    return made


def begun(world: Unruly, pretrains: bool) -> Unruly:
    """From the first second, or from where pretraining has just started."""
    if pretrains:
        world.settle().completes("tokenize").settle()
    return world


def play(world: Unruly, history: History) -> None:
    """One thing after the other; after most of them the operator has a look."""
    for deed, one, two in history:
        deed(world, one, two)
        if two % 4:
            world.step()


def result(status: TrainingRunStatus) -> dict[str, Any]:
    """What a run has come to, without how often and when."""
    stages = {one.name: (one.phase, one.reason, one.inputs, one.folder) for one in status.stages}
    conditions = {one.type: (one.status, one.reason, one.message) for one in status.conditions}
    scores = {one.step: (one.converted, one.scores) for one in status.checkpoints}
    return {"phase": status.phase, "stages": stages, "conditions": conditions, "scores": scores}


@cache
def undisturbed() -> dict[str, Any]:
    return result(Unruly(manifest(10_000)).calm().run.status)


def assert_is_quiet(world: World) -> None:
    for wait in (0, 1, 3600, 86400):
        world.now += wait
        plan = world.plan()
        assert (plan.apply, plan.delete, plan.events) == ((), (), ())
        assert plan.status == world.run.status


@given(histories(HARMLESS), st.booleans())
@settings(max_examples=EXAMPLES, deadline=None)
def test_whatever_happens_the_run_ends_as_if_nothing_had(history: History, pretrains: bool) -> None:
    world = begun(Unruly(manifest(10_000), harm=3), pretrains)
    play(world, history)
    world.calm()
    assert result(world.run.status) == undisturbed()
    assert_is_quiet(world)


class Watched(Unruly):
    """Every pass keeps what is always true."""

    def step(self, limit: int | None = None) -> bool:
        before, applied = self.run, len(self.everything_ever_applied)
        wrote = super().step(limit)
        after = self.run.status
        running = {one.name for one in before.status.stages if one.phase == "Running"}
        for made in self.everything_ever_applied[applied:]:
            if made["kind"] != "PersistentVolumeClaim":
                assert made["metadata"]["labels"]["trainingrun.dev/stage"] in running
        self._check_stages(before.status, after, before.metadata.generation)
        assert len(after.attempts) <= MAX_ATTEMPTS
        assert len(after.checkpoints) <= MAX_CHECKPOINTS
        assert size(after) <= SIXTY_FOUR_KIB
        return wrote

    @staticmethod
    def _check_stages(before: TrainingRunStatus, after: TrainingRunStatus, generation: int) -> None:
        old = {one.name: one for one in before.stages}
        for stage in after.stages:
            was = old.get(stage.name)
            if was is None:
                continue
            assert stage.attempt - was.attempt in (0, 1)
            if was.phase == "Succeeded" or was.phase == "Failed" and was.generation == generation:
                assert stage == was, "A stage that had ended has changed."
            assert stage.restarts <= MAX_RESTARTS + 1
            assert stage.stalled <= 5
            assert sum(one.times for one in stage.skips) <= MAX_SKIPS
            open_attempts = [one for one in after.attempts if one.stage == stage.name and one.ended_at is None]
            assert len(open_attempts) == (stage.phase == "Running")


@given(histories(DEEDS), st.booleans())
@settings(max_examples=EXAMPLES, deadline=None)
def test_budgets_are_kept_and_what_has_ended_stays_so_whatever_happens(history: History, pretrains: bool) -> None:
    world = begun(Watched(manifest(MAX_RESTARTS)), pretrains)
    play(world, history)
    world.calm()
    assert_is_quiet(world)


@given(histories(HARMLESS))
@settings(max_examples=EXAMPLES, deadline=None)
def test_two_attempts_of_a_stage_never_run_at_once(history: History) -> None:
    world = Unruly(manifest(10_000), harm=3)
    # What the watches have not shown yet is kept out by the volume's fence.
    for event in (one for one in history if one[0] is not Unruly.a_late_pass):
        play(world, [event])
        alive = {(pod.stage, pod.attempt) for pod in world.pods.values() if pod.phase in ("Running", "Pending")}
        assert len({stage for stage, _ in alive}) == len(alive)


def a_long_run(text: str) -> World:
    """1,000 checkpoints, the last with thirty scores each, and 100 attempts of pretraining that end with long words."""
    made = manifest(10_000)
    config = made["spec"]["pretrain"]["config"]
    config["tokens"]["train_steps"], config["checkpoints"]["checkpoint_interval"] = 100_000, 100
    made["spec"]["evaluate"]["checkpoints"] = {"every": 100}
    made["spec"]["variants"] = [made["spec"]["variants"][0] | {"name": f"variant-{number}"} for number in range(8)]
    world = World(made).settle().completes("tokenize").settle()
    scores = {f"leaderboard_task_number_{number}/acc_norm": number / 7 for number in range(30)}
    for attempt in range(100):
        steps = tuple(range(0, 1000 * (attempt + 1) + 1, 100))[-11:]
        world.reports("pretrain", step=steps[-1], total=100_000, checkpoint=steps[-1], checkpoints=steps).settle()
        for stage in ("convert", "evaluate") * (9 if attempt >= 96 else 0):
            if world.stage(stage).phase == "Running":
                models = {checkpoint_name(step): {"scores": scores} for step in world.stage(stage).batch}
                world.completes(stage, {"models": models}).settle()
        world.fails("pretrain", 75, Result(75, "PeerLost", text, step=steps[-1])).wait(6).wait(400)
    return world


def test_the_status_stays_small_after_a_thousand_checkpoints_and_a_hundred_attempts() -> None:
    world = a_long_run("Ein Rang ist fort: ¡ñß – 消失! " * 60)
    status = world.run.status
    assert size(status) <= SIXTY_FOUR_KIB
    assert (len(status.attempts), len(status.checkpoints)) == (MAX_ATTEMPTS, MAX_CHECKPOINTS)
    assert world.stage("pretrain").attempt == 101
    assert {tuple(one.scores) for one in status.checkpoints if one.scores} == {(MEAN,)}
    assert not world.step()


def test_the_status_stays_small_when_an_image_names_as_many_nodes_as_it_can_again_and_again() -> None:
    world = World(manifest(10_000)).settle().completes("tokenize").settle()
    for attempt in range(25):
        nodes = [f"{attempt}-{number}-{'n' * 240}" for number in range(20)]
        words = Result(75, "BadNode", "¡ñß" * 400, step=attempt, output={"node": nodes[0], "nodes": nodes})
        flown = {"measured": "¡ñß" * 400, "found": "¡ñß" * 600, "lowest": {"m" * 99: 1.0}}
        world.reports("pretrain", step=attempt, total=900, checkpoint=attempt, preflight=flown).settle()
        world.fails("pretrain", 75, words).settle().wait(400)
    status = world.run.status
    assert size(status) <= SIXTY_FOUR_KIB
    assert (len(status.avoided_nodes), len(status.avoided_because), world.stage("pretrain").attempt) == (16, 16, 26)
    assert not world.step()


def test_a_status_that_is_too_long_loses_what_lies_on_the_volume_first() -> None:
    checkpoints = [CheckpointStatus(step=step, converted=True, scores=scores(step)) for step in range(40)]
    attempts = [Attempt(stage="pretrain", number=1, started_at="", message="x" * 1000) for _ in range(20)]
    status = TrainingRunStatus(checkpoints=checkpoints, attempts=attempts)
    short = fitted(status)
    assert {len(one.message or "") for one in short.attempts} == {256}
    assert [list(one.scores or ()) for one in short.checkpoints] == [[MEAN]] * 40
    assert short.checkpoints[7].scores == {MEAN: 7.0}
    assert fitted(short) == short
    newer = CheckpointStatus(step=40, converted=True, scores=scores(40))
    grown = fitted(short.model_copy(update={"checkpoints": [*short.checkpoints[1:], newer]}))
    assert grown.checkpoints[-1].scores == {MEAN: 40.0}, "Scores that can't be compared stand side by side."


def scores(step: int) -> dict[str, float]:
    return {f"leaderboard_task_number_{number}/acc_norm": float(step) for number in range(40)}


def test_a_status_that_is_short_enough_keeps_every_word() -> None:
    checkpoints = [CheckpointStatus(step=step, converted=True, scores=scores(step)) for step in range(10)]
    status = TrainingRunStatus(checkpoints=checkpoints)
    assert fitted(status) is status


def test_checkpoints_whose_scores_were_shortened_are_compared_as_before() -> None:
    good = {"a/word_perplexity": 20.0} | {f"task_with_quite_a_long_name_{number}/acc": 0.5 for number in range(60)}
    bad = good | {"a/word_perplexity": 30.0}
    known = [CheckpointStatus(step=step, converted=True, scores=good if step == 7 else bad) for step in range(40)]
    short = fitted(TrainingRunStatus(checkpoints=known))
    assert {tuple(one.scores or ()) for one in short.checkpoints} == {(MEAN,)}
    assert best(short.checkpoints, 1) == best(known, 1) == (7,)
