"""The prepare stage: checks, tokenizes and packs the data of a stage before that takes its GPUs.

What it leaves, `<folder>/prepared-…`, is moved by the stage that trains on it to a folder of its own.
"""

from typing import Any

from trainingrun_workers.claim import Claim
from trainingrun_workers.contract import ExitCode, Result, SftSpec, StageInput
from trainingrun_workers.launch import launch, verdict
from trainingrun_workers.reporting import Reporter
from trainingrun_workers.sft import base_model, datasets, gang
from trainingrun_workers.sft.prepared import Prepared
from trainingrun_workers.volume import Volume, mark_complete, read_marker
from trainingrun_workers.watchdog import HangRule


def run(stage_input: StageInput, volume: Volume, reporter: Reporter) -> Result:
    """Prepare the data; the folder's marker, and the result, have the counts of rows.

    Whatever ends it early comes as a StageError, as of the stage that it prepares for.
    """
    spec: SftSpec = stage_input.spec  # type: ignore[assignment]
    folder = volume.path(stage_input.folder)
    done = read_marker(folder)
    if done is not None:
        return Result(int(ExitCode.DONE), "Completed", "The stage was already done.", None, done)
    base_model.check(volume.path(spec.base), spec.own_base)
    claim = Claim.of(stage_input, volume)
    claim.take()
    reporter.update(activity="reading the data")
    if not Prepared(claim.folder, claim.name).reuse(datasets.files(spec.config, volume), keep=False):
        datasets.check(spec.config, volume)
    hang = HangRule(
        timeout=spec.hang_timeout,
        stacks=volume.path(stage_input.run_folder) / "stacks",
        attempt=f"{stage_input.stage}-a{stage_input.attempt}",
        ranks_per_node=spec.processes_per_node,
    )

    def report(fields: dict[str, Any]) -> None:
        reporter.update(**{**fields, "notes": tuple(fields.get("notes", ()))})

    result = verdict(launch(gang(stage_input, spec, volume), stage_input.grace_seconds, hang, report))
    claim.check()
    mark_complete(folder, result.output)
    return result
