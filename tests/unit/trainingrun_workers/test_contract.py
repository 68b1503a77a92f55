"""The words that the operator and the workers share."""

import dataclasses
import json
from typing import Any

import pytest

from trainingrun_workers import contract
from trainingrun_workers.contract import (
    ConvertSpec,
    DataSource,
    DataStage,
    EvaluatedModel,
    EvaluateSpec,
    EvaluationTask,
    JudgeSpec,
    PretrainSpec,
    ReleaseSpec,
    ReportedCurve,
    ReportedModel,
    ReportSpec,
    Result,
    RunReference,
    SftSpec,
    Snapshot,
    Spec,
    StageInput,
    TokenizeSpec,
    TokenSource,
)

SPECS: dict[str, Spec] = {
    "tokenize": TokenizeSpec(
        "tokenizer", 2, 4096, 4, 2, None, (TokenSource("en", "raw/en", "**/*.parquet", "text", 1.0, "tokens/en", 10),)
    ),
    "pretrain": PretrainSpec(
        config={"model": {"hidden_size": 128}, "list": [1, 2]},
        data=(DataStage("first", 1, 8, (DataSource("en", "tokens/en", 0.5), DataSource("it", "tokens/it", 0.5))),),
        token_bytes=2, total_steps=900, tokens_per_step=1024, nodes=2, processes_per_node=1, cpu=True,
        checkpoint_every=300, keep_last=2, keep_every=None, evaluate_every=300, converted="convert", hang_timeout=300.0,
    ),
    "convert": ConvertSpec("pretrain", (300, 600), "tokenizer", 0.1),
    "evaluate": EvaluateSpec(
        (EvaluatedModel("step-00000300", "convert/step-00000300", 300),), (EvaluationTask("a", 5, 10),),
        None, 1234, 8, True, True,
    ),
    "sft": SftSpec("convert/step-00000900", {"seed": 42}, 1, 1, True, 300.0),
    "dpo": SftSpec("sft/aaaa/model", {"rl": "dpo"}, 1, 1, True, 300.0, "prepare/aaaa"),
    "cpt": SftSpec("models/x", {"sequence_len": 32768}, 1, 1, True, 300.0, None, True, True),
    "prepare": SftSpec("sft/aaaa/model", {"rl": "dpo"}, 1, 1, True, 300.0),
    "release": ReleaseSpec(
        "model", None, None, "name", None, "mit", ("en", "it"), False, ("Once",), {"data": [{"name": "en"}]}, True
    ),
    "judge": JudgeSpec(
        (EvaluatedModel("base", "convert/step-00000900"), EvaluatedModel("chat", "sft/model")), "prompts.jsonl",
        "judge", None, 512, 1024, 0.1, 4, 8, True,
    ),
    "compare": EvaluateSpec(
        (EvaluatedModel("0123", "models/other"),), (EvaluationTask("a", 5, 10),), None, 1234, 8, True, False
    ),
    "report": ReportSpec(
        "name", (ReportedModel("name", "base", "evaluate/a.json", "convert/a"),),
        (ReportedCurve("pretrain", "pretrain"),), "evaluate",
    ),
}  # fmt: skip


def stage_input(kind: str) -> StageInput:
    return StageInput(
        RunReference("ns", "run", "uid"), kind, kind, 1, "folder", "runs/run", None, 5.0, 30.0, SPECS[kind]
    )


def test_every_kind_has_a_spec() -> None:
    assert set(SPECS) == set(contract.SPECS)


@pytest.mark.parametrize("kind", SPECS)
def test_an_input_comes_back_as_it_was_sent(kind: str) -> None:
    sent = stage_input(kind)
    assert StageInput.from_json(sent.to_json()) == sent


def test_equal_inputs_are_equal_texts() -> None:
    one = json.loads(stage_input("pretrain").to_json())
    other = {key: one[key] for key in reversed(one)}
    assert StageInput.from_json(json.dumps(other)).to_json() == stage_input("pretrain").to_json()


@pytest.mark.parametrize(("key", "value"), [("contract", 2), ("kind", "bake")])
def test_an_input_for_another_version_is_refused_with_a_mend(key: str, value: Any) -> None:
    raw = json.loads(stage_input("convert").to_json()) | {key: value}
    with pytest.raises(ValueError, match=r"use images of the operator's own version\.$"):
        StageInput.from_json(json.dumps(raw))


def snapshot() -> Snapshot:
    return Snapshot("ns", "run", "uid", "pretrain", 0, 1, 12.5, step=10, checkpoints=(300, 600), notes=("a",))


def test_a_snapshot_comes_back_as_it_was_sent() -> None:
    assert Snapshot.from_dict(json.loads(snapshot().to_json())) == snapshot()


def test_a_snapshot_of_a_newer_worker_is_read_without_what_is_not_known() -> None:
    assert Snapshot.from_dict(json.loads(snapshot().to_json()) | {"mood": "fine"}) == snapshot()


@pytest.mark.parametrize(("key", "value"), [("run", 3), ("step", "ten"), ("uid", None)])
def test_a_snapshot_with_a_field_of_another_kind_is_refused(key: str, value: Any) -> None:
    with pytest.raises(ValueError, match=key):
        Snapshot.from_dict(json.loads(snapshot().to_json()) | {key: value})


def test_a_result_comes_back_as_it_was_sent() -> None:
    result = Result(65, "BadData", "The file is torn.", 300, {"tokens": 3})
    assert Result.from_text(result.to_json()) == result


def test_a_long_result_fits_a_termination_message_and_keeps_its_reason() -> None:
    result = Result(0, "Completed", "x" * 3000, output={"files": ["y" * 100] * 100})
    text = result.to_json()
    assert len(text.encode()) <= contract.MAX_RESULT_BYTES
    kept = Result.from_text(text)
    assert kept is not None
    assert (kept.reason, kept.output, len(kept.message)) == ("Completed", {}, 1500)


def test_a_result_with_too_long_a_table_keeps_its_plain_figures() -> None:
    result = Result(0, "Completed", "Done.", output={"tokens": 7, "sources": [{"name": "x" * 100}] * 64})
    kept = Result.from_text(result.to_json())
    assert kept is not None
    assert kept.output == {"tokens": 7}


@pytest.mark.parametrize("text", ["", "Killed", "[]", '{"reason": "x"}'])
def test_a_termination_message_of_something_else_is_no_result(text: str) -> None:
    assert Result.from_text(text) is None


def test_checkpoints_sort_by_name_as_by_step() -> None:
    assert contract.checkpoint_name(300) == "step-00000300"
    assert contract.checkpoint_name(99_999) < contract.checkpoint_name(100_000)


def test_every_field_of_an_input_is_in_its_document() -> None:
    assert set(json.loads(stage_input("sft").to_json())) == {one.name for one in dataclasses.fields(StageInput)}
