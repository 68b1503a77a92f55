"""The scores of a run's checkpoints over training steps: as a table, as a document and as a picture.

All documents in the folder that belong to the present evaluation and have a step take part, whichever attempt made
them. progression.json::

    {"harness", "seed", "key", "series": {"task/metric": {"task", "metric", "higherIsBetter", "fewshot"}},
     "steps": [{"step", "model", "scores": {"task/metric": value}, "stderr": {"task/metric": value}}]}
"""

import json
import math
from pathlib import Path
from typing import Any, Final

from trainingrun_workers.evaluate.plot import draw
from trainingrun_workers.evaluate.results import STDERR, read_document
from trainingrun_workers.volume import write_atomic

NAME: Final = "progression"


def write_progression(folder: Path, key: str) -> dict[str, Any]:
    """Write progression.md, .json and .png of the folder's documents; yields what the second holds."""
    found = (read_document(path, key) for path in sorted(folder.glob("*.json")))
    documents = sorted(
        (one for one in found if one is not None and one.get("step") is not None), key=lambda one: one["step"]
    )
    content = progression(documents, key)
    write_atomic(folder / f"{NAME}.json", json.dumps(content, indent=1) + "\n")
    write_atomic(folder / f"{NAME}.md", table(content))
    if content["steps"]:
        write_atomic(folder / f"{NAME}.png", draw(content))
    return content


def progression(documents: list[dict[str, Any]], key: str) -> dict[str, Any]:
    """The document of all steps, of documents in ascending order of steps."""
    series: dict[str, dict[str, Any]] = {}
    steps = []
    for one in documents:
        scores, stderr = {}, {}
        for task, metric in one["main"].items():
            name = f"{task}/{metric}"
            series[name] = {
                "task": task,
                "metric": metric,
                "higherIsBetter": one["higherIsBetter"].get(task, {}).get(metric.partition(",")[0]),
                "fewshot": one["fewshot"].get(task),
            }
            scores[name] = one["tasks"][task][metric]
            deviation = one["tasks"][task].get(_stderr_name(metric))
            if deviation is not None and math.isfinite(deviation):
                stderr[name] = deviation
        steps.append({"step": one["step"], "model": one["model"], "scores": scores, "stderr": stderr})
    last = documents[-1] if documents else {}
    return {"harness": last.get("harness"), "seed": last.get("seed"), "key": key, "series": series, "steps": steps}


def table(content: dict[str, Any]) -> str:
    """The document as Markdown: a row a step, a column a task, the best score of each column in bold."""
    series = content["series"]
    heads = [f"{one['task']} {one['metric']}{_arrow(one['higherIsBetter'])}" for one in series.values()]
    best = {name: _best(name, one["higherIsBetter"], content["steps"]) for name, one in series.items()}
    lines = [
        "# Scores by training step",
        "",
        f"| {' | '.join(['step', *heads])} |",
        f"| {' | '.join(['---:'] * (len(heads) + 1))} |",
    ]
    for one in content["steps"]:
        cells = [_cell(one["scores"].get(name), best[name]) for name in series]
        lines.append(f"| {' | '.join([str(one['step']), *cells])} |")
    shots = {one["fewshot"] for one in series.values()}
    how = f"{shots.pop()}-shot" if len(shots) == 1 and None not in shots else "few-shot as given for each task"
    lines += ["", f"By lm-evaluation-harness {content['harness']}, {how}, seed {content['seed']}; best in bold.", ""]
    return "\n".join(lines)


def _stderr_name(metric: str) -> str:
    name, comma, which = metric.partition(",")
    return f"{name}{STDERR}{comma}{which}"


def _arrow(higher_is_better: bool | None) -> str:
    return {True: " ↑", False: " ↓"}.get(higher_is_better, "") if higher_is_better is not None else ""


def _best(name: str, higher_is_better: bool | None, steps: list[dict[str, Any]]) -> float | None:
    values: list[float] = [one["scores"][name] for one in steps if name in one["scores"]]
    if higher_is_better is None or len(values) < 2:
        return None
    return max(values) if higher_is_better else min(values)


def _cell(value: float | None, best: float | None) -> str:
    if value is None:
        return ""
    return f"**{value:.4f}**" if value == best else f"{value:.4f}"
