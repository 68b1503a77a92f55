"""The ConfigMap that carries one attempt's stage input into its pods."""

from trainingrun.api import names
from trainingrun.manifests.meta import Child, Manifest


def configmap(child: Child, document: str) -> Manifest:
    """The ConfigMap of an attempt; immutable, since an attempt's input never changes."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": child.metadata(),
        "immutable": True,
        "data": {names.INPUT_FILE: document},
    }
