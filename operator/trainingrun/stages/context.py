"""What every stage builder is given, and what it yields."""

from dataclasses import dataclass
from functools import cached_property

from trainingrun.api.data import Placement
from trainingrun.api.training_run import TrainingRun
from trainingrun.manifests.meta import Child
from trainingrun.manifests.pod import PodDefaults
from trainingrun.stages.instances import Instance, instances
from trainingrun.stages.layout import Place, places
from trainingrun.stages.settings import Settings
from trainingrun.stages.translated import Translated, translated
from trainingrun_workers.contract import Spec


@dataclass(frozen=True)
class Context:
    """A run with everything that follows from it and from the installation's settings."""

    run: TrainingRun
    settings: Settings
    claim_bytes: int | None = None

    @cached_property
    def translated(self) -> Translated:
        """The engines' configurations."""
        return translated(self.run)

    @cached_property
    def places(self) -> dict[str, Place]:
        """The place of every stage, by name."""
        return places(self.run, self.translated)

    @cached_property
    def instances(self) -> tuple[Instance, ...]:
        """Every stage, in order."""
        return instances(self.run.spec)

    @property
    def claim(self) -> str:
        """Name of the run's claim: the user's own, or the one made for the run."""
        return self.run.spec.storage.claim_name or self.run.metadata.name

    def child(self, stage: str, attempt: int) -> Child:
        """The attempt's objects' names and labels."""
        return Child(self.run.metadata, stage, attempt)

    @property
    def pod_defaults(self) -> PodDefaults:
        """What the installation decides for all pods."""
        settings = self.settings
        return PodDefaults(
            image_pull_policy=settings.image_pull_policy,
            image_pull_secrets=settings.image_pull_secrets,
            service_account=settings.worker_service_account,
            token_seconds=settings.token_seconds,
            run_as_user=settings.run_as_user,
            run_as_group=settings.run_as_group,
            fs_group=settings.fs_group,
            runtime_class_name=settings.runtime_class_name,
            labels=settings.pod_labels,
            annotations=settings.pod_annotations,
            environment=settings.worker_env,
            default_resources=settings.default_resources,
        )


@dataclass(frozen=True)
class Need:
    """What a stage needs to run: its worker's spec, and its pods."""

    spec: Spec
    placement: Placement
    pods: int = 1  # of a Job, or nodes of a gang
    gpus: int = 0  # a pod
    gpu_resource: str = "nvidia.com/gpu"
    environment: dict[str, str] | None = None
    devices: dict[str, int] | None = None
    grace_seconds: int = 30
