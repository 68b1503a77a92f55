"""The Job of one attempt: a single pod, or an Indexed Job of several."""

from trainingrun.api import names
from trainingrun.manifests.meta import Child, Manifest, digest


def job(child: Child, template: Manifest, pods: int = 1) -> Manifest:
    """A Job that never retries by itself: another attempt is the operator's."""
    spec: Manifest = {"backoffLimit": 0, "completions": pods, "parallelism": pods, "template": template}
    if pods > 1:
        spec["completionMode"] = "Indexed"
    annotations = {names.ANNOTATION_RENDERED: digest(spec)}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": child.metadata(annotations=annotations), "spec": spec}
