"""CHART VALUES of pods: the operator's own, and those of every stage."""

from typing import Annotated, Literal

from pydantic import Field

from trainingrun.api.base import Quantity
from trainingrun.api.chart_base import AnyName, ContainerResources, OptionalName, Raw, Strings, Values, Variable
from trainingrun.api.data import Toleration


class Operator(Values):
    """The operator's Deployment."""

    replicas: Annotated[int, Field(ge=1, le=5)] = 1
    """Replicas, on different nodes where there are several; one of them acts. With two, the other takes over within 20
    seconds when its node dies; with one, Kubernetes needs minutes to start another, while what trains goes on."""
    workers: Annotated[int, Field(ge=1, le=256)] = 12
    """Passes at the same time."""
    period_seconds: Annotated[float, Field(gt=0)] = 120
    """Seconds between two passes over a run that nothing has changed."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """What is logged."""
    resources: ContainerResources = ContainerResources(
        requests={"cpu": "100m", "memory": "160Mi"}, limits={"memory": "320Mi"}
    )
    """Requests and limits of the operator, measured with 1,000 runs."""
    node_selector: Strings = {}
    """Labels that its node must have."""
    tolerations: list[Toleration] = []
    """Taints that it tolerates."""
    affinity: Raw = {}
    """Its affinity; with several replicas and none here, preferably on different nodes."""
    topology_spread_constraints: list[Raw] = []
    """How replicas are spread over zones, as in a pod; a constraint without labelSelector gets the operator's own."""
    priority_class_name: OptionalName = ""
    """Its PriorityClass, for example system-cluster-critical."""
    pod_labels: Strings = {}
    """Labels of its pod."""
    pod_annotations: Strings = {}
    """Annotations of its pod."""
    extra_env: list[Variable] = []
    """Variables of its container besides its own."""


class Worker(Values):
    """The pods of every stage."""

    service_account_name: AnyName = "default"
    """Their ServiceAccount, in the run's namespace. It needs no rights: the pods get no API token, only one that is
    good for nothing but reports to the operator."""
    report_seconds: Annotated[float, Field(gt=0)] = 5
    """Seconds between two reports of a pod."""
    progress_seconds: Annotated[float, Field(gt=0)] = 10
    """Seconds between two writes of a run's status that tell nothing but progress."""
    token_seconds: Annotated[int, Field(ge=600)] = 3600
    """Lifetime of the token for reports, which the kubelet renews; Kubernetes takes 600 seconds and more."""
    run_as_user: Annotated[int, Field(ge=1)] = 65532
    """Their user, never root."""
    run_as_group: Annotated[int, Field(ge=0)] = 65532
    """Their group."""
    fs_group: Annotated[int, Field(ge=0)] | None = 65532
    """Group of the volume's files; null leaves the volume's ownership alone."""
    runtime_class_name: OptionalName = ""
    """Their RuntimeClass, for example nvidia."""
    node_selector: Strings = {}
    """Labels that their nodes must have; a run's own stand beside these and win."""
    tolerations: list[Toleration] = []
    """Taints that they tolerate, besides those that a run names."""
    affinity: Raw = {}
    """Their affinity, as in a pod."""
    priority_class_name: OptionalName = ""
    """PriorityClass of the pods of stages that name none."""
    shm_size: Quantity = "1Gi"
    """Size of the memory volume at /dev/shm of pods without GPUs; it counts against the memory limit."""
    default_resources: ContainerResources = ContainerResources()
    """Requests and limits of stages for which a run names none."""
    env: Strings = {}
    """Variables of every stage's container."""
    labels: Strings = {}
    """Labels of the pods."""
    annotations: Strings = {}
    """Annotations of the pods."""
