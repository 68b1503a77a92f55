"""What does not fit into a GPU is refused before it starts, with the micro batch that does."""

import dataclasses
import json
from typing import Any

import pytest

from published import SIXTY_FOUR_GPUS, messages, nanotron
from trainingrun.api.gpu_memory import GIB, Shape, needed
from trainingrun.api.nanotron_config import translate
from trainingrun.cli import main

MICRO = "tokens__micro_batch_size"
ACCUMULATION = "tokens__batch_accumulation_per_replica"


def said(engine: str, gib: float | None, **changes: Any) -> list[str]:
    memory = None if gib is None else gib * GIB
    context = dataclasses.replace(SIXTY_FOUR_GPUS, engine=engine, gpu_memory=memory)
    return [one for one in messages(translate(nanotron(**changes), context).notes, "error") if "gpuMemory" in one]


@pytest.mark.parametrize("engine", ["nanotron", "torch"])
def test_the_reports_run_fits_into_its_cards_and_nothing_is_said_where_they_are_not_known(engine: str) -> None:
    assert said(engine, 80) == []
    assert said(engine, None, **{MICRO: 4096}) == []


def test_a_micro_batch_that_is_too_large_is_told_with_the_one_that_fits() -> None:
    (sentence,) = said("torch", 40, **{MICRO: 16, ACCUMULATION: 2})
    assert sentence.startswith("tokens.micro_batch_size 16 takes about ")
    assert " GiB of a GPU, and pretrain.gpuMemory is 40 GiB: set it to " in sentence
    fitting = int(sentence.partition("set it to ")[2].split()[0])
    assert sentence.endswith(f"tokens.batch_accumulation_per_replica to {32 // fitting}.")
    assert said("torch", 40, **{MICRO: fitting, ACCUMULATION: 32 // fitting}) == []
    more = fitting * 2
    assert said("torch", 40, **{MICRO: more, ACCUMULATION: 32 // more}) != []


def test_where_not_even_one_fits_the_ways_out_are_told() -> None:
    (sentence,) = said("torch", 8)
    assert "not even 1 fits" in sentence
    assert sentence.endswith(
        "try optimizer.zero_stage 1, parallelism.recompute_layer true, a larger parallelism.tp, or shorter sequences."
    )
    (sentence,) = said("nanotron", 8, **{MICRO: 8})
    assert "takes at least" in sentence
    assert "name torch as spec.pretrain.engine" in sentence


def test_a_preset_tells_what_a_gpu_needs_before_anything_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "--preset", "0.4b", "--file", "-", "-o", "json"]) == 0
    found = json.loads(capsys.readouterr().out)["figures"]
    assert 20 * GIB < found["gpuMemoryBytes"] < 80 * GIB
    assert found["gpuHours"] == pytest.approx(24 * found["gpuDays"], rel=0.01)


def test_what_is_cut_or_made_again_takes_less() -> None:
    shape = Shape(2048, 5632, 22, 32, 256, 32000, 2048, 1_100_000_000, False)
    whole = needed(shape, "torch", 8, 1, 1, 1)
    assert needed(shape, "torch", 8, 1, 1, 8) < whole
    assert needed(shape, "torch", 8, 2, 1, 4) < needed(shape, "torch", 8, 1, 1, 8)
    assert needed(dataclasses.replace(shape, recompute=True), "torch", 8, 1, 1, 1) < whole / 2
    assert needed(shape, "torch", 16, 1, 1, 1) - whole == pytest.approx(
        whole - needed(shape, "torch", 0, 1, 1, 1), rel=0.2
    )
