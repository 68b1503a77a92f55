"""The operator may die after any single write, at any pass, any number of times."""

from hypothesis import given, settings
from hypothesis import strategies as st

from builders import World


def final(world: World) -> dict[str, str]:
    return {stage.name: stage.phase for stage in world.run.status.stages}


def play(world: World) -> None:
    """Whatever runs ends well."""
    for stage in list(world.run.status.stages):
        if stage.phase != "Running" or world.attempt(stage.name) not in world.work:
            continue
        models = {f"step-{step:08d}": {"scores": {"task/acc": step / 1000}} for step in stage.batch}
        world.completes(stage.name, {"models": models, "checkpoints": [0, 300, 600, 900]})


@given(st.lists(st.one_of(st.none(), st.integers(0, 3)), max_size=40))
@settings(max_examples=20, deadline=None)
def test_the_run_ends_the_same_wherever_the_operator_dies(deaths: list[int | None]) -> None:
    world = World()
    for limit in deaths:
        world.step(limit)
        play(world)
    for _ in range(60):
        world.step()
        play(world)
    undisturbed = World().finished()
    assert final(world) == final(undisturbed)
    assert world.run.status.checkpoints == undisturbed.run.status.checkpoints
    once = [one for one in world.run.status.stages if one.kind not in ("convert", "evaluate")]
    assert {one.name: one.attempt for one in once if one.attempt != 1} == {"sft-prefer": 0}, "sft-translate is the same"
