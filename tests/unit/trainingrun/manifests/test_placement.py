"""Where the pods of stages run: by the run, by the installation's defaults, and away from nodes that were at fault."""

from typing import Any

from builders import SETTINGS
from trainingrun.api.data import Placement, Toleration
from trainingrun.api.training_run import Metadata
from trainingrun.manifests.meta import Child
from trainingrun.manifests.pod import PodPlan, pod_template
from trainingrun.stages.context import pod_defaults
from trainingrun.stages.settings import Settings

GPU = {"key": "nvidia.com/gpu", "operator": "Exists"}
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def spec(placement: Placement, avoided: tuple[str, ...] = (), **defaults: Any) -> dict[str, Any]:
    settings = Settings(images=SETTINGS.images, **defaults)
    plan = PodPlan(Child(Metadata(name="tiny"), "pretrain", 1), "pretrain", "x", "c", placement, avoided_nodes=avoided)
    return dict(pod_template(plan, pod_defaults(settings))["spec"])


def test_nothing_is_said_of_nodes_where_nobody_asks_for_any() -> None:
    assert not {"nodeSelector", "tolerations", "affinity", "priorityClassName"} & set(spec(Placement()))


def test_the_installations_defaults_reach_every_pod() -> None:
    affinity = {"podAffinity": {"x": "y"}}
    found = spec(
        Placement(), node_selector={"pool": "gpu"}, tolerations=(GPU,), affinity=affinity, priority_class_name="low"
    )
    assert (found["nodeSelector"], found["tolerations"]) == ({"pool": "gpu"}, [GPU])
    assert (found["affinity"], found["priorityClassName"]) == (affinity, "low")


def test_a_runs_own_placement_wins_and_adds() -> None:
    own = Placement(
        node_selector={"pool": "big"},
        tolerations=[Toleration(key="nvidia.com/gpu", operator="Exists"), Toleration(key="mine")],
        priority_class_name="high",
    )
    found = spec(
        own, node_selector={"pool": "gpu", "zone": "a"}, tolerations=(GPU, {"key": "theirs"}), priority_class_name="low"
    )
    assert found["nodeSelector"] == {"pool": "big", "zone": "a"}
    assert found["tolerations"] == [GPU, {"key": "mine"}, {"key": "theirs"}]
    assert found["priorityClassName"] == "high"


def test_nodes_at_fault_are_avoided_in_every_term_of_the_installations_affinity() -> None:
    terms = [
        {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]},
        {"matchFields": [{"key": "f"}]},
    ]
    nodes = {REQUIRED: {"nodeSelectorTerms": terms}, "preferred": []}
    found = spec(Placement(), ("node-1",), affinity={"podAffinity": {"x": "y"}, "nodeAffinity": nodes})["affinity"]
    away = {"key": "metadata.name", "operator": "NotIn", "values": ["node-1"]}
    assert found["podAffinity"] == {"x": "y"}
    assert found["nodeAffinity"]["preferred"] == []
    assert found["nodeAffinity"][REQUIRED]["nodeSelectorTerms"] == [
        {**terms[0], "matchFields": [away]}, {"matchFields": [{"key": "f"}, away]},
    ]  # fmt: skip
    assert terms[1] == {"matchFields": [{"key": "f"}]}, "the settings are every run's"
