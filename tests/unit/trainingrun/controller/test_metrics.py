from builders import World, a_manifest
from trainingrun.api.status import GpuHours, TrainingRunStatus
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
    world = World(a_manifest(tokenize={"parallelism": 1}))
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


def test_gpu_time_is_shown_useful_and_lost_by_cause_until_the_run_is_gone() -> None:
    hours = GpuHours(useful=2.0, lost={"Killed": 0.5, "NodeLost": 0.25})
    metrics = Metrics()
    metrics.on_status(KEY, TrainingRunStatus(), TrainingRunStatus(gpu_hours=hours))
    assert [line for line in lines(metrics) if "gpu" in line and not line.startswith("#")] == [
        'trainingrun_useful_gpu_seconds{namespace="default",run="tiny"} 7200.0',
        'trainingrun_lost_gpu_seconds{cause="Killed",namespace="default",run="tiny"} 1800.0',
        'trainingrun_lost_gpu_seconds{cause="NodeLost",namespace="default",run="tiny"} 900.0',
    ]
    metrics.forget(KEY)
    assert not [line for line in lines(metrics) if 'run="tiny"' in line]


def test_a_run_without_gpus_shows_none() -> None:
    metrics = Metrics()
    metrics.on_status(KEY, TrainingRunStatus(), TrainingRunStatus())
    assert not [line for line in lines(metrics) if "gpu" in line and not line.startswith("#")]
