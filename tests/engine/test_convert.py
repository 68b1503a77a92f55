"""The convert stage with the real nanotron: faithful models, and what it refuses."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.pretrain_runs import FOLDER, WORKERS, PretrainRun
from engine.stage_runs import EXAMPLE, StageRun
from trainingrun_workers.contract import ConvertSpec

MODELS = "artifacts/convert/aaaa"
# Changes one weight of a converted model, and compares.
ALTER = """
import sys, torch
from pathlib import Path
from safetensors.torch import load_file, save_file
from trainingrun_workers.convert.fidelity import compare, probe_tokens
from trainingrun_workers.convert.model_config import read_config
from trainingrun_workers.convert.reference import Reference
model, checkpoint = Path(sys.argv[1]), Path(sys.argv[2])
weights = load_file(model / "model.safetensors")
weights["model.layers.1.mlp.up_proj.weight"][3, 5] += float(sys.argv[3])
save_file(weights, model / "model.safetensors", metadata={"format": "pt"})
reference = Reference(read_config(checkpoint), torch.bfloat16)
reference.load(checkpoint)
compare(reference, model, torch.bfloat16, probe_tokens(64, 16), 0.1).check("step-00000012")
"""


@pytest.fixture(scope="module")
def pretrained(engine_python: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A volume with the checkpoints 0, 4, 8 and 12 of a tiny run."""
    run = PretrainRun(engine_python("nanotron"), tmp_path_factory.mktemp("pretrain"))
    assert run.run().reason == "Completed"
    shutil.copytree(EXAMPLE / "tokenizer", run.volume / "tokenizer")
    return run.volume


@pytest.fixture(scope="module")
def converted(pretrained: Path, engine_python: Callable[[str], Path]) -> StageRun:
    """The stage after one attempt, with the models of steps 4 and 12; not to be changed."""
    stage = StageRun(engine_python("nanotron"), "convert", pretrained, MODELS)
    assert stage.run(spec(4, 12)).reason == "Completed"
    return stage


@pytest.fixture
def stage(converted: StageRun, tmp_path: Path) -> StageRun:
    """A copy of it."""
    shutil.copytree(converted.volume, tmp_path / "volume")
    return StageRun(converted.python, "convert", tmp_path / "volume", MODELS)


def spec(*steps: int, **changes: Any) -> ConvertSpec:
    values: dict[str, Any] = {"pretrain": FOLDER, "steps": steps, "tokenizer": "tokenizer", "tolerance": 0.1}
    return ConvertSpec(**(values | changes))


def test_a_batch_of_checkpoints_becomes_models_that_agree_with_nanotron(converted: StageRun) -> None:
    for step in (4, 12):
        marker = json.loads((converted.volume / f"{MODELS}/step-{step:08d}/COMPLETE.json").read_text())
        assert 0 < marker["maxLogitDifference"] < 0.1
        assert marker["maxLogitDifferenceFloat32"] < 1e-4
        assert marker["argmaxAgreement"] > 0.9
        assert (marker["step"], marker["dtype"], marker["cpuStandIns"]) == (step, "bfloat16", True)
    snapshot = converted.snapshot()
    assert (snapshot["step"], snapshot["total"], snapshot["unit"]) == (2, 2, "models")


def test_a_later_attempt_leaves_converted_models_alone_and_adds_the_others(stage: StageRun) -> None:
    weights = stage.volume / MODELS / "step-00000012/model.safetensors"
    before = weights.stat()
    result = stage.run(spec(0, 12))
    assert list(result.output["models"]) == ["step-00000000", "step-00000012"]
    assert (weights.stat().st_mtime_ns, weights.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    added = stage.volume / MODELS / "step-00000000/model.safetensors"
    assert added.stat().st_mode & 0o777 == 0o664, "another stage's user has to read it"


def test_a_single_altered_weight_is_found(stage: StageRun) -> None:
    model, checkpoint = stage.volume / MODELS / "step-00000012", stage.volume / FOLDER / "checkpoints/step-00000012"
    command = [str(stage.python), "-c", ALTER, str(model), str(checkpoint), "0.5"]
    done = subprocess.run(command, env={"PYTHONPATH": str(WORKERS)}, capture_output=True, text=True)
    assert "The converted model step-00000012 differs from the checkpoint over 16 tokens" in done.stderr
    assert "a weight was converted wrongly or is damaged" in done.stderr


def test_a_tolerance_that_rounding_exceeds_is_refused_with_the_figures_and_leaves_nothing(stage: StageRun) -> None:
    result = stage.run(spec(8, tolerance=1e-9))
    assert (result.exit_code, result.reason) == (65, "ConversionUnfaithful")
    assert "rounding alone exceeds the tolerance: raise spec.convert.tolerance" in result.message
    assert sorted(path.name for path in (stage.volume / MODELS).iterdir()) == ["step-00000004", "step-00000012"]


def test_a_missing_checkpoint_is_waited_for(stage: StageRun) -> None:
    result = stage.run(spec(7))
    assert (result.exit_code, result.reason) == (75, "CheckpointMissing")


def test_a_torn_checkpoint_is_named(stage: StageRun) -> None:
    file = next((stage.volume / FOLDER / "checkpoints/step-00000008/model").rglob("*qkv_proj/*.safetensors"))
    file.write_bytes(file.read_bytes()[:100])
    result = stage.run(spec(8))
    assert (result.exit_code, result.reason) == (65, "CheckpointTorn")
    assert "qkv_proj" in result.message


def test_a_missing_tokenizer_is_the_configurations_fault(stage: StageRun) -> None:
    result = stage.run(spec(8, tokenizer="nowhere"))
    assert (result.exit_code, result.reason) == (78, "TokenizerMissing")
