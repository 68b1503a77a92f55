"""What the tokenize stage's pods are told of the CPUs that they have."""

import dataclasses
from typing import Any

import pytest

from builders import SETTINGS, a_manifest, a_training_run
from trainingrun.stages import tokenization
from trainingrun.stages.context import Context
from trainingrun_workers.contract import TokenizeSpec


def threads(resources: dict[str, Any], default: dict[str, Any] | None = None) -> int:
    """How many threads of a pod encode."""
    tokenize = {**a_manifest()["spec"]["tokenize"], "resources": resources}
    settings = dataclasses.replace(SETTINGS, default_resources=default or {})
    context = Context(a_training_run(tokenize=tokenize), settings)
    spec = tokenization.need(context, context.instances[0], ()).spec
    assert isinstance(spec, TokenizeSpec)
    return spec.threads


@pytest.mark.parametrize(("cpu", "expected"), [("1", 1), ("500m", 1), ("2", 2), (3, 3), ("3500m", 3), ("16", 16)])
def test_as_many_threads_encode_as_the_pod_asks_for_whole_cpus(cpu: Any, expected: int) -> None:
    assert threads({"requests": {"cpu": cpu}}) == expected


def test_what_is_only_limited_is_asked_for_at_its_limit() -> None:
    assert threads({"limits": {"cpu": "4", "memory": "2Gi"}}) == 4
    assert threads({"requests": {"cpu": "2"}, "limits": {"cpu": "4"}}) == 2


def test_a_stage_without_resources_has_the_installations() -> None:
    assert threads({}, {"requests": {"cpu": "2"}}) == 2
    assert threads({"requests": {"memory": "1Gi"}}, {"requests": {"cpu": "2"}}) == 1
    assert threads({}) == 1
