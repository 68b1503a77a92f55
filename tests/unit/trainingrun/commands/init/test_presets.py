"""Presets are runs that pass their check, and their figures follow from their shapes."""

import json
from pathlib import Path

import pytest
import yaml

from trainingrun.api.nanotron_size import flops_per_token
from trainingrun.cli import main
from trainingrun.commands.init.draft import Wanted, draft
from trainingrun.commands.init.figures import Speed, claim_for, converted
from trainingrun.commands.init.presets import PRESETS
from trainingrun.commands.init.settled import context
from trainingrun.plan.preview import due


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize(("nodes", "gpus"), [(None, None), (3, 5)])
def test_a_preset_passes_its_check_on_any_number_of_gpus(
    name: str, nodes: int | None, gpus: int | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = draft(Wanted(Speed("h100"), preset=PRESETS[name], nodes=nodes, gpus=gpus))
    (tmp_path / "run.yaml").write_text(made.text)
    assert main(["check", str(tmp_path / "run.yaml")]) == 0
    assert "warning" not in capsys.readouterr().out


def test_a_batch_that_the_gpus_can_not_share_is_another_and_told() -> None:
    made = draft(Wanted(Speed("h100"), preset=PRESETS["0.4b"], nodes=3, gpus=5))
    assert "A step is 255 sequences and not 256" in made.text


# What their publishers say their models have.
@pytest.mark.parametrize(("name", "parameters"), [("0.1b", 134_515_008), ("1b", 1_235_814_400), ("3b", 3_212_749_824)])
def test_the_shapes_have_their_models_parameters(name: str, parameters: int) -> None:
    assert draft(Wanted(Speed("a100"), preset=PRESETS[name])).figures.parameters == parameters


def test_the_work_of_a_token_is_what_nanotron_counts() -> None:
    """get_flops of nanotron 0.4 for the report's shape: 4.136 GFLOP a token."""
    config = "model.model_config."
    shape = {
        "hidden_size": 960, "num_hidden_layers": 32, "num_attention_heads": 15, "num_key_value_heads": 5,
        "intermediate_size": 2560, "vocab_size": 128_256, "tie_word_embeddings": True,
    }  # fmt: skip
    values = {config + key: value for key, value in shape.items()}
    values |= {"parallelism.tp": 1, "model.make_vocab_size_divisible_by": 1}
    assert flops_per_token(values, 4096) == pytest.approx(4.136e9, rel=1e-3)
    untied = values | {config + "tie_word_embeddings": False}
    assert flops_per_token(untied, 4096) == flops_per_token(values, 4096)


def test_gpu_days_follow_from_the_assumption_that_is_named() -> None:
    slow, fast = (draft(Wanted(Speed("a100", share), preset=PRESETS["1b"])).figures for share in (0.2, 0.4))
    assert slow.gpu_days == pytest.approx(2 * fast.gpu_days)
    assert "A100 at 20% of its 312 TFLOP/s in bfloat16: an assumption" in slow.speed.words


def test_more_tokens_than_the_source_has_take_no_more_disk_and_are_told() -> None:
    one = PRESETS["0.1b"]
    made = draft(Wanted(Speed("a100"), preset=one, tokens=4 * one.source.tokens))
    assert made.figures.token_files == one.source.tokens * 2
    assert "it is read 4.0 times" in " ".join(made.text.replace("#", " ").split())


def test_as_many_models_are_reckoned_with_as_are_made() -> None:
    made = draft(Wanted(Speed("a100"), preset=PRESETS["0.4b"]))
    spec = made.manifest["spec"]
    for evaluate in (spec["evaluate"], None, {"taskSets": ["en"], "checkpoints": {"every": 20_000, "initial": True}}):
        run = context("tiny", spec | {"evaluate": evaluate})
        assert converted(run) == len(list(due(run)))


@pytest.mark.parametrize(("size", "quantity"), [(1, "1Gi"), (100 * 2**30, "120Gi"), (1000 * 2**30, "1200Gi")])
def test_a_claim_has_a_fifth_more_than_lies_on_it(size: int, quantity: str) -> None:
    assert claim_for(size) == quantity


def test_all_presets_are_listed_with_their_figures(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "-o", "json"]) == 0
    listed = json.loads(capsys.readouterr().out)["presets"]
    assert [one["name"] for one in listed] == list(PRESETS)
    assert main(["init"]) == 0
    assert "437.8 M" in capsys.readouterr().out


def test_a_manifest_is_printed_alone_where_the_file_is_a_hyphen(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "--preset", "0.1b", "--file", "-", "--claim", "mine", "--name", "tiny"]) == 0
    printed = capsys.readouterr()
    document = yaml.safe_load(printed.out)
    assert (document["metadata"]["name"], document["spec"]["storage"]) == ("tiny", {"claimName": "mine"})
    assert "Next: " in printed.err
