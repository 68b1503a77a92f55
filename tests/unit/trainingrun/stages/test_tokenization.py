"""What the tokenize stage's pods are told of the CPUs that they have, and of the model."""

import copy
import dataclasses
from typing import Any

import pytest

from builders import SETTINGS, a_manifest, a_training_run
from manifest_changes import CUSTOM_PRETRAIN
from trainingrun.stages import tokenization
from trainingrun.stages.context import Context
from trainingrun.stages.settings import Settings
from trainingrun_workers.contract import TokenizeSpec


def told(settings: Settings = SETTINGS, **spec: Any) -> TokenizeSpec:
    context = Context(a_training_run(**spec), settings)
    made = tokenization.need(context, context.instances[0], ()).spec
    assert isinstance(made, TokenizeSpec)
    return made


def threads(resources: dict[str, Any], default: dict[str, Any] | None = None) -> int:
    """How many threads of a pod encode."""
    tokenize = {**a_manifest()["spec"]["tokenize"], "resources": resources}
    return told(dataclasses.replace(SETTINGS, default_resources=default or {}), tokenize=tokenize).threads


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


@pytest.mark.parametrize(
    ("engine", "masked", "expected"), [("torch", True, 1), ("torch", False, None), ("nanotron", False, None)]
)
def test_the_end_of_text_is_told_where_the_model_cuts_documents_at_it(
    engine: str, masked: bool, expected: int | None
) -> None:
    pretrain = copy.deepcopy(a_manifest()["spec"]["pretrain"]) | {"engine": engine}
    pretrain["config"]["model"]["model_config"] |= {"_use_doc_masking": masked, "eos_token_id": 1}
    assert told(pretrain=pretrain).end_of_text == expected


def test_of_an_engine_of_ones_own_nothing_is_known() -> None:
    assert told(pretrain=CUSTOM_PRETRAIN).end_of_text is None
