"""What the chart renders is taken by a real API server, whatever the values; admission and all, without keeping it."""

import json
import subprocess
from collections.abc import Iterator

import pytest
import yaml
from local_cluster.programs import built

from control_plane.api import Api, Object, until
from control_plane.helm_release import path_of
from control_plane.operator_process import render_chart
from control_plane.schemas import write_schemas

RESTRICTED = "restricted-pods"
DRY = "?dryRun=All&fieldValidation=Strict"
TOLERATION = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
ZONE = {"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway"}

# Each is on or off, independently of all others.
TOGGLES: tuple[Object, ...] = (
    {"images": {"registry": "mirror.local:5000/team"}},
    {"images": {"digests": {"operator": f"sha256:{'a' * 64}", "sft": f"sha256:{'b' * 64}"}}},
    {"imagePullSecrets": ["one", "two"], "imagePullPolicy": "Always"},
    {"watch": {"namespaces": ["team-a", "team-b"]}},
    {"watch": {"nodes": False}},
    {"operator": {"replicas": 3}},
    {"operator": {"nodeSelector": {"pool": "system"}, "tolerations": [TOLERATION]}},
    {"operator": {"topologySpreadConstraints": [ZONE], "priorityClassName": "system-cluster-critical"}},
    {"operator": {"podLabels": {"team": "a"}, "podAnnotations": {"a": "b"}, "extraEnv": [{"name": "A", "value": "b"}]}},
    {"worker": {"nodeSelector": {"pool": "gpu"}, "tolerations": [TOLERATION], "priorityClassName": "training"}},
    {"worker": {"fsGroup": None, "runAsUser": 1000650000, "env": {"A": "b"}, "runtimeClassName": "nvidia"}},
    {"podDisruptionBudget": {"enabled": False}},
    {"serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}}},
    {"metrics": {"rules": {"enabled": True, "labels": {"release": "prometheus"}}}},
    {"metrics": {"dashboard": {"enabled": True}}},
    {"notifications": {"secretName": "chat", "silence": "2h"}},
    {"networkPolicy": {"enabled": True, "metricsFrom": [{"namespaceSelector": {}}]}},
    {"networkPolicy": {"egress": {"enabled": True, "apiServer": [{"ipBlock": {"cidr": "10.0.0.1/32"}}]}}},
    {"rbac": {"create": False}},
    {"serviceAccount": {"name": "somebody", "annotations": {"a": "b"}}, "service": {"port": 9000}},
    {"crds": {"upgrade": False}, "admissionPolicy": {"enabled": False}},
)


def combinations() -> Iterator[tuple[str, Object]]:
    """Few sets of values in which each pair of toggles is met in all its four combinations.

    The rows are the bits of the toggles' numbers and their complements, all of them and none: two different numbers
    differ in a bit.
    """
    yield "none", {}
    yield "all", merged(range(len(TOGGLES)))
    for bit in range(len(TOGGLES).bit_length()):
        for wanted in (0, 1):
            chosen = [one for one in range(len(TOGGLES)) if (one >> bit) & 1 == wanted]
            yield f"bit {bit} is {wanted}", merged(chosen)


def merged(chosen: object) -> Object:
    values: Object = {}
    for one in chosen:  # type: ignore[attr-defined]
        for section, part in TOGGLES[one].items():
            values[section] = {**values.get(section, {}), **part} if isinstance(part, dict) else part
    return values


@pytest.fixture(scope="module")
def room(api: Api) -> Api:
    """The API server with the namespaces that the values name, and one that enforces Pod Security `restricted`.

    It knows the kinds of the Prometheus operator as well.
    """
    api.kubectl("apply", "--server-side", "-f", str(built("kubeconform") / "definitions"))
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    for name in ("team-a", "team-b", RESTRICTED):
        own = labels if name == RESTRICTED else {}
        api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": own}})
    return api


def test_each_pair_of_toggles_is_met_in_all_its_combinations() -> None:
    rows = [values for _, values in combinations()]
    states = [tuple(is_in(toggle, row) for toggle in TOGGLES) for row in rows]
    for one in range(len(TOGGLES)):
        for other in range(one):
            assert len({(state[one], state[other]) for state in states}) == 4, (one, other)


def is_in(toggle: Object, values: Object) -> bool:
    (section, part), *_ = toggle.items()
    return part.items() <= values.get(section, {}).items() if isinstance(part, dict) else values.get(section) == part


@pytest.mark.parametrize("values", [pytest.param(values, id=name) for name, values in combinations()])
def test_the_api_server_takes_everything_that_is_rendered(room: Api, values: Object) -> None:
    given = [word for key, value in values.items() for word in ("--set-json", f"{key}={json.dumps(value)}")]
    objects = render_chart(*given, release="matrix")
    assert len(objects) >= 4
    for one in objects:
        room.call("POST", path_of(one, DRY), one)
    for pod in pods(objects):
        room.call("POST", path_of(pod, DRY), pod)


@pytest.fixture(scope="module")
def location(room: Api, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where kubeconform finds the schemas of this API server's kinds."""
    folder = tmp_path_factory.mktemp("schemas")
    return until(lambda: write_schemas(room, folder) if knows_all(room) else None, 30)


def knows_all(api: Api) -> bool:
    """Whether the server has begun to tell of the kinds that were defined last."""
    return any("servicemonitor" in name.lower() for name in api.call("GET", "/openapi/v2")["definitions"])


def kubeconform(location: str, objects: list[Object]) -> Object:
    """What kubeconform says of objects, with no field let through that a schema lacks."""
    command = [str(built("kubeconform") / "kubeconform"), "-strict", "-summary", "-output", "json"]
    text = yaml.safe_dump_all(objects)
    done = subprocess.run(
        [*command, "-schema-location", location], input=text, capture_output=True, text=True, check=False
    )
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("values", [pytest.param(values, id=name) for name, values in combinations()])
def test_kubeconform_finds_nothing_in_what_is_rendered(location: str, values: Object) -> None:
    given = [word for key, value in values.items() for word in ("--set-json", f"{key}={json.dumps(value)}")]
    objects = render_chart(*given, release="matrix")
    found = kubeconform(location, objects)
    assert not found["resources"], found
    assert found["summary"] == {"valid": len(objects), "invalid": 0, "errors": 0, "skipped": 0}


def test_kubeconform_finds_a_field_that_is_not_there_and_a_number_that_is_a_text(location: str) -> None:
    deployment = next(one for one in render_chart() if one["kind"] == "Deployment")
    deployment["spec"]["replica"] = 1
    assert "replica" in kubeconform(location, [deployment])["resources"][0]["msg"]
    deployment["spec"] = {**deployment["spec"], "replicas": "one"}
    assert kubeconform(location, [deployment])["summary"]["invalid"] == 1


def pods(objects: list[Object]) -> Iterator[Object]:
    """Every pod that the chart itself would have, in the namespace that enforces Pod Security."""
    for one in objects:
        template = one if one["kind"] == "Pod" else one["spec"].get("template") if "spec" in one else None
        if template is not None:
            metadata = {
                "name": one["metadata"]["name"],
                "namespace": RESTRICTED,
                "labels": template["metadata"]["labels"],
            }
            yield {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
