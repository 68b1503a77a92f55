"""What a call to the API server is called in the metrics."""

import pytest

from trainingrun.cluster.kinds import JOB, LEASE, POD, RUN, TOKEN_REVIEW, described


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", POD.path("team", "one"), ("get", "pods")),
        ("GET", POD.path("pods", None), ("list", "pods")),
        ("GET", RUN.path(None), ("list", "trainingruns")),
        ("PATCH", JOB.path("team", "jobs"), ("patch", "jobs")),
        ("PUT", RUN.path("team", "one", "status"), ("update", "trainingruns/status")),
        ("PUT", LEASE.path("team", "one"), ("update", "leases")),
        ("POST", TOKEN_REVIEW.path(None), ("create", "tokenreviews")),
        ("DELETE", POD.path("team", "one"), ("delete", "pods")),
        ("GET", "/apis/kubeflow.org/v1", ("get", "discovery")),
    ],
)
def test_a_call_is_known_by_its_verb_and_resource_whatever_names_it_has(
    method: str, path: str, name: tuple[str, str]
) -> None:
    assert described(method, path) == name
