"""The Job of one attempt: a single pod that is never replaced, or an Indexed Job that replaces its pods one by one."""

from typing import Final

from trainingrun.manifests.meta import Child, Manifest, work_metadata
from trainingrun.manifests.pod import WORKER_CONTAINER
from trainingrun_workers.contract import ExitCode

RETRIES_PER_INDEX: Final = 2  # replacements of each pod, after failures of its own, until the Job gives its index up

# What becomes of a Job whose pod has ended badly; the first rule that fits. What fits none is a failure of its index.
FAILURE_RULES: Final[tuple[Manifest, ...]] = (
    {
        # What only the user can mend is the same for every pod.
        "action": "FailJob",
        "onExitCodes": {
            "containerName": WORKER_CONTAINER,
            "operator": "In",
            "values": [int(ExitCode.BAD_DATA), int(ExitCode.BAD_CONFIG)],
        },
    },
    {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
    {
        "action": "Ignore",
        "onExitCodes": {"containerName": WORKER_CONTAINER, "operator": "In", "values": [int(ExitCode.PREEMPTED)]},
    },
)


def job(child: Child, template: Manifest, pods: int = 1, queue: str | None = None) -> Manifest:
    """A Job; in a queue it begins suspended.

    Of a single pod: it never retries by itself, another attempt is the operator's. Of several, which have nothing to do
    with each other: a pod that dies is replaced alone while the others work on.
    """
    spec: Manifest = {"completions": pods, "parallelism": pods, "template": template}
    if pods > 1:
        spec |= {
            "completionMode": "Indexed",
            "backoffLimitPerIndex": RETRIES_PER_INDEX,
            "podFailurePolicy": {"rules": list(FAILURE_RULES)},
            "podReplacementPolicy": "Failed",  # never two pods of one index at once
        }
    else:
        spec["backoffLimit"] = 0
    if queue is not None:
        spec["suspend"] = True
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": work_metadata(child, spec, queue), "spec": spec}
