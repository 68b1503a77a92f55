"""Runs a report stage: comparison.json, .md and .png, and report.html, in the stage's folder."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from trainingrun_workers.contract import ExitCode, ReportedModel, ReportSpec, Result, StageInput
from trainingrun_workers.errors import BadConfig
from trainingrun_workers.evaluate import plot
from trainingrun_workers.evaluate.questions import read_questions
from trainingrun_workers.report import charts, tables
from trainingrun_workers.report.comparison import Candidate, comparison
from trainingrun_workers.report.curves import LINES, figures, points, read_curve
from trainingrun_workers.report.page import Section, page, progression_table, table
from trainingrun_workers.reporting import Reporter
from trainingrun_workers.volume import Volume, make_folder, mark_complete, write_atomic

NAME: Final = "comparison"
PAGE: Final = "report.html"
LANGUAGES: Final = (
    "The plain mean of each language's tasks, by metric; tasks whose name tells no language are left out."
)


def run(stage_input: StageInput, volume: Volume, reporter: Reporter) -> Result:
    """Write the folder's files anew and yield {"models", "tasks", "better", "worse", "page"}."""
    spec: ReportSpec = stage_input.spec  # type: ignore[assignment]
    folder = make_folder(volume.path(stage_input.folder))
    reporter.update(unit="steps", total=2, step=0, activity="comparing")
    content = comparison(spec.name, [_candidate(one, volume) for one in spec.models])
    write_atomic(folder / f"{NAME}.json", json.dumps(content, indent=1) + "\n")
    write_atomic(folder / f"{NAME}.md", tables.markdown(content))
    write_atomic(folder / f"{NAME}.png", charts.comparison_figure(content, "png", columns=2))
    notes = tuple(problem for model in content["models"] for problem in model["problems"])
    reporter.update(step=1, activity="writing the page", notes=notes)
    write_atomic(folder / PAGE, page(f"{spec.name}: report", _sections(spec, content, volume)))
    output = {
        "models": len(content["models"]),
        "tasks": len(content["series"]),
        **{verdict: _count(content, verdict) for verdict in ("better", "worse")},
        "page": f"{stage_input.folder}/{PAGE}",
    }
    mark_complete(folder, output)
    reporter.update(step=2, activity="done")
    return Result(int(ExitCode.DONE), "Completed", f"The report is {output['page']}.", output=output)


def _candidate(model: ReportedModel, volume: Volume) -> Candidate:
    path = volume.path(model.scores)
    try:
        document: dict[str, Any] = json.loads(path.read_text())
        if not isinstance(document["tasks"], dict) or not isinstance(document["main"], dict):
            raise TypeError("tasks and main are no mappings")
    except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
        raise BadConfig(
            "EvaluationMissing",
            f"The scores of {model.name} in {path} are missing or torn: take {path.parent.name} away and change "
            "spec.evaluate, so that it is evaluated again.",
        ) from error
    questions = read_questions(path, document)
    return Candidate(model.name, model.role, document, _vocabulary(volume.path(model.folder)), questions)


def _vocabulary(folder: Path) -> str | None:
    """A digest of a tokenizer's vocabulary without the tokens that were added to it; None where it has no such file."""
    try:
        model = json.loads((folder / "tokenizer.json").read_text())["model"]
        text = json.dumps([model["vocab"], model.get("merges")], sort_keys=True)
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        return None
    return hashlib.sha256(text.encode()).hexdigest()


def _sections(spec: ReportSpec, content: dict[str, Any], volume: Volume) -> Iterator[Section]:
    yield Section(
        "Comparison by benchmark",
        (charts.comparison_figure(content, "svg", columns=1),),
        (tables.html_table(content),),
        tuple(tables.notes(content)),
    )
    by_language = charts.language_figure(content, "svg", columns=1)
    if by_language is not None:
        yield Section("Comparison by language", (by_language,), (_language_table(content),), (LANGUAGES,))
    progression = _read_progression(volume.path(spec.progression))
    if progression is not None:
        drawn = plot.draw(progression, "svg", columns=1)
        yield Section("Scores by training step", (drawn,), (progression_table(progression),))
    for curve in spec.curves:
        lines = read_curve(volume.path(curve.folder))
        drawn_lines = tuple(
            charts.line_figure(found, title, logarithmic=key == "gradientNorm")
            for key, title in LINES.items()
            if (found := points(lines, key))
        )
        yield Section(f"Training: {curve.name}", drawn_lines, (table([], map(list, figures(lines).items())),))


def _language_table(content: dict[str, Any]) -> str:
    groups = list(dict.fromkeys(group for model in content["models"] for group in model["languages"]))
    rows = ([model["name"], *(_mean(model["languages"].get(group)) for group in groups)] for model in content["models"])
    return table(["model", *(group.replace("/", " ") for group in groups)], rows)


def _mean(one: dict[str, Any] | None) -> str:
    if one is None:
        return ""
    return f"{one['score']:.4f}" + (f" ± {one['stderr']:.4f}" if one["stderr"] is not None else "")


def _read_progression(folder: Path) -> dict[str, Any] | None:
    try:
        content: dict[str, Any] = json.loads((folder / "progression.json").read_text())
    except (FileNotFoundError, ValueError):
        return None
    return content if content.get("steps") else None


def _count(content: dict[str, Any], verdict: str) -> int:
    return sum(one["verdict"] == verdict for model in content["models"] for one in model["differences"].values())
