"""CHART VALUES: what may be set when the chart is installed; source of its values.schema.json."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from trainingrun.api.base import Quantity
from trainingrun.api.chart_base import AnyName, Image, OptionalName, Raw, Strings, Values
from trainingrun.api.chart_monitoring import MetricsValues, NotificationValues


class Images(Values):
    """Every image that is ever run, as full references."""

    operator: Image = ""
    """The operator."""
    tokenize: Image = ""
    """Stage tokenize: datatrove."""
    pretrain: Image = ""
    """Stage pretrain: nanotron."""
    convert: Image = ""
    """Stage convert."""
    evaluate: Image = ""
    """Stages evaluate: lm-eval."""
    sft: Image = ""
    """Stages sft, dpo, cpt and prepare: Axolotl."""
    release: Image = ""
    """Stages release."""


class Watch(Values):
    """What the operator watches."""

    namespaces: list[AnyName] = []
    """Namespaces with runs; all where the list is empty."""
    nodes: bool = True
    """Whether the operator may read nodes, to tell pods of lost nodes from others."""


class ContainerResources(Values):
    """Requests and limits of a container, as in a pod."""

    requests: dict[str, Quantity] = {}
    """What the scheduler reserves."""
    limits: dict[str, Quantity] = {}
    """What the container may use at most."""


class Operator(Values):
    """The operator's Deployment."""

    replicas: Annotated[int, Field(ge=1, le=5)] = 1
    """Replicas; one of them acts, the others take over when it dies."""
    workers: Annotated[int, Field(ge=1, le=256)] = 12
    """Passes at the same time."""
    period_seconds: Annotated[float, Field(gt=0)] = 120
    """Seconds between two passes over a run that nothing has changed."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """What is logged."""
    resources: ContainerResources = ContainerResources(
        requests={"cpu": "100m", "memory": "160Mi"}, limits={"memory": "320Mi"}
    )
    """Requests and limits of the operator."""
    node_selector: Strings = {}
    """Labels that its node must have."""
    tolerations: list[Raw] = []
    """Taints that it tolerates."""
    affinity: Raw = {}
    """Its affinity."""
    priority_class_name: OptionalName = ""
    """Its PriorityClass."""
    pod_labels: Strings = {}
    """Labels of its pod."""
    pod_annotations: Strings = {}
    """Annotations of its pod."""
    extra_env: list[Raw] = []
    """Variables of its container besides its own."""


class Worker(Values):
    """The pods of every stage."""

    service_account_name: AnyName = "default"
    """Their ServiceAccount, in the run's namespace; it needs no rights."""
    report_seconds: Annotated[float, Field(gt=0)] = 5
    """Seconds between two reports of a pod."""
    progress_seconds: Annotated[float, Field(gt=0)] = 10
    """Seconds between two writes of a run's status that tell nothing but progress."""
    token_seconds: Annotated[int, Field(ge=600)] = 3600
    """Lifetime of the token for reports; Kubernetes takes 600 seconds and more."""
    run_as_user: Annotated[int, Field(ge=1)] = 65532
    """Their user, never root."""
    run_as_group: Annotated[int, Field(ge=0)] = 65532
    """Their group."""
    fs_group: Annotated[int, Field(ge=0)] | None = 65532
    """Group of the volume's files; null leaves the volume's ownership alone."""
    runtime_class_name: OptionalName = ""
    """Their RuntimeClass, for example nvidia."""
    shm_size: Quantity = "1Gi"
    """Size of the memory volume at /dev/shm of pods without GPUs."""
    default_resources: ContainerResources = ContainerResources()
    """Requests and limits of stages for which a run names none."""
    env: Strings = {}
    """Variables of every stage's container."""
    labels: Strings = {}
    """Labels of the pods."""
    annotations: Strings = {}
    """Annotations of the pods."""


class Service(Values):
    """The Service of reports, metrics and probes."""

    port: Annotated[int, Field(ge=1, le=65535)] = 8080
    """Its port."""


class ServiceAccount(Values):
    """The operator's own account."""

    name: OptionalName = ""
    """Its name; the release's where it is empty."""
    annotations: Strings = {}
    """Its annotations."""


class NetworkPolicy(Values):
    """Who may reach the operator."""

    enabled: bool = False
    """Whether only pods that carry the run label, and whatever scrapes metrics, may."""
    metrics_from: list[Raw] = []
    """Who may scrape metrics besides, as NetworkPolicy peers."""


class ServiceMonitor(Values):
    """A ServiceMonitor for the Prometheus operator."""

    enabled: bool = False
    """Whether there is one."""
    interval: str = "30s"
    """Time between two scrapes."""
    labels: Strings = {}
    """Its labels."""


class AdmissionPolicy(Values):
    """The policies that refuse what the resource's schema can't express."""

    enabled: bool = True
    """Whether there are any; needs Kubernetes 1.30."""


class ChartValues(Values):
    """Everything that may be set when the chart is installed."""

    images: Images = Images()
    """Every image that is ever run, as full references: tags or, better, digests."""
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    """When images are pulled, of the operator and of all stages."""
    image_pull_secrets: list[AnyName] = []
    """Names of pull secrets."""
    watch: Watch = Watch()
    """What the operator watches."""
    operator: Operator = Operator()
    """The operator's Deployment."""
    worker: Worker = Worker()
    """The pods of every stage."""
    service: Service = Service()
    """The Service of reports, metrics and probes."""
    service_account: ServiceAccount = ServiceAccount()
    """The operator's own account."""
    network_policy: NetworkPolicy = NetworkPolicy()
    """Who may reach the operator."""
    service_monitor: ServiceMonitor = ServiceMonitor()
    """A ServiceMonitor for the Prometheus operator."""
    metrics: MetricsValues = MetricsValues()
    """What Prometheus and Grafana are given besides the metrics."""
    notifications: NotificationValues = NotificationValues()
    """Messages to people by webhook, as Slack takes them."""
    admission_policy: AdmissionPolicy = AdmissionPolicy()
    """The policies that refuse what the resource's schema can't express."""
    shared: Annotated[Raw, Field(alias="global")] = {}
    """Helm's own, where the chart is a part of another."""


def values_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of values.yaml, by which Helm refuses what is misspelt."""
    schema = ChartValues.model_json_schema(by_alias=True)
    for node in _nodes(schema):
        if node.pop("x-kubernetes-int-or-string", False):
            node["type"] = ["string", "integer"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _nodes(child)
