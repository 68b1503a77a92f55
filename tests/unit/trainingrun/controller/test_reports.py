import json
from typing import Any

import pytest

from trainingrun.api import names
from trainingrun.controller.reports import POD_NAME, POD_UID, Bearer, ReportError, bearer_of, read_snapshot
from trainingrun_workers.contract import Snapshot


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
