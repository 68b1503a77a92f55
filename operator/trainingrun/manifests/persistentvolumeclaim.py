"""The claim that the operator makes where a run asks for one."""

from trainingrun.api import names
from trainingrun.api.data import ClaimTemplate
from trainingrun.api.training_run import Metadata
from trainingrun.manifests.meta import Manifest


def persistentvolumeclaim(run: Metadata, template: ClaimTemplate) -> Manifest:
    """A ReadWriteMany claim named like the run; not owned by it, so that deleting a run deletes no model."""
    spec: Manifest = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": template.size}}}
    if template.storage_class_name:
        spec["storageClassName"] = template.storage_class_name
    labels = {names.LABEL_RUN: run.name, names.LABEL_MANAGED_BY: names.MANAGED_BY}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": run.name, "namespace": run.namespace, "labels": labels},
        "spec": spec,
    }
