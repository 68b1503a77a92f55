"""The torch engine: it learns as nanotron does, goes on as if nothing had been, and converts by a copy."""

import copy
import hashlib
import shutil
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.pretrain_runs import FOLDER, PLANS, PretrainRun, kill, slowly, torch_run, wait_until
from engine.stage_runs import EXAMPLE, StageRun
from trainingrun_workers.contract import COMPLETE_MARKER, ConvertSpec
from trainingrun_workers.volume import read_marker

EnginePython = Callable[[str], Path]
PARITY_STEPS = 200
TAIL = 50  # steps whose losses are averaged


WHOLE = ("alone", "fsdp2", "tensors")


@pytest.fixture(scope="module", params=WHOLE)
def whole(
    request: pytest.FixtureRequest, engine_python: EnginePython, tmp_path_factory: pytest.TempPathFactory
) -> PretrainRun:
    """A run to the end without interruption; not to be changed."""
    run = torch_run(engine_python("nanotron"), tmp_path_factory.mktemp("whole"), request.param)
    assert run.run().reason == "Completed"
    return run


@pytest.fixture
def again(whole: PretrainRun, tmp_path: Path) -> Iterator[PretrainRun]:
    """A run of the same, from nothing."""
    made = torch_run(whole.python, tmp_path, _plan(whole))
    yield made
    made.end()


def _plan(run: PretrainRun) -> str:
    shape = (run.ranks, run.config["optimizer"]["zero_stage"], run.config["parallelism"]["tp"])
    return next(name for name, plan in PLANS.items() if plan == shape)


def unfinished(run: PretrainRun) -> PretrainRun:
    """The same run as if it had not been done yet."""
    (run.folder / COMPLETE_MARKER).unlink()
    return run


def weights(run: PretrainRun, step: int) -> str:
    return hashlib.sha256((run.store.path(step) / "model.safetensors").read_bytes()).hexdigest()


def test_the_loss_falls_and_the_marker_names_the_engine(whole: PretrainRun) -> None:
    losses = [line["loss"] for line in whole.curve()]
    assert len(losses) == 12
    assert losses[-1] < losses[0] - 1
    marker = read_marker(whole.store.path(12)) or {}
    assert (marker["engine"]["name"], marker["cpuStandIns"]) == ("torch", False)


@pytest.mark.parametrize("whole", [pytest.param("alone", marks=pytest.mark.long), "fsdp2", "tensors"], indirect=True)
def test_a_run_that_is_killed_goes_on_to_the_same_bits(whole: PretrainRun, again: PretrainRun) -> None:
    pod = again.start()
    wait_until(lambda: (again.store.newest() or 0) >= 4 or pod.process.poll() is not None)
    for rank in pod.ranks():
        kill(rank)
    pod.end()
    again.attempt += 1
    assert again.run().reason == "Completed"
    assert again.curve() == whole.curve()
    assert weights(again, 12) == weights(whole, 12)


def test_any_number_of_ranks_goes_on_from_a_checkpoint(whole: PretrainRun, tmp_path: Path) -> None:
    other = torch_run(whole.python, tmp_path, "fsdp2" if whole.ranks == 1 else "alone")
    shutil.rmtree(other.volume)
    shutil.copytree(whole.volume, other.volume)
    unfinished(other)
    shutil.rmtree(other.store.path(12))
    shutil.rmtree(other.store.path(8))
    assert other.run().reason == "Completed"
    assert furthest(whole, other) < 0.02, "sums in another order"


def test_cut_by_tensors_and_recomputed_the_loss_is_the_same(engine_python: EnginePython, tmp_path: Path) -> None:
    """In float32, with documents told apart: the order of sums is all that could differ."""

    def trained(plan: str, recomputed: bool) -> PretrainRun:
        run = torch_run(engine_python("nanotron"), tmp_path / plan, plan)
        run.config["model"]["dtype"] = "float32"
        run.config["model"]["model_config"] |= {"_use_doc_masking": True, "tie_word_embeddings": False}
        run.config["parallelism"]["recompute_layer"] = recomputed
        assert run.run().reason == "Completed"
        return run

    assert furthest(trained("alone", False), trained("tensors", True)) < 1e-4


def test_masks_after_an_id_that_ends_no_document_are_refused_before_a_step(
    engine_python: EnginePython, tmp_path: Path
) -> None:
    run = torch_run(engine_python("nanotron"), tmp_path)
    run.config["model"]["model_config"] |= {"_use_doc_masking": True, "eos_token_id": 2}
    result = run.run()
    assert (result.exit_code, result.reason) == (78, "EndOfTextDiffers")
    assert "eos_token_id is 2" in result.message
    assert "end with id 0" in result.message


def furthest(one: PretrainRun, two: PretrainRun) -> float:
    """How far apart the losses of a step are at most."""
    return max(abs(a["loss"] - b["loss"]) for a, b in zip(one.curve(), two.curve(), strict=True))


def test_ranks_that_do_not_divide_the_batch_train_on_the_same_steps(whole: PretrainRun, tmp_path: Path) -> None:
    """Eight sequences a step on three ranks, then on two or one: no step differs by more than sums in another order."""
    uneven = torch_run(whole.python, tmp_path, "three-cut" if _plan(whole) == "fsdp2" else "three")
    assert uneven.run().reason == "Completed"
    pairs = list(zip(whole.curve(), uneven.curve(), strict=True))
    assert [one["tokens"] for one, _ in pairs] == [two["tokens"] for _, two in pairs]
    assert max(abs(one["loss"] - two["loss"]) for one, two in pairs) < 0.02
    assert abs(pairs[0][0]["gradientNorm"] - pairs[0][1]["gradientNorm"]) < 0.01 * pairs[0][0]["gradientNorm"]


def test_a_checkpoint_of_another_engine_is_refused_by_name(engine_python: EnginePython, tmp_path: Path) -> None:
    run = torch_run(engine_python("nanotron"), tmp_path)
    assert run.run().reason == "Completed"
    run.spec["engine"] = "nanotron"
    run.config["tokens"]["train_steps"] = 16
    result = unfinished(run).run()
    assert (result.exit_code, result.reason) == (78, "CheckpointOfAnotherEngine")
    assert "name torch as spec.pretrain.engine" in result.message


def test_a_stop_is_saved_and_gone_on_from(engine_python: EnginePython, tmp_path: Path) -> None:
    run = slowly(torch_run(engine_python("nanotron"), tmp_path))
    pod = run.start()
    run.until_trained(pod, 10)
    pod.process.terminate()
    result = pod.wait()
    assert result.reason == "Preempted"
    assert run.store.newest() == result.step


def test_it_learns_as_nanotron_does(engine_python: EnginePython, tmp_path: Path) -> None:
    """The mean loss of the last steps: the engines differ by no more than two seeds of nanotron, or by 2 %."""

    def tail(name: str, engine: str, seed: int) -> tuple[float, list[float]]:
        run = PretrainRun(engine_python("nanotron"), tmp_path / name)
        run.spec |= {"engine": engine, "checkpoint_every": PARITY_STEPS}
        run.config = copy.deepcopy(run.config)
        run.config["general"]["seed"] = seed
        run.config["tokens"]["train_steps"] = PARITY_STEPS
        run.config["optimizer"]["learning_rate_scheduler"] |= {"lr_decay_starting_step": 150, "lr_decay_steps": 50}
        assert run.run().reason == "Completed"
        curve = run.curve()
        return statistics.mean(line["loss"] for line in curve[-TAIL:]), [line["learningRate"] for line in curve]

    (ours, rates), (first, wanted), (second, _) = (
        tail(*one) for one in (("torch", "torch", 1), ("first", "nanotron", 1), ("second", "nanotron", 2))
    )
    print(f"torch {ours:.4f}, nanotron {first:.4f} and {second:.4f}")
    assert rates == pytest.approx(wanted, rel=1e-12)
    assert abs(ours - first) <= max(2 * abs(first - second), 0.02 * first)


def test_a_checkpoint_is_converted_by_a_copy(whole: PretrainRun, tmp_path: Path) -> None:
    shutil.copytree(whole.volume, tmp_path / "volume")
    shutil.copytree(EXAMPLE / "tokenizer", tmp_path / "volume/tokenizer")
    stage = StageRun(whole.python, "convert", tmp_path / "volume", "artifacts/convert/bbbb")
    result = stage.run(ConvertSpec(pretrain=FOLDER, steps=(12,), tokenizer="tokenizer", tolerance=0.1))
    assert result.reason == "Completed", result.message
    figures = read_marker(stage.volume / "artifacts/convert/bbbb/step-00000012") or {}
    assert figures["argmaxAgreement"] > 0.98
    assert figures["maxLogitDifferenceFloat32"] < 1e-3
    assert figures["cpuStandIns"] is False
