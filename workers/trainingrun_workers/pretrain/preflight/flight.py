"""A short look at the real gang before each attempt: what each rank can do, and whether nodes let the others down.

All ranks call `fly`; all come to the same end, since each judges the same gathered figures.
"""

import json
import logging
import time
from pathlib import Path
from typing import Any, Final

from trainingrun_workers.contract import PretrainSpec, StageInput
from trainingrun_workers.errors import BadConfig, Retry
from trainingrun_workers.launched import LaunchedRank
from trainingrun_workers.pretrain.preflight.deadline import limit, limited
from trainingrun_workers.pretrain.preflight.judgement import Verdict, judge, numbers, summary
from trainingrun_workers.pretrain.preflight.measuring import measure
from trainingrun_workers.volume import Volume, make_folder, write_atomic
from trainingrun_workers.watchdog import node_name

LOGGER: Final = logging.getLogger(__name__)
MOST_BLAMED: Final = 16  # nodes in the last words, as many as the operator avoids


def fly(rank: LaunchedRank, spec: PretrainSpec, stage_input: StageInput, volume: Volume, agreement: Any) -> None:
    """Measure, gather, keep and judge: Retry("BadNode") naming nodes, or BadConfig("BelowFloor") where most are low.

    The figures are logged, go into the snapshot in short, and lie by rank in
    `<run folder>/preflight/<stage>-a<attempt>.json`. Where it takes longer than its limit, this process ends with
    Retry("PreflightTimeout") as its last words.
    """
    if not spec.preflight.get("enabled"):
        return
    started = time.monotonic()
    rank.report(now=True, activity="pre-flight")
    folder = volume.path(stage_input.run_folder) / "preflight"
    with limited(rank, node_name(), limit(spec.preflight)) as begin:
        if rank.rank == 0:
            begin("folder")
            make_folder(folder)
            begin("joining")
        agreement.wait()
        figures = measure(rank, spec.cpu, folder, begin)
        begin("gathering")
        gathered = agreement.of_all(figures)
        verdict = judge(gathered, spec.preflight.get("floors") or {}, relative=not spec.cpu)
        if rank.rank == 0:
            _tell(rank, gathered, verdict, time.monotonic() - started)
            _keep(folder / f"{stage_input.stage}-a{stage_input.attempt}.json", gathered, verdict, started)
        if verdict is not None:
            # Until the figures are kept: the first rank that ends takes the others with it.
            agreement.wait()
            raise _error(verdict)


def _keep(path: Path, figures: list[dict[str, Any]], verdict: Verdict | None, started: float) -> None:
    seconds = round(time.monotonic() - started, 3)
    document = {"seconds": seconds, "ranks": figures, "message": verdict.message if verdict else None}
    write_atomic(path, json.dumps(document, indent=1))


def _tell(rank: LaunchedRank, figures: list[dict[str, Any]], verdict: Verdict | None, seconds: float) -> None:
    line, (lowest, medians) = summary(figures), numbers(figures)
    LOGGER.info("Pre-flight of %d ranks in %.1f s: %s", len(figures), seconds, line)
    for one in figures:
        LOGGER.info("Pre-flight, rank %d: %s", one["rank"], json.dumps(one))
    found = {"lowest": lowest, "median": medians, "found": verdict.message if verdict else None}
    rank.report(now=True, preflight={"seconds": round(seconds, 1), "ranks": len(figures), "measured": line, **found})


def _error(verdict: Verdict) -> Retry | BadConfig:
    if not verdict.nodes:
        return BadConfig("BelowFloor", verdict.message)
    error = Retry("BadNode", verdict.message)
    error.output = {"node": verdict.nodes[0], "nodes": [*verdict.nodes[:MOST_BLAMED]]}
    return error
