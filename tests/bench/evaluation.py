"""Evaluating checkpoints in one process against lm-eval's own command for each: `make bench-evaluate`.

`PYTHONPATH=tests:workers .venv/bin/python -m bench.evaluation`. Ends with 1 where a score differs, or where the stage
takes more than half of the commands' time by the clock.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import documented
from bench.contenders import rounds
from bench.costs import Cost, measured, median
from bench.markdown import table
from engine.environment import cache, interpreter
from engine.stage_runs import EXAMPLE, StageRun, make_models
from trainingrun_workers.contract import EvaluatedModel, EvaluateSpec, EvaluationTask
from trainingrun_workers.volume import read_marker

MARK: Final = "evaluation"
TASKS: Final = ("continuation_en", "continuation_it", "held_out_en", "held_out_it")
COMMAND: Final = "one lm_eval process a checkpoint"
STAGE: Final = "this stage, one process"
BATCH: Final = 8
SEED: Final = 1234
AT_MOST: Final = 0.5
CLOSE: Final = 1e-5  # of a score: sums of floats in another order, with another number of threads
CPUS: Final = len(os.sched_getaffinity(0))

Scores = dict[str, float]  # by "model task metric"


@dataclass(frozen=True)
class Outcome:
    """What a way cost, and the scores of all models."""

    cost: Cost
    scores: Scores


@dataclass(frozen=True)
class Ways:
    """Both ways over the same models and tasks, each on a fresh volume."""

    python: Path  # the lm-eval image's
    models: Path
    steps: tuple[int, ...]
    scratch: Path

    def commands(self) -> Outcome:
        """`lm_eval run` for each model, one after the other."""
        work = self._fresh("commands")
        costs, scores = [], {}
        for step in self.steps:
            arguments = [
                "--model", "hf", "--model_args", f"pretrained={self.models / str(step)},dtype=float32",
                "--tasks", ",".join(TASKS), "--include_path", str(work / "evaluation"), "--device", "cpu",
                "--batch_size", str(BATCH), "--seed", str(SEED), "--output_path", str(work / str(step)),
            ]  # fmt: skip
            start = partial(
                subprocess.Popen, [str(self.python), "-m", "lm_eval", "run", *arguments], text=True,
                cwd=work / "evaluation", env=_offline(work), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
            costs.append(measured([start])[0])
            (written,) = (work / str(step)).rglob("results_*.json")
            scores |= _flat(str(step), json.loads(written.read_text())["results"])
        return Outcome(_added(costs), scores)

    def stage(self) -> Outcome:
        """The evaluate stage over all models, as a pod's main process."""
        volume = self._fresh("volume")
        shutil.copytree(self.models, volume / "models")
        run = StageRun(self.python, "evaluate", volume, "artifacts/evaluate/bench")
        spec = EvaluateSpec(
            models=tuple(EvaluatedModel(str(step), f"models/{step}", step) for step in self.steps),
            tasks=tuple(EvaluationTask(name) for name in TASKS), task_folder="evaluation", seed=SEED, batch_size=BATCH,
            cpu=True, progression=True,
        )  # fmt: skip
        command, variables, _ = run.prepare(spec)
        start = partial(
            subprocess.Popen, command, env=variables, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        cost, _ = measured([start])
        if read_marker(volume / run.folder) is None:
            raise RuntimeError("The evaluate stage has ended, but its folder is not complete.")
        scores: Scores = {}
        for step in self.steps:
            scores |= _flat(str(step), json.loads((volume / run.folder / f"{step}.json").read_text())["tasks"])
        return Outcome(cost, scores)

    def _fresh(self, name: str) -> Path:
        shutil.rmtree(self.scratch / name, ignore_errors=True)
        for old in self.scratch.glob("evaluate-*"):
            shutil.rmtree(old)
        shutil.copytree(EXAMPLE / "evaluation", self.scratch / name / "evaluation")
        return self.scratch / name


def main() -> int:
    """Measure, print and, where asked, write into the documentation."""
    options = _parser().parse_args()
    (cache() / "bench").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="work-", dir=cache() / "bench") as scratch:
        python, models = interpreter("lm-eval"), Path(scratch) / "models"
        steps = tuple(range(options.models))
        make_models(python, {models / str(step): step for step in steps})
        ways = Ways(python, models, steps, Path(scratch))
        found = rounds(options.rounds, {COMMAND: ways.commands, STAGE: ways.stage}, _say)
    words = report(found, options.models)
    print(f"\n{words}", flush=True)
    if options.document:
        documented.write(MARK, words, documented.PERFORMANCE)
    share = median([one.cost for one in found[STAGE]]).wall / median([one.cost for one in found[COMMAND]]).wall
    furthest = difference([one.scores for outcomes in found.values() for one in outcomes])
    return 0 if share <= AT_MOST and furthest <= CLOSE else 1


def report(found: Mapping[str, Sequence[Outcome]], models: int) -> str:
    """The table, with how it was measured."""
    costs = {name: median([one.cost for one in outcomes]) for name, outcomes in found.items()}
    furthest = difference([one.scores for outcomes in found.values() for one in outcomes])
    rows = [("", "wall, s", "CPU, s", "resident, MB", "wall a checkpoint, s")]
    for name, outcomes in found.items():
        walls, cpus = [one.cost.wall for one in outcomes], [one.cost.cpu for one in outcomes]
        cost = costs[name]
        rows.append((
            name, f"{cost.wall:.1f} ({min(walls):.1f}–{max(walls):.1f})",
            f"{cost.cpu:.1f} ({min(cpus):.1f}–{max(cpus):.1f})", f"{cost.resident / 1e6:.0f}",
            f"{cost.wall / models:.1f}",
        ))  # fmt: skip
    share = [costs[STAGE].wall / costs[COMMAND].wall, costs[STAGE].cpu / costs[COMMAND].cpu]
    rows.append(("share", f"{share[0]:.0%}", f"{share[1]:.0%}", "", ""))
    number = len(found[COMMAND])
    turns = f"medians of {number} rounds in which" if number > 1 else "one round in which"
    scores = len(found[COMMAND][0].scores)
    return "\n".join((
        f"{models} models of 0.4 million parameters, {len(TASKS)} tasks of the quickstart with all their questions, on "
        f"{CPUS} cores; {turns} the ways take turns, the least and the most in brackets; "
        "whole processes, from their start to their end.\n",
        table(rows),
        f"Of {scores} scores of every round none differs by more than {furthest:.1g} of itself "
        f"({'the same' if furthest <= CLOSE else 'DIFFERENT'}).\n",
    ))  # fmt: skip


def difference(scores: Sequence[Scores]) -> float:
    """How far the furthest score is from the first's, by that one; infinite where one is missing."""
    first = scores[0]
    if any(one.keys() != first.keys() for one in scores):
        return float("inf")
    return max(
        abs(one[name] - value) / max(abs(value), 1e-12) if one[name] != value else 0.0
        for one in scores
        for name, value in first.items()
    )


def _flat(model: str, tasks: Mapping[str, Mapping[str, object]]) -> Scores:
    return {
        f"{model} {task} {metric.partition(',')[0]}": value
        for task, metrics in tasks.items()
        for metric, value in metrics.items()
        if isinstance(value, float) and "stderr" not in metric
    }


def _added(costs: Sequence[Cost]) -> Cost:
    return Cost(sum(one.wall for one in costs), sum(one.cpu for one in costs), max(one.resident for one in costs))


def _offline(home: Path) -> dict[str, str]:
    switches = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    return {"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home), **switches}


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench-evaluate", description="Checkpoints in one process, against many.")
    parser.add_argument("--models", type=int, default=4, help="how many checkpoints (4)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each way runs (3)")
    parser.add_argument("--document", action="store_true", help="write the table into docs/performance.md")
    return parser


if __name__ == "__main__":
    sys.exit(main())
