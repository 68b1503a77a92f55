"""The claim that the operator makes where a run asks for one."""

from trainingrun.api import names
from trainingrun.api.data import ClaimTemplate
from trainingrun.api.training_run import Metadata
from trainingrun.manifests.meta import Manifest, owner


def persistentvolumeclaim(run: Metadata, template: ClaimTemplate, deleted_with_run: bool) -> Manifest:
    """A ReadWriteMany claim named like the run.

    Only where it is to be deleted with the run does the run own it: then Kubernetes' garbage collector deletes it,
    whether or not the operator is there. Otherwise deleting a run deletes no model.
    """
    spec: Manifest = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": template.size}}}
    if template.storage_class_name:
        spec["storageClassName"] = template.storage_class_name
    metadata: Manifest = {"name": run.name, "namespace": run.namespace}
    metadata["labels"] = {names.LABEL_RUN: run.name, names.LABEL_MANAGED_BY: names.MANAGED_BY}
    if deleted_with_run:
        metadata["ownerReferences"] = [owner(run)]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata,
        "spec": spec,
    }
