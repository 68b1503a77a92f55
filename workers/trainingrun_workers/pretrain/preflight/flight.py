"""A short look at the real gang before each attempt: what each rank can do, and whether a node lets the others down.

All ranks call `fly`; all come to the same end, since each judges the same gathered figures.
"""

import json
import logging
import time
from typing import Any, Final

from trainingrun_workers.contract import PretrainSpec, StageInput
from trainingrun_workers.errors import BadConfig, Retry
from trainingrun_workers.launched import LaunchedRank
from trainingrun_workers.pretrain.preflight.judgement import Verdict, judge, summary
from trainingrun_workers.pretrain.preflight.measuring import measure
from trainingrun_workers.volume import Volume, make_folder, write_atomic

LOGGER: Final = logging.getLogger(__name__)


def fly(rank: LaunchedRank, spec: PretrainSpec, stage_input: StageInput, volume: Volume, agreement: Any) -> None:
    """Measure, gather, keep and judge: Retry("BadNode") naming a node, or BadConfig("BelowFloor") where all are low.

    The figures are logged, go into the snapshot's counts, and lie by rank in
    `<run folder>/preflight/<stage>-a<attempt>.json`.
    """
    if not spec.preflight.get("enabled"):
        return
    started = time.monotonic()
    rank.report(now=True, activity="pre-flight")
    folder = volume.path(stage_input.run_folder) / "preflight"
    if rank.rank == 0:
        make_folder(folder)
    agreement.wait()
    figures = agreement.of_all(measure(rank, spec.cpu, folder))
    verdict = judge(figures, spec.preflight.get("floors") or {}, relative=not spec.cpu)
    seconds = time.monotonic() - started
    if rank.rank == 0:
        _tell(rank, figures, verdict, seconds)
        document = {"seconds": round(seconds, 3), "ranks": figures, "message": verdict.message if verdict else None}
        write_atomic(folder / f"{stage_input.stage}-a{stage_input.attempt}.json", json.dumps(document, indent=1))
    if verdict is not None:
        # Until the figures are kept: the first rank that ends takes the others with it.
        agreement.wait()
        raise _error(verdict)


def _tell(rank: LaunchedRank, figures: list[dict[str, Any]], verdict: Verdict | None, seconds: float) -> None:
    line, lows = summary(figures)
    LOGGER.info("Pre-flight of %d ranks in %.1f s: %s", len(figures), seconds, line)
    for one in figures:
        LOGGER.info("Pre-flight, rank %d: %s", one["rank"], json.dumps(one))
    if verdict is None:
        rank.report(now=True, counts={f"preflight.{name}": low for name, low in lows.items()})


def _error(verdict: Verdict) -> Retry | BadConfig:
    if verdict.node is None:
        return BadConfig("BelowFloor", verdict.message)
    error = Retry("BadNode", verdict.message)
    error.output = {"node": verdict.node}
    return error
