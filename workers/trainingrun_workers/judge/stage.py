"""Runs a judge stage's pod: what is answered and what is judged is on the volume as soon as it is known.

The folder::

    answers.jsonl      {"key", "model", "prompt", "answer", "tokens", "ended"}, one a model and prompt
    verdicts.jsonl     {"key", "prompt", "first", "second", "reply", "verdict", "judge"}, one a question to the judge
    comparisons.jsonl  one a pair of models and prompt, with both answers and both verdicts: made at the end
    judge.json         the figures of `tally.summary`, with the judge, the prompts' SHA-256 and the settings
    judge.md           the same for people
"""

import hashlib
import itertools
import json
import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from trainingrun_workers.contract import ExitCode, JudgeSpec, Result, StageInput
from trainingrun_workers.errors import BadConfig
from trainingrun_workers.judge import answers, report, tally
from trainingrun_workers.judge.address import Address
from trainingrun_workers.judge.asking import Asked, replies
from trainingrun_workers.judge.endpoint import Endpoint
from trainingrun_workers.judge.journal import Journal, Record, key_of
from trainingrun_workers.judge.prompts import Prompt, read_prompts
from trainingrun_workers.judge.verdicts import question, verdict
from trainingrun_workers.reporting import Reporter
from trainingrun_workers.volume import Volume, make_folder, mark_complete, write_atomic

_EXAMPLE: Final = 120  # characters of a reply without a verdict in a sentence


@dataclass(frozen=True)
class Showing:
    """One question to the judge: the answer of `first` is shown first."""

    asked: Asked
    prompt: str
    first: str
    second: str

    def record(self, reply: str, judge: str) -> Record:
        """What is kept of the reply."""
        said = {"reply": reply, "verdict": verdict(reply), "judge": judge}
        return {"key": self.asked.key, "prompt": self.prompt, "first": self.first, "second": self.second, **said}


@dataclass(frozen=True)
class Case:
    """Two models' answers to a prompt, and the questions about them: two, or none where the answers are the same."""

    prompt: Prompt
    models: tuple[str, str]
    answers: tuple[str, str]
    showings: tuple[Showing, ...]


def run(stage_input: StageInput, volume: Volume, reporter: Reporter) -> Result:
    """Let the models answer, let the judge compare the answers, and tell what came out.

    The output is {"judge", "prompts", "verdicts", "disagreements", "unparsable", "firstRate"} and, for each pair,
    {"one : other": "wins : wins, ties, disagreements"}.
    """
    spec: JudgeSpec = stage_input.spec  # type: ignore[assignment]
    address = Address.of(spec.secret, os.environ)
    prompts = read_prompts(volume.path(spec.prompts))
    folder = make_folder(volume.path(stage_input.folder))
    pairs = list(itertools.combinations(spec.models, 2))
    total = len(prompts) * (len(spec.models) + 2 * len(pairs))
    reporter.update(unit="texts", total=total)
    answered = _answered(spec, volume, folder, prompts, reporter)
    cases = list(_cases(spec, address, prompts, answered))
    with closing(Journal(folder / "verdicts.jsonl")) as journal:
        _judge(spec, Endpoint(address, spec.verdict_tokens), cases, journal, reporter)
        compared = [_compared(case, [journal.get(one.asked.key) or {} for one in case.showings]) for case in cases]
    output = _tell(spec, address, volume.path(spec.prompts), folder, cases, compared)
    mark_complete(folder, output)
    reporter.update(activity="done")
    return Result(int(ExitCode.DONE), "Completed", f"{len(cases)} pairs of answers are judged.", output=output)


def _answered(
    spec: JudgeSpec, volume: Volume, folder: Path, prompts: tuple[Prompt, ...], reporter: Reporter
) -> dict[str, tuple[str, ...]]:
    """Each model's answers, by its name, in the order of the prompts."""
    found = {}
    with closing(Journal(folder / "answers.jsonl")) as journal:
        for model in spec.models:
            reporter.update(activity=f"{model.name} answers")
            source = volume.path(model.folder)
            found[model.name] = answers.answers(
                spec, model, source, prompts, journal, lambda more: _advance(reporter, more)
            )
    return found


def _cases(
    spec: JudgeSpec, address: Address, prompts: tuple[Prompt, ...], answered: dict[str, tuple[str, ...]]
) -> Iterator[Case]:
    """Every pair of models at every prompt, all pairs of a prompt after each other."""
    for number, prompt in enumerate(prompts):
        for pair in itertools.combinations([one.name for one in spec.models], 2):
            mine = {name: answered[name][number] for name in pair}
            turns = () if mine[pair[0]] == mine[pair[1]] else (pair, pair[::-1])
            showings = tuple(_showing(spec, address, prompt, turn, mine) for turn in turns)
            yield Case(prompt, (pair[0], pair[1]), (mine[pair[0]], mine[pair[1]]), showings)


def _showing(spec: JudgeSpec, address: Address, prompt: Prompt, turn: tuple[str, ...], mine: dict[str, str]) -> Showing:
    first, second = turn
    text = question(prompt.text, prompt.reference, mine[first], mine[second], spec.rubric)
    return Showing(Asked(key_of(address.model, spec.verdict_tokens, text), text), prompt.text, first, second)


def _judge(spec: JudgeSpec, endpoint: Endpoint, cases: list[Case], journal: Journal, reporter: Reporter) -> None:
    """Ask what has no verdict yet; BadConfig as soon as too many replies have none to give."""
    reporter.update(activity="the judge compares")
    # By key: models with the same answer raise the same question, which is put once.
    showings = {one.asked.key: one for case in cases for one in case.showings}
    _advance(reporter, sum(2 - len(case.showings) for case in cases))
    _advance(reporter, sum(len(case.showings) for case in cases) - len(showings))
    allowed = spec.max_unparsable * len(showings)
    known = [journal.get(key) for key in showings]
    empty = [one["reply"] for one in known if one is not None and one["verdict"] is None]
    _advance(reporter, sum(one is not None for one in known))
    _check(spec, empty, allowed, len(showings))
    missing = [one.asked for key, one in showings.items() if journal.get(key) is None]
    for asked, reply in replies(endpoint, missing, spec.parallelism):
        record = showings[asked.key].record(reply.text, reply.model)
        journal.add(record)
        _advance(reporter, 1)
        if record["verdict"] is None:
            empty.append(reply.text)
            _check(spec, empty, allowed, len(showings))


def _check(spec: JudgeSpec, empty: list[str], allowed: float, total: int) -> None:
    if len(empty) > allowed:
        example = " ".join(empty[-1].split())
        shown = json.dumps(example if len(example) <= _EXAMPLE else example[:_EXAMPLE] + "…", ensure_ascii=False)
        raise BadConfig(
            "JudgeUnparsable",
            f"The judge gave no verdict in {len(empty)} of {total} replies, more than judge.maxUnparsable "
            f"{spec.max_unparsable:g} allows; the last was {shown}: name another model by JUDGE_MODEL of Secret "
            f"{spec.secret}, or give it more judge.verdictTokens; all replies are kept in verdicts.jsonl.",
        )


def _compared(case: Case, records: list[Record]) -> Record:
    """One line of comparisons.jsonl."""
    outcome = _comparison(case, records).outcome
    names = {"one": case.models[0], "other": case.models[1]}
    return {
        "prompt": case.prompt.text,
        "reference": case.prompt.reference,
        "language": case.prompt.language,
        "models": list(case.models),
        "answers": dict(zip(case.models, case.answers, strict=True)),
        "verdicts": [_given(one, record) for one, record in zip(case.showings, records, strict=True)],
        "outcome": "won" if outcome in names else outcome,
        "winner": names.get(outcome),
    }


def _given(showing: Showing, record: Record) -> Record:
    """One verdict of a comparison, by the names of its models: the record may be of others with the same answers."""
    chosen = {"first": showing.first, "second": showing.second}.get(record["verdict"], record["verdict"])
    return {"first": showing.first, "chosen": chosen, **{key: record[key] for key in ("verdict", "reply", "judge")}}


def _comparison(case: Case, records: list[Record]) -> tally.Comparison:
    return tally.Comparison(case.models, tuple(one["verdict"] for one in records), case.prompt.language)


def _tell(
    spec: JudgeSpec, address: Address, prompts: Path, folder: Path, cases: list[Case], compared: list[Record]
) -> dict[str, Any]:
    """Write the files for people and programs, and yield the stage's output."""
    figures = tally.summary([_comparison(case, one["verdicts"]) for case, one in zip(cases, compared, strict=True)])
    named = sorted({verdict["judge"] for one in compared for verdict in one["verdicts"]})
    document = {
        "judge": {"model": address.model, "answeredAs": named},
        "prompts": len({case.prompt.text for case in cases}),
        "promptsSha256": hashlib.sha256(prompts.read_bytes()).hexdigest(),
        "settings": {"rubric": spec.rubric, "maxTokens": spec.max_tokens, "verdictTokens": spec.verdict_tokens},
        **figures,
    }
    lines = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in compared)
    write_atomic(folder / "comparisons.jsonl", lines)
    write_atomic(folder / "judge.json", json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    write_atomic(folder / "judge.md", report.page(document, compared))
    pairs = {" : ".join(one["models"]): _line(one) for one in figures["pairs"]}
    sums = {key: sum(one[key] for one in figures["pairs"]) for key in ("disagreements", "unparsable")}
    verdicts = sum(len(one["verdicts"]) for one in compared)
    first = figures["position"]["firstRate"]["share"]
    known = {} if first is None else {"firstRate": first}
    return {"judge": address.model, "prompts": document["prompts"], "verdicts": verdicts, **sums, **known, **pairs}


def _line(pair: dict[str, Any]) -> str:
    one, other = pair["models"]
    return (
        f"{pair['wins'][one]} : {pair['wins'][other]}, {pair['ties']} tied, {pair['disagreements']} disagreements, "
        f"{pair['unparsable']} without a verdict"
    )


def _advance(reporter: Reporter, more: int) -> None:
    reporter.update(step=reporter.snapshot.step + more)
