"""The few points of a curve that the status has."""

from hypothesis import given
from hypothesis import strategies as st

from builders import World, a_manifest
from trainingrun.api.status import MAX_LOSSES, LossPoint
from trainingrun.plan.losses import with_point


def grown(steps: list[int]) -> list[LossPoint]:
    made: list[LossPoint] = []
    for step in steps:
        made = with_point(made, step, 1.0 + 1 / (step + 1))
    return made


@given(st.lists(st.integers(0, 10**7), max_size=300))
def test_the_points_stay_few_and_ascending_whatever_is_reported(steps: list[int]) -> None:
    made = [one.step for one in grown(steps)]
    assert made == sorted(set(made))
    assert len(made) <= MAX_LOSSES


def test_a_month_is_told_from_its_beginning_to_its_end() -> None:
    made = [one.step for one in grown(list(range(10, 1_000_000, 10)))]
    assert made[0] == 10
    assert made[-1] > 950_000
    assert len(made) > MAX_LOSSES / 3


def test_points_after_a_step_to_which_training_went_back_are_forgotten() -> None:
    assert [one.step for one in with_point(grown([100, 200, 300, 400]), 250, 1.5)] == [100, 200, 250]


def test_a_report_without_a_loss_adds_nothing() -> None:
    before = grown([100, 200])
    assert with_point(before, 300, None) == before


def test_the_status_has_the_points_of_what_was_reported() -> None:
    world = World(a_manifest()).settle().completes("tokenize").settle()
    for step in (1, 50, 100):
        world.wait(12).reports("pretrain", step=step, total=900, loss=6.0 - step / 100).settle()
    assert [(one.step, one.loss) for one in world.stage("pretrain").losses] == [(1, 5.99), (50, 5.5), (100, 5.0)]
