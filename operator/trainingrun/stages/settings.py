"""What the operator's installation decides for every run: images, addresses, intervals."""

from dataclasses import dataclass, field
from typing import Any, Final

ROLES: Final = ("tokenize", "pretrain", "convert", "evaluate", "sft", "release")  # each has an image

# Kinds of stages that run in the image of another.
SHARED: Final = {
    "dpo": "sft", "cpt": "sft", "prepare": "sft", "compare": "evaluate", "report": "evaluate", "judge": "evaluate",
}  # fmt: skip


def role(kind: str) -> str:
    """Whose image a stage of a kind runs in."""
    return SHARED.get(kind, kind)


@dataclass(frozen=True)
class Settings:
    """Values of the chart that reach the decisions; read once when the operator starts."""

    images: dict[str, str] = field(default_factory=lambda: {role: f"trainingrun/{role}:dev" for role in ROLES})
    custom_engines: dict[str, str] | None = None  # images by entry; None where nobody has said which there are
    image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = ()
    worker_service_account: str = "trainingrun-worker"
    report_url: str | None = None  # of this operator's service, without REPORT_PATH
    report_seconds: float = 5.0  # between two reports of a pod
    progress_seconds: float = 10.0  # between two status writes that only tell progress
    token_seconds: int = 3600  # lifetime of a worker's projected token
    run_as_user: int = 65532
    run_as_group: int = 65532
    fs_group: int | None = 65532
    runtime_class_name: str | None = None
    node_selector: dict[str, str] = field(default_factory=dict)  # of all pods; a run's own stands beside it and wins
    tolerations: tuple[dict[str, Any], ...] = ()  # besides those that a run names
    affinity: dict[str, Any] = field(default_factory=dict)
    priority_class_name: str | None = None  # of stages that name none
    pod_labels: dict[str, str] = field(default_factory=dict)
    pod_annotations: dict[str, str] = field(default_factory=dict)
    worker_env: dict[str, str] = field(default_factory=dict)
    default_resources: dict[str, Any] = field(default_factory=dict)  # of containers for which the run names none
    shm_size: str = "1Gi"  # memory volume at /dev/shm of pods without GPUs; 16Gi with
    notifies: bool = False  # whether there is an address that messages to people go to
    notify_events: tuple[str, ...] = ("Finished", "Failed", "Silent")  # of runs that do not say
    notify_silence_seconds: float = 3600.0  # likewise

    def image(self, kind: str) -> str:
        """The image of a stage's kind."""
        return self.images[role(kind)]

    def custom_image(self, entry: str) -> str:
        """The image of a custom engine by its entry in the values, which `plan.validity` has looked for."""
        return (self.custom_engines or {}).get(entry, f"trainingrun/custom-{entry}:dev")
