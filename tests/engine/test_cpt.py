"""The cpt stage with Axolotl itself: a model of 256 positions goes on with pieces of text of 512 tokens."""

import copy
import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from engine.sft_runs import CONFIG, ask
from engine.stage_runs import EXAMPLE, StageRun, make_models
from trainingrun_workers.contract import ExitCode, Result, SftSpec

FOLDER: Final = "artifacts/cpt/aaaa"
BASE: Final = "models/earlier"
POSITIONS: Final = 256  # of `make_models`
LENGTH: Final = 512
STEPS: Final = 4
THETA: Final = 500_000.0
SECONDS: Final = 300.0
TEXTS: Final[dict[str, Any]] = {"path": "texts", "ds_type": "json", "type": "completion", "field": "text"}
CONTINUED: Final[dict[str, Any]] = {
    **{key: value for key, value in CONFIG.items() if not key.startswith("chat_template")},
    "datasets": [TEXTS], "sequence_len": LENGTH, "max_steps": STEPS, "save_steps": STEPS, "warmup_steps": 1,
    "gradient_accumulation_steps": 1, "special_tokens": {"pad_token": "<|pad|>"}, "model_config": {"rope_theta": THETA},
}  # fmt: skip
READ_TEXTS: Final = """
import json, sys
from pyarrow import parquet
print(json.dumps([row["text"] for row in parquet.read_table(sys.argv[1], columns=["text"]).to_pylist()[:60]]))
"""
LOSS_AT: Final = """
import json, sys, torch
from transformers import AutoModelForCausalLM
model = AutoModelForCausalLM.from_pretrained(sys.argv[1])
ids = torch.arange(2, 514)[None]
rope = model.model.rotary_emb.inv_freq[1].item()
print(json.dumps([model(input_ids=ids, labels=ids).loss.item(), rope]))
"""
EnginePython = Callable[[str], Path]


def spec(**changes: Any) -> SftSpec:
    """A stage of `CONTINUED` over a base of the user's own."""
    config = copy.deepcopy(CONTINUED) | changes
    return SftSpec(BASE, config, 1, 1, cpu=True, hang_timeout=120, continues=True, own_base=True)


@pytest.fixture(scope="module")
def python(engine_python: EnginePython) -> Path:
    return engine_python("axolotl")


def make_stage(python: Path, root: Path) -> StageRun:
    """A stage on a volume with Italian text of the quickstart, and with a model that an earlier run has made."""
    volume = root / "volume"
    (volume / "texts").mkdir(parents=True)
    texts = ask(python, READ_TEXTS, next((EXAMPLE / "raw/it").glob("*.parquet")))
    rows = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    (volume / "texts/it.jsonl").write_text(rows)
    make_models(python, {volume / BASE: 1}, "float32")
    return StageRun(python, "cpt", volume, FOLDER)


@pytest.fixture(scope="module")
def continued(python: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[StageRun, Result]:
    """A run to its end; not to be changed."""
    run = make_stage(python, tmp_path_factory.mktemp("continued"))
    return run, run.run(spec(), SECONDS)


def test_the_model_goes_on_with_finite_loss_over_pieces_that_none_is_dropped_of(
    continued: tuple[StageRun, Result],
) -> None:
    run, result = continued
    assert (result.reason, result.step) == ("Completed", STEPS), result.message + run.log()[-2000:]
    lines = [json.loads(line) for line in (run.volume / FOLDER / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, STEPS + 1))
    assert all(math.isfinite(line["loss"]) for line in lines)
    assert result.output["rows"] > 60, "texts are cut, so there are more pieces than texts"
    assert result.output["unlabelled"] == 0


def test_the_published_model_has_the_new_positions_and_the_rope_that_was_asked_for(
    continued: tuple[StageRun, Result],
) -> None:
    run, _ = continued
    model = run.volume / FOLDER / "model"
    before, after = (json.loads((folder / "config.json").read_text()) for folder in (run.volume / BASE, model))
    assert (before["max_position_embeddings"], after["max_position_embeddings"]) == (POSITIONS, LENGTH)
    assert after["rope_parameters"]["rope_theta"] == THETA
    loss, frequency = ask(run.python, LOSS_AT, model)
    assert math.isfinite(loss)
    assert frequency == pytest.approx(THETA ** (-2 / 16)), "of heads of 16"


def test_the_stage_says_how_many_positions_there_are(continued: tuple[StageRun, Result]) -> None:
    run, _ = continued
    assert f"The model's max_position_embeddings goes from {POSITIONS} to {LENGTH}." in run.snapshot()["notes"]


def test_a_base_that_is_not_there_is_refused_and_not_waited_for(python: Path, tmp_path: Path) -> None:
    result = StageRun(python, "cpt", tmp_path, FOLDER).run(spec())
    assert (result.exit_code, result.reason) == (ExitCode.BAD_DATA, "BaseModelMissing")
    assert result.message.startswith(f"There is no model at {tmp_path / BASE}")
    assert result.message.endswith("correct the variant's base.path.")


def test_a_row_without_a_text_is_refused_by_file_and_line(python: Path, tmp_path: Path) -> None:
    run = make_stage(python, tmp_path)
    with (run.volume / "texts/more.jsonl").open("w") as file:
        file.write('{"text": ""}\n{"content": "x"}\n')
    result = run.run(spec())
    assert (result.exit_code, result.reason) == (ExitCode.BAD_DATA, "RowInvalid")
    assert result.message.startswith("texts/more.jsonl line 2 has no field 'text', only content")


def test_what_was_prepared_is_trained_on_and_without_rope_only_the_positions_change(
    python: Path, tmp_path: Path
) -> None:
    run = make_stage(python, tmp_path)
    place = "artifacts/prepare/aaaa"
    plain = spec(model_config=None)
    prepared = StageRun(python, "prepare", run.volume, place).run(plain, SECONDS)
    assert prepared.reason == "Completed", prepared.message
    assert prepared.message.endswith("pieces of text are ready to be trained on.")

    result = run.run(dataclasses.replace(plain, prepared=place), SECONDS)

    assert (result.reason, result.output["rows"]) == ("Completed", prepared.output["rows"]), result.message
    before, after = (json.loads((run.volume / one / "config.json").read_text()) for one in (BASE, f"{FOLDER}/model"))
    assert (after["max_position_embeddings"], after["rope_parameters"]) == (LENGTH, before["rope_parameters"])
    assert any(
        note.endswith("RoPE stays as it was: model_config takes rope_theta.") for note in run.snapshot()["notes"]
    )
