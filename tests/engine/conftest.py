"""What the tests of the engines share: real interpreters, and pretrain runs to compare others with."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.pretrain_runs import PretrainRun, slowly
from engine.sft_runs import make_base
from engine.tokenize_pods import Pods, Volume, fill_volume
from engine.tuning_runs import TuningRuns

ENVIRONMENT = Path(__file__).with_name("environment.py")


@pytest.fixture(scope="session")
def engine_python() -> Callable[[str], Path]:
    """The interpreter of an engine's environment, by its image's name; made where it is missing."""
    made: dict[str, Path] = {}

    def python(name: str) -> Path:
        if name not in made:
            command = [sys.executable, str(ENVIRONMENT), name]
            made[name] = Path(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip())
        return made[name]

    return python


@pytest.fixture(scope="session", params=[1, 2], ids=["dp1", "dp2"])
def trained(
    request: pytest.FixtureRequest,
    engine_python: Callable[[str], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> PretrainRun:
    """A run to the end without interruption, on one node; not to be changed."""
    root = tmp_path_factory.mktemp("trained")
    run = PretrainRun(engine_python("nanotron"), root, ranks=request.param)
    assert run.run().reason == "Completed"
    return run


@pytest.fixture
def run(engine_python: Callable[[str], Path], tmp_path: Path) -> Iterator[PretrainRun]:
    """A run of one rank."""
    made = PretrainRun(engine_python("nanotron"), tmp_path)
    yield made
    made.end()


@pytest.fixture
def pair(engine_python: Callable[[str], Path], tmp_path: Path) -> Iterator[PretrainRun]:
    """A run of two ranks in a pod, with enough to do to be interrupted."""
    made = slowly(PretrainRun(engine_python("nanotron"), tmp_path, ranks=2))
    yield made
    made.end()


@pytest.fixture(scope="session")
def tuning(engine_python: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> TuningRuns:
    """Stages of Axolotl's, each trained when a test first asks for it, over a base model that all have."""
    python = engine_python("axolotl")
    return TuningRuns(python, make_base(python, tmp_path_factory.mktemp("base")), tmp_path_factory.mktemp)


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    """A volume with a tokenizer and two sources."""
    return fill_volume(tmp_path)


@pytest.fixture
def pods(engine_python: Callable[[str], Path], volume: Volume) -> Iterator[Pods]:
    """Pods of the tokenize stage on that volume."""
    made = Pods(str(engine_python("datatrove")), volume)
    yield made
    made.close()
