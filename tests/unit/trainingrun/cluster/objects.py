"""Objects as the API server shows them, for the tests of this folder."""

from typing import Any

from trainingrun.api import names

Raw = dict[str, Any]


def metadata(name: str, version: int = 1, owner: str = "run-uid", **more: Any) -> Raw:
    """Metadata of a child of run tiny."""
    labels = {names.LABEL_RUN: "tiny", names.LABEL_STAGE: "pretrain", names.LABEL_ATTEMPT: "2"}
    return {
        "name": name,
        "namespace": "default",
        "uid": f"uid-{name}",
        "resourceVersion": str(version),
        "creationTimestamp": "2027-01-15T08:00:00Z",
        "labels": labels | more.pop("labels", {}),
        "ownerReferences": [{"uid": owner, "controller": True, "kind": "X", "name": "x"}],
        **more,
    }


def a_pod(name: str = "pod", **status: Any) -> Raw:
    """A pod of run tiny."""
    owner = {"uid": "work-uid", "controller": True, "kind": "PyTorchJob", "name": "tiny-pretrain-a2"}
    status = {"phase": "Running", **status}
    return {"metadata": metadata(name, ownerReferences=[owner]), "spec": {"nodeName": "node-1"}, "status": status}


def a_container(name: str = "pytorch", **state: Any) -> Raw:
    """The status of a container."""
    return {"name": name, "image": f"registry.example/{name}:1", "state": state}


def a_work(name: str = "tiny-pretrain-a2", version: int = 1, owner: str = "run-uid", **status: Any) -> Raw:
    """A Job or PyTorchJob of run tiny."""
    annotations = {names.ANNOTATION_RENDERED: "abc"}
    return {"metadata": metadata(name, version, owner, annotations=annotations), "status": status}
