"""The judge stage with real models, asked over HTTP by a real inference server that serves tiny ones."""

import itertools
import json
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.judge_server import JudgeServer, Lessons, learn
from engine.pretrain_runs import wait_until
from engine.stage_runs import StageRun, make_models
from trainingrun_workers.contract import EvaluatedModel, JudgeSpec, Result
from trainingrun_workers.judge.verdicts import question

KEY = "sk-a-key-of-the-tests"
PROMPTS = ["Where is Rome?", "How many are two and two?", "What colour has snow?", "Chi ha scritto la Commedia?"]
RIGHT = ["In Italy.", "Four.", "White.", "Dante."]
WRONG = ["In a box.", "A cat.", "Loud.", "Nessuno."]
ANSWERS = {"right": RIGHT, "wrong": WRONG, "mixed": RIGHT[:2] + WRONG[2:]}
A, B = "The first is right.\n[[A]]", "The second is right.\n[[B]]"


def judged(favour: bool) -> list[tuple[str, str]]:
    """What a judge says to every question that the stage can raise: what is so, or always that the first is right."""
    turns = [
        (question(prompt, None, first, second, None), A if favour or first == right else B)
        for prompt, right, wrong in zip(PROMPTS, RIGHT, WRONG, strict=True)
        for first, second in ((right, wrong), (wrong, right))
    ]
    return turns


@pytest.fixture(scope="module")
def models(engine_python: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A volume with three models that answer and the prompts; beside it three judges."""
    root = tmp_path_factory.mktemp("judging")
    volume = root / "volume"
    lessons: Lessons = {
        volume / "models" / name: list(zip(PROMPTS, answers, strict=True)) for name, answers in ANSWERS.items()
    }
    lessons |= {root / "judges/fair": judged(False), root / "judges/favouring": judged(True)}
    for folder in lessons:
        folder.mkdir(parents=True)
    print(learn(engine_python("lm-eval"), lessons, root))
    babbler = root / "judges/babbler"
    make_models(engine_python("lm-eval"), {babbler: 3})
    # Weights that have learned nothing, with a template by which they can be asked.
    shutil.copy(root / "judges/fair/chat_template.jinja", babbler)
    rows = [{"prompt": text, "language": "it" if text.startswith("Chi") else "en"} for text in PROMPTS]
    (volume / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return root


@pytest.fixture(scope="module")
def server(models: Path, engine_python: Callable[[str], Path]) -> Iterator[JudgeServer]:
    made = JudgeServer(engine_python("judge-server"), models)
    try:
        made.wait()
        yield made
    finally:
        made.end()


@pytest.fixture
def stage(models: Path, tmp_path: Path, engine_python: Callable[[str], Path]) -> StageRun:
    shutil.copytree(models / "volume", tmp_path / "volume")
    return StageRun(engine_python("lm-eval"), "judge", tmp_path / "volume", "artifacts/judge/aaaa")


def spec(*names: str, **changes: Any) -> JudgeSpec:
    values: dict[str, Any] = {
        "models": tuple(EvaluatedModel(name, f"models/{name}") for name in names), "prompts": "prompts.jsonl",
        "secret": "judge", "rubric": None, "max_tokens": 16, "verdict_tokens": 24, "max_unparsable": 0.0,
        "parallelism": 2, "batch_size": 3, "cpu": True,
    }  # fmt: skip
    return JudgeSpec(**(values | changes))


def secret(server: JudgeServer, judge: Path) -> dict[str, str]:
    """What the Secret's keys are to the pod."""
    return {"JUDGE_BASE_URL": server.url, "JUDGE_MODEL": str(judge), "JUDGE_API_KEY": KEY}


def read(stage: StageRun, name: str) -> Any:
    text = (stage.volume / stage.folder / name).read_text()
    return [json.loads(line) for line in text.splitlines()] if name.endswith("jsonl") else json.loads(text)


def completed(result: Result, stage: StageRun) -> Result:
    assert result.reason == "Completed", result.message + stage.log()[-3000:]
    return result


def test_a_fair_judge_finds_the_better_model_whatever_the_order(
    stage: StageRun, server: JudgeServer, models: Path
) -> None:
    before = server.asked()
    result = completed(stage.run(spec(*ANSWERS), **secret(server, models / "judges/fair")), stage)
    written = {(one["model"], one["prompt"]): one["answer"] for one in read(stage, "answers.jsonl")}
    assert written == {
        (name, prompt): answer
        for name, answers in ANSWERS.items()
        for prompt, answer in zip(PROMPTS, answers, strict=True)
    }
    assert server.asked() - before == 8, "Questions that are the same are asked once."
    pairs = {tuple(one["models"]): one for one in read(stage, "judge.json")["pairs"]}
    assert list(pairs) == list(itertools.combinations(ANSWERS, 2))
    assert pairs["right", "wrong"]["wins"] == {"right": 4, "wrong": 0}
    assert (pairs["right", "mixed"]["wins"], pairs["right", "mixed"]["identical"]) == ({"right": 2, "mixed": 0}, 2)
    assert (pairs["wrong", "mixed"]["wins"], pairs["wrong", "mixed"]["identical"]) == ({"wrong": 0, "mixed": 2}, 2)
    assert (result.output["disagreements"], result.output["unparsable"]) == (0, 0)
    assert result.output["firstRate"] == 0.5
    line = read(stage, "comparisons.jsonl")[0]
    assert [one["reply"] for one in line["verdicts"]] == [A, B]
    assert KEY not in stage.log()
    assert [one for one in stage.volume.rglob("*") if one.is_file() and KEY.encode() in one.read_bytes()] == []


def test_a_judge_that_favours_a_place_is_found_out(stage: StageRun, server: JudgeServer, models: Path) -> None:
    result = completed(stage.run(spec("right", "wrong"), **secret(server, models / "judges/favouring")), stage)
    assert (result.output["disagreements"], result.output["firstRate"]) == (4, 1.0)
    figures = read(stage, "judge.json")
    assert figures["pairs"][0]["wins"] == {"right": 0, "wrong": 0}
    assert figures["position"]["alwaysFirst"] == 4
    page = (stage.volume / stage.folder / "judge.md").read_text()
    assert "which shows a favour for a place" in page
    assert "- `Where is Rome?`: right with right shown first and wrong with wrong shown first" in page


def test_a_judge_that_babbles_fails_the_stage_and_its_words_are_kept(
    stage: StageRun, server: JudgeServer, models: Path
) -> None:
    variables = secret(server, models / "judges/babbler")
    result = stage.run(spec("right", "wrong", max_unparsable=0.5), **variables)
    assert (result.exit_code, result.reason) == (78, "JudgeUnparsable"), result.message
    assert "The judge gave no verdict in 5 of 8 replies" in result.message
    said = read(stage, "verdicts.jsonl")
    assert len(said) == 5
    assert all(one["verdict"] is None and one["reply"] for one in said)
    allowed = completed(stage.run(spec("right", "wrong", max_unparsable=1.0), **variables), stage)
    assert allowed.output["unparsable"] == 4, "Pairs, of which both replies give no verdict."
    assert read(stage, "verdicts.jsonl")[:5] == said


def test_a_killed_stage_goes_on_and_asks_nothing_twice(stage: StageRun, server: JudgeServer, models: Path) -> None:
    variables = secret(server, models / "judges/fair")
    path = stage.volume / stage.folder / "verdicts.jsonl"
    pod = stage.start(spec(*ANSWERS, parallelism=1), **variables)
    wait_until(lambda: path.is_file() and path.read_bytes().count(b"\n") >= 2, 120)
    pod.process.send_signal(signal.SIGKILL)
    pod.process.wait()
    kept, answers = path.read_bytes(), (stage.volume / stage.folder / "answers.jsonl").read_bytes()
    kept = kept[: kept.rfind(b"\n") + 1]
    done = kept.count(b"\n")
    assert done < 8, "It was killed too late to show anything."
    before = server.asked()
    completed(stage.run(spec(*ANSWERS, parallelism=1), **variables), stage)
    # The reply that was on its way when it died may have been asked for after `before` was taken.
    assert server.asked() - before in (8 - done, 8 - done + 1)
    assert path.read_bytes().startswith(kept)
    assert (stage.volume / stage.folder / "answers.jsonl").read_bytes() == answers
    assert len({one["key"] for one in read(stage, "verdicts.jsonl")}) == 8
    assert read(stage, "judge.json")["pairs"][0]["wins"] == {"right": 4, "wrong": 0}


def test_a_stopped_stage_says_so_at_once(stage: StageRun, server: JudgeServer, models: Path) -> None:
    path = stage.volume / stage.folder / "verdicts.jsonl"
    pod = stage.start(spec(*ANSWERS, parallelism=2), **secret(server, models / "judges/fair"))
    wait_until(path.is_file, 120)
    pod.process.send_signal(signal.SIGTERM)
    result = pod.wait(60)
    assert (result.exit_code, result.reason) == (143, "Preempted")


def test_a_model_that_the_server_does_not_have_is_told_in_its_words(
    stage: StageRun, models: Path, engine_python: Callable[[str], Path]
) -> None:
    server = JudgeServer(engine_python("judge-server"), models, models / "judges/fair")
    try:
        server.wait()
        result = stage.run(spec("right", "wrong"), **(secret(server, models) | {"JUDGE_MODEL": "gpt-9"}))
    finally:
        server.end()
    assert (result.exit_code, result.reason) == (78, "JudgeRefused")
    assert "refused a question with status 400 (Server is pinned to" in result.message
    assert "mend JUDGE_MODEL or JUDGE_BASE_URL" in result.message


def test_a_prompt_that_leaves_no_room_for_an_answer_is_refused_before_anything_is_asked(stage: StageRun) -> None:
    nobody = {"JUDGE_BASE_URL": "http://127.0.0.1:1/v1", "JUDGE_MODEL": "none"}
    result = stage.run(spec("right", "wrong", max_tokens=1020), **nobody)
    assert (result.exit_code, result.reason) == (78, "PromptTooLong")
    assert "Prompt 1 has" in result.message
    assert read(stage, "answers.jsonl") == []
