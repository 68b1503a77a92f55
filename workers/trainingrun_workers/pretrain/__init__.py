"""The pretrain stage: nanotron trains the base model, on all ranks of a gang, from the newest checkpoint on."""

import contextlib
import os
from typing import Any

from trainingrun_workers import contract
from trainingrun_workers.claim import Claim
from trainingrun_workers.contract import ExitCode, PretrainSpec, Result, StageInput
from trainingrun_workers.errors import StageError
from trainingrun_workers.flight_recorder import BUFFER, BUFFER_VARIABLE
from trainingrun_workers.launch import Gang, launch, node_rank, verdict
from trainingrun_workers.patience import VOLUME_SECONDS, within
from trainingrun_workers.pretrain.checkpoints import Checkpoints
from trainingrun_workers.pretrain.preflight.deadline import limit
from trainingrun_workers.reporting import Reporter
from trainingrun_workers.volume import Volume, mark_complete, read_marker
from trainingrun_workers.watchdog import HangRule


def run(stage_input: StageInput, volume: Volume, reporter: Reporter) -> Result:
    """Train to the last step; the stage's folder gets its marker from the master's pod alone.

    Whatever ends it early comes as a StageError: BadConfig, BadData ("NonFiniteLoss" and "LossSpike" with their step,
    "TokensTorn", …), Preempted with the step that was saved, or Retry ("Hang", "RankLost", "VolumeFull", "Fenced", …).
    """
    spec: PretrainSpec = stage_input.spec  # type: ignore[assignment]
    folder = volume.path(stage_input.folder)
    done = read_marker(folder)
    if done is not None:
        return Result(int(ExitCode.DONE), "Completed", "The stage was already done.", done.get("steps"), done)
    claim = Claim.of(stage_input, volume)
    if node_rank() == 0:  # the ranks of all nodes wait for this one's
        claim.take()
    hang = HangRule(
        timeout=spec.hang_timeout,
        stacks=volume.path(stage_input.run_folder) / "stacks",
        attempt=f"{stage_input.stage}-a{stage_input.attempt}",
        node=node_rank(),
        nodes=spec.nodes,
        ranks_per_node=spec.processes_per_node,
        preflight=limit(spec.preflight),
    )

    def report(fields: dict[str, Any]) -> None:
        tuples = {name: tuple(fields.get(name, ())) for name in ("checkpoints", "notes")}
        reporter.update(**{**fields, **tuples})

    try:
        result = verdict(launch(_gang(stage_input, spec, volume), stage_input.grace_seconds, hang, report))
    except StageError as error:
        if error.step is None:
            with contextlib.suppress(OSError):  # what ended it may be a volume that no longer answers
                error.step = within(VOLUME_SECONDS, Checkpoints(folder / contract.CHECKPOINT_FOLDER).newest)
        raise
    if node_rank() == 0:
        claim.check()
        mark_complete(folder, result.output)
    return result


def _gang(stage_input: StageInput, spec: PretrainSpec, volume: Volume) -> Gang:
    return Gang(
        module="trainingrun_workers.pretrain.rank",
        argv=(),
        nodes=spec.nodes,
        processes_per_node=spec.processes_per_node,
        identity=f"{stage_input.run.uid}-{stage_input.stage}-{stage_input.attempt}",
        environment={
            BUFFER_VARIABLE: BUFFER,
            "CUDA_DEVICE_MAX_CONNECTIONS": "1",  # nanotron asserts it for tensor parallelism
            contract.INPUT_VARIABLE: os.environ.get(contract.INPUT_VARIABLE, contract.DEFAULT_INPUT),
            contract.VOLUME_VARIABLE: str(volume.root),
        },
    )
