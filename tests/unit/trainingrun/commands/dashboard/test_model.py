"""What the page is given about runs in every state."""

import json
from typing import Any

import pytest

from builders import World, a_manifest, with_uid
from trainingrun.commands.dashboard.model import overview, run_view

LONG = "a-run-with-a-name-of-32-letters-"[:31] + "x"


def document(world: World) -> dict[str, Any]:
    """The world's run as the API server has it, without what Python knows more than JSON."""
    return dict(json.loads(json.dumps(world.manifest)))


def box(view: dict[str, Any], name: str) -> dict[str, Any]:
    return dict(next(one for one in view["chain"]["boxes"] if one["name"] == name))


@pytest.fixture
def training() -> World:
    """A run that pretrains and has reported."""
    world = World().settle().completes("tokenize").settle()
    world.reports(
        "pretrain", step=300, total=900, loss=5.5, tokens=307_200, tokens_per_second=8000.0, eta_seconds=75.0,
        checkpoint=300, checkpoints=(0, 300), activity="training", notes=("Two sources have the same text.",),
    )  # fmt: skip
    return world.settle()


def test_a_run_that_the_operator_has_not_seen_yet_is_shown() -> None:
    view = run_view(with_uid(a_manifest("new")), 0.0)
    assert (view["phase"], view["fraction"], view["troubles"], view["unreadable"]) == ("Pending", None, [], [])
    assert {one["phase"] for one in view["chain"]["boxes"]} == {"Pending"}
    assert view["curves"] == view["scores"] == view["timeline"]["rows"] == []
    json.dumps(view, allow_nan=False)


def test_a_run_that_trains_says_how_far_it_is(training: World) -> None:
    view = run_view(document(training), training.now)
    assert (view["phase"], view["stage"], view["progress"], view["loss"], view["eta"]) == (
        "Running", "pretrain", "300/900", "5.500", "1m15s",
    )  # fmt: skip
    assert view["fraction"] == pytest.approx(1 / 3)
    assert (view["figures"]["step"], view["figures"]["checkpoint"], view["figures"]["tokens"]) == (300, 300, 307_200)
    assert view["notes"] == ["Two sources have the same text."]
    assert box(view, "pretrain")["text"] == "300 / 900 steps"
    assert box(view, "tokenize")["fraction"] == 1.0


def test_nodes_that_are_avoided_are_told_with_the_reason_where_there_is_one(training: World) -> None:
    run = document(training)
    run["status"] |= {"avoidedNodes": ["n1", "n2"], "avoidedBecause": {"n1": "Node n1 let the gang down."}}
    assert run_view(run, training.now)["avoidedNodes"] == [
        {"node": "n1", "why": "Node n1 let the gang down."}, {"node": "n2", "why": None},
    ]  # fmt: skip


def test_a_finished_run_has_every_box_done_and_its_scores() -> None:
    world = World().finished()
    view = run_view(document(world), world.now)
    assert {one["phase"] for one in view["chain"]["boxes"]} == {"Succeeded"}
    assert view["fraction"] == 1.0
    assert [row["step"] for row in view["checkpoints"]["rows"]] == [900, 600, 300, 0]
    (picture,) = view["scores"]
    assert picture["lines"][0]["points"] == [(0.0, 0.0), (300.0, 0.3), (600.0, 0.6), (900.0, 0.9)]


def test_a_run_that_failed_says_why_once() -> None:
    world = World().settle().fails("tokenize", exit_code=65).wait(20)
    view = run_view(document(world), world.now)
    assert view["phase"] == "Failed"
    assert view["troubles"] == ["Stage tokenize: The data are at fault in pod tiny-tokenize-a1-0: see its log."]


def test_a_suspended_run_is_no_trouble(training: World) -> None:
    training.edit(suspend=True)
    training.settle()
    view = run_view(document(training), training.now)
    assert (view["phase"], view["troubles"]) == ("Suspended", [])


def test_runs_that_want_to_be_looked_at_come_first(training: World) -> None:
    failed = World(a_manifest("bad")).settle().fails("tokenize", exit_code=65).wait(20)
    done = World(a_manifest("done")).finished()
    runs = [document(one) for one in (done, training, failed)] + [with_uid(a_manifest("new"))]
    assert [(one["name"], one["phase"]) for one in overview(runs)["runs"]] == [
        ("bad", "Failed"), ("tiny", "Running"), ("new", "Pending"), ("done", "Succeeded"),
    ]  # fmt: skip


def test_a_status_with_a_part_that_cant_be_read_is_shown_without_it(training: World) -> None:
    raw = document(training)
    raw["status"]["gpuHours"] = "many"
    raw["status"]["somethingNewer"] = {"a": 1}
    view = run_view(raw, training.now)
    assert view["progress"] == "300/900"
    (told,) = view["unreadable"]
    assert "status.gpuHours can't be read by this version" in told


def test_a_spec_that_cant_be_read_leaves_a_chain_of_the_status_alone(training: World) -> None:
    raw = document(training)
    raw["spec"]["somethingNewer"] = True
    view = run_view(raw, training.now)
    assert [one["name"] for one in view["chain"]["boxes"]] == [one["name"] for one in raw["status"]["stages"]]
    assert view["chain"]["edges"] == []
    assert "install the version that the operator has" in view["unreadable"][0]


def test_events_and_pods_come_the_newest_first() -> None:
    events = [
        {"metadata": {}, "lastTimestamp": "2027-01-15T08:00:00Z", "type": "Normal", "reason": "Old", "message": "m"},
        {"metadata": {}, "lastTimestamp": "2027-01-15T09:00:00Z", "type": "Warning", "reason": "New", "count": 3},
        {"metadata": {}, "eventTime": "2027-01-15T08:30:00.000000Z", "lastTimestamp": None, "reason": "Between"},
    ]
    labels = {"trainingrun.dev/stage": "pretrain", "trainingrun.dev/attempt": "2"}
    waiting = {"containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff"}}}], "phase": "Pending"}
    pods = [
        {"metadata": {"name": "old", "creationTimestamp": "2027-01-15T08:00:00Z"}},
        {"metadata": {"name": "b", "labels": labels, "creationTimestamp": "2027-01-15T09:00:00Z"}, "status": waiting},
    ]
    view = run_view(with_uid(a_manifest()), 0.0, events, pods)
    assert [(one["reason"], one["count"]) for one in view["events"]] == [("New", 3), ("Between", 1), ("Old", 1)]
    assert [(one["name"], one["stage"], one["attempt"], one["reason"]) for one in view["pods"]] == [
        ("b", "pretrain", "2", "ImagePullBackOff"), ("old", "", "", None),
    ]  # fmt: skip


def test_long_names_and_many_variants_go_through_whole() -> None:
    manifest = a_manifest(LONG)
    stage = manifest["spec"]["variants"][0]["stages"][0]
    manifest["spec"]["variants"] = [{"name": f"variant-{one:04d}", "stages": [stage]} for one in range(8)]
    view = run_view(with_uid(manifest), 0.0)
    assert view["name"] == LONG
    assert len(view["chain"]["lanes"]) == 10
