"""What is kept of lm-eval's results, and what makes an evaluation another one."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from trainingrun_workers.contract import EvaluatedModel, EvaluateSpec, EvaluationTask
from trainingrun_workers.evaluate.results import (
    TaskResult,
    document,
    evaluation_key,
    main_metric,
    main_scores,
    plain_metrics,
    read_document,
)

SPEC = EvaluateSpec(
    models=(EvaluatedModel("step-00000300", "models/300", 300),), tasks=(EvaluationTask("parity", 5, 10),),
    task_folder=None, seed=1234, batch_size=8, cpu=True, progression=True,
)  # fmt: skip


def test_the_harness_filter_goes_from_the_names_of_metrics() -> None:
    raw = {"alias": "parity", "acc,none": 0.5, "acc_stderr,none": 0.1, "name": "parity", "sample_len": 4}
    assert plain_metrics(raw) == {"acc": 0.5, "acc_stderr": 0.1}


def test_a_metric_under_several_filters_keeps_them_apart() -> None:
    raw = {"exact_match,strict": 0.25, "exact_match,flexible": 0.75, "exact_match_stderr,strict": 0.1}
    assert plain_metrics(raw) == {
        "exact_match,strict": 0.25, "exact_match,flexible": 0.75, "exact_match_stderr": 0.1,
    }  # fmt: skip


def test_what_is_no_number_is_left_out() -> None:
    raw = {"acc,none": float("nan"), "acc_stderr,none": "N/A", "ppl,none": float("inf"), "flag,none": True}
    assert plain_metrics(raw) == {}


def test_the_first_listed_metric_stands_for_a_task() -> None:
    assert main_metric({"acc_norm": 0.2, "acc": 0.1, "acc_stderr": 0.0}, ["acc", "acc_norm"]) == "acc"
    assert main_metric({"word_perplexity": 9.0, "bits_per_byte": 1.0}, ["bits_per_byte"]) == "bits_per_byte"
    assert main_metric({"acc_stderr": 0.1, "mc2": 0.4}, ["mc1"]) == "mc2"
    assert main_metric({}, ["acc"]) is None


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"batch_size": 4},
        {"tasks": (EvaluationTask("parity", 0, 10),)},
        {"tasks": (EvaluationTask("parity", 5, None),)},
    ],
)
def test_whatever_scores_depend_on_makes_another_key(change: dict[str, Any]) -> None:
    key = evaluation_key(SPEC, "0.4.13", {"parity": "a"})
    assert evaluation_key(dataclasses.replace(SPEC, **change), "0.4.13", {"parity": "a"}) != key
    assert evaluation_key(SPEC, "0.4.14", {"parity": "a"}) != key
    assert evaluation_key(SPEC, "0.4.13", {"parity": "b"}) != key


def test_other_models_do_not_make_another_key() -> None:
    more = dataclasses.replace(SPEC, models=(*SPEC.models, EvaluatedModel("step-00000600", "models/600", 600)))
    assert evaluation_key(more, "0.4.13", {}) == evaluation_key(SPEC, "0.4.13", {})


def test_a_document_is_found_again_by_its_key_and_a_torn_one_is_not(tmp_path: Path) -> None:
    result = TaskResult("parity", {"acc": 0.123456789, "acc_stderr": 0.1}, "acc", {"acc": True}, 1.0, 5, 10)
    content = document(SPEC.models[0], SPEC, "0.4.13", "key", "float32", [result])
    path = tmp_path / "step-00000300.json"
    path.write_text(json.dumps(content))
    assert read_document(path, "key") == content
    assert read_document(path, "other") is None
    assert main_scores(content) == {"parity/acc": 0.123457}
    path.write_text(path.read_text()[:40])
    assert read_document(path, "key") is None
    assert read_document(tmp_path / "nowhere.json", "key") is None
