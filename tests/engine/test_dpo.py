"""The dpo stage with Axolotl itself: what it learns, what it leaves, and that an interrupted run is the same run."""

import json
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine import sft_runs
from engine.dpo_runs import FOLDER, LENGTH, OVERLONG, PAIRS, STEPS, TEXTS, make_stage, spec
from engine.sft_runs import READ_MODEL, ask, make_base, rank, start
from engine.stage_runs import StageRun
from trainingrun_workers.contract import ExitCode, Result
from trainingrun_workers.volume import read_marker

SECONDS = 300.0  # for an attempt that trains to its end
EnginePython = Callable[[str], Path]


@pytest.fixture(scope="module")
def base(engine_python: EnginePython, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model that all stages here start from."""
    return make_base(engine_python("axolotl"), tmp_path_factory.mktemp("base"))


@pytest.fixture
def stage(base: Path, engine_python: EnginePython, tmp_path: Path) -> StageRun:
    return make_stage(engine_python("axolotl"), base, tmp_path)


@pytest.fixture(scope="module")
def trained(base: Path, engine_python: EnginePython, tmp_path_factory: pytest.TempPathFactory) -> StageRun:
    """A run to the end without interruption; not to be changed."""
    run = make_stage(engine_python("axolotl"), base, tmp_path_factory.mktemp("trained"))
    result = run.run(spec(), SECONDS)
    assert result.reason == "Completed", result.message
    return run


@dataclass
class Interrupted:
    """A run that was killed and told to stop before it came to its end."""

    run: StageRun
    killed: Result
    stopped: Result
    done: Result


@pytest.fixture(scope="module")
def interrupted(base: Path, engine_python: EnginePython, tmp_path_factory: pytest.TempPathFactory) -> Interrupted:
    run = make_stage(engine_python("axolotl"), base, tmp_path_factory.mktemp("interrupted"))
    pod = start(run, 4, spec(), STEPS)
    os.kill(rank(pod), signal.SIGKILL)
    killed = pod.wait(SECONDS)
    pod = start(run, 7, spec(), STEPS)
    pod.process.terminate()
    stopped = pod.wait(SECONDS)
    return Interrupted(run, killed, stopped, run.run(spec(), SECONDS))


def curve(run: StageRun) -> list[dict[str, object]]:
    """The lines of metrics.jsonl, without what depends on the clock."""
    lines = [json.loads(line) for line in (run.volume / FOLDER / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in ("time", "tokensPerSecond")} for line in lines]


def test_the_better_answers_are_told_from_the_worse_and_the_stage_says_so(trained: StageRun) -> None:
    output, lines = read_marker(trained.volume / FOLDER), curve(trained)

    assert output is not None
    assert [line["step"] for line in lines] == list(range(1, STEPS + 1))
    assert abs(output["firstLoss"] - 0.6931) < 0.02, "before it has learnt anything: log 2"
    assert output["loss"] == lines[-1]["loss"] < 0.6
    assert output["rewardAccuracy"] == lines[-1]["rewardAccuracy"] > 0.9
    assert output["rewardMargin"] == lines[-1]["rewardMargin"] > 0.3
    assert lines[0]["tokens"] < lines[-1]["tokens"] == output["tokens"]
    assert "trainedTokens" not in output


def test_overlong_pairs_are_counted_and_told(trained: StageRun) -> None:
    output, snapshot = read_marker(trained.volume / FOLDER), trained.snapshot()

    assert output is not None
    count = len(OVERLONG)
    assert (output["rows"], output["dropped"], output["overlong"]) == (PAIRS, count, count)
    assert snapshot["notes"] == [
        f"{count} of {PAIRS} pairs of answers are longer than sequence_len {LENGTH} and were dropped: raise it to "
        "train on them."
    ]


def test_the_model_is_whole_and_loads_with_its_chat_template(trained: StageRun) -> None:
    model = trained.volume / FOLDER / "model"

    assert ask(trained.python, READ_MODEL, model) == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    assert not list((trained.volume / FOLDER).glob("prepared-*"))


def test_a_killed_and_a_stopped_run_go_on_from_their_checkpoints(interrupted: Interrupted) -> None:
    assert (interrupted.killed.exit_code, interrupted.killed.reason) == (ExitCode.RETRY, "RankLost")
    assert (interrupted.stopped.exit_code, interrupted.stopped.reason) == (ExitCode.PREEMPTED, "Preempted")
    assert 7 <= (interrupted.stopped.step or 0) < STEPS
    log = interrupted.run.log()
    assert f"step {interrupted.stopped.step}/{STEPS}" not in log
    assert f"step {(interrupted.stopped.step or 0) + 1}/{STEPS}" in log


def test_a_resumed_run_ends_as_the_uninterrupted_one(interrupted: Interrupted, trained: StageRun) -> None:
    assert interrupted.done.reason == "Completed"
    assert curve(interrupted.run) == curve(trained)
    assert interrupted.done.output == read_marker(trained.volume / FOLDER)
    weights = [run.volume / FOLDER / "model/model.safetensors" for run in (interrupted.run, trained)]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_user_defined_fields_are_trained_on(stage: StageRun) -> None:
    result = stage.run(spec(datasets=[TEXTS], max_steps=4, save_steps=4), SECONDS)

    assert (result.reason, result.step) == ("Completed", 4), result.message
    assert result.output["rows"] == PAIRS


def test_what_was_prepared_without_a_gpu_is_trained_on_without_being_made_again(
    base: Path, engine_python: EnginePython, tmp_path: Path
) -> None:
    place = "artifacts/prepare/aaaa"
    prepare = make_stage(engine_python("axolotl"), base, tmp_path, "prepare", place)
    gpus = {"bf16": "auto", "tf32": True, "attn_implementation": "flash_attention_2", "fsdp_version": 2}
    gpus["fsdp_config"] = {"reshard_after_forward": True, "state_dict_type": "FULL_STATE_DICT"}
    prepared = prepare.run(spec(max_steps=4, **gpus), SECONDS)
    assert (prepared.reason, prepared.output["rows"]) == ("Completed", PAIRS), prepared.message
    assert prepared.output["dropped"] == len(OVERLONG)
    (left,) = [path for path in (prepare.volume / place).glob("prepared-*") if path.is_dir()]

    run = StageRun(prepare.python, "dpo", prepare.volume, FOLDER)
    result = run.run(spec(max_steps=4, save_steps=4, prepared=place), SECONDS)

    assert (result.reason, result.output["rows"]) == ("Completed", PAIRS), result.message
    assert result.output["dropped"] == len(OVERLONG)
    assert not left.exists()
    assert "Mapping RL Dataset" not in run.log()


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


@pytest.mark.parametrize("kind", ["dpo", "sft"])
def test_what_is_no_template_is_refused(stage: StageRun, kind: str) -> None:
    broken = "{% for message in messages %}{{ message.content }"
    given = spec(chat_template_jinja=broken)
    if kind == "sft":
        datasets = [{**sft_runs.CONFIG["datasets"][0], "path": "pairs.jsonl"}]
        given = sft_runs.spec(chat_template_jinja=broken, datasets=datasets)
    run = StageRun(stage.python, kind, stage.volume, f"artifacts/{kind}/aaaa")

    result = run.run(given)

    assert (result.exit_code, result.reason) == (ExitCode.BAD_CONFIG, "TemplateInvalid")
    assert result.message.startswith("chat_template_jinja is no template (")
