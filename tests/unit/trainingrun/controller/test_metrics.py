import asyncio
import datetime
import re

from builders import START, World, a_manifest
from trainingrun.api.status import CheckpointStatus, Condition, GpuHours, Skip, StageStatus, TrainingRunStatus
from trainingrun.controller.metrics import Metrics
from trainingrun.controller.run_series import FAMILIES, Seen

KEY = ("default", "tiny")
TINY = 'namespace="default",run="tiny"'


def lines(metrics: Metrics, part: str = "") -> list[str]:
    return [line for line in metrics.page().decode().splitlines() if part in line and not line.startswith("#")]


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"trainingrun_{name}", {"namespace": "default", "run": "tiny", **labels})


def shown(status: TrainingRunStatus, **seen: object) -> Metrics:
    metrics = Metrics()
    metrics.on_status(KEY, TrainingRunStatus(), Seen(status, **seen))  # type: ignore[arg-type]
    return metrics


def trained(**report: object) -> World:
    """A world whose pretrain stage reports."""
    world = World().settle().completes("tokenize").settle()
    world.wait(100).reports("pretrain", step=300, total=900, **report)
    return world.settle()


def seen(world: World) -> Seen:
    return Seen(world.run.status, world.run.metadata.created_at, world.observed().snapshots)


def of(world: World) -> Metrics:
    metrics = Metrics()
    metrics.on_status(KEY, TrainingRunStatus(), seen(world))
    return metrics


def test_a_runs_phase_and_progress_are_shown_until_it_is_gone() -> None:
    world = World()
    world.settle()
    world.reports("tokenize", step=3, total=12)
    world.wait(30)
    metrics = of(world)
    assert 'trainingrun_runs{phase="Running"} 1.0' in lines(metrics)
    assert value(metrics, "run_phase", phase="Running") == 1.0
    assert value(metrics, "stage_step", stage="tokenize") == 3.0
    assert value(metrics, "stage_planned_steps", stage="tokenize") == 12.0
    metrics.forget(KEY)
    assert 'trainingrun_runs{phase="Running"} 0.0' in lines(metrics)
    assert not lines(metrics, 'run="tiny"')


def test_what_a_run_does_not_say_any_more_is_not_shown_any_more() -> None:
    world = trained(loss=3.5, tokens=10_000, tokens_per_second=900.0, eta_seconds=60.0, learning_rate=0.001)
    metrics = of(world)
    figures = {
        "stage_loss": 3.5, "stage_tokens": 10_000.0, "stage_tokens_per_second": 900.0, "stage_eta_seconds": 60.0,
        "stage_learning_rate": 0.001, "stage_attempt": 1.0, "stage_restarts": 0.0,
    }  # fmt: skip
    assert {name: value(metrics, name, stage="pretrain") for name in figures} == figures
    world.completes("pretrain", {"checkpoints": [0, 300, 600, 900]}).settle()
    metrics.on_status(KEY, TrainingRunStatus(), seen(world))
    for gone in ("stage_tokens_per_second", "stage_eta_seconds", "stage_learning_rate"):
        assert not lines(metrics, f"trainingrun_{gone}{{"), gone
    assert value(metrics, "stage_loss", stage="pretrain") == 3.5
    assert value(metrics, "stage_phase", stage="pretrain", phase="Succeeded") == 1.0
    assert value(metrics, "stage_phase", stage="pretrain", phase="Running") is None


def test_what_a_gang_measures_of_itself_is_shown_while_it_trains() -> None:
    told = {"mfu": 0.3, "mfu_causal": 0.25, "memory_reserved": 6e10, "data_wait": 0.0, "teraflops_per_rank": 300.0,
            "step_spread": 1.5, "made_up": 1.0, "communication_wait": float("nan")}  # fmt: skip
    world = trained(measured=told)
    metrics = of(world)
    assert value(metrics, "stage_mfu_ratio", stage="pretrain", attention="full") == 0.3
    assert value(metrics, "stage_mfu_ratio", stage="pretrain", attention="causal") == 0.25
    assert value(metrics, "stage_peak_memory_bytes", stage="pretrain", kind="reserved") == 6e10
    assert value(metrics, "stage_rank_flops_per_second", stage="pretrain") == 3e14
    assert value(metrics, "stage_data_wait_ratio", stage="pretrain") == 0.0
    assert value(metrics, "stage_step_spread_ratio", stage="pretrain") == 1.5
    assert not lines(metrics, "stage_communication_wait_ratio"), "no number"
    assert not lines(metrics, "made_up")
    world.completes("pretrain", {"checkpoints": [0, 300, 600, 900]}).settle()
    metrics.on_status(KEY, TrainingRunStatus(), seen(world))
    assert not lines(metrics, "stage_mfu_ratio")


def test_the_age_of_a_checkpoint_and_of_the_last_step_follow_from_when_they_changed() -> None:
    world = trained(checkpoint=200)
    world.wait(60).reports("pretrain", step=300, total=900, checkpoint=200).settle()
    metrics = of(world)
    assert value(metrics, "stage_checkpoint_step", stage="pretrain") == 200.0
    assert value(metrics, "stage_checkpoint_timestamp_seconds", stage="pretrain") == START + 100
    assert value(metrics, "stage_last_progress_timestamp_seconds", stage="pretrain") == START + 100
    world.wait(60).reports("pretrain", step=350, total=900, checkpoint=200).settle()
    metrics.on_status(KEY, TrainingRunStatus(), seen(world))
    assert value(metrics, "stage_checkpoint_timestamp_seconds", stage="pretrain") == START + 100
    assert value(metrics, "stage_last_progress_timestamp_seconds", stage="pretrain") == START + 220
    assert value(metrics, "run_last_progress_timestamp_seconds") == START + 220


def test_the_volume_is_what_the_pods_see_while_one_runs() -> None:
    world = trained(volume_free=5 * 10**9, volume_size=10**11)
    metrics = of(world)
    assert value(metrics, "volume_free_bytes") == 5e9
    assert value(metrics, "volume_size_bytes") == 1e11
    world.edit(suspend=True)
    world.settle()
    metrics.on_status(KEY, TrainingRunStatus(), seen(world))
    assert not lines(metrics, "trainingrun_volume")
    assert not lines(metrics, "run_last_progress"), "no progress is expected of a suspended run"


def test_a_volume_without_any_room_is_shown_as_such() -> None:
    assert value(of(trained(volume_free=0, volume_size=10**9)), "volume_free_bytes") == 0.0


def test_bad_losses_are_those_skipped_and_the_one_that_ended_the_stage() -> None:
    skips = [Skip(step=300, steps=20, times=2)]
    stage = StageStatus(name="pretrain", kind="pretrain", attempt=3, skips=skips)
    assert value(shown(TrainingRunStatus(stages=[stage])), "stage_bad_losses", stage="pretrain") == 2.0
    failed = stage.model_copy(update={"phase": "Failed", "reason": "NonFiniteLoss"})
    assert value(shown(TrainingRunStatus(stages=[failed])), "stage_bad_losses", stage="pretrain") == 3.0


def test_a_run_that_waits_for_a_person_says_why() -> None:
    at = datetime.datetime.fromtimestamp(START, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    told = {"message": "It.", "observed_generation": 1, "last_transition_time": at}
    stalled = Condition(type="Stalled", status="True", reason="VolumeFull", **told)
    assert value(shown(TrainingRunStatus(conditions=[stalled])), "run_stalled", reason="VolumeFull") == 1.0
    well = stalled.model_copy(update={"status": "False"})
    assert not lines(shown(TrainingRunStatus(conditions=[well])), "run_stalled")


def test_the_scores_are_those_of_the_newest_evaluated_checkpoint() -> None:
    scored = [CheckpointStatus(step=step, scores={"a/acc": step / 1000}) for step in (300, 600)]
    metrics = shown(TrainingRunStatus(checkpoints=[*scored, CheckpointStatus(step=900)]))
    assert value(metrics, "checkpoint_score", task="a/acc") == 0.6


def test_each_ended_attempt_is_counted_once() -> None:
    world = World(a_manifest(tokenize={"parallelism": 1}))
    world.settle()
    before = world.run.status
    world.fails("tokenize", exit_code=75).wait(10)
    after = world.run.status
    metrics = Metrics()
    metrics.on_status(KEY, before, Seen(after))
    metrics.on_status(KEY, after, Seen(after))
    assert lines(metrics, "trainingrun_attempts_ended_total{") == [
        f'trainingrun_attempts_ended_total{{cause="Retry",{TINY},stage="tokenize"}} 1.0'
    ]
    metrics.forget(KEY)
    assert not lines(metrics, 'run="tiny"')


def test_gpu_time_is_shown_useful_and_lost_by_cause_until_the_run_is_gone() -> None:
    metrics = shown(TrainingRunStatus(gpu_hours=GpuHours(useful=2.0, lost={"Killed": 0.5, "NodeLost": 0.25})))
    assert value(metrics, "useful_gpu_seconds") == 7200.0
    assert lines(metrics, "trainingrun_lost_gpu_seconds") == [
        f'trainingrun_lost_gpu_seconds{{cause="Killed",{TINY}}} 1800.0',
        f'trainingrun_lost_gpu_seconds{{cause="NodeLost",{TINY}}} 900.0',
    ]
    metrics.forget(KEY)
    assert not lines(metrics, 'run="tiny"')


def test_a_run_without_gpus_shows_none() -> None:
    assert not lines(shown(TrainingRunStatus()), "gpu")


def test_the_operators_own_work_is_counted() -> None:
    metrics = Metrics()
    metrics.on_call("patch", "jobs", "201", 0.02)
    metrics.on_call("patch", "jobs", "none", 20.0)
    metrics.on_pass(0.03, "repeated")
    metrics.on_notification("sent")
    assert lines(metrics, "trainingrun_api_requests_total{") == [
        'trainingrun_api_requests_total{code="201",resource="jobs",verb="patch"} 1.0',
        'trainingrun_api_requests_total{code="none",resource="jobs",verb="patch"} 1.0',
    ]
    assert 'trainingrun_passes_total{outcome="repeated"} 1.0' in lines(metrics)
    assert 'trainingrun_passes_total{outcome="failed"} 0.0' in lines(metrics)
    assert 'trainingrun_notifications_total{outcome="sent"} 1.0' in lines(metrics)
    assert lines(metrics, "trainingrun_build_info{version=")


def test_every_label_of_a_run_is_one_whose_values_are_few() -> None:
    # Names of runs and stages, words from tables, and tasks, of which a spec names a hundred and some at most.
    few = {"stage", "phase", "reason", "cause", "task", "attention", "kind"}
    assert {label for family in FAMILIES for label in family.labels} <= few
    assert all(re.fullmatch(r"[a-z_]+", family.name) and not family.name.endswith("_total") for family in FAMILIES)


async def test_what_is_followed_is_read_at_each_scrape() -> None:
    metrics, seconds = Metrics(), [1.0]
    metrics.follow("watch_age_seconds", "Since when.", lambda: seconds[0])
    assert b"trainingrun_watch_age_seconds 1.0" in await metrics.page_beside()
    seconds[0] = 2.0
    assert b"trainingrun_watch_age_seconds 2.0" in await metrics.page_beside()


async def test_runs_may_come_and_go_while_the_page_is_made() -> None:
    metrics, state = Metrics(), seen(trained())
    for number in range(200):
        metrics.on_status(("default", f"run-{number}"), TrainingRunStatus(), state)
    making = asyncio.create_task(metrics.page_beside())
    changes = 0
    while not making.done():
        key = ("default", f"run-{changes % 400}")
        metrics.forget(key)
        metrics.on_status(key, TrainingRunStatus(), state)
        changes += 1
        await asyncio.sleep(0)
    assert b'run="run-1"' in making.result()
    assert changes > 10, "the page held the event loop up"
