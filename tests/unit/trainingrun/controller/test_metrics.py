from builders import World
from trainingrun.api.status import TrainingRunStatus
from trainingrun.controller.metrics import Metrics

KEY = ("default", "tiny")


def lines(metrics: Metrics) -> list[str]:
    return metrics.page().decode().splitlines()


def test_a_runs_phase_and_progress_are_shown_until_it_is_gone() -> None:
    world = World()
    world.settle()
    world.reports("tokenize", step=3, total=12)
    world.wait(30)
    metrics = Metrics()
    metrics.on_status(KEY, TrainingRunStatus(), world.run.status)
    assert 'trainingrun_runs{phase="Running"} 1.0' in lines(metrics)
    assert 'trainingrun_stage_step{namespace="default",run="tiny",stage="tokenize"} 3.0' in lines(metrics)
    metrics.forget(KEY)
    assert 'trainingrun_runs{phase="Running"} 0.0' in lines(metrics)
    assert not [line for line in lines(metrics) if 'run="tiny"' in line]


def test_each_ended_attempt_is_counted_once() -> None:
    world = World()
    world.settle()
    before = world.run.status
    world.fails("tokenize", exit_code=75).wait(10)
    after = world.run.status
    metrics = Metrics()
    metrics.on_status(KEY, before, after)
    metrics.on_status(KEY, after, after)
    assert [line for line in lines(metrics) if line.startswith("trainingrun_attempts_ended_total{")] == [
        'trainingrun_attempts_ended_total{cause="Retry"} 1.0'
    ]
