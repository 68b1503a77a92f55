"""What a rank says of its data, and that all ranks together read what one rank alone reads."""

import array
import dataclasses
import logging
from pathlib import Path

import pytest

from trainingrun_workers.contract import DataSource, DataStage, PretrainSpec
from trainingrun_workers.pretrain.rank import Data
from trainingrun_workers.volume import Volume, mark_complete

LENGTH = 16
BATCH = 20  # samples a step
WEIGHTS = {"web": 40.0, "code": 40.0, "books": 20.0}
SPEC = PretrainSpec(
    config={"tokens": {"sequence_length": LENGTH}},
    data=(DataStage("all", 1, 6, tuple(DataSource(name, f"tokens/{name}", one) for name, one in WEIGHTS.items())),),
    token_bytes=4, total_steps=100, tokens_per_step=BATCH * LENGTH, nodes=1, processes_per_node=1, cpu=True,
    checkpoint_every=10, keep_last=1, keep_every=None, evaluate_every=None, converted=None, hang_timeout=60,
)  # fmt: skip


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    """Each source's ids are its own: its place times a million and on."""
    for place, name in enumerate(WEIGHTS):
        folder = tmp_path / "tokens" / name
        folder.mkdir(parents=True)
        for file, tokens in enumerate((LENGTH * 50 + 1, LENGTH * 30 + 9)):
            first = 1_000_000 * place + 10_000 * file
            (folder / f"{file:05d}.ds").write_bytes(array.array("I", range(first, first + tokens)).tobytes())
        mark_complete(folder, {"tokens": LENGTH * 80 + 10})
    return Volume(tmp_path)


def test_the_tokens_that_are_trained_on_have_the_weights_and_are_counted_right(volume: Volume) -> None:
    data, seen = Data(SPEC, volume), dict.fromkeys(WEIGHTS, 0)
    for step in range(1, 101):
        for window in data.windows((step - 1) * BATCH, step * BATCH):
            place = array.array("I", window)[0] // 1_000_000
            seen[list(WEIGHTS)[place]] += LENGTH
        assert data.tokens_by_source(step) == seen
        for name, weight in WEIGHTS.items():
            assert abs(seen[name] - weight / 100 * step * BATCH * LENGTH) < 3 * LENGTH


@pytest.mark.parametrize("ranks", [2, 4, 5])
def test_any_number_of_ranks_reads_the_same_step(volume: Volume, ranks: int) -> None:
    whole = list(Data(SPEC, volume).windows(6 * BATCH, 7 * BATCH))
    own = BATCH // ranks
    parts = [Data(SPEC, volume).windows(6 * BATCH + n * own, 6 * BATCH + (n + 1) * own) for n in range(ranks)]

    assert [window for part in parts for window in part] == whole


def test_what_fills_no_sequence_is_told(volume: Volume, caplog: pytest.LogCaptureFixture) -> None:
    data = Data(SPEC, volume)
    with caplog.at_level(logging.INFO, "trainingrun_workers"):
        data.log()

    assert data.left_out() == dict.fromkeys(WEIGHTS, 8)
    assert "Source web: 1,290 tokens in 80 windows of 17; 8 tokens are in none" in caplog.messages
    assert data.notes() == ()


def test_a_noticeable_part_that_fills_no_sequence_is_a_warning(volume: Volume) -> None:
    data = Data(dataclasses.replace(SPEC, config={"tokens": {"sequence_length": 512}}), volume)

    assert data.left_out()["web"] == 1290 - 513
    assert data.notes()[0] == (
        "Of source books 777 of 1,290 tokens end a token file without filling a sequence of 512: tokenize it into "
        "fewer files to train on them."
    )
