"""The quickstart's manifest fits the resource, and its parts fit each other and the data."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from trainingrun.api.nanotron_config import PretrainContext, translate
from trainingrun.api.training_run import TrainingRun


@pytest.fixture
def manifest(data: Path) -> dict[str, Any]:
    """run.yaml as it is written."""
    loaded: dict[str, Any] = yaml.safe_load((data.parent / "run.yaml").read_text(encoding="utf-8"))
    return loaded


def test_the_manifest_is_a_training_run(manifest: dict[str, Any]) -> None:
    run = TrainingRun.from_object(manifest)
    assert run.spec.pretrain.nodes == 2
    assert [one.name for one in run.spec.variants] == ["translate", "prefer"]


def test_all_that_the_manifest_names_is_in_the_data(manifest: dict[str, Any], data: Path) -> None:
    run = TrainingRun.from_object(manifest)
    assert (data / run.spec.tokenizer.path / "tokenizer.json").is_file()
    for source in run.spec.data:
        assert list((data / source.path).glob(source.glob)), source.name
    assert run.spec.evaluate
    for task in run.spec.evaluate.tasks:
        assert (data / str(run.spec.evaluate.task_folder) / f"{task.name}.yaml").is_file()
    for stage in (one for variant in run.spec.variants for one in variant.stages):
        for dataset in stage.tuning.config["datasets"]:
            assert (data / dataset["path"]).is_file()


def test_the_model_has_the_tokenizers_vocabulary(manifest: dict[str, Any], data: Path) -> None:
    model = manifest["spec"]["pretrain"]["config"]["model"]["model_config"]
    vocabulary = json.loads((data / "tokenizer" / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    assert model["vocab_size"] == len(vocabulary)
    assert vocabulary["<|end_of_text|>"] == model["eos_token_id"]


def test_the_learning_rate_has_decayed_when_the_last_step_is_done(manifest: dict[str, Any]) -> None:
    config = manifest["spec"]["pretrain"]["config"]
    schedule = config["optimizer"]["learning_rate_scheduler"]
    assert schedule["lr_decay_starting_step"] + schedule["lr_decay_steps"] == config["tokens"]["train_steps"]
    assert config["tokens"]["train_steps"] % config["checkpoints"]["checkpoint_interval"] == 0


def test_the_claim_is_shared_between_pods(manifest: dict[str, Any], data: Path) -> None:
    claim = yaml.safe_load((data.parent / "claim.yaml").read_text(encoding="utf-8"))
    assert claim["metadata"]["name"] == manifest["spec"]["storage"]["claimName"]
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]


def test_nanotron_s_configuration_is_taken_without_a_warning(manifest: dict[str, Any]) -> None:
    run = TrainingRun.from_object(manifest)
    context = PretrainContext(
        nodes=run.spec.pretrain.nodes,
        gpus_per_node=0,
        processes_per_node=1,
        sources=tuple((source.name, source.weight) for source in run.spec.data),
        vocab_size=None,
        tokenizer=run.spec.tokenizer.path,
        run_name=run.metadata.name,
        checkpoint_every=None,
        cpu=True,
    )
    result = translate(run.spec.pretrain.config, context)
    assert [note for note in result.notes if note.severity in ("error", "warning")] == []
    assert result.total_steps * result.tokens_per_step == 921_600
