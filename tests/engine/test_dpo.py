"""The dpo stage with Axolotl itself: what it learns, what it reads, which pairs it refuses; test_tuning has more."""

import json
from pathlib import Path

import pytest

from engine.dpo_runs import FOLDER, PAIRS, STEPS, TEXTS, make_stage, spec
from engine.sft_runs import curve
from engine.stage_runs import StageRun
from engine.tuning_runs import DPO, SECONDS, TuningRuns
from trainingrun_workers.contract import ExitCode
from trainingrun_workers.volume import read_marker


@pytest.fixture
def stage(tuning: TuningRuns, tmp_path: Path) -> StageRun:
    return make_stage(tuning.python, tuning.base, tmp_path)


def test_the_better_answers_are_told_from_the_worse_and_the_stage_says_so(tuning: TuningRuns) -> None:
    trained = tuning.of(DPO)[0].run
    output, lines = read_marker(trained.volume / FOLDER), curve(trained)

    assert output is not None
    assert [line["step"] for line in lines] == list(range(1, STEPS + 1))
    assert abs(output["firstLoss"] - 0.6931) < 0.02, "before it has learnt anything: log 2"
    assert output["loss"] == lines[-1]["loss"] < 0.6
    assert output["rewardAccuracy"] == lines[-1]["rewardAccuracy"] > 0.9
    assert output["rewardMargin"] == lines[-1]["rewardMargin"] > 0.3
    assert lines[0]["tokens"] < lines[-1]["tokens"] == output["tokens"]
    assert "trainedTokens" not in output


def test_user_defined_fields_are_trained_on(stage: StageRun) -> None:
    result = stage.run(spec(datasets=[TEXTS], max_steps=4, save_steps=4), SECONDS)

    assert (result.reason, result.step) == ("Completed", 4), result.message
    assert result.output["rows"] == PAIRS


@pytest.mark.parametrize(
    ("change", "reason", "words"),
    [
        ({"worse": {"role": "assistant", "content": "It is blue."}}, "RowInvalid", "has the same answer in better and"),
        ({"better": None}, "RowInvalid", "has null as message in better"),
        ({"conversation": [{"content": "Hi"}]}, "RowInvalid", "has a message 1 without a 'role'"),
        ({"conversation": [{"role": "user", "content": ""}]}, "RowInvalid", "has an empty message 1"),
    ],
)
def test_a_bad_pair_is_refused_by_file_and_line(
    stage: StageRun, change: dict[str, object], reason: str, words: str
) -> None:
    file = stage.volume / "pairs.jsonl"
    lines = file.read_text().splitlines()
    lines[2] = json.dumps({**json.loads(lines[2]), "better": {"role": "assistant", "content": "It is blue."}} | change)
    file.write_text("\n".join(lines) + "\n")

    result = stage.run(spec())

    assert (result.exit_code, result.reason) == (ExitCode.BAD_DATA, reason)
    assert result.message.startswith(f"pairs.jsonl line 3 {words}")


def test_a_template_that_does_not_render_is_refused_by_file_and_line(stage: StageRun) -> None:
    template = "{{ raise_exception('no users here') if messages[0].role == 'user' }}"

    result = stage.run(spec(chat_template_jinja=template))

    assert (result.exit_code, result.reason) == (ExitCode.BAD_DATA, "RowInvalid")
    assert result.message.startswith("pairs.jsonl line 1 can't be rendered by chat_template_jinja (no users here)")
