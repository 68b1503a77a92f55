"""What becomes of the claim that a run makes, on a real cluster with its garbage collector."""

from collections.abc import Callable
from typing import Any

import pytest

from e2e.installation import get, kubectl, wait_until
from e2e.trial import NAMESPACE, Trial


def claim(name: str) -> list[dict[str, Any]]:
    return [one for one in get("pvc", "-n", NAMESPACE)["items"] if one["metadata"]["name"] == name]


@pytest.mark.parametrize(("policy", "stays"), [("Retain", True), ("Delete", False)])
def test_a_claim_that_was_made_goes_with_its_run_only_where_the_spec_says_so(
    trial: Callable[..., Trial], policy: str, stays: bool
) -> None:
    run = trial(f"claim-{policy.lower()}")
    run.spec["storage"] = {"claim": {"size": "100Mi"}, "deletionPolicy": policy}
    run.apply()
    run.until("its claim is made", lambda: claim(run.name), 60)
    run.delete()
    if stays:
        assert claim(run.name)
        kubectl("delete", "pvc", run.name, "-n", NAMESPACE, "--wait=false")
    else:
        wait_until("the claim is gone", lambda: not claim(run.name), 90)
