"""What every stage builder is given, and what it yields."""

from dataclasses import dataclass
from functools import cached_property

from trainingrun.api.custom_engine import Custom
from trainingrun.api.data import Placement
from trainingrun.api.notes import Note
from trainingrun.api.training_run import TrainingRun
from trainingrun.manifests.meta import Child
from trainingrun.manifests.pod import PodDefaults
from trainingrun.stages.derived import Derived, derived
from trainingrun.stages.instances import Instance
from trainingrun.stages.layout import Place
from trainingrun.stages.settings import Settings
from trainingrun.stages.translated import Translated
from trainingrun_workers.contract import Skip, Spec


@dataclass(frozen=True)
class Context:
    """A run with everything that follows from it and from the installation's settings."""

    run: TrainingRun
    settings: Settings
    claim_bytes: int | None = None

    @cached_property
    def _derived(self) -> Derived:
        return derived(self.run)

    @property
    def translated(self) -> Translated:
        """The engines' configurations."""
        return self._derived.translated

    @property
    def places(self) -> dict[str, Place]:
        """The place of every stage, by name."""
        return self._derived.places

    @property
    def instances(self) -> tuple[Instance, ...]:
        """Every stage, in order."""
        return self._derived.instances

    @property
    def problems(self) -> tuple[Note, ...]:
        """What is wrong with the spec: broken rules, then what the engines' configurations have to say."""
        return self._derived.problems

    @property
    def claim(self) -> str:
        """Name of the run's claim: the user's own, or the one made for the run."""
        return self.run.spec.storage.claim_name or self.run.metadata.name

    @property
    def skips(self) -> tuple[Skip, ...]:
        """The data that pretraining leaves out after bad losses, ascending by step.

        They follow from what happened and not from what was asked for, so they are no part of the hash that names the
        stage's folder: another hash would be another folder, and all checkpoints would be lost. What was left out is
        told by each checkpoint's marker and by the model card.
        """
        stages = (one for one in self.run.status.stages if one.name == "pretrain")
        return tuple(Skip(one.step, one.steps) for stage in stages for one in stage.skips)

    def child(self, stage: str, attempt: int) -> Child:
        """The attempt's objects' names and labels."""
        return Child(self.run.metadata, stage, attempt)

    @property
    def pod_defaults(self) -> PodDefaults:
        """What the installation decides for all pods."""
        return pod_defaults(self.settings)


def pod_defaults(settings: Settings) -> PodDefaults:
    """What an installation decides for all pods."""
    return PodDefaults(
        image_pull_policy=settings.image_pull_policy,
        image_pull_secrets=settings.image_pull_secrets,
        service_account=settings.worker_service_account,
        token_seconds=settings.token_seconds,
        run_as_user=settings.run_as_user,
        run_as_group=settings.run_as_group,
        fs_group=settings.fs_group,
        runtime_class_name=settings.runtime_class_name,
        node_selector=settings.node_selector,
        tolerations=settings.tolerations,
        affinity=settings.affinity,
        priority_class_name=settings.priority_class_name,
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
    custom: Custom | None = None  # what runs in place of the stage's own image and command
    secrets: tuple[str, ...] = ()  # whose keys become environment variables
