"""The sft, dpo and cpt stages: Axolotl trains a model on conversations, preferences or texts, resuming where it can."""

import os
from typing import Any

from trainingrun_workers import contract
from trainingrun_workers.claim import Claim
from trainingrun_workers.contract import ExitCode, Result, SftSpec, StageInput
from trainingrun_workers.launch import Gang, launch, node_rank, verdict
from trainingrun_workers.reporting import Reporter
from trainingrun_workers.sft import base_model, datasets, settings
from trainingrun_workers.sft.checkpoints import Checkpoints
from trainingrun_workers.sft.prepared import Prepared
from trainingrun_workers.volume import Volume, mark_complete, read_marker
from trainingrun_workers.watchdog import HangRule


def run(stage_input: StageInput, volume: Volume, reporter: Reporter) -> Result:
    """Train to the last step; the model lies in `<folder>/model` once the folder has its marker.

    Whatever ends it early comes as a StageError: BadData ("DatasetMissing", "RowInvalid", "NonFiniteLoss", …),
    BadConfig ("AxolotlRefused", …), Preempted with the step that was saved, or Retry ("Hang", "Fenced", …).
    """
    spec: SftSpec = stage_input.spec  # type: ignore[assignment]
    folder = volume.path(stage_input.folder)
    done = read_marker(folder)
    if done is not None:
        return Result(int(ExitCode.DONE), "Completed", "The stage was already done.", done.get("steps"), done)
    base_model.check(volume.path(spec.base), spec.own_base)
    claim = Claim.of(stage_input, volume)
    if node_rank() == 0:  # the other nodes wait for this one's ranks
        claim.take()
        reporter.update(activity="reading the data")
        _prepare(spec, volume, claim)
    hang = HangRule(
        timeout=spec.hang_timeout,
        stacks=volume.path(stage_input.run_folder) / "stacks",
        attempt=f"{stage_input.stage}-a{stage_input.attempt}",
        node=node_rank(),
        nodes=spec.nodes,
        ranks_per_node=spec.processes_per_node,
    )

    def report(fields: dict[str, Any]) -> None:
        tuples = {name: tuple(fields.get(name, ())) for name in ("checkpoints", "notes")}
        reporter.update(**{**fields, **tuples})

    result = verdict(launch(gang(stage_input, spec, volume), stage_input.grace_seconds, hang, report))
    if node_rank() == 0:
        claim.check()
        mark_complete(folder, result.output)
    return result


def _prepare(spec: SftSpec, volume: Volume, claim: Claim) -> None:
    """Refuse data that can't be trained on, and clear away what a killed attempt left half done."""
    files = datasets.files(spec.config, volume)
    checkpoints = Checkpoints(claim.folder / contract.CHECKPOINT_FOLDER)
    checkpoints.clear_torn()
    prepared = Prepared(claim.folder, claim.name)
    if prepared.reuse(files, keep=checkpoints.newest() is not None):
        return
    if not (spec.prepared and prepared.adopt(volume.path(spec.prepared), files)):
        datasets.check(spec.config, volume)


def gang(stage_input: StageInput, spec: SftSpec, volume: Volume) -> Gang:
    """The ranks of a stage."""
    return Gang(
        module="trainingrun_workers.sft.rank",
        argv=(),
        nodes=spec.nodes,
        processes_per_node=spec.processes_per_node,
        identity=f"{stage_input.run.uid}-{stage_input.stage}-{stage_input.attempt}",
        environment={
            **settings.environment(spec),
            contract.INPUT_VARIABLE: os.environ.get(contract.INPUT_VARIABLE, contract.DEFAULT_INPUT),
            contract.VOLUME_VARIABLE: str(volume.root),
        },
    )
