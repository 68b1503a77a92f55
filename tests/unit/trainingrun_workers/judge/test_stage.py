"""The judge stage's whole pod but for the models: what they answer lies on the volume already."""

import itertools
import json
import os
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from trainingrun_workers.contract import EvaluatedModel, JudgeSpec, Result, RunReference, StageInput
from trainingrun_workers.errors import BadConfig, Retry
from trainingrun_workers.judge import stage
from trainingrun_workers.judge.journal import Journal, key_of
from trainingrun_workers.reporting import Reporter
from trainingrun_workers.volume import Volume
from unruly_judge import Server, said

KEY = "sk-very-secret"
PROMPTS = [
    {"prompt": "One?", "language": "en"},
    {"prompt": "Due?", "language": "it", "reference": "Due."},
    {"prompt": "Three?"},
]
ANSWERS = {  # by prompt; the last is the same of both
    "base": ["one one one", "due due due", "three"],
    "chat": ["One.", "Due.", "three"],
}


class Pod:
    """Attempts of one stage on a volume whose models have answered."""

    def __init__(self, root: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        self.volume, self.server = Volume(root), server
        self.folder = root / "artifacts/judge/x"
        (root / "prompts.jsonl").write_text("".join(json.dumps(one) + "\n" for one in PROMPTS))
        self.folder.mkdir(parents=True)
        self.spec: dict[str, Any] = {
            "models": tuple(EvaluatedModel(name, f"models/{name}") for name in ANSWERS), "prompts": "prompts.jsonl",
            "secret": "judge", "rubric": None, "max_tokens": 8, "verdict_tokens": 16, "max_unparsable": 0.0,
            "parallelism": 1, "batch_size": 2, "cpu": True,
        }  # fmt: skip
        self.answer(ANSWERS)
        for name, value in {"URL": server.url, "API_KEY": KEY, "MODEL": "large"}.items():
            monkeypatch.setenv(f"JUDGE_{name}".replace("_URL", "_BASE_URL"), value)

    def answer(self, answers: dict[str, list[str]]) -> None:
        """Let models have answered."""
        with closing(Journal(self.folder / "answers.jsonl")) as journal:
            for name, texts in answers.items():
                for prompt, text in zip(PROMPTS, texts, strict=True):
                    key = key_of(f"models/{name}", self.spec["max_tokens"], prompt["prompt"])
                    journal.add({"key": key, "model": name, "prompt": prompt["prompt"], "answer": text})

    def run(self, **changes: Any) -> Result:
        """One attempt."""
        stage_input = StageInput(
            RunReference("ns", "run", "uid"), "judge", "judge", 1, "artifacts/judge/x", "runs/run", None, 0.05, 30.0,
            JudgeSpec(**self.spec | changes),
        )  # fmt: skip
        with Reporter(stage_input, self.volume, 0) as reporter:
            try:
                return stage.run(stage_input, self.volume, reporter)
            finally:
                self.snapshot = reporter.snapshot

    def read(self, name: str) -> Any:
        """A file of the stage's folder."""
        text = (self.folder / name).read_text()
        return [json.loads(line) for line in text.splitlines()] if name.endswith("jsonl") else json.loads(text)


@pytest.fixture
def pod(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Pod:
    return Pod(tmp_path, server, monkeypatch)


def replies(*texts: str) -> list[Any]:
    return [said(text) for text in texts]


def test_every_pair_is_judged_in_both_orders_and_all_of_it_is_kept(pod: Pod) -> None:
    # One?: chat in both orders. Due?: the first place in both orders. Three?: the same answer, so nobody is asked.
    pod.server.answers = replies("B is short. [[B]]", "[[A]]", "[[A]]", "[[A]]")
    result = pod.run()
    assert result.output == {
        "judge": "large", "prompts": 3, "verdicts": 4, "disagreements": 1, "unparsable": 0, "firstRate": 0.75,
        "base : chat": "0 : 1, 1 tied, 1 disagreements, 0 without a verdict",
    }  # fmt: skip
    one, two, three = pod.read("comparisons.jsonl")
    assert (one["outcome"], one["winner"], one["answers"]) == ("won", "chat", {"base": "one one one", "chat": "One."})
    assert one["verdicts"][0] == {
        "first": "base", "chosen": "chat", "verdict": "second", "reply": "B is short. [[B]]", "judge": "large-2026",
    }  # fmt: skip
    assert one["verdicts"][1]["first"] == "chat"
    assert (two["outcome"], two["winner"], two["reference"]) == ("disagreement", None, "Due.")
    assert (three["outcome"], three["verdicts"]) == ("tie", [])
    figures = pod.read("judge.json")
    assert figures["judge"] == {"model": "large", "answeredAs": ["large-2026"]}
    assert figures["pairs"][0]["wins"] == {"base": 0, "chat": 1}
    assert figures["position"]["alwaysFirst"] == 1
    assert list(figures["languages"]) == ["en", "it"]
    assert pod.read("COMPLETE.json") == result.output
    assert "| base : chat | 3 | 0 | 1 | 1 | 1 | 0 |" in (pod.folder / "judge.md").read_text()
    assert (pod.snapshot.step, pod.snapshot.total) == (12, 12)


def test_the_judge_reads_both_answers_turned_round_and_the_reference(pod: Pod) -> None:
    pod.run()
    texts = [one["body"]["messages"][0]["content"] for one in pod.server.received]
    assert "[Answer A]\none one one\n" in texts[0]
    assert "[Answer A]\nOne.\n" in texts[1]
    assert ["Due.\n[End of the right answer]" in text for text in texts] == [False, False, True, True]


def test_what_was_asked_is_never_asked_again(pod: Pod) -> None:
    busy = (429, {"Retry-After": "3600"}, {"error": {"message": "Slow down."}})
    pod.server.answers = [*replies("[[B]]", "[[A]]", "[[A]]"), busy]
    with pytest.raises(Retry, match=r"answered 429 \(Slow down\.\)"):
        pod.run()
    assert not (pod.folder / "COMPLETE.json").exists()
    assert (len(pod.read("verdicts.jsonl")), pod.snapshot.step) == (3, 11)
    pod.server.received.clear()
    pod.server.answers = replies("[[B]]")
    pod.run()
    assert len(pod.server.received) == 1
    pod.run()
    assert len(pod.server.received) == 1


def test_a_verdict_that_was_torn_in_the_writing_is_asked_for_again_and_no_other(pod: Pod) -> None:
    pod.run()
    path = pod.folder / "verdicts.jsonl"
    path.write_bytes(path.read_bytes()[:-7])
    pod.server.received.clear()
    pod.run()
    assert len(pod.server.received) == 1
    assert len({one["key"] for one in pod.read("verdicts.jsonl")}) == 4


def test_another_judge_or_rubric_is_asked_anew(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    pod.run()
    monkeypatch.setenv("JUDGE_MODEL", "larger")
    pod.run()
    assert len(pod.server.received) == 8
    pod.run(rubric="Which is shorter?")
    assert len(pod.server.received) == 12


def test_models_that_answer_alike_raise_a_question_once_and_each_has_its_own_figures(pod: Pod) -> None:
    twin = "twin"
    pod.answer({twin: ANSWERS["chat"]})
    models = tuple(EvaluatedModel(name, f"models/{name}") for name in ("base", "chat", twin))
    pod.server.answers = replies("[[B]]", "[[A]]", "[[B]]", "[[A]]")
    pod.run(models=models)
    assert len(pod.server.received) == 4
    pairs = {tuple(one["models"]): one for one in pod.read("judge.json")["pairs"]}
    assert list(pairs) == list(itertools.combinations(("base", "chat", twin), 2))
    assert pairs["base", twin]["wins"] == {"base": 0, twin: 2}
    assert pairs["chat", twin]["identical"] == 3
    assert pod.snapshot.step == pod.snapshot.total
    chosen = [one["chosen"] for line in pod.read("comparisons.jsonl")[:3] for one in line["verdicts"]]
    assert chosen == ["chat", "chat", twin, twin]


def test_a_judge_of_nonsense_is_told_with_an_example_and_its_words_are_kept(pod: Pod) -> None:
    pod.server.answers = replies("[[A]]", "I am only a\nparrot.")
    with pytest.raises(BadConfig) as told:
        pod.run()
    assert told.value.message == (
        "The judge gave no verdict in 1 of 4 replies, more than judge.maxUnparsable 0 allows; the last was "
        '"I am only a parrot.": name another model by JUDGE_MODEL of Secret judge, or give it more judge.verdictTokens;'
        " all replies are kept in verdicts.jsonl."
    )  # fmt: skip
    assert [one["reply"] for one in pod.read("verdicts.jsonl")] == ["[[A]]", "I am only a\nparrot."]


def test_as_much_nonsense_as_is_allowed_is_counted(pod: Pod) -> None:
    pod.server.answers = replies("[[A]]", "Hm.", "[[A]]", "[[B]]")
    result = pod.run(max_unparsable=0.25)
    assert (result.output["unparsable"], result.output["disagreements"]) == (1, 0)
    assert pod.read("comparisons.jsonl")[0]["outcome"] == "unparsable"
    with pytest.raises(BadConfig, match="in 1 of 4 replies"):
        pod.run(max_unparsable=0.2)


def test_the_key_is_nowhere(pod: Pod, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    pod.server.answers = [said(f"{KEY} [[A]]"), (500, {}, {"error": {"message": f"Bad {KEY}"}}), *replies("[[B]]")]
    result = pod.run()
    assert KEY not in result.to_json() + caplog.text
    files = [path for path in pod.volume.root.rglob("*") if path.is_file()]
    assert len(files) > 5
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
    assert pod.server.url not in "".join(path.read_text() for path in files)


def test_a_pod_without_the_secrets_keys_reads_and_asks_nothing(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JUDGE_MODEL")
    assert "JUDGE_MODEL" not in os.environ
    with pytest.raises(BadConfig, match="Secret judge has no key JUDGE_MODEL"):
        pod.run(prompts="none.jsonl")


def test_a_model_that_is_missing_is_named(pod: Pod) -> None:
    models = (EvaluatedModel("base", "models/base"), EvaluatedModel("Qwen", "models/Qwen"))
    with pytest.raises(BadConfig, match="There is no model Qwen at .*/models/Qwen"):
        pod.run(models=models)
    assert pod.server.received == []
