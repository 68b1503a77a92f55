"""CHART VALUES: what may be set when the chart is installed; source of its values.schema.json."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from trainingrun.api.chart_base import (
    AnyName,
    Digest,
    EngineImages,
    Image,
    OptionalName,
    Port,
    Raw,
    Registry,
    Strings,
    Values,
)
from trainingrun.api.chart_monitoring import MetricsValues, NotificationValues
from trainingrun.api.chart_pods import Operator, Worker


class Digests(Values):
    """A digest for each image, where its reference names none."""

    operator: Digest = ""
    """Of images.operator."""
    tokenize: Digest = ""
    """Of images.tokenize."""
    pretrain: Digest = ""
    """Of images.pretrain."""
    convert: Digest = ""
    """Of images.convert."""
    evaluate: Digest = ""
    """Of images.evaluate."""
    sft: Digest = ""
    """Of images.sft."""
    release: Digest = ""
    """Of images.release."""


class Images(Values):
    """Every image that is ever run, as full references."""

    registry: Registry = ""
    """Registry, with a path if need be, that takes the place of each reference's own: a mirror's address. References
    stay as they are where it is empty."""
    operator: Image = ""
    """The operator itself, which the chart's hooks run too; required."""
    tokenize: Image = ""
    """Stage tokenize: datatrove; required."""
    pretrain: Image = ""
    """Stage pretrain: nanotron; required."""
    convert: Image = ""
    """Stage convert; required."""
    evaluate: Image = ""
    """Stages evaluate, compare, report and judge: lm-eval; required."""
    sft: Image = ""
    """Stages sft, dpo, cpt and prepare: Axolotl; required."""
    release: Image = ""
    """Stages release; required."""
    custom: EngineImages = {}
    """Images of engines of your own, by the name that a run's pretrain.custom.image gives; docs/engine-contract.md."""
    digests: Digests = Digests()
    """A digest for each image, where its reference names none."""


class Watch(Values):
    """What the operator watches."""

    namespaces: list[AnyName] = []
    """Namespaces with runs, which must exist; all of the cluster where the list is empty. With a list the operator gets
    its rights by a Role in each of them."""
    nodes: bool = True
    """Whether the operator may read nodes (by a ClusterRole), to tell pods of lost nodes from others."""


class Rbac(Values):
    """The operator's rights."""

    create: bool = True
    """Whether the chart makes roles and bindings; without them an administrator gives the ServiceAccount its rights."""


class Crds(Values):
    """The resource's definition, which Helm itself installs but never upgrades."""

    upgrade: bool = True
    """Whether a Job puts the chart's definition in place of an older one at each installation and upgrade."""


class Service(Values):
    """The Service of reports, metrics and probes."""

    port: Port = 8080
    """Its port."""


class ServiceAccount(Values):
    """The operator's own account."""

    name: OptionalName = ""
    """Its name; the release's where it is empty."""
    annotations: Strings = {}
    """Its annotations."""


class PodDisruptionBudget(Values):
    """How many of several replicas a drain may take at once."""

    enabled: bool = True
    """Whether there is one, with several replicas; a single replica never gets one, which would block drains."""
    max_unavailable: Annotated[int, Field(ge=1, le=4)] = 1
    """Replicas that may be away."""


class Egress(Values):
    """What the operator may reach."""

    enabled: bool = False
    """Whether it may reach nothing but the API server, its other replicas, name servers and what `extra` says."""
    api_server: list[Raw] = []
    """Where the API server is, as NetworkPolicy peers such as an ipBlock; anywhere where the list is empty."""
    api_server_ports: Annotated[list[Port], Field(min_length=1)] = [443, 6443]
    """The API server's ports, behind its Service and before it: which one a policy sees depends on the network."""
    extra: list[Raw] = []
    """Further egress rules of the NetworkPolicy."""


class NetworkPolicy(Values):
    """Who may reach the operator, and what it may reach."""

    enabled: bool = False
    """Whether only pods that carry the run label, other replicas, the chart's test and whatever scrapes metrics may."""
    metrics_from: list[Raw] = []
    """Who may scrape metrics, as NetworkPolicy peers."""
    egress: Egress = Egress()
    """What the operator may reach."""


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
    """Names of pull secrets, of the operator and of all stages; one of each name must lie in every namespace with
    runs."""
    watch: Watch = Watch()
    """What the operator watches."""
    operator: Operator = Operator()
    """The operator's Deployment."""
    worker: Worker = Worker()
    """The pods of every stage."""
    rbac: Rbac = Rbac()
    """The operator's rights."""
    crds: Crds = Crds()
    """The resource's definition, which Helm itself installs but never upgrades."""
    service: Service = Service()
    """The Service of reports, metrics and probes."""
    service_account: ServiceAccount = ServiceAccount()
    """The operator's own account."""
    pod_disruption_budget: PodDisruptionBudget = PodDisruptionBudget()
    """How many of several replicas a drain may take at once."""
    network_policy: NetworkPolicy = NetworkPolicy()
    """Who may reach the operator, and what it may reach."""
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
        if "anyOf" in node:
            node.update(_or_null(node.pop("anyOf")))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _or_null(choices: list[dict[str, Any]]) -> dict[str, Any]:
    """One schema for what may be null: of two to choose from Helm tells two complaints."""
    (one,) = (choice for choice in choices if choice != {"type": "null"})
    return {**one, "type": [one["type"], "null"]} | ({"enum": [*one["enum"], None]} if "enum" in one else {})


def _nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _nodes(child)
