"""Kubeflow's PyTorchJob of one attempt: a gang of pods that start and end together."""

import copy

from trainingrun.api import names
from trainingrun.manifests.meta import Child, Manifest, work_metadata


def pytorchjob(
    child: Child, template: Manifest, nodes: int, processes_per_node: int, queue: str | None = None
) -> Manifest:
    """A PyTorchJob whose pods never restart; `Worker` is left out for one node, since zero replicas make a pod.

    In a queue it begins suspended.
    """
    replicas = {"Master": _replica(template, 1)}
    if nodes > 1:
        replicas["Worker"] = _replica(template, nodes - 1)
    spec: Manifest = {
        # Pods that run on when one has failed are the operator's to end: it reads their last words first. With a
        # backoffLimit, of any size, the controller deletes them all at the first failure.
        "runPolicy": {"cleanPodPolicy": "None"},
        "nprocPerNode": str(processes_per_node),
        "pytorchReplicaSpecs": replicas,
    }
    if queue is not None:
        spec["runPolicy"]["suspend"] = True
    metadata = work_metadata(child, spec, queue)
    return {"apiVersion": names.KUBEFLOW_API_VERSION, "kind": "PyTorchJob", "metadata": metadata, "spec": spec}


def _replica(template: Manifest, count: int) -> Manifest:
    return {"replicas": count, "restartPolicy": "Never", "template": copy.deepcopy(template)}
