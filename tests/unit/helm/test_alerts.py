"""The chart's alert rules by Prometheus' own test of rules: each alert where it is to fire, and where it is not."""

import functools
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitoring import METRIC, dashboard, promtool, queries, rules, series, write_rules
from trainingrun.controller.metrics import Metrics

pytestmark = pytest.mark.skipif(shutil.which("go") is None, reason="helm and promtool are built from source here")

RUN = 'namespace="team",run="zagreus"'
STAGE = f'{RUN},stage="pretrain"'
OWN = 'namespace="system"'
RUNNING = {f'trainingrun_stage_phase{{{STAGE},phase="Running"}}': "1x400"}
FAILED = {f'trainingrun_stage_phase{{{STAGE},phase="Failed"}}': "1x400"}
OF_RUN = {"namespace": "team", "run": "zagreus"}
OF_STAGE = {**OF_RUN, "stage": "pretrain"}

# Alert, what is told of in it, values a minute of each series, the minute of the look, and the labels that it fires
# with; None where it does not. Times begin at 0, and Prometheus writes a+bxn for n more values, each b more.
CASES: tuple[tuple[str, str, dict[str, str], int, dict[str, str] | None], ...] = (
    ("NoProgress", "an hour and five minutes without a step",
     {f"trainingrun_run_last_progress_timestamp_seconds{{{RUN}}}": "0x100"}, 67, OF_RUN),
    ("NoProgress", "an hour that is not over", {f"trainingrun_run_last_progress_timestamp_seconds{{{RUN}}}": "0x100"},
     58, None),
    ("NoProgress", "a run that gets on", {f"trainingrun_run_last_progress_timestamp_seconds{{{RUN}}}": "0+60x100"},
     90, None),
    ("NoProgress", "a run that is over, of which no progress is expected",
     {f"trainingrun_run_last_progress_timestamp_seconds{{{RUN}}}": "0x30 _x70"}, 90, None),
    ("StageFailed", "a failed stage", FAILED, 1, OF_STAGE),
    ("StageFailed", "a stage that runs", RUNNING, 1, None),
    ("BadLoss", "a loss that was skipped", {f"trainingrun_stage_bad_losses{{{STAGE}}}": "0x9 1x100"}, 12, OF_STAGE),
    ("BadLoss", "a loss in a run that began since",
     {f"trainingrun_stage_bad_losses{{{STAGE}}}": "_x5 1x10"}, 8, OF_STAGE),
    ("BadLoss", "a loss that was skipped long ago",
     {f"trainingrun_stage_bad_losses{{{STAGE}}}": "0x9 1x100"}, 80, None),
    ("BadLoss", "a loss that ended the stage long ago",
     {f"trainingrun_stage_bad_losses{{{STAGE}}}": "0x9 1x200", **FAILED}, 150, OF_STAGE),
    ("BadLoss", "a stage that failed otherwise", {f"trainingrun_stage_bad_losses{{{STAGE}}}": "0x200", **FAILED}, 150,
     None),
    ("NeedsPerson", "a full volume for a quarter of an hour",
     {f'trainingrun_run_stalled{{{RUN},reason="VolumeFull"}}': "1x30"}, 17, {**OF_RUN, "reason": "VolumeFull"}),
    ("NeedsPerson", "a node that comes in time",
     {f'trainingrun_run_stalled{{{RUN},reason="Unschedulable"}}': "1x9 _x9"},
     17, None),
    ("NeedsPerson", "a failed stage, which has an alert of its own",
     {f'trainingrun_run_stalled{{{RUN},reason="BadConfig"}}': "1x30", **FAILED}, 17, None),
    ("Restarting", "three failures in a row",
     {f"trainingrun_stage_failures_in_a_row{{{STAGE}}}": "0 1 2 3 3 3", **RUNNING}, 4, OF_STAGE),
    ("Restarting", "two failures in a row",
     {f"trainingrun_stage_failures_in_a_row{{{STAGE}}}": "0 1 2 2 2 2", **RUNNING},
     4, None),
    ("Restarting", "failures of a stage that is over",
     {f"trainingrun_stage_failures_in_a_row{{{STAGE}}}": "3x9", **FAILED},
     4, None),
    ("VolumeFillsUp", "a GB a minute of 300 GB, with ten hours to go",
     {f"trainingrun_volume_free_bytes{{{RUN}}}": "300000000000-1000000000x120",
      f"trainingrun_stage_eta_seconds{{{STAGE}}}": "36000x120"}, 60, OF_RUN),
    ("VolumeFillsUp", "the same with one hour to go",
     {f"trainingrun_volume_free_bytes{{{RUN}}}": "300000000000-1000000000x120",
      f"trainingrun_stage_eta_seconds{{{STAGE}}}": "3600x120"}, 60, None),
    ("VolumeFillsUp", "a volume that is emptied",
     {f"trainingrun_volume_free_bytes{{{RUN}}}": "1000+1000000000x120",
      f"trainingrun_stage_eta_seconds{{{STAGE}}}": "360000x120"}, 60, None),
    ("CheckpointTooOld", "six hours and five minutes without a checkpoint",
     {f"trainingrun_stage_checkpoint_timestamp_seconds{{{STAGE}}}": "0x400", **RUNNING}, 368, OF_STAGE),
    ("CheckpointTooOld", "a new one each hour",
     {f"trainingrun_stage_checkpoint_timestamp_seconds{{{STAGE}}}": "0+60x400", **RUNNING}, 368, None),
    ("CheckpointTooOld", "a stage that is over",
     {f"trainingrun_stage_checkpoint_timestamp_seconds{{{STAGE}}}": "0x400",
      f'trainingrun_stage_phase{{{STAGE},phase="Succeeded"}}': "1x400"}, 368, None),
    ("OperatorDown", "no operator at all", {}, 7, {}),
    ("OperatorDown", "replicas of which none acts", {f'trainingrun_leader{{{OWN},pod="a"}}': "0x9"}, 7, {}),
    ("OperatorDown", "one that acts elsewhere only", {'trainingrun_leader{namespace="other"}': "1x9"}, 7, {}),
    ("OperatorDown", "one replica that acts",
     {f'trainingrun_leader{{{OWN},pod="a"}}': "0x9", f'trainingrun_leader{{{OWN},pod="b"}}': "1x9"}, 7, None),
    ("OperatorStuck", "a run that waits for minutes", {f"trainingrun_queue_oldest_seconds{{{OWN}}}": "0+60x20"}, 9, {}),
    ("OperatorStuck", "passes that take their time", {f"trainingrun_queue_oldest_seconds{{{OWN}}}": "90x20"}, 9, None),
    ("OperatorDeaf", "watches out of step", {f"trainingrun_watch_age_seconds{{{OWN}}}": "0+60x20"}, 10, {}),
    ("OperatorDeaf", "watches that are compared each minute", {f"trainingrun_watch_age_seconds{{{OWN}}}": "60x20"}, 10,
     None),
    ("OperatorFaults", "a pass that ends by a fault again and again",
     {f'trainingrun_passes_total{{{OWN},outcome="failed"}}': "0x3 1+1x20"}, 12, {}),
    ("OperatorFaults", "passes that are repeated",
     {f'trainingrun_passes_total{{{OWN},outcome="failed"}}': "0x20",
      f'trainingrun_passes_total{{{OWN},outcome="repeated"}}': "0+5x20"}, 12, None),
    ("MessagesLost", "a message that was given up",
     {f'trainingrun_notifications_total{{{OWN},outcome="given up"}}': "0x3 1x20"}, 6, {}),
    ("MessagesLost", "messages that were sent",
     {f'trainingrun_notifications_total{{{OWN},outcome="sent"}}': "0+1x20"}, 6,
     None),
)  # fmt: skip


@functools.cache
def groups() -> dict[str, Any]:
    return rules()


def alerts() -> dict[str, dict[str, Any]]:
    return {one["alert"]: one for group in groups()["groups"] for one in group["rules"] if "alert" in one}


def records() -> set[str]:
    return {one["record"] for group in groups()["groups"] for one in group["rules"] if "record" in one}


def case(alert: str, of: dict[str, str], minute: int, labels: dict[str, str] | None) -> dict[str, Any]:
    rule = alerts()[f"TrainingRun{alert}"]
    fired = [] if labels is None else [{"exp_labels": {**labels, **rule["labels"]}}]
    look = {"eval_time": f"{minute}m", "alertname": rule["alert"], "exp_alerts": fired}
    given = [{"series": name, "values": values} for name, values in of.items()]
    return {"interval": "1m", "input_series": given, "alert_rule_test": [look]}


def run_cases(folder: Path, content: dict[str, Any], tests: list[dict[str, Any]]) -> str:
    write_rules(folder, content)
    file = folder / "cases.yaml"
    # Without an order promtool takes the groups as they come, and an alert sees a recorded series a minute late or not.
    order = [group["name"] for group in content["groups"]]
    said = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "group_eval_order": order, "tests": tests}
    file.write_text(yaml.safe_dump(said))
    return promtool("test", "rules", file)


def without_annotations() -> dict[str, Any]:
    """The rules without their texts, which a test of rules compares letter by letter."""
    return {
        "groups": [
            {**group, "rules": [{key: one[key] for key in one if key != "annotations"} for one in group["rules"]]}
            for group in groups()["groups"]
        ]
    }


def test_prometheus_takes_the_rules_and_has_nothing_to_complain_of(tmp_path: Path) -> None:
    path = write_rules(tmp_path, groups())
    assert "SUCCESS: 19 rules found" in promtool("check", "rules", "--lint=all", "--lint-fatal", path)


def test_each_alert_fires_where_it_should_and_nowhere_else(tmp_path: Path) -> None:
    tests = [{"name": f"{alert}: {what}", **case(alert, *rest)} for alert, what, *rest in CASES]  # type: ignore[arg-type]
    assert "SUCCESS" in run_cases(tmp_path, without_annotations(), tests)


def test_a_case_that_is_wrong_is_found(tmp_path: Path) -> None:
    wrong = case("StageFailed", FAILED, 1, None)
    with pytest.raises(AssertionError, match="FAILED"):
        run_cases(tmp_path, without_annotations(), [wrong])


def test_every_alert_is_seen_to_fire_and_not_to() -> None:
    seen = {(f"TrainingRun{alert}", labels is not None) for alert, _, _, _, labels in CASES}
    assert seen == {(name, fires) for name in alerts() for fires in (True, False)}


def test_the_limits_of_the_values_are_those_of_the_rules(tmp_path: Path) -> None:
    values = "metrics.rules.noProgressSeconds=600,metrics.rules.checkpointSeconds=900,metrics.rules.failuresInARow=2"
    expressions = [one.get("expr", "") for group in rules("--set", values)["groups"] for one in group["rules"]]
    for limit in ("run_idle:seconds > 600", "checkpoint_age:seconds > 900", ">= 2 and"):
        assert [one for one in expressions if limit in " ".join(one.split())], limit


def test_an_alerts_text_names_the_run_and_tells_lengths_of_time_for_people(tmp_path: Path) -> None:
    idle = {f"trainingrun_run_last_progress_timestamp_seconds{{{RUN}}}": "0x100"}
    one = case("NoProgress", idle, 67, OF_RUN)
    rule = alerts()["TrainingRunNoProgress"]
    summary = "Run team/zagreus has made no progress for 1h 7m 0s."
    fired = one["alert_rule_test"][0]["exp_alerts"][0]
    fired["exp_annotations"] = {**rule["annotations"], "summary": summary}
    run_cases(tmp_path, groups(), [one])


def test_every_metric_that_a_rule_or_the_dashboard_asks_for_exists() -> None:
    expressions = [one["expr"] for group in groups()["groups"] for one in group["rules"]]
    asked = {name for one in (*expressions, *queries()) for name in METRIC.findall(one)}
    assert len(asked) > 30
    assert sorted(asked - series() - records()) == []


def test_every_metric_of_runs_is_on_the_dashboard() -> None:
    shown = {name for one in queries() for name in METRIC.findall(one)}
    metrics = Metrics()
    of_runs = {one.name for one in metrics.registry.collect() if one.name.startswith("trainingrun_stage_")}
    elsewhere = {"trainingrun_stage_attempt", "trainingrun_stage_failures_in_a_row",
                 "trainingrun_stage_last_progress_timestamp_seconds"}  # fmt: skip
    assert of_runs - shown == elsewhere


def test_the_dashboard_is_whole() -> None:
    panels = dashboard()["panels"]
    assert len({one["id"] for one in panels}) == len(panels)
    places = [(one["gridPos"]["x"], one["gridPos"]["y"]) for one in panels]
    assert len(set(places)) == len(places), "two panels lie on each other"
    assert all(one["gridPos"]["x"] + one["gridPos"]["w"] <= 24 for one in panels)
    assert [one["name"] for one in dashboard()["templating"]["list"]] == ["datasource", "namespace", "run"]


def test_the_page_of_metrics_keeps_to_prometheus_conventions() -> None:
    metrics = Metrics()
    metrics.on_call("get", "pods", "200", 0.1)
    metrics.on_pass(0.1, "done")
    metrics.on_report("taken")
    assert promtool("check", "metrics", stdin=metrics.page().decode()).strip() == ""
