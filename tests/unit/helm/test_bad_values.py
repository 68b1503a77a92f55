"""A value that is wrong is refused before anything is installed, in words that name its place."""

from pathlib import Path

import pytest

from unit.helm.rendering import template

# What is set, the place that is named, and some of what is said of it.
BAD = [
    ("imags.operator=x", "", "additional properties 'imags' not allowed"),
    ("images.operater=x", "/images", "additional properties 'operater' not allowed"),
    ("images.operator=two words", "/images/operator", "does not match pattern"),
    ("images.operator=Upper/Case:1", "/images/operator", "does not match pattern"),
    ("images.registry=https://registry.example", "/images/registry", "does not match pattern"),
    ("images.digests.sft=sha256:12", "/images/digests/sft", "does not match pattern"),
    ("images.digests.judge=x", "/images/digests", "additional properties 'judge' not allowed"),
    ("imagePullPolicy=Sometimes", "/imagePullPolicy", "must be one of 'Always', 'IfNotPresent', 'Never'"),
    ("imagePullSecrets={Not_A_Name}", "/imagePullSecrets/0", "does not match pattern"),
    ("watch.namespaces=one", "/watch/namespaces", "got string, want array"),
    ("watch.namespaces={Not_A_Name}", "/watch/namespaces/0", "does not match pattern"),
    ("watch.nodes=maybe", "/watch/nodes", "got string, want boolean"),
    ("operator.replicas=0", "/operator/replicas", "minimum: got 0, want 1"),
    ("operator.replicas=9", "/operator/replicas", "maximum: got 9, want 5"),
    ("operator.logLevel=LOUD", "/operator/logLevel", "must be one of 'DEBUG', 'INFO', 'WARNING', 'ERROR'"),
    ("operator.resources.limits.memory=lots", "/operator/resources/limits/memory", "does not match pattern"),
    (
        "operator.tolerations[0].efect=NoSchedule",
        "/operator/tolerations/0",
        "additional properties 'efect' not allowed",
    ),
    ("operator.priorityClassName=Very_High", "/operator/priorityClassName", "does not match pattern"),
    ("operator.extraEnv[0].value=x", "/operator/extraEnv/0", "missing property 'name'"),
    ("worker.runAsUser=0", "/worker/runAsUser", "minimum: got 0, want 1"),
    ("worker.fsGrup=1", "/worker", "additional properties 'fsGrup' not allowed"),
    ("worker.tokenSeconds=60", "/worker/tokenSeconds", "minimum: got 60, want 600"),
    ("worker.tolerations[0].effect=Never", "/worker/tolerations/0/effect", "must be one of"),
    ("worker.nodeSelector.a.b=c", "/worker/nodeSelector/a", "got object, want string"),
    ("service.port=99999", "/service/port", "maximum: got 99,999, want 65,535"),
    ("crds.upgrade=no-thanks", "/crds/upgrade", "got string, want boolean"),
    ("rbac.creat=true", "/rbac", "additional properties 'creat' not allowed"),
    ("podDisruptionBudget.maxUnavailable=0", "/podDisruptionBudget/maxUnavailable", "minimum: got 0, want 1"),
    ("networkPolicy.egress.apiServerPorts[0]=0", "/networkPolicy/egress/apiServerPorts/0", "minimum: got 0, want 1"),
]


@pytest.mark.parametrize(("given", "place", "said"), BAD, ids=[one[0] for one in BAD])
def test_a_bad_value_is_refused_by_its_place(helm: Path, given: str, place: str, said: str) -> None:
    done = template(helm, "--set", given)
    assert done.returncode != 0
    assert f"at '{place}': " in done.stderr
    assert said in done.stderr
    assert len(done.stderr.splitlines()) < 6, "one bad value, one complaint"
