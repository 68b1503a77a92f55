"""The same manifest, images and seeds give the same released weights: pretrain, convert and release on this CPU."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.pretrain_runs import FOLDER, STEPS, PretrainRun, wait_until
from engine.release_runs import TOKENIZER, release, spec
from engine.slow_disk import slow_disk
from engine.stage_runs import StageRun
from trainingrun_workers.contract import ConvertSpec, checkpoint_name

MODELS = "artifacts/convert/aaaa"
SEED = 42
EVERY = 4  # steps between checkpoints

EnginePython = Callable[[str], Path]
Make = Callable[[str, bool, int], Path]


@pytest.fixture(scope="module")
def make(engine_python: EnginePython, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """From nothing to a released folder, on a volume of its own; killed once in between where that is asked for."""

    def made(name: str, killed: bool, seed: int) -> Path:
        root = tmp_path_factory.mktemp(name)
        run = PretrainRun(engine_python("nanotron"), root)
        run.config["model"]["model_config"]["vocab_size"] = 4096  # the tokenizer's
        run.config["general"]["seed"] = seed
        run.spec |= {"checkpoint_every": EVERY}
        if killed:
            pod = run.start(**slow_disk(root / "slow", 0.005))
            wait_until(lambda: (run.store.newest() or 0) >= EVERY)
            pod.end()
            assert (run.store.newest() or 0) < STEPS, "the run was over before it was killed"
            run.attempt += 1
        assert run.run().reason == "Completed"
        shutil.copytree(TOKENIZER, run.volume / "tokenizer")
        convert = StageRun(engine_python("nanotron"), "convert", run.volume, MODELS)
        wanted = ConvertSpec(pretrain=FOLDER, steps=(STEPS,), tokenizer="tokenizer", tolerance=0.1)
        assert convert.run(wanted).reason == "Completed"
        model = f"{MODELS}/{checkpoint_name(STEPS)}"
        result = release(
            str(engine_python("torch")), run.volume,
            spec(model=model, evaluation=None, evaluated_as=None, provenance={"pretrain": {"seed": seed}}),
        )  # fmt: skip
        assert result.exit_code == 0, result.message
        return run.volume / "artifacts/release/x/model"

    return made


@pytest.fixture(scope="module")
def first(make: Make) -> Path:
    return make("first", False, SEED)


def weights(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


@pytest.mark.long  # test_pretrain_resume compares weights, the demo checks the released ones
@pytest.mark.parametrize("killed", [False, True], ids=["undisturbed", "killed"])
def test_a_model_that_is_made_again_has_the_same_checksums(first: Path, make: Make, killed: bool) -> None:
    again = make("again", killed, SEED)
    assert weights(again) == weights(first)
    assert (again / "checksums.sha256").read_text() == (first / "checksums.sha256").read_text()


@pytest.mark.long
def test_another_seed_gives_other_weights(first: Path, make: Make) -> None:
    assert weights(make("other", False, 43)) != weights(first)
