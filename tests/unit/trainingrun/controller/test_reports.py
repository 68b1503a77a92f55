import json
from typing import Any

import pytest

from trainingrun.api import names
from trainingrun.controller.reports import POD_NAME, POD_UID, Bearer, ReportError, answer_to, bearer_of, read_snapshot
from trainingrun_workers.contract import Answer, Snapshot


def a_review(**changes: Any) -> dict[str, Any]:
    extra = {POD_NAME: ["tiny-0"], POD_UID: ["u"]}
    user = {"username": "system:serviceaccount:team:default", "extra": extra}
    return {"authenticated": True, "audiences": [names.TOKEN_AUDIENCE], "user": user, **changes}


def test_a_pods_token_names_its_namespace_and_the_pod() -> None:
    assert bearer_of(a_review()) == Bearer("team", "tiny-0", "u")


@pytest.mark.parametrize(
    "changes",
    [
        {"authenticated": False},
        {"audiences": ["https://kubernetes.default.svc"]},
        {"audiences": None},
        {"user": {"username": "admin", "extra": {POD_NAME: ["p"], POD_UID: ["u"]}}},
        {"user": {"username": "system:serviceaccount:team:default"}},
        {"user": {"username": "system:serviceaccount:team:default", "extra": {POD_NAME: ["p"]}}},
    ],
)
def test_any_other_token_is_nobodys(changes: dict[str, Any]) -> None:
    assert bearer_of(a_review(**changes)) is None


def a_report(**changes: Any) -> bytes:
    snapshot = json.loads(Snapshot("team", "tiny", "u", "pretrain", 1, 0, 1.0, step=3, loss=2.5).to_json())
    return json.dumps({**snapshot, **changes}).encode()


def test_what_is_no_number_counts_as_not_said() -> None:
    assert read_snapshot(a_report(loss=float("nan"))).loss is None
    assert read_snapshot(a_report(tokens_per_second=float("inf"))).tokens_per_second is None


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"{}", a_report(loss="low"), a_report(step="3"), a_report(time=True)]
)
def test_what_is_no_snapshot_is_refused(body: bytes) -> None:
    with pytest.raises(ReportError) as refused:
        read_snapshot(body)
    assert refused.value.status == 400


def a_run() -> dict[str, Any]:
    checkpoints = [{"step": 100, "converted": True, "scores": {"a/acc": 0.5}}, {"step": 200, "converted": True}]
    spec = {"pretrain": {"checkpoints": {"keepLast": 5, "keepEvery": 1000, "keepBest": 1}}}
    return {"spec": spec, "status": {"checkpoints": checkpoints}}


@pytest.mark.parametrize(
    "nonsense",
    [
        {"checkpoints": ["300"]}, {"checkpoints": [True]}, {"checkpoints": 300}, {"activity": 7}, {"unit": ["steps"]},
        {"tokens": 1.5}, {"checkpoint": 2.5}, {"step": "7"}, {"time": 1e300}, {"time": "now"}, {"loss": "low"},
    ],
)  # fmt: skip
def test_a_report_that_would_not_fit_the_status_is_refused(nonsense: dict[str, Any]) -> None:
    with pytest.raises(ReportError) as refused:
        read_snapshot(a_report(**nonsense))
    assert refused.value.status == 400


def test_the_pod_that_saves_is_answered_what_todays_spec_keeps() -> None:
    snapshot = read_snapshot(a_report())

    assert answer_to(snapshot, a_run()) == Answer(5, 1000, (100, 200))
    assert answer_to(snapshot, {"spec": {"pretrain": {}}}) == Answer(3)


def test_other_pods_and_pods_of_a_run_that_cannot_be_read_are_answered_nothing() -> None:
    assert answer_to(read_snapshot(a_report(index=1)), a_run()) is None
    assert answer_to(read_snapshot(a_report()), {"spec": {"pretrain": {"checkpoints": {"keepLast": 0}}}}) is None
